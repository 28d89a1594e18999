//! Steps of cells that were measured elsewhere: what a model counts for the services and packets of a run's own workload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datapath_sim::{Datapath, Steps};

use super::datapath::Site;
use super::order::Order;
use super::{Model, SimError};
use crate::result::{BackendKind, Bracket, Flow, Position};
use crate::run::plan::{Measure, MeasureKind, Setup};
use crate::workload::{Common, WorkloadSpec};

/// Most pods (N x M) of a workload whose steps are counted: a report has neither time nor memory for more.
pub(crate) const MOST_PODS: u64 = 200_000;

/// Flows whose steps a median is taken of.
const FLOWS: u32 = 101;

/// A cell of new flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CountedCell {
    /// What stands for its kernel.
    pub(crate) model: Model,
    /// What was programmed.
    pub(crate) setup: Setup,
    /// Which service was asked for.
    pub(crate) position: Position,
}

/// Why the steps of a cell were not counted.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum NotCounted {
    /// Too large.
    #[error(
        "{services} services x {endpoints} endpoints are more than the {MOST_PODS} pods that steps are counted for"
    )]
    TooLarge {
        /// N.
        services: u32,
        /// M.
        endpoints: u32,
    },
    /// No workload, node or packets.
    #[error(transparent)]
    Sim(Arc<SimError>),
}

impl From<SimError> for NotCounted {
    fn from(error: SimError) -> Self {
        Self::Sim(Arc::new(error))
    }
}

impl CountedCell {
    /// The cell that counts the same: only IPVS differs by model, and models have no hooks.
    fn representative(self) -> Self {
        let model = if self.setup.backend == BackendKind::Ipvs { self.model } else { Model::Fixed };
        let backend = match self.setup.backend {
            BackendKind::IptablesNft => BackendKind::IptablesLegacy,
            BackendKind::EbpfXdp => BackendKind::EbpfTc,
            other => other,
        };
        Self { model, setup: Setup { backend, bracket: Bracket::default(), ..self.setup }, ..self }
    }
}

/// The steps of each cell's median packet. Cells that count the same are counted once, and one workload at a time is held.
pub(crate) fn count_steps(common: &Common, cells: &[CountedCell]) -> BTreeMap<CountedCell, Result<Steps, NotCounted>> {
    let mut by_workload = BTreeMap::<Setup, BTreeSet<CountedCell>>::new();
    for cell in cells.iter().map(|cell| cell.representative()) {
        by_workload.entry(Setup { backend: BackendKind::Direct, ..cell.setup }).or_default().insert(cell);
    }
    let mut counted = BTreeMap::new();
    for (workload, cells) in by_workload {
        match site(common, &workload.spec(common)) {
            Ok(site) => {
                for cells in Vec::from_iter(cells).chunk_by(|a, b| (a.model, a.setup) == (b.model, b.setup)) {
                    counted.extend(on_one_node(common, &site, cells));
                }
            }
            Err(error) => counted.extend(cells.into_iter().map(|cell| (cell, Err(error.clone())))),
        }
    }
    let of = |cell: &CountedCell| Some((*cell, counted.get(&cell.representative())?.clone()));
    cells.iter().filter_map(of).collect()
}

fn site(common: &Common, spec: &WorkloadSpec) -> Result<Site, NotCounted> {
    let WorkloadSpec { services, endpoints, .. } = *spec;
    if u64::from(services) * u64::from(endpoints.max(1)) > MOST_PODS {
        return Err(NotCounted::TooLarge { services, endpoints });
    }
    Ok(Site::of(common.generate(spec).map_err(SimError::from)?))
}

/// Cells of one model and setup, as one visit measures them. No flow comes twice.
fn on_one_node(common: &Common, site: &Site, cells: &[CountedCell]) -> Vec<(CountedCell, Result<Steps, NotCounted>)> {
    let Some(CountedCell { model, setup, .. }) = cells.first() else { return Vec::new() };
    let mut node = match site.node(*model, setup.backend, common.seed) {
        Ok(node) => node,
        Err(error) => {
            let error = NotCounted::from(SimError::from(error));
            return cells.iter().map(|cell| (*cell, Err(error.clone()))).collect();
        }
    };
    let flows = (0..).step_by(FLOWS as usize);
    let count = |(cell, first_flow): (&CountedCell, u64)| {
        let steps = median(&mut *node, common.seed, site, cell, first_flow);
        (*cell, steps.map_err(NotCounted::from))
    };
    cells.iter().zip(flows).map(count).collect()
}

fn median(
    node: &mut dyn Datapath,
    seed: u64,
    site: &Site,
    cell: &CountedCell,
    first_flow: u64,
) -> Result<Steps, SimError> {
    let (flow, position) = (Flow::New, cell.position);
    let measure = Measure { kind: MeasureKind::Traversal { flow, position }, trial: 0, packets: FLOWS, first_flow };
    let order = Order::new(seed, &cell.setup, site, &measure, (flow, position))?;
    let mut counted: Vec<_> = order.packets(FLOWS.into()).map(|packet| node.process(&packet).steps).collect();
    counted.sort_by_key(Steps::total);
    Ok(counted.swap_remove(counted.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{AddressPlan, Protocol, VipLayout};

    fn cell(model: Model, backend: BackendKind, layout: VipLayout, services: u32, position: Position) -> CountedCell {
        let (bracket, protocol, endpoints) = (backend.bracket(), Protocol::Tcp, 1);
        CountedCell { model, setup: Setup { backend, bracket, layout, protocol, services, endpoints }, position }
    }

    fn steps(common: &Common, cell: CountedCell) -> Steps {
        count_steps(common, &[cell])[&cell].clone().unwrap()
    }

    #[test]
    fn rules_are_those_of_the_run_with_its_ballast() {
        let last = cell(Model::Fixed, BackendKind::IptablesNft, VipLayout::Sequential, 1000, Position::Last);
        let first = CountedCell { position: Position::First, ..last };
        let plain = Common { seed: 42, ..Common::default() };
        assert_eq!(steps(&plain, last).rules - steps(&plain, first).rules, 999);
        let ballast = Common { ballast: std::num::NonZeroU32::new(10), ..plain };
        assert_eq!(steps(&ballast, last).rules - steps(&plain, last).rules, 99);
    }

    #[test]
    fn entries_are_those_of_the_kernels_table() {
        let first = |model, layout| cell(model, BackendKind::Ipvs, layout, 1024, Position::First);
        let entries = |cell| steps(&Common::default(), cell).service_entries;
        assert_eq!(entries(first(Model::Fixed, VipLayout::Stride256)), 1024);
        assert_eq!(entries(first(Model::Fixed, VipLayout::Sequential)), 4);
        assert!(entries(first(Model::Resizable, VipLayout::Stride256)) < 8);
        let last = CountedCell { position: Position::Last, ..first(Model::Fixed, VipLayout::Stride256) };
        assert_eq!(entries(last), 1);
    }

    #[test]
    fn a_workload_is_of_the_runs_own_address_plan() {
        let narrow = AddressPlan { service_cidr: "10.96.0.0/24".parse().unwrap(), ..AddressPlan::default() };
        let common = Common { addresses: narrow, ..Common::default() };
        let of = |services| cell(Model::Fixed, BackendKind::Nftables, VipLayout::Sequential, services, Position::Last);
        let counted = count_steps(&common, &[of(10), of(1000)]);
        assert!(counted[&of(10)].is_ok());
        let refused = counted[&of(1000)].clone().unwrap_err();
        assert!(refused.to_string().contains("10.96.0.0/24"), "{refused}");
    }

    #[test]
    fn what_would_take_too_long_is_not_counted() {
        let large = cell(Model::Fixed, BackendKind::Ipvs, VipLayout::Sequential, 200_001, Position::Last);
        let refused = count_steps(&Common::default(), &[large]);
        assert!(matches!(refused[&large], Err(NotCounted::TooLarge { services: 200_001, endpoints: 1 })));
    }
}
