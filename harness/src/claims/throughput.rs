//! C3: IPVS carries more packets a second than iptables, at saturation.

use std::collections::BTreeMap;

use curve_stats::ratio;

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{IPTABLES, Leg, combine, sizes};
use crate::result::{BackendKind, Flow, Position, RunFile, ThroughputRecord, name};

/// Packets a second of the trials at each N.
type Rates = BTreeMap<u32, Vec<f64>>;

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let here = |trial: &&ThroughputRecord| (trial.cell.venue, &trial.cell.kernel) == (scope.venue, &scope.kernel);
    let mut trials: Vec<_> = run.throughput.iter().filter(here).collect();
    // Rates of other protocols, M or layouts are not to be mixed: those that IPVS was measured with first are compared.
    let traffic = |trial: &ThroughputRecord| (trial.cell.layout, trial.cell.protocol, trial.cell.endpoints);
    let ipvs_first =
        trials.iter().filter(|trial| trial.cell.backend == BackendKind::Ipvs).map(|trial| traffic(trial)).min();
    trials.retain(|trial| ipvs_first.is_none_or(|first| traffic(trial) == first));
    if trials.is_empty() {
        return None;
    }
    let ipvs = rates(&trials, BackendKind::Ipvs, Position::First);
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for backend in IPTABLES {
        let iptables = rates(&trials, backend, Position::Last);
        let compared: Vec<_> = iptables.iter().filter_map(|(n, own)| Some((*n, own, ipvs.get(n)?))).collect();
        if compared.is_empty() {
            continue;
        }
        let found: Vec<_> = compared.iter().filter_map(|(n, own, other)| figure(backend, *n, own, other)).collect();
        legs.push(leg(backend, &found));
        figures.extend(found.into_iter().map(|(_, figure)| figure));
    }
    if legs.is_empty() {
        let reason = "the run has no saturation trials of both iptables and IPVS on this kernel".to_owned();
        legs.push(Leg { verdict: Verdict::NotMeasured { reason }, reason: String::new() });
    }
    let (verdict, reason) = combine(legs);
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// Rates at the backend's worst position, of new flows where both kinds were measured.
fn rates(trials: &[&ThroughputRecord], backend: BackendKind, position: Position) -> Rates {
    let wanted = |trial: &&&ThroughputRecord| (trial.cell.backend, trial.cell.position) == (backend, position);
    let of = |flow: Flow| trials.iter().filter(wanted).filter(move |trial| trial.cell.flow == flow);
    let flow = if of(Flow::New).next().is_some() { Flow::New } else { Flow::Established };
    let mut rates = Rates::new();
    for trial in of(flow) {
        rates.entry(trial.cell.services).or_default().push(trial.forwarded_pps);
    }
    rates
}

fn figure(backend: BackendKind, services: u32, own: &[f64], ipvs: &[f64]) -> Option<(u32, Figure)> {
    let estimate = ratio(own, ipvs).ok()?;
    let figure = Figure {
        what: format!("IPVS's rate over that of {} at N = {}", name(&backend), sizes(services)),
        value: Some(estimate.ratio),
        interval: Some([estimate.spread.low(), estimate.spread.high()]),
        unit: "times".to_owned(),
        note: None,
        cells: format!(
            "saturation, {} at last ({} trials), ipvs at first ({} trials)",
            name(&backend),
            own.len(),
            ipvs.len()
        ),
    };
    Some((services, figure))
}

/// Higher at every N holds; at the smaller ones only, up to there; else it does not.
fn leg(backend: BackendKind, found: &[(u32, Figure)]) -> Leg {
    let higher = |figure: &Figure| figure.interval.is_some_and(|[low, _]| low > 1.0);
    let upto = found.iter().take_while(|(_, figure)| higher(figure)).last().map(|(n, _)| *n);
    let from = found.iter().rev().take_while(|(_, figure)| higher(figure)).last().map(|(n, _)| *n);
    let backend = name(&backend);
    let (verdict, how) = match (found.first(), found.last(), upto, from) {
        (None, ..) => {
            let reason = format!("the rates of {backend} and IPVS cannot be compared");
            return Leg { verdict: Verdict::NotMeasured { reason: reason.clone() }, reason };
        }
        (_, Some((last, _)), Some(upto), _) if upto == *last => (Verdict::Holds, "at every N".to_owned()),
        (.., Some(services), _) => (Verdict::HoldsUpTo { services }, format!("up to N = {} only", sizes(services))),
        (.., None, Some(from)) => (Verdict::DoesNotHold, format!("from N = {} on, and not below", sizes(from))),
        (.., None, None) => (Verdict::DoesNotHold, "at no N for certain".to_owned()),
    };
    Leg { verdict, reason: format!("IPVS carries more than {backend}: {how}") }
}
