//! C6: iptables draws at random and does nothing else; IPVS has schedulers, and each does what its name says.

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{IPTABLES, Leg, combine};
use crate::result::{BackendKind, FairnessSummary, LEVEL_OF_TESTS, Promise, RunFile, Spreading, name};

/// What the claim names of IPVS: round robin, shortest expected delay, least connections, hashes.
const NAMED: [Spreading; 5] = [Spreading::Rr, Spreading::Sed, Spreading::Lc, Spreading::Sh, Spreading::Dh];

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let here = |summary: &&FairnessSummary| (summary.cell.venue, &summary.cell.kernel) == (scope.venue, &scope.kernel);
    let found: Vec<_> = run.fairness.iter().filter(here).collect();
    if found.is_empty() {
        return None;
    }
    let of = |wanted: &dyn Fn(BackendKind) -> bool| {
        found.iter().copied().filter(|summary| wanted(summary.cell.backend)).collect::<Vec<_>>()
    };
    let tests = found.iter().map(|summary| summary.spread.tests(summary.spreading)).sum::<usize>();
    let level = LEVEL_OF_TESTS / tests.max(1) as f64;
    let legs = vec![
        iptables(&of(&|backend| IPTABLES.contains(&backend)), level),
        ipvs(&of(&|backend| backend == BackendKind::Ipvs), level),
    ];
    let (verdict, reason) = combine(legs);
    let figures = found.iter().map(|summary| figure(summary)).collect();
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn iptables(found: &[&FairnessSummary], level: f64) -> Leg {
    leg("iptables", "draws each endpoint at random", found, level, "--backends iptables-legacy")
}

fn ipvs(found: &[&FairnessSummary], level: f64) -> Leg {
    let missing: Vec<_> = NAMED.iter().filter(|way| !found.iter().any(|summary| summary.spreading == **way)).collect();
    if !found.is_empty() && !missing.is_empty() {
        let names = missing.iter().map(|way| way.name()).collect::<Vec<_>>().join(", ");
        return Leg { verdict: Verdict::DoesNotHold, reason: format!("IPVS lacks {names} on this kernel") };
    }
    leg(
        "IPVS",
        "does what each scheduler promises",
        found,
        level,
        "--backends ipvs, in the vm where this kernel has none",
    )
}

/// A promise is broken where a flow went against it, or where a test says so at a level that is shared among all tests of the place: of as
/// many at one per cent each one would say so by chance.
fn leg(who: &str, does: &str, found: &[&FairnessSummary], level: f64, remedy: &str) -> Leg {
    if found.is_empty() {
        let reason = format!("the run does not hold {who} to its promises here: {remedy}");
        return Leg::not_measured(reason);
    }
    let is_kept = |summary: &FairnessSummary| summary.spread.is_kept_at(summary.spreading, level);
    let broken: Vec<_> = found.iter().filter(|summary| !is_kept(summary)).collect();
    let mut ways: Vec<_> = found.iter().map(|summary| summary.spreading.name()).collect();
    ways.dedup();
    if broken.is_empty() {
        return Leg { verdict: Verdict::Holds, reason: format!("{who} {does} ({})", ways.join(", ")) };
    }
    let named = |summary: &&&FairnessSummary| {
        format!("{} of {} ({})", summary.spreading, name(&summary.cell.backend), summary.change)
    };
    let names = broken.iter().map(named).collect::<Vec<_>>().join(", ");
    Leg { verdict: Verdict::DoesNotHold, reason: format!("{who} does not keep the promise of {names}") }
}

fn figure(summary: &FairnessSummary) -> Figure {
    let FairnessSummary { cell, spreading, change, spread, .. } = summary;
    let (backend, protocol) = (name(&cell.backend), name(&cell.protocol));
    let p = spread.least_p(*spreading).map(|p| format!(", p {p:.2e}")).unwrap_or_default();
    let moved = summary.new.share().unwrap_or(0.0) * 100.0;
    let existing = summary.existing.kept as f64 / summary.existing.all().max(1) as f64 * 100.0;
    Figure {
        what: format!("Jain's index of {backend} by {spreading}"),
        value: spread.jain,
        interval: None,
        unit: String::new(),
        note: Some(format!(
            "{}{p}; {} violations; endpoint {}: {existing:.1}% of connections kept, {moved:.1}% of new flows choose otherwise \
             (least {:.1}%); promise: {}",
            if spread.kept { "kept" } else { "not kept" },
            spread.violations,
            change.in_words(),
            summary.new.least_share * 100.0,
            Promise::of(cell.backend, *spreading).words,
        )),
        cells: format!("{backend}, {protocol}, N = {}, M = {}, {} flows", cell.services, cell.endpoints, summary.flows),
    }
}
