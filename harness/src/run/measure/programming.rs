//! What it takes to program the node: the whole, and two changes.

use std::time::Duration;

use super::site::Site;
use super::{Emit, MeasureError};
use crate::backend::{Backend, BackendError, ProgrammingCost};
use crate::net::Topology;
use crate::result::{CacheGrowth, MapMemory, ProgrammingOp, ProgrammingRecord, StateMemory};
use crate::run::plan::{Measure, Setup};
use crate::run::record::Record;
use crate::usage::{KernelMemory, settled};
use crate::workload::Workload;

/// What programming from nothing took.
#[derive(Debug, Clone)]
pub(super) struct FromNothing {
    pub(super) cost: ProgrammingCost,
    /// Only where it is asked for: to let the kernel's memory settle takes time.
    pub(super) memory: Option<StateMemory>,
}

/// Programs a workload, checks it, and where `weigh` says so tells what memory the kernel took for it.
pub(super) fn program(
    datapath: &dyn Backend,
    topology: &Topology,
    workload: &Workload,
    setup: &Setup,
    weigh: bool,
) -> Result<FromNothing, MeasureError> {
    let _inside = topology.node.enter()?;
    let named = |source| named(setup, source);
    let before = weigh.then(settled).transpose()?;
    let cost = datapath.apply(workload).map_err(named)?;
    let after = weigh.then(settled).transpose()?;
    datapath.verify(workload).map_err(named)?;
    let maps = if weigh { datapath.maps().map_err(named)? } else { Vec::new() };
    let memory = before.zip(after).map(|(before, after)| growth(&before, &after, maps));
    Ok(FromNothing { cost, memory })
}

/// Slab caches that are named.
const CACHES: usize = 3;

/// What the kernel holds more than before.
fn growth(before: &KernelMemory, after: &KernelMemory, maps: Vec<MapMemory>) -> StateMemory {
    let more = |of: fn(&KernelMemory) -> u64| of(after).cast_signed() - of(before).cast_signed();
    let cache = |(name, now): (&String, &u64)| {
        let bytes = now.cast_signed() - before.caches.get(name).copied().unwrap_or(0).cast_signed();
        (bytes > 0).then(|| CacheGrowth { name: name.clone(), bytes })
    };
    let mut caches: Vec<_> = after.caches.iter().filter_map(cache).collect();
    caches.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    caches.truncate(CACHES);
    StateMemory {
        slab_kib: more(|memory| memory.slab_kib),
        unreclaimable_kib: more(|memory| memory.unreclaimable_kib),
        vmalloc_kib: more(|memory| memory.vmalloc_kib),
        percpu_kib: more(|memory| memory.percpu_kib),
        caches,
        maps,
    }
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
        from_nothing: &FromNothing,
        emit: &mut Emit<'_>,
    ) -> Result<(), MeasureError> {
        let answered = self.workload.services.iter().position(|service| !service.endpoints.is_empty());
        let (Some((added, endpoint)), Some(answered)) = (self.setup.spare(self.scenario)?, answered) else {
            return Ok(());
        };
        let _inside = self.topology.node.enter()?;
        let setup = self.setup;
        let named = |source| named(&setup, source);

        self.workload.services.push(added.clone());
        let add = self.datapath.add_service(&self.workload, &added).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        let before = self.workload.services[answered].clone();
        let mut after = before.clone();
        after.endpoints[0] = endpoint;
        self.workload.services[answered] = after.clone();
        let change = self.datapath.change_endpoint(&before, &after, &self.workload).map_err(named)?;
        self.datapath.verify(&self.workload).map_err(named)?;

        let FromNothing { cost, memory } = from_nothing;
        emit(self.programming(measure, ProgrammingOp::FromNothing, *cost, memory.clone()))?;
        emit(self.programming(measure, ProgrammingOp::AddService, add, None))?;
        emit(self.programming(measure, ProgrammingOp::ChangeEndpoint, change, None))
    }

    fn programming(
        &self,
        measure: &Measure,
        op: ProgrammingOp,
        cost: ProgrammingCost,
        memory: Option<StateMemory>,
    ) -> Record {
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
            memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_names_the_caches_that_grew_most() {
        let caches = |sizes: &[(&str, u64)]| sizes.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
        let before = KernelMemory {
            slab_kib: 100,
            unreclaimable_kib: 60,
            vmalloc_kib: 50,
            percpu_kib: 8,
            caches: caches(&[("a", 4096), ("b", 8192), ("c", 4096)]),
        };
        let after = KernelMemory {
            slab_kib: 140,
            unreclaimable_kib: 70,
            vmalloc_kib: 40,
            percpu_kib: 8,
            caches: caches(&[("a", 12_288), ("b", 4096), ("c", 8192), ("d", 4096), ("e", 16_384)]),
        };
        let growth = growth(&before, &after, Vec::new());
        assert_eq!(
            (growth.slab_kib, growth.unreclaimable_kib, growth.vmalloc_kib, growth.percpu_kib),
            (40, 10, -10, 0)
        );
        assert_eq!(growth.bytes(), 0);
        let named: Vec<_> = growth.caches.iter().map(|cache| (cache.name.as_str(), cache.bytes)).collect();
        assert_eq!(named, [("e", 16_384), ("a", 8192), ("c", 4096)]);
    }
}
