//! The report: a golden terminal table, and a page that holds only the run's numbers and loads nothing.
//!
//! `INSTA_UPDATE=always cargo test -p lbcurve --test report` rewrites the golden file. The synthetic page is left in
//! `target/tmp/report.html` to be looked at.

mod synthetic;

use std::collections::BTreeSet;

use curve_stats::{Class, Fit, FitNote, Spread, quantile};
use lbcurve::report::number::{self, Medium};
use lbcurve::report::{html, table};
use lbcurve::result::{
    BackendKind, Curve, CurveKey, Flow, Integrity, Manifest, Metric, Point, Position, ProgrammingOp, ProgrammingRecord,
    RunFile, ThroughputRecord, Unit, VenueKind, assemble,
};
use lbcurve::workload::{Protocol, VipLayout};
use proptest::prelude::*;

const MEDIUM: Medium = Medium::Html;

fn page(run: &RunFile) -> String {
    html(run).expect("the template renders")
}

#[test]
fn the_terminal_table_is_the_golden_one() {
    let mut run = synthetic::run();
    let wanted = [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Ipvs];
    run.curves.retain(|c| c.key.flow == Flow::New && wanted.contains(&c.key.backend));
    run.programming.retain(|p| p.backend == BackendKind::IptablesLegacy && p.op == ProgrammingOp::FromNothing);
    insta::assert_snapshot!(table(&run));
}

#[test]
fn an_empty_run_is_said_to_be_empty() {
    let mut run = synthetic::run();
    (run.curves, run.programming, run.throughput) = (vec![], vec![], vec![]);
    (run.warnings, run.skipped) = (vec![], vec![]);
    run.environment.preflight = None;
    assert_eq!(table(&run), "The run has no curve.\n");
    assert!(page(&run).contains("no curve"));
}

#[test]
fn the_first_screen_has_a_sentence_a_backend() {
    let page = page(&synthetic::run());
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html"), &page).expect("the page can be written");
    let lists: Vec<_> = page.split("<section class=\"verdicts\">").skip(1).collect();
    assert_eq!(lists.len(), 3);
    let vm = lists.iter().find(|list| list.contains("New flows, vm")).expect("the vm has verdicts");
    assert!(vm.contains("<b>iptables-legacy (last)</b>: <em class=\"linear\">linear</em>, 26.03 ["), "{vm}");
    assert!(vm.contains("<b>ipvs (first)</b>: <em class=\"constant\">constant</em>"));
    assert!(vm.contains("<b>ipvs, stride-256 VIPs (first)</b>: <em class=\"linear\">linear</em>"));
}

/// Contents of every element with this opening tag.
fn contents<'a>(page: &'a str, open: &str) -> Vec<&'a str> {
    page.split(open).skip(1).filter_map(|rest| rest.split("</td>").next()).collect()
}

/// Every number that a table may show, formatted: values of the run, and medians and shares of them.
fn allowed(run: &RunFile) -> BTreeSet<String> {
    let mut allowed: BTreeSet<String> = ["\u{2013}", "n/a"].map(str::to_owned).into();
    for curve in &run.curves {
        allowed.insert(number::slope(&curve.fit, MEDIUM));
        for p in &curve.points {
            let values = [p.min, p.p10, p.p50, p.p90, p.p99, p.p999];
            allowed.extend(values.map(|value| number::value(value, curve.key.unit, MEDIUM)));
            let counts = [p.services.into(), p.endpoints.into(), p.trials.into(), p.packets];
            allowed.extend(counts.map(|count| number::count(count, MEDIUM)));
        }
    }
    for r in &run.programming {
        for part in [r.total, r.user, r.kernel_time].map(|part| part as f64) {
            allowed.insert(number::duration(part, r.unit, MEDIUM));
            allowed.insert(number::share(part, r.total as f64));
        }
    }
    allowed.extend(rates(run));
    allowed.extend(run.skipped.iter().map(|_| number::count(run.skipped.len() as u64, MEDIUM)));
    allowed
}

fn rates(run: &RunFile) -> Vec<String> {
    let mut texts = Vec::new();
    for record in &run.throughput {
        let same: Vec<_> = run.throughput.iter().filter(|other| other.cell == record.cell).collect();
        let rates: Vec<_> = same.iter().map(|r| r.forwarded_pps).collect();
        let values = [0.0, 0.5, 1.0].map(|q| quantile(&rates, q).expect("rates are finite"));
        let values = values.into_iter().chain([record.offered_pps]);
        texts.extend(values.map(|value| number::significant(value, 4, MEDIUM)));
        texts.push(number::count(same.len() as u64, MEDIUM));
    }
    texts
}

#[test]
fn every_number_in_a_table_comes_from_the_run() {
    let run = synthetic::run();
    let (page, allowed) = (page(&run), allowed(&run));
    let cells = contents(&page, "<td class=\"n\">");
    assert!(cells.len() > 500);
    for cell in cells {
        let (number, detail) = cell.split_once("<small>").unwrap_or((cell, ""));
        let detail = detail.trim_end_matches("</small>").replace("kernel ", "").replace("user ", "");
        let band = detail.split([',', '\u{2026}']).map(str::trim);
        for text in std::iter::once(number.trim_end_matches('\u{2020}')).chain(band).filter(|text| !text.is_empty()) {
            assert!(allowed.contains(text), "{text:?} in {cell:?}");
        }
    }
}

#[test]
fn every_slope_in_a_table_comes_from_the_run() {
    let run = synthetic::run();
    let (page, allowed) = (page(&run), allowed(&run));
    let classes = ["constant", "linear", "undetermined"].map(|class| format!("<td>{class}<small>"));
    let slopes: Vec<_> = classes.iter().flat_map(|open| contents(&page, open)).collect();
    assert!(slopes.len() > 20);
    for slope in slopes {
        assert!(allowed.contains(slope.trim_end_matches("</small>")), "{slope:?}");
    }
}

#[test]
fn every_plot_has_marks_and_a_table() {
    let page = page(&synthetic::run());
    let figures: Vec<_> = page.split("<figure>").skip(1).collect();
    assert!(figures.len() >= 10);
    for figure in figures {
        let figure = figure.split("</figure>").next().expect("a split has a first part");
        assert!(
            figure.contains("<svg") && figure.contains("<path class=\"l ") && figure.contains("<table"),
            "{figure}"
        );
    }
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let page = page(&synthetic::run());
    for forbidden in ["http:", "https:", "//", "<script", "@import", "url(", "<iframe", "<link rel=\"stylesheet\""] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!page.contains(" src="));
}

#[test]
fn text_of_a_run_is_escaped() {
    let mut run = synthetic::run();
    let nasty = "</pre><script>alert(1)</script>&\"'";
    run.environment.command = nasty.into();
    run.environment.cpu_model = nasty.into();
    run.skipped[0].reason = nasty.into();
    for curve in &mut run.curves {
        curve.key.kernel = nasty.into();
        curve.points.iter_mut().for_each(|point| point.suspect = Some(nasty.into()));
    }
    assert!(!page(&run).contains("<script"));
}

#[test]
fn instructions_are_never_called_a_time() {
    let mut run = synthetic::run();
    run.curves.retain(|curve| curve.key.unit == Unit::Instructions);
    (run.programming, run.throughput) = (vec![], vec![]);
    let page = page(&run).to_lowercase();
    let text = page.split("<section id=\"method\">").next().expect("a split has a first part");
    assert!(text.contains("instructions") && !text.contains("latency") && !text.contains("nanosec"));
    assert!(!table(&run).to_lowercase().contains("latency"));
}

#[test]
fn lost_packets_are_flagged_in_both_outputs() {
    let run = synthetic::run();
    assert!(table(&run).contains("3 packets lost"));
    let page = page(&run);
    assert!(page.contains("Read with care") && page.contains("\u{2020} iptables-nft"));
    assert!(page.contains("<path class=\"h "));
}

/// A run that measured nothing.
fn empty() -> RunFile {
    let environment = synthetic::environment();
    let plan = synthetic::manifest(&[]).plan;
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
    let class = prop_oneof![Just(Class::Constant), Just(Class::Linear), Just(Class::Undetermined)];
    let interval = prop::option::of([number_or_odd(), number_or_odd()]);
    (class, prop::option::of(number_or_odd()), interval, any::<bool>()).prop_map(|(class, slope, slope_ci95, noted)| {
        let notes = if noted { vec![FitNote::Exact, FitNote::TwoSizes] } else { vec![] };
        Fit { class, slope_per_service: slope, slope_ci95, intercept: slope, notes }
    })
}

fn any_key() -> impl Strategy<Value = CurveKey> {
    let backend = prop::sample::select(vec![BackendKind::Direct, BackendKind::IptablesLegacy, BackendKind::Ipvs]);
    let metric = prop::sample::select(vec![Metric::Traversal, Metric::Added, Metric::Floor]);
    let position = prop::sample::select(vec![Position::First, Position::Last, Position::Missing]);
    let layout = prop::sample::select(vec![VipLayout::Sequential, VipLayout::Stride256]);
    let unit = prop::sample::select(vec![Unit::Ns, Unit::Instructions]);
    (backend, metric, position, layout, unit, ".{0,12}").prop_map(
        |(backend, metric, position, layout, unit, kernel)| {
            let (venue, protocol, endpoints, flow) = (VenueKind::Vm, Protocol::Udp, 2, Flow::New);
            CurveKey { venue, kernel, backend, layout, protocol, endpoints, flow, position, metric, unit }
        },
    )
}

fn any_curve() -> impl Strategy<Value = Curve> {
    (any_key(), prop::collection::vec(any_point(), 0..6), any_fit(), any::<[u64; 3]>()).prop_map(
        |(key, points, fit, [mismatched, lost, misdirected])| {
            let integrity = Integrity { mismatched, lost, misdirected };
            Curve { key, points, integrity, fit }
        },
    )
}

fn any_programming() -> impl Strategy<Value = ProgrammingRecord> {
    (any::<u32>(), any::<[u64; 3]>(), any::<bool>()).prop_map(|(services, [total, user, kernel_time], ns)| {
        let mut record = synthetic::programming().swap_remove(0);
        (record.services, record.total, record.user, record.kernel_time) = (services, total, user, kernel_time);
        record.unit = if ns { Unit::Ns } else { Unit::Instructions };
        record
    })
}

fn any_throughput() -> impl Strategy<Value = ThroughputRecord> {
    (any::<u32>(), number_or_odd(), number_or_odd()).prop_map(|(services, offered_pps, forwarded_pps)| {
        let mut record = synthetic::throughput().swap_remove(0);
        (record.cell.services, record.offered_pps, record.forwarded_pps) = (services, offered_pps, forwarded_pps);
        record
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_run_renders(
        curves in prop::collection::vec(any_curve(), 0..8),
        programming in prop::collection::vec(any_programming(), 0..4),
        throughput in prop::collection::vec(any_throughput(), 0..4),
    ) {
        let run = RunFile { programming, throughput, curves, ..empty() };
        let page = page(&run);
        let svg: String = page.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
        let paths: Vec<_> = svg.split(" d=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let finite = |path: &&str| !path.contains("NaN") && !path.contains("inf");
        prop_assert!(paths.iter().all(finite));
        prop_assert!(table(&run).ends_with('\n'));
    }
}
