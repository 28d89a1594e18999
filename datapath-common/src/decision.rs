//! What the datapath decided for a flow: the value of the map `DECISIONS`, an element a flow.

use crate::flow::flow_of;

/// Where a flow's packet ended. Written by the exit and by the client's sink.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decision {
    /// Destination address when it left the node; 0 unless [`LEFT`].
    pub addr_be: u32,
    /// Destination port, likewise.
    pub port_be: u16,
    /// [`UNDECIDED`], [`LEFT`] or [`REJECTED`].
    pub fate: u16,
}

/// Nothing was seen of the flow's packet.
pub const UNDECIDED: u16 = 0;
/// The packet left the node towards the backends.
pub const LEFT: u16 = 1;
/// The client was told that there is nothing: ICMP destination unreachable, or a TCP reset.
pub const REJECTED: u16 = 2;

/// Which element is a client's, given the flow number of the first; `None` for a packet of another order.
#[inline(always)]
#[must_use]
pub fn element_of(client: u32, port: u16, base: u32, first_flow: u64) -> Option<u32> {
    let flow = flow_of(client, port, base)?;
    // An element beyond the map is refused by the map.
    let element = flow.checked_sub(first_flow)?;
    if element > u32::MAX as u64 { None } else { Some(element as u32) }
}

const _: () = assert!(size_of::<Decision>() == 8);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::client_of;

    proptest! {
        #[test]
        fn elements_count_from_the_first_flow(first in 0..1_u64 << 40, offset in 0..1_u64 << 20, base in 0..1_u32 << 20) {
            prop_assume!((first + offset) / crate::flow::PORTS_PER_CLIENT < u64::from(u32::MAX - base));
            let (client, port) = client_of(first + offset, base);
            prop_assert_eq!(element_of(client, port, base, first), Some(offset as u32));
        }
    }

    #[test]
    fn a_packet_of_an_earlier_order_has_no_element() {
        let (client, port) = client_of(9, 100);
        assert_eq!(element_of(client, port, 100, 10), None);
        assert_eq!(element_of(99, port, 100, 0), None);
    }
}
