//! C3: rates, at saturation and searched for.

use std::collections::BTreeMap;

use lbcurve::result::{
    BackendKind, Cell, ConnectionRecord, FailureKind, Flow, GoalRecord, Position, RateRecord, Recorded,
    ThroughputRecord, VenueKind, assemble_records, rate_curves,
};

use super::connections::{connected, connections};
use super::{expect, iptables, linear, run, synthetic};

/// Rates of IPVS over those of iptables, at N = 1, 100 and 10,000.
pub(super) fn saturation(ratios: [f64; 3]) -> Vec<ThroughputRecord> {
    let mut records = Vec::new();
    for (services, ratio) in [1, 100, 10_000].into_iter().zip(ratios) {
        for (backend, position, rate) in
            [(BackendKind::IptablesLegacy, Position::Last, 3e5), (BackendKind::Ipvs, Position::First, 3e5 * ratio)]
        {
            for trial in 0..6 {
                let mut record = synthetic::throughput().swap_remove(0);
                (record.cell.venue, record.cell.kernel) = (VenueKind::Vm, synthetic::VM_KERNEL.to_owned());
                (record.cell.backend, record.cell.position) = (backend, position);
                (record.cell.services, record.trial) = (services, trial);
                record.forwarded_pps = rate + 100.0 * f64::from(trial);
                records.push(record);
            }
        }
    }
    records
}

#[test]
fn c3_compares_rates_at_saturation() {
    let with = |throughput: &[ThroughputRecord]| run(&[iptables(&linear)], &[], throughput);
    let judgement = expect(&with(&saturation([1.5, 1.6, 3.0])), "C3", "holds (", &["at every N"]);
    let [low, high] = judgement.figures[0].interval.expect("there is an interval");
    assert!(low < 1.5 && 1.5 < high && low > 1.49, "{low} {high}");
    expect(&with(&saturation([1.5, 1.0, 0.9])), "C3", "holds up to N = 1 (", &["up to N = 1 only"]);
    expect(&with(&saturation([0.9, 1.0, 3.0])), "C3", "does not hold", &["less at N = 1", "more from N = 10,000 on"]);
    expect(&with(&saturation([0.9, 1.0, 0.9])), "C3", "does not hold", &["less at N = 1"]);
    // One trial a side lies apart by chance.
    let lone: Vec<_> = saturation([1.5, 1.6, 3.0]).into_iter().filter(|record| record.trial == 0).collect();
    expect(&with(&lone), "C3", "not measured", &["the trials cannot tell", "N = 1"]);
    expect(&with(&synthetic::throughput()), "C3", "not measured", &["saturation"]);
    expect(&with(&[]), "C3", "not measured", &["saturation"]);
}

/// Searches of rates, as [`saturation`] has them.
fn searches(ratios: [f64; 3], irregular: Option<&str>) -> Vec<RateRecord> {
    let goal = |rate| GoalRecord {
        loss_ratio: 0.0,
        lower_pps: Some(rate),
        upper_pps: Some(1.02 * rate),
        throughput_pps: Some(rate),
        irregular: irregular.map(str::to_owned),
        cpu: None,
    };
    let of = |trial: ThroughputRecord| {
        let found = synthetic::experiments::rate(trial.cell.backend, 1, trial.trial, trial.forwarded_pps);
        let goals = vec![goal(trial.forwarded_pps)];
        RateRecord { cell: trial.cell, received: None, goals, top: None, fixed_cpu: None, ..found }
    };
    saturation(ratios).into_iter().map(of).collect()
}

#[test]
fn c3_prefers_searched_rates_that_are_regular() {
    let mut both = run(&[iptables(&linear)], &[], &saturation([0.9, 0.9, 0.9]));
    both.rates = rate_curves(&searches([1.5, 1.6, 3.0], None));
    let judgement = expect(&both, "C3", "holds (", &["at every N"]);
    assert!(judgement.figures[0].cells.contains("no loss (NDR), new flows"), "{}", judgement.figures[0].cells);
    // A mix with established flows is other traffic, and decides nothing.
    let mixed = searches([0.9, 0.9, 0.9], None).into_iter();
    let mixed = mixed.map(|search| RateRecord { new_share: Some("10%".parse().expect("it is a share")), ..search });
    both.rates = rate_curves(&searches([1.5, 1.6, 3.0], None).into_iter().chain(mixed).collect::<Vec<_>>());
    expect(&both, "C3", "holds (", &["at every N"]);
    both.rates = rate_curves(&searches([1.5, 1.6, 3.0], Some("max load meets it")));
    let judgement = expect(&both, "C3", "does not hold", &["less at N = 1"]);
    assert!(judgement.figures[0].cells.contains("saturation"), "{}", judgement.figures[0].cells);
}

#[test]
fn c3_does_without_an_irregular_search_of_ten_and_counts_it() {
    let mut ten = Vec::new();
    for search in searches([1.5, 1.6, 3.0], None) {
        let again = RateRecord { trial: search.trial + 6, ..search.clone() };
        ten.extend([search, again].into_iter().filter(|search| search.trial < 10));
    }
    for search in ten.iter_mut().filter(|search| search.trial == 0) {
        (search.goals[0].throughput_pps, search.goals[0].irregular) = (Some(1.0), Some("never overloaded".to_owned()));
    }
    let mut run = run(&[iptables(&linear)], &[], &[]);
    run.rates = rate_curves(&ten);
    let judgement = expect(&run, "C3", "holds (", &["at every N"]);
    let figure = &judgement.figures[0];
    assert!(figure.cells.contains("last (9 trials), ipvs at first (9 trials)"), "{}", figure.cells);
    let fall = judgement.figures.iter().find(|figure| figure.what.starts_with("rate of iptables-legacy"));
    for figure in [figure, fall.expect("it is shown over N")] {
        assert_eq!(figure.note.as_deref(), Some("irregular searches left out: 2"), "{}", figure.what);
    }
}

#[test]
fn c3_is_decided_by_established_flows_only_where_nothing_else_was_measured_in_both() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let of = |ratios, flow| -> Vec<_> {
        let searches = searches(ratios, None).into_iter();
        searches.map(|search| RateRecord { cell: Cell { flow, ..search.cell }, ..search }).collect()
    };
    let mut run = run(&[iptables(&linear)], &[], &[]);
    // IPVS's rates of new flows are not searched for.
    let mut rates = of([0.9; 3], Flow::New);
    rates.retain(|search| search.cell.backend == IptablesLegacy);
    rates.extend(of([0.9; 3], Flow::Established));
    run.rates = rate_curves(&rates);
    let words = ["less at N = 1", "by established flows alone, which iptables looks nothing up for"];
    let judgement = expect(&run, "C3", "does not hold", &words);
    assert!(judgement.figures[0].cells.contains("no loss (NDR), established flows"), "{:?}", judgement.figures[0]);
    let carried = [connections(IptablesLegacy, [9e3, 8e3, 4e3], 0.01), connections(Ipvs, [1e4; 3], 0.01)];
    run.connections = connected(&carried).connections;
    let judgement = expect(&run, "C3", "holds (", &["at every N"]);
    assert!(judgement.figures[0].cells.contains("connections, 16 at a time"), "{:?}", judgement.figures[0]);
    assert!(!judgement.reason.contains("established"), "{}", judgement.reason);
    run.throughput = saturation([0.9; 3]);
    let judgement = expect(&run, "C3", "does not hold", &["less at N = 1"]);
    assert!(judgement.figures[0].cells.contains("saturation, new flows"), "{:?}", judgement.figures[0]);
}

#[test]
fn c3_compares_no_new_flows_with_established_ones() {
    let mut mixed = saturation([1.5, 1.6, 3.0]);
    for record in mixed.iter_mut().filter(|record| record.cell.backend == BackendKind::Ipvs) {
        record.cell.flow = Flow::Established;
    }
    let words = ["not compared with IPVS: at N = 10,000 iptables-legacy carries 1 ["];
    expect(&run(&[iptables(&linear)], &[], &mixed), "C3", "not measured", &words);
}

#[test]
fn c3_shows_what_becomes_of_a_rate_by_every_source_side_by_side() {
    let mut run = run(&[iptables(&linear)], &[], &saturation([1.5, 1.6, 3.0]));
    run.rates = rate_curves(&searches([1.5, 1.6, 3.0], None));
    run.connections = connected(&[connections(BackendKind::IptablesLegacy, [9e3, 8e3, 4e3], 0.01)]).connections;
    let judgement = expect(&run, "C3", "holds (", &["at every N"]);
    let shown = |what: &str| -> Vec<_> {
        let figures = judgement.figures.iter().filter(|figure| figure.what == what);
        figures.filter_map(|figure| figure.cells.split_once(", iptables-legacy")).map(|(source, _)| source).collect()
    };
    let strictest = "searches, no loss (NDR), new flows";
    let all = [strictest, "saturation, new flows", "connections, 16 at a time"];
    assert_eq!(shown("rate of iptables-legacy over that at N = 1, at N = 10,000"), all);
    assert_eq!(shown("rate of iptables-legacy over that at N = 1, at N = 100"), [strictest]);
}

#[test]
fn c3_takes_connections_where_no_packets_were_counted() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let carried = |backend, rates| connections(backend, rates, 0.01);
    let (iptables, ipvs) = (carried(IptablesLegacy, [9e3, 8e3, 4e3]), carried(Ipvs, [1e4; 3]));
    let judgement = expect(&connected(&[iptables, ipvs]), "C3", "holds (", &["at every N"]);
    assert!(judgement.figures[0].cells.contains("connections, 16 at a time"), "{}", judgement.figures[0].cells);
}

#[test]
fn c3_by_connections_takes_the_most_at_a_time_and_whole_exchanges() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let at_a_time = |load: &str, records: Vec<ConnectionRecord>| -> Vec<_> {
        records.into_iter().map(|record| ConnectionRecord { load: load.parse().unwrap(), ..record }).collect()
    };
    let of = |load, ipvs| {
        let carried = [connections(IptablesLegacy, [9e3; 3], 0.01), connections(Ipvs, [ipvs; 3], 0.01)];
        at_a_time(load, carried.concat())
    };
    expect(&connected(&[of("1", 5e3), of("64", 2e4)]), "C3", "holds (", &["at every N"]);
    expect(&connected(&[of("1", 2e4), of("64", 5e3)]), "C3", "does not hold", &["less at N = 1"]);
    let mut failed = of("16", 2e4);
    for record in failed.iter_mut().filter(|record| record.cell.backend == Ipvs) {
        (record.attempted, record.failures) = (record.attempted + 1, BTreeMap::from([(FailureKind::Refused, 1)]));
    }
    expect(&connected(&[failed]), "C3", "not measured", &["connections of both"]);
    // Packets a second come first.
    let (throughput, connections) = (saturation([0.9; 3]), of("16", 2e4));
    let recorded = Recorded { throughput: &throughput, connections: &connections, ..Recorded::default() };
    let both = assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("rates are finite");
    let judgement = expect(&both, "C3", "does not hold", &["less at N = 1"]);
    assert!(judgement.figures[0].cells.contains("saturation"), "{}", judgement.figures[0].cells);
}

#[test]
fn c3_shows_what_becomes_of_each_modes_rate_where_there_is_no_ipvs() {
    use BackendKind::{IptablesLegacy, Nftables};
    let carried = |backend, rates| connections(backend, rates, 0.01);
    let run = connected(&[carried(IptablesLegacy, [9e3, 8e3, 4e3]), carried(Nftables, [9e3; 3])]);
    let words = [
        "connections of both",
        "not compared with IPVS: at N = 10,000 iptables-legacy carries 0.4444 [0.4",
        "] of its rate at N = 1 (connections, 16 at a time), at N = 10,000 nftables carries 1",
    ];
    let judgement = expect(&run, "C3", "not measured", &words);
    let shown = |what: &str| {
        let figure = judgement.figures.iter().find(|figure| figure.what == what);
        figure.unwrap_or_else(|| panic!("{what}: {:?}", judgement.figures)).interval.expect("there is an interval")
    };
    let [low, high] = shown("rate of iptables-legacy over that at N = 1, at N = 10,000");
    assert!(0.4 < low && high < 0.5, "{low} {high}");
    let [low, high] = shown("rate of nftables over that at N = 1, at N = 10,000");
    assert!(low < 1.0 && 1.0 < high, "{low} {high}");
}
