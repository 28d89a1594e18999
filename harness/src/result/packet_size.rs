//! How long the packets of a search are.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes of a search's packets: of the Ethernet frame, without the four of its checksum, which a veth has not. In text `64`, `1500` or `imix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum PacketSize {
    /// All of the same length.
    Bytes(u16),
    /// Seven of 64, four of 570 and one of 1,514 in turn: FD.io CSIT's `IMIX_v4_1` (28 of 64, 16 of 570 and 4 of 1,518), the longest of which
    /// cut to what an MTU of 1,500 lets through.
    Imix,
}

/// Shortest frame: Ethernet's, and it holds the tag.
pub const LEAST_BYTES: u16 = 64;
/// Longest frame: an MTU of 1,500 and the Ethernet header.
pub const MOST_BYTES: u16 = 1_514;

const IMIX: &str = "imix";

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no packet size: {LEAST_BYTES} to {MOST_BYTES} bytes of an Ethernet frame, or {IMIX}")]
pub struct PacketSizeError {
    text: String,
}

impl PacketSize {
    /// Whether it is the one that a search has where its file names none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The lengths of packets in turn, bytes.
    #[must_use]
    pub fn cycle(self) -> Vec<u16> {
        match self {
            Self::Bytes(bytes) => vec![bytes],
            // Spread over the cycle, as traffic is.
            Self::Imix => vec![64, 570, 64, 64, 570, 64, 1_514, 64, 570, 64, 570, 64],
        }
    }

    /// Bits a second of Ethernet frames at so many packets a second, without preamble, gap and checksum.
    #[must_use]
    pub fn bits(self, packets_a_second: f64) -> f64 {
        let cycle = self.cycle();
        let bytes: u32 = cycle.iter().map(|bytes| u32::from(*bytes)).sum();
        packets_a_second * 8.0 * f64::from(bytes) / cycle.len() as f64
    }
}

impl Default for PacketSize {
    fn default() -> Self {
        Self::Bytes(LEAST_BYTES)
    }
}

impl FromStr for PacketSize {
    type Err = PacketSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == IMIX {
            return Ok(Self::Imix);
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let bytes = text.parse().ok().filter(|bytes| plain && (LEAST_BYTES..=MOST_BYTES).contains(bytes));
        bytes.map(Self::Bytes).ok_or_else(|| PacketSizeError { text: text.to_owned() })
    }
}

impl TryFrom<String> for PacketSize {
    type Error = PacketSizeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PacketSize> for String {
    fn from(size: PacketSize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for PacketSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.pad(&bytes.to_string()),
            Self::Imix => f.pad(IMIX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        for text in ["64", "570", "1514", "imix"] {
            let size: PacketSize = text.parse().unwrap();
            assert_eq!(size.to_string(), text);
            assert_eq!(serde_json::from_str::<PacketSize>(&serde_json::to_string(&size).unwrap()).unwrap(), size);
        }
        for text in ["", "63", "1515", "+64", "9000", "IMIX", "64 "] {
            assert!(text.parse::<PacketSize>().unwrap_err().to_string().starts_with(&format!("{text:?} is no packet")));
        }
    }

    #[test]
    fn imix_has_seven_short_four_middling_and_one_long_packet() {
        let cycle = PacketSize::Imix.cycle();
        let count = |bytes: u16| cycle.iter().filter(|found| **found == bytes).count();
        assert_eq!((count(64), count(570), count(1_514), cycle.len()), (7, 4, 1, 12));
        // 4,242 bytes in twelve packets.
        assert_eq!(PacketSize::Imix.bits(12e6), 8.0 * 4_242e6);
        assert_eq!(PacketSize::default().bits(1e6), 512e6);
    }
}
