//! What a namespace has received, from its own counters.

use super::ReachError;
use crate::net::NetNs;

/// `self` would be the thread group's leader, which may be in another namespace.
const COUNTERS: &str = "/proc/thread-self/net/snmp";

/// Counters of a namespace since it is there (include/uapi/linux/snmp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    /// Echo requests that were for an address of the namespace.
    pub(super) echoes: u64,
    /// IP packets of any destination.
    pub(super) packets: u64,
}

impl Counters {
    pub(super) fn of(namespace: &NetNs) -> Result<Self, ReachError> {
        let _inside = namespace.enter()?;
        let text = std::fs::read_to_string(COUNTERS)
            .map_err(|source| ReachError::Io { action: "read /proc/net/snmp", source })?;
        Self::read(&text)
    }

    fn read(text: &str) -> Result<Self, ReachError> {
        let of = |group, name, counter| find(text, group, name).ok_or(ReachError::Counter { counter });
        Ok(Self { echoes: of("Icmp:", "InEchos", "Icmp InEchos")?, packets: of("Ip:", "InReceives", "Ip InReceives")? })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self { echoes: self.echoes.saturating_sub(before.echoes), packets: self.packets.saturating_sub(before.packets) }
    }
}

/// The number under a name: a group has a line of names and one of numbers.
fn find(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let index = names.split_whitespace().position(|found| found == name)?;
    numbers.split_whitespace().nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 17\nIcmp: InMsgs InErrors InEchos\nIcmp: 9 1 5\n\
                        IcmpMsg: InType8\nIcmpMsg: 5\n";

    #[test]
    fn numbers_stand_under_their_names() {
        assert_eq!(Counters::read(TEXT).expect("whole"), Counters { echoes: 5, packets: 17 });
        let cut = TEXT.replace("Icmp: 9 1 5\n", "");
        assert!(matches!(Counters::read(&cut), Err(ReachError::Counter { counter: "Icmp InEchos" })));
    }
}
