//! C4: up to which N iptables suits. It stops to where what it adds to a new flow passes what IPVS adds; beside that, where it passes a
//! tenth and the whole of what the node takes without load balancing.

use curve_stats::{Crossover, threshold};

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{IPTABLES, Leg, cells, combine, find, lookups, noted, observations, sizes, traffic};
use crate::result::{BackendKind, Curve, Metric, Position, RunFile, Unit, name, noise_floor};
use crate::workload::VipLayout;

/// The page's bound, and that of its later texts.
const CLAIMED: [u32; 2] = [1_000, 3_000];

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let (added, whole) = (lookups(run, scope, Metric::Added), lookups(run, scope, Metric::Traversal));
    let curves = IPTABLES.iter().filter_map(|&backend| find(&added, backend, VipLayout::Sequential, Position::Last));
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for curve in curves {
        let (leg, found) = suits(run, curve, &added, &whole, scope);
        legs.push(leg);
        figures.extend(found);
    }
    if legs.is_empty() {
        return None;
    }
    let (verdict, reason) = combine(legs);
    let reason = match scope.unit {
        Unit::Ns => reason,
        Unit::Instructions => {
            noted(reason, "instructions are no delay: caches, which large tables miss, are not in them")
        }
        Unit::Steps => noted(reason, "steps are no delay: a rule and a hash probe count alike, whatever they take"),
    };
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

/// What was found, and the range of N that both curves share.
struct Found {
    crossing: Result<Crossover, String>,
    range: [u32; 2],
}

fn suits(run: &RunFile, curve: &Curve, added: &[&Curve], whole: &[&Curve], scope: &Scope) -> (Leg, Vec<Figure>) {
    let alike = |other: &&&Curve| traffic(&other.key) == traffic(&curve.key);
    let plain = whole.iter().filter(alike).find(|c| c.key.axes.backend == BackendKind::DirectConntrack).copied();
    let of_ipvs = |c: &&&Curve| {
        let key = &c.key;
        (key.axes.backend, key.axes.position, key.axes.layout)
            == (BackendKind::Ipvs, Position::First, VipLayout::Sequential)
    };
    let ipvs = added.iter().filter(alike).find(of_ipvs).copied();
    let find = |other: &Curve, factor: f64| {
        let crossing = observations(run, curve).and_then(|own| {
            let other = observations(run, other)?;
            threshold(&own, &other, factor, noise_floor(scope.unit)).map_err(|error| error.to_string())
        });
        Found { crossing, range: shared(curve, other) }
    };
    let backend = name(&curve.key.axes.backend);
    let (mut figures, mut against_plain, mut against_ipvs) = (Vec::new(), None, None);
    if let Some(plain) = plain {
        for (factor, share) in [(0.1, "10%"), (1.0, "100%")] {
            let found = find(plain, factor);
            let what = format!("N at which {backend} adds {share} of plain routing with conntrack");
            figures.push(figure(what, &found, curve, plain));
            against_plain = Some(found);
        }
    }
    if let Some(ipvs) = ipvs {
        let found = find(ipvs, 1.0);
        figures.push(figure(format!("N at which {backend} adds more than IPVS"), &found, curve, ipvs));
        against_ipvs = Some(found);
    }
    let (found, criterion) = match (against_ipvs, against_plain) {
        (Some(found), _) => (Some(found), "adds more than IPVS"),
        (None, found) => (found, "adds as much as plain routing takes (IPVS was not measured here)"),
    };
    (leg(curve, found, criterion), figures)
}

/// The range of N that two curves share.
fn shared(a: &Curve, b: &Curve) -> [u32; 2] {
    let ends = |curve: &Curve| {
        let sizes = || curve.points.iter().map(|point| point.services);
        [sizes().min().unwrap_or(0), sizes().max().unwrap_or(0)]
    };
    let ([a_low, a_high], [b_low, b_high]) = (ends(a), ends(b));
    [a_low.max(b_low), a_high.min(b_high)]
}

fn leg(curve: &Curve, found: Option<Found>, criterion: &str) -> Leg {
    let backend = name(&curve.key.axes.backend);
    let (verdict, how) = match found {
        None => not_measured("neither IPVS nor direct-conntrack was measured beside it".to_owned()),
        Some(Found { crossing: Err(reason), .. }) => not_measured(reason),
        Some(Found { crossing: Ok(crossing), range }) => {
            let measured: Vec<_> = curve.points.iter().map(|point| point.services).collect();
            against_claim(crossing, range, &measured)
        }
    };
    Leg::new(&format!("{backend} {criterion}"), verdict, &how)
}

/// Held against both bounds that were claimed. A verdict is what all of the interval says: that the crossing lies between them, below, or
/// above; none where it says neither.
fn against_claim(crossing: Crossover, range: [u32; 2], measured: &[u32]) -> (Option<Verdict>, String) {
    let [from, to] = CLAIMED.map(f64::from);
    let [smallest, largest] = range;
    let decided = |verdict, how| (Some(verdict), how);
    match crossing {
        Crossover::Undetermined { reason } => (None, reason.to_string()),
        Crossover::Always { certain_from: Some(certain) } if certain < from => {
            let already = format!("already at N = {}, the smallest measured", sizes(smallest));
            let later = format!("for certain from N = {} on", whole(certain));
            decided(Verdict::DoesNotHold, if certain <= f64::from(smallest) { already } else { later })
        }
        Crossover::Always { certain_from } => {
            (None, format!("below N = {} or from there on, in [open, {}]", sizes(smallest), end(certain_from)))
        }
        Crossover::Never { .. } if largest < CLAIMED[1] => {
            not_measured(format!("not up to N = {}, the largest measured; the claim is about more", sizes(largest)))
        }
        Crossover::Never { possible_from } if possible_from.is_none_or(|possible| possible > to) => {
            decided(Verdict::DoesNotHold, format!("not even at N = {}, the largest measured", sizes(largest)))
        }
        Crossover::Never { possible_from } => {
            (None, format!("at N = {} at the earliest, in [{}, open]", end(possible_from), end(possible_from)))
        }
        Crossover::At { services, low, high } => {
            let how = format!("from N = {} on [{}, {}]", whole(services), end(low), end(high));
            match (low, high) {
                (_, Some(high)) if high < from => decided(up_to(measured, low), how),
                (Some(low), _) if low > to => decided(Verdict::DoesNotHold, how),
                (Some(low), Some(high)) if low >= from && high <= to => decided(Verdict::Holds, how),
                _ => (None, how),
            }
        }
    }
}

/// It suits at every measured N below the crossing for certain.
fn up_to(measured: &[u32], low: Option<f64>) -> Verdict {
    let below = |low: f64| measured.iter().copied().rfind(|n| f64::from(*n) <= low);
    low.and_then(below).map_or(Verdict::DoesNotHold, |services| Verdict::HoldsUpTo { services })
}

/// The end of an interval, which may lie outside of what was measured.
fn end(end: Option<f64>) -> String {
    end.map_or_else(|| "open".to_owned(), whole)
}

fn not_measured(reason: String) -> (Option<Verdict>, String) {
    (Some(Verdict::NotMeasured { reason: reason.clone() }), reason)
}

fn whole(services: f64) -> String {
    sizes(services.round() as u32)
}

fn figure(what: String, found: &Found, curve: &Curve, other: &Curve) -> Figure {
    let cells = format!("{} against {}", cells(curve), self::cells(other));
    let figure = |value, interval, note: Option<String>| Figure {
        what: what.clone(),
        value,
        interval,
        unit: if value.is_some() { "services".to_owned() } else { String::new() },
        note,
        cells: cells.clone(),
    };
    match &found.crossing {
        Err(reason) => figure(None, None, Some(reason.clone())),
        Ok(Crossover::Undetermined { reason }) => figure(None, None, Some(reason.to_string())),
        Ok(Crossover::Always { certain_from }) => {
            let from = certain_from.filter(|certain| *certain > f64::from(found.range[0]));
            let note = match (certain_from, from) {
                (None, _) => "at every measured N, but not for certain at the largest".to_owned(),
                (_, Some(from)) => format!("at every measured N, for certain from N = {} on", whole(from)),
                _ => "at every measured N".to_owned(),
            };
            figure(None, None, Some(note))
        }
        Ok(Crossover::Never { possible_from }) => {
            let from = possible_from.map_or_else(String::new, |n| format!(", for certain only below N = {}", whole(n)));
            figure(None, None, Some("at no measured N".to_owned() + &from))
        }
        Ok(Crossover::At { services, low, high }) => {
            let open = low.is_none() || high.is_none();
            let note = open.then(|| format!("interval [{}, {}]", end(*low), end(*high)));
            figure(Some(*services), low.zip(*high).map(|(low, high)| [low, high]), note)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: [u32; 5] = [1, 10, 100, 1000, 10_000];

    fn verdict(crossing: Crossover) -> (String, String) {
        let (verdict, how) = against_claim(crossing, [1, 10_000], &MEASURED);
        (Leg::new("iptables-legacy adds more than IPVS", verdict, &how).verdict.to_string(), how)
    }

    fn at(services: f64, low: impl Into<Option<f64>>, high: impl Into<Option<f64>>) -> Crossover {
        Crossover::At { services, low: low.into(), high: high.into() }
    }

    #[track_caller]
    fn undecided(crossing: Crossover, interval: &str) {
        let (verdict, how) = verdict(crossing);
        assert!(
            verdict.starts_with("not measured: the trials cannot tell: ") && verdict.contains(interval),
            "{verdict}"
        );
        assert!(how.contains(interval), "{how}");
    }

    #[test]
    fn the_whole_interval_decides() {
        assert_eq!(verdict(at(1500.0, 1400.0, 1600.0)).0, "holds");
        assert_eq!(verdict(at(500.0, 400.0, 600.0)).0, "holds up to N = 100");
        assert_eq!(verdict(at(5.0, None, 600.0)).0, "does not hold");
        assert_eq!(verdict(at(5000.0, 4000.0, None)).0, "does not hold");
        undecided(at(1500.0, 1.0, 10_000.0), "[1, 10,000]");
        undecided(at(1500.0, None, None), "[open, open]");
        undecided(at(1500.0, 1400.0, None), "[1,400, open]");
        undecided(at(1500.0, None, 1600.0), "[open, 1,600]");
        undecided(at(1100.0, 950.0, 1200.0), "[950, 1,200]");
        undecided(at(2900.0, 2500.0, 3100.0), "[2,500, 3,100]");
    }

    #[test]
    fn always_and_never_decide_where_they_are_certain() {
        let always = |certain_from: Option<f64>| Crossover::Always { certain_from };
        assert_eq!(verdict(always(Some(1.0))).1, "already at N = 1, the smallest measured");
        assert_eq!(verdict(always(Some(30.0))).1, "for certain from N = 30 on");
        assert!([1.0, 30.0].iter().all(|&n| verdict(always(Some(n))).0 == "does not hold"));
        undecided(always(Some(4000.0)), "[open, 4,000]");
        undecided(always(None), "[open, open]");
        let never = |possible_from: Option<f64>| Crossover::Never { possible_from };
        assert!([None, Some(4000.0)].iter().all(|&n| verdict(never(n)).0 == "does not hold"));
        undecided(never(Some(500.0)), "[500, open]");
    }
}
