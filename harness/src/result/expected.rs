//! The expected cost of a first packet in an imported cluster: over its service ports, and not at one position.

use std::collections::BTreeMap;

use curve_stats::{Spread, median, spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assemble::Baselines;
use super::{
    AssembleError, BackendKind, Bracket, Flow, MergeError, MergedHistogram, Position, TrialKind, TrialRecord, Unit,
    VenueKind,
};
use crate::workload::cluster::ClusterOrigin;

/// What the first packet of a new flow costs in the mean, where every service port that has endpoints is asked for equally often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedCost {
    /// Where, and with what.
    #[serde(flatten)]
    pub key: ExpectedKey,
    /// Packets behind it.
    pub packets: u64,
    /// Packets of its trials, and of those that it is taken from, that were lost, went elsewhere or could not be paired.
    pub astray: u64,
    /// Each trial's mean over packets, less that of its `direct-conntrack` trial, in order of the trial's index; of two protocols each by its
    /// share of the service ports.
    pub values: Vec<f64>,
    /// Median of the values.
    pub added: f64,
    /// How far they lie apart.
    pub spread: Spread,
    /// Median over trials of the mean traversal, plain routing included.
    pub traversal: f64,
}

/// What tells one expected cost from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedKey {
    /// Where.
    pub venue: VenueKind,
    /// Kernel release.
    pub kernel: String,
    /// Unit of the values.
    pub unit: Unit,
    /// N: service ports of all repetitions.
    pub services: u32,
    /// Datapath.
    pub backend: BackendKind,
    /// Between which hooks; the backend's own.
    #[serde(default, skip_serializing_if = "Bracket::is_tc")]
    pub bracket: Bracket,
}

/// Traversal and what is added to it, in the mean of one trial's packets.
#[derive(Debug, Clone, Copy, Default)]
struct Means {
    added: f64,
    traversal: f64,
}

/// The parts of one key, trial by trial.
#[derive(Default)]
struct Parts {
    /// By trial: the sum of its protocols' means, each by its share, and the shares so far.
    trials: BTreeMap<u32, (Means, f64)>,
    packets: u64,
    astray: u64,
}

/// One expected cost a venue, kernel, N and load-balancing backend. Trials of which a protocol or the partner is missing are left out.
pub(super) fn expected(cluster: &ClusterOrigin, trials: &[&TrialRecord]) -> Result<Vec<ExpectedCost>, AssembleError> {
    let traversals: Vec<_> = trials.iter().copied().filter(|trial| trial.kind == TrialKind::Traversal).collect();
    let baselines = Baselines::of(&traversals);
    let mut parts = BTreeMap::<ExpectedKey, Parts>::new();
    let mut mean = Mean::default();
    for trial in traversals.iter().copied().filter(|trial| is_part(trial)) {
        let Some(partner) = baselines.partner(trial) else { continue };
        let broken = |source| AssembleError::Distribution { cell: Box::new(trial.cell.clone()), source };
        // A trial that timed no packet has no mean.
        let (Some(own), Some(without)) = (mean.of(trial).map_err(broken)?, mean.of(partner).map_err(broken)?) else {
            continue;
        };
        let means = Means { added: own - without, traversal: own };
        parts.entry(key(trial)).or_default().add(trial, partner, cluster.share(trial.cell.protocol), means);
    }
    let costs = parts.into_iter().filter_map(|(key, parts)| parts.cost(key).transpose());
    costs.collect()
}

fn is_part(trial: &TrialRecord) -> bool {
    let cell = &trial.cell;
    (cell.flow, cell.position) == (Flow::New, Position::Random)
        && cell.backend.balances()
        && cell.bracket == cell.backend.bracket()
}

fn key(trial: &TrialRecord) -> ExpectedKey {
    let cell = trial.cell.clone();
    ExpectedKey {
        venue: cell.venue,
        kernel: cell.kernel,
        unit: trial.unit,
        services: cell.services,
        backend: cell.backend,
        bracket: cell.bracket,
    }
}

impl Parts {
    fn add(&mut self, trial: &TrialRecord, partner: &TrialRecord, share: f64, means: Means) {
        let (sum, shares) = self.trials.entry(trial.trial).or_default();
        sum.added += share * means.added;
        sum.traversal += share * means.traversal;
        *shares += share;
        self.packets = self.packets.saturating_add(trial.packets);
        let astray = [trial, partner].map(|t| [t.lost, t.misdirected, t.mismatched]);
        self.astray = astray.as_flattened().iter().fold(self.astray, |sum, count| sum.saturating_add(*count));
    }

    fn cost(self, key: ExpectedKey) -> Result<Option<ExpectedCost>, AssembleError> {
        let whole = |(_, shares): &&(Means, f64)| (shares - 1.0).abs() < 1e-9;
        let means: Vec<_> = self.trials.values().filter(whole).map(|(means, _)| *means).collect();
        let values: Vec<_> = means.iter().map(|means| means.added).collect();
        if values.is_empty() {
            return Ok(None);
        }
        let traversals: Vec<_> = means.iter().map(|means| means.traversal).collect();
        let failed = |source| AssembleError::Expected { key: Box::new(key.clone()), source };
        Ok(Some(ExpectedCost {
            packets: self.packets,
            astray: self.astray,
            added: median(&values).map_err(failed)?,
            spread: spread(&values).map_err(failed)?,
            traversal: median(&traversals).map_err(failed)?,
            values,
            key,
        }))
    }
}

/// Means of trials' histograms.
#[derive(Default)]
struct Mean(MergedHistogram);

impl Mean {
    fn of(&mut self, trial: &TrialRecord) -> Result<Option<f64>, MergeError> {
        self.0.clear();
        self.0.add(&trial.histogram, trial.packets)?;
        let histogram = self.0.histogram()?;
        Ok((!histogram.is_empty()).then(|| histogram.mean()))
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;
    use crate::result::{Cell, Quantiles, encode_histogram};
    use crate::workload::{Protocol, VipLayout};

    /// A trial of packets that took `low` and `high`, as many each.
    fn trial(backend: BackendKind, protocol: Protocol, trial: u32, [low, high]: [u64; 2]) -> TrialRecord {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).expect("bounds");
        for value in [low, high] {
            histogram.record_n(value, 50).expect("in range");
        }
        let position = if backend.balances() { Position::Random } else { Position::Missing };
        TrialRecord {
            cell: Cell {
                venue: VenueKind::Sim,
                kernel: "model-256".into(),
                backend,
                bracket: backend.bracket(),
                layout: VipLayout::Imported,
                protocol,
                services: 4,
                endpoints: 1,
                flow: Flow::New,
                position,
            },
            kind: TrialKind::Traversal,
            trial,
            unit: Unit::Steps,
            packets: 100,
            mismatched: 0,
            lost: 0,
            misdirected: 0,
            quantiles: Quantiles { min: low, p10: low, p50: low, p90: high, p99: high, p999: high },
            histogram: encode_histogram(&histogram).expect("encodes"),
        }
    }

    fn cluster(tcp: u32, udp: u32) -> ClusterOrigin {
        ClusterOrigin {
            file: "file".into(),
            sha256: String::new(),
            services: tcp + udp,
            tcp,
            udp,
            endpoints: 4,
            rejected: Vec::new(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn protocols_count_by_their_service_ports_and_packets_in_the_mean() {
        use BackendKind::{DirectConntrack, Nftables};
        use Protocol::{Tcp, Udp};
        let mut lost = trial(Nftables, Udp, 1, [240, 240]);
        lost.lost = 7;
        let first = TrialRecord {
            cell: Cell { position: Position::First, ..trial(Nftables, Tcp, 0, [1, 1]).cell },
            ..trial(Nftables, Tcp, 0, [1, 1])
        };
        let trials = [
            trial(DirectConntrack, Tcp, 0, [100, 100]),
            trial(DirectConntrack, Tcp, 1, [100, 104]),
            trial(DirectConntrack, Tcp, 2, [100, 100]),
            trial(DirectConntrack, Udp, 0, [200, 200]),
            trial(DirectConntrack, Udp, 1, [200, 200]),
            // Medians would hide what the dearer half costs.
            trial(Nftables, Tcp, 0, [100, 120]),
            trial(Nftables, Tcp, 1, [112, 112]),
            // Its other protocol is missing.
            trial(Nftables, Tcp, 2, [900, 900]),
            trial(Nftables, Udp, 0, [230, 250]),
            lost,
            first,
        ];
        let trials: Vec<_> = trials.iter().collect();
        let costs = expected(&cluster(3, 1), &trials).expect("adds up");
        let [cost] = &costs[..] else { panic!("one backend: {costs:?}") };
        // 3/4 of 10 and 1/4 of 40 steps, both times.
        assert_eq!(cost.values, [17.5, 17.5]);
        assert_eq!((cost.added, cost.traversal), (17.5, 0.75 * 111.0 + 0.25 * 240.0));
        assert_eq!((cost.packets, cost.astray), (500, 7));
        assert_eq!(expected(&cluster(0, 4), &trials).expect("adds up")[0].values, [40.0, 40.0]);
    }
}
