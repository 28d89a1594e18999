//! Real connections through IPVS, in a vm whose time passes by itself: no root.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use lbcurve::claims::judge;
use lbcurve::result::{BackendKind, RunFile, Unit, read_run_file};

fn run(out: &Path) -> (String, RunFile) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic=false", "--backends", "iptables-legacy,ipvs"]);
    command.args(["--services", "1", "--layout", "sequential", "--flows", "new", "--positions", "first,last"]);
    command.args(["--trials", "2", "--packets", "20", "--connections", "4", "--out"]).arg(out);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), read_run_file(&out.join("run.json")).unwrap())
}

#[test]
fn a_vm_that_does_not_count_carries_connections_through_ipvs_and_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (table, run) = run(&dir.path().join("run"));
    let backends: Vec<_> = run.connections.iter().map(|curve| curve.key.axes.backend).collect();
    assert!(backends.contains(&BackendKind::Ipvs) && backends.contains(&BackendKind::IptablesLegacy), "{backends:?}");
    for curve in &run.connections {
        let [point] = &curve.points[..] else { panic!("{curve:?}") };
        // A machine that is busy with something else may let some time out.
        assert!(point.trials == 2 && point.succeeded > 0 && point.per_second.is_some(), "{point:?}");
    }
    assert!(run.environment.kernels.iter().all(|kernel| kernel.unit == Unit::Ns));
    // Where KVM works nothing is emulated; where it is, everything says so.
    let emulated = run.environment.kernels.iter().all(|kernel| kernel.emulated);
    let warned = run.warnings.iter().any(|warning| warning.to_string().contains("the machine is emulated in software"));
    assert_eq!((warned, table.contains("vm, emulated")), (emulated, emulated), "{:?}", run.warnings);
    let c5: Vec<_> = judge(&run).into_iter().filter(|judgement| judgement.claim.id == "C5").collect();
    let [judgement] = &c5[..] else { panic!("{c5:?}") };
    assert!(judgement.figures.iter().any(|figure| figure.what.contains("over those of ipvs")), "{judgement:?}");
    assert_eq!(judgement.reason.contains("of an emulated machine"), emulated, "{}", judgement.reason);
}
