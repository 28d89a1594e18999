//! Whether the packets of a run met the tables in the state that the run is about, by the tables before and after it and by the last
//! packet. Pure.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;

use datapath_common::balancer::again::Order;
use datapath_common::balancer::{ConnectionKey, Endpoint, V4};
use datapath_common::flow::{client_of, target_of};
use datapath_common::frame::IPPROTO_UDP;

use super::super::compare::endpoint_name;
use super::super::layout::endpoints;
use super::super::{Hook, Ran};
use crate::workload::Service;

const TC_ACT_UNSPEC: u32 = u32::MAX;
const TC_ACT_OK: u32 = 0;
const XDP_PASS: u32 = 2;
const XDP_REDIRECT: u32 = 4;

type Flow = ConnectionKey<V4>;

/// What the load balancer remembers of flows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Flows {
    /// From client to VIP: the endpoint.
    pub(super) connections: HashMap<Flow, Endpoint<V4>>,
    /// From endpoint to client: the VIP.
    pub(super) replies: HashMap<Flow, Endpoint<V4>>,
}

/// What has to become of every packet of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Its flow is known: it goes to the endpoint that is remembered, and nothing is written down.
    Hit,
    /// Its flow is not known: it is written down, with an endpoint of its service, beside all that were.
    Opened,
    /// As [`Opened`](Self::Opened), and other flows are forgotten for it.
    Replaced,
    /// It asks for no VIP: untouched, and nothing is written down.
    Missed,
    /// No load balancer has seen it.
    Untouched,
}

/// A run.
#[derive(Debug)]
pub(super) struct Passage<'a> {
    pub(super) hook: Hook,
    pub(super) expected: Expected,
    pub(super) order: Order,
    pub(super) packets: u32,
    /// Where packets go: the targets of `order`.
    pub(super) aims: &'a [Endpoint<V4>],
    pub(super) services: &'a [Service],
    pub(super) before: &'a Flows,
    pub(super) after: &'a Flows,
    /// What became of the last packet.
    pub(super) last: &'a Ran,
}

impl Passage<'_> {
    /// Everything that is not as it has to be, in words; a flow each.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut found: Vec<_> =
            (0..self.order.flows.min(self.packets.into())).filter_map(|n| self.of_flow(n)).collect();
        found.extend(self.of_tables());
        found.extend(self.of_last_packet());
        found
    }

    fn of_tables(&self) -> Option<String> {
        let [before, after] = [self.before, self.after].map(|flows| flows.connections.len() as u64);
        let as_expected = match self.expected {
            Expected::Hit | Expected::Missed | Expected::Untouched => self.before == self.after,
            Expected::Opened => after == before + self.order.flows,
            Expected::Replaced => after < before + self.order.flows,
        };
        (!as_expected).then(|| format!("the connection tables held {before} flows before and {after} after"))
    }

    fn of_flow(&self, number: u64) -> Option<String> {
        let flow = self.flow(number);
        let [before, after] = [self.before, self.after].map(|flows| flows.connections.get(&flow));
        let wrong = match (self.expected, before, after) {
            (Expected::Hit, None, _) => "was not known",
            (Expected::Opened | Expected::Replaced, Some(_), _) => "was known already",
            (Expected::Opened | Expected::Replaced, None, None) => "was not written down",
            (Expected::Opened | Expected::Replaced, None, Some(endpoint)) => {
                return self.of_opened(number, &flow, endpoint);
            }
            (Expected::Missed, _, Some(_)) => "was written down",
            _ => return None,
        };
        Some(format!("{} {wrong}", Shown(&flow)))
    }

    /// A flow that was written down.
    fn of_opened(&self, number: u64, flow: &Flow, endpoint: &Endpoint<V4>) -> Option<String> {
        let service = self.services.get(self.target(number))?;
        if !endpoints(service).contains(endpoint) {
            return Some(format!("{} went to {}, which is not of its service", Shown(flow), endpoint_name(endpoint)));
        }
        let vip = self.after.replies.get(&flow.reply_from(endpoint));
        (vip != Some(&flow.destination())).then(|| format!("{} has no way back", Shown(flow)))
    }

    fn of_last_packet(&self) -> Option<String> {
        let number = u64::from(self.packets.max(1) - 1) % self.order.flows.max(1);
        let flow = self.flow(number);
        let endpoint = self.after.connections.get(&flow);
        let untouched = Some(flow.destination());
        let (destination, verdict) = match (self.expected, self.hook) {
            (Expected::Missed, Hook::Tc) => (untouched, TC_ACT_UNSPEC),
            (Expected::Untouched, Hook::Tc) => (untouched, TC_ACT_OK),
            (Expected::Missed | Expected::Untouched, Hook::Xdp) => (untouched, XDP_PASS),
            (_, Hook::Tc) => (endpoint.copied(), TC_ACT_OK),
            (_, Hook::Xdp) => (endpoint.copied(), XDP_REDIRECT),
        };
        let Some(destination) = destination else {
            return Some(format!("nobody knows where {}, the last packet's flow, went", Shown(&flow)));
        };
        let due = Flow { dst: destination.addr, dst_port_be: destination.port_be, ..flow };
        let left = five_tuple(&self.last.frame);
        (left != Some(due) || self.last.verdict != verdict).then(|| {
            let left = left.as_ref().map_or("no UDP packet".to_owned(), |left| Shown(left).to_string());
            format!("the last packet left as {left}, verdict {}, not as {}, {verdict}", self.last.verdict, Shown(&due))
        })
    }

    /// The place of the target of the order's flow `number`.
    fn target(&self, number: u64) -> usize {
        target_of(self.order.first_flow + number, self.order.seed, self.order.targets) as usize
    }

    /// What the wrapper writes.
    fn flow(&self, number: u64) -> Flow {
        let (client, port) = client_of(self.order.first_flow + number, self.order.client_base);
        let aim = self.aims.get(self.target(number)).copied().unwrap_or_default();
        Flow {
            src: V4::new(client.to_be_bytes()),
            dst: aim.addr,
            src_port_be: port.to_be(),
            dst_port_be: aim.port_be,
            protocol: IPPROTO_UDP.into(),
        }
    }
}

/// That of a UDP packet whose IPv4 header has no options.
fn five_tuple(frame: &[u8]) -> Option<Flow> {
    let address = |at| Some(V4::new(*frame.get(at..)?.first_chunk()?));
    let port = |at| Some(u16::from_ne_bytes(*frame.get(at..)?.first_chunk()?));
    let (src, dst) = (address(26)?, address(30)?);
    let (src_port_be, dst_port_be) = (port(34)?, port(36)?);
    let is_udp = frame.get(14) == Some(&0x45) && frame.get(23) == Some(&IPPROTO_UDP);
    is_udp.then_some(Flow { src, dst, src_port_be, dst_port_be, protocol: IPPROTO_UDP.into() })
}

/// `10.248.0.1:1024 to 10.64.0.10:80`.
struct Shown<'a>(&'a Flow);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flow { src, src_port_be, .. } = *self.0;
        let source = (Ipv4Addr::from(src.octets()), u16::from_be(src_port_be));
        write!(f, "{}:{} to {}", source.0, source.1, endpoint_name(&self.0.destination()))
    }
}

#[cfg(test)]
mod tests;
