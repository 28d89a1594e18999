//! C9: one service more, and one endpoint changed.

use lbcurve::result::{BackendKind, ProgrammingOp, ProgrammingRecord, Unit, VenueKind};

use super::{SIZES, expect, flat, iptables, knee, linear, run, synthetic};

pub(super) fn programming(add: &dyn Fn(f64) -> f64, change: &dyn Fn(f64) -> f64) -> Vec<ProgrammingRecord> {
    let ops: [(ProgrammingOp, &dyn Fn(f64) -> f64); 3] = [
        (ProgrammingOp::FromNothing, &|n| 1e5 + 9e4 * n),
        (ProgrammingOp::AddService, add),
        (ProgrammingOp::ChangeEndpoint, change),
    ];
    let mut records = Vec::new();
    for (op, total) in ops {
        for (services, trial) in SIZES.into_iter().flat_map(|services| [(services, 0), (services, 1)]) {
            let mut record = synthetic::programming().swap_remove(0);
            (record.venue, record.kernel) = (VenueKind::Vm, synthetic::VM_KERNEL.to_owned());
            (record.backend, record.unit, record.op) = (BackendKind::Ipvs, Unit::Instructions, op);
            (record.services, record.trial) = (services, trial);
            record.total = total(f64::from(services)) as u64 + u64::from(trial);
            records.push(record);
        }
    }
    records
}

#[test]
fn c9_is_judged_on_one_service_more_and_one_endpoint_changed() {
    let with = |add, change| run(&[iptables(&linear)], &programming(add, change), &[]);
    let judgement = expect(&with(&flat, &flat), "C9", "holds (", &["one service added: does not grow (constant)"]);
    let nothing = judgement.figures.iter().find(|f| f.what.contains("from nothing")).expect("it is shown");
    assert_eq!(nothing.note.as_deref(), Some("linear"));
    expect(&with(&flat, &linear), "C9", "does not hold", &["one endpoint changed: grows with Services (linear)"]);
    expect(&with(&flat, &knee), "C9", "holds up to N = ", &["grows beyond N = "]);
    expect(&run(&[iptables(&linear)], &[], &[]), "C9", "not measured", &["no programming records"]);
    let mut other = programming(&flat, &flat);
    other.iter_mut().for_each(|record| record.backend = BackendKind::IptablesLegacy);
    expect(&run(&[iptables(&linear)], &other, &[]), "C9", "not measured", &["IPVS was not measured"]);
}
