//! The rates of a published run: packets and connections a second over N.

use curve_stats::{median, spread};

use super::words::{row, services};
use crate::report::growth::{Growth, LEFT_OUT, growths};
use crate::report::number::{self, Medium};
use crate::result::{RunFile, flow_words, name};

/// A table of every rate that was found at two N or more; empty where there is none.
pub(super) fn rates(run: &RunFile) -> String {
    let growths = growths(run);
    if growths.is_empty() {
        return String::new();
    }
    let mut sizes: Vec<u32> = growths.iter().flat_map(|growth| growth.rates.iter().map(|(n, _)| *n)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let heading = [
        "where",
        "a second",
        "flows",
        "backend",
        "layout",
        "protocol",
        "M",
        "position",
        "class",
        "ns per service [95%]",
    ];
    let columns = heading.map(str::to_owned).into_iter().chain(sizes.iter().map(|&n| format!("N = {}", services(n))));
    let mut text = row(&columns.collect::<Vec<_>>());
    text += &format!("\n|{}", "---|".repeat(heading.len() + sizes.len()));
    growths.iter().for_each(|growth| text += &row(&cells(growth, &sizes)));
    format!(
        "## Rates\n\nPackets and connections a second: medians over trials, with their interval. {LEFT_OUT} Class and slope are of the time from one to the next.\n{text}"
    )
}

fn cells(growth: &Growth<'_>, sizes: &[u32]) -> Vec<String> {
    let axes = growth.axes;
    let mut cells = vec![
        format!("{} {}", growth.venue, axes.kernel),
        growth.rate_words(),
        flow_words(axes.flow, growth.new_share),
        axes.subject(),
        name(&axes.layout),
        name(&axes.protocol),
        axes.endpoints.to_string(),
        name(&axes.position),
        growth.fit.label(),
        number::slope(&growth.fit, Medium::Terminal),
    ];
    let at = |n: &u32| growth.rates.iter().find(|(services, _)| services == n).and_then(|(_, rates)| rate(rates));
    cells.extend(sizes.iter().map(|n| at(n).unwrap_or_default()));
    cells
}

/// `249,000 [240,000, 255,000]`.
fn rate(rates: &[f64]) -> Option<String> {
    let show = |value| number::significant(value, 4, Medium::Terminal);
    let (middle, spread) = (median(rates).ok()?, spread(rates).ok()?);
    Some(format!("{} [{}, {}]", show(middle), show(spread.low()), show(spread.high())))
}
