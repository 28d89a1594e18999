//! What it takes to program the node: the whole, and two changes.

use std::time::Duration;

use super::site::Site;
use super::{Emit, MeasureError};
use crate::backend::{Backend, BackendError, ProgrammingCost};
use crate::net::Topology;
use crate::result::{ProgrammingOp, ProgrammingRecord};
use crate::run::plan::{Measure, Setup};
use crate::run::record::Record;
use crate::workload::Workload;

pub(super) fn program(
    datapath: &dyn Backend,
    topology: &Topology,
    workload: &Workload,
    setup: &Setup,
) -> Result<ProgrammingCost, MeasureError> {
    let _inside = topology.node.enter()?;
    let named = |source| named(setup, source);
    let cost = datapath.apply(workload).map_err(named)?;
    datapath.verify(workload).map_err(named)?;
    Ok(cost)
}

/// A backend's error with what it was about.
pub(super) fn named(setup: &Setup, source: BackendError) -> MeasureError {
    MeasureError::Backend { backend: setup.backend, services: setup.services, source }
}

impl Site<'_> {
    /// Adds a service and moves an endpoint, each as kube-proxy's partial sync does, and checks the kernel afterwards.
    pub(super) fn program_changes(
        &mut self,
        measure: &Measure,
        from_nothing: ProgrammingCost,
        emit: &mut Emit<'_>,
    ) -> Result<(), MeasureError> {
        let answered = self.workload.services.iter().position(|service| !service.endpoints.is_empty());
        let (Some((added, endpoint)), Some(answered)) = (self.setup.spare(self.scenario)?, answered) else {
            return Ok(());
        };
        let _inside = self.topology.node.enter()?;
        let setup = self.setup;
        let named = |source| MeasureError::Backend { backend: setup.backend, services: setup.services, source };

        self.workload.services.push(added.clone());
        let add = self.datapath.add_service(&self.workload, &added).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        let before = self.workload.services[answered].clone();
        let mut after = before.clone();
        after.endpoints[0] = endpoint;
        self.workload.services[answered] = after.clone();
        let change = self.datapath.change_endpoint(&before, &after, &self.workload).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        emit(self.programming(measure, ProgrammingOp::FromNothing, from_nothing))?;
        emit(self.programming(measure, ProgrammingOp::AddService, add))?;
        emit(self.programming(measure, ProgrammingOp::ChangeEndpoint, change))
    }

    fn programming(&self, measure: &Measure, op: ProgrammingOp, cost: ProgrammingCost) -> Record {
        let count = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Record::Programming(ProgrammingRecord {
            venue: self.place.venue,
            kernel: self.place.kernel.clone(),
            backend: self.setup.backend,
            layout: self.setup.layout,
            protocol: self.setup.protocol,
            services: self.setup.services,
            endpoints: self.setup.endpoints,
            op,
            trial: measure.trial,
            unit: self.place.unit,
            total: count(cost.total),
            user: count(cost.user),
            kernel_time: count(cost.kernel),
        })
    }
}
