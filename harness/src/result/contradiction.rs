//! What can be wrong with a run file whose seal is right.

use super::connections::{ConnectionFault, ConnectionKey};
use super::{Cell, CurveKey, ExpectedKey, FairnessFault, LoadedFault, RateFault, RateKind, ReachabilityFault, name};

/// Members of a run file that cannot all be true.
#[derive(Debug, thiserror::Error)]
pub enum Contradiction {
    /// Two curves have the same axes.
    #[error("two curves are {0}")]
    CurveTwice(Box<CurveKey>),
    /// A curve without a point.
    #[error("no point in the curve {0}")]
    NoPoints(Box<CurveKey>),
    /// A point that does not fit its curve or itself.
    #[error("at N = {services}, {what} in {curve}")]
    Point {
        /// The curve.
        curve: Box<CurveKey>,
        /// N.
        services: u32,
        /// What is wrong.
        what: PointFault,
    },
    /// The interval of a slope is none.
    #[error("the slope's interval is {interval:?} in {curve}")]
    Slope {
        /// The curve.
        curve: Box<CurveKey>,
        /// The interval.
        interval: [f64; 2],
    },
    /// A distribution that does not fit itself, the curves or another.
    #[error("{what} in the distribution of {cell}")]
    Distribution {
        /// The cell.
        cell: Box<Cell>,
        /// What is wrong.
        what: DistributionFault,
    },
    /// A measured point has no distribution.
    #[error("no distribution of {0}")]
    NoDistribution(Box<Cell>),
    /// Decisions that do not add up, or are there twice.
    #[error("{what} in the decisions of {cell}")]
    Decisions {
        /// The cell.
        cell: Box<Cell>,
        /// What is wrong.
        what: DecisionFault,
    },
    /// Fairness that does not add up, or is there twice.
    #[error("{what} in the fairness of {cell}")]
    Fairness {
        /// The cell.
        cell: Box<Cell>,
        /// What is wrong.
        what: FairnessFault,
    },
    /// Connections that do not add up, or are there twice.
    #[error("at N = {services}, {what} in the connections of {curve}")]
    Connections {
        /// The curve.
        curve: Box<ConnectionKey>,
        /// N; 0 where it is the curve.
        services: u32,
        /// What is wrong.
        what: ConnectionFault,
    },
    /// An expected cost that is not its values', or is there twice.
    #[error("{what} in the expected cost of {} at N = {} on {}", name(&.key.backend), .key.services, .key.kernel)]
    Expected {
        /// Which.
        key: Box<ExpectedKey>,
        /// What is wrong.
        what: ExpectedFault,
    },
    /// Searched rates that do not add up, or are there twice.
    #[error("at N = {services}, {what} in the rates ({rate}) of {cell}")]
    Rates {
        /// The cell.
        cell: Box<Cell>,
        /// The rate.
        rate: RateKind,
        /// N; 0 where it is the curve.
        services: u32,
        /// What is wrong.
        what: RateFault,
    },
    /// An experiment of reachability that does not add up, or is there twice.
    #[error("{what} in the reachability of {cell}")]
    Reachability {
        /// The cell.
        cell: Box<Cell>,
        /// What is wrong.
        what: ReachabilityFault,
    },
    /// Latencies under load that do not add up, or are there twice.
    #[error("{what} in the latency under load of {cell}")]
    Loaded {
        /// The cell.
        cell: Box<Cell>,
        /// What is wrong.
        what: LoadedFault,
    },
    /// A rate that none can be.
    #[error("a rate of {rate} packets a second in trial {trial} of {cell}")]
    Rate {
        /// The cell.
        cell: Box<Cell>,
        /// The trial.
        trial: u32,
        /// The rate.
        rate: f64,
    },
}

/// What is wrong with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointFault {
    /// N does not ascend.
    #[error("N does not ascend from 1")]
    Order,
    /// M is another than the curve's.
    #[error("M is not the curve's")]
    Endpoints,
    /// As many values as trials must there be, and at least one.
    #[error("there are not as many values as trials")]
    Values,
    /// NaN or infinite.
    #[error("a value is not finite")]
    NotFinite,
    /// The median of the values is another.
    #[error("p50 is not the median of the values")]
    Median,
    /// The spread does not hold the median, or has no level.
    #[error("the spread does not hold p50")]
    Spread,
    /// Quantiles descend.
    #[error("quantiles descend")]
    Quantiles,
}

/// What is wrong with a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DistributionFault {
    /// The same cell is there before.
    #[error("the same cell is there twice")]
    Twice,
    /// Quantiles or their values descend, or leave the range of the extremes.
    #[error("quantiles descend or lie outside minimum and maximum")]
    Quantiles,
    /// Mean or deviation is none.
    #[error("mean or deviation is none")]
    Moments,
    /// The curve's point has other packets.
    #[error("packets differ from those of the curve's point")]
    Packets,
    /// There is no such point.
    #[error("no curve has its point")]
    NoPoint,
}

/// What is wrong with a cell's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecisionFault {
    /// The same cell is there before.
    #[error("the same cell is there twice")]
    Twice,
    /// Another number of endpoints than the cell's.
    #[error("there are not as many endpoints as the cell has")]
    Endpoints,
    /// The flows' fates do not add up to the flows.
    #[error("the flows do not add up")]
    Sum,
    /// The test is not that of the counts.
    #[error("the test is not that of the counts")]
    Test,
}

/// What is wrong with an expected cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpectedFault {
    /// The same is there before, or no cluster was imported.
    #[error("another, or no cluster, is there")]
    Twice,
    /// NaN, infinite, or another than the values'.
    #[error("the median is not that of the values")]
    Median,
    /// The spread does not hold the median, or has no level.
    #[error("the spread does not hold the median")]
    Spread,
}
