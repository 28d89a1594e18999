//! Which flows are offered on a road: an order's, or a mix of new ones among established ones. Pure.

use datapath_common::frame::{TCP_DATA, TCP_SYN};
use datapath_common::pace::Mix;
use datapath_common::traffic::GeneratorConfig;

use crate::result::NewShare;

/// What the generator makes its packets of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offered {
    /// The order's flows.
    pub(super) config: GeneratorConfig,
    /// Those that are opened among them.
    pub(super) mix: Mix,
}

impl Offered {
    /// The order's flows alone.
    pub(super) fn all_alike(config: GeneratorConfig) -> Self {
        Self { config, mix: Mix::default() }
    }

    /// A share of packets that open a flow each, among those of flows that `opening` has opened. `numbers` are set aside for both.
    pub(super) fn mixed(opening: GeneratorConfig, share: NewShare, numbers: u64) -> Self {
        let segment = if opening.segment == TCP_SYN { TCP_DATA } else { opening.segment };
        let mix = Mix {
            new_percent: share.percent().into(),
            new_flows: numbers.saturating_sub(opening.flows).max(1),
            new_segment: opening.segment,
            reserved: 0,
        };
        Self { config: GeneratorConfig { segment, ..opening }, mix }
    }

    /// Packets of a trial whose new flows fit into `room` entries of an empty connection table, beside the established ones.
    pub(super) fn fitting(&self, room: u64) -> u64 {
        self.mix.packets_that_open(room.saturating_sub(self.config.flows)).unwrap_or(room)
    }
}

#[cfg(test)]
mod tests {
    use datapath_common::frame::UDP;

    use super::*;

    fn opening(segment: u32) -> GeneratorConfig {
        GeneratorConfig {
            seed: 1,
            first_flow: 5_000,
            flows: 1_000,
            deadline_ns: 0,
            targets: 1,
            client_base: 1,
            node_mac: [0; 6],
            client_mac: [0; 6],
            segment,
            verdict: 0,
            paced: 0,
        }
    }

    fn share(text: &str) -> NewShare {
        text.parse().unwrap()
    }

    #[test]
    fn new_flows_begin_a_connection_and_established_ones_go_on_with_one() {
        let tcp = Offered::mixed(opening(TCP_SYN), share("10%"), 8_000);
        assert_eq!((tcp.config.segment, tcp.mix.new_segment), (TCP_DATA, TCP_SYN));
        let udp = Offered::mixed(opening(UDP), share("10%"), 8_000);
        assert_eq!((udp.config.segment, udp.mix.new_segment), (UDP, UDP));
        // None of either kind has a number of the other's.
        assert_eq!((udp.config.flows, udp.mix.new_flows, udp.mix.new_percent), (1_000, 7_000, 10));
    }

    #[test]
    fn only_new_flows_take_room_that_established_ones_have_left() {
        assert_eq!(Offered::mixed(opening(UDP), share("10%"), 8_000).fitting(201_000), 2_000_000);
        assert_eq!(Offered::mixed(opening(UDP), share("50%"), 8_000).fitting(500), 0);
        assert_eq!(Offered::all_alike(opening(UDP)).fitting(201_000), 201_000);
    }
}
