//! The table of services (net/netfilter/ipvs/ip_vs_ctl.c, `ip_vs_service_find`), in both shapes that kernels have.

use std::net::SocketAddrV4;

use super::scheduler::{Scheduler, VirtualService};
use crate::hash::jhash_3words;
use crate::random::Random;
use crate::table::{HashMap, map_for};
use crate::{Packet, Protocol, Service, Steps};

/// Ports of FTP's control and data connections: a data connection may belong to a control port's service.
const FTP: u16 = 21;
const FTP_DATA: u16 = 20;
/// First port that needs no privilege.
const FIRST_FREE: u16 = 1024;

/// Fewest and most buckets of the resizable table (`IP_VS_SVC_TAB_MIN_BITS`, `_MAX_BITS`).
const RESIZABLE_BITS: (u32, u32) = (4, 20);
/// Buckets to a service of the resizable table, as a shift: `svc_lfactor`'s default of -2 in any namespace but the first.
const LOAD_SHIFT: u32 = 2;

/// The shape of the service table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// 256 buckets and a hash without a key: kernels before the 2026 rework. Its XOR with the namespace's address is left out: it
    /// moves buckets, and changes no chain.
    Fixed256,
    /// The rework ("ipvs: use resizable hash table for services", March 2026): a keyed hash (jhash) over four to eight buckets a service,
    /// a power of two. Modelled is the table at rest: its growth by moving all entries to a larger one, during which lookups walk
    /// two tables, is not, nor the order that moving leaves within a bucket.
    Resizable {
        /// Of the key, which the kernel draws anew for each table.
        seed: u64,
    },
}

/// The hash of a table in use.
#[derive(Debug, Clone, Copy)]
struct Hash {
    /// None for the fixed table.
    key: Option<u32>,
    mask: u32,
}

impl Hash {
    fn of(table: Table, services: usize) -> Self {
        match table {
            Table::Fixed256 => Self { key: None, mask: 255 },
            Table::Resizable { seed } => {
                let (fewest, most) = RESIZABLE_BITS;
                let wanted = services.next_power_of_two() << LOAD_SHIFT;
                let buckets = wanted.clamp(1 << fewest, 1 << most);
                Self { key: Some(Random::new(seed).next_u32()), mask: buckets as u32 - 1 }
            }
        }
    }

    /// `ip_vs_svc_hashkey()` or `ip_vs_rht_hash_linfo()`.
    fn bucket(self, protocol: Protocol, address: SocketAddrV4) -> usize {
        let (protocol, host) = (u32::from(protocol.number()), u32::from(*address.ip()));
        let port = u32::from(address.port());
        let hash = match self.key {
            None => protocol ^ host ^ (port >> 8) ^ port,
            Some(key) => jhash_3words(port, protocol, host.to_be(), key),
        };
        (hash & self.mask) as usize
    }
}

/// What a service makes of a packet that opens a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheduled {
    /// It goes to this destination, and the connection is counted as its own.
    Sent(SocketAddrV4),
    /// There is no destination for it: ICMP port unreachable, whatever the protocol (`ip_vs_leave`).
    Rejected,
    /// IPVS leaves it to the node (`NF_ACCEPT`).
    Left,
}

/// The services of a node and the buckets that they stand in.
#[derive(Debug, Clone)]
pub(super) struct Services {
    hash: Hash,
    lengths: Vec<u32>,
    /// Index, and how many services were in the bucket before it.
    index: HashMap<(Protocol, SocketAddrV4), (usize, u32)>,
    services: Vec<VirtualService>,
    /// Whether some service has FTP's port, of whatever protocol, and some the port 0 that stands for any (`ftpsvc_counter`,
    /// `nullsvc_counter`).
    has_ftp: bool,
    has_any_port: bool,
}

impl Services {
    pub(super) fn new(services: &[Service], scheduler: Scheduler, table: Table) -> Self {
        let hash = Hash::of(table, services.len());
        let mut this = Self {
            hash,
            lengths: vec![0; hash.mask as usize + 1],
            index: map_for(services.len()),
            services: Vec::with_capacity(services.len()),
            has_ftp: services.iter().any(|service| service.address.port() == FTP),
            has_any_port: services.iter().any(|service| service.address.port() == 0),
        };
        services.iter().for_each(|service| this.add(service, scheduler));
        this
    }

    fn add(&mut self, service: &Service, scheduler: Scheduler) {
        let key = (service.protocol, service.address);
        self.services.push(VirtualService::new(service, scheduler));
        // IPVS refuses a second service of the same address.
        if self.index.contains_key(&key) {
            return;
        }
        let length = &mut self.lengths[self.hash.bucket(service.protocol, service.address)];
        self.index.insert(key, (self.services.len() - 1, *length));
        *length += 1;
    }

    /// The service that a packet asks for. `mark`: whether the packet bears a firewall mark.
    pub(super) fn find(&self, packet: &Packet, mark: bool, steps: &mut Steps) -> Option<usize> {
        let Packet { destination, protocol, .. } = *packet;
        // Since the rework a counter tells that there is no service by mark; before, the empty bucket did.
        if mark && self.hash.key.is_none() {
            steps.service_probes += 1;
        }
        let port = destination.port();
        let ftp_data = protocol == Protocol::Tcp && (port == FTP_DATA || port >= FIRST_FREE);
        let at_port = |port| SocketAddrV4::new(*destination.ip(), port);
        self.walk(protocol, destination, steps)
            .or_else(|| (self.has_ftp && ftp_data).then(|| self.walk(protocol, at_port(FTP), steps))?)
            .or_else(|| self.has_any_port.then(|| self.walk(protocol, at_port(0), steps))?)
    }

    /// One bucket, from its head, where the newest service stands.
    fn walk(&self, protocol: Protocol, address: SocketAddrV4, steps: &mut Steps) -> Option<usize> {
        let length = self.lengths[self.hash.bucket(protocol, address)];
        let found = self.index.get(&(protocol, address)).copied();
        steps.service_probes += 1;
        steps.service_entries += u64::from(length - found.map_or(0, |(_, before)| before));
        found.map(|(service, _)| service)
    }

    /// What the service that was found makes of a new connection (`ip_vs_schedule`, then `ip_vs_leave`).
    pub(super) fn schedule(&mut self, service: usize, packet: &Packet, steps: &mut Steps) -> Scheduled {
        // The data connection of active FTP comes from a destination, which is known to IPVS or is none of its own.
        if packet.source.port() == FTP_DATA {
            return Scheduled::Left;
        }
        let service = &mut self.services[service];
        let asked = packet.destination.port();
        // A service of another port takes persistent connections only.
        let chosen = if service.port() == asked { service.schedule(packet, steps) } else { None };
        match chosen {
            Some(destination) => Scheduled::Sent(destination),
            // It was asked because its data connections may have any port: what is not FTP's is none of its business.
            None if service.port() == FTP && asked != FTP => Scheduled::Left,
            None => Scheduled::Rejected,
        }
    }

    pub(super) fn connections(&self, service: usize) -> Vec<(SocketAddrV4, u32, u32)> {
        self.services.get(service).map(VirtualService::connections).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service(address: u32, port: u16, protocol: Protocol) -> Service {
        Service { address: SocketAddrV4::new(address.into(), port), protocol, endpoints: Vec::new() }
    }

    fn asks(service: &Service) -> Packet {
        let source = SocketAddrV4::new([10, 248, 0, 1].into(), 1000);
        Packet { source, destination: service.address, protocol: service.protocol }
    }

    fn counted(services: &Services, packet: &Packet, mark: bool) -> (Option<usize>, u64, u64) {
        let mut steps = Steps::default();
        let found = services.find(packet, mark, &mut steps);
        (found, steps.service_probes, steps.service_entries)
    }

    fn spaced(n: u32, stride: u32) -> Vec<Service> {
        (0..n).map(|at| service(0x0a40_000a + stride * at, 80, Protocol::Tcp)).collect()
    }

    #[test]
    fn vips_at_stride_256_share_a_bucket_and_the_newest_stands_first() {
        let services = spaced(1000, 256);
        let table = Services::new(&services, Scheduler::Rr, Table::Fixed256);
        assert_eq!(counted(&table, &asks(&services[0]), false), (Some(0), 1, 1000));
        assert_eq!(counted(&table, &asks(&services[999]), false), (Some(999), 1, 1));
        assert_eq!(counted(&table, &asks(&spaced(1001, 256)[1000]), false), (None, 1, 1000));
    }

    #[test]
    fn sequential_vips_spread_evenly() {
        let services = spaced(1024, 1);
        let table = Services::new(&services, Scheduler::Rr, Table::Fixed256);
        assert!(table.lengths.iter().all(|length| *length == 4));
        assert_eq!(counted(&table, &asks(&services[0]), false), (Some(0), 1, 4));
    }

    #[test]
    fn the_fixed_hash_by_hand() {
        let hash = Hash::of(Table::Fixed256, 1);
        // 6 ^ 10.64.1.10's last byte 10 ^ 0 ^ 80 = 0x5c; 17 ^ 10 ^ (8080 >> 8 = 31) ^ (8080 & 255 = 144) = 0x94.
        assert_eq!(hash.bucket(Protocol::Tcp, "10.64.1.10:80".parse().unwrap()), 0x5c);
        assert_eq!(hash.bucket(Protocol::Udp, "10.64.1.10:8080".parse().unwrap()), 0x94);
    }

    #[test]
    fn the_resizable_table_has_four_to_eight_buckets_a_service() {
        let buckets = |n| Hash::of(Table::Resizable { seed: 0 }, n).mask + 1;
        assert_eq!([0, 1, 4, 5, 1000, 100_000].map(buckets), [16, 16, 16, 32, 4096, 524_288]);
        assert_eq!(buckets(10_000_000), 1 << 20);
        let services = spaced(1000, 256);
        let table = Services::new(&services, Scheduler::Rr, Table::Resizable { seed: 3 });
        let longest = services.iter().map(|service| counted(&table, &asks(service), false).2).max();
        assert!(longest <= Some(6), "{longest:?}");
    }

    #[test]
    fn marks_and_fallbacks_are_looked_up_as_the_kernel_does() {
        let mut services = vec![service(0x0a40_000a, FTP, Protocol::Tcp)];
        let ask = |port| asks(&service(0x0a40_000a, port, Protocol::Tcp));
        let fixed = Services::new(&services, Scheduler::Rr, Table::Fixed256);
        assert_eq!(counted(&fixed, &ask(FTP), true).1, 2, "a marked packet: the table of marks first");
        assert_eq!(counted(&fixed, &ask(FTP_DATA), false), (Some(0), 2, 1));
        assert_eq!(counted(&fixed, &ask(5000), false).0, Some(0));
        assert_eq!(counted(&fixed, &ask(80), false), (None, 1, 0));
        let resizable = Services::new(&services, Scheduler::Rr, Table::Resizable { seed: 1 });
        assert_eq!(counted(&resizable, &ask(FTP), true).1, 1);
        services.push(service(0x0a40_000a, 0, Protocol::Tcp));
        let mut any = Services::new(&services, Scheduler::Rr, Table::Fixed256);
        assert_eq!(counted(&any, &ask(80), false).0, Some(1));
        let (mut steps, nobody) = (Steps::default(), "port 0 is for persistent services");
        assert_eq!(any.schedule(1, &ask(80), &mut steps), Scheduled::Rejected, "{nobody}");
    }

    #[test]
    fn ftp_is_counted_whatever_its_protocol_and_looked_for_over_tcp_alone() {
        let services = [service(0x0a40_000a, FTP, Protocol::Udp)];
        let table = Services::new(&services, Scheduler::Rr, Table::Fixed256);
        let ask = |protocol| asks(&service(0x0a40_000a, 5000, protocol));
        assert_eq!(counted(&table, &ask(Protocol::Tcp), false), (None, 2, 0));
        assert_eq!(counted(&table, &ask(Protocol::Udp), false), (None, 1, 0));
    }

    #[test]
    fn what_only_ftps_service_may_know_is_left_to_the_node() {
        let mut ftp = service(0x0a40_000a, FTP, Protocol::Tcp);
        let ask = |port| asks(&service(0x0a40_000a, port, Protocol::Tcp));
        let mut steps = Steps::default();
        let mut empty = Services::new(&[ftp.clone()], Scheduler::Rr, Table::Fixed256);
        assert_eq!(empty.schedule(0, &ask(FTP), &mut steps), Scheduled::Rejected);
        assert_eq!(empty.schedule(0, &ask(5000), &mut steps), Scheduled::Left);
        let address = SocketAddrV4::new([10, 128, 0, 2].into(), 21);
        ftp.endpoints.push(crate::Endpoint { address, weight: 1 });
        let mut one = Services::new(&[ftp], Scheduler::Rr, Table::Fixed256);
        assert_eq!(one.schedule(0, &ask(FTP), &mut steps), Scheduled::Sent(address));
        assert_eq!(one.schedule(0, &ask(FTP_DATA), &mut steps), Scheduled::Left);
        let source = SocketAddrV4::new([10, 248, 0, 1].into(), FTP_DATA);
        assert_eq!(one.schedule(0, &Packet { source, ..ask(FTP) }, &mut steps), Scheduled::Left);
    }

    proptest! {
        #[test]
        fn depths_are_those_of_chained_buckets(n in 1_u32..300, stride in 1_u32..300, seed: u64, fixed: bool, ask in 0_u32..400) {
            let services = spaced(n, stride);
            let table = if fixed { Table::Fixed256 } else { Table::Resizable { seed } };
            let model = Services::new(&services, Scheduler::Rr, table);
            let mut buckets = vec![Vec::new(); model.lengths.len()];
            for service in &services {
                buckets[model.hash.bucket(service.protocol, service.address)].insert(0, service.address);
            }
            let packet = asks(&spaced(ask + 1, stride)[ask as usize]);
            let bucket = &buckets[model.hash.bucket(packet.protocol, packet.destination)];
            let passed = bucket.iter().position(|address| *address == packet.destination).map_or(bucket.len(), |at| at + 1);
            prop_assert_eq!(counted(&model, &packet, false), ((ask < n).then_some(ask as usize), 1, passed as u64));
        }
    }
}
