//! The objects that the repository carries.

/// One object: a binary of datapath-ebpf.
#[derive(Debug)]
pub(super) struct Object {
    /// Name of the binary.
    pub(super) binary: &'static str,
    /// The committed object.
    pub(super) file: &'static str,
    /// What it was built from.
    pub(super) stamp: &'static str,
    /// Files and folders that it is made of.
    pub(super) sources: &'static [&'static str],
    /// Those of them that are another object's.
    pub(super) without: &'static [&'static str],
}

/// Each has sources of its own, so that a change of the one leaves the other as it is.
pub(super) const OBJECTS: [Object; 3] = [
    Object {
        binary: "datapath-ebpf",
        file: "datapath-ebpf/lbcurve.bpf.o",
        stamp: "datapath-ebpf/lbcurve.bpf.sha256",
        sources: &[
            "datapath-common/Cargo.toml",
            "datapath-common/src",
            "datapath-ebpf/Cargo.toml",
            "datapath-ebpf/src",
        ],
        without: &[
            "datapath-common/src/balancer",
            "datapath-common/src/pace",
            "datapath-ebpf/src/balancer",
            "datapath-ebpf/src/pacer",
        ],
    },
    Object {
        binary: "balancer",
        file: "datapath-ebpf/balancer.bpf.o",
        stamp: "datapath-ebpf/balancer.bpf.sha256",
        sources: &[
            "datapath-common/Cargo.toml",
            "datapath-common/src/balancer",
            "datapath-common/src/flow.rs",
            "datapath-common/src/frame.rs",
            "datapath-common/src/lib.rs",
            "datapath-ebpf/Cargo.toml",
            "datapath-ebpf/src/balancer",
        ],
        without: &[],
    },
    Object {
        binary: "pacer",
        file: "datapath-ebpf/pacer.bpf.o",
        stamp: "datapath-ebpf/pacer.bpf.sha256",
        sources: &[
            "datapath-common/Cargo.toml",
            "datapath-common/src/flow.rs",
            "datapath-common/src/frame.rs",
            "datapath-common/src/histogram.rs",
            "datapath-common/src/lib.rs",
            "datapath-common/src/pace",
            "datapath-common/src/probe.rs",
            "datapath-common/src/traffic.rs",
            "datapath-ebpf/Cargo.toml",
            "datapath-ebpf/src/pacer",
            "datapath-ebpf/src/packet.rs",
        ],
        without: &[],
    },
];
