//! Renders a run: terminal table and self-contained HTML. Pure: from a [`crate::result::RunFile`] to text.

mod html;
pub mod number;
mod plot;
mod programming;
mod select;
mod skipped;
mod terminal;

pub use html::{ReportError, html};
pub use terminal::table;
