//! An imported cluster in the deterministic vm: no root, and IPVS beside iptables.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

use lbcurve::result::{BackendKind, RunFile, Unit, read_run_file};

fn run(out: &Path) -> RunFile {
    let cluster = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clusters/ticket-shop.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic", "--backends", "iptables-legacy,ipvs", "--flows", "new"]);
    command
        .args(["--scale", "1,30", "--trials", "2", "--packets", "100", "--cluster"])
        .arg(cluster)
        .arg("--out")
        .arg(out);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    read_run_file(&out.join("run.json")).unwrap()
}

#[test]
fn the_expected_cost_grows_with_iptables_and_not_with_ipvs() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(&dir.path().join("run"));
    assert!(run.warnings.is_empty(), "{:?}", run.warnings);
    let added = |backend, services| {
        let wanted = |key: &lbcurve::result::ExpectedKey| (key.backend, key.services) == (backend, services);
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
