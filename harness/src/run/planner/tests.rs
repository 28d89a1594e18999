use std::collections::HashSet;

use super::*;
use crate::result::{Bracket, NewShare, Position, RateMethod, name};
use crate::run::plan::Plan;
use crate::run::scenario::{MOST_PACKETS, Wishes};
use crate::traffic::most_flows;
use crate::workload::VipLayout;
use crate::workload::cluster::Cluster;

pub(super) fn offer(venue: VenueKind, backends: &[BackendKind]) -> VenueOffer {
    let deterministic = venue == VenueKind::Vm;
    VenueOffer {
        venue,
        kernel: name(&venue),
        identity: String::new(),
        backends: backends.to_vec(),
        unready: Vec::new(),
        deterministic,
        emulated: false,
        saturation: !deterministic,
        lacking: Vec::new(),
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
        MeasureKind::Rates { .. } => FLOWS_A_SEARCH,
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
    let visits = |venue| plan.batches.iter().filter(move |batch| batch.venue == venue).flat_map(|batch| &batch.visits);
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
    let visits_of = |plan: &Plan| plan.batches.iter().flat_map(|batch| &batch.visits).cloned().collect::<Vec<Visit>>();
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

/// A plan for the vm and the host, with these loads of real connections.
fn with_connections(loads: &[&str]) -> Plan {
    let connections = loads.iter().map(|load| load.parse().unwrap()).collect::<Vec<_>>();
    let connections = (!connections.is_empty()).then_some(connections);
    let scenario = Wishes { connections, ..Wishes::default() }.resolve().unwrap();
    Plan::new(&scenario, &[offer(VenueKind::Vm, &scenario.backends), offer(VenueKind::Host, &scenario.backends)])
}

#[test]
fn connections_have_visits_of_their_own_on_the_host() {
    let plan = with_connections(&["16", "2000/s"]);
    let is_connection = |measure: &Measure| matches!(measure.kind, MeasureKind::Connections { .. });
    let (mut visits, mut setups) = (0, HashSet::new());
    for batch in &plan.batches {
        for visit in batch.visits.iter().filter(|visit| visit.measures.iter().any(is_connection)) {
            assert_eq!(batch.venue, VenueKind::Host);
            assert!(visit.measures.iter().all(is_connection) && visit.measures.len() == 2, "{visit:?}");
            assert_eq!(visit.setup.bracket, visit.setup.backend.bracket());
            setups.insert(visit.setup);
            visits += 1;
        }
    }
    assert_eq!(visits, 10 * setups.len());
    let backends: HashSet<_> = setups.iter().map(|setup| setup.backend).collect();
    assert_eq!(backends, plan.scenario.backends.iter().copied().collect());
    let slots: Vec<_> = plan.batches.iter().flat_map(Batch::slots).collect();
    assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
    // The vm leaves them out, and says so for every backend.
    assert_eq!(plan.skipped.len(), plan.scenario.backends.len());
    assert!(
        plan.skipped.iter().all(|skipped| skipped.venue == VenueKind::Vm && skipped.reason.contains("connections"))
    );
}

#[test]
fn connections_go_round_in_a_vm_that_does_not_count() {
    let connections = Some(vec!["16".parse().unwrap()]);
    let scenario = Wishes { connections, trials: Some(3), ..Wishes::default() }.resolve().unwrap();
    let offer = VenueOffer { deterministic: false, ..offer(VenueKind::Vm, &scenario.backends) };
    let plan = Plan::new(&scenario, &[offer]);
    assert!(plan.skipped.iter().all(|skipped| !skipped.reason.contains("connections")), "{:?}", plan.skipped);
    let rounds: Vec<_> = plan.batches.iter().filter(|batch| batch.connects()).collect();
    assert_eq!(rounds.len(), 3, "a boot a round, of few services");
    let setups = |batch: &Batch| batch.visits.iter().map(|visit| visit.setup).collect::<Vec<_>>();
    let (first, second) = (setups(rounds[0]), setups(rounds[1]));
    assert_ne!(first, second, "each in an order of its own");
    assert_eq!(first.iter().collect::<HashSet<_>>(), second.iter().collect::<HashSet<_>>());
    assert!(rounds.iter().flat_map(|batch| &batch.visits).all(|visit| visit.measures.len() == 1));
    let slots: Vec<_> = plan.batches.iter().flat_map(Batch::slots).collect();
    assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
}

#[test]
fn connections_of_many_services_have_a_boot_each_and_kernels_the_same_ones() {
    let wishes =
        Wishes { connections: Some(vec!["16".parse().unwrap()]), services: Some(vec![1, 10_000]), ..Wishes::default() };
    let scenario = wishes.resolve().unwrap();
    let on = |kernel: &str| VenueOffer {
        kernel: kernel.to_owned(),
        deterministic: false,
        emulated: true,
        ..offer(VenueKind::Vm, &[BackendKind::Ipvs, BackendKind::IptablesLegacy])
    };
    let plan = Plan::new(&scenario, &[on("6.1"), on("6.12")]);
    assert_eq!(visits_on(&plan, "6.1"), visits_on(&plan, "6.12"));
    let shared = |batch: &&Batch| batch.connects() && batch.visits.len() > 1;
    let sizes = plan.batches.iter().filter(shared).flat_map(|batch| &batch.visits).map(|visit| visit.setup.services);
    assert!(sizes.clone().count() > 0 && sizes.clone().all(|services| services == 1));
    assert_eq!((plan.measured_by.deterministic, plan.measured_by.emulated), (Vec::new(), vec![VenueKind::Vm]));
}

/// A service of two pods.
const SHOP: &str = include_str!("../../../tests/clusters/two-pods.yaml");

#[test]
fn a_cluster_is_asked_by_connections_in_every_mode_where_time_passes_by_itself() {
    use BackendKind::{EbpfTc, IptablesLegacy, Ipvs, Nftables};
    let planned = |more: &str, venue: VenueKind, deterministic: bool| {
        let wishes = format!("backends = ['iptables-legacy', 'ipvs', 'nftables', 'ebpf-tc']\n{more}");
        let wishes: Wishes = toml::from_str(&wishes).unwrap();
        let scenario = wishes.resolve_with(Some(Cluster::parse(SHOP, "shop.yaml").unwrap())).unwrap();
        let offer = VenueOffer { deterministic, ..offer(venue, &scenario.backends) };
        Plan::new(&scenario, &[offer])
    };
    let loads = |plan: &Plan| {
        let visits = plan.batches.iter().flat_map(|batch| &batch.visits);
        let of = |visit: &Visit, measure: &Measure| match measure.kind {
            MeasureKind::Connections { load, position } if visit.setup.backend.balances() => {
                Some((visit.setup.backend, load.to_string(), position))
            }
            _ => None,
        };
        visits.flat_map(|visit| visit.measures.iter().filter_map(|measure| of(visit, measure))).collect::<HashSet<_>>()
    };
    let left_out = |plan: &Plan| plan.skipped.iter().filter(|cell| cell.reason.contains("connections")).count();
    let all = [IptablesLegacy, Ipvs, Nftables, EbpfTc];
    let modes = |load: &str| all.map(|mode| (mode, load.to_owned(), Position::Random));
    for venue in [VenueKind::Host, VenueKind::Vm] {
        let usual = planned("", venue, false);
        assert_eq!(loads(&usual), modes("16").into());
        // Beside them, what a first packet costs.
        let first = MeasureKind::Traversal { flow: Flow::New, position: Position::Random };
        let visits = usual.batches.iter().flat_map(|batch| &batch.visits);
        let timed = visits.filter(|visit| visit.measures.iter().any(|measure| measure.kind == first));
        let timed: HashSet<_> = timed.map(|visit| visit.setup.backend).collect();
        assert!(all.iter().all(|mode| timed.contains(mode)), "{timed:?}");
        assert_eq!(loads(&planned("connections = ['4']", venue, false)), modes("4").into());
        let none = planned("connections = ['none']", venue, false);
        assert_eq!((loads(&none).len(), left_out(&usual), left_out(&none)), (0, 0, 0));
    }
    // Where instructions are counted there are none, and every backend says why.
    let counted = planned("", VenueKind::Vm, true);
    assert!(loads(&counted).is_empty());
    assert_eq!(left_out(&counted), counted.scenario.backends.len());
    assert_eq!(left_out(&planned("connections = ['none']", VenueKind::Vm, true)), 0);
}

#[test]
fn searches_are_as_many_as_trials_that_are_asked_for_by_number() {
    let searches = |trials| {
        let wishes = Wishes { trials, rates: Some(RateMethod::Mrr), services: Some(vec![1]), ..Wishes::default() };
        let plan = Plan::new(&wishes.resolve().unwrap(), &[offer(VenueKind::Host, &[BackendKind::Nftables])]);
        let measures = plan.batches.iter().flat_map(|batch| &batch.visits).flat_map(|visit| &visit.measures);
        let rounds = measures.filter(|measure| matches!(measure.kind, MeasureKind::Rates { flow: Flow::New, .. }));
        rounds.map(|measure| measure.trial).collect::<HashSet<_>>().len()
    };
    assert_eq!((searches(None), searches(Some(7)), searches(Some(1))), (3, 7, 1));
}

#[test]
fn packets_are_planned_alike_with_and_without_connections() {
    let packets = |plan: Plan| {
        let visits = plan.batches.into_iter().flat_map(|batch| batch.visits);
        let is_timed = |measure: &Measure| !matches!(measure.kind, MeasureKind::Connections { .. });
        visits.filter(|visit| visit.measures.iter().all(is_timed)).collect::<Vec<_>>()
    };
    let without = with_connections(&[]);
    assert!(without.skipped.is_empty());
    assert_eq!(packets(without), packets(with_connections(&["16"])));
}

#[test]
fn searches_are_planned_where_they_were_asked_for_after_all_other_packets() {
    let measures = |rates: Option<RateMethod>| {
        let scenario = Wishes { rates, ..Wishes::default() }.resolve().unwrap();
        let plan = Plan::new(
            &scenario,
            &[offer(VenueKind::Host, &scenario.backends), offer(VenueKind::Vm, &[BackendKind::Ipvs])],
        );
        let visits =
            plan.batches.iter().filter(|batch| batch.venue == VenueKind::Host).flat_map(|batch| batch.visits.clone());
        (visits.collect::<Vec<_>>(), plan.skipped)
    };
    let is_search = |measure: &Measure| matches!(measure.kind, MeasureKind::Rates { .. });
    let (without, _) = measures(None);
    assert!(!without.iter().flat_map(|visit| &visit.measures).any(is_search));
    let (visits, skipped) = measures(Some(RateMethod::Quick));
    for Visit { setup, measures } in &visits {
        let first = measures.iter().position(is_search).unwrap_or(measures.len());
        let behind = &measures[first..];
        assert!(
            behind.iter().all(|measure| is_search(measure) || measure.kind == MeasureKind::Programming),
            "{setup:?}"
        );
        let searched = behind.iter().filter_map(|measure| match measure.kind {
            MeasureKind::Rates { flow, .. } => Some(flow),
            _ => None,
        });
        let is_new = |flow: &Flow| *flow == Flow::New;
        assert!(setup.backend != BackendKind::Ipvs || !searched.clone().any(|flow| is_new(&flow)));
    }
    let searches: HashSet<_> =
        visits.iter().filter(|visit| visit.measures.iter().any(is_search)).map(|visit| visit.setup.backend).collect();
    assert_eq!(searches.len(), 8);
    let reasons: HashSet<_> =
        skipped.iter().filter(|cell| cell.reason.starts_with("rates")).map(|cell| cell.venue).collect();
    assert_eq!(reasons, HashSet::from([VenueKind::Host, VenueKind::Vm]));
}

#[test]
fn mixes_are_searched_for_beside_the_flows_that_were_asked_for_where_flows_are_told_apart() {
    use BackendKind::{Direct, DirectConntrack, EbpfXdp, IptablesLegacy, Ipvs};
    let plan = |more: &str| {
        let usual = "rates = 'quick'\nflows = ['established']\nbackends = ['iptables-legacy', 'ipvs', 'ebpf-xdp']\n";
        let scenario = toml::from_str::<Wishes>(&format!("{usual}{more}")).unwrap().resolve().unwrap();
        Plan::new(&scenario, &[offer(VenueKind::Host, &scenario.backends)])
    };
    let searches = |plan: &Plan| {
        let visits = plan.batches.iter().flat_map(|batch| &batch.visits);
        let of = |visit: &Visit, measure: &Measure| match measure.kind {
            MeasureKind::Rates { flow, new_share, .. } => {
                Some((visit.setup.backend, flow, new_share.map(NewShare::percent)))
            }
            _ => None,
        };
        visits.flat_map(|visit| visit.measures.iter().filter_map(|measure| of(visit, measure))).collect::<HashSet<_>>()
    };
    let (without, with) = (plan(""), plan("new-share = ['10%', '1%']"));
    let alike = [DirectConntrack, IptablesLegacy, Ipvs, EbpfXdp].map(|backend| (backend, Flow::Established, None));
    let alike: HashSet<_> = alike.into_iter().chain([(Direct, Flow::New, None)]).collect();
    assert_eq!(searches(&without), alike);
    let mixes = [DirectConntrack, IptablesLegacy, EbpfXdp]
        .into_iter()
        .flat_map(|backend| [1, 10].map(|percent| (backend, Flow::New, Some(percent))));
    assert_eq!(searches(&with), alike.into_iter().chain(mixes).collect());
    let of_ipvs = |plan: &Plan| plan.skipped.iter().filter(|cell| cell.reason.contains("rates of new flows")).count();
    assert_eq!((of_ipvs(&without), of_ipvs(&with)), (0, 1));
    let slots: Vec<_> = with.batches.iter().flat_map(Batch::slots).collect();
    assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
    assert_no_overlap(visits_on(&with, "host").into_iter());
}

#[test]
fn reachability_is_asked_once_a_backend_behind_everything_else() {
    use BackendKind::{Direct, EbpfXdp, IptablesLegacy, Ipvs};
    let plan = |reachability| {
        let wishes = Wishes { backends: Some(vec![IptablesLegacy, Ipvs, EbpfXdp]), reachability, ..Wishes::default() };
        let scenario = wishes.resolve().unwrap();
        let backends = scenario.backends.clone();
        let offers = [VenueKind::Vm, VenueKind::Host, VenueKind::Sim].map(|venue| offer(venue, &backends));
        Plan::new(&scenario, &offers)
    };
    let (without, with) = (plan(None), plan(Some(true)));
    let is_asked = |visit: &Visit| visit.measures.iter().any(|m| matches!(m.kind, MeasureKind::Reachability { .. }));
    for venue in [VenueKind::Vm, VenueKind::Host] {
        let of = |plan: &Plan| plan.batches.iter().filter(|batch| batch.venue == venue).cloned().collect::<Vec<_>>();
        let batches = of(&with);
        let (asked, others): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|batch| batch.visits.iter().any(is_asked));
        let visits = |batches: &[Batch]| batches.iter().flat_map(|batch| batch.visits.clone()).collect::<Vec<_>>();
        assert_eq!(visits(&others), visits(&of(&without)), "packets are planned alike");
        assert_eq!(asked.len(), if venue == VenueKind::Vm { 1 } else { 4 }, "one boot, a batch each on the host");
        let found: Vec<_> = visits(&asked).iter().map(|visit| (visit.setup.backend, visit.setup.services)).collect();
        assert_eq!(found, [Direct, IptablesLegacy, Ipvs, EbpfXdp].map(|backend| (backend, 1)));
        assert!(visits(&asked).iter().all(|visit| visit.measures.len() == 1));
    }
    let reasons: Vec<_> = with.skipped.iter().filter(|cell| cell.reason.starts_with("reachability")).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|cell| cell.venue == VenueKind::Sim));
}

#[test]
fn positions_and_sizes_that_were_asked_for_are_those_of_rates_and_connections() {
    let planned = |text: &str| {
        let wishes: Wishes = toml::from_str(text).unwrap();
        let scenario = wishes.resolve().unwrap();
        let plan = Plan::new(&scenario, &[offer(VenueKind::Host, &scenario.backends)]);
        let visits = plan.batches.into_iter().flat_map(|batch| batch.visits);
        let asked = |(setup, measure): (Setup, Measure)| match measure.kind {
            MeasureKind::Rates { position, packet_size, .. } => {
                Some((setup.backend, position.to_string(), packet_size.to_string()))
            }
            MeasureKind::Connections { position, .. } => {
                Some((setup.backend, position.to_string(), "connection".to_owned()))
            }
            _ => None,
        };
        let measures = visits.flat_map(|visit| visit.measures.into_iter().map(move |measure| (visit.setup, measure)));
        measures.filter_map(asked).collect::<HashSet<_>>()
    };
    let all = "rates = 'mrr'\nconnections = ['4']\nbackends = ['iptables-legacy']\n";
    let of = |backend, position: &str, what: &str| (backend, position.to_owned(), what.to_owned());
    let yardsticks = [BackendKind::Direct, BackendKind::DirectConntrack];
    let usual: HashSet<_> = yardsticks
        .into_iter()
        .map(|backend| (backend, "missing"))
        .chain([(BackendKind::IptablesLegacy, "last")])
        .flat_map(|(backend, position)| ["64", "connection"].map(|what| of(backend, position, what)))
        .collect();
    assert_eq!(planned(all), usual);
    let found = planned(&format!("{all}positions = ['zipf:1.1', 'first']\npacket-sizes = ['64', 'imix']"));
    for what in ["64", "imix", "connection"] {
        for position in ["zipf:1.1", "first"] {
            assert!(found.contains(&of(BackendKind::IptablesLegacy, position, what)), "{position} {what}");
        }
        assert!(found.contains(&of(BackendKind::Direct, "missing", what)));
    }
    assert_eq!(found.len(), 3 * (2 + 2));
}
