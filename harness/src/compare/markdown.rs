//! A comparison as Markdown for a pull request: what changed first, the rest folded.

use super::comparison::{Comparison, Row};
use super::words::{self, Axes};

/// Renders a comparison as GitHub's Markdown.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("### lbcurve compare: {}\n\n", words::summary(comparison));
    for (letter, label) in [("A", &comparison.a), ("B", &comparison.b)] {
        text += &format!("- {}\n", escape(&words::side(letter, label)));
    }
    text += &format!("\n{}\n\n", escape(&words::method(comparison)));
    for (place, rows) in words::by_place(comparison) {
        let title = escape(&words::place(place));
        let (changed, same): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.verdict.is_change());
        if !changed.is_empty() {
            text += &format!("**{title}: changed**\n\n{}\n", cells(comparison, &changed));
        }
        if !same.is_empty() {
            text += &folded(&format!("{title}: no change ({})", same.len()), &cells(comparison, &same));
        }
    }
    text += &means(comparison);
    let not = words::not_comparable(comparison);
    if !not.is_empty() {
        text += &folded(&format!("Not comparable ({})", comparison.summary.not_comparable), &list(&not));
    }
    let cautions: Vec<_> = comparison.cautions.iter().map(ToString::to_string).collect();
    if !cautions.is_empty() {
        text += &format!("**Before believing it**\n\n{}\n", list(&cautions));
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn cells(comparison: &Comparison, rows: &[&Row]) -> String {
    let axes = Axes::of(comparison, rows);
    let lines = rows.iter().map(|row| words::line(&axes, row)).collect::<Vec<_>>();
    table(&words::head(&axes), &lines, axes.head().len())
}

fn means(comparison: &Comparison) -> String {
    if comparison.means.is_empty() {
        return String::new();
    }
    let (head, lines, numbers) = words::means(comparison);
    format!("**Geometric mean over cells**\n\n{}\n", table(&head, &lines, numbers))
}

/// Columns from `numbers` on are aligned right, but for the verdict.
fn table(head: &[String], lines: &[Vec<String>], numbers: usize) -> String {
    let right = |index: usize| index >= numbers && head[index] != "verdict";
    let rule: Vec<_> = (0..head.len()).map(|index| if right(index) { "---:" } else { "---" }.to_owned()).collect();
    let mut text = String::new();
    for line in [head, &rule].into_iter().chain(lines.iter().map(Vec::as_slice)) {
        let cells: Vec<_> = line.iter().map(|cell| escape(cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

fn folded(title: &str, content: &str) -> String {
    format!("<details><summary>{title}</summary>\n\n{content}\n</details>\n\n")
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}\n", escape(line))).collect()
}

/// Names and reasons come from files: nothing in them may end a cell or open a tag.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
    escaped.replace('[', "\\[").replace(['\n', '\r'], " ")
}
