//! A small plotting module: log-log lines with bands as inline SVG, coloured by the page's style sheet.

mod chart;
mod labels;
mod marker;
mod scale;

pub(super) use chart::{Chart, Drawing, Mark, Series, render};
