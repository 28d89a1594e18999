//! Who is asked what and when: every turn of the gate, decided before the first packet. Pure.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::{Executable, Side};
use crate::result::{BackendKind, VenueKind};
use crate::run::plan::{Batch, Measure, MeasureKind, MeasuredBy, Plan, Setup, Visit};
use crate::run::scenario::Scenario;

/// One visit of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub side: Side,
    /// Its batch in that side's plan.
    pub batch: u32,
}

/// What is compared, and how often.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Backends, N, M, layouts, protocols, flows, seed.
    pub scenario: Scenario,
    /// Rounds: trials of each cell and side.
    pub rounds: u32,
    /// Packets of a trial.
    pub packets: u32,
    /// Release of this kernel.
    pub kernel: String,
    /// Ballast of the candidate: a self-test.
    pub ballast: Option<NonZeroU32>,
}

/// Flow numbers set aside for a trial, as the run's planner does.
const FLOWS_A_TRIAL: u64 = 1 << 18;

impl Asked {
    /// Setups of a round: in every bracket the baseline that `added` is measured against, and every backend, once each.
    pub fn setups(&self) -> Vec<Setup> {
        let Scenario { backends, services, endpoints, layouts, protocols, .. } = &self.scenario;
        let mut setups = Vec::new();
        for &backend in backends.iter().filter(|backend| **backend != BackendKind::Direct) {
            // Plain routing does not see a layout.
            let seen = if backend == BackendKind::DirectConntrack { &layouts[..1] } else { &layouts[..] };
            for &layout in seen {
                for &protocol in protocols {
                    for &services in services {
                        for bracket in backend.brackets(backends) {
                            let setup = |&endpoints| Setup { backend, bracket, layout, protocol, services, endpoints };
                            setups.extend(endpoints.iter().map(setup));
                        }
                    }
                }
            }
        }
        setups
    }

    /// Every turn: in each round all setups in a random order, each by both sides in a row, who is first at random.
    pub fn turns(&self) -> Vec<Turn> {
        let setups = u32::try_from(self.setups().len()).unwrap_or(u32::MAX);
        let mut turns = Vec::new();
        for round in 0..self.rounds {
            let mut rng = self.rng(u64::from(round));
            let mut order: Vec<u32> = (0..setups).collect();
            order.shuffle(&mut rng);
            for setup in order {
                let mut sides = Side::BOTH;
                if rng.random() {
                    sides.reverse();
                }
                turns.extend(sides.map(|side| Turn { side, batch: round * setups + setup }));
            }
        }
        turns
    }

    /// The plan of one side. Flow numbers are its own: no 5-tuple is sent twice in a gate.
    pub fn plan(&self, side: Side, executable: &Executable) -> Plan {
        let measured_by = MeasuredBy {
            lbcurve: executable.hello.version.clone(),
            ebpf_object_sha256: executable.hello.ebpf_object_sha256.clone(),
            deterministic: Vec::new(),
            emulated: Vec::new(),
            kernels: BTreeMap::from([
                (format!("host {}", self.kernel), String::new()),
                ("executable".to_owned(), executable.sha256.clone()),
            ]),
        };
        self.plan_of(side, measured_by)
    }

    fn plan_of(&self, side: Side, measured_by: MeasuredBy) -> Plan {
        let ballast = self.ballast.filter(|_| side == Side::Candidate);
        let scenario = Scenario { self_test_ballast: ballast, ..self.scenario.clone() };
        let (setups, flows) = (self.setups(), self.scenario.flows.len() as u64);
        let mut batches = Vec::new();
        for round in 0..self.rounds {
            for &setup in &setups {
                let id = batches.len() as u64;
                let first = (2 * id + u64::from(side == Side::Candidate)) * flows * FLOWS_A_TRIAL;
                let measures = (0..).zip(&self.scenario.flows).map(|(index, &flow)| Measure {
                    kind: MeasureKind::Traversal { flow, position: setup.backend.worst_position() },
                    trial: round,
                    packets: self.packets,
                    first_flow: first + index * FLOWS_A_TRIAL,
                });
                let visits = vec![Visit { setup, measures: measures.collect() }];
                let id = u32::try_from(id).unwrap_or(u32::MAX);
                batches.push(Batch { id, venue: VenueKind::Host, kernel: self.kernel.clone(), visits });
            }
        }
        Plan { scenario, measured_by, batches, skipped: Vec::new() }
    }

    fn rng(&self, round: u64) -> ChaCha12Rng {
        let mut seed = [0; 32];
        for (chunk, value) in seed.chunks_exact_mut(8).zip([self.scenario.seed, 11, round]) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha12Rng::from_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::result::Flow;
    use crate::run::scenario::{MOST_PACKETS, Wishes};

    fn asked(rounds: u32, seed: u64) -> Asked {
        let wishes = Wishes {
            backends: Some(vec![BackendKind::IptablesLegacy, BackendKind::Nftables]),
            services: Some(vec![10, 1000]),
            flows: Some(vec![Flow::New, Flow::Established]),
            seed: Some(seed),
            ..Wishes::default()
        };
        let scenario = wishes.resolve().unwrap();
        Asked { scenario, rounds, packets: 100, kernel: "6.1".into(), ballast: NonZeroU32::new(7) }
    }

    fn plans(asked: &Asked) -> [Plan; 2] {
        let by = MeasuredBy {
            lbcurve: "0".into(),
            ebpf_object_sha256: "0".into(),
            deterministic: Vec::new(),
            emulated: Vec::new(),
            kernels: BTreeMap::new(),
        };
        Side::BOTH.map(|side| asked.plan_of(side, by.clone()))
    }

    proptest! {
        #[test]
        fn sides_take_turns_setup_by_setup(rounds in 1..30_u32, seed in any::<u64>()) {
            let asked = asked(rounds, seed);
            let turns = asked.turns();
            prop_assert_eq!(turns.len(), 2 * asked.setups().len() * rounds as usize);
            for pair in turns.chunks(2) {
                prop_assert_eq!(pair[0].batch, pair[1].batch);
                prop_assert_ne!(pair[0].side, pair[1].side);
            }
            let setups = asked.setups().len() as u32;
            prop_assert!(turns.windows(2).all(|two| two[0].batch / setups <= two[1].batch / setups), "round after round");
            prop_assert_eq!(turns.iter().map(|turn| (turn.side, turn.batch)).collect::<HashSet<_>>().len(), turns.len());
            prop_assert_eq!(asked.turns(), turns);
        }
    }

    #[test]
    fn each_side_is_first_about_as_often() {
        let turns = asked(200, 3).turns();
        let first = turns.chunks(2).filter(|pair| pair[0].side == Side::Baseline).count();
        let all = turns.len() / 2;
        assert!(first > all * 2 / 5 && first < all * 3 / 5, "{first} of {all}");
    }

    #[test]
    fn plans_differ_in_ballast_and_flow_numbers_only() {
        let [baseline, candidate] = plans(&asked(4, 1));
        assert_eq!(
            (baseline.scenario.self_test_ballast, candidate.scenario.self_test_ballast),
            (None, NonZeroU32::new(7))
        );
        let setups = |plan: &Plan| plan.batches.iter().map(|batch| batch.visits[0].setup).collect::<Vec<_>>();
        assert_eq!(setups(&baseline), setups(&candidate));
        let measures = [&baseline, &candidate]
            .into_iter()
            .flat_map(|plan| &plan.batches)
            .flat_map(|batch| &batch.visits[0].measures);
        let mut flows: Vec<_> = measures.map(|measure| measure.first_flow).collect();
        flows.sort_unstable();
        assert!(flows.windows(2).all(|two| two[1] - two[0] >= u64::from(MOST_PACKETS)));
    }
}
