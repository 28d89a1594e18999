//! Real connections: which loads a setup carries, in visits of their own.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;

use super::kinds::asked_for;
use super::{Planner, SHARED_BOOT_SERVICES, setup_salt};
use crate::result::{BackendKind, ConnectionLoad, Position, VenueKind};
use crate::run::plan::{MeasureKind, Setup, VenueOffer, Visit};
use crate::run::scenario::Scenario;
use crate::workload::Protocol;

/// Most connections of a trial: their conntrack entries, which outlive them, leave room for those of other loads in the visit.
const MOST_CONNECTIONS: u32 = 20_000;
/// Numbers set aside for a trial's exchanges, by which datagrams get addresses and ports: those before it that do not count are as many at the
/// most.
pub(super) const FLOWS_OF_CONNECTIONS: u64 = 1 << 18;
/// Most requests of a trial on connections that are kept.
const MOST_REQUESTS: u32 = 100_000;

impl Planner<'_> {
    /// Rates of real connections are measured where time passes by itself.
    pub(super) fn leave_out_connections(&mut self, offer: &VenueOffer) {
        let reason = match offer.venue {
            _ if self.scenario.connections.is_empty() => return,
            VenueKind::Sim => "real connections: a model has no sockets; --venue host measures them, and --venue vm",
            VenueKind::Vm if offer.deterministic => {
                "real connections: where instructions are counted, connections a second mean nothing; --venue host measures them, and the vm with --deterministic=false"
            }
            VenueKind::Host | VenueKind::Vm => return self.leave_out_loads(offer),
        };
        self.skip_all(offer, reason);
    }

    /// Loads that say nothing of a backend or a protocol, each reason once.
    fn leave_out_loads(&mut self, offer: &VenueOffer) {
        let Scenario { connections, protocols, .. } = self.scenario;
        for &backend in &offer.backends {
            let of_load = |&load| protocols.iter().filter_map(move |&protocol| says_nothing(load, backend, protocol));
            let reasons: BTreeSet<_> = connections.iter().flat_map(of_load).collect();
            for reason in reasons {
                self.skip(offer, backend, None, reason.to_owned());
            }
        }
    }

    /// A visit for the real connections of each setup, for the exit of the probe would drop them. Visits of few services share a boot.
    pub(super) fn add_connections(&mut self, offer: &VenueOffer, setups: &[Setup], round: u32) {
        let mut order: Vec<_> = setups.iter().map(|setup| (*setup, connections(self.scenario, setup))).collect();
        order.retain(|(_, kinds)| !kinds.is_empty());
        order.shuffle(&mut self.rng(&[4, u64::from(round)]));
        let mut visits = Vec::new();
        for (setup, mut kinds) in order {
            kinds.shuffle(&mut self.rng(&[5, u64::from(round), setup_salt(&setup)]));
            let measures = kinds.into_iter().map(|kind| self.measure(kind, round, 0)).collect();
            visits.push(Visit { setup, measures });
        }
        let shares = |visit: &Visit| offer.venue == VenueKind::Vm && visit.setup.services <= SHARED_BOOT_SERVICES;
        let mut together: Vec<_> = visits.iter().filter(|visit| shares(visit)).cloned().collect();
        for visit in visits {
            if !shares(&visit) {
                self.push(offer, vec![visit]);
            } else if !together.is_empty() {
                self.push(offer, std::mem::take(&mut together));
            }
        }
    }
}

/// Why a load says nothing of a backend or a protocol; `None` where it does.
fn says_nothing(load: ConnectionLoad, backend: BackendKind, protocol: Protocol) -> Option<&'static str> {
    if load.filled().is_some() && backend == BackendKind::Direct {
        return Some("connections with connection tracking filled: plain routing does not look into it");
    }
    if load.reuse_mode().is_some() && backend != BackendKind::Ipvs {
        return Some("connections with a conn_reuse_mode (reuse0, reuse1): it says nothing without IPVS");
    }
    if load.reuse_mode().is_some() && protocol == Protocol::Udp {
        return Some(
            "connections with a conn_reuse_mode (reuse0, reuse1) over UDP: it says nothing there, since it is looked at when a SYN comes",
        );
    }
    (load.is_stream() && protocol == Protocol::Udp).then_some(
        "streams over UDP: nothing slows a sender down, so what arrives is the loss of a full queue; --rates measures datagrams",
    )
}

/// Loads of real connections that a setup carries: once a backend, for no packet is timed. A cluster's clients ask for all its service ports.
fn connections(scenario: &Scenario, setup: &Setup) -> Vec<MeasureKind> {
    if setup.bracket != setup.backend.bracket() {
        return Vec::new();
    }
    let fits = |load: &ConnectionLoad| says_nothing(*load, setup.backend, setup.protocol).is_none();
    let loads: Vec<_> = scenario.connections.iter().copied().filter(fits).collect();
    let at = |position| loads.iter().map(move |&load| MeasureKind::Connections { load, position });
    connected_to(scenario, setup.backend).into_iter().flat_map(at).collect()
}

/// Which services connections ask for: over all services of a cluster, else as rates.
fn connected_to(scenario: &Scenario, backend: BackendKind) -> Vec<Position> {
    let is_over_all = scenario.cluster.is_some() && backend.balances() && !scenario.all_positions;
    if is_over_all { vec![Position::Random] } else { asked_for(scenario, backend) }
}

/// Exchanges of a trial at the most.
pub(super) fn most_exchanges(load: ConnectionLoad) -> u32 {
    match load {
        ConnectionLoad::Closed(_)
        | ConnectionLoad::Open(_)
        | ConnectionLoad::Reuse { .. }
        | ConnectionLoad::Filled { .. } => MOST_CONNECTIONS,
        ConnectionLoad::KeepAlive(_) => MOST_REQUESTS,
        ConnectionLoad::Stream(connections) => connections.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_of_ipvs_is_measured_on_ipvs_over_tcp_and_left_out_elsewhere_with_a_reason() {
        let says_nothing = |load: &str, backend, protocol| says_nothing(load.parse().unwrap(), backend, protocol);
        for load in ["reuse0:8", "reuse1:8"] {
            assert_eq!(says_nothing(load, BackendKind::Ipvs, Protocol::Tcp), None);
            let over_udp = says_nothing(load, BackendKind::Ipvs, Protocol::Udp).unwrap();
            assert!(over_udp.contains("over UDP"), "{over_udp}");
            for backend in [BackendKind::Direct, BackendKind::IptablesLegacy, BackendKind::EbpfTc] {
                let elsewhere = says_nothing(load, backend, Protocol::Tcp).unwrap();
                assert!(elsewhere.contains("says nothing without IPVS"), "{elsewhere}");
            }
        }
        assert_eq!(says_nothing("reuse:8", BackendKind::Direct, Protocol::Udp), None);
    }
}
