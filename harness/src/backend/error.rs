//! What can go wrong when a datapath is programmed, and why one cannot be.

use std::fmt;
use std::io;
use std::process::ExitStatus;

use super::ebpf::LayoutError;
use crate::net::NetError;
use crate::probe::ProbeError;
use crate::result::BackendKind;

/// How many differences a message lists before it only counts them.
const LISTED: usize = 8;

/// Why a backend could not be programmed, read back or cleared.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A tool is not installed.
    #[error("{tool} is not installed (looked in PATH and the system's sbin and bin directories)")]
    ToolMissing {
        /// The program.
        tool: String,
    },
    /// A tool could not be run.
    #[error("cannot run {tool}: {source}")]
    Run {
        /// The program.
        tool: String,
        /// Why.
        source: io::Error,
    },
    /// A tool refused.
    #[error("{command} failed ({status}): {message}")]
    Tool {
        /// The program and its arguments.
        command: String,
        /// Exit status.
        status: ExitStatus,
        /// What it wrote to its standard error, shortened.
        message: String,
    },
    /// The kernel refused a netlink request, or its answer makes no sense.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A file of the kernel could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A tool's output could not be understood.
    #[error("cannot understand {what}: {reason}")]
    Parse {
        /// The output.
        what: String,
        /// What is wrong with it, with the offending text.
        reason: String,
    },
    /// eBPF programs could not be loaded or attached.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A map of the load balancer could not be written or read.
    #[error("cannot access eBPF map \"{map}\": {source}")]
    Map {
        /// Map.
        map: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A service has no place in the load balancer's maps.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A change of something that was not programmed.
    #[error("{} has not been programmed yet", name(*.backend))]
    NotApplied {
        /// The datapath.
        backend: BackendKind,
    },
    /// The kernel holds something else than it was asked for.
    #[error("{} differs from the workload in {} places: {}", name(*.backend), .differences.len(), list(.differences))]
    Mismatch {
        /// The datapath.
        backend: BackendKind,
        /// What differs, one difference each.
        differences: Vec<String>,
    },
}

impl BackendError {
    /// `Ok` without differences.
    pub(crate) fn unless_equal(backend: BackendKind, differences: Vec<String>) -> Result<(), Self> {
        if differences.is_empty() { Ok(()) } else { Err(Self::Mismatch { backend, differences }) }
    }
}

/// Why a backend cannot run here, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}; {remedy}", name(*.backend))]
pub struct Unready {
    /// The datapath.
    pub backend: BackendKind,
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// The name that the command line uses.
pub(crate) fn name(kind: BackendKind) -> &'static str {
    match kind {
        BackendKind::Direct => "direct",
        BackendKind::DirectConntrack => "direct-conntrack",
        BackendKind::IptablesLegacy => "iptables-legacy",
        BackendKind::IptablesNft => "iptables-nft",
        BackendKind::Ipvs => "ipvs",
        BackendKind::Nftables => "nftables",
        BackendKind::EbpfTc => "ebpf-tc",
        BackendKind::EbpfXdp => "ebpf-xdp",
    }
}

fn list(differences: &[String]) -> impl fmt::Display {
    let mut text = differences.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if differences.len() > LISTED {
        text.push_str("; and more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let differences = (0..10).map(|i| format!("d{i}")).collect();
        let error = BackendError::unless_equal(BackendKind::Ipvs, differences).expect_err("differs");
        let message = error.to_string();
        assert!(message.starts_with("ipvs differs from the workload in 10 places: d0; d1"), "{message}");
        assert!(message.ends_with("d7; and more"), "{message}");
    }
}
