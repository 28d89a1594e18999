//! What the members of a run file must agree on: a file that was edited and sealed again is still refused.

use std::collections::{BTreeMap, BTreeSet};

use super::connections::{self, ConnectionCurve, ConnectionFault};
use super::contradiction::{Contradiction, DecisionFault, DistributionFault, ExpectedFault, PointFault};
use super::estimate::{holds, is_median};
use super::fairness::check_fairness;
use super::loaded_check::check_loaded;
use super::rate_check::check_rates;
use super::reachability;
use super::{Cell, Curve, DecisionSummary, Distribution, ExpectedCost, Metric, Point, RunFile, TrialKind, Unit};

/// Checks a run against itself.
///
/// # Errors
/// The first contradiction.
pub(super) fn validate(run: &RunFile) -> Result<(), Contradiction> {
    let mut keys = BTreeSet::new();
    for curve in &run.curves {
        if !keys.insert(&curve.key) {
            return Err(Contradiction::CurveTwice(Box::new(curve.key.clone())));
        }
        check_curve(curve)?;
    }
    check_distributions(run)?;
    check_decisions(&run.decisions)?;
    check_fairness(&run.fairness).map_err(|(cell, what)| Contradiction::Fairness { cell, what })?;
    check_connections(&run.connections)?;
    check_rates(&run.rates).map_err(|(key, services, what)| {
        let (cell, rate) = (Box::new(key.axes.cell(services)), key.rate);
        Contradiction::Rates { cell, rate, services, what }
    })?;
    reachability::check(&run.reachability).map_err(|(index, what)| Contradiction::Reachability {
        cell: Box::new(run.reachability[index].cell.clone()),
        what,
    })?;
    check_loaded(&run.loaded).map_err(|(cell, what)| Contradiction::Loaded { cell, what })?;
    check_expected(run)?;
    for trial in &run.throughput {
        let odd = [trial.offered_pps, trial.forwarded_pps].into_iter().find(|rate| !(rate.is_finite() && *rate >= 0.0));
        if let Some(rate) = odd {
            return Err(Contradiction::Rate { cell: Box::new(trial.cell.clone()), trial: trial.trial, rate });
        }
    }
    Ok(())
}

fn check_decisions(decisions: &[DecisionSummary]) -> Result<(), Contradiction> {
    let mut cells = BTreeSet::new();
    for summary in decisions {
        let fault = if cells.insert(&summary.cell) { check_summary(summary) } else { Err(DecisionFault::Twice) };
        fault.map_err(|what| Contradiction::Decisions { cell: Box::new(summary.cell.clone()), what })?;
    }
    Ok(())
}

fn check_summary(summary: &DecisionSummary) -> Result<(), DecisionFault> {
    let DecisionSummary { cell, flows, untouched, elsewhere, rejected, lost, reached, equal_shares, .. } = summary;
    if reached.len() != cell.endpoints as usize {
        return Err(DecisionFault::Endpoints);
    }
    let fates = reached.iter().chain([untouched, elsewhere, rejected, lost]);
    if fates.map(|count| u128::from(*count)).sum::<u128>() != u128::from(*flows) {
        return Err(DecisionFault::Sum);
    }
    if summary.test() == *equal_shares { Ok(()) } else { Err(DecisionFault::Test) }
}

fn check_connections(curves: &[ConnectionCurve]) -> Result<(), Contradiction> {
    let mut keys = BTreeSet::new();
    for curve in curves {
        let checked =
            if keys.insert(&curve.key) { connections::check(curve) } else { Err((0, ConnectionFault::Curve)) };
        checked.map_err(|(services, what)| Contradiction::Connections {
            curve: Box::new(curve.key.clone()),
            services,
            what,
        })?;
    }
    Ok(())
}

fn check_expected(run: &RunFile) -> Result<(), Contradiction> {
    let mut keys = BTreeSet::new();
    for cost in &run.expected {
        let is_new = run.plan.cluster.is_some() && keys.insert(&cost.key);
        let fault = if is_new { check_cost(cost) } else { Err(ExpectedFault::Twice) };
        fault.map_err(|what| Contradiction::Expected { key: Box::new(cost.key.clone()), what })?;
    }
    Ok(())
}

fn check_cost(cost: &ExpectedCost) -> Result<(), ExpectedFault> {
    if !is_median(&cost.values, cost.added) || !cost.traversal.is_finite() {
        return Err(ExpectedFault::Median);
    }
    if holds(&cost.spread, cost.added) { Ok(()) } else { Err(ExpectedFault::Spread) }
}

fn check_curve(curve: &Curve) -> Result<(), Contradiction> {
    let key = || Box::new(curve.key.clone());
    if curve.points.is_empty() {
        return Err(Contradiction::NoPoints(key()));
    }
    let mut before = 0;
    for point in &curve.points {
        let services = point.services;
        let fault = if services > before { check_point(curve, point) } else { Err(PointFault::Order) };
        fault.map_err(|what| Contradiction::Point { curve: key(), services, what })?;
        before = services;
    }
    match curve.fit.slope_ci95 {
        Some(interval) if interval.iter().any(|bound| !bound.is_finite()) || interval[0] > interval[1] => {
            Err(Contradiction::Slope { curve: key(), interval })
        }
        _ => Ok(()),
    }
}

fn check_point(curve: &Curve, point: &Point) -> Result<(), PointFault> {
    if point.endpoints != curve.key.axes.endpoints {
        return Err(PointFault::Endpoints);
    }
    if point.values.is_empty() || u32::try_from(point.values.len()) != Ok(point.trials) {
        return Err(PointFault::Values);
    }
    let quantiles = [point.min, point.p10, point.p50, point.p90, point.p99, point.p999];
    if quantiles.iter().chain(&point.values).any(|value| !value.is_finite()) {
        return Err(PointFault::NotFinite);
    }
    if !is_median(&point.values, point.p50) {
        return Err(PointFault::Median);
    }
    if !holds(&point.spread, point.p50) {
        return Err(PointFault::Spread);
    }
    // Differences of quantiles need not ascend.
    if curve.key.metric != Metric::Added && !quantiles.is_sorted() {
        return Err(PointFault::Quantiles);
    }
    Ok(())
}

fn check_distributions(run: &RunFile) -> Result<(), Contradiction> {
    let points = points(run);
    let mut seen = BTreeSet::new();
    for distribution in &run.distributions {
        let identity = (distribution.cell.clone(), distribution.kind, distribution.unit);
        let fault = check_distribution(distribution).and_then(|()| match points.get(&identity) {
            None => Err(DistributionFault::NoPoint),
            Some(packets) if *packets != distribution.packets => Err(DistributionFault::Packets),
            Some(_) if !seen.insert(identity) => Err(DistributionFault::Twice),
            Some(_) => Ok(()),
        });
        let cell = || Box::new(distribution.cell.clone());
        fault.map_err(|what| Contradiction::Distribution { cell: cell(), what })?;
    }
    match points.into_keys().find(|identity| !seen.contains(identity)) {
        Some((cell, ..)) => Err(Contradiction::NoDistribution(Box::new(cell))),
        None => Ok(()),
    }
}

/// Packets of every point of a measured metric, by what a distribution is told by.
fn points(run: &RunFile) -> BTreeMap<(Cell, TrialKind, Unit), u64> {
    let mut points = BTreeMap::new();
    for curve in &run.curves {
        let kind = match curve.key.metric {
            Metric::Traversal => TrialKind::Traversal,
            Metric::Floor => TrialKind::Floor,
            Metric::Added => continue,
        };
        let at = |point: &Point| ((curve.key.axes.cell(point.services), kind, curve.key.unit), point.packets);
        points.extend(curve.points.iter().map(at));
    }
    points
}

fn check_distribution(distribution: &Distribution) -> Result<(), DistributionFault> {
    let Distribution { packets, min, max, mean, stdev, ref quantiles, .. } = *distribution;
    if ![mean, stdev].iter().all(|moment| moment.is_finite() && *moment >= 0.0) {
        return Err(DistributionFault::Moments);
    }
    let ascending = quantiles.is_sorted_by(|a, b| a.quantile < b.quantile && a.value <= b.value);
    let inside = |value: u64| (min..=max).contains(&value);
    let in_range = quantiles.iter().all(|q| (0.0..=1.0).contains(&q.quantile) && inside(q.value));
    if ascending && in_range && quantiles.is_empty() == (packets == 0) {
        Ok(())
    } else {
        Err(DistributionFault::Quantiles)
    }
}
