//! Where a model and the kernel differ.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;

use curve_stats::{holm, homogeneity};
use datapath_sim::{Decision, Packet, Protocol};

use crate::model::{TargetError, decide};
use crate::recording::index;
use crate::{Case, Fate, Recording};

/// Chance that a difference in distribution is found where there is none, over all tests of one target together (Holm): 0.1% over the five
/// targets whose endpoints are drawn.
pub const LEVEL: f64 = 0.0002;
/// Flows of a service from which on its distribution is tested, for each of its endpoints.
const FEWEST: u64 = 10;
/// Flows of a service from which on all its endpoints must have been reached, for each: the chance to miss one is below e^-40 each.
const ALL_REACHED: u64 = 40;
/// Draws of the model for one of the kernel's. The model's are the same in every run, so that their own scatter would be a bias of all
/// runs: it must be small beside the kernel's.
const MODEL_DRAWS: u64 = 40;

/// One way in which a model is not the kernel.
#[derive(Debug, Clone, PartialEq)]
pub enum Disagreement {
    /// A flow went elsewhere than the model says.
    Decision {
        /// Which case: target, seed, order, flow.
        at: String,
        /// The packet.
        packet: Packet,
        /// The kernel's.
        kernel: Fate,
        /// The model's; none where its decision and its translated packet differ.
        model: Option<Decision>,
    },
    /// A recording holds another number of flows than its case.
    Length {
        /// Which case.
        at: String,
    },
    /// An endpoint was never reached.
    Unreached {
        /// Which case and service.
        at: String,
        /// Flows of each endpoint.
        counts: Vec<u64>,
    },
    /// The flows are spread otherwise than the model spreads them.
    Distribution {
        /// Which case and service.
        at: String,
        /// Flows of each endpoint.
        counts: Vec<u64>,
        /// The model's, of more draws.
        model: Vec<u64>,
        /// p after Holm's correction.
        p: f64,
    },
}

/// What a suite found.
#[derive(Debug, Clone, Default)]
pub struct Conclusion {
    /// Recordings.
    pub cases: usize,
    /// Flows compared one by one.
    pub decisions: usize,
    /// Distributions tested.
    pub distributions: usize,
    /// Smallest p of them after Holm's correction.
    pub smallest_p: Option<f64>,
    /// All differences, the first few of each case.
    pub disagreements: Vec<Disagreement>,
}

/// Differences of one case that are kept.
const KEPT: usize = 3;

/// Counts of a service whose endpoints are drawn.
struct Spread {
    at: String,
    counts: Vec<u64>,
    model: Vec<u64>,
}

/// Compares every recording with the model of its target.
///
/// # Errors
/// A target that no model answers for.
pub fn judge(recordings: &[Recording]) -> Result<Conclusion, TargetError> {
    let mut conclusion = Conclusion::default();
    let mut spreads = Vec::new();
    for recording in recordings {
        let case = recording.case();
        conclusion.cases += 1;
        conclusion.decisions += recording.decisions();
        let found = decisions(recording, &case)?;
        // A case whose decisions differ has no distribution worth a test.
        if found.is_empty() && !recording.target.is_deterministic() {
            spreads.extend(spread(recording, &case)?);
        }
        conclusion.disagreements.extend(found.into_iter().take(KEPT));
    }
    test(spreads, &mut conclusion);
    Ok(conclusion)
}

fn name(recording: &Recording) -> String {
    format!("{:?} seed {}", recording.target, recording.seed)
}

fn decisions(recording: &Recording, case: &Case) -> Result<Vec<Disagreement>, TargetError> {
    let mut model = recording.target.model(&case.services, recording.seed)?;
    let mut found = Vec::new();
    if recording.fates.len() != case.orders.len() {
        return Ok(vec![Disagreement::Length { at: name(recording) }]);
    }
    let endpoints = index(case);
    for (at, (order, fates)) in case.orders.iter().zip(&recording.fates).enumerate() {
        if fates.len() != order.flows as usize {
            return Ok(vec![Disagreement::Length { at: format!("{} order {at}", name(recording)) }]);
        }
        for (flow, (packet, code)) in order.packets().zip(fates).enumerate() {
            let (kernel, decision) = (Fate::of(*code), decide(&mut *model, &packet));
            let agrees = match decision {
                _ if recording.target.is_deterministic() => decision.map(|one| fate(one, &endpoints)) == Some(kernel),
                Some(decision) => may_be(kernel, decision, &packet, case, &endpoints),
                None => false,
            };
            if !agrees {
                let at = format!("{} order {at} flow {flow}", name(recording));
                found.push(Disagreement::Decision { at, packet, kernel, model: decision });
            }
        }
    }
    Ok(found)
}

fn fate(decision: Decision, endpoints: &HashMap<SocketAddrV4, u32>) -> Fate {
    match decision {
        Decision::Drop => Fate::Lost,
        Decision::Reject => Fate::Rejected,
        Decision::Route => Fate::Untouched,
        Decision::Endpoint(address) => endpoints.get(&address).map_or(Fate::Elsewhere, |index| Fate::Endpoint(*index)),
    }
}

/// Where the endpoint is drawn: the kernel's is one of the service that the model sends to too.
fn may_be(kernel: Fate, model: Decision, packet: &Packet, case: &Case, all: &HashMap<SocketAddrV4, u32>) -> bool {
    let (Fate::Endpoint(index), Decision::Endpoint(_)) = (kernel, model) else { return fate(model, all) == kernel };
    service(case, packet.destination, packet.protocol)
        .is_some_and(|at| case.services[at].endpoints.iter().any(|endpoint| all.get(&endpoint.address) == Some(&index)))
}

fn service(case: &Case, address: SocketAddrV4, protocol: Protocol) -> Option<usize> {
    case.services.iter().position(|service| (service.address, service.protocol) == (address, protocol))
}

/// Flows by service and endpoint.
type Counts = BTreeMap<usize, BTreeMap<SocketAddrV4, u64>>;

fn spread(recording: &Recording, case: &Case) -> Result<Vec<Spread>, TargetError> {
    let all = case.endpoints();
    let mut kernel = Counts::new();
    for (order, fates) in case.orders.iter().zip(&recording.fates) {
        for (packet, code) in order.packets().zip(fates) {
            if let (Fate::Endpoint(index), Some(at)) =
                (Fate::of(*code), service(case, packet.destination, packet.protocol))
            {
                *kernel.entry(at).or_default().entry(all[index as usize]).or_default() += 1;
            }
        }
    }
    let mut spreads = Vec::new();
    for (at, counts) in kernel {
        let endpoints = &case.services[at].endpoints;
        let flows: u64 = counts.values().sum();
        if endpoints.len() < 2 || flows < FEWEST * endpoints.len() as u64 {
            continue;
        }
        let drawn = draws(recording, case, at, flows * MODEL_DRAWS)?;
        let of = |counts: &BTreeMap<SocketAddrV4, u64>| {
            endpoints.iter().map(|endpoint| counts.get(&endpoint.address).copied().unwrap_or(0)).collect()
        };
        let at = format!("{} service {at} of {}", name(recording), case.services.len());
        spreads.push(Spread { at, counts: of(&counts), model: of(&drawn) });
    }
    Ok(spreads)
}

/// Where the model sends so many new flows of a service.
fn draws(
    recording: &Recording,
    case: &Case,
    at: usize,
    flows: u64,
) -> Result<BTreeMap<SocketAddrV4, u64>, TargetError> {
    let service = &case.services[at];
    let mut model = recording.target.model(&case.services, recording.seed ^ 0x5eed)?;
    let mut counts = BTreeMap::new();
    for flow in 0..flows {
        let (client, port) = datapath_common::flow::client_of(flow, 0x0aff_0001);
        let source = SocketAddrV4::new(client.into(), port);
        let packet = Packet { source, destination: service.address, protocol: service.protocol };
        if let Some(Decision::Endpoint(address)) = decide(&mut *model, &packet) {
            *counts.entry(address).or_default() += 1;
        }
    }
    Ok(counts)
}

fn test(spreads: Vec<Spread>, conclusion: &mut Conclusion) {
    // Where all flows of both go to one endpoint there is nothing to tell apart, and too little is reached.
    let p = |spread: &Spread| homogeneity(&spread.counts, &spread.model).map_or(0.0, |found| found.p);
    let raw: Vec<f64> = spreads.iter().map(p).collect();
    let adjusted = holm(&raw).unwrap_or_default();
    conclusion.distributions = spreads.len();
    conclusion.smallest_p = adjusted.iter().copied().reduce(f64::min);
    for (spread, p) in spreads.into_iter().zip(adjusted) {
        let Spread { at, counts, model } = spread;
        let flows: u64 = counts.iter().sum();
        if flows >= ALL_REACHED * counts.len() as u64 && counts.contains(&0) {
            conclusion.disagreements.push(Disagreement::Unreached { at: at.clone(), counts: counts.clone() });
        }
        if p < LEVEL {
            conclusion.disagreements.push(Disagreement::Distribution { at, counts, model, p });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shape, Target};

    const SHAPE: Shape = Shape { services: 8, endpoints: 4, orders: 2, flows: 600, weights: 1 };

    /// What the model itself decides: a kernel that agrees.
    fn recorded(target: &Target, seed: u64) -> Recording {
        let case = Case::random(seed, 0, SHAPE);
        let (mut model, endpoints) = (target.model(&case.services, seed + 1_000).unwrap(), index(&case));
        let mut one = |packet: Packet| decide(&mut *model, &packet).map_or(Fate::Elsewhere, |it| fate(it, &endpoints));
        let fates: Vec<_> = case.orders.iter().map(|order| order.packets().map(&mut one).collect::<Vec<_>>()).collect();
        Recording::new(target.clone(), "6.1".into(), seed, 0, SHAPE, &fates)
    }

    fn targets() -> Vec<Target> {
        let ipvs = ["rr", "lc", "sh"].map(|scheduler| Target::Ipvs(scheduler.into()));
        [Target::IptablesLegacy, Target::Nftables].into_iter().chain(ipvs).collect()
    }

    #[test]
    fn the_model_agrees_with_itself() {
        let recordings: Vec<_> =
            targets().iter().flat_map(|target| (0..6).map(|seed| recorded(target, seed))).collect();
        let conclusion = judge(&recordings).unwrap();
        assert_eq!(conclusion.disagreements, []);
        assert_eq!((conclusion.cases, conclusion.decisions), (30, 30 * 4 * 600));
        assert!(conclusion.distributions > 10, "{}", conclusion.distributions);
    }

    #[test]
    fn one_flow_at_another_endpoint_is_found_where_the_sequence_is_fixed() {
        let mut recording = recorded(&Target::Ipvs("rr".into()), 3);
        let flow = recording.fates[0].iter().position(|code| *code >= 4).expect("some flow reached an endpoint");
        recording.fates[0][flow] ^= 1;
        let found = judge(&[recording]).unwrap().disagreements;
        assert!(matches!(&found[..], [Disagreement::Decision { .. }]), "{found:?}");
    }

    #[test]
    fn a_rejection_that_is_none_is_found_everywhere() {
        for target in targets() {
            let rejected = |recording: &Recording| recording.fates[1].iter().position(|code| *code == 1);
            let found = (0..50).map(|seed| recorded(&target, seed)).find_map(|one| Some((rejected(&one)?, one)));
            let (flow, mut recording) = found.expect("some service has no endpoints");
            recording.fates[1][flow] = 2;
            assert_eq!(judge(&[recording]).unwrap().disagreements.len(), 1, "{target:?}");
        }
    }

    #[test]
    fn flows_that_all_reach_one_endpoint_are_found() {
        let mut recording = recorded(&Target::Nftables, 2);
        let case = recording.case();
        let (all, order) = (index(&case), &case.orders[0]);
        for (packet, code) in order.packets().zip(&mut recording.fates[0]) {
            if let (4.., Some(at)) = (*code, service(&case, packet.destination, packet.protocol)) {
                *code = 4 + all[&case.services[at].endpoints[0].address];
            }
        }
        let found = judge(&[recording]).unwrap().disagreements;
        assert!(found.iter().any(|one| matches!(one, Disagreement::Distribution { .. })), "{found:?}");
    }

    #[test]
    fn a_recording_that_is_too_short_is_refused() {
        let mut recording = recorded(&Target::Nftables, 2);
        recording.fates[1].pop();
        assert!(matches!(&judge(&[recording]).unwrap().disagreements[..], [Disagreement::Length { .. }]));
    }
}
