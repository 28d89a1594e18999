//! The address ranges that rules name.

use std::fmt;
use std::net::Ipv4Addr;

/// A CIDR range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    network: Ipv4Addr,
    length: u8,
}

impl Range {
    /// 127.0.0.0/8.
    pub const LOOPBACK: Self = Self::new(Ipv4Addr::LOCALHOST, 8);

    /// The range of `length` leading bits of `address` (32 at most).
    #[must_use]
    pub const fn new(address: Ipv4Addr, length: u8) -> Self {
        let length = if length > 32 { 32 } else { length };
        let network = Ipv4Addr::from_bits(address.to_bits() & mask(length));
        Self { network, length }
    }

    /// The range of one address.
    #[must_use]
    pub const fn host(address: Ipv4Addr) -> Self {
        Self::new(address, 32)
    }

    /// Whether it holds `address`.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.length) == self.network.to_bits()
    }
}

const fn mask(length: u8) -> u32 {
    if length == 0 { 0 } else { u32::MAX << (32 - length) }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

/// The ranges of a cluster, as kube-proxy is told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addresses {
    /// Pods; packets from elsewhere to a VIP are masqueraded.
    pub cluster: Range,
    /// VIPs.
    pub services: Range,
    /// The node.
    pub node: Ipv4Addr,
}

impl Addresses {
    /// Whether the node takes packets for `address` itself, VIPs left aside.
    pub(crate) fn is_local(&self, address: Ipv4Addr) -> bool {
        address == self.node || address.is_loopback()
    }
}

impl Default for Addresses {
    /// lbcurve's own: pods in 10.128.0.0/9, services in 10.64.0.0/10, the node at 192.168.100.1.
    fn default() -> Self {
        Self {
            cluster: Range::new(Ipv4Addr::new(10, 128, 0, 0), 9),
            services: Range::new(Ipv4Addr::new(10, 64, 0, 0), 10),
            node: Ipv4Addr::new(192, 168, 100, 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_shares_their_leading_bits() {
        let range = Range::new(Ipv4Addr::new(10, 130, 7, 1), 9);
        assert_eq!(range.to_string(), "10.128.0.0/9");
        assert!(range.contains(Ipv4Addr::new(10, 255, 255, 255)) && !range.contains(Ipv4Addr::new(10, 127, 255, 255)));
        assert!(Range::new(Ipv4Addr::UNSPECIFIED, 0).contains(Ipv4Addr::BROADCAST));
        assert!(!Range::host(Ipv4Addr::LOCALHOST).contains(Ipv4Addr::new(127, 0, 0, 2)));
    }
}
