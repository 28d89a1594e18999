//! Reachability on a programmed topology.

use super::MeasureError;
use super::programming::named;
use super::site::{Site, answered, at};
use crate::net::LOAD_BALANCER;
use crate::reach::Stand;
use crate::result::{Destination, FilterRules, Flow, Origin, Position, Question, ReachabilityRecord};
use crate::run::plan::Measure;
use crate::run::record::Record;
use crate::workload::Service;

impl Site<'_> {
    /// The whole experiment: the controls and the pings, the same service with a load balancer's address, and both without the filter
    /// rules where the backend has some.
    pub(super) fn reach(&self, measure: &Measure, position: Position) -> Result<Record, MeasureError> {
        use Destination::{ClusterIp, Ingress, Pod, Service};
        let service = self.asked(position).ok_or(MeasureError::NoEndpoint)?;
        let pod = service.endpoints.first().ok_or(MeasureError::NoEndpoint)?.addr;
        let mut stand = Stand::new(&self.topology, self.workload.addresses, service, pod)?;
        let mut attempts = Vec::new();
        let mut ask = |rules: FilterRules, exposed: bool, destinations: &[Destination]| -> Result<(), MeasureError> {
            for from in Origin::ALL {
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

    /// The service of a position; for the control, which asks for none, the first.
    fn asked(&self, position: Position) -> Option<&Service> {
        let services = answered(&self.workload, self.setup.protocol);
        at(position, &services).or_else(|| services.first().copied())
    }

    fn expose(&self, service: &Service) -> Result<bool, MeasureError> {
        let _inside = self.topology.node.enter()?;
        let exposed = Service { vip: LOAD_BALANCER, ..service.clone() };
        self.datapath.expose(&exposed, &self.workload).map_err(|source| named(&self.setup, source))
    }

    fn remove_filter(&self) -> Result<bool, MeasureError> {
        let _inside = self.topology.node.enter()?;
        self.datapath.remove_filter().map_err(|source| named(&self.setup, source))
    }
}
