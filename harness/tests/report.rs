//! The report: a golden terminal table, and a page that holds only the run's numbers and loads nothing.
//!
//! `INSTA_UPDATE=always cargo test -p lbcurve --test report` rewrites the golden file. The synthetic page is left in
//! `target/tmp/report.html` to be looked at.

mod synthetic;

use std::collections::BTreeSet;

use curve_stats::quantile;
use lbcurve::report::number::{self, Medium};
use lbcurve::report::{html, step_costs, table};
use lbcurve::result::{BackendKind, Flow, ProgrammingOp, RunFile, Unit};
use proptest::prelude::*;
use synthetic::any::any_run;

const MEDIUM: Medium = Medium::Html;

fn page(run: &RunFile) -> String {
    html(run).expect("the template renders")
}

#[test]
fn the_terminal_table_is_the_golden_one() {
    let mut run = synthetic::run();
    let wanted = [BackendKind::IptablesLegacy, BackendKind::IptablesNft, BackendKind::Ipvs];
    run.curves.retain(|c| c.key.axes.flow == Flow::New && wanted.contains(&c.key.axes.backend));
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
fn the_first_screen_has_a_sentence_a_backend_and_the_picture() {
    let page = page(&synthetic::run());
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/report.html"), &page).expect("the page can be written");
    let heroes: Vec<_> = page.split("<section class=\"hero\">").skip(1).collect();
    assert_eq!(heroes.len(), 2);
    let vm = heroes.iter().find(|hero| hero.contains("New flows, vm")).expect("the vm has verdicts");
    let sentence = |subject: &str| {
        let rest = vm.split(&format!("<b>{subject}</b>: ")).nth(1).expect("the backend has a sentence");
        rest.split("</li>").next().expect("a split has a first part").to_owned()
    };
    let legacy = sentence("iptables-legacy");
    assert!(legacy.starts_with("added 3") && legacy.contains("<em>linear</em>, 26.0"), "{legacy}");
    assert!(sentence("nftables").contains("service last: <em>constant</em>"));
    assert!(sentence("ipvs, stride-256 VIPs").contains("<em>linear</em>"));
    assert!(vm.contains("<path class=\"f s0\""), "the fitted line is drawn");
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
    for d in &run.distributions {
        let values = d.quantiles.iter().map(|q| q.value as f64).chain([d.max as f64, d.mean]);
        allowed.extend(values.map(|value| number::value(value, d.unit, MEDIUM)));
        allowed.insert(number::count(d.packets, MEDIUM));
    }
    // The claims' figures are computed from the run; that they are right is what the claims' own tests say.
    for figure in lbcurve::claims::judge(run).iter().flat_map(|judgement| &judgement.figures) {
        let values = figure.value.into_iter().chain(figure.interval.into_iter().flatten());
        allowed.extend(values.map(|value| number::significant(value, 4, MEDIUM)));
    }
    // So are costs of steps, which have tests of their own.
    for cost in step_costs(run).costs {
        let prediction = cost.prediction;
        let line = prediction.line.iter();
        allowed.extend(
            line.flat_map(|line| [number::significant(line.slope, 4, MEDIUM), number::r_squared(line.r_squared)]),
        );
        allowed.insert(number::value(prediction.fixed, Unit::Instructions, MEDIUM));
        allowed.extend([number::percent(prediction.furthest), number::count(cost.cells as u64, MEDIUM)]);
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
    let labels: BTreeSet<_> = run.curves.iter().map(|curve| curve.fit.label()).collect();
    let opens: Vec<_> = labels.iter().map(|label| format!("<td>{label}<small>")).collect();
    let slopes: Vec<_> = opens.iter().flat_map(|open| contents(&page, open)).collect();
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
        // Up to the next figure: the first screen's tables stand below picture and sentences.
        let line = figure.contains("<path class=\"l ") || figure.contains("<path class=\"f ");
        assert!(figure.contains("<svg") && line && figure.contains("<table"), "{figure}");
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
        curve.key.axes.kernel = nasty.into();
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
    // The claims are quoted, and so is what others published.
    let (before, claims) = page.split_once("<section id=\"claims\">").unwrap_or((&page, ""));
    let after = claims.split_once("<nav").map_or("", |(_, after)| after);
    let text = format!("{before}{after}");
    let text = text.split("<section id=\"method\">").next().expect("a split has a first part");
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_run_renders(run in any_run()) {
        let page = page(&run);
        let svg: String = page.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
        let paths: Vec<_> = svg.split(" d=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let finite = |path: &&str| !path.contains("NaN") && !path.contains("inf");
        prop_assert!(paths.iter().all(finite));
        prop_assert!(table(&run).ends_with('\n'));
    }
}
