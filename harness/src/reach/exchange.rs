//! Connections to the load balancer's address, and who answered them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::{ReachError, TRIES};
use crate::connections::{Asked, ConnectionOrder, Servers, generate};
use crate::net::{LOAD_BALANCER, NetNs, Topology};
use crate::result::{Arrivals, ConnectionLoad, FailureKind};
use crate::workload::Service;

/// Ports of an Ingress that shares the load balancer's address with a service: the first that is not the service's.
const INGRESS_PORTS: [u16; 2] = [443, 8_443];
/// How long a connection may take: TCP repeats a lost SYN after a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// Index of the pods among those who answer, and of the load balancer.
const PODS: usize = 0;
const OUTSIDE: usize = 1;

/// Servers behind the endpoints of a service and, outside, behind both ports of the load balancer.
#[derive(Debug)]
pub(super) struct Listeners {
    pods: Servers,
    outside: Servers,
    answering: Arc<HashMap<SocketAddrV4, usize>>,
    /// Connections so far.
    asked: u64,
}

/// What became of the connections of one attempt.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) failures: BTreeMap<FailureKind, u64>,
    pub(super) arrived: Arrivals,
}

/// The port of the Ingress that shares the load balancer's address with `service`.
pub(super) fn ingress_port(service: &Service) -> u16 {
    if service.port == INGRESS_PORTS[0] { INGRESS_PORTS[1] } else { INGRESS_PORTS[0] }
}

impl Listeners {
    /// Starts them.
    ///
    /// # Errors
    /// [`ReachError::Connections`].
    pub(super) fn start(topology: &Topology, outside: &NetNs, service: &Service) -> Result<Self, ReachError> {
        let endpoints: BTreeSet<_> =
            service.endpoints.iter().map(|pod| SocketAddrV4::new(pod.addr, pod.port)).collect();
        let ports = [service.port, ingress_port(service)];
        let balancer = BTreeSet::from(ports.map(|port| SocketAddrV4::new(LOAD_BALANCER, port)));
        let answering =
            endpoints.iter().map(|pod| (*pod, PODS)).chain(balancer.iter().map(|port| (*port, OUTSIDE))).collect();
        let pods = Servers::start(&topology.backend, service.protocol, &endpoints)?;
        let outside = Servers::start(outside, service.protocol, &balancer)?;
        Ok(Self { pods, outside, answering: Arc::new(answering), asked: 0 })
    }

    /// Some connections at once to a port of the load balancer's address.
    pub(super) fn ask(
        &mut self,
        from: &NetNs,
        clients: Ipv4Net,
        service: &Service,
        port: u16,
    ) -> Result<Exchanged, ReachError> {
        let address = SocketAddrV4::new(LOAD_BALANCER, port);
        let tries = NonZeroU32::MIN.saturating_add(u32::from(TRIES - 1));
        let order = ConnectionOrder {
            load: ConnectionLoad::Closed(tries),
            protocol: service.protocol,
            asked: vec![Asked { address, endpoints: self.answering.clone() }],
            most: u64::from(TRIES),
            first: self.asked,
            duration: PATIENCE,
            patience: PATIENCE,
            seed: 0,
            clients,
        };
        self.asked += u64::from(TRIES);
        let found = generate(from, &order)?;
        let by = |place: usize| found.reached.get(place).copied().unwrap_or(0);
        Ok(Exchanged {
            sent: found.attempted,
            answered: found.succeeded,
            failures: found.failures,
            arrived: Arrivals { node: 0, pods: by(PODS), outside: by(OUTSIDE) },
        })
    }

    /// Ends them.
    ///
    /// # Errors
    /// They had failed.
    pub(super) fn stop(self) -> Result<(), ReachError> {
        self.pods.stop()?;
        Ok(self.outside.stop()?)
    }
}
