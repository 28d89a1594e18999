//! Compares two runs, or two kernels or backends within one, cell by cell: ratio, interval, verdict. Pure: from two
//! [`crate::result::RunFile`]s to text.
//!
//! `side` selects what is compared, `pairing` puts equal cells of both sides together, `judge` tests them,
//! `comparison` holds the outcome, and `terminal` and `markdown` render it.

mod caution;
mod comparison;
mod entry;
mod judge;
mod markdown;
mod pairing;
mod quantity;
mod side;
mod terminal;
mod verdict;
mod words;

pub use caution::Caution;
pub use comparison::{COMPARISON_SCHEMA_VERSION, Comparison, Mean, Row, Summary, compare};
pub use judge::ALPHA;
pub use markdown::markdown;
pub use quantity::{Quantity, Scale};
pub use side::{CompareError, Compared, Measured, Side, SideLabel};
pub use terminal::terminal;
pub use verdict::{Letter, Reason, Verdict};
