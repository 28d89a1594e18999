//! C7 and C8: what answers a ping of a ClusterIP, and where an Ingress's connections go.

use lbcurve::result::{
    Arrivals, Attempt, BackendKind, Destination, ReachabilityRecord, Recorded, RunFile, assemble_records,
};

use super::{CANNOT_TELL, expect, synthetic};

/// A run of these experiments alone.
fn reached(records: &[ReachabilityRecord]) -> RunFile {
    let recorded = Recorded { reachability: records, ..Recorded::default() };
    assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("nothing to compute")
}

#[test]
fn c7_is_judged_with_and_without_the_filter() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let both = [synthetic::experiments::reachability(IptablesLegacy), synthetic::experiments::reachability(Ipvs)];
    let words = [
        "iptables-legacy, rules as 1.36: from client 0 of 5, from node 0 of 5",
        "ipvs, rules without the filter: from client 5 of 5",
    ];
    let judgement = expect(&reached(&both), "C7", "holds (", &words);
    let refused =
        judgement.figures.iter().find(|figure| figure.what.starts_with("answers from ipvs to client, rules as 1.36"));
    let refused = refused.expect("it is shown").to_string();
    assert!(
        refused.contains("0 of 5 pings, 5 ICMP 3/3 (port unreachable); went no further than the node"),
        "{refused}"
    );
    expect(
        &reached(&both[..1]),
        "C7",
        "not measured",
        &["no ClusterIP of IPVS was pinged here", "iptables-legacy, rules as 1.36"],
    );
    expect(&reached(&both[1..]), "C7", "not measured", &["no ClusterIP of iptables was pinged here"]);
    // One answer is one too many.
    let mut answered = both.clone();
    pings(&mut answered[0]).for_each(|attempt| attempt.answered = 1);
    expect(&reached(&answered), "C7", "does not hold", &["from client 1 of 5"]);
    let mut silent = both.clone();
    pings(&mut silent[1]).for_each(|attempt| attempt.answered = 0);
    expect(&reached(&silent), "C7", "does not hold", &["ipvs, rules without the filter: from client 0 of 5"]);
}

fn pings(record: &mut ReachabilityRecord) -> impl Iterator<Item = &mut Attempt> {
    record.attempts.iter_mut().filter(|attempt| attempt.asked.to == Destination::ClusterIp)
}

#[test]
fn c8_is_judged_by_where_the_ingresss_connections_went() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let both = [synthetic::experiments::reachability(IptablesLegacy), synthetic::experiments::reachability(Ipvs)];
    let words = [
        "ipvs, rules as 1.36: from client 0 of 5, from node 0 of 5",
        "iptables-legacy, rules as 1.36: from client 5 of 5",
    ];
    let judgement = expect(&reached(&both), "C8", "holds (", &words);
    assert_eq!(judgement.figures.len(), 16, "two ports, two origins, two sets of rules, two backends");
    expect(&reached(&both[1..]), "C8", "holds (", &["only IPVS is judged"]);
    expect(&reached(&both[..1]), "C8", "not measured", &["no address was bound on kube-ipvs0 here"]);
    let shared = |attempt: &&mut Attempt| attempt.asked.to == Destination::Ingress && attempt.asked.exposed;
    let with = |index: usize, arrived: u64, left: u64| {
        let mut records = both.clone();
        for attempt in records[index].attempts.iter_mut().filter(shared) {
            (attempt.arrived, attempt.left) = (Arrivals { outside: arrived, ..Arrivals::default() }, left);
        }
        reached(&records)
    };
    expect(&with(1, 5, 30), "C8", "does not hold", &["ipvs, rules as 1.36: from client 5 of 5"]);
    expect(&with(0, 0, 0), "C8", "does not hold", &["iptables-legacy, rules as 1.36: from client 0 of 5"]);
    expect(&with(1, 2, 12), "C8", CANNOT_TELL, &["only some reached the load balancer"]);
}

#[test]
fn an_experiment_whose_control_failed_decides_nothing() {
    let mut records = [
        synthetic::experiments::reachability(BackendKind::IptablesLegacy),
        synthetic::experiments::reachability(BackendKind::Ipvs),
    ];
    let control = records[1].attempts.iter_mut().find(|attempt| attempt.asked.to == Destination::Pod);
    control.expect("there is one").answered = 4;
    let run = reached(&records);
    let [warning] = &run.warnings[..] else { panic!("{:?}", run.warnings) };
    assert!(
        warning.to_string().contains("ipvs")
            && warning.to_string().contains("4 of 5 answers, ping of a pod from client"),
        "{warning}"
    );
    for claim in ["C7", "C8"] {
        expect(&run, claim, CANNOT_TELL, &["the control failed"]);
    }
}
