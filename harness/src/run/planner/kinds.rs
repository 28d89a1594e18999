//! What is measured on a setup, and in which order.

use crate::result::{BackendKind, Flow, NewShare, PacketSize, Position, RateMethod, VenueKind};
use crate::run::plan::{MeasureKind, Setup, VenueOffer};
use crate::run::scenario::{Preset, Scenario};
use crate::workload::{Protocol, VipLayout};

/// Layout, protocol and M of a backend: the baselines have no services, so only protocol and M concern them.
pub(super) fn axes(scenario: &Scenario, backend: BackendKind) -> Vec<(VipLayout, Protocol, u32)> {
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

/// Where rates are measured: at the backend's worst position, or at all that were asked for.
pub(super) fn asked_for(scenario: &Scenario, backend: BackendKind) -> Vec<Position> {
    if scenario.all_positions && backend.balances() {
        scenario.positions.clone()
    } else {
        vec![backend.worst_position()]
    }
}

/// Searches for rates. IPVS keeps connections of its own, which nothing empties between trials: its table would grow with them, and
/// each trial of new flows would be slower than the one before.
pub(super) fn searches(scenario: &Scenario, backend: BackendKind, method: RateMethod) -> Vec<MeasureKind> {
    let fit = |(flow, _): &(Flow, _)| backend != BackendKind::Ipvs || *flow == Flow::Established;
    let mut kinds = Vec::new();
    for (flow, new_share) in offered(scenario, backend).into_iter().filter(fit) {
        for position in asked_for(scenario, backend) {
            let of = |&packet_size: &PacketSize| MeasureKind::Rates { method, flow, position, packet_size, new_share };
            kinds.extend(scenario.packet_sizes.iter().map(of));
        }
    }
    kinds
}

/// The flows that searches offer: those that were asked for, and mixes, which are of new flows for a share of their packets. Without conntrack
/// a mix is nothing of its own.
fn offered(scenario: &Scenario, backend: BackendKind) -> Vec<(Flow, Option<NewShare>)> {
    let alike = flows(scenario, backend).iter().map(|&flow| (flow, None));
    let mixes = scenario.new_shares.iter().filter(|_| backend != BackendKind::Direct);
    alike.chain(mixes.map(|&share| (Flow::New, Some(share)))).collect()
}

/// Reachability: once a backend, where it is cheapest, for nothing of it depends on N, M or layout. `direct` is the control.
pub(super) fn reachability(setups: &[Setup], backend: BackendKind) -> Option<(Setup, MeasureKind)> {
    let is_asked = backend.balances() || backend == BackendKind::Direct;
    let setup = setups.iter().find(|setup| setup.backend == backend && setup.bracket == backend.bracket())?;
    is_asked.then_some((*setup, MeasureKind::Reachability { position: backend.worst_position() }))
}

/// What is measured of packets.
pub(super) fn kinds(scenario: &Scenario, offer: &VenueOffer, setup: &Setup) -> Vec<MeasureKind> {
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
    if let Some(method) = scenario.rates.filter(|_| offer.saturation) {
        kinds.extend(searches(scenario, setup.backend, method));
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

/// Decisions come first, while schedulers are fresh and no other flow is under way. Searches leave full connection tables behind. Programming changes the services, so it comes
/// when nothing is left to measure on them.
pub(super) fn place(kind: MeasureKind) -> u8 {
    match kind {
        MeasureKind::Decisions { .. } | MeasureKind::Fairness { .. } => 0,
        MeasureKind::Rates { .. } => 2,
        MeasureKind::Programming => 3,
        _ => 1,
    }
}
