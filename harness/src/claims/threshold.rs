//! C4: up to which N iptables suits. It stops to where what it adds to a new flow passes what IPVS adds; beside that, where it passes a
//! tenth and the whole of what the node takes without load balancing.

use curve_stats::{Crossover, Observation, crossover, threshold};

use super::catalogue::Claim;
use super::judgement::{Figure, Judgement, Scope, Verdict};
use super::view::{IPTABLES, Leg, cells, combine, find, lookups, observations, sizes, traffic};
use crate::result::{BackendKind, Curve, Metric, Position, RunFile, Unit, name, noise_floor};
use crate::workload::VipLayout;

/// The page's bound, and that of its later texts.
const CLAIMED: [u32; 2] = [1_000, 3_000];

pub(super) fn judge(run: &RunFile, claim: &'static Claim, scope: &Scope) -> Option<Judgement> {
    let (added, whole) = (lookups(run, scope, Metric::Added), lookups(run, scope, Metric::Traversal));
    let curves = IPTABLES.iter().filter_map(|&backend| find(&added, backend, VipLayout::Sequential, Position::Last));
    let (mut legs, mut figures) = (Vec::new(), Vec::new());
    for curve in curves {
        let (leg, found) = suits(curve, &added, &whole, scope);
        legs.push(leg);
        figures.extend(found);
    }
    if legs.is_empty() {
        return None;
    }
    let (verdict, mut reason) = combine(legs);
    if scope.unit == Unit::Instructions {
        reason += "; instructions are no delay: caches, which large tables miss, are not in them";
    }
    Some(Judgement { figures, ..Judgement::new(claim, Some(scope.clone()), verdict, reason) })
}

fn suits(curve: &Curve, added: &[&Curve], whole: &[&Curve], scope: &Scope) -> (Leg, Vec<Figure>) {
    let alike = |other: &&&Curve| traffic(&other.key) == traffic(&curve.key);
    let plain = whole.iter().filter(alike).find(|c| c.key.backend == BackendKind::DirectConntrack).copied();
    let of_ipvs = |c: &&&Curve| {
        let key = &c.key;
        (key.backend, key.position, key.layout) == (BackendKind::Ipvs, Position::First, VipLayout::Sequential)
    };
    let ipvs = added.iter().filter(alike).find(of_ipvs).copied();
    let own = observations(curve);
    let (mut figures, mut half, mut against_ipvs) = (Vec::new(), None, None);
    if let Some(plain) = plain {
        for (factor, share) in [(0.1, "10%"), (1.0, "100%")] {
            let found = threshold(&own, &observations(plain), factor, noise_floor(scope.unit));
            let what = format!("N at which {} adds {share} of plain routing with conntrack", name(&curve.key.backend));
            half = found.as_ref().ok().copied();
            figures.push(figure(what, found, curve, plain));
        }
    }
    if let Some(ipvs) = ipvs {
        let found = crossover(&own, &observations(ipvs), noise_floor(scope.unit));
        let what = format!("N at which {} adds more than IPVS", name(&curve.key.backend));
        against_ipvs = found.as_ref().ok().copied();
        figures.push(figure(what, found, curve, ipvs));
    }
    let (found, criterion) = match (against_ipvs, half) {
        (Some(found), _) => (Some(found), "adds more than IPVS"),
        (None, found) => (found, "adds as much as plain routing takes (IPVS was not measured here)"),
    };
    (leg(curve, found, criterion, &own), figures)
}

fn leg(curve: &Curve, found: Option<Crossover>, criterion: &str, own: &[Observation]) -> Leg {
    let backend = name(&curve.key.backend);
    let sizes_of = || own.iter().map(|trial| trial.services);
    let (smallest, largest) = (sizes_of().min().unwrap_or(0), sizes_of().max().unwrap_or(0));
    let (verdict, how) = match found {
        None => not_measured("neither IPVS nor direct-conntrack was measured beside it".to_owned()),
        Some(Crossover::Undetermined { reason }) => not_measured(reason.to_string()),
        Some(Crossover::Always { .. }) => {
            (Verdict::DoesNotHold, format!("already at N = {}, the smallest measured", sizes(smallest)))
        }
        Some(Crossover::Never { .. }) if largest < CLAIMED[1] => {
            not_measured(format!("not up to N = {}, the largest measured; the claim is about more", sizes(largest)))
        }
        Some(Crossover::Never { .. }) => {
            (Verdict::DoesNotHold, format!("not even at N = {}, the largest measured", sizes(largest)))
        }
        Some(Crossover::At { services, low, high }) => {
            let (low, high) = (low.unwrap_or(f64::from(smallest)), high.unwrap_or(f64::from(largest)));
            (
                at(curve, services, low, high),
                format!("from N = {} on [{}, {}]", whole(services), whole(low), whole(high)),
            )
        }
    };
    Leg { verdict, reason: format!("{backend} {criterion}: {how}") }
}

/// Held against both bounds that were claimed: between them, or not told from one, the claim holds.
fn at(curve: &Curve, services: f64, low: f64, high: f64) -> Verdict {
    if high < f64::from(CLAIMED[0]) {
        let below = curve.points.iter().map(|point| point.services).rfind(|n| f64::from(*n) <= services);
        below.map_or(Verdict::DoesNotHold, |services| Verdict::HoldsUpTo { services })
    } else if low > f64::from(CLAIMED[1]) {
        Verdict::DoesNotHold
    } else {
        Verdict::Holds
    }
}

fn not_measured(reason: String) -> (Verdict, String) {
    (Verdict::NotMeasured { reason: reason.clone() }, reason)
}

fn whole(services: f64) -> String {
    sizes(services.round() as u32)
}

fn figure(what: String, found: Result<Crossover, curve_stats::StatsError>, curve: &Curve, other: &Curve) -> Figure {
    let cells = format!("{} against {}", cells(curve), self::cells(other));
    let figure = |value, interval, note: Option<String>| Figure {
        what: what.clone(),
        value,
        interval,
        unit: if value.is_some() { "services".to_owned() } else { String::new() },
        note,
        cells: cells.clone(),
    };
    match found {
        Err(error) => figure(None, None, Some(error.to_string())),
        Ok(Crossover::Undetermined { reason }) => figure(None, None, Some(reason.to_string())),
        Ok(Crossover::Always { .. }) => figure(None, None, Some("at every measured N".to_owned())),
        Ok(Crossover::Never { .. }) => figure(None, None, Some("at no measured N".to_owned())),
        Ok(Crossover::At { services, low, high }) => {
            let bound = |end: Option<f64>| end.map_or("open".to_owned(), whole);
            let open = low.is_none() || high.is_none();
            let note = open.then(|| format!("interval {} to {}", bound(low), bound(high)));
            figure(Some(services), low.zip(high).map(|(low, high)| [low, high]), note)
        }
    }
}
