//! Any bytes as `run.json`: parsed, validated, rendered, judged. What the seal would stop is sealed anew, and what the validation
//! would stop is made to agree, so that odd numbers reach the plots too.
#![no_main]

use std::collections::BTreeSet;

use curve_stats::{median, spread};
use lbcurve::claims::judge;
use lbcurve::report::{html, table};
use lbcurve::result::{
    Curve, Distribution, Metric, Point, RunFault, RunFile, TrialKind, parse_run_file, run_file_text,
};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus {
    if let Ok(run) = parse_run_file(data) {
        render(&run);
    }
    let Ok(mut run) = serde_json::from_slice::<RunFile>(data) else {
        // Refused files need no rendering; most of them lead nowhere.
        return Corpus::Keep;
    };
    read_again(&run);
    agree(&mut run);
    if let Some(run) = read_again(&run) {
        render(&run);
    }
    Corpus::Keep
});

/// The run as it comes back from its own text: the seal must fit whatever the run holds.
fn read_again(run: &RunFile) -> Option<RunFile> {
    let text = run_file_text(run).expect("a run that was JSON is JSON");
    match parse_run_file(text.as_bytes()) {
        Ok(again) => Some(again),
        Err(RunFault::Contradiction(_) | RunFault::Version { .. }) => None,
        Err(fault) => panic!("what was written is not read: {fault:?}"),
    }
}

fn render(run: &RunFile) {
    let page = html(run).expect("a valid run renders");
    assert!(!page.contains("NaN"), "a plot or table with NaN");
    assert!(table(run).ends_with('\n'));
    for judgement in judge(run) {
        let _ = judgement.verdict.to_string();
        for figure in judgement.figures {
            let _ = figure.to_string();
        }
    }
}

/// Makes the members of a run agree with each other, and leaves its numbers as odd as they are.
fn agree(run: &mut RunFile) {
    let mut keys = BTreeSet::new();
    run.curves.iter_mut().for_each(agree_curve);
    run.curves.retain(|curve| !curve.points.is_empty() && keys.insert(curve.key.clone()));
    run.distributions = run.curves.iter().flat_map(distributions).collect();
    run.throughput.retain(|trial| trial.offered_pps >= 0.0 && trial.forwarded_pps >= 0.0);
}

fn agree_curve(curve: &mut Curve) {
    curve.points.retain(|point| point.services > 0 && !point.values.is_empty());
    curve.points.sort_by_key(|point| point.services);
    curve.points.dedup_by_key(|point| point.services);
    for point in &mut curve.points {
        agree_point(point);
        point.endpoints = curve.key.axes.endpoints;
    }
    curve.points.retain(|point| point.p50.is_finite());
    if let Some(interval) = &mut curve.fit.slope_ci95 {
        interval.sort_by(f64::total_cmp);
    }
}

fn agree_point(point: &mut Point) {
    let (Ok(middle), Ok(spread)) = (median(&point.values), spread(&point.values)) else {
        point.p50 = f64::NAN;
        return;
    };
    (point.p50, point.spread, point.trials) = (middle, spread, point.values.len() as u32);
    (point.min, point.p10) = (point.min.min(middle), point.p10.min(middle));
    point.min = point.min.min(point.p10);
    point.p90 = point.p90.max(middle);
    point.p99 = point.p99.max(point.p90);
    point.p999 = point.p999.max(point.p99);
}

fn distributions(curve: &Curve) -> Vec<Distribution> {
    let kind = match curve.key.metric {
        Metric::Traversal => TrialKind::Traversal,
        Metric::Floor => TrialKind::Floor,
        Metric::Added => return Vec::new(),
    };
    let quantile = |point: &Point| lbcurve::result::QuantileValue { quantile: 0.5, value: point.p50 as u64 };
    let of = |point: &Point| Distribution {
        cell: curve.key.axes.cell(point.services),
        kind,
        unit: curve.key.unit,
        packets: point.packets,
        min: 0,
        max: u64::MAX,
        mean: point.p50.abs(),
        stdev: point.p10.abs(),
        quantiles: if point.packets == 0 { Vec::new() } else { vec![quantile(point)] },
    };
    curve.points.iter().map(of).collect()
}
