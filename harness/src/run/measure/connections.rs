//! Real connections on a programmed topology.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use super::MeasureError;
use super::site::{Site, targets};
use crate::connections::{Asked, ConnectionOrder, WarmUp, trial};
use crate::result::{ConnectionLoad, Position};
use crate::run::plan::Measure;
use crate::run::record::Record;
use crate::workload::{Protocol, Service, Workload};

/// How long exchanges begin in a trial.
const DURATION: Duration = Duration::from_secs(1);
/// How long an exchange may take. TCP repeats a lost SYN after a second, so that one loss is seen as such a delay.
const PATIENCE: Duration = Duration::from_secs(2);

impl Site<'_> {
    /// One trial under `load`; failures of single connections and of the servers are part of its record.
    pub(super) fn connect(
        &self,
        measure: &Measure,
        load: ConnectionLoad,
        position: Position,
    ) -> Result<Record, MeasureError> {
        let order = ConnectionOrder {
            load,
            protocol: self.setup.protocol,
            asked: asked(&self.workload, self.setup.protocol, position, self.scenario.seed),
            most: u64::from(measure.packets),
            first: measure.first_flow,
            duration: DURATION,
            patience: PATIENCE,
            seed: self.scenario.seed,
            clients: self.workload.addresses.client_range,
        };
        let warm_up = if self.place.emulated { WarmUp::Whole } else { WarmUp::Short };
        let found = trial(&self.topology, &order, warm_up)?;
        let record = found.record(self.cell(load.flow(), position), load, measure.trial)?;
        Ok(Record::Connections(Box::new(record)))
    }
}

/// Whom a position's clients ask, and who may answer: the endpoints of that service, or the pod itself.
fn asked(workload: &Workload, protocol: Protocol, position: Position, seed: u64) -> Vec<Asked> {
    let services = workload.services.iter().filter(|service| service.protocol == protocol);
    let endpoints = |service: &Service| -> HashMap<_, _> {
        service.endpoints.iter().map(|pod| SocketAddrV4::new(pod.addr, pod.port)).zip(0..).collect()
    };
    let services: HashMap<SocketAddrV4, Arc<_>> =
        services.map(|service| (SocketAddrV4::new(service.vip, service.port), Arc::new(endpoints(service)))).collect();
    let ask = |address| {
        let endpoints = services.get(&address).cloned();
        Asked { address, endpoints: endpoints.unwrap_or_else(|| Arc::new(HashMap::from([(address, 0)]))) }
    };
    targets(workload, protocol, position, seed).into_iter().map(ask).collect()
}
