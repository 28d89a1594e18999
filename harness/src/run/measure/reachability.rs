//! Reachability on a programmed topology.

use super::MeasureError;
use super::site::{Site, targets};
use crate::net::LOAD_BALANCER;
use crate::reach::Stand;
use crate::result::{Destination, FilterRules, Flow, Origin, Position, Question, ReachabilityRecord};
use crate::run::plan::Measure;
use crate::run::record::Record;
use crate::workload::Service;

const ORIGINS: [Origin; 2] = [Origin::Client, Origin::Node];

impl Site<'_> {
    /// The whole experiment: the controls and the pings, the same service with a load balancer's address, and both without the filter
    /// rules where the backend has some.
    pub(super) fn reach(&self, measure: &Measure, position: Position) -> Result<Record, MeasureError> {
        use Destination::{ClusterIp, Ingress, Pod, Service};
        let service = self.asked(position).ok_or(MeasureError::NoEndpoint)?;
        let mut stand = Stand::new(&self.topology, self.workload.addresses, service)?;
        let mut attempts = Vec::new();
        let mut ask = |rules: FilterRules, exposed: bool, destinations: &[Destination]| -> Result<(), MeasureError> {
            for from in ORIGINS {
                for &to in destinations {
                    attempts.push(stand.attempt(Question { to, from, rules, exposed })?);
                }
            }
            Ok(())
        };
        ask(FilterRules::Kept, false, &[Pod, ClusterIp, Ingress])?;
        if self.expose(service)? {
            ask(FilterRules::Kept, true, &[Service, Ingress])?;
            if self.remove_filter()? {
                ask(FilterRules::Removed, true, &[Pod, ClusterIp, Service, Ingress])?;
            }
        }
        stand.close()?;
        let cell = self.cell(Flow::New, position);
        Ok(Record::Reachability(ReachabilityRecord { cell, trial: measure.trial, attempts }))
    }

    /// The service of a position, or where there is none the first that has an endpoint.
    fn asked(&self, position: Position) -> Option<&Service> {
        let protocol = self.setup.protocol;
        let target = targets(&self.workload, protocol, position, self.scenario.seed).first().copied();
        let mut answered = self
            .workload
            .services
            .iter()
            .filter(|service| service.protocol == protocol && !service.endpoints.is_empty());
        let first = answered.clone().next();
        answered
            .find(|service| target.is_some_and(|target| (service.vip, service.port) == (*target.ip(), target.port())))
            .or(first)
    }

    fn expose(&self, service: &Service) -> Result<bool, MeasureError> {
        let _inside = self.topology.node.enter()?;
        let exposed = self.datapath.expose(service, LOAD_BALANCER, &self.workload);
        exposed.map_err(|source| self.failed(source))
    }

    fn remove_filter(&self) -> Result<bool, MeasureError> {
        let _inside = self.topology.node.enter()?;
        self.datapath.remove_filter().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: crate::backend::BackendError) -> MeasureError {
        MeasureError::Backend { backend: self.setup.backend, services: self.setup.services, source }
    }
}
