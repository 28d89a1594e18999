//! Scenario -> plan -> trials.

pub mod decide;
pub mod execute;
pub mod guard;
pub mod import;
pub mod manifest;
pub mod measure;
pub mod noise;
pub mod offer;
pub mod plan;
mod planner;
pub mod progress;
pub mod record;
pub mod scenario;
pub mod store;
