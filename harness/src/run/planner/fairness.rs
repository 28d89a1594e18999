//! Fairness: every way of spreading that a backend has, once, and each change of its endpoints.

use datapath_common::flow::PORTS_PER_CLIENT;

use super::{FLOWS_A_TRIAL, Planner};
use crate::result::{BackendKind, CLIENTS, EndpointChange, Spreading, VenueKind};
use crate::run::plan::{MeasureKind, Setup, VenueOffer};

/// Flow numbers set aside for flows of many client addresses: all ports of each, and what lies before the first.
const FLOWS_OF_CLIENTS: u64 = (CLIENTS as u64 + 1) * PORTS_PER_CLIENT;

impl Planner<'_> {
    /// What is asked of which setup. Endpoints are chosen within a service, so one N says it all: the smallest; and in one layout. A single
    /// endpoint leaves no choice.
    pub(super) fn fairness(&mut self, offer: &VenueOffer, setups: &[Setup]) -> Vec<(Setup, Vec<MeasureKind>)> {
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
        if !lacking.is_empty() && offer.venue != VenueKind::Sim && offer.backends.contains(&BackendKind::Ipvs) {
            let reason = format!("fairness: this kernel has no {}", lacking.join(", "));
            self.skip(offer, BackendKind::Ipvs, None, reason);
        }
    }
}
