use super::*;
use crate::result::{BackendKind, Bracket, Cell, Flow, Position, VenueKind, encode_reached};
use crate::workload::VipLayout;

/// A record of flows that reached these, over `endpoints` endpoints of weight 1 and one more.
pub(crate) fn record(spreading: Spreading, endpoints: u32, before: &[Reached]) -> FairnessRecord {
    let cell = Cell {
        venue: VenueKind::Vm,
        kernel: "1".into(),
        backend: BackendKind::Ipvs,
        bracket: Bracket::Tc,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        services: 1,
        endpoints,
        flow: Flow::New,
        position: Position::First,
    };
    let text = encode_reached(before).unwrap();
    FairnessRecord {
        cell,
        spreading,
        change: EndpointChange::Added,
        trial: 0,
        flows: u32::try_from(before.len()).unwrap(),
        clients: 1,
        weights: vec![1; endpoints as usize + 1],
        before: text.clone(),
        after: text.clone(),
        anew: text,
    }
}

fn spread(spreading: Spreading, weights: &[u32], clients: u32, choices: &[u32]) -> Spread {
    let reached: Vec<_> = choices.iter().map(|at| Reached::Endpoint(*at)).collect();
    let mut record = record(spreading, u32::try_from(weights.len()).unwrap(), &reached);
    record.weights[..weights.len()].copy_from_slice(weights);
    record.clients = clients;
    Spread::of(&record, &reached)
}

fn in_turn(turn: &[u32], flows: usize) -> Vec<u32> {
    turn.iter().copied().cycle().take(flows).collect()
}

#[test]
fn turns_are_kept_by_turns_only() {
    let good = spread(Spreading::Rr, &[1; 3], 1, &in_turn(&[2, 1, 0], 100));
    assert!(good.kept && good.violations == 0, "{good:?}");
    assert_eq!((&good.reached[..], &good.tested), (&[33, 33, 34][..], &good.reached));
    // Nearer to equal shares than draws come; and no test that chance can fail.
    assert!(good.shares.unwrap().p > 0.98 && good.shares_kept == Some(true), "{good:?}");
    assert_eq!((good.tests(Spreading::Rr), good.least_p(Spreading::Rr)), (0, None));
    let mut skipped = in_turn(&[2, 1, 0], 100);
    skipped[50] = 2;
    assert!(!spread(Spreading::Rr, &[1; 3], 1, &skipped).kept);
    assert!(!spread(Spreading::Rr, &[1; 3], 1, &in_turn(&[0, 1], 100)).kept, "a turn that leaves one out");
    let weighted = in_turn(&[2, 2, 1, 2, 1, 0], 60);
    assert!(spread(Spreading::Wrr, &[10, 20, 30], 1, &weighted).kept);
    // 10, 20 and 30 instead of 20 each: chi-square 10, p = exp(-5).
    let otherwise = spread(Spreading::Wrr, &[1, 1, 1], 1, &weighted);
    assert!(!otherwise.kept && otherwise.shares_kept == Some(false), "{otherwise:?}");
    assert!((otherwise.shares.unwrap().p - (-5.0_f64).exp()).abs() < 1e-9, "{otherwise:?}");
}

/// Flows that go to one of those that the rule lets them choose, now the first and now the last of them.
fn by_rule(spreading: Spreading, weights: &[u32], flows: usize) -> Vec<u32> {
    let weights: Vec<u64> = weights.iter().copied().map(u64::from).collect();
    let rule = Rule { spreading, protocol: Protocol::Tcp, weights: &weights };
    let mut open = vec![0_u64; weights.len()];
    let choose = |flow: usize| {
        let best = rule.best(&open);
        let one = if flow.is_multiple_of(2) { best.first() } else { best.last() };
        let at = *one.unwrap();
        open[at] += 1;
        u32::try_from(at).unwrap()
    };
    (0..flows).map(choose).collect()
}

#[test]
fn whoever_looks_at_what_is_open_gives_shares_of_the_weights() {
    let weights: [&[u32]; 3] = [&[1, 2, 3], &[3, 1, 2, 2, 1], &[1, 3]];
    for weights in weights {
        let equal = vec![1_u32; weights.len()];
        let cases = [Spreading::Wlc, Spreading::Sed, Spreading::Nq].map(|spreading| (spreading, weights));
        for (spreading, weights) in cases.into_iter().chain([(Spreading::Lc, &equal[..])]) {
            // From five flows an endpoint on, for which the test is meant.
            for flows in [5, 7, 40].map(|each| each * weights.len()) {
                let found = spread(spreading, weights, 1, &by_rule(spreading, weights, flows));
                assert!(found.kept && found.shares_kept == Some(true), "{spreading} {weights:?} {found:?}");
                assert!(found.shares.unwrap().p > 0.5 && found.tests(spreading) == 0, "{spreading} {found:?}");
            }
            // Flow by flow and by its shares: a datapath with other weights is caught.
            let others: Vec<u32> = weights.iter().zip([4, 1, 1, 1, 1]).map(|(weight, times)| *weight * times).collect();
            let rule = if spreading == Spreading::Lc { Spreading::Wlc } else { spreading };
            let biased = spread(spreading, weights, 1, &by_rule(rule, &others, 400));
            assert!(!biased.kept && biased.shares_kept == Some(false), "{spreading} {weights:?} {biased:?}");
        }
    }
}

#[test]
fn shares_are_tested_where_they_are_promised_and_only_those_of_chance_share_the_level() {
    use Spreading::{Lc, Maglev, Mh, Nq, Random, Rr, Sed, Sh, Twos, Wlc, Wrr};
    let flows: Vec<_> = in_turn(&[0, 1, 2], 60).into_iter().map(Reached::Endpoint).collect();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for spreading in Spreading::of(BackendKind::Ipvs).iter().chain(Spreading::of(BackendKind::EbpfTc)).copied() {
            let mut record = record(spreading, 3, &flows);
            record.cell.protocol = protocol;
            let found = Spread::of(&record, &flows);
            let is_by_chance = matches!(spreading, Random | Maglev | Twos | Sh | Mh);
            assert_eq!(spreading.is_by_chance(), is_by_chance, "{spreading}");
            assert_eq!(Shares::of(spreading, protocol) == Shares::ByChance, is_by_chance, "{spreading} {protocol:?}");
            let looks_at_active = matches!(spreading, Sed | Nq) && protocol == Protocol::Tcp;
            let is_in_turn = matches!(spreading, Rr | Wrr | Lc | Wlc) || looks_at_active;
            assert_eq!(found.shares_kept, (is_by_chance || is_in_turn).then_some(true), "{spreading} {found:?}");
            assert_eq!(found.shares.is_some(), found.shares_kept.is_some(), "{spreading} {found:?}");
            let tests = usize::from(is_by_chance) + usize::from(spreading == Random);
            assert_eq!(found.tests(spreading), tests, "{spreading} {found:?}");
        }
    }
}

#[test]
fn two_tests_of_a_draw_share_one_per_cent_and_one_of_turns_has_it_alone() {
    // 5,130 of 10,000: chi-square 6.76, p 0.0093; more than half a per cent, less than one.
    let draws: Vec<u32> = (0..10_000_u32).map(|flow| u32::from(flow >= 5_130)).collect();
    let is_kept = |spreading| spread(spreading, &[1; 2], 1, &draws).shares_kept.unwrap();
    assert!(is_kept(Spreading::Random) && !is_kept(Spreading::Maglev) && !is_kept(Spreading::Rr));
}

#[test]
fn draws_are_held_to_shares_and_to_not_being_turns() {
    // A linear congruential generator (Numerical Recipes); its upper bits.
    let mut state = 1_u32;
    let draws: Vec<u32> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(state) * 3) >> 32) as u32
    })
    .take(10_000)
    .collect();
    let drawn = spread(Spreading::Random, &[1; 3], 1, &draws);
    assert!(drawn.kept && drawn.jain.unwrap() > 0.999, "{drawn:?}");
    let turns = spread(Spreading::Random, &[1; 3], 1, &in_turn(&[0, 1, 2], 10_000));
    assert!(turns.shares.unwrap().p > 0.9 && turns.pairs.unwrap().p < 1e-9 && !turns.kept, "{turns:?}");
    let biased: Vec<u32> = draws.iter().enumerate().map(|(flow, at)| if flow % 10 == 0 { 0 } else { *at }).collect();
    assert!(!spread(Spreading::Random, &[1; 3], 1, &biased).kept);
}

#[test]
fn the_least_loaded_is_followed_flow_by_flow() {
    assert!(spread(Spreading::Lc, &[1; 3], 1, &[2, 1, 0, 0, 2, 1]).kept);
    assert_eq!(spread(Spreading::Lc, &[1; 3], 1, &[2, 2, 1, 0]).violations, 1);
    // wlc divides what is open by the weight, sed counts the new one too.
    assert!(spread(Spreading::Wlc, &[1, 2], 1, &[1, 0, 1, 1, 0, 1]).kept);
    assert!(spread(Spreading::Sed, &[1, 2], 1, &[1, 0, 1, 1, 0, 1]).kept);
    assert_eq!(spread(Spreading::Sed, &[1, 2], 1, &[0]).violations, 1);
    assert!(spread(Spreading::Nq, &[1, 2], 1, &[0, 1]).kept, "an idle one, whatever its weight");
    assert_eq!(spread(Spreading::Nq, &[1, 2], 1, &[0, 0]).violations, 1);
}

#[test]
fn overflow_fills_the_heaviest_and_then_turns_away() {
    let reached = [1, 1, 1, 0, 0].map(Reached::Endpoint);
    let full = [&reached[..], &[Reached::Rejected]].concat();
    let mut record = record(Spreading::Ovf, 2, &full);
    record.weights = vec![1, 2, 1];
    let spread = Spread::of(&record, &full);
    assert!(spread.kept && spread.nowhere == 1, "{spread:?}");
    let early = [Reached::Rejected, Reached::Endpoint(1)];
    assert!(!Spread::of(&FairnessRecord { flows: 2, ..record }, &early).kept);
}

#[test]
fn hashes_of_the_source_are_judged_by_clients() {
    // Four flows of each of six clients.
    let choices: Vec<u32> = [0, 1, 2, 2, 1, 0].into_iter().flat_map(|at| [at; 4]).collect();
    let spread = spread(Spreading::Sh, &[1; 3], 6, &choices);
    assert!(spread.kept && spread.tested == [2, 2, 2] && spread.reached == [8, 8, 8], "{spread:?}");
    let mut torn = choices;
    torn[5] = 2;
    assert_eq!(self::spread(Spreading::Sh, &[1; 3], 6, &torn).violations, 1);
}

#[test]
fn constancy_is_no_unfairness() {
    let constant = spread(Spreading::Dh, &[1; 3], 1, &[1; 50]);
    assert!(constant.kept && (constant.jain.unwrap() - 1.0 / 3.0).abs() < 1e-12, "{constant:?}");
    assert!(!spread(Spreading::Lblc, &[1; 3], 1, &[1, 1, 2]).kept);
    assert!(spread(Spreading::Fo, &[1, 3, 2], 1, &[1; 9]).kept);
    assert!(!spread(Spreading::Fo, &[1, 3, 2], 1, &[2; 9]).kept);
}

#[test]
fn a_flow_that_reaches_nothing_breaks_every_promise_of_an_endpoint() {
    let reached = [Reached::Endpoint(0), Reached::Lost, Reached::Endpoint(0)];
    for spreading in [Spreading::Random, Spreading::Rr, Spreading::Lc, Spreading::Sh, Spreading::Dh, Spreading::Fo] {
        let found = Spread::of(&record(spreading, 2, &reached), &reached);
        assert!(!found.kept && found.nowhere == 1, "{found:?}");
    }
}
