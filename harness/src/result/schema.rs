//! JSON schemas of the files, generated from the types.

use schemars::{Schema, schema_for};

use super::{RunFile, TrialRecord};
use crate::compare::Comparison;

/// Schema of `run.json`.
#[must_use]
pub fn run() -> Schema {
    schema_for!(RunFile)
}

/// Schema of one line of `trials.jsonl`.
#[must_use]
pub fn trial() -> Schema {
    schema_for!(TrialRecord)
}

/// Schema of `lbcurve compare --format json`.
#[must_use]
pub fn comparison() -> Schema {
    schema_for!(Comparison)
}
