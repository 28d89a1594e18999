//! The rates that backends are compared by: searched ones where the run has them, else those at saturation, else of connections, and
//! last those of established flows.

use std::collections::{BTreeMap, BTreeSet};

use super::judgement::Scope;
use super::view::asked;
use crate::result::{
    BackendKind, ConnectionCurve, ConnectionLoad, Flow, Position, RateCurve, RateKind, RatePoint, RunFile,
    ThroughputRecord, name,
};
use crate::workload::{Protocol, VipLayout};

/// Packets or connections a second of the trials at each N.
pub(super) type Rates = BTreeMap<u32, Vec<f64>>;

/// Layout, protocol and M: rates of others are not to be mixed.
type Traffic = (VipLayout, Protocol, u32);

/// Where rates come from.
pub(super) enum Source<'a> {
    /// Searches of one kind of rate, for one kind of flow. Irregular results are no rates.
    Searched(RateKind, Flow, Vec<&'a RateCurve>),
    /// Saturation trials of one kind of flow.
    Saturation(Flow, Vec<&'a ThroughputRecord>),
    /// Connections one after another, so many at a time, to the services that [`asked`] names.
    Connections(ConnectionLoad, Vec<&'a ConnectionCurve>),
}

impl<'a> Source<'a> {
    /// Every source that the run has in one place, the strictest first; of several kinds of traffic the one that IPVS was measured with
    /// first. Packets of established flows come last: iptables looks nothing up for them.
    pub(super) fn all(run: &'a RunFile, scope: &Scope) -> Vec<Self> {
        let of_packets = |flow: Flow| {
            let kinds = [RateKind::NoLoss, RateKind::PartialLoss, RateKind::Received];
            let searched = kinds.map(|kind| Self::searched(run, scope, kind, flow));
            searched.into_iter().chain([Self::saturation(run, scope, flow)])
        };
        // What a node carries at the most is seen by the most at a time.
        let connected = closed_loops(run).into_iter().rev().map(|load| Self::connections(run, scope, load));
        let all = of_packets(Flow::New).chain(connected).chain(of_packets(Flow::Established));
        all.filter(|source| !source.is_empty()).collect()
    }

    fn searched(run: &'a RunFile, scope: &Scope, kind: RateKind, flow: Flow) -> Self {
        let wanted = |curve: &&RateCurve| {
            let key = &curve.key;
            let is_wanted =
                (key.axes.venue, &key.axes.kernel, key.rate, key.axes.flow) == (scope.venue, &scope.kernel, kind, flow);
            is_wanted && key.packet_size.is_default() && key.new_share.is_none()
        };
        let traffic = |curve: &&RateCurve| (curve.key.axes.layout, curve.key.axes.protocol, curve.key.axes.endpoints);
        let curves = run.rates.iter().filter(wanted).collect();
        Self::Searched(kind, flow, alike(curves, traffic, |curve| curve.key.axes.backend))
    }

    fn saturation(run: &'a RunFile, scope: &Scope, flow: Flow) -> Self {
        let here = |trial: &&ThroughputRecord| {
            (trial.cell.venue, &trial.cell.kernel, trial.cell.flow) == (scope.venue, &scope.kernel, flow)
        };
        let traffic = |trial: &&ThroughputRecord| (trial.cell.layout, trial.cell.protocol, trial.cell.endpoints);
        let trials = run.throughput.iter().filter(here).collect();
        Self::Saturation(flow, alike(trials, traffic, |trial| trial.cell.backend))
    }

    fn connections(run: &'a RunFile, scope: &Scope, load: ConnectionLoad) -> Self {
        let wanted = |curve: &&ConnectionCurve| {
            let key = &curve.key;
            (key.axes.venue, &key.axes.kernel, key.load) == (scope.venue, &scope.kernel, load)
                && key.axes.position == asked(run, key.axes.backend)
        };
        let traffic =
            |curve: &&ConnectionCurve| (curve.key.axes.layout, curve.key.axes.protocol, curve.key.axes.endpoints);
        let curves = run.connections.iter().filter(wanted).collect();
        Self::Connections(load, alike(curves, traffic, |curve| curve.key.axes.backend))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Connections(_, curves) => curves.is_empty(),
            Self::Searched(_, _, curves) => curves.is_empty(),
            Self::Saturation(_, trials) => trials.is_empty(),
        }
    }

    /// What was done, e.g. `saturation, new flows`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Searched(kind, flow, _) => format!("searches, {kind}, {} flows", name(flow)),
            Self::Saturation(flow, _) => format!("saturation, {} flows", name(flow)),
            Self::Connections(load, _) => format!("connections, {load} at a time"),
        }
    }

    /// The services that a backend was asked for.
    pub(super) fn position(&self, backend: BackendKind) -> Position {
        let connected = match self {
            Self::Connections(_, curves) => curves.iter().find(|curve| curve.key.axes.backend == backend),
            Self::Searched(..) | Self::Saturation(..) => None,
        };
        connected.map_or_else(|| backend.worst_position(), |curve| curve.key.axes.position)
    }

    /// Whether its packets are of established flows.
    pub(super) fn is_established(&self) -> bool {
        matches!(self, Self::Searched(_, Flow::Established, _) | Self::Saturation(Flow::Established, _))
    }

    /// Rates of a backend at its worst position, connections' of a cluster over all its services.
    pub(super) fn rates(&self, backend: BackendKind) -> Rates {
        match self {
            Self::Searched(_, _, curves) => {
                regular(curves, backend).map(|point| (point.services, point.values.clone())).collect()
            }
            Self::Saturation(_, trials) => saturated_rates(trials, backend),
            Self::Connections(_, curves) => connected_rates(curves, backend),
        }
    }

    /// Irregular searches that the rate of a backend at one N leaves out.
    pub(super) fn left_out(&self, backend: BackendKind, services: u32) -> u32 {
        let Self::Searched(_, _, curves) = self else { return 0 };
        regular(curves, backend).filter(|point| point.services == services).map(|point| point.left_out).sum()
    }
}

/// Loads that open a connection for each exchange, and as soon as one has ended.
fn closed_loops(run: &RunFile) -> BTreeSet<ConnectionLoad> {
    let loads = run.connections.iter().map(|curve| curve.key.load);
    loads.filter(|load| matches!(load, ConnectionLoad::Closed(_))).collect()
}

/// The measurements whose traffic is the first that IPVS was measured with, else the first of any mode.
fn alike<'a, T>(
    mut all: Vec<&'a T>,
    traffic: impl Fn(&&'a T) -> Traffic,
    backend: impl Fn(&&'a T) -> BackendKind,
) -> Vec<&'a T> {
    let of = |is_one: fn(BackendKind) -> bool| all.iter().filter(|one| is_one(backend(one))).map(&traffic).min();
    let first = of(|backend| backend == BackendKind::Ipvs).or_else(|| of(BackendKind::balances));
    all.retain(|one| first.is_none_or(|first| traffic(one) == first));
    all
}

/// A backend's points at its worst position whose rate is one.
fn regular<'a>(curves: &[&'a RateCurve], backend: BackendKind) -> impl Iterator<Item = &'a RatePoint> {
    let at = (backend, backend.worst_position());
    let wanted = curves.iter().copied().filter(move |curve| (curve.key.axes.backend, curve.key.axes.position) == at);
    wanted.flat_map(|curve| &curve.points).filter(|point| point.is_regular() && !point.values.is_empty())
}

fn saturated_rates(trials: &[&ThroughputRecord], backend: BackendKind) -> Rates {
    let at = (backend, backend.worst_position());
    let mut rates = Rates::new();
    for trial in trials.iter().filter(|trial| (trial.cell.backend, trial.cell.position) == at) {
        rates.entry(trial.cell.services).or_default().push(trial.forwarded_pps);
    }
    rates
}

/// Points with exchanges that failed, or another trouble, are no rates.
fn connected_rates(curves: &[&ConnectionCurve], backend: BackendKind) -> Rates {
    let wanted = curves.iter().filter(|curve| curve.key.axes.backend == backend);
    let whole = wanted.flat_map(|curve| curve.points.iter().filter(|point| point.trouble().is_none()));
    whole.filter_map(|point| Some((point.services, point.per_second.as_ref()?.values.clone()))).collect()
}
