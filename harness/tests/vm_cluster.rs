//! An imported cluster in the vm: no root, and IPVS beside iptables.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

use lbcurve::result::{BackendKind, ExpectedKey, Position, RunFile, Unit, VenueKind, read_run_file};

/// One TCP service of two pods.
const SMALL: &str = include_str!("clusters/two-pods.yaml");

fn run(cluster: &Path, out: &Path, options: &[&str]) -> RunFile {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--flows", "new"]).args(options);
    command.arg("--cluster").arg(cluster).arg("--out").arg(out);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    read_run_file(&out.join("run.json")).unwrap()
}

#[test]
fn the_expected_cost_grows_with_iptables_and_not_with_ipvs() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clusters/ticket-shop.yaml");
    let options = "--deterministic --backends iptables-legacy,ipvs --scale 1,30 --trials 2 --packets 100";
    let run = run(&cluster, &dir.path().join("run"), &options.split(' ').collect::<Vec<_>>());
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    // Counted instructions have no connections a second.
    assert!(run.connections.is_empty());
    for backend in &run.plan.backends {
        let says_why = |reason: &str| reason.contains("connections a second mean nothing");
        assert!(run.skipped.iter().any(|skipped| skipped.cell.backend == *backend && says_why(&skipped.reason)));
    }
    let added = |backend, services| {
        let wanted = |key: &ExpectedKey| (key.backend, key.services) == (backend, services);
        let cost = run.expected.iter().find(|cost| wanted(&cost.key)).unwrap();
        assert_eq!((cost.key.unit, cost.astray, cost.values.len()), (Unit::Instructions, 0, 2));
        cost.added
    };
    // 180 rules with endpoints instead of 6, of which half are passed in the mean, and 30 rejections instead of 1: 116 rules of 20 to 32
    // instructions (see vm_run.rs), give or take what 200 draws leave open.
    let grown = added(BackendKind::IptablesLegacy, 210) - added(BackendKind::IptablesLegacy, 7);
    assert!((1_800.0..5_000.0).contains(&grown), "{grown} instructions");
    println!("iptables-legacy grows by {grown} instructions");
    // 150 VIPs in 256 buckets of a table that is never walked far.
    let (few, many) = (added(BackendKind::Ipvs, 7), added(BackendKind::Ipvs, 210));
    println!("ipvs: {few} and {many} instructions");
    assert!((many / few - 1.0).abs() < 0.03, "{few} and {many} instructions");
}

/// `lbcurve run --venue vm --deterministic=false --cluster FILE`, in small.
#[test]
fn one_command_gives_the_expected_cost_and_connections_a_second_in_every_mode() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = dir.path().join("small.yaml");
    std::fs::write(&cluster, SMALL).unwrap();
    let options = "--deterministic=false --backends iptables-legacy,ipvs,nftables,ebpf-tc --trials 1 --packets 20 \
                   --connections 4";
    let run = run(&cluster, &dir.path().join("run"), &options.split(' ').collect::<Vec<_>>());
    assert!(run.skipped.is_empty(), "{:?}", run.skipped);
    for mode in [BackendKind::IptablesLegacy, BackendKind::Ipvs, BackendKind::Nftables, BackendKind::EbpfTc] {
        let costs: Vec<_> = run.expected.iter().filter(|cost| cost.key.backend == mode).collect();
        let [cost] = costs[..] else { panic!("{mode:?}: {costs:?}") };
        assert_eq!((cost.key.venue, cost.key.unit, cost.key.services), (VenueKind::Vm, Unit::Ns, 1));
        assert!(cost.values.len() == 1 && cost.traversal > 0.0, "{cost:?}");
        let curves: Vec<_> = run.connections.iter().filter(|curve| curve.key.axes.backend == mode).collect();
        let [curve] = curves[..] else { panic!("{mode:?}: {curves:?}") };
        let [point] = &curve.points[..] else { panic!("{curve:?}") };
        assert_eq!((curve.key.load.to_string().as_str(), curve.key.axes.position), ("4", Position::Random));
        // A machine that is busy with something else may let some time out.
        assert!(point.succeeded > 0 && point.per_second.as_ref().is_some_and(|rate| rate.value > 0.0), "{point:?}");
    }
}
