//! Scenario -> plan -> trials.
