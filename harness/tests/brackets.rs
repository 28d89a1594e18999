//! A run of both brackets: every backend is shown in its own, what stands beside `ebpf-xdp` in a section of its own, and nothing is
//! compared across them.

mod synthetic;

use std::sync::LazyLock;

use lbcurve::compare::{Comparison, Reason, Row, Side, Verdict, compare, terminal};
use lbcurve::report::{bmf, csv, hlog, html, markdown, svg, table};
use lbcurve::result::{
    BackendKind, Bracket, Flow, Metric, Position, RunFile, TrialKind, TrialRecord, Unit, assemble, parse_run_file,
    run_file_text,
};
use synthetic::{cell, manifest, trial};

use BackendKind::{Direct, DirectConntrack, EbpfTc, EbpfXdp, IptablesLegacy};

/// Backend, bracket, median at N = 1, and what a service adds.
const MEASURED: [(BackendKind, Bracket, u64, u64); 8] = [
    (Direct, Bracket::Tc, 1_900, 0),
    (DirectConntrack, Bracket::Tc, 4_100, 0),
    (IptablesLegacy, Bracket::Tc, 9_800, 26),
    (EbpfTc, Bracket::Tc, 3_400, 0),
    (Direct, Bracket::Xdp, 5_000, 0),
    (DirectConntrack, Bracket::Xdp, 7_300, 0),
    (EbpfTc, Bracket::Xdp, 6_500, 0),
    (EbpfXdp, Bracket::Xdp, 2_600, 0),
];

static RUN: LazyLock<RunFile> = LazyLock::new(|| {
    let trials = trials();
    assemble(manifest(&trials), &trials, &[], &[], &[]).expect("the trials are finite")
});

fn trials() -> Vec<TrialRecord> {
    let mut trials = Vec::new();
    for (backend, bracket, base, slope) in MEASURED {
        for services in [1, 10, 100, 1000] {
            for index in 0..3 {
                let position = if backend.balances() { Position::Last } else { Position::Missing };
                let mut cell = cell(backend, services, Flow::New, position);
                cell.bracket = bracket;
                let median = base + slope * u64::from(services);
                trials.push(trial(cell, TrialKind::Traversal, index, Unit::Instructions, median));
            }
        }
    }
    for (bracket, floor) in [(Bracket::Tc, 212), (Bracket::Xdp, 140)] {
        let mut cell = cell(Direct, 1, Flow::New, Position::Missing);
        cell.bracket = bracket;
        trials.push(trial(cell, TrialKind::Floor, 0, Unit::Instructions, floor));
    }
    trials
}

/// What stands between two parts of a text.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from}")).1;
    rest.split_once(to).map_or(rest, |(inside, _)| inside)
}

#[test]
fn a_run_of_both_brackets_is_written_and_read_back() {
    let text = run_file_text(&RUN).unwrap();
    assert_eq!(parse_run_file(text.as_bytes()).unwrap(), *RUN);
    assert!(RUN.warnings.is_empty(), "{:?}", RUN.warnings);
}

#[test]
fn the_headline_shows_each_backend_in_its_own_bracket_and_below_zero() {
    let page = html(&RUN).unwrap();
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/brackets.html"), &page).unwrap();
    let hero = between(&page, "<section class=\"hero\">", "</section>");
    assert!(!hero.contains("xdp bracket"), "{hero}");
    let sentence = |subject: &str| between(hero, &format!("<b>{subject}</b>: "), "</li>");
    // 2,600 minus 7,300 of the same bracket, 3,400 minus 4,100.
    assert!(sentence("ebpf-xdp").contains("added \u{2212}4\u{202f}700 instructions"), "{}", sentence("ebpf-xdp"));
    assert!(sentence("ebpf-tc").contains("added \u{2212}700 instructions"), "{}", sentence("ebpf-tc"));
    assert!(sentence("ebpf-xdp").contains("<em>constant</em>"), "{}", sentence("ebpf-xdp"));
    let picture = between(hero, "<svg class=\"wide\"", "</svg>");
    assert!(["ebpf-tc", "ebpf-xdp", "iptables-legacy"].iter().all(|name| picture.contains(&format!(">{name}<"))));
    assert!(!picture.contains(">direct<"));
    assert!(hero.contains("The axis is symmetric-logarithmic"));
    assert!(svg(&RUN).is_some_and(|svg| svg.contains(">ebpf-xdp<")));
}

#[test]
fn the_xdp_bracket_has_a_section_of_its_own() {
    let page = html(&RUN).unwrap();
    let section = between(&page, "<section id=\"xdp-bracket\">", "</section>");
    for subject in ["direct (xdp bracket)", "direct-conntrack (xdp bracket)", "ebpf-tc (xdp bracket)", "ebpf-xdp"] {
        assert!(section.contains(&format!(">{subject}<")), "{subject}");
    }
    assert!(!section.contains("iptables-legacy"));
    let traversal = between(&page, "<section id=\"traversal\">", "</section>");
    assert!(
        traversal.contains(">ebpf-tc<") && !traversal.contains("ebpf-xdp"),
        "traversals of two brackets side by side"
    );
    let floor = between(&page, "<section id=\"floor\">", "</section>");
    assert!(floor.contains(">direct<") && floor.contains(">direct (xdp bracket)<"));
    // A run without the bracket has no section.
    assert!(!html(&synthetic::run()).unwrap().contains("xdp-bracket"));
}

#[test]
fn texts_and_files_name_the_bracket() {
    let table = table(&RUN);
    let row =
        |subject: &str| table.lines().any(|line| line.trim_start().starts_with("added") && line.contains(subject));
    assert!(row(" ebpf-tc (xdp bracket) ") && row(" ebpf-tc ") && row(" ebpf-xdp "), "{table}");
    let summary = markdown(&RUN);
    let (headline, steps) = summary.split_once("**What a step costs**").unwrap();
    assert!(headline.contains("| ebpf-xdp | last |") && !headline.contains("xdp bracket"), "{headline}");
    // What is counted there is a traversal, of which there are two.
    assert!(steps.contains("xdp bracket"), "{steps}");
    let csv = csv(&RUN).unwrap();
    assert!(csv.lines().next().is_some_and(|head| head.contains(",backend,bracket,")));
    assert!(csv.contains(",direct,tc,") && csv.contains(",direct,xdp,"));
    let bmf: serde_json::Value = serde_json::from_str(&bmf(&RUN)).unwrap();
    let names: Vec<_> = bmf.as_object().unwrap().keys().collect();
    assert!(names.iter().any(|name| name.contains("/direct/xdp-bracket/sequential/")), "{names:?}");
    assert!(names.iter().any(|name| name.contains("/direct/sequential/")), "{names:?}");
    let mut log = Vec::new();
    hlog(trials().into_iter().map(Ok::<_, lbcurve::report::HlogError>), &mut log).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("/ebpf-xdp/xdp-bracket/") && log.contains("/ebpf-tc/sequential/"));
}

fn added(comparison: &Comparison) -> Vec<&Row> {
    comparison.rows.iter().filter(|row| row.metric == Metric::Added).collect()
}

#[test]
fn cells_of_one_bracket_are_compared_and_negative_values_have_no_ratio() {
    let run = compare(&Side::run("a", &RUN), &Side::run("b", &RUN), 0.01);
    assert_eq!(run.summary.no_change + run.summary.not_comparable, run.rows.len());
    for row in &run.rows {
        let [a, b] = [&row.a, &row.b].map(|side| side.as_ref().map(|side| side.p50));
        assert_eq!(a, b, "{row:?}");
        let is_negative = a.is_some_and(|a| a <= 0.0);
        let reason = matches!(row.verdict, Verdict::NotComparable { reason: Reason::NotPositive { .. } });
        assert_eq!(reason, is_negative, "{row:?}");
    }
    assert!(terminal(&run).contains("there is no ratio"), "{}", terminal(&run));
}

#[test]
fn backends_are_compared_within_a_bracket_only() {
    let of = |a, b| compare(&Side::backend("r", &RUN, a).unwrap(), &Side::backend("r", &RUN, b).unwrap(), 0.01);
    // Both brackets hold both: each row's sides are of one.
    let both = of(EbpfTc, EbpfXdp);
    let compared: Vec<_> = both.rows.iter().filter(|row| row.ratio.is_some()).collect();
    assert_eq!(compared.len(), 4);
    assert!(compared.iter().all(|row| row.bracket == Bracket::Xdp && row.metric == Metric::Traversal));
    assert!(terminal(&both).contains(" xdp "), "{}", terminal(&both));
    let apart = of(IptablesLegacy, EbpfXdp);
    assert_eq!(added(&apart).len(), 4);
    for row in added(&apart) {
        let expected = Reason::Bracket { a: Bracket::Tc, b: Bracket::Xdp };
        assert_eq!(row.verdict, Verdict::NotComparable { reason: expected });
    }
    assert!(terminal(&apart).contains("bracket tc against xdp"), "{}", terminal(&apart));
}

#[test]
fn claims_are_judged_in_the_tc_bracket() {
    let mut alone = RUN.clone();
    alone.curves.retain(|curve| curve.key.axes.bracket.is_tc());
    let verdicts = |run: &RunFile| lbcurve::claims::json(&lbcurve::claims::judge(run)).unwrap();
    assert_eq!(verdicts(&RUN), verdicts(&alone));
}

#[test]
fn what_is_timed_in_the_xdp_bracket_says_so() {
    let page = html(&RUN).unwrap();
    let hero = between(&page, "<section class=\"hero\">", "</section>");
    assert!(between(hero, "<b>ebpf-xdp</b>", "</li>").contains("service last, XDP bracket"));
    assert!(!between(hero, "<b>ebpf-tc</b>", "</li>").contains("XDP bracket"));
    assert!(hero.contains("<small>last, sequential, XDP bracket</small>"));
}
