//! Expands a scenario into batches: pure, and the same every time.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;

use super::guard;
use super::plan::{Batch, Measure, MeasureKind, Setup, Skipped, VenueOffer, Visit};
use super::scenario::{Preset, Scenario};
use crate::result::{BackendKind, Flow, Position, VenueKind};
use crate::workload::{Protocol, VipLayout};

/// Trials and packets of a venue.
struct Effort {
    rounds: u32,
    trials_a_visit: u32,
    packets: u32,
    /// Rounds that measure saturation too: it takes long, and its spread is smaller.
    saturation_rounds: u32,
}

/// Largest N whose visits share a boot; larger ones have their own, so that an interrupted boot loses little.
const SHARED_BOOT_SERVICES: u32 = 1_000;
/// Flow numbers set aside for a trial: the warm-up of established flows and refused attempts included.
const FLOWS_A_TRIAL: u64 = 1 << 18;
/// Flow numbers set aside for a saturation trial, whose offered packets each take one: 20 million a second for
/// 400 ms fit.
const FLOWS_A_SATURATION: u64 = 1 << 23;
/// Forwarded packets that end a saturation trial: safely below the 262,144 entries of a conntrack table.
const SATURATION_PACKETS: u32 = 200_000;

/// Every batch over the venues that are offered, and what is left out.
pub(super) fn expand(scenario: &Scenario, offers: &[VenueOffer]) -> (Vec<Batch>, Vec<Skipped>) {
    let mut planner = Planner { scenario, next_flow: 0, batches: Vec::new(), skipped: Vec::new() };
    let mut most_flows = 0;
    for offer in offers {
        // Every guest meets the same packets, so that kernels differ in nothing else, and a kernel's trials do not depend on
        // which others were asked for. Guests share no connection table; the host's flows come after all of theirs.
        planner.next_flow = if offer.venue == VenueKind::Host { most_flows } else { 0 };
        planner.add_venue(offer);
        most_flows = most_flows.max(planner.next_flow);
    }
    (planner.batches, planner.skipped)
}

struct Planner<'a> {
    scenario: &'a Scenario,
    next_flow: u64,
    batches: Vec<Batch>,
    skipped: Vec<Skipped>,
}

impl Planner<'_> {
    fn add_venue(&mut self, offer: &VenueOffer) {
        for (backend, reason) in &offer.unready {
            self.skip(offer, *backend, None, reason.clone());
        }
        let setups = self.setups(offer);
        match offer.venue {
            VenueKind::Host => self.add_rounds(offer, &setups),
            VenueKind::Vm => self.add_boots(offer, &setups),
            VenueKind::Sim => self.add_models(offer, &setups),
        }
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

    /// Host: every round visits every setup once, in an order of its own.
    fn add_rounds(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        let effort = effort(self.scenario, offer);
        for round in 0..effort.rounds {
            let mut order = setups.to_vec();
            order.shuffle(&mut self.rng(&[1, u64::from(round)]));
            for setup in order {
                let visit = self.visit(offer, setup, &effort, round);
                self.push(offer, vec![visit]);
            }
        }
    }

    /// Vm: one boot a backend and layout, N in a seeded random order.
    fn add_boots(&mut self, offer: &VenueOffer, setups: &[Setup]) {
        let effort = effort(self.scenario, offer);
        for (index, boot) in boots(setups).into_iter().enumerate() {
            let mut order = boot;
            let salt = index as u64;
            order.shuffle(&mut self.rng(&[2, salt]));
            let visits = order.into_iter().map(|setup| self.visit(offer, setup, &effort, 0)).collect();
            self.push(offer, visits);
        }
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
        let in_round =
            |kind: &MeasureKind| !matches!(kind, MeasureKind::Saturation { .. }) || round < effort.saturation_rounds;
        for kind in kinds(self.scenario, offer, &setup).into_iter().filter(in_round) {
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
        let first_flow = self.next_flow;
        let decisions = self.scenario.decisions.map_or(0, std::num::NonZeroU32::get);
        let (flows, packets) = match kind {
            MeasureKind::Decisions { .. } => (FLOWS_A_TRIAL, decisions),
            MeasureKind::Traversal { .. } | MeasureKind::Floor => (FLOWS_A_TRIAL, packets),
            MeasureKind::Saturation { .. } => (FLOWS_A_SATURATION, SATURATION_PACKETS),
            MeasureKind::Programming => (0, 0),
        };
        self.next_flow += flows;
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

/// Layout, protocol and M of a backend: the baselines have no services, so only protocol and M concern them.
fn axes(scenario: &Scenario, backend: BackendKind) -> Vec<(VipLayout, Protocol, u32)> {
    let single = !backend.balances() || (scenario.narrow_layouts && backend != BackendKind::Ipvs);
    let layouts = if single { &scenario.layouts[..1] } else { &scenario.layouts[..] };
    let mut axes = Vec::new();
    for &layout in layouts {
        for &protocol in &scenario.protocols {
            axes.extend(scenario.endpoints.iter().map(|&endpoints| (layout, protocol, endpoints)));
        }
    }
    axes
}

fn kinds(scenario: &Scenario, offer: &VenueOffer, setup: &Setup) -> Vec<MeasureKind> {
    let mut kinds = Vec::new();
    for &flow in flows(scenario, setup.backend) {
        for &position in positions(scenario, setup.backend, flow) {
            kinds.push(MeasureKind::Traversal { flow, position });
        }
    }
    let decisions = scenario.decisions.filter(|_| setup.backend.balances() && setup.bracket == setup.backend.bracket());
    let decisions = decisions.map_or(&[][..], |_| &scenario.positions).iter();
    let decisions = decisions.map(|&position| MeasureKind::Decisions { position });
    // A model has no probe and is not programmed.
    if offer.venue == VenueKind::Sim {
        kinds.extend(decisions);
        return kinds;
    }
    if setup.backend == BackendKind::Direct {
        kinds.push(MeasureKind::Floor);
    }
    if setup.bracket != setup.backend.bracket() {
        return kinds;
    }
    if offer.saturation {
        let position = setup.backend.worst_position();
        kinds.extend(flows(scenario, setup.backend).iter().map(|&flow| MeasureKind::Saturation { flow, position }));
    }
    if setup.backend.balances() {
        kinds.extend(decisions);
        kinds.push(MeasureKind::Programming);
    }
    kinds
}

/// Without conntrack there are no flows to tell apart.
fn flows(scenario: &Scenario, backend: BackendKind) -> &[Flow] {
    if backend == BackendKind::Direct { &[Flow::New] } else { &scenario.flows }
}

fn positions(scenario: &Scenario, backend: BackendKind, flow: Flow) -> &[Position] {
    match (backend, flow) {
        (BackendKind::Direct | BackendKind::DirectConntrack, _) => &[Position::Missing],
        // Conntrack answers before any position matters; one is enough unless positions were the point of the preset.
        (_, Flow::Established) if scenario.preset != Preset::Full => {
            let worst = scenario.positions.iter().position(|position| *position == backend.worst_position());
            let one = worst.unwrap_or(0);
            &scenario.positions[one..=one]
        }
        _ => &scenario.positions,
    }
}

fn effort(scenario: &Scenario, offer: &VenueOffer) -> Effort {
    let trials = scenario.trials.unwrap_or(if offer.deterministic { 5 } else { 10 });
    let saturation_rounds = match scenario.preset {
        Preset::Quick => 3,
        Preset::Standard => 5,
        Preset::Full => trials,
    };
    let packets = scenario.packets.unwrap_or(match (offer.deterministic, offer.venue) {
        // Counts repeat, but over a cluster's services each packet draws one, and their mean is asked for.
        (true, _) if scenario.cluster.is_some() => 1_000,
        (true, _) => 200,
        (false, VenueKind::Vm | VenueKind::Sim) => 1_000,
        (false, VenueKind::Host) => 2_000,
    });
    let (rounds, trials_a_visit) = if offer.venue == VenueKind::Host { (trials, 1) } else { (1, trials) };
    Effort { rounds, trials_a_visit, packets, saturation_rounds }
}

/// Decisions come first, while schedulers are fresh and no other flow is under way. Programming changes the services, so it comes
/// when nothing is left to measure on them.
fn place(kind: MeasureKind) -> u8 {
    match kind {
        MeasureKind::Decisions { .. } => 0,
        MeasureKind::Programming => 2,
        _ => 1,
    }
}

fn repetitions(kind: MeasureKind, effort: &Effort) -> u32 {
    match kind {
        MeasureKind::Programming | MeasureKind::Decisions { .. } => 1,
        _ => effort.trials_a_visit,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::result::{Bracket, name};
    use crate::run::plan::Plan;
    use crate::run::scenario::{MOST_PACKETS, Wishes};
    use crate::traffic::most_flows;

    fn offer(venue: VenueKind, backends: &[BackendKind]) -> VenueOffer {
        let deterministic = venue == VenueKind::Vm;
        VenueOffer {
            venue,
            kernel: name(&venue),
            identity: String::new(),
            backends: backends.to_vec(),
            unready: Vec::new(),
            deterministic,
            saturation: !deterministic,
        }
    }

    fn quick(seed: u64) -> Plan {
        let scenario = Wishes { seed: Some(seed), ..Wishes::default() }.resolve().unwrap();
        let all = scenario.backends.clone();
        Plan::new(&scenario, &[offer(VenueKind::Vm, &all), offer(VenueKind::Host, &all[..3])])
    }

    #[test]
    fn a_seed_makes_one_plan() {
        assert_eq!(quick(1), quick(1));
        assert_ne!(quick(1), quick(2));
    }

    #[test]
    fn every_trial_has_a_slot_of_its_own() {
        let plan = quick(7);
        let slots: Vec<_> = plan.batches.iter().flat_map(Batch::slots).collect();
        assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
    }

    /// A plan for two kernels in the vm and a host that can do less.
    fn two_kernels() -> Plan {
        let scenario = Wishes::default().resolve().unwrap();
        let on = |kernel: &str| VenueOffer { kernel: kernel.to_owned(), ..offer(VenueKind::Vm, &scenario.backends) };
        Plan::new(&scenario, &[on("6.1"), on("6.12"), offer(VenueKind::Host, &scenario.backends[..3])])
    }

    fn visits_on<'a>(plan: &'a Plan, kernel: &str) -> Vec<&'a Visit> {
        plan.batches.iter().filter(|batch| batch.kernel == kernel).flat_map(|batch| &batch.visits).collect()
    }

    #[test]
    fn kernels_of_one_run_have_slots_of_their_own_and_meet_the_same_packets() {
        let plan = two_kernels();
        let slots: Vec<_> = plan.batches.iter().flat_map(Batch::slots).collect();
        assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
        assert!(plan.batches.iter().enumerate().all(|(index, batch)| batch.id as usize == index));
        assert_eq!(visits_on(&plan, "6.1"), visits_on(&plan, "6.12"));
        assert_eq!(plan.measured_by.deterministic, [VenueKind::Vm]);
        assert_eq!(plan.measured_by.kernels.keys().collect::<Vec<_>>(), ["host host", "vm 6.1", "vm 6.12"]);
    }

    #[test]
    fn a_kernels_visits_do_not_depend_on_the_others() {
        let scenario = Wishes::default().resolve().unwrap();
        let alone = VenueOffer { kernel: "6.12".to_owned(), ..offer(VenueKind::Vm, &scenario.backends) };
        let host = offer(VenueKind::Host, &scenario.backends[..3]);
        let one = Plan::new(&scenario, &[alone, host]);
        let two = two_kernels();
        assert_eq!(visits_on(&one, "6.12"), visits_on(&two, "6.12"));
        assert_eq!(visits_on(&one, "host"), visits_on(&two, "host"));
    }

    #[test]
    fn flow_numbers_never_overlap_on_a_kernel_nor_on_the_host() {
        let plan = two_kernels();
        for kernel in ["6.1", "6.12"] {
            assert_no_overlap(visits_on(&plan, kernel).into_iter().chain(visits_on(&plan, "host")));
        }
    }

    fn assert_no_overlap<'a>(visits: impl Iterator<Item = &'a Visit>) {
        let measures = visits.flat_map(|visit| &visit.measures);
        let taken_by = |measure: &Measure| match measure.kind {
            MeasureKind::Saturation { .. } => most_flows(crate::run::measure::SATURATION),
            _ => u64::from(MOST_PACKETS),
        };
        let mut taken: Vec<_> = measures
            .filter(|measure| measure.kind != MeasureKind::Programming)
            .map(|measure| (measure.first_flow, taken_by(measure)))
            .collect();
        taken.sort_unstable();
        assert!(taken.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
    }

    #[test]
    fn hosts_come_round_in_rounds_and_guests_once() {
        let plan = quick(7);
        let visits =
            |venue| plan.batches.iter().filter(move |batch| batch.venue == venue).flat_map(|batch| &batch.visits);
        let legacy = |visit: &&Visit| visit.setup.backend == BackendKind::IptablesLegacy && visit.setup.services == 10;
        assert_eq!(visits(VenueKind::Host).filter(legacy).count(), 10);
        assert_eq!(visits(VenueKind::Vm).filter(legacy).count(), 1);
    }

    #[test]
    fn other_layouts_concern_ipvs_only_unless_asked_for() {
        let other = |plan: &Plan| -> HashSet<BackendKind> {
            let visits = plan.batches.iter().flat_map(|batch| &batch.visits);
            visits.filter(|visit| visit.setup.layout == VipLayout::Stride256).map(|visit| visit.setup.backend).collect()
        };
        assert_eq!(other(&quick(7)), HashSet::from([BackendKind::Ipvs]));
        let wishes = Wishes { layout: Some(vec![VipLayout::Stride256]), ..Wishes::default() };
        let scenario = wishes.resolve().unwrap();
        let asked = Plan::new(&scenario, &[offer(VenueKind::Vm, &scenario.backends)]);
        assert!(other(&asked).contains(&BackendKind::Nftables));
    }

    #[test]
    fn beside_ebpf_xdp_the_yardsticks_are_measured_in_both_brackets() {
        use BackendKind::{Direct, DirectConntrack, EbpfTc, EbpfXdp, Nftables};
        let wishes = Wishes { backends: Some(vec![Nftables, EbpfTc, EbpfXdp]), ..Wishes::default() };
        let scenario = wishes.resolve().unwrap();
        let visits_of =
            |plan: &Plan| plan.batches.iter().flat_map(|batch| &batch.visits).cloned().collect::<Vec<Visit>>();
        let with = visits_of(&Plan::new(&scenario, &[offer(VenueKind::Host, &scenario.backends)]));
        let pairs: HashSet<_> = with.iter().map(|visit| (visit.setup.backend, visit.setup.bracket)).collect();
        let (tc, xdp) = ([Direct, DirectConntrack, Nftables, EbpfTc], [Direct, DirectConntrack, EbpfTc, EbpfXdp]);
        let expected = tc.map(|backend| (backend, Bracket::Tc)).into_iter().chain(xdp.map(|b| (b, Bracket::Xdp)));
        assert_eq!(pairs, expected.collect());
        for Visit { setup, measures } in &with {
            let is_home = setup.bracket == setup.backend.bracket();
            let has = |wanted: fn(&MeasureKind) -> bool| measures.iter().any(|measure| wanted(&measure.kind));
            assert!(has(|kind| matches!(kind, MeasureKind::Traversal { .. })), "{setup:?}");
            assert_eq!(has(|kind| matches!(kind, MeasureKind::Floor)), setup.backend == Direct, "{setup:?}");
            assert!(is_home || !has(|kind| matches!(kind, MeasureKind::Saturation { .. })), "{setup:?}");
            assert_eq!(has(|kind| *kind == MeasureKind::Programming), is_home && setup.backend.balances(), "{setup:?}");
        }
        // Where it is not ready, what stands beside it is not measured either.
        let without = visits_of(&Plan::new(&scenario, &[offer(VenueKind::Host, &[Direct, DirectConntrack, EbpfTc])]));
        assert!(without.iter().all(|visit| visit.setup.bracket.is_tc()));
    }

    #[test]
    fn slow_cells_are_skipped_with_a_reason() {
        let plan = |allow_slow| {
            let wishes = Wishes { services: Some(vec![10_000]), allow_slow, ..Wishes::default() };
            let scenario = wishes.resolve().unwrap();
            Plan::new(&scenario, &[offer(VenueKind::Host, &[BackendKind::Nftables])])
        };
        let guarded = plan(None);
        assert!(guarded.batches.is_empty());
        assert!(guarded.skipped[0].reason.contains("--allow-slow"));
        assert!(plan(Some(true)).skipped.is_empty());
    }

    #[test]
    fn decisions_are_planned_when_asked_for_and_come_first() {
        let kinds = |decisions: Option<u32>| {
            let decisions = decisions.and_then(std::num::NonZeroU32::new);
            let scenario = Wishes { decisions, ..Wishes::default() }.resolve().unwrap();
            let plan = Plan::new(&scenario, &[offer(VenueKind::Vm, &scenario.backends)]);
            // Once a backend: in its own bracket.
            let decides = |setup: &Setup| setup.backend.balances() && setup.bracket == setup.backend.bracket();
            let visits = plan.batches.into_iter().flat_map(|batch| batch.visits).filter(|visit| decides(&visit.setup));
            visits.map(|visit| visit.measures).collect::<Vec<_>>()
        };
        let is_decision = |measure: &Measure| matches!(measure.kind, MeasureKind::Decisions { .. });
        assert!(!kinds(None).iter().flatten().any(is_decision));
        for measures in kinds(Some(300)) {
            let (first, rest) = measures.split_at(2);
            assert!(first.iter().all(|measure| is_decision(measure) && measure.packets == 300), "{measures:?}");
            assert!(!rest.iter().any(is_decision));
        }
    }

    #[test]
    fn programming_changes_come_last_in_a_visit() {
        let plan = quick(3);
        for visit in plan.batches.iter().flat_map(|batch| &batch.visits) {
            let place = visit.measures.iter().position(|measure| measure.kind == MeasureKind::Programming);
            assert!(place.is_none_or(|place| place + 1 == visit.measures.len()));
        }
    }
}
