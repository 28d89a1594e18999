//! A small plotting module: log-log lines with bands as inline SVG, coloured by `templates/plot.css`.

mod canvas;
mod chart;
mod geometry;
mod labels;
mod marker;
mod scale;
mod standalone;

pub(super) use chart::{Across, Chart, Drawing, Mark, Series, render};
pub(super) use marker::STYLES;
pub(super) use standalone::standalone;
