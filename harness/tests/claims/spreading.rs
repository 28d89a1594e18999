//! C6: how iptables and IPVS spread flows.

use lbcurve::claims::{Judgement, judge};
use lbcurve::result::{BackendKind, EndpointChange, FairnessRecord, Reached, Recorded, Spreading, assemble_records};

use super::synthetic::experiments::fairness;
use super::{expect, synthetic};

/// The verdict on C6 of the synthetic run with these records beside its trials.
fn c6(records: &[FairnessRecord]) -> String {
    let trials = synthetic::trials();
    let recorded = Recorded { trials: &trials, fairness: records, ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&trials), recorded, &[]).expect("flows are counted");
    let (venue, kernel) =
        records.first().map(|record| (record.cell.venue, record.cell.kernel.clone())).expect("there is one");
    let is_here = |judgement: &Judgement| {
        judgement.claim.id == "C6"
            && judgement.scope.as_ref().is_some_and(|scope| (scope.venue, &scope.kernel) == (venue, &kernel))
    };
    let judgement = judge(&run).into_iter().find(is_here).expect("it is judged");
    assert_eq!(judgement.figures.len(), records.len());
    format!("{}; {}", judgement.verdict, judgement.reason)
}

/// Flows that keep the promise of each scheduler that the claim names.
fn ipvs() -> Vec<FairnessRecord> {
    let kept = |spreading| {
        let turns = if matches!(spreading, Spreading::Sh | Spreading::Dh) { [1; 6] } else { [0, 1, 0, 1, 0, 1] };
        let after: Vec<_> = turns.iter().map(|at| Reached::Endpoint(*at)).collect();
        fairness(spreading, EndpointChange::Added, &turns, &after)
    };
    [Spreading::Rr, Spreading::Lc, Spreading::Sed, Spreading::Sh, Spreading::Dh].map(kept).to_vec()
}

fn iptables(flows: &[u32]) -> FairnessRecord {
    let after: Vec<_> = flows.iter().map(|at| Reached::Endpoint(*at)).collect();
    let mut record = fairness(Spreading::Random, EndpointChange::Added, flows, &after);
    record.cell.backend = BackendKind::IptablesLegacy;
    record
}

#[test]
fn c6_holds_where_iptables_draws_and_every_scheduler_keeps_its_promise() {
    // The first 16 binary digits of pi's fraction.
    let drawn = iptables(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    let holds = c6(&[ipvs(), vec![drawn.clone()]].concat());
    assert!(holds.starts_with("holds; iptables draws each endpoint at random (random); IPVS does"), "{holds}");
    let in_turn: Vec<_> = (0..200).map(|flow| flow % 2).collect();
    let turns = c6(&[ipvs(), vec![iptables(&in_turn)]].concat());
    assert!(turns.starts_with("does not hold") && turns.contains("random of iptables-legacy (added)"), "{turns}");
    let half = c6(&ipvs());
    assert!(half.starts_with("not measured") && half.contains("--backends iptables-legacy"), "{half}");
    let without_sed = ipvs().into_iter().filter(|record| record.spreading != Spreading::Sed).collect::<Vec<_>>();
    let lacks = c6(&[without_sed, vec![drawn]].concat());
    assert!(lacks.contains("IPVS lacks sed"), "{lacks}");
}

#[test]
fn c6_is_judged_where_nothing_but_fairness_was_measured() {
    let record = iptables(&[0, 1]);
    let recorded = Recorded { fairness: &[record], ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("the flows are whole");
    let words = ["iptables draws each endpoint at random", "does not hold IPVS to its promises here"];
    assert!(expect(&run, "C6", "not measured", &words).scope.is_some());
}
