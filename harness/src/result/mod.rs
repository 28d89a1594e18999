//! What a run leaves behind: `trials.jsonl` (one [`TrialRecord`] a line) and `run.json` ([`RunFile`]).

mod assemble;
mod axes;
mod cell;
mod connections;
mod contradiction;
mod curve;
mod decisions;
mod distribution;
mod estimate;
mod expected;
mod fairness;
mod histogram;
mod jsonl;
mod load;
mod loaded;
mod loaded_check;
mod manifest;
mod merge;
mod new_share;
mod node_cpu;
mod packet_size;
mod position;
mod preflight;
mod rate;
mod rate_check;
mod rate_curve;
mod reachability;
mod read;
mod run_file;
mod sample;
pub mod schema;
mod screen;
mod seal;
mod state_memory;
mod trial;
mod validate;

pub use assemble::{AssembleError, Recorded, assemble, assemble_records, noise_floor};
pub use axes::{BackendKind, Bracket, Flow, Metric, Unit, VenueKind, name};
pub use cell::{Axes, Cell, subject};
pub use connections::{
    ConnectionCpu, ConnectionCurve, ConnectionKey, ConnectionPoint, ConnectionRecord, ConntrackUse, ExchangeCpu,
    FailureKind, KEPT_RATE, Percentiles, ThreadCpu, Times, connection_curves,
};
pub use contradiction::Contradiction;
pub use curve::{Curve, CurveKey, Integrity, Point};
pub use decisions::{DecisionRecord, DecisionSummary, Reached, ReachedError, count, encode_reached, summarise};
pub use distribution::{Distribution, QuantileValue};
pub use estimate::Estimate;
pub use expected::{ExpectedCost, ExpectedKey};
#[cfg(test)]
pub(crate) use fairness::record as fairness_record;
pub use fairness::{
    CLIENTS, EndpointChange, Existing, FLOWS_A_CLIENT, FairnessFault, FairnessRecord, FairnessSummary, LEVEL_OF_TESTS,
    NewFlows, Promise, Spread as FlowSpread, Spreading, summarise_fairness,
};
pub use histogram::{HistogramError, decode_histogram, encode_histogram};
pub use jsonl::{JsonlError, JsonlWriter, Lines, RecordStream, Records, parse_jsonl, read_jsonl, stream_jsonl};
pub use load::{ConnectionLoad, ConnectionLoadError, MOST_A_SECOND, MOST_AT_A_TIME, ReuseMode};
#[cfg(test)]
pub(crate) use loaded::tests::{loaded_record, search as loaded_search};
pub use loaded::{LagBound, LatencyRecord, LoadedLatency, LoadedRecord, loaded_latencies};
pub use loaded_check::LoadedFault;
pub use manifest::{Environment, KernelUnderTest, Manifest, Plan, PlannedCell, SkippedCell};
pub use merge::{MergeError, MergedHistogram};
pub use new_share::{NewShare, NewShareError, flow_words};
pub use node_cpu::{CpuAccounts, CpuPoint, NodeCpu};
pub use packet_size::{LEAST_BYTES, MOST_BYTES, PacketSize, PacketSizeError};
pub use position::{MOST_EXPONENT, Position, PositionError, ZipfExponent};
pub use preflight::{Finding, Frequency, LoopReading, NoiseVerdict, Preflight, Readings};
pub use rate::{GoalRecord, LagRecord, PassageRecord, RateMethod, RateRecord, ReceivedRate};
pub use rate_check::RateFault;
#[cfg(test)]
pub(crate) use rate_curve::tests::record as rate_record;
pub use rate_curve::{RateCurve, RateKey, RateKind, RatePoint, rate_curves};
pub(crate) use reachability::last_of_each;
pub use reachability::{
    Arrivals, Attempt, Destination, FilterRules, IcmpError, Origin, Question, ReachabilityFault, ReachabilityRecord,
};
pub use read::{RunFault, RunFileError, parse_run_file, read_run_file, run_file_text, write_run_file};
pub use run_file::{RUN_SCHEMA_VERSION, RunFile, Warning};
pub use state_memory::{CacheGrowth, MapMemory, StateMemory};
pub use trial::{ProgrammingOp, ProgrammingRecord, Quantiles, ThroughputRecord, TrialKind, TrialRecord};

/// Whether a count is left out of a file.
fn is_zero<T: Default + PartialEq>(count: &T) -> bool {
    *count == T::default()
}
