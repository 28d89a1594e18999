//! The devices' own counters on a packet's way, from which losses are located.

use std::time::{Duration, Instant};

use crate::net::{Link, LinkCounters, NetError, Rtnl};
use crate::probe::Instrument;

/// Between two looks while packets are still on their way.
const PAUSE: Duration = Duration::from_millis(1);
/// Nothing moves for so long when nothing is on its way any more: the node's thread is woken within microseconds, or gets its turn after
/// other processes.
const STILL: Duration = Duration::from_millis(20);
/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sockets in the namespaces of client and node.
#[derive(Debug)]
pub(super) struct Meters {
    client: (Rtnl, Link),
    node: (Rtnl, Link, Link),
}

/// Packets at the places between generator and pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reading {
    /// Refused by the ring of the node's client-side device.
    pub(super) at_ring: u64,
    /// Taken from that ring.
    pub(super) taken: u64,
    /// Taken by the pods' device from its own ring.
    pub(super) passed: u64,
    /// Refused by that ring.
    pub(super) at_egress: u64,
}

impl Meters {
    pub(super) fn open(instrument: &Instrument) -> Result<Self, NetError> {
        let client = {
            let _inside = instrument.client.enter()?;
            (Rtnl::open()?, instrument.client_link.clone())
        };
        let _inside = instrument.node.enter()?;
        let node = (Rtnl::open()?, instrument.node_client_link.clone(), instrument.node_backend_link.clone());
        Ok(Self { client, node })
    }

    pub(super) fn read(&mut self) -> Result<Reading, NetError> {
        let (client, device) = &mut self.client;
        let LinkCounters { refused: at_ring, .. } = client.counters(&device.name)?;
        let (node, client_side, backend_side) = &mut self.node;
        let LinkCounters { received: taken, .. } = node.counters(&client_side.name)?;
        let LinkCounters { sent: passed, refused: at_egress, .. } = node.counters(&backend_side.name)?;
        Ok(Reading { at_ring, taken, passed, at_egress })
    }

    /// Waits until `offered` packets have come to an end since `before`, or nothing moves any more; returns what happened since then.
    pub(super) fn settle(&mut self, before: Reading, offered: u64) -> Result<Reading, NetError> {
        let begin = Instant::now();
        let (mut last, mut moved) = (self.read()?, begin);
        loop {
            let since = last.since(before);
            if since.ended() == offered || moved.elapsed() > STILL || begin.elapsed() > PATIENCE {
                return Ok(since);
            }
            std::thread::sleep(PAUSE);
            let now = self.read()?;
            if now != last {
                (last, moved) = (now, Instant::now());
            }
        }
    }
}

impl Reading {
    fn since(self, before: Self) -> Self {
        Self {
            at_ring: self.at_ring.saturating_sub(before.at_ring),
            taken: self.taken.saturating_sub(before.taken),
            passed: self.passed.saturating_sub(before.passed),
            at_egress: self.at_egress.saturating_sub(before.at_egress),
        }
    }

    /// Packets that left the way or came to its end.
    fn ended(self) -> u64 {
        self.at_ring + self.passed + self.at_egress
    }

    /// Taken by the node, but neither passed on nor refused behind it.
    pub(super) fn in_node(self) -> u64 {
        self.taken.saturating_sub(self.passed + self.at_egress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_node_keeps_is_what_it_took_and_did_not_pass_on() {
        let before = Reading { at_ring: 5, taken: 100, passed: 90, at_egress: 1 };
        let now = Reading { at_ring: 25, taken: 180, passed: 150, at_egress: 4 };
        let since = now.since(before);
        assert_eq!(since, Reading { at_ring: 20, taken: 80, passed: 60, at_egress: 3 });
        assert_eq!((since.in_node(), since.ended()), (17, 83));
    }
}
