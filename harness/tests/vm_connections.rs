//! Real connections through IPVS, in a vm whose time passes by itself: no root.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use lbcurve::claims::judge;
use lbcurve::result::{BackendKind, ConnectionLoad, ConnectionPoint, RunFile, Unit, read_run_file};

const LOADS: &str = "4,reuse:8,reuse0:8,reuse1:8";

fn run(out: &Path) -> (String, RunFile) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "vm", "--deterministic=false", "--backends", "iptables-legacy,ipvs"]);
    command.args(["--services", "1", "--layout", "sequential", "--flows", "new", "--positions", "first,last"]);
    command.args(["--trials", "2", "--packets", "20", "--connections", LOADS, "--out"]).arg(out);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), read_run_file(&out.join("run.json")).unwrap())
}

fn points<'a>(run: &'a RunFile, backend: BackendKind, load: &str) -> Vec<&'a ConnectionPoint> {
    let load: ConnectionLoad = load.parse().unwrap();
    let curves = run.connections.iter().filter(|curve| (curve.key.axes.backend, curve.key.load) == (backend, load));
    curves.flat_map(|curve| &curve.points).collect()
}

/// IPVS takes ports that come again as each load says, and by the kernel's default where it says nothing, whatever came before in the visit.
fn assert_reuse(table: &str, run: &RunFile) {
    for (load, mode) in [("4", 1), ("reuse:8", 1), ("reuse0:8", 0), ("reuse1:8", 1)] {
        let found = points(run, BackendKind::Ipvs, load);
        assert!(!found.is_empty(), "{load}");
        for point in found {
            assert_eq!(point.conn_reuse_modes, BTreeSet::from([mode]), "{load}: {point:?}");
            assert!(point.succeeded > 0, "{load}: {point:?}");
            assert!(point.ipvs_entries.as_ref().unwrap().value > 0.0, "{load}: {point:?}");
        }
    }
    for point in points(run, BackendKind::IptablesLegacy, "reuse:8") {
        assert!(point.conn_reuse_modes.is_empty() && point.ipvs_entries.is_none(), "{point:?}");
    }
    assert!(points(run, BackendKind::IptablesLegacy, "reuse0:8").is_empty());
    let left_out = run.skipped.iter().any(|skipped| skipped.reason.contains("says nothing without IPVS"));
    assert!(left_out, "{:?}", run.skipped);
    assert!(table.contains("conn_reuse_mode 0") && table.contains("conn_reuse_mode 1"), "{table}");
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
    assert_reuse(&table, &run);
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
