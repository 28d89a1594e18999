//! A summary for a pull request or a README.

use std::fmt::Write;

use super::number::{self, Medium};
use super::select::{Panel, main_panels, panels, sizes, verdict_curves};
use super::step_cost::{COLUMNS as STEP_COLUMNS, INTRO, TITLE, Words, rule, step_costs};
use super::{cluster, connections, fairness, fit, growth, loaded, memory, node_cpu, rates, reachability};
use crate::result::{Curve, Metric, RunFile, name};
use crate::workload::VipLayout;

const MEDIUM: Medium = Medium::Terminal;

/// Columns of N that fit a pull request's page.
const COLUMNS: usize = 6;

/// Verdicts, medians and the command as Markdown (GitHub's tables), ending in a line feed.
#[must_use]
pub fn markdown(run: &RunFile) -> String {
    let mut text = String::from("### lbcurve: what service load balancing adds\n");
    let by_panel = panels(run, Metric::Added);
    let main = main_panels(&by_panel.keys().copied().collect::<Vec<_>>());
    for panel in &main {
        let curves = by_panel.get(panel).map(|curves| verdict_curves(curves)).unwrap_or_default();
        let curves: Vec<_> = curves.into_iter().filter(|curve| curve.key.axes.backend.balances()).collect();
        if !curves.is_empty() {
            table(&mut text, panel, &curves);
        }
    }
    if main.is_empty() {
        text.push_str("\nThe run has no curve of what a backend adds.\n");
    }
    expected(&mut text, run);
    rate_table(&mut text, run);
    explained(
        &mut text,
        "CPU time of the node",
        node_cpu::INTRO,
        &node_cpu::columns(),
        node_cpu::WORDS,
        node_cpu::rows(run, MEDIUM),
    );
    loaded_table(&mut text, run);
    connection_tables(&mut text, run);
    explained(
        &mut text,
        "Growth by the rates",
        growth::INTRO,
        &growth::columns(),
        growth::WORDS,
        growth::rows(run, MEDIUM),
    );
    fairness_table(&mut text, run);
    memory_tables(&mut text, run);
    reachability_table(&mut text, run);
    step_table(&mut text, run);
    cautions(&mut text, run);
    let _ = writeln!(text, "\nReproduce: {}", code(&run.environment.command));
    text
}

fn table(text: &mut String, panel: &Panel<'_>, curves: &[&Curve]) {
    let sizes = few(sizes(curves));
    let unit = panel.unit;
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "\n**{}**: median of node traversal minus that of plain routing with conntrack, in {unit}.\n",
        plain(&panel.title())
    );
    let columns: String =
        sizes.iter().map(|size| format!(" N = {} |", number::count(u64::from(*size), MEDIUM))).collect();
    let _ = writeln!(text, "| backend | service | class | per service [95%] |{columns}");
    let _ = writeln!(text, "|---|---|---|--:|{}", "--:|".repeat(sizes.len()));
    for curve in curves {
        let key = &curve.key;
        let layout = if key.axes.layout == VipLayout::Sequential {
            String::new()
        } else {
            format!(", {} VIPs", name(&key.axes.layout))
        };
        let values: String = sizes.iter().map(|size| format!(" {} |", median(curve, *size))).collect();
        let (backend, position, class) = (name(&key.axes.backend), name(&key.axes.position), fit::label(&curve.fit));
        let slope = number::slope(&curve.fit, MEDIUM);
        let _ = writeln!(text, "| {backend}{layout} | {position} | **{class}** | {slope} |{values}");
    }
}

/// What a first packet of an imported cluster costs.
fn expected(text: &mut String, run: &RunFile) {
    let Some(origin) = &run.plan.cluster else { return };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n**Expected cost of a first packet, {}**: {}\n", plain(&origin.file), cluster::EXPECTED);
    let columns = cluster::columns();
    rows_under(text, &columns, columns.len(), run.expected.iter().map(|cost| cluster::row(run, cost, MEDIUM)));
    if run.connections.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**Connections, {}**: {}\n", plain(&origin.file), cluster::CONNECTED);
    let columns = cluster::connection_columns();
    rows_under(text, &columns, columns.len(), cluster::connection_rows(run, MEDIUM));
}

/// Searched rates, and what is to be said of them.
fn rate_table(text: &mut String, run: &RunFile) {
    if run.rates.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**Rates that are carried**, packets a second: medians over searches.\n");
    let points = || run.rates.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
    let rows = points().map(|(key, point)| rates::row(key, point, MEDIUM));
    rows_under(text, &rates::columns(), rates::WORDS, rows);
    for note in points().filter_map(|(key, point)| rates::notes(key, point, MEDIUM)) {
        let _ = writeln!(text, "\n{}", plain(&note));
    }
}

/// Kernel memory of what was programmed, a table a venue and kernel.
fn memory_tables(text: &mut String, run: &RunFile) {
    for ((venue, kernel), lines) in memory::by_place(run) {
        let place = format!("{}, kernel {kernel}", name(&venue));
        let _ = writeln!(text, "\n**Kernel memory, {}**: {}\n", plain(&place), plain(memory::INTRO));
        let sizes = memory::sizes(&lines);
        let rows = lines.iter().map(|line| line.row(&sizes, MEDIUM));
        rows_under(text, &memory::columns(&sizes, MEDIUM), memory::WORDS, rows);
    }
}

/// A table under its title and what it shows; nothing without a row.
fn explained(text: &mut String, title: &str, intro: &str, columns: &[&str], words: usize, rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        let _ = writeln!(text, "\n**{title}**: {}\n", plain(intro));
        rows_under(text, columns, words, rows);
    }
}

/// A table whose first `words` columns hold words.
fn rows_under<T: AsRef<str>>(
    text: &mut String,
    columns: &[T],
    words: usize,
    rows: impl IntoIterator<Item = Vec<String>>,
) {
    let head: Vec<_> = columns.iter().map(|column| plain(column.as_ref())).collect();
    let rule = "---|".repeat(words) + &"--:|".repeat(columns.len() - words);
    let _ = writeln!(text, "| {} |\n|{rule}", head.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join(" | "));
    }
}

/// Latency under load, and what is to be said of it.
fn loaded_table(text: &mut String, run: &RunFile) {
    if run.loaded.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**Latency under load**, {}.\n", loaded::WHAT);
    let rows = run.loaded.iter().map(|entry| loaded::row(entry, MEDIUM));
    rows_under(text, &loaded::columns(), loaded::WORDS, rows);
    for note in run.loaded.iter().filter_map(|entry| loaded::notes(entry, MEDIUM)) {
        let _ = writeln!(text, "\n{}", plain(&note));
    }
}

/// Real connections, a table a load.
fn connection_tables(text: &mut String, run: &RunFile) {
    let mut curves: Vec<_> = run.connections.iter().collect();
    curves.sort_by_key(|curve| (curve.key.load, &curve.key));
    for alike in curves.chunk_by(|a, b| a.key.load == b.key.load) {
        let Some(first) = alike.first() else { continue };
        let _ =
            writeln!(text, "\n**Real connections, {}**: medians over trials.\n", plain(&connections::load(&first.key)));
        let points = alike.iter().flat_map(|curve| curve.points.iter().map(|point| (&curve.key, point)));
        let rows = points.map(|(key, point)| connections::row(run, key, point, MEDIUM));
        rows_under(text, &connections::columns(), connections::WORDS, rows);
        for note in alike.iter().flat_map(|curve| connections::notes(&curve.key, &curve.points)) {
            let _ = writeln!(text, "\n{}", plain(&note));
        }
    }
}

/// How flows were spread, and what a change of endpoints did to them.
fn fairness_table(text: &mut String, run: &RunFile) {
    if run.fairness.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**Fairness**: how flows were spread, and what a change of endpoints did to them.\n");
    let rows = run.fairness.iter().map(|summary| fairness::row(summary, MEDIUM));
    rows_under(text, &fairness::columns(), fairness::WORDS, rows);
}

/// What came back from ClusterIPs and a load balancer's address.
fn reachability_table(text: &mut String, run: &RunFile) {
    if run.reachability.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**Reachability**: {}\n", plain(reachability::INTRO));
    let rows = reachability::rows(&run.reachability, MEDIUM);
    rows_under(text, &reachability::columns(), reachability::WORDS, rows);
}

/// What a step costs, where the run has cells that tell it.
fn step_table(text: &mut String, run: &RunFile) {
    let found = step_costs(run);
    if found.costs.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**{TITLE}**: {INTRO}\n");
    let _ = writeln!(text, "| {} |\n|---|---|---|---|{}---|", STEP_COLUMNS.join(" | "), "--:|".repeat(6));
    for cost in &found.costs {
        let _ = writeln!(text, "| {} |", Words::of(cost, MEDIUM).columns().map(|value| plain(&value)).join(" | "));
    }
    let _ = writeln!(text, "\n{}", plain(&rule()));
    for line in found.left_out_in_words() {
        let _ = writeln!(text, "{}", plain(&line));
    }
}

/// The smallest and the largest N, and some evenly between them.
fn few(sizes: Vec<u32>) -> Vec<u32> {
    if sizes.len() <= COLUMNS {
        return sizes;
    }
    let last = sizes.len() - 1;
    (0..COLUMNS).filter_map(|column| sizes.get(column * last / (COLUMNS - 1)).copied()).collect()
}

fn median(curve: &Curve, services: u32) -> String {
    curve.points.iter().find(|point| point.services == services).map_or_else(String::new, |point| {
        let flag = if point.suspect.is_some() { " (!)" } else { "" };
        number::value(point.p50, curve.key.unit, MEDIUM) + flag
    })
}

fn cautions(text: &mut String, run: &RunFile) {
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let cautions: Vec<_> = [
        counted(run.warnings.len(), "warning", "warnings"),
        counted(run.skipped.len(), "cell not measured", "cells not measured"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !cautions.is_empty() {
        let _ = writeln!(text, "\n{}: the report says why.", cautions.join(", "));
    }
}

/// Text that no character of turns into markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' => plain.extend(['\\', character]),
            control if control.is_control() => plain.push(' '),
            '\u{a0}' | '\u{202f}' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

/// Text as code: its fence is longer than any run of backticks inside.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(plain("6.1|<b>*x*\n"), "6.1\\|\\<b\\>\\*x\\* ");
        assert_eq!(code("a `b` c"), "`` a `b` c ``");
        assert_eq!(code("lbcurve run"), "`lbcurve run`");
    }

    #[test]
    fn many_sizes_keep_their_ends() {
        let sizes: Vec<u32> = (0..9).map(|exponent| 3_u32.pow(exponent)).collect();
        let shown = few(sizes.clone());
        assert_eq!((shown.len(), shown.first(), shown.last()), (COLUMNS, sizes.first(), sizes.last()));
        assert!(shown.is_sorted_by(|a, b| a < b));
    }
}
