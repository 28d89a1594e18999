//! C3: IPVS carries more packets a second than iptables: by searched rates where there are any, else at saturation, else by connections,
//! and by established flows where nothing else was measured in both.

use curve_stats::{holm, mann_whitney, ratio, smallest_mann_whitney};

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::rates::Source;
use super::view::{ALPHA, IPTABLES, Leg, combine, interval, noted, sizes};
use crate::report::number::{Medium, significant};
use crate::result::{BackendKind, RunFile, name};

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let sources = Source::all(run, scope);
    if sources.is_empty() {
        return None;
    }
    // The first source that has both decides: rates of two sources are of different things.
    let judged = sources.iter().map(|source| (source, judged_by(source))).find(|(_, (legs, _))| !legs.is_empty());
    let ((verdict, reason), mut figures) = match judged {
        Some((source, (legs, figures))) => (of_source(source, combine(legs)), figures),
        None => ((Verdict::NotMeasured { reason: without_ipvs(&sources) }, String::new()), Vec::new()),
    };
    let modes = IPTABLES.into_iter().chain([BackendKind::Nftables, BackendKind::Ipvs]);
    figures.extend(modes.flat_map(|backend| over_services(&sources, backend)));
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// A verdict by established flows says so.
fn of_source(source: &Source<'_>, (verdict, reason): (Verdict, String)) -> (Verdict, String) {
    if !source.is_established() {
        return (verdict, reason);
    }
    (verdict, noted(reason, "by established flows alone, which iptables looks nothing up for"))
}

/// What is missing, and what services leave of the rate of each mode that IPVS would be held to.
fn without_ipvs(sources: &[Source<'_>]) -> String {
    let missing = "the run has no regular searched rates, no saturation trials and no connections of both iptables \
                   and IPVS with one kind of flow and one N on this kernel";
    let modes = IPTABLES.into_iter().chain([BackendKind::Nftables]);
    let carried = modes.filter_map(|backend| sources.iter().find_map(|source| carried(source, backend)));
    let carried: Vec<_> = carried.collect();
    if carried.is_empty() {
        return missing.to_owned();
    }
    format!("{missing}; not compared with IPVS: {}", carried.join(", "))
}

/// E.g. `at N = 1,000 nftables carries 0.99 [0.98, 1.01] of its rate at N = 1 (saturation, new flows)`.
fn carried(source: &Source<'_>, backend: BackendKind) -> Option<String> {
    let Fall { from, to, figure } = falls(source, backend).pop()?;
    Some(format!(
        "at N = {} {} carries {} {} of its rate at N = {} ({})",
        sizes(to),
        name(&backend),
        significant(figure.value?, 4, Medium::Terminal),
        interval(&figure, 4),
        sizes(from),
        source.name()
    ))
}

/// What becomes of a mode's rate as services come: by the strictest source at every N, and by each of the others at its largest. Shown, and
/// decides nothing: the claim is of one mode beside the other.
fn over_services(sources: &[Source<'_>], backend: BackendKind) -> Vec<Figure> {
    let mut of_sources = sources.iter().map(|source| falls(source, backend)).filter(|falls| !falls.is_empty());
    let mut shown = of_sources.next().unwrap_or_default();
    shown.extend(of_sources.filter_map(|mut falls| falls.pop()));
    shown.into_iter().map(|fall| fall.figure).collect()
}

/// A mode's rate at one N over that at the smallest.
struct Fall {
    from: u32,
    to: u32,
    figure: Figure,
}

/// At every N but the smallest, ascending.
fn falls(source: &Source<'_>, backend: BackendKind) -> Vec<Fall> {
    let rates = source.rates(backend);
    let mut rates = rates.iter();
    let Some((&from, first)) = rates.next() else { return Vec::new() };
    let position = name(&source.position(backend));
    let fall = |(&to, larger): (&u32, &Vec<f64>)| {
        let estimate = ratio(first, larger).ok()?;
        let figure = Figure {
            what: format!("rate of {} over that at N = {}, at N = {}", name(&backend), sizes(from), sizes(to)),
            value: Some(estimate.ratio),
            interval: Some([estimate.spread.low(), estimate.spread.high()]),
            unit: "times".to_owned(),
            note: without_irregular(source.left_out(backend, from) + source.left_out(backend, to)),
            cells: format!(
                "{}, {} at {position} ({} and {} trials)",
                source.name(),
                name(&backend),
                first.len(),
                larger.len()
            ),
        };
        Some(Fall { from, to, figure })
    };
    rates.filter_map(fall).collect()
}

/// How many searches the rates of a figure do without.
fn without_irregular(searches: u32) -> Option<String> {
    (searches > 0).then(|| format!("irregular searches left out: {searches}"))
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
    let is_few = smallest_mann_whitney(own.len(), ipvs.len()) > ALPHA;
    let left_out = source.left_out(backend, services) + source.left_out(BackendKind::Ipvs, services);
    let notes = is_few.then(|| "too few trials to tell".to_owned()).into_iter().chain(without_irregular(left_out));
    let notes: Vec<_> = notes.collect();
    let figure = Figure {
        what: format!("IPVS's rate over that of {} at N = {}", name(&backend), sizes(services)),
        value: Some(estimate.ratio),
        interval: Some([estimate.spread.low(), estimate.spread.high()]),
        unit: "times".to_owned(),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
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
    Some((Found { services, figure, is_few, rate: Rate::Either }, mann_whitney(own, ipvs).ok()?))
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
    is_few: bool,
    rate: Rate,
}

/// Higher by the interval: that all N are is claimed, and no N can be higher by chance alone for it. Lower by the p of all N together (Holm),
/// since one N is enough for it.
fn judged(found: Vec<(Found, f64)>) -> Vec<Found> {
    let (mut found, p): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let adjusted = holm(&p).unwrap_or_default();
    for (found, p) in found.iter_mut().zip(adjusted) {
        found.rate = match found.figure.interval {
            _ if found.is_few => Rate::Either,
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
            (Some(Verdict::HoldsUpTo { services }), format!("up to N = {} only", sizes(services)))
        }
        (Some(lower), _, None) => {
            (Some(Verdict::DoesNotHold), format!("less at N = {}", sizes(lower.services)) + &higher_from(found))
        }
        (None, Some(Found { services, figure, .. }), _) => {
            let times = format!("{} times at N = {}", interval(figure, 4), sizes(*services));
            (None, format!("undetermined, {times}") + &higher_from(found))
        }
        (None, None, Some(_)) => (Some(Verdict::Holds), "at every N".to_owned()),
        (None, None, None) => {
            let reason =
                format!("the rates of {backend} and IPVS cannot be compared: too few trials or none forwarded");
            return Leg::not_measured(reason);
        }
    };
    Leg::new(&format!("IPVS carries more than {backend}"), verdict, &how)
}

fn higher_from(found: &[Found]) -> String {
    let from = found.iter().rev().take_while(|found| found.rate == Rate::Higher).last();
    from.map_or_else(String::new, |found| format!("; more from N = {} on", sizes(found.services)))
}
