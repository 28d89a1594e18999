//! The README of a published run: its reading in words and tables.

use std::collections::BTreeMap;

use super::rates::rates;
use super::words::{Place, Subject, class, main_curves, median, row, sentence, services, slope};
use crate::claims::{Figure, SOURCE, Verdict, judge};
use crate::report::number::{self, Medium};
use crate::result::{Curve, RunFile, VenueKind, name};

/// Everything that a reader needs before he opens the report. `trials` is the name of the file of trials beside it.
#[must_use]
pub fn readme(run: &RunFile, folder: &str, trials: &str) -> String {
    let parts = [
        format!(
            "# {folder}\n\nWhat service load balancing adds to a packet's way through a node, read off `run.json`."
        ),
        "![What each backend adds over the number of services](added.svg)".to_owned(),
        verdicts(run),
        claims(run),
        figures(run),
        rates(run),
        kernels(run),
        environment(run),
        cautions(run),
        format!(
            "## Files\n\n| file | holds |\n|---|---|\n| `report.html` | the report, self-contained |\n| `run.json` | curves, fits, distributions; sealed |\n\
             | `{trials}` | every trial |\n| `manifest.json` | environment and plan |\n| `added.svg` | the plot above |\n\nReproduce: `{}`",
            run.environment.command
        ),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// One sentence a backend and kernel.
fn verdicts(run: &RunFile) -> String {
    let mut text = "## Verdicts\n\n`added` is traversal minus that of plain routing with conntrack, paired by trial; new flows, each \
                    backend at its worst position."
        .to_owned();
    for (place, curves) in by_place(run) {
        text += &format!("\n\n{}:\n", place.title(&run.environment));
        for curve in curves {
            text += &format!("\n- {}", sentence(curve));
        }
    }
    text
}

/// The claims under test and what this run says of them.
fn claims(run: &RunFile) -> String {
    let judgements = judge(run);
    if judgements.is_empty() {
        return String::new();
    }
    let mut text = format!("## Claims\n\nFrom {SOURCE}.\n\n| claim | where | verdict | figures |\n|---|---|---|---|");
    for judgement in judgements {
        let place = judgement.scope.as_ref().map_or_else(|| "anywhere".to_owned(), ToString::to_string);
        let figures = judgement.figures.iter().map(|figure| told_apart(figure, &judgement.figures));
        let (verdict, missing) = match &judgement.verdict {
            Verdict::NotMeasured { reason } => ("not measured".to_owned(), Some(reason.clone())),
            other => (other.to_string(), None),
        };
        // Behind what cannot be told stands what can.
        let why = missing.into_iter().chain([judgement.reason.clone()]);
        let words: Vec<_> = why.chain(figures).filter(|words| !words.is_empty()).collect();
        text += &row(&[judgement.claim.to_string(), place, format!("**{verdict}**"), words.join("; ")]);
    }
    text
}

/// A figure, with its cells where another of the claim has its name: rates of several sources do.
fn told_apart(figure: &Figure, all: &[Figure]) -> String {
    let is_alone = all.iter().filter(|other| other.what == figure.what).count() == 1;
    if is_alone { figure.to_string() } else { format!("{figure} ({})", figure.cells) }
}

/// Class, slope and every median.
fn figures(run: &RunFile) -> String {
    let mut text = "## Figures".to_owned();
    for (place, curves) in by_place(run) {
        let mut sizes: Vec<u32> = curves.iter().flat_map(|curve| curve.points.iter().map(|p| p.services)).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let columns: Vec<_> = sizes.iter().map(|&n| format!("N = {}", services(n))).collect();
        let heading = ["backend", "position", "class", "per service [95%]"].map(str::to_owned);
        text += &format!("\n\n{}: medians of `added`\n", place.title(&run.environment));
        text += &row(&[&heading[..], &columns].concat());
        text += &format!("\n|{}", "---|".repeat(heading.len() + columns.len()));
        for curve in curves {
            let cells = [Subject::of(curve).title(), name(&curve.key.axes.position), class(curve), slope(curve)];
            let medians = sizes.iter().map(|&n| median(curve, n).unwrap_or_default()).collect::<Vec<_>>();
            text += &row(&[&cells[..], &medians].concat());
        }
    }
    text
}

/// Each backend over the kernels of the vm, against the first of them, at the largest N that both have.
fn kernels(run: &RunFile) -> String {
    let mut subjects: BTreeMap<_, Vec<&Curve>> = BTreeMap::new();
    for curve in main_curves(run).into_iter().filter(|curve| curve.key.axes.venue == VenueKind::Vm) {
        let key = &curve.key;
        subjects.entry((Subject::of(curve), key.axes.protocol, key.axes.endpoints, key.unit)).or_default().push(curve);
    }
    let mut text = String::new();
    for ((subject, protocol, endpoints, _), mut curves) in subjects {
        let order =
            |curve: &Curve| run.environment.kernels.iter().position(|kernel| kernel.release == curve.key.axes.kernel);
        curves.sort_by_key(|curve| order(curve));
        let Some((first, others)) = curves.split_first() else { continue };
        for other in others {
            let Some((n, ratio)) = against(first, other) else { continue };
            let what = format!("{}, {}, M = {endpoints}", subject.title(), name(&protocol).to_uppercase());
            let cells = [what, first.key.axes.kernel.clone(), other.key.axes.kernel.clone(), services(n), ratio];
            let classes = [slope(first), slope(other)].map(|slope| format!("{slope} {}", first.key.unit));
            text += &row(&[&cells[..], &classes].concat());
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "## Kernels\n\nThe same packets on each; the ratio is of the median `added`, second kernel over first.\n\n\
         | backend | first | second | N | ratio | per service, first | per service, second |\n|---|---|---|---|---|---|---|{text}"
    )
}

/// The largest N of both curves and the second's `added` over the first's there.
fn against(first: &Curve, second: &Curve) -> Option<(u32, String)> {
    let a =
        first.points.iter().rev().find(|point| second.points.iter().any(|other| other.services == point.services))?;
    let b = second.points.iter().find(|point| point.services == a.services)?;
    let show = |value| number::significant(value, 4, Medium::Terminal);
    let text = match curve_stats::ratio(&a.values, &b.values) {
        Ok(found) => format!("{} [{}, {}]", show(found.ratio), show(found.spread.low()), show(found.spread.high())),
        // What adds nothing has no ratio.
        Err(error) => format!("none: {error}"),
    };
    Some((a.services, text))
}

fn environment(run: &RunFile) -> String {
    let environment = &run.environment;
    let mut text = "## Environment\n\n| | |\n|---|---|".to_owned();
    let gibibytes = number::significant(environment.memory_bytes as f64 / f64::from(1 << 30), 3, Medium::Terminal);
    let machine = format!("{} CPUs ({}), {gibibytes} GiB", environment.cpus, environment.cpu_model);
    for kernel in &environment.kernels {
        let emulated = if kernel.emulated { " of an emulated machine" } else { "" };
        let what = format!("{} ({}), in {}{emulated}", kernel.release, kernel.version, kernel.unit);
        text += &row(&[format!("kernel, {}", name(&kernel.venue)), what]);
    }
    let virtualisation = environment.virtualisation.clone().unwrap_or_else(|| "none seen".to_owned());
    let (version, date) = (environment.lbcurve_version.clone(), environment.date.clone());
    let rest =
        [("machine", machine), ("virtualisation", virtualisation), ("distribution", environment.distribution.clone())];
    let before = environment.preflight.iter().map(|preflight| ("before host trials", preflight.to_string()));
    let last = [("lbcurve", version), ("ended", date), ("seed", run.plan.seed.to_string())];
    let rest = rest.into_iter().chain(before).chain(last);
    rest.for_each(|(what, value)| text += &row(&[what.to_owned(), value]));
    text
}

/// What weakens the reading.
fn cautions(run: &RunFile) -> String {
    let warnings = run.warnings.iter().map(|warning| format!("\n- {warning}"));
    let skipped = run.skipped.iter().map(|skipped| format!("\n- not measured: {}: {}", skipped.cell, skipped.reason));
    let lines: String = warnings.chain(skipped).collect();
    if lines.is_empty() { lines } else { format!("## Cautions\n{lines}") }
}

fn by_place(run: &RunFile) -> BTreeMap<Place<'_>, Vec<&Curve>> {
    let mut places = BTreeMap::<_, Vec<_>>::new();
    main_curves(run).into_iter().for_each(|curve| places.entry(Place::of(curve)).or_default().push(curve));
    places
}
