//! The decisions of a visit: where each flow went, in the words of its service.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use datapath_common::flow::target_of;

use crate::result::{Cell, DecisionRecord, Reached, count, encode_reached};
use crate::traffic::{Fate, TrafficOrder};
use crate::workload::{Protocol, Workload};

/// What each flow of an order reached, told from its fate.
#[must_use]
pub fn reached(workload: &Workload, order: &TrafficOrder, fates: &[Fate]) -> Vec<Reached> {
    let endpoints = endpoints(workload, order.protocol);
    let targets = u32::try_from(order.targets.len()).unwrap_or(u32::MAX);
    let asked = |flow: u64| order.targets[target_of(flow, order.seed, targets) as usize];
    (order.first_flow..).zip(fates).map(|(flow, fate)| one(*fate, asked(flow), &endpoints)).collect()
}

/// Index of every endpoint within its service, by the service's address.
type Endpoints = HashMap<SocketAddrV4, HashMap<SocketAddrV4, u32>>;

fn endpoints(workload: &Workload, protocol: Protocol) -> Endpoints {
    let services = workload.services.iter().filter(|service| service.protocol == protocol);
    let of = |service: &crate::workload::Service| {
        let addresses = service.endpoints.iter().map(|endpoint| SocketAddrV4::new(endpoint.addr, endpoint.port));
        (SocketAddrV4::new(service.vip, service.port), addresses.zip(0..).collect())
    };
    services.map(of).collect()
}

fn one(fate: Fate, asked: SocketAddrV4, endpoints: &Endpoints) -> Reached {
    match fate {
        Fate::Lost => Reached::Lost,
        Fate::Rejected => Reached::Rejected,
        Fate::Left(to) => match endpoints.get(&asked).and_then(|service| service.get(&to)) {
            Some(index) => Reached::Endpoint(*index),
            None if to == asked => Reached::Untouched,
            None => Reached::Elsewhere,
        },
    }
}

/// The record of a trial.
///
/// # Errors
/// Never in fact: see [`encode_reached`].
pub(crate) fn record(
    cell: Cell,
    trial: u32,
    order: &TrafficOrder,
    reached: &[Reached],
) -> std::io::Result<DecisionRecord> {
    Ok(DecisionRecord {
        cell,
        trial,
        first_flow: order.first_flow,
        seed: order.seed,
        flows: u32::try_from(reached.len()).unwrap_or(u32::MAX),
        rejected: count(reached, Reached::Rejected),
        lost: count(reached, Reached::Lost),
        reached: encode_reached(reached)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Flow;
    use crate::workload::{AddressPlan, VipLayout, WorkloadSpec};

    #[test]
    fn a_flow_is_judged_by_the_service_that_it_asked_for() {
        let spec = WorkloadSpec {
            services: 2,
            endpoints: 2,
            layout: VipLayout::Sequential,
            protocol: Protocol::Udp,
            seed: 0,
            addresses: AddressPlan::default(),
        };
        let workload = Workload::generate(&spec).unwrap();
        let vip = |index: usize| SocketAddrV4::new(workload.services[index].vip, workload.services[index].port);
        let pod = |service: usize, index: usize| {
            let endpoint = workload.services[service].endpoints[index];
            Fate::Left(SocketAddrV4::new(endpoint.addr, endpoint.port))
        };
        let order = TrafficOrder {
            flow: Flow::New,
            protocol: Protocol::Udp,
            targets: vec![vip(1)],
            packets: 6,
            first_flow: 9,
            seed: 1,
            clients: workload.addresses.client_range,
        };
        let fates = [pod(1, 1), pod(1, 0), pod(0, 0), Fate::Left(vip(1)), Fate::Rejected, Fate::Lost];
        use Reached::{Elsewhere, Endpoint, Lost, Rejected, Untouched};
        let expected = [Endpoint(1), Endpoint(0), Elsewhere, Untouched, Rejected, Lost];
        assert_eq!(reached(&workload, &order, &fates), expected);
    }
}
