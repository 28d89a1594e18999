//! What the maps hold against what they should. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use datapath_common::balancer::maglev::SLOTS_AN_ELEMENT;
use datapath_common::balancer::{Endpoint, Service as Entry, ServiceKey, V4};

use super::layout::{endpoints, key, slots_of, table, vip};
use super::loaded::Contents;
use crate::workload::{Service, Workload};

/// Everything that differs, in words.
pub(super) fn differences(contents: &Contents, workload: &Workload) -> Vec<String> {
    let mut live: BTreeMap<_, _> = contents.services.iter().copied().collect();
    let mut found = Vec::new();
    for service in &workload.services {
        match live.remove(&key(service)) {
            Some(entry) => found.extend(of_service(contents, workload, service, entry)),
            None => found.push(format!("map SERVICES lacks {}", name(&key(service)))),
        }
    }
    // Several services may share a VIP, and its entry.
    let vips: BTreeSet<_> = workload.services.iter().map(vip).collect();
    for wildcard in vips.into_iter().map(ServiceKey::wildcard) {
        if live.remove(&wildcard).is_none() {
            found.push(format!("map SERVICES lacks {}", name(&wildcard)));
        }
    }
    found.extend(live.keys().map(|key| format!("map SERVICES has {} too much", name(key))));
    found
}

fn of_service(contents: &Contents, workload: &Workload, service: &Service, entry: Entry) -> Vec<String> {
    let mut found = Vec::new();
    let service_name = name(&key(service));
    let expected = endpoints(service);
    let live = range(&contents.endpoints, entry.first, entry.count);
    if live != Some(&expected[..]) {
        let shown = live.map_or("a range outside of the map".to_owned(), list);
        found.push(format!("{service_name} has the endpoints {shown} instead of {}", list(&expected)));
    }
    let slots = slots_of(workload.endpoint_choice, service);
    let elements = range(&contents.slots, entry.table / SLOTS_AN_ELEMENT, slots.div_ceil(SLOTS_AN_ELEMENT));
    if entry.slots != slots {
        found.push(format!("{service_name} has {} Maglev slots instead of {slots}", entry.slots));
    } else if slots > 0 {
        match table(workload.endpoint_choice, service) {
            Ok(expected) if elements == Some(&expected[..]) => {}
            Ok(_) => found.push(format!("{service_name} has another Maglev table than its endpoints make")),
            Err(error) => found.push(error.to_string()),
        }
    }
    found
}

fn range<T>(all: &[T], first: u32, count: u32) -> Option<&[T]> {
    let (first, count) = (first as usize, count as usize);
    all.get(first..first.checked_add(count)?)
}

fn list(endpoints: &[Endpoint<V4>]) -> String {
    let shown: Vec<_> = endpoints.iter().map(endpoint_name).collect();
    if shown.is_empty() { "none".into() } else { shown.join(", ") }
}

/// `10.0.0.1:8080`.
pub(super) fn endpoint_name(endpoint: &Endpoint<V4>) -> String {
    format!("{}:{}", Ipv4Addr::from(endpoint.addr.octets()), u16::from_be(endpoint.port_be))
}

/// `10.64.0.1:80/tcp`, or `10.64.0.1:*` for the wildcard.
pub(super) fn name(key: &ServiceKey<V4>) -> String {
    let address = Ipv4Addr::from(key.addr.octets());
    let port = u16::from_be(key.port_be);
    match key.protocol {
        0 => format!("{address}:*"),
        datapath_common::frame::IPPROTO_TCP => format!("{address}:{port}/tcp"),
        datapath_common::frame::IPPROTO_UDP => format!("{address}:{port}/udp"),
        other => format!("{address}:{port}/{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{Layout, Sizes, Writes};
    use super::*;
    use crate::workload::{AddressPlan, EndpointChoice, Protocol, VipLayout, WorkloadSpec};

    fn programmed(choice: EndpointChoice) -> (Contents, Workload) {
        let addresses = AddressPlan::default();
        let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
        let spec = WorkloadSpec { services: 3, endpoints: 2, layout, protocol, seed: 0, addresses };
        let workload = Workload { endpoint_choice: choice, ..Workload::generate(&spec).expect("fits") };
        let sizes = Sizes::of(&workload);
        let (mut layout, mut writes) = (Layout::new(choice, sizes), Writes::default());
        for service in &workload.services {
            layout.add(service, &mut writes).expect("fits");
        }
        let mut contents = Contents {
            services: writes.services,
            endpoints: vec![Endpoint::default(); sizes.endpoints as usize],
            slots: vec![[0; 4]; sizes.slots as usize],
        };
        writes.endpoints.iter().for_each(|(index, value)| contents.endpoints[*index as usize] = *value);
        writes.slots.iter().for_each(|(index, value)| contents.slots[*index as usize] = *value);
        (contents, workload)
    }

    #[test]
    fn what_is_programmed_is_found() {
        for choice in [EndpointChoice::Random, EndpointChoice::Maglev] {
            let (contents, workload) = programmed(choice);
            assert_eq!(differences(&contents, &workload), Vec::<String>::new());
        }
    }

    #[test]
    fn every_kind_of_damage_is_named() {
        let damage = |spoil: &dyn Fn(&mut Contents)| {
            let (mut contents, workload) = programmed(EndpointChoice::Maglev);
            spoil(&mut contents);
            let found = differences(&contents, &workload);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].clone()
        };
        assert!(
            damage(&|c| {
                c.services.remove(1);
            })
            .contains(":80/tcp")
        );
        assert!(
            damage(&|c| {
                c.services.remove(0);
            })
            .ends_with(":*")
        );
        assert!(damage(&|c| c.services.push((ServiceKey::new(V4(1), 1, 6), Entry::default()))).ends_with("too much"));
        assert!(damage(&|c| c.services[1].1.count = 1).contains("instead of"));
        assert!(damage(&|c| c.services[1].1.first = u32::MAX).contains("outside of the map"));
        assert!(damage(&|c| c.services[1].1.slots = 0).contains("0 Maglev slots instead of 251"));
        assert!(damage(&|c| c.endpoints[0].port_be = 0).contains(":0, "));
        assert!(damage(&|c| c.slots[0] = [1 - c.slots[0][0]; 4]).contains("another Maglev table"));
    }
}
