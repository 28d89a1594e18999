//! The address plans in use: one for runs, one for comparing with what kube-proxy programmed.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::AddressPlan;

impl AddressPlan {
    /// The plan of the dumps of kube-proxy 1.36: cluster 10.244.0.0/16, services 10.96.0.0/12, node 192.168.100.1. Clients have
    /// the last /20 of the cluster range.
    #[must_use]
    pub fn kube_proxy_dumps() -> Self {
        Self {
            cluster_cidr: net(10, 244, 0, 0, 16),
            service_cidr: net(10, 96, 0, 0, 12),
            client_range: net(10, 244, 240, 0, 20),
            node_addr: Ipv4Addr::new(192, 168, 100, 1),
        }
    }

    /// Whether it is the plan of runs that ask for no other, which they do not write down.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// How many pods fit: consecutive addresses from the cluster range's third one on, up to the client range or the
    /// broadcast address, whichever comes first.
    #[must_use]
    pub fn pod_capacity(&self) -> u64 {
        let first = self.first_pod();
        let (clients, clients_end) = (u64::from(u32::from(self.client_range.network())), last(self.client_range));
        let end = last(self.cluster_cidr);
        let end = if clients_end < first { end } else { end.min(clients) };
        end.saturating_sub(first)
    }

    /// The first pod's address, as a number.
    pub(super) fn first_pod(&self) -> u64 {
        u64::from(u32::from(self.cluster_cidr.network())) + 2
    }
}

impl Default for AddressPlan {
    /// The plan of runs: cluster 10.128.0.0/9 (7.8 million pods) with clients in 10.248.0.0/13 (33 thousand million flows), services 10.64.0.0/10 (four
    /// million VIPs: 10,000 at stride 256 do not fit kube-proxy's usual /12), node 192.168.100.1.
    fn default() -> Self {
        Self {
            cluster_cidr: net(10, 128, 0, 0, 9),
            service_cidr: net(10, 64, 0, 0, 10),
            client_range: net(10, 248, 0, 0, 13),
            node_addr: Ipv4Addr::new(192, 168, 100, 1),
        }
    }
}

/// The range's last address, as a number.
pub(super) fn last(range: Ipv4Net) -> u64 {
    u64::from(u32::from(range.broadcast()))
}

/// What an address keeps when it moves into a range: the bits that its prefix leaves.
pub(super) fn host_bits(range: Ipv4Net, address: Ipv4Addr) -> u64 {
    u64::from(u32::from(address) & u32::from(range.hostmask()))
}

fn net(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_lie_inside_the_cluster_and_behind_the_pods() {
        for plan in [AddressPlan::default(), AddressPlan::kube_proxy_dumps()] {
            assert!(plan.cluster_cidr.contains(&plan.client_range));
            assert!(!plan.cluster_cidr.contains(&plan.service_cidr.network()));
        }
        assert_eq!(AddressPlan::default().pod_capacity(), 0x78_0000 - 2);
        assert_eq!(AddressPlan::kube_proxy_dumps().pod_capacity(), 0xf000 - 2);
    }

    #[test]
    fn clients_in_front_of_the_pods_take_nothing_from_them() {
        let mut plan = AddressPlan::kube_proxy_dumps();
        plan.client_range = net(10, 0, 0, 0, 16);
        assert_eq!(plan.pod_capacity(), 0xffff - 2);
    }
}
