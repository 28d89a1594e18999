//! Fairness: every way of spreading that a backend has, once, and each change of its endpoints.

use datapath_common::flow::PORTS_PER_CLIENT;

use super::{FLOWS_A_TRIAL, Planner};
use crate::result::{BackendKind, CLIENTS, EndpointChange, Spreading, VenueKind};
use crate::run::plan::{MeasureKind, Setup, VenueOffer, Visit};

/// Flow numbers set aside for flows of many client addresses: all ports of each, and what lies before the first.
const FLOWS_OF_CLIENTS: u64 = (CLIENTS as u64 + 1) * PORTS_PER_CLIENT;

impl Planner<'_> {
    /// Behind the rounds or boots of everything else: on the host a batch a measure, so that a killed run loses one of them; in the vm one boot
    /// a backend.
    pub(super) fn add_fairness(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        for (setup, kinds) in self.fairness(offer, setups) {
            let a_visit = if offer.venue == VenueKind::Host { 1 } else { kinds.len() };
            for kinds in kinds.chunks(a_visit) {
                let measures = kinds.iter().map(|&kind| self.measure(kind, 0, 0)).collect();
                self.push(offer, vec![Visit { setup, measures }]);
            }
        }
    }

    /// What is asked of which setup. Endpoints are chosen within a service, so one N says it all: the smallest; and in one layout. A single
    /// endpoint leaves no choice.
    fn fairness(&self, offer: &VenueOffer, setups: &[Setup]) -> Vec<(Setup, Vec<MeasureKind>)> {
        if self.scenario.fairness.is_none() || offer.venue == VenueKind::Sim {
            return Vec::new();
        }
        let smallest =
            |backend| setups.iter().filter(|setup| setup.backend == backend).map(|setup| setup.services).min();
        let is_asked = |setup: &&Setup| {
            setup.bracket == setup.backend.bracket()
                && setup.layout == self.scenario.layouts[0]
                && setup.endpoints > 1
                && Some(setup.services) == smallest(setup.backend)
        };
        let of_setup = |setup: &Setup| {
            let there = Spreading::of(setup.backend).iter().filter(|way| !offer.lacking.contains(way));
            let changes = [EndpointChange::Added, EndpointChange::Removed];
            let kinds = there.flat_map(|&spreading| changes.map(|change| MeasureKind::Fairness { spreading, change }));
            (*setup, kinds.collect::<Vec<_>>())
        };
        setups.iter().filter(is_asked).map(of_setup).filter(|(_, kinds)| !kinds.is_empty()).collect()
    }

    /// Flow numbers, and flows of a measure.
    pub(super) fn fairness_flows(&self, spreading: Spreading) -> (u64, u32) {
        let asked = self.scenario.fairness.map_or(0, std::num::NonZeroU32::get);
        let (clients, flows) = spreading.traffic(asked);
        (if clients > 1 { FLOWS_OF_CLIENTS } else { FLOWS_A_TRIAL }, flows)
    }

    /// Says what cannot be asked.
    pub(super) fn leave_out_fairness(&mut self, offer: &VenueOffer) {
        if self.scenario.fairness.is_none() {
            return;
        }
        for &backend in offer.backends.iter().filter(|backend| backend.balances()) {
            if offer.venue == VenueKind::Sim {
                let reason = "fairness: a model's endpoints do not change; --venue host or vm measures it";
                self.skip(offer, backend, None, reason.to_owned());
            } else if self.scenario.endpoints.iter().all(|endpoints| *endpoints < 2) {
                let reason = "fairness: a single endpoint leaves no choice; ask for more, e.g. --endpoints 3";
                self.skip(offer, backend, None, reason.to_owned());
            }
        }
        let lacking: Vec<_> = offer.lacking.iter().map(|way| format!("ip_vs_{way}")).collect();
        if !lacking.is_empty() && offer.backends.contains(&BackendKind::Ipvs) {
            let reason = format!("fairness: this kernel has no {}", lacking.join(", "));
            self.skip(offer, BackendKind::Ipvs, None, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::num::NonZeroU32;

    use super::super::tests::offer;
    use super::*;
    use crate::run::plan::{Batch, Plan};
    use crate::run::scenario::Wishes;

    fn plan(flows: u32, endpoints: &[u32], lacking: &[Spreading]) -> Plan {
        let endpoints = Some(endpoints.to_vec());
        let wishes = Wishes { fairness: NonZeroU32::new(flows), endpoints, ..Wishes::default() };
        let scenario = wishes.resolve().unwrap();
        let vm = VenueOffer { lacking: lacking.to_vec(), ..offer(VenueKind::Vm, &scenario.backends) };
        Plan::new(&scenario, &[vm, offer(VenueKind::Host, &scenario.backends[..4])])
    }

    fn visits(plan: &Plan, venue: VenueKind) -> Vec<(&Batch, &Visit)> {
        let of = |batch: &'_ &Batch| batch.venue == venue;
        let batches = plan.batches.iter().filter(of);
        let pairs = batches.flat_map(|batch| batch.visits.iter().map(move |visit| (batch, visit)));
        pairs.filter(|(_, visit)| visit.is_of_fairness()).collect()
    }

    #[test]
    fn every_way_is_asked_once_and_in_one_boot_a_backend() {
        let plan = plan(10_000, &[1, 3], &[Spreading::Twos]);
        let vm = visits(&plan, VenueKind::Vm);
        assert_eq!(vm.len(), 6, "a boot for every backend that balances");
        assert!(vm.iter().all(|(batch, visit)| {
            batch.visits.len() == 1 && (visit.setup.services, visit.setup.endpoints) == (1, 3)
        }));
        let ipvs = vm.iter().find(|(_, visit)| visit.setup.backend == BackendKind::Ipvs).unwrap().1;
        assert_eq!(ipvs.measures.len(), 2 * (Spreading::of(BackendKind::Ipvs).len() - 1));
        assert!(plan.skipped.iter().any(|skipped| skipped.reason.contains("no ip_vs_twos")), "{:?}", plan.skipped);
        // On the host each is a batch: a killed run loses one of them.
        assert!(
            visits(&plan, VenueKind::Host)
                .iter()
                .all(|(batch, visit)| batch.trials() == 1 && visit.measures[0].trial == 0)
        );
        let slots: Vec<_> = plan.batches.iter().flat_map(Batch::slots).collect();
        assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
    }

    #[test]
    fn flows_of_many_clients_have_numbers_of_their_own() {
        let plan = plan(10_000, &[3], &[]);
        for venue in [VenueKind::Vm, VenueKind::Host] {
            let measures = visits(&plan, venue).into_iter().flat_map(|(_, visit)| &visit.measures);
            let mut taken: Vec<_> = measures
                .map(|measure| {
                    let MeasureKind::Fairness { spreading, .. } = measure.kind else { panic!("{measure:?}") };
                    let (clients, flows) = spreading.traffic(10_000);
                    assert_eq!(measure.packets, flows);
                    let last = if clients > 1 {
                        measure.first_flow.next_multiple_of(PORTS_PER_CLIENT) + u64::from(clients) * PORTS_PER_CLIENT
                    } else {
                        measure.first_flow + u64::from(flows)
                    };
                    (measure.first_flow, last)
                })
                .collect();
            taken.sort_unstable();
            assert!(taken.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }

    #[test]
    fn all_else_is_planned_as_without() {
        let others = |plan: Plan| {
            let visits = plan.batches.into_iter().filter(|batch| batch.venue == VenueKind::Vm).flat_map(|b| b.visits);
            visits.filter(|visit| !visit.is_of_fairness()).collect::<Vec<_>>()
        };
        assert_eq!(others(plan(0, &[3], &[])), others(plan(50, &[3], &[])));
        assert!(visits(&plan(0, &[3], &[]), VenueKind::Vm).is_empty());
    }

    #[test]
    fn where_there_is_no_choice_it_says_so() {
        let plan = plan(50, &[1], &[]);
        assert!(visits(&plan, VenueKind::Vm).is_empty() && visits(&plan, VenueKind::Host).is_empty());
        assert!(plan.skipped.iter().any(|skipped| skipped.reason.contains("--endpoints 3")));
    }
}
