//! Where services, endpoints and Maglev tables stand in the maps, and what has to be written when one changes. Pure.

mod service;
mod sizes;
mod space;

pub(super) use service::{Slots, endpoints, key, slots_of, table, vip};
pub(super) use sizes::{FLOWS, Sizes};

use std::collections::BTreeMap;

use datapath_common::balancer::maglev::{MaglevError, SLOTS_AN_ELEMENT};
use datapath_common::balancer::{Endpoint, Service as Entry, ServiceKey, V4};

use crate::workload::{EndpointChoice, Service};
use space::Space;

/// Why a service has no place in the maps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A map has no room for what is added: maps are made for twice the services that they are first filled with.
    #[error("eBPF map \"{map}\" is full: it was made for {capacity} elements")]
    Full {
        /// Map.
        map: &'static str,
        /// Its elements.
        capacity: u32,
    },
    /// Its Maglev table cannot be built.
    #[error("{service} cannot have a Maglev table of its {endpoints} endpoints: {source}")]
    Table {
        /// VIP, port and protocol.
        service: String,
        /// How many endpoints it has.
        endpoints: usize,
        /// Why.
        source: MaglevError,
    },
}

/// Elements to be written, in this order: a service that appears finds its endpoints there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Writes {
    pub(super) endpoints: Vec<(u32, Endpoint<V4>)>,
    pub(super) slots: Vec<(u32, Slots)>,
    pub(super) services: Vec<(ServiceKey<V4>, Entry)>,
}

/// What stands where.
#[derive(Debug)]
pub(super) struct Layout {
    choice: EndpointChoice,
    endpoints: Space,
    slots: Space,
    entries: BTreeMap<ServiceKey<V4>, Entry>,
    sizes: Sizes,
}

impl Layout {
    pub(super) fn new(choice: EndpointChoice, sizes: Sizes) -> Self {
        let (endpoints, slots) = (Space::new("ENDPOINTS", sizes.endpoints), Space::new("MAGLEV", sizes.slots));
        Self { choice, endpoints, slots, entries: BTreeMap::new(), sizes }
    }

    /// Places a service that is not there yet.
    pub(super) fn add(&mut self, service: &Service, writes: &mut Writes) -> Result<(), LayoutError> {
        let slots = table(self.choice, service)?;
        let entry = self.place(service)?;
        write_endpoints(&endpoints(service), None, entry.first, writes);
        write_slots(&slots, None, entry.table, writes);
        self.put(ServiceKey::wildcard(vip(service)), Entry::default(), writes)?;
        self.put(key(service), entry, writes)
    }

    /// Turns a service into another with the same VIP, port and protocol. As many endpoints stay where they are, and only what
    /// differs is written; others are placed anew, and the service then turns to them at once.
    pub(super) fn change(&mut self, before: &Service, after: &Service, writes: &mut Writes) -> Result<(), LayoutError> {
        let Some(entry) = self.entries.get(&key(after)).copied() else {
            return self.add(after, writes);
        };
        let slots = table(self.choice, after)?;
        if before.endpoints.len() == after.endpoints.len() {
            write_endpoints(&endpoints(after), Some(&endpoints(before)), entry.first, writes);
            write_slots(&slots, Some(&table(self.choice, before)?), entry.table, writes);
            return Ok(());
        }
        self.endpoints.release(entry.first, entry.count);
        self.slots.release(entry.table / SLOTS_AN_ELEMENT, entry.slots.div_ceil(SLOTS_AN_ELEMENT));
        let placed = self.place(after)?;
        write_endpoints(&endpoints(after), None, placed.first, writes);
        write_slots(&slots, None, placed.table, writes);
        self.put(key(after), placed, writes)
    }

    fn place(&mut self, service: &Service) -> Result<Entry, LayoutError> {
        let count = u32::try_from(service.endpoints.len()).unwrap_or(u32::MAX);
        let slots = slots_of(self.choice, service);
        let first = self.endpoints.take(count)?;
        let table = self.slots.take(slots.div_ceil(SLOTS_AN_ELEMENT))? * SLOTS_AN_ELEMENT;
        Ok(Entry { first, count, table, slots })
    }

    fn put(&mut self, key: ServiceKey<V4>, entry: Entry, writes: &mut Writes) -> Result<(), LayoutError> {
        if self.entries.insert(key, entry) == Some(entry) {
            return Ok(());
        }
        writes.services.push((key, entry));
        let capacity = self.sizes.services;
        if self.entries.len() > capacity as usize {
            return Err(LayoutError::Full { map: "SERVICES", capacity });
        }
        Ok(())
    }
}

fn write_endpoints(new: &[Endpoint<V4>], old: Option<&[Endpoint<V4>]>, first: u32, writes: &mut Writes) {
    writes.endpoints.extend(changed(new, old, first));
}

fn write_slots(new: &[Slots], old: Option<&[Slots]>, first_slot: u32, writes: &mut Writes) {
    writes.slots.extend(changed(new, old, first_slot / SLOTS_AN_ELEMENT));
}

fn changed<'a, T: Copy + PartialEq>(
    new: &'a [T],
    old: Option<&'a [T]>,
    first: u32,
) -> impl Iterator<Item = (u32, T)> + 'a {
    let is_new = move |(index, value): &(usize, &T)| old.and_then(|old| old.get(*index)) != Some(*value);
    new.iter().enumerate().filter(is_new).map(move |(index, value)| (first + index as u32, *value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workload::{Endpoint as Pod, Protocol, VipLayout, Workload, WorkloadSpec};

    fn workload(services: u32, endpoints: u32, choice: EndpointChoice) -> Workload {
        let addresses = crate::workload::AddressPlan::default();
        let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
        let spec = WorkloadSpec { services, endpoints, layout, protocol, seed: 0, addresses };
        Workload { endpoint_choice: choice, ..Workload::generate(&spec).expect("fits") }
    }

    fn laid_out(workload: &Workload) -> (Layout, Writes) {
        let mut layout = Layout::new(workload.endpoint_choice, Sizes::of(workload));
        let mut writes = Writes::default();
        for service in &workload.services {
            layout.add(service, &mut writes).expect("fits");
        }
        (layout, writes)
    }

    #[test]
    fn everything_is_written_once_and_apart() {
        for choice in [EndpointChoice::Random, EndpointChoice::Maglev] {
            let workload = workload(700, 3, choice);
            let (_, writes) = laid_out(&workload);
            let indices: BTreeSet<_> = writes.endpoints.iter().map(|(index, _)| *index).collect();
            assert_eq!((writes.endpoints.len(), indices.len()), (2100, 2100));
            // Every service and, under every VIP, the wildcard.
            assert_eq!(writes.services.len(), 1400);
            let elements = if choice == EndpointChoice::Maglev { 700 * 509_usize.div_ceil(4) } else { 0 };
            let slots: BTreeSet<_> = writes.slots.iter().map(|(index, _)| *index).collect();
            assert_eq!((writes.slots.len(), slots.len()), (elements, elements));
        }
    }

    /// What is written when an endpoint of the second service of three becomes another.
    fn replaced(endpoints: u32, choice: EndpointChoice) -> Writes {
        let workload = workload(3, endpoints, choice);
        let (mut layout, _) = laid_out(&workload);
        let before = &workload.services[1];
        let mut after = before.clone();
        after.endpoints[2] = Pod { addr: [10, 200, 0, 1].into(), port: 9 };
        let mut writes = Writes::default();
        layout.change(before, &after, &mut writes).expect("fits");
        writes
    }

    #[test]
    fn another_endpoint_in_its_place_touches_nothing_else() {
        let writes = replaced(3, EndpointChoice::Random);
        assert_eq!(writes.endpoints, [(5, Endpoint::new(V4::new([10, 200, 0, 1]), 9_u16.to_be()))]);
        assert!(writes.services.is_empty() && writes.slots.is_empty());
    }

    #[test]
    fn another_endpoint_of_a_maglev_service_rewrites_a_part_of_its_table() {
        let writes = replaced(10, EndpointChoice::Maglev);
        assert!((1..256).contains(&writes.slots.len()), "{}", writes.slots.len());
        assert_eq!((writes.endpoints.len(), writes.services.len()), (1, 0));
    }

    #[test]
    fn more_endpoints_are_placed_anew_and_what_was_is_used_again() {
        let workload = workload(2, 2, EndpointChoice::Maglev);
        let (mut layout, _) = laid_out(&workload);
        let before = workload.services[0].clone();
        let mut more = before.clone();
        more.endpoints.push(Pod { addr: [10, 200, 0, 1].into(), port: 9 });
        let mut writes = Writes::default();
        layout.change(&before, &more, &mut writes).expect("fits");
        let indices: Vec<_> = writes.endpoints.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [4, 5, 6]);
        assert_eq!(
            writes.services.iter().map(|(key, entry)| (*key, entry.count)).collect::<Vec<_>>(),
            [(key(&more), 3)]
        );
        let mut writes = Writes::default();
        layout.change(&more, &before, &mut writes).expect("fits");
        assert_eq!(writes.endpoints.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let workload = workload(1, 2, EndpointChoice::Random);
        let mut layout = Layout::new(EndpointChoice::Random, Sizes { services: 9, endpoints: 1, slots: 1 });
        let full = layout.add(&workload.services[0], &mut Writes::default()).expect_err("full");
        assert_eq!(full, LayoutError::Full { map: "ENDPOINTS", capacity: 1 });
        let mut layout = Layout::new(EndpointChoice::Random, Sizes { services: 1, endpoints: 9, slots: 1 });
        let full = layout.add(&workload.services[0], &mut Writes::default()).expect_err("full");
        assert_eq!(full, LayoutError::Full { map: "SERVICES", capacity: 1 });
    }

    #[test]
    fn a_table_that_cannot_be_built_is_said_and_leaves_everything_as_it_was() {
        let mut workload = workload(1, 1, EndpointChoice::Maglev);
        let small = workload.services[0].clone();
        let many = (0..65_536_u32).map(|at| Pod { addr: (0x0a80_0000 + at).into(), port: 8080 }).collect();
        workload.services[0].endpoints = many;
        let large = &workload.services[0];
        let mut layout = Layout::new(EndpointChoice::Maglev, Sizes::of(&workload));
        let mut writes = Writes::default();
        let error = layout.add(large, &mut writes).expect_err("no slot can name the last");
        let (service, endpoints) = ("10.64.0.10:80/tcp".to_owned(), 65_536);
        assert_eq!(error, LayoutError::Table { service, endpoints, source: MaglevError::TooManyEndpoints });
        layout.add(&small, &mut writes).expect("fits");
        let mut change = Writes::default();
        layout.change(&small, large, &mut change).expect_err("no better as a change");
        assert_eq!(change, Writes::default());
        assert_eq!((writes.endpoints[0].0, writes.slots[0].0), (0, 0));
    }
}
