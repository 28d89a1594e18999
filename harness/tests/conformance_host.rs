//! What the models decide is what this kernel decides: random workloads, flow by flow. Needs root.

mod conformance;

use ::conformance::{Recording, Shape, Target};
use conformance::{Kernel, Recorder, assert_agreement, keep};
use lbcurve::result::BackendKind;
use lbcurve::workload::EndpointChoice;

const SMALL: Shape = Shape { services: 12, endpoints: 5, orders: 1, flows: 400, weights: 1 };
/// Wide enough for rules and chains of three digits.
const LARGE: Shape = Shape { services: 200, endpoints: 12, orders: 1, flows: 3_000, weights: 1 };
/// Small and large cases.
const CASES: [u64; 2] = [60, 3];
/// Fewer where every case has namespaces of its own.
const EBPF_CASES: [u64; 2] = [25, 2];

fn agrees(target: Target, kernel: Kernel, [small, large]: [u64; 2], file: &str) {
    let mut recorder = Recorder::new(target, kernel, LARGE.flows);
    let mut recordings: Vec<Recording> = (0..small).map(|seed| recorder.record(seed, SMALL)).collect();
    // The connection table of one namespace holds a quarter of a million flows.
    recordings.extend((0..large).map(|seed| recorder.record(1_000 + seed, LARGE)));
    keep(file, recordings.iter().map(|one| serde_json::to_string(one).expect("a recording is JSON")));
    assert_agreement(&recordings);
}

#[test]
fn iptables_legacy() {
    agrees(Target::IptablesLegacy, Kernel::of(BackendKind::IptablesLegacy), CASES, "iptables-legacy.jsonl");
}

#[test]
fn iptables_nft() {
    agrees(Target::IptablesNft, Kernel::of(BackendKind::IptablesNft), CASES, "iptables-nft.jsonl");
}

#[test]
fn nftables() {
    agrees(Target::Nftables, Kernel::of(BackendKind::Nftables), CASES, "nftables.jsonl");
}

#[test]
fn ebpf_tc() {
    agrees(Target::EbpfTc, Kernel::of(BackendKind::EbpfTc), EBPF_CASES, "ebpf-tc.jsonl");
}

#[test]
fn ebpf_tc_with_maglev() {
    let kernel = Kernel { choice: EndpointChoice::Maglev, ..Kernel::of(BackendKind::EbpfTc) };
    agrees(Target::EbpfTcMaglev, kernel, EBPF_CASES, "ebpf-tc-maglev.jsonl");
}

#[test]
fn ebpf_xdp() {
    agrees(Target::EbpfXdp, Kernel::of(BackendKind::EbpfXdp), EBPF_CASES, "ebpf-xdp.jsonl");
}
