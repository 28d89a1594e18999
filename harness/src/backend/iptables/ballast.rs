//! Ballast for self-tests of the gate: rules in KUBE-SERVICES that cost what a portal's rule costs and match nothing.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::render::{Nat, destination};
use crate::workload::{Service, Workload};

/// An address of each range that is set aside for documents (RFC 5737): no cluster's.
const NOBODYS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(203, 0, 113, 1)];

/// Puts a rule after every so many services.
pub(super) struct Ballast {
    services_a_rule: Option<u32>,
    services: u32,
    rules: u16,
    address: Ipv4Addr,
}

impl Ballast {
    pub(super) fn of(workload: &Workload) -> Self {
        let in_use = |address: &Ipv4Addr| {
            let ranges = [workload.addresses.service_cidr, workload.addresses.cluster_cidr];
            ranges.iter().any(|range| range.contains(address))
        };
        let address = NOBODYS.into_iter().find(|address| !in_use(address)).unwrap_or(NOBODYS[0]);
        let services_a_rule = workload.ballast.map(std::num::NonZeroU32::get);
        Self { services_a_rule, services: 0, rules: 0, address }
    }

    /// Counts `service`, whose portal has just been written, and adds a rule where one is due.
    pub(super) fn after(&mut self, service: &Service, nat: &mut Nat) {
        let Some(services_a_rule) = self.services_a_rule else { return };
        self.services += 1;
        if !self.services.is_multiple_of(services_a_rule) {
            return;
        }
        self.rules = self.rules.wrapping_add(1).max(1);
        // The matches of a portal, each rule with a port of its own.
        let nobody = destination(&Service { vip: self.address, port: self.rules, ..service.clone() });
        let _ = writeln!(
            nat.rules,
            "-A KUBE-SERVICES -m comment --comment \"lbcurve self-test ballast\" {nobody} -j RETURN"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::render::{Counter, Scope, sync};
    use super::*;
    use crate::workload::{AddressPlan, Protocol, VipLayout, WorkloadSpec};

    fn text(services: u32, ballast: Option<u32>) -> String {
        let (layout, protocol, addresses) = (VipLayout::Sequential, Protocol::Udp, AddressPlan::default());
        let spec = WorkloadSpec { services, endpoints: 2, layout, protocol, seed: 0, addresses };
        let mut workload = Workload::generate(&spec).unwrap();
        workload.ballast = ballast.and_then(NonZeroU32::new);
        sync(&workload, Scope::All, Counter::Present, &[])
    }

    #[test]
    fn one_rule_per_so_many_services_spread_evenly() {
        let text = text(100, Some(32));
        let rules: Vec<_> = text.lines().filter(|line| line.starts_with("-A KUBE-SERVICES ")).collect();
        let places: Vec<_> =
            rules.iter().enumerate().filter(|(_, rule)| rule.contains("ballast")).map(|(at, _)| at).collect();
        assert_eq!(places, [32, 65, 98], "after the 32nd, 64th and 96th portal");
        assert_eq!(
            rules[32],
            "-A KUBE-SERVICES -m comment --comment \"lbcurve self-test ballast\" -m udp -p udp -d 192.0.2.1 --dport 1 -j RETURN"
        );
    }

    #[test]
    fn without_it_nothing_is_added() {
        assert!(!text(100, None).contains("ballast"));
        assert_eq!(text(31, Some(32)), text(31, None));
    }
}
