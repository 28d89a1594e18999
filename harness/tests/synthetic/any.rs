//! Any run: what the types allow, not what a kernel would give.

use curve_stats::{Class, Fit, FitNote, Model, Spread};
use lbcurve::result::{
    Axes, BackendKind, Bracket, Curve, CurveKey, Distribution, Flow, Integrity, Manifest, Metric, Point, Position,
    ProgrammingRecord, QuantileValue, RunFile, ThroughputRecord, TrialKind, Unit, VenueKind, assemble,
};
use lbcurve::workload::{Protocol, VipLayout};
use proptest::prelude::*;

/// A run that measured nothing.
pub(crate) fn empty() -> RunFile {
    let environment = super::environment();
    let plan = super::manifest(&[]).plan;
    assemble(Manifest { environment, plan }, &[], &[], &[], &[]).expect("nothing is a run too")
}

fn number_or_odd() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -1e7..1e7_f64, 1 => Just(0.0), 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
}

fn any_point() -> impl Strategy<Value = Point> {
    let values = prop::array::uniform6(number_or_odd());
    let size = prop_oneof![3 => 1_u32..20_000, 1 => any::<u32>()];
    (size, values, prop::option::of(".{0,20}")).prop_map(|(services, [min, p10, p50, p90, p99, p999], suspect)| Point {
        services,
        endpoints: 2,
        trials: 5,
        packets: u64::MAX,
        min,
        p10,
        p50,
        p90,
        p99,
        p999,
        values: vec![min, p50, p999],
        spread: Spread::Range { low: min, high: p999 },
        suspect,
    })
}

fn any_fit() -> impl Strategy<Value = Fit> {
    let classes = prop::sample::subsequence(Class::ALL.to_vec(), 0..=Class::ALL.len());
    let interval = prop::option::of([number_or_odd(), number_or_odd()]);
    let slope = prop::option::of(number_or_odd());
    (classes, slope, interval, any::<bool>(), number_or_odd()).prop_map(|(classes, slope, slope_ci95, noted, value)| {
        let notes = if noted { vec![FitNote::Exact, FitNote::TwoSizes] } else { vec![] };
        let models = classes.iter().map(|&class| model(class, value)).collect();
        Fit { classes, growth: slope, slope_per_service: slope, slope_ci95, intercept: slope, models, notes }
    })
}

fn model(class: Class, value: f64) -> Model {
    let some = |of: Class, value| (class == of).then_some(value);
    Model {
        class,
        delta_bic: value.abs(),
        intercept: value,
        coefficient: (class != Class::Constant).then_some(value),
        exponent: some(Class::Power, value),
        exponent_ci95: None,
        knee: some(Class::Piecewise, value),
        knee_ci95: (class == Class::Piecewise).then_some([value, value]),
        lack_of_fit: None,
    }
}

fn any_key() -> impl Strategy<Value = CurveKey> {
    let backend = prop::sample::select(vec![BackendKind::Direct, BackendKind::IptablesLegacy, BackendKind::Ipvs]);
    let metric = prop::sample::select(vec![Metric::Traversal, Metric::Added, Metric::Floor]);
    let position = prop::sample::select(vec![Position::First, Position::Last, Position::Missing]);
    let layout = prop::sample::select(vec![VipLayout::Sequential, VipLayout::Stride256]);
    let unit = prop::sample::select(vec![Unit::Ns, Unit::Instructions]);
    let bracket = prop::sample::select(vec![Bracket::Tc, Bracket::Xdp]);
    (backend, bracket, metric, position, layout, unit, ".{0,12}").prop_map(
        |(backend, bracket, metric, position, layout, unit, kernel)| {
            let (venue, protocol, endpoints, flow) = (VenueKind::Vm, Protocol::Udp, 2, Flow::New);
            let axes = Axes { venue, kernel, backend, bracket, layout, protocol, endpoints, flow, position };
            CurveKey { axes, metric, unit }
        },
    )
}

pub(crate) fn any_curve() -> impl Strategy<Value = Curve> {
    (any_key(), prop::collection::vec(any_point(), 0..6), any_fit(), any::<[u64; 3]>()).prop_map(
        |(key, points, fit, [mismatched, lost, misdirected])| {
            let integrity = Integrity { mismatched, lost, misdirected };
            Curve { key, points, integrity, fit }
        },
    )
}

pub(crate) fn any_programming() -> impl Strategy<Value = ProgrammingRecord> {
    (any::<u32>(), any::<[u64; 3]>(), any::<bool>()).prop_map(|(services, [total, user, kernel_time], ns)| {
        let mut record = super::programming().swap_remove(0);
        (record.services, record.total, record.user, record.kernel_time) = (services, total, user, kernel_time);
        record.unit = if ns { Unit::Ns } else { Unit::Instructions };
        record
    })
}

pub(crate) fn any_throughput() -> impl Strategy<Value = ThroughputRecord> {
    (any::<u32>(), number_or_odd(), number_or_odd()).prop_map(|(services, offered_pps, forwarded_pps)| {
        let mut record = super::throughput().swap_remove(0);
        (record.cell.services, record.offered_pps, record.forwarded_pps) = (services, offered_pps, forwarded_pps);
        record
    })
}

fn any_distribution() -> impl Strategy<Value = Distribution> {
    let quantiles = prop::collection::vec((0.0..=1.0_f64, any::<u64>()), 0..6);
    (any_key(), any::<u32>(), any::<[u64; 3]>(), [number_or_odd(), number_or_odd()], quantiles).prop_map(
        |(key, services, [packets, min, max], [mean, stdev], quantiles)| {
            let mut cell = super::cell(key.axes.backend, services, key.axes.flow, key.axes.position);
            (cell.kernel, cell.layout) = (key.axes.kernel, key.axes.layout);
            let quantiles = quantiles.into_iter().map(|(quantile, value)| QuantileValue { quantile, value }).collect();
            let (kind, unit) = (TrialKind::Traversal, key.unit);
            Distribution { cell, kind, unit, packets, min, max, mean, stdev, quantiles }
        },
    )
}

prop_compose! {
    /// Any run.
    pub(crate) fn any_run()(
        curves in prop::collection::vec(any_curve(), 0..8),
        programming in prop::collection::vec(any_programming(), 0..4),
        throughput in prop::collection::vec(any_throughput(), 0..4),
        distributions in prop::collection::vec(any_distribution(), 0..4),
        command in ".{0,30}",
    ) -> RunFile {
        let mut run = RunFile { programming, throughput, curves, distributions, ..empty() };
        run.environment.command = command;
        run
    }
}
