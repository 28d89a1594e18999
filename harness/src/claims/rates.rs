//! The rates that backends are compared by: searched ones where the run has them, else those at saturation, else of connections.

use std::collections::{BTreeMap, BTreeSet};

use super::judgement::Scope;
use super::view::asked;
use crate::result::{
    BackendKind, ConnectionCurve, ConnectionLoad, Flow, Position, RateCurve, RateKind, RunFile, ThroughputRecord,
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
    /// Saturation trials.
    Saturation(Vec<&'a ThroughputRecord>),
    /// Connections one after another, so many at a time, to the services that [`asked`] names.
    Connections(ConnectionLoad, Vec<&'a ConnectionCurve>),
}

impl<'a> Source<'a> {
    /// Every source that the run has in one place, the strictest first; of several kinds of traffic the one that IPVS was measured with
    /// first.
    pub(super) fn all(run: &'a RunFile, scope: &Scope) -> Vec<Self> {
        let kinds = [RateKind::NoLoss, RateKind::PartialLoss, RateKind::Received];
        let flows = [Flow::New, Flow::Established];
        let searched = kinds.into_iter().flat_map(|kind| flows.map(|flow| Self::searched(run, scope, kind, flow)));
        // What a node carries at the most is seen by the most at a time.
        let connected = closed_loops(run).into_iter().rev().map(|load| Self::connections(run, scope, load));
        searched.chain([Self::saturation(run, scope)]).chain(connected).filter(|source| !source.is_empty()).collect()
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

    fn saturation(run: &'a RunFile, scope: &Scope) -> Self {
        let here = |trial: &&ThroughputRecord| (trial.cell.venue, &trial.cell.kernel) == (scope.venue, &scope.kernel);
        let traffic = |trial: &&ThroughputRecord| (trial.cell.layout, trial.cell.protocol, trial.cell.endpoints);
        let trials = run.throughput.iter().filter(here).collect();
        Self::Saturation(alike(trials, traffic, |trial| trial.cell.backend))
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
            Self::Saturation(trials) => trials.is_empty(),
        }
    }

    /// What was done, e.g. `saturation`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Searched(kind, Flow::New, _) => format!("searches, {kind}, new flows"),
            Self::Searched(kind, Flow::Established, _) => format!("searches, {kind}, established flows"),
            Self::Saturation(_) => "saturation".to_owned(),
            Self::Connections(load, _) => format!("connections, {load} at a time"),
        }
    }

    /// The services that a backend was asked for.
    pub(super) fn position(&self, backend: BackendKind) -> Position {
        let connected = match self {
            Self::Connections(_, curves) => curves.iter().find(|curve| curve.key.axes.backend == backend),
            Self::Searched(..) | Self::Saturation(_) => None,
        };
        connected.map_or_else(|| backend.worst_position(), |curve| curve.key.axes.position)
    }

    /// Rates of a backend at its worst position, connections' of a cluster over all its services; at saturation of new flows where both
    /// kinds were measured.
    pub(super) fn rates(&self, backend: BackendKind) -> Rates {
        let position = backend.worst_position();
        match self {
            Self::Searched(_, _, curves) => searched_rates(curves, backend, position),
            Self::Saturation(trials) => saturated_rates(trials, backend, position),
            Self::Connections(_, curves) => connected_rates(curves, backend),
        }
    }
}

/// Loads that open a connection for each exchange, and as soon as one has ended.
fn closed_loops(run: &RunFile) -> BTreeSet<ConnectionLoad> {
    let loads = run.connections.iter().map(|curve| curve.key.load);
    loads.filter(|load| matches!(load, ConnectionLoad::Closed(_))).collect()
}

/// The measurements whose traffic is the first that IPVS was measured with, or all.
fn alike<'a, T>(
    mut all: Vec<&'a T>,
    traffic: impl Fn(&&'a T) -> Traffic,
    backend: impl Fn(&&'a T) -> BackendKind,
) -> Vec<&'a T> {
    let of_ipvs = all.iter().filter(|one| backend(one) == BackendKind::Ipvs).map(&traffic).min();
    all.retain(|one| of_ipvs.is_none_or(|first| traffic(one) == first));
    all
}

fn searched_rates(curves: &[&RateCurve], backend: BackendKind, position: Position) -> Rates {
    let wanted = curves.iter().filter(|curve| (curve.key.axes.backend, curve.key.axes.position) == (backend, position));
    let regular = wanted.flat_map(|curve| curve.points.iter().filter(|point| point.irregular == 0));
    regular.filter(|point| !point.values.is_empty()).map(|point| (point.services, point.values.clone())).collect()
}

fn saturated_rates(trials: &[&ThroughputRecord], backend: BackendKind, position: Position) -> Rates {
    let wanted = |trial: &&&ThroughputRecord| (trial.cell.backend, trial.cell.position) == (backend, position);
    let of = |flow: Flow| trials.iter().filter(wanted).filter(move |trial| trial.cell.flow == flow);
    let flow = if of(Flow::New).next().is_some() { Flow::New } else { Flow::Established };
    let mut rates = Rates::new();
    for trial in of(flow) {
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
