//! Plain routing: what the load balancers are measured against.

use crate::conntrack::Conntrack;
use crate::{Datapath, Decision, Outcome, Packet, Steps};

/// Plain routing without connection tracking: one route a packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Datapath for Direct {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let steps = Steps { routes: 1, ..Steps::default() };
        Outcome { decision: Decision::Route, packet: *packet, steps }
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        self.process(packet)
    }
}

/// Plain routing with connection tracking, and nothing that translates.
#[derive(Debug, Clone, Default)]
pub struct DirectConntrack {
    conntrack: Conntrack,
}

impl Datapath for DirectConntrack {
    fn process(&mut self, packet: &Packet) -> Outcome {
        let mut steps = Steps { routes: 1, ..Steps::default() };
        let known = self.conntrack.find(packet, &mut steps).is_some();
        let leaves = known || self.conntrack.confirm(*packet, *packet, &mut steps);
        Outcome { decision: if leaves { Decision::Route } else { Decision::Drop }, packet: *packet, steps }
    }

    fn reply(&mut self, packet: &Packet) -> Outcome {
        self.process(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    #[test]
    fn conntrack_costs_a_lookup_and_a_new_flow_two_more() {
        let address = |text: &str| text.parse().expect("an address");
        let (source, destination) = (address("10.0.0.1:1000"), address("10.128.0.2:8080"));
        let packet = Packet { source, destination, protocol: Protocol::Tcp };
        let mut model = DirectConntrack::default();
        let totals = [&packet, &packet.reversed(), &packet].map(|packet| model.process(packet).steps.total());
        assert_eq!(totals, [4, 2, 2]);
        assert_eq!(Direct.process(&packet).steps.total(), 1);
    }
}
