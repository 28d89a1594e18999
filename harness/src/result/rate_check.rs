//! What the rates of a run file must agree on.

use std::collections::BTreeSet;

use curve_stats::FEWEST;

use super::estimate::{holds, is_median};
use super::{Estimate, RateCurve, RateKey, RatePoint};

/// What is wrong with a point of rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateFault {
    /// The same curve is there before, or it has no point.
    #[error("the same curve is there twice, or it has no point")]
    Curve,
    /// N does not ascend.
    #[error("N does not ascend from 1")]
    Order,
    /// More values, tops or irregular results than searches.
    #[error("there are more results than searches")]
    Results,
    /// Some irregular results are left out and others not, or with too few regular ones.
    #[error("irregular results are left out in part, or too few regular ones remain")]
    LeftOut,
    /// A rate is negative, infinite or not a number.
    #[error("a rate is none")]
    Rate,
    /// The value is not the median of the values, or lies outside its spread.
    #[error("the value is not the median of the values, or not within its spread")]
    Value,
    /// An estimate of CPU time is not the median of its values, or holds more than there are searches.
    #[error("CPU time is not the median of its values, or of more values than searches")]
    Cpu,
}

/// Finds the first curve, N and fault; N is 0 where it is the curve that is wrong.
pub(super) fn check_rates(curves: &[RateCurve]) -> Result<(), (Box<RateKey>, u32, RateFault)> {
    let mut keys = BTreeSet::new();
    for curve in curves {
        let fault = |services, what| (Box::new(curve.key.clone()), services, what);
        if !keys.insert(&curve.key) || curve.points.is_empty() {
            return Err(fault(0, RateFault::Curve));
        }
        let mut before = 0;
        for point in &curve.points {
            let ascends = if point.services > before { Ok(()) } else { Err(RateFault::Order) };
            ascends.and_then(|()| check_point(point)).map_err(|what| fault(point.services, what))?;
            before = point.services;
        }
    }
    Ok(())
}

fn check_point(point: &RatePoint) -> Result<(), RateFault> {
    let (trials, left_out) = (point.trials as usize, point.left_out as usize);
    let results = [point.values.len() + left_out, point.tops.len(), point.irregular as usize, point.reasons.len()];
    if results.iter().any(|results| *results > trials) {
        return Err(RateFault::Results);
    }
    if left_out > 0 && !(point.is_regular() && point.values.len() >= FEWEST) {
        return Err(RateFault::LeftOut);
    }
    let rates = point.values.iter().chain(&point.lower).chain(&point.upper);
    if rates.into_iter().any(|rate| !(rate.is_finite() && *rate >= 0.0)) {
        return Err(RateFault::Rate);
    }
    let is_right = match (point.value, &point.spread) {
        (None, None) => point.values.is_empty(),
        (Some(value), Some(spread)) => is_median(&point.values, value) && holds(spread, value),
        _ => false,
    };
    if !is_right {
        return Err(RateFault::Value);
    }
    let points = point.cpu.iter().chain(&point.fixed_cpu);
    let estimates = points.flat_map(|cpu| [&cpu.ns_a_packet, &cpu.cores]);
    let is_sound = |estimate: &Estimate| estimate.is_sound() && estimate.values.len() <= trials;
    if estimates.into_iter().all(is_sound) { Ok(()) } else { Err(RateFault::Cpu) }
}

#[cfg(test)]
mod tests {
    use super::super::{rate_curves, rate_record};
    use super::*;

    fn fault(change: impl Fn(&mut RateCurve)) -> Option<RateFault> {
        let mut curves = rate_curves(&[rate_record(1, 0, 3e5), rate_record(1, 1, 4e5), rate_record(10, 0, 2e5)]);
        change(&mut curves[0]);
        check_rates(&curves).err().map(|(_, _, what)| what)
    }

    #[test]
    fn a_rate_without_its_irregular_searches_agrees_with_itself_and_a_part_of_them_does_not() {
        let mut searches: Vec<_> = (0..8).map(|trial| rate_record(1, trial, 3e5 + f64::from(trial))).collect();
        for search in &mut searches[..2] {
            search.goals[0].irregular = Some("the budget was spent".to_owned());
        }
        let mut curves = rate_curves(&searches);
        assert_eq!((curves[0].points[0].left_out, check_rates(&curves)), (2, Ok(())));
        curves[0].points[0].left_out = 1;
        let fault = check_rates(&curves).map_err(|(_, _, what)| what);
        assert_eq!(fault, Err(RateFault::LeftOut));
        // As earlier versions had it: all searches among the values.
        let point = &mut curves[0].points[0];
        point.left_out = 0;
        assert!(!point.is_regular());
        assert_eq!(check_rates(&curves), Ok(()));
    }

    #[test]
    fn what_was_assembled_agrees_with_itself_and_what_was_changed_does_not() {
        assert_eq!(fault(|_| ()), None);
        assert_eq!(fault(|curve| curve.points.clear()), Some(RateFault::Curve));
        assert_eq!(fault(|curve| curve.points[1].services = 1), Some(RateFault::Order));
        assert_eq!(fault(|curve| curve.points[0].trials = 1), Some(RateFault::Results));
        let left_out = |irregular: u32| {
            fault(move |curve| {
                let point = &mut curve.points[0];
                (point.trials, point.irregular, point.left_out) = (9, irregular, 1);
            })
        };
        // Two values are no six, and one irregular result of two is a part.
        assert_eq!([left_out(1), left_out(2)], [Some(RateFault::LeftOut); 2]);
        assert_eq!(fault(|curve| curve.points[0].left_out = 1), Some(RateFault::Results));
        assert_eq!(fault(|curve| curve.points[0].values[0] = -1.0), Some(RateFault::Rate));
        assert_eq!(fault(|curve| curve.points[0].value = Some(3e5)), Some(RateFault::Value));
        assert_eq!(fault(|curve| curve.points[0].spread = None), Some(RateFault::Value));
        let cores = |curve: &mut RateCurve| curve.points[0].cpu.as_mut().unwrap().cores.value = 9.0;
        assert_eq!(fault(cores), Some(RateFault::Cpu));
    }
}
