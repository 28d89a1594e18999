//! C5: real connections.

use lbcurve::result::{BackendKind, ConnectionRecord, Position, Recorded, RunFile, assemble_records};
use lbcurve::workload::cluster::ClusterOrigin;

use super::{CANNOT_TELL, expect, synthetic};

/// Connections a second at N = 1, 100 and 10,000, of ten trials that lie a little apart.
pub(super) fn connections(backend: BackendKind, rates: [f64; 3], spread: f64) -> Vec<ConnectionRecord> {
    let mut records = Vec::new();
    for (services, rate) in [1, 100, 10_000].into_iter().zip(rates) {
        for trial in 0..10_u32 {
            let record = synthetic::experiments::connection(backend, services, trial);
            records.push(ConnectionRecord {
                per_second: rate * (1.0 + spread * (f64::from(trial) - 4.5) / 4.5),
                ..record
            });
        }
    }
    records
}

pub(super) fn connected(records: &[Vec<ConnectionRecord>]) -> RunFile {
    let connections = records.concat();
    let recorded = Recorded { connections: &connections, ..Recorded::default() };
    assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("rates are finite")
}

#[test]
fn c5_is_judged_by_connections_over_services_and_beside_ipvs() {
    use BackendKind::{Direct, IptablesLegacy, Ipvs};
    let iptables = |rates| connections(IptablesLegacy, rates, 0.01);
    let (flat, falling) = (iptables([9e3, 9e3, 8.9e3]), iptables([9e3, 8.8e3, 4e3]));
    let alone = expect(
        &connected(std::slice::from_ref(&flat)),
        "C5",
        "holds (",
        &["not compared with IPVS", "as many as at N = 1 at every N"],
    );
    assert!(
        alone.figures.iter().any(|figure| figure.what.contains("over those at N = 1") && figure.interval.is_some())
    );
    expect(&connected(std::slice::from_ref(&falling)), "C5", "holds up to N = 100 (", &["at N = 10,000"]);
    expect(&connected(&[iptables([9e3, 5e3, 4e3])]), "C5", "holds up to N = 1 (", &["at N = 100"]);
    let ipvs = |rate: f64| connections(Ipvs, [rate; 3], 0.01);
    expect(
        &connected(&[flat.clone(), ipvs(9e3)]),
        "C5",
        "holds (",
        &["iptables-legacy carries as many as ipvs at every N"],
    );
    expect(
        &connected(&[flat.clone(), ipvs(12e3)]),
        "C5",
        "does not hold",
        &["iptables-legacy carries fewer than ipvs: [0.7"],
    );
    // The yardstick is shown, and decides nothing.
    let beside = expect(&connected(&[flat.clone(), connections(Direct, [15e3; 3], 0.01)]), "C5", "holds (", &[]);
    assert!(beside.figures.iter().any(|figure| figure.what.contains("over those of direct at N = 1")), "{beside:?}");
    expect(&connected(&[connections(IptablesLegacy, [9e3, 8.6e3, 8.2e3], 0.4)]), "C5", CANNOT_TELL, &["undetermined"]);
    let few: Vec<_> = falling.into_iter().filter(|record| record.trial < 2).collect();
    expect(&connected(&[few]), "C5", CANNOT_TELL, &["undetermined"]);
    expect(
        &connected(&[connections(Ipvs, [9e3; 3], 0.01)]),
        "C5",
        "not measured",
        &["no connections through iptables"],
    );
}

#[test]
fn c5_asks_for_the_worst_service_and_for_no_other() {
    let flat = connections(BackendKind::IptablesLegacy, [9e3; 3], 0.01);
    let mut falling = connections(BackendKind::IptablesLegacy, [9e3, 5e3, 1e3], 0.01);
    falling.iter_mut().for_each(|record| record.cell.position = Position::Middle);
    expect(&connected(std::slice::from_ref(&falling)), "C5", "not measured", &["no connections through iptables"]);
    expect(&connected(&[falling, flat]), "C5", "holds (", &["as many as at N = 1 at every N"]);
}

#[test]
fn over_a_cluster_all_its_services_are_asked_for_and_an_emulated_machine_is_named() {
    let at_random = |backend, rates| {
        let mut records = connections(backend, rates, 0.01);
        for record in &mut records {
            record.cell.position = Position::Random;
        }
        records
    };
    let records = [at_random(BackendKind::IptablesLegacy, [9e3, 9e3, 4e3]), at_random(BackendKind::Ipvs, [2e4; 3])];
    let mut manifest = synthetic::emulated(synthetic::manifest(&[]));
    manifest.plan.cluster = Some(ClusterOrigin {
        file: "cluster.yaml".into(),
        sha256: String::new(),
        services: 1,
        tcp: 0,
        udp: 1,
        endpoints: 2,
        rejected: Vec::new(),
        left_out: Vec::new(),
    });
    let all = records.concat();
    let recorded = Recorded { connections: &all, ..Recorded::default() };
    let run = assemble_records(manifest, recorded, &[]).expect("rates are finite");
    expect(&run, "C5", "does not hold", &["fewer than ipvs", "of an emulated machine"]);
    let judgement = expect(&run, "C3", "holds (", &["of an emulated machine"]);
    assert!(judgement.figures[0].cells.contains("at random"), "{}", judgement.figures[0].cells);
    // Without the cluster these are connections to a service that is not the worst one.
    expect(&connected(&records), "C5", "not measured", &["no connections through iptables"]);
}
