//! The index of published runs: a table between markers, newest first.

use super::marked::{MarkError, between, replace};
use super::words::{Subject, class, main_curves};
use crate::report::growth::{Growth, growths};
use crate::result::{Flow, KernelUnderTest, RunFile, VenueKind, flow_words, name};
use crate::workload::VipLayout;

/// Name of the markers in `results/README.md`.
const MARK: &str = "runs";
const HEAD: &str = "| run | kernels | preset | new flows, worst position |\n|---|---|---|---|";

/// A run in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    folder: String,
    text: String,
}

impl Row {
    /// The row of `run`, which is published in `folder`.
    #[must_use]
    pub fn new(run: &RunFile, folder: &str) -> Self {
        let environment = &run.environment;
        let emulated = |kernel: &KernelUnderTest| if kernel.emulated { " (emulated)" } else { "" };
        let kernels = environment.kernels.iter().map(|kernel| format!("{}{}", kernel.release, emulated(kernel)));
        let kernels: Vec<_> = kernels.collect();
        let preset = run.plan.preset.as_deref().unwrap_or("");
        let cells = [format!("[{folder}]({folder}/README.md)"), kernels.join(", "), preset.to_owned(), headlines(run)];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        Self { folder: folder.to_owned(), text: format!("| {} |", cells.join(" | ")) }
    }

    /// A line of the table, if it is one.
    fn parse(line: &str) -> Option<Self> {
        let (folder, _) = line.strip_prefix("| [")?.split_once(']')?;
        Some(Self { folder: folder.to_owned(), text: line.to_owned() })
    }
}

/// `index` with `row` in its table: in place of the same folder's, the others as they are.
///
/// # Errors
/// The index has no markers.
pub fn index(index: &str, row: Row) -> Result<String, MarkError> {
    let mut rows: Vec<_> = between(index, MARK)?.lines().filter_map(Row::parse).collect();
    rows.retain(|other| other.folder != row.folder);
    rows.push(row);
    rows.sort_by(|a, b| b.folder.cmp(&a.folder));
    let rows: Vec<_> = rows.into_iter().map(|row| row.text).collect();
    replace(index, MARK, &format!("{HEAD}\n{}", rows.join("\n")))
}

/// By single packets, and where the run has rates by the first of them: without loss before with some, and packets before connections.
fn headlines(run: &RunFile) -> String {
    let growths = growths(run);
    let Some(first) = growths.first() else { return headline(run) };
    let alike = growths.iter().filter(|growth| growth.rate == first.rate && growth.axes.backend.balances());
    let alike: Vec<_> = alike.map(|growth| (growth, axes(growth))).collect();
    let Some((_, of_first)) = alike.first() else { return headline(run) };
    // What the column's heading says needs no words.
    let usual = [None, Some(flow_words(Flow::New, None)), None, None, None, Some(WORST.to_owned())];
    let is_usual = |axis: usize, words: &String| words == usual[axis].as_ref().unwrap_or(&of_first[axis]);
    let differs = |axis: &usize| alike.iter().any(|(_, other)| !is_usual(*axis, &other[*axis]));
    let subject = |(growth, axes): &(&Growth<'_>, [String; AXES])| {
        let others = (0..AXES).filter(differs).map(|axis| axes[axis].as_str());
        [&*growth.axes.subject()].into_iter().chain(others).collect::<Vec<_>>().join(", ")
    };
    let words = alike.iter().map(|growth| format!("{}: {}", subject(growth), growth.0.fit.label()));
    let words: Vec<_> = words.collect();
    let parts = [headline(run), format!("By {}: {}", first.rate, words.join(". "))];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(". ")
}

const AXES: usize = 6;
const WORST: &str = "worst position";

/// What tells curves of one rate and backend apart; only what differs in the run is said. Each backend has its own worst position.
fn axes(growth: &Growth<'_>) -> [String; AXES] {
    let axes = growth.axes;
    let is_worst = axes.position == axes.backend.worst_position();
    [
        format!("{} {}", growth.venue, axes.kernel),
        flow_words(axes.flow, growth.new_share),
        format!("{} VIPs", name(&axes.layout)),
        name(&axes.protocol).to_uppercase(),
        format!("M = {}", axes.endpoints),
        if is_worst { WORST.to_owned() } else { name(&axes.position) },
    ]
}

/// Each backend's class, kernel by kernel where they differ.
fn headline(run: &RunFile) -> String {
    let curves = main_curves(run);
    let mut subjects: Vec<_> = curves.iter().map(|curve| Subject::of(curve)).collect();
    subjects.sort();
    subjects.dedup();
    let of = |subject: &Subject| {
        let curves = curves.iter().filter(|curve| Subject::of(curve) == *subject);
        let mut classes: Vec<(String, Vec<String>)> = Vec::new();
        for curve in curves {
            let venue = match curve.key.axes.venue {
                VenueKind::Host => "host ",
                VenueKind::Sim => "sim ",
                VenueKind::Vm => "",
            };
            let place = format!("{venue}{}", curve.key.axes.kernel);
            match classes.iter_mut().find(|(found, _)| *found == class(curve)) {
                Some((_, places)) => places.push(place),
                None => classes.push((class(curve), vec![place])),
            }
        }
        let words: Vec<_> = match classes.as_slice() {
            [(class, _)] => vec![class.clone()],
            _ => classes.iter().map(|(class, places)| format!("{class} on {}", places.join(", "))).collect(),
        };
        format!("{}: {}", subject.title(), words.join("; "))
    };
    // The layouts other than sequential are IPVS's own story; the folder's README tells it.
    let main =
        subjects.iter().filter(|s| s.layout == VipLayout::Sequential || s.backend == crate::result::BackendKind::Ipvs);
    main.map(of).collect::<Vec<_>>().join(". ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_replaced_and_newest_first() {
        let row =
            |folder: &str, rest: &str| Row::parse(&format!("| [{folder}]({folder}/README.md) | {rest} |")).unwrap();
        let empty = "# Results\n<!-- runs -->\n<!-- /runs -->\nafter\n";
        let one = index(empty, row("2026-01-01-6.1", "a")).unwrap();
        let two = index(&one, row("2026-02-01-6.1", "b")).unwrap();
        let text = index(&two, row("2026-01-01-6.1", "c")).unwrap();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| [")).collect();
        assert_eq!(rows, [row("2026-02-01-6.1", "b").text, row("2026-01-01-6.1", "c").text]);
        assert!(text.starts_with("# Results\n") && text.ends_with("\nafter\n"));
    }
}
