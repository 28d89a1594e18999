//! Throughput by Multiple Loss Ratio search (MLRsearch), and the maximum receive rate.
//!
//! [`search`] finds, for several goals at once, the largest load that a device carries well enough: it offers loads through a
//! [`Measurer`], in trials that are short and few far from the result, and long or many near it. What a load's trials make of it,
//! which bounds count and what the throughput is, is defined by draft-ietf-bmwg-mlrsearch-15 (the text of RFC 9971); every section
//! number in this module is of that draft. Which load is tried next, the draft leaves free; what is done here follows the ideas of
//! FD.io CSIT, whose two goals are [`SearchGoal::NDR`] and [`SearchGoal::PDR`].
//!
//! | rule | section | where |
//! |---|---|---|
//! | trial, load, duration, loss ratio, forwarding rate | 4.5 | [`Trial`], [`TrialOutcome`], [`TrialResult`] |
//! | goal and its attributes | 4.6 | [`SearchGoal`] |
//! | Min Load and Max Load | 4.6.8 | [`ControllerInput`] |
//! | lower bound, upper bound, undecided | 4.7.2, 6.1, appendix A | [`SearchGoal::classify`] |
//! | relevant bounds; an upper bound below a lower bound counts | 4.8.1, 4.8.2, 5.3.3 | [`RegularGoalResult`] |
//! | conditional throughput | 4.8.3, 6.2, appendix B | [`ConditionalThroughput`] |
//! | regular and irregular results | 4.8.4 | [`GoalResult`], [`Irregularity`] |
//! | smaller loads are measured first | 5.3.4 | [`search`] |
//! | a sender that cannot keep its rate | 4.9.1, 5.6.1 | [`Pace`], [`OfferLimit::Sender`] |
//!
//! A trial, here, is the draft's: one load for one duration. Many of them make one value of a cell.
//!
//! Where section 6.2 and appendix B differ (whether trials that are missing up to the Goal Duration Sum count in the conditional
//! throughput), appendix B is followed, to which the definition refers. Where tables 5 and 6 of appendix C contradict section 6.1 (they
//! call a load a lower bound of whose trials more than the Goal Exceed Ratio are high-loss), section 6.1 is.
//!
//! **A trial is invalid** where the sender did not keep its rate. The draft recommends in section 4.9.1 to find beforehand the load
//! that the tester can offer, and to use it as Max Load, or else to count what was not sent as lost. Here the first is done during the
//! search: an invalid trial is repeated twice, then its load and those above are withdrawn. So a limit of the sender is never taken
//! for one of the device; a goal that all remaining loads meet has an irregular result that says so.
//!
//! Nothing here does I/O; what `lbcurve` measures with it are paced trials (`harness/src/traffic/pace`).

mod classify;
mod controller;
mod database;
mod error;
mod goal;
mod grid;
mod input;
mod mrr;
mod output;
mod progress;
mod reach;
mod select;
mod throughput;
mod trial;
mod units;

pub use classify::LoadClassification;
pub use controller::search;
pub use error::{GoalAttribute, InputError, OutcomeError, SearchError};
pub use goal::SearchGoal;
pub use input::{Budget, ControllerInput};
pub use mrr::{MaximumReceiveRate, mrr};
pub use output::{
    Budgeted, ControllerOutput, GoalResult, IrregularGoalResult, Irregularity, OfferLimit, RegularGoalResult,
};
pub use throughput::ConditionalThroughput;
pub use trial::{Measurer, Pace, Trial, TrialOutcome, TrialResult};
pub use units::{PacketsPerSecond, Ratio, Width};
