//! C3: IPVS carries more packets a second than iptables: by searched rates where there are any, else at saturation, else by connections.

use curve_stats::{holm, mann_whitney, ratio, smallest_mann_whitney};

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::rates::Source;
use super::view::{ALPHA, IPTABLES, Leg, combine, interval, sizes};
use crate::result::{BackendKind, RunFile, name};

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let sources = Source::all(run, scope);
    if sources.is_empty() {
        return None;
    }
    // The first source that has both decides: rates of two sources are of different things.
    let mut all = sources.iter().map(|source| (judged_by(source), Some(source)));
    let ((mut legs, mut figures), decided) = all.find(|((legs, _), _)| !legs.is_empty()).unwrap_or_default();
    if legs.is_empty() {
        let reason =
            "the run has neither searched rates, saturation trials nor connections of both iptables and IPVS on this kernel"
                .to_owned();
        legs.push(Leg { verdict: Verdict::NotMeasured { reason }, reason: String::new() });
    }
    let mut shown = decided.into_iter().chain(&sources).map(over_services);
    figures.extend(shown.find(|figures| !figures.is_empty()).unwrap_or_default());
    let (verdict, reason) = combine(legs);
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// What becomes of each mode's rate as services come. Shown, and decides nothing: the claim is of one mode beside the other.
fn over_services(source: &Source<'_>) -> Vec<Figure> {
    let modes = IPTABLES.into_iter().chain([BackendKind::Nftables, BackendKind::Ipvs]);
    modes.flat_map(|backend| over_services_of(source, backend)).collect()
}

fn over_services_of(source: &Source<'_>, backend: BackendKind) -> Vec<Figure> {
    let rates = source.rates(backend);
    let mut rates = rates.iter();
    let Some((smallest, first)) = rates.next() else { return Vec::new() };
    let position = name(&source.position(backend));
    let figure = |(services, larger): (&u32, &Vec<f64>)| {
        let estimate = ratio(first, larger).ok()?;
        Some(Figure {
            what: format!(
                "rate of {} over that at N = {}, at N = {}",
                name(&backend),
                sizes(*smallest),
                sizes(*services)
            ),
            value: Some(estimate.ratio),
            interval: Some([estimate.spread.low(), estimate.spread.high()]),
            unit: "times".to_owned(),
            note: None,
            cells: format!(
                "{}, {} at {position} ({} and {} trials)",
                source.name(),
                name(&backend),
                first.len(),
                larger.len()
            ),
        })
    };
    rates.filter_map(figure).collect()
}

/// A leg for each iptables mode that was measured at an N of IPVS.
fn judged_by(source: &Source<'_>) -> (Vec<Leg>, Vec<Figure>) {
    let ipvs = source.rates(BackendKind::Ipvs);
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for backend in IPTABLES {
        let iptables = source.rates(backend);
        let compared: Vec<_> = iptables.iter().filter_map(|(n, own)| Some((*n, own, ipvs.get(n)?))).collect();
        if compared.is_empty() {
            continue;
        }
        let of_one_n = |(n, own, other): &(u32, &Vec<f64>, &Vec<f64>)| figure(source, backend, *n, own, other);
        let found = judged(compared.iter().filter_map(of_one_n).collect());
        legs.push(leg(backend, &found));
        figures.extend(found.into_iter().map(|found| found.figure));
    }
    (legs, figures)
}

fn figure(source: &Source<'_>, backend: BackendKind, services: u32, own: &[f64], ipvs: &[f64]) -> Option<(Found, f64)> {
    let estimate = ratio(own, ipvs).ok()?;
    // So few trials lie apart by chance: their range is shown, and decides nothing.
    let too_few = smallest_mann_whitney(own.len(), ipvs.len()) > ALPHA;
    let figure = Figure {
        what: format!("IPVS's rate over that of {} at N = {}", name(&backend), sizes(services)),
        value: Some(estimate.ratio),
        interval: Some([estimate.spread.low(), estimate.spread.high()]),
        unit: "times".to_owned(),
        note: too_few.then(|| "too few trials to tell".to_owned()),
        cells: format!(
            "{}, {} at {} ({} trials), ipvs at {} ({} trials)",
            source.name(),
            name(&backend),
            name(&source.position(backend)),
            own.len(),
            name(&source.position(BackendKind::Ipvs)),
            ipvs.len()
        ),
    };
    Some((Found { services, figure, rate: Rate::Either }, mann_whitney(own, ipvs).ok()?))
}

/// Whether IPVS carries more at one N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    Higher,
    Lower,
    /// The interval holds 1, or the trials are too few.
    Either,
}

/// One N.
struct Found {
    services: u32,
    figure: Figure,
    rate: Rate,
}

/// Higher by the interval: that all N are is claimed, and no N can be higher by chance alone for it. Lower by the p of all N together (Holm),
/// since one N is enough for it.
fn judged(found: Vec<(Found, f64)>) -> Vec<Found> {
    let (mut found, p): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let adjusted = holm(&p).unwrap_or_default();
    for (found, p) in found.iter_mut().zip(adjusted) {
        found.rate = match found.figure.interval {
            _ if found.figure.note.is_some() => Rate::Either,
            Some([low, _]) if low > 1.0 => Rate::Higher,
            Some([_, high]) if high < 1.0 && p <= ALPHA => Rate::Lower,
            _ => Rate::Either,
        };
    }
    found
}

/// Higher at every N holds; higher at the smaller ones and lower at a larger one, up to there; lower at one without such a start does not.
/// While no N is lower, one N that is not told keeps the verdict open.
fn leg(backend: BackendKind, found: &[Found]) -> Leg {
    let at = |wanted: Rate| found.iter().find(|found| found.rate == wanted);
    let upto = found.iter().take_while(|found| found.rate == Rate::Higher).last().map(|found| found.services);
    let backend = name(&backend);
    let (verdict, how) = match (at(Rate::Lower), at(Rate::Either), upto) {
        (Some(_), _, Some(services)) => {
            (Verdict::HoldsUpTo { services }, format!("up to N = {} only", sizes(services)))
        }
        (Some(lower), _, None) => {
            (Verdict::DoesNotHold, format!("less at N = {}", sizes(lower.services)) + &higher_from(found))
        }
        (None, Some(Found { services, figure, .. }), _) => {
            let why = format!("{} at N = {}", interval(figure, 4), sizes(*services));
            let rates = format!("IPVS's rate over that of {backend} is {why}");
            (Verdict::cannot_tell(&rates), format!("undetermined, {why}") + &higher_from(found))
        }
        (None, None, Some(_)) => (Verdict::Holds, "at every N".to_owned()),
        (None, None, None) => {
            let reason =
                format!("the rates of {backend} and IPVS cannot be compared: too few trials or none forwarded");
            return Leg { verdict: Verdict::NotMeasured { reason: reason.clone() }, reason };
        }
    };
    Leg { verdict, reason: format!("IPVS carries more than {backend}: {how}") }
}

fn higher_from(found: &[Found]) -> String {
    let from = found.iter().rev().take_while(|found| found.rate == Rate::Higher).last();
    from.map_or_else(String::new, |found| format!("; more from N = {} on", sizes(found.services)))
}
