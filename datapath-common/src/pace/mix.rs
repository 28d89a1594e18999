//! Which flow a packet belongs to, and how long it is: one cycle of flows, or packets that open flows among those of such a cycle.

use super::{Lengths, Progress};

/// Packets over which a mix has its share exactly.
pub const WHOLE: u64 = 100;

/// Packets that open flows among those of the order. One entry of the map `MIX`; all zero where there are none.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mix {
    /// Of [`WHOLE`] packets so many open a flow each, 0 to 99; the others belong to the order's flows.
    pub new_percent: u64,
    /// Flows that they open before the first comes again; their numbers follow on the order's. At least 1 where there is a share.
    pub new_flows: u64,
    /// Their segment: one of the segment constants of [`crate::frame`].
    pub new_segment: u32,
    /// Explicit padding.
    pub reserved: u32,
}

impl Mix {
    /// Packets that open a flow among the first `packets` of a trial.
    #[must_use]
    pub fn opened(&self, packets: u64) -> u64 {
        packets.saturating_mul(self.new_percent) / WHOLE
    }

    /// Packets of a trial of which no more than `flows` open one; `None` where none does.
    #[must_use]
    pub fn packets_that_open(&self, flows: u64) -> Option<u64> {
        flows.saturating_mul(WHOLE).checked_div(self.new_percent)
    }
}

/// A packet that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Its flow, counted from the order's first.
    pub flow: u64,
    /// Its bytes.
    pub bytes: u16,
    /// Whether it is one that opens a flow among others.
    pub opens: bool,
}

impl Progress {
    /// The next packet of a trial whose order has `flows` flows. In a mix it opens a flow as soon as those before it are a whole one behind
    /// their share: of the first n packets n x percent / 100 do, rounded down. Both kinds have their flows in turn, and their lengths in turn.
    #[inline(always)]
    pub fn take_turn(&mut self, flows: u64, mix: &Mix, lengths: &Lengths) -> Next {
        self.behind += mix.new_percent;
        if self.behind < WHOLE {
            let next = Next { flow: self.cursor, bytes: lengths.at(self.turn), opens: false };
            self.cursor = after(self.cursor, flows);
            self.turn = lengths.after(self.turn);
            next
        } else {
            self.behind -= WHOLE;
            let next = Next { flow: flows + self.new_cursor, bytes: lengths.at(self.new_turn), opens: true };
            self.new_cursor = after(self.new_cursor, mix.new_flows);
            self.new_turn = lengths.after(self.new_turn);
            next
        }
    }
}

/// The next place of a cycle.
#[inline(always)]
fn after(place: u64, count: u64) -> u64 {
    if place + 1 >= count { 0 } else { place + 1 }
}

const _: () = assert!(size_of::<Mix>() == 24);

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::pace::MOST_LENGTHS;

    fn three_lengths() -> Lengths {
        let mut bytes = [0; MOST_LENGTHS];
        bytes[..3].copy_from_slice(&[64, 570, 1_514]);
        Lengths { count: 3, buffer: 1_514, bytes }
    }

    fn mix(new_percent: u64, new_flows: u64) -> Mix {
        Mix { new_percent, new_flows, ..Mix::default() }
    }

    /// Asserts that these packets have flows from `first` on, `count` of them in turn, and their lengths in turn.
    fn assert_in_turn<'a>(packets: impl Iterator<Item = &'a Next>, first: u64, count: u64) {
        for (index, next) in (0..).zip(packets) {
            assert_eq!((next.flow, next.bytes), (first + index % count, three_lengths().at(index % 3)), "{index}");
        }
    }

    proptest! {
        #[test]
        fn a_mix_keeps_its_share_over_every_beginning_and_both_kinds_have_their_turns(
            percent in 0..WHOLE, flows in 1..40_u64, new_flows in 1..200_u64, packets in 0..1_000_u64,
        ) {
            let (mix, lengths, mut progress) = (mix(percent, new_flows), three_lengths(), Progress::default());
            let sent: Vec<_> = (0..packets).map(|_| progress.take_turn(flows, &mix, &lengths)).collect();
            let mut opened = 0;
            for (packets, next) in (1..).zip(&sent) {
                opened += u64::from(next.opens);
                prop_assert_eq!(opened, mix.opened(packets));
            }
            assert_in_turn(sent.iter().filter(|next| !next.opens), 0, flows);
            assert_in_turn(sent.iter().filter(|next| next.opens), flows, new_flows);
        }

        #[test]
        fn as_many_packets_as_open_so_many_flows_open_no_more(percent in 1..WHOLE, flows in 0..300_000_u64) {
            let mix = mix(percent, 1);
            let packets = mix.packets_that_open(flows).unwrap();
            prop_assert!(mix.opened(packets) <= flows);
            // And a hundred more do.
            prop_assert!(mix.opened(packets + WHOLE) > flows);
        }
    }

    #[test]
    fn every_tenth_packet_opens_a_flow_and_later_trials_go_on_with_others() {
        let (mix, lengths, mut progress) = (mix(10, 1_000), three_lengths(), Progress::default());
        let mut opened = || {
            let sent: Vec<_> = (1..=25).map(|packet| (packet, progress.take_turn(4, &mix, &lengths))).collect();
            progress = Progress { behind: 0, ..progress };
            let opened = sent.iter().filter(|(_, next)| next.opens);
            opened.map(|(packet, next)| (*packet, next.flow)).collect::<Vec<_>>()
        };
        assert_eq!(opened(), [(10, 4), (20, 5)]);
        assert_eq!(opened(), [(10, 6), (20, 7)]);
    }

    #[test]
    fn without_a_share_nothing_is_opened_beside_the_order() {
        assert_eq!((Mix::default().opened(1_000), Mix::default().packets_that_open(5)), (0, None));
    }
}
