//! Reads and writes the generator's frames in place.

use datapath_common::frame::{self, FRAME_LEN, FRAME_WORDS, IP, IPPROTO_TCP, IPPROTO_UDP, L4, TCP_TAG, UDP_TAG};

/// One of the generator's frames, wherever it is met.
pub(crate) struct Packet<'a> {
    words: &'a mut [u16; FRAME_WORDS],
}

impl<'a> Packet<'a> {
    /// The packet between two context pointers, if it is IPv4 without options, UDP or TCP, and long enough.
    ///
    /// # Safety
    /// The pointers are the context's `data` and `data_end`, and nothing else refers to the packet while the result lives.
    #[inline(always)]
    pub(crate) unsafe fn parse(data: usize, data_end: usize) -> Option<Self> {
        // SAFETY: as the caller promises.
        let packet = unsafe { Self::blank(data, data_end) }?;
        let is_ipv4 = packet.words[6] == 0x0800_u16.to_be() && packet.words[IP].to_ne_bytes()[0] == 0x45;
        (is_ipv4 && matches!(packet.protocol(), IPPROTO_UDP | IPPROTO_TCP)).then_some(packet)
    }

    /// Any packet that is long enough, to be written over.
    ///
    /// # Safety
    /// As [`Packet::parse`].
    #[inline(always)]
    pub(crate) unsafe fn blank(data: usize, data_end: usize) -> Option<Self> {
        if data + FRAME_LEN > data_end {
            return None;
        }
        // SAFETY: the frame lies within the packet; Ethernet headers begin at even addresses.
        Some(Self { words: unsafe { &mut *(data as *mut [u16; FRAME_WORDS]) } })
    }

    /// Writes the whole frame.
    #[inline(always)]
    pub(crate) fn write(&mut self, frame: &[u16; FRAME_WORDS]) {
        *self.words = *frame;
    }

    /// IP protocol.
    #[inline(always)]
    pub(crate) fn protocol(&self) -> u8 {
        self.words[IP + 4].to_ne_bytes()[1]
    }

    /// The generator's tag.
    #[inline(always)]
    pub(crate) fn tag(&self) -> u64 {
        if self.protocol() == IPPROTO_UDP {
            frame::tag_of([
                self.words[UDP_TAG],
                self.words[UDP_TAG + 1],
                self.words[UDP_TAG + 2],
                self.words[UDP_TAG + 3],
            ])
        } else {
            frame::tag_of([
                self.words[TCP_TAG],
                self.words[TCP_TAG + 1],
                self.words[TCP_TAG + 2],
                self.words[TCP_TAG + 3],
            ])
        }
    }

    /// Destination and source MAC.
    #[inline(always)]
    pub(crate) fn macs(&self) -> ([u16; 3], [u16; 3]) {
        let w = &self.words;
        ([w[0], w[1], w[2]], [w[3], w[4], w[5]])
    }

    /// Source address.
    #[inline(always)]
    pub(crate) fn src_be(&self) -> u32 {
        frame::word32([self.words[IP + 6], self.words[IP + 7]])
    }

    /// Destination address.
    #[inline(always)]
    pub(crate) fn dst_be(&self) -> u32 {
        frame::word32([self.words[IP + 8], self.words[IP + 9]])
    }

    /// Source port.
    #[inline(always)]
    pub(crate) fn src_port_be(&self) -> u16 {
        self.words[L4]
    }

    /// Destination port.
    #[inline(always)]
    pub(crate) fn dst_port_be(&self) -> u16 {
        self.words[L4 + 1]
    }

    /// Whether it is a TCP segment with SYN and without ACK.
    #[inline(always)]
    pub(crate) fn is_syn(&self) -> bool {
        self.protocol() == IPPROTO_TCP && self.words[L4 + 6].to_ne_bytes()[1] & 0x12 == 0x02
    }
}
