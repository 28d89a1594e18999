//! The lbcurve library: from a scenario to trials, curves and a report.
//!
//! Data flows one way: `scenario -> plan -> trials -> fits -> report`. See ARCHITECTURE.md for the map of the modules.

pub mod backend;
pub mod chain;
pub mod claims;
pub mod cli;
pub mod compare;
pub mod connections;
pub mod gate;
pub mod net;
pub mod preflight;
pub mod probe;
mod programs;
pub mod publication;
pub mod reach;
pub mod report;
pub mod result;
pub mod run;
mod stdout;
pub mod sys;
pub mod traffic;
pub mod usage;
pub mod venue;
pub mod whole;
pub mod workload;
