//! Expands a scenario into batches: pure, and the same every time.

mod connections;
mod effort;
mod fairness;
mod kinds;
#[cfg(test)]
mod tests;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

use super::guard;
use super::plan::{Batch, Measure, MeasureKind, Setup, Skipped, VenueOffer, Visit};
use super::scenario::Scenario;
use crate::result::{BackendKind, Flow, VenueKind};
use crate::traffic::ESTABLISHED_FLOWS;
use connections::{FLOWS_OF_CONNECTIONS, most_exchanges};
use effort::{Effort, effort, repetitions};
use kinds::{axes, kinds, place, reachability};

/// Largest N whose visits share a boot; larger ones have their own, so that an interrupted boot loses little.
const SHARED_BOOT_SERVICES: u32 = 1_000;
/// Flow numbers set aside for a trial: the warm-up of established flows and refused attempts included.
const FLOWS_A_TRIAL: u64 = 1 << 18;
/// Flow numbers set aside for a saturation trial, whose offered packets each take one: 20 million a second for
/// 400 ms fit.
const FLOWS_A_SATURATION: u64 = 1 << 23;
/// Flow numbers set aside for a search: so many packets lie between two of one flow.
pub(super) const FLOWS_A_SEARCH: u64 = 1 << 23;
/// Forwarded packets that end a saturation trial: safely below the 262,144 entries of a conntrack table.
const SATURATION_PACKETS: u32 = 200_000;

/// Every batch over the venues that are offered, and what is left out.
pub(super) fn expand(scenario: &Scenario, offers: &[VenueOffer]) -> (Vec<Batch>, Vec<Skipped>) {
    let mut planner = Planner { scenario, next_flow: 0, next_exchange: 0, batches: Vec::new(), skipped: Vec::new() };
    let (mut most_flows, mut most_exchanges) = (0, 0);
    for offer in offers {
        // Every guest meets the same packets, so that kernels differ in nothing else, and a kernel's trials do not depend on
        // which others were asked for. Guests share no connection table; the host's flows come after all of theirs.
        let is_host = offer.venue == VenueKind::Host;
        (planner.next_flow, planner.next_exchange) = if is_host { (most_flows, most_exchanges) } else { (0, 0) };
        planner.add_venue(offer);
        most_flows = most_flows.max(planner.next_flow);
        most_exchanges = most_exchanges.max(planner.next_exchange);
    }
    (planner.batches, planner.skipped)
}

struct Planner<'a> {
    scenario: &'a Scenario,
    next_flow: u64,
    /// Exchanges have visits of their own, and so numbers of their own: packets are the same with and without them.
    next_exchange: u64,
    batches: Vec<Batch>,
    skipped: Vec<Skipped>,
}

impl Planner<'_> {
    fn add_venue(&mut self, offer: &VenueOffer) {
        for (backend, reason) in &offer.unready {
            self.skip(offer, *backend, None, reason.clone());
        }
        let setups = self.setups(offer);
        self.leave_out_connections(offer);
        self.leave_out_rates(offer);
        self.leave_out_fairness(offer);
        match offer.venue {
            VenueKind::Host => self.add_rounds(offer, &setups),
            VenueKind::Vm => self.add_boots(offer, &setups),
            VenueKind::Sim => self.add_models(offer, &setups),
        }
        self.add_fairness(offer, &setups);
        self.add_reachability(offer, &setups);
    }

    fn setups(&mut self, offer: &VenueOffer) -> Vec<Setup> {
        let scenario = self.scenario;
        let mut setups = Vec::new();
        for &backend in &offer.backends {
            for services in self.allowed_services(offer, backend) {
                for bracket in backend.brackets(&offer.backends) {
                    let of_axes = |(layout, protocol, endpoints)| Setup {
                        backend,
                        bracket,
                        layout,
                        protocol,
                        services,
                        endpoints,
                    };
                    setups.extend(axes(scenario, backend).into_iter().map(of_axes));
                }
            }
        }
        setups
    }

    fn allowed_services(&mut self, offer: &VenueOffer, backend: BackendKind) -> Vec<u32> {
        let mut allowed = Vec::new();
        let scenario = self.scenario;
        for &services in &scenario.services {
            match guard::refusal(offer, backend, services) {
                Some(reason) if !self.scenario.allow_slow => {
                    self.skip(offer, backend, Some(services), reason);
                }
                _ => allowed.push(services),
            }
        }
        allowed
    }

    fn skip(&mut self, offer: &VenueOffer, backend: BackendKind, services: Option<u32>, reason: String) {
        self.skipped.push(Skipped { venue: offer.venue, kernel: offer.kernel.clone(), backend, services, reason });
    }

    /// Leaves out every backend of an offer for one reason.
    fn skip_all(&mut self, offer: &VenueOffer, reason: &str) {
        for backend in &offer.backends {
            self.skip(offer, *backend, None, reason.to_owned());
        }
    }

    /// Rates are searched for where time is real and the node has a CPU of its own.
    fn leave_out_rates(&mut self, offer: &VenueOffer) {
        if self.scenario.rates.is_none() {
            return;
        }
        let reason = match offer.venue {
            VenueKind::Host if offer.saturation => {
                let opens = self.scenario.flows.contains(&Flow::New) || !self.scenario.new_shares.is_empty();
                if opens && offer.backends.contains(&BackendKind::Ipvs) {
                    let reason =
                        "rates of new flows: IPVS keeps connections of its own, which cannot be emptied between trials";
                    self.skip(offer, BackendKind::Ipvs, None, reason.to_owned());
                }
                return;
            }
            VenueKind::Host => "rates: generator and node need a CPU each, and this machine has one",
            VenueKind::Vm => {
                "rates: a vm's CPUs are shared or emulated, and generator and node need one each; --venue host measures them"
            }
            VenueKind::Sim => "rates: a model counts steps and has no time; --venue host measures them",
        };
        self.skip_all(offer, reason);
    }

    /// A visit a backend, behind everything else: in the vm one boot, for they are short.
    fn add_reachability(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        if !self.scenario.reachability {
            return;
        }
        if offer.venue == VenueKind::Sim {
            let reason = "reachability: a model has no ICMP and no addresses of its own; --venue host and vm have";
            return self.skip_all(offer, reason);
        }
        let found = offer.backends.iter().filter_map(|backend| reachability(setups, *backend)).collect::<Vec<_>>();
        let visits: Vec<_> =
            found.into_iter().map(|(setup, kind)| Visit { setup, measures: vec![self.measure(kind, 0, 0)] }).collect();
        let a_batch = if offer.venue == VenueKind::Vm { visits.len() } else { 1 };
        for visits in visits.chunks(a_batch.max(1)) {
            self.push(offer, visits.to_vec());
        }
    }

    /// Host: every round visits every setup once, in an order of its own, and once more where it carries real connections.
    fn add_rounds(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        let effort = effort(self.scenario, offer);
        for round in 0..effort.rounds {
            let mut order = setups.to_vec();
            order.shuffle(&mut self.rng(&[1, u64::from(round)]));
            for setup in order {
                let visit = self.visit(offer, setup, &effort, round);
                self.push(offer, vec![visit]);
            }
            self.add_connections(offer, setups, round);
        }
    }

    /// Vm: one boot a backend and layout, N in a seeded random order. Real connections go round as on the host, a boot a round.
    fn add_boots(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        let effort = effort(self.scenario, offer);
        for (index, boot) in boots(setups).into_iter().enumerate() {
            let mut order = boot;
            let salt = index as u64;
            order.shuffle(&mut self.rng(&[2, salt]));
            let visits = order.into_iter().map(|setup| self.visit(offer, setup, &effort, 0)).collect();
            self.push(offer, visits);
        }
        let rounds = if offer.deterministic { 0 } else { effort.trials_a_visit };
        (0..rounds).for_each(|round| self.add_connections(offer, setups, round));
    }

    /// Models: all backends of one workload together, which is then made once.
    fn add_models(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        let effort = effort(self.scenario, offer);
        let workload = |setup: &Setup| (setup.layout, setup.protocol, setup.endpoints, setup.services);
        let mut order = setups.to_vec();
        order.sort_by_key(|setup| (workload(setup), setup.backend));
        for alike in order.chunk_by(|a, b| workload(a) == workload(b)) {
            let visits = alike.iter().map(|setup| self.visit(offer, *setup, &effort, 0)).collect();
            self.push(offer, visits);
        }
    }

    fn visit(&mut self, offer: &VenueOffer, setup: Setup, effort: &Effort, round: u32) -> Visit {
        let mut measures = Vec::new();
        for kind in kinds(self.scenario, offer, &setup).into_iter().filter(|kind| effort.is_in(*kind, round)) {
            for repetition in 0..repetitions(kind, effort) {
                let trial = round * repetitions(kind, effort) + repetition;
                measures.push(self.measure(kind, trial, effort.packets));
            }
        }
        let salt = setup_salt(&setup);
        measures.shuffle(&mut self.rng(&[3, u64::from(round), salt]));
        measures.sort_by_key(|measure| place(measure.kind));
        Visit { setup, measures }
    }

    fn measure(&mut self, kind: MeasureKind, trial: u32, packets: u32) -> Measure {
        let decisions = self.scenario.decisions.map_or(0, std::num::NonZeroU32::get);
        let (flows, packets) = match kind {
            MeasureKind::Decisions { .. } => (FLOWS_A_TRIAL, decisions),
            MeasureKind::Fairness { spreading, .. } => self.fairness_flows(spreading),
            MeasureKind::Traversal { .. } | MeasureKind::Floor => (FLOWS_A_TRIAL, packets),
            MeasureKind::Saturation { .. } => (FLOWS_A_SATURATION, SATURATION_PACKETS),
            MeasureKind::Connections { load, .. } => (FLOWS_OF_CONNECTIONS, most_exchanges(load)),
            MeasureKind::Rates { .. } => (FLOWS_A_SEARCH, ESTABLISHED_FLOWS),
            MeasureKind::Reachability { .. } | MeasureKind::Programming => (0, 0),
        };
        let next = match kind {
            MeasureKind::Connections { .. } => &mut self.next_exchange,
            _ => &mut self.next_flow,
        };
        let first_flow = *next;
        *next += flows;
        Measure { kind, trial, packets, first_flow }
    }

    fn push(&mut self, offer: &VenueOffer, visits: Vec<Visit>) {
        let id = u32::try_from(self.batches.len()).unwrap_or(u32::MAX);
        self.batches.push(Batch { id, venue: offer.venue, kernel: offer.kernel.clone(), visits });
    }

    fn rng(&self, salts: &[u64]) -> ChaCha12Rng {
        let mut seed = [0; 32];
        for (chunk, value) in seed.chunks_exact_mut(8).zip([&[self.scenario.seed], salts].concat()) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha12Rng::from_seed(seed)
    }
}

/// Setups grouped into boots: by everything but N, and a boot of its own for each large N.
fn boots(setups: &[Setup]) -> Vec<Vec<Setup>> {
    let mut groups: Vec<(Setup, Vec<Setup>)> = Vec::new();
    for setup in setups {
        let shared = if setup.services <= SHARED_BOOT_SERVICES { 0 } else { setup.services };
        let key = Setup { services: shared, ..*setup };
        match groups.iter_mut().find(|(group, _)| *group == key) {
            Some((_, members)) => members.push(*setup),
            None => groups.push((key, vec![*setup])),
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn setup_salt(setup: &Setup) -> u64 {
    let small = [setup.backend as u64, setup.layout as u64, setup.protocol as u64, u64::from(setup.endpoints)];
    let bracket = (!setup.bracket.is_tc()).then_some(setup.bracket as u64);
    small
        .iter()
        .chain(&bracket)
        .fold(u64::from(setup.services), |salt, part| salt.wrapping_mul(1_099_511_628_211) ^ part)
}
