//! A comparison as plain text.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};

use super::comparison::Comparison;
use super::words::{self, Axes};

/// Columns of spaces and one line under the head, as the report's table has.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('-').junction('-'))
    .content_lines(ContentLineStyle::none().junction(' '));

/// Renders a comparison as plain text of any width, ending in a line feed.
#[must_use]
pub fn terminal(comparison: &Comparison) -> String {
    let mut text = format!("{}\n{}\n", words::side("A", &comparison.a), words::side("B", &comparison.b));
    text += &format!("{}\n\n", words::method(comparison));
    for (place, rows) in words::by_place(comparison) {
        let axes = Axes::of(comparison, &rows);
        let lines = rows.iter().map(|row| words::line(&axes, row)).collect();
        section(&mut text, &words::place(place), words::head(&axes), lines, axes.head().len());
    }
    if !comparison.means.is_empty() {
        let (head, lines, numbers) = words::means(comparison);
        section(&mut text, "Geometric mean over cells", head, lines, numbers);
    }
    list(&mut text, "Not comparable", &words::not_comparable(comparison));
    list(&mut text, "Before believing it", &comparison.cautions.iter().map(ToString::to_string).collect::<Vec<_>>());
    text + &words::summary(comparison) + "\n"
}

/// A titled table; columns from `numbers` on are aligned right, but for the verdict.
fn section(text: &mut String, title: &str, head: Vec<String>, lines: Vec<Vec<String>>, numbers: usize) {
    let mut table = Table::new();
    let verdict = head.iter().position(|column| column == "verdict");
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for (index, column) in table.column_iter_mut().enumerate().skip(numbers) {
        let alignment = if Some(index) == verdict { CellAlignment::Left } else { CellAlignment::Right };
        column.set_cell_alignment(alignment);
    }
    for line in lines {
        table.add_row(line);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{title}\n{}\n", table.trim_fmt());
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(text, "{title}\n  {}\n", lines.join("\n  "));
    }
}
