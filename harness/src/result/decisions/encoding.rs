//! What each flow reached, as the text of a record.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::Reached;

/// Why a record's decisions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReachedError {
    /// Not base64.
    #[error("decisions of {length} characters are not base64")]
    Base64 {
        /// Characters.
        length: usize,
        /// Where.
        #[source]
        source: base64::DecodeError,
    },
    /// The compressed part is broken.
    #[error("decisions of {length} characters cannot be inflated")]
    Inflate {
        /// Characters.
        length: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A number is cut short or too large.
    #[error("decisions end in the middle of a number, or hold one that is too large")]
    Number,
    /// Another number of flows than the record's.
    #[error("a record of {flows} flows holds {found}")]
    Flows {
        /// Flows of the record.
        flows: u32,
        /// Flows that were found.
        found: u32,
    },
    /// The numbers are not those that the record counts.
    #[error("a record of {flows} flows, {rejected} rejected, {lost} lost holds {found:?}")]
    Count {
        /// Flows of the record.
        flows: u32,
        /// Rejected flows of the record.
        rejected: u32,
        /// Lost flows of the record.
        lost: u32,
        /// Flows, rejected and lost ones that were found.
        found: [u32; 3],
    },
}

/// The text of [`DecisionRecord::reached`](super::DecisionRecord::reached).
///
/// # Errors
/// Never in fact: the bytes go to memory.
pub fn encode_reached(reached: &[Reached]) -> std::io::Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for one in reached {
        let mut number: u64 = match *one {
            Reached::Lost => 0,
            Reached::Rejected => 1,
            Reached::Elsewhere => 2,
            Reached::Untouched => 3,
            Reached::Endpoint(index) => u64::from(index) + FIRST_ENDPOINT,
        };
        while number > 0x7f {
            encoder.write_all(&[number as u8 | 0x80])?;
            number >>= 7;
        }
        encoder.write_all(&[number as u8])?;
    }
    Ok(STANDARD.encode(encoder.finish()?))
}

const FIRST_ENDPOINT: u64 = 4;
/// Most bytes of a number: 4 + the largest index takes 33 bits.
const LONGEST: usize = 5;

/// The inverse of [`encode_reached`]; reads no more than `flows` flows need.
pub(in crate::result) fn decode_reached(text: &str, flows: u32) -> Result<Vec<Reached>, ReachedError> {
    let length = text.len();
    let deflated = STANDARD.decode(text).map_err(|source| ReachedError::Base64 { length, source })?;
    let mut bytes = Vec::new();
    // One flow more than there may be, so that too many are seen without inflating without end.
    let limit = (u64::from(flows) + 1) * LONGEST as u64;
    ZlibDecoder::new(deflated.as_slice())
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| ReachedError::Inflate { length, source })?;
    let mut rest = bytes.as_slice();
    let mut reached = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().take(LONGEST).position(|byte| byte & 0x80 == 0).ok_or(ReachedError::Number)?;
        let (number, after) = rest.split_at(end + 1);
        let number = number.iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        reached.push(match number {
            0 => Reached::Lost,
            1 => Reached::Rejected,
            2 => Reached::Elsewhere,
            3 => Reached::Untouched,
            _ => Reached::Endpoint(u32::try_from(number - FIRST_ENDPOINT).map_err(|_| ReachedError::Number)?),
        });
        rest = after;
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_reached() -> impl Strategy<Value = Reached> {
        use Reached::{Elsewhere, Endpoint, Lost, Rejected, Untouched};
        prop_oneof![
            (0..5_u32).prop_map(Endpoint),
            any::<u32>().prop_map(Endpoint),
            prop::sample::select(vec![Untouched, Elsewhere, Rejected, Lost]),
        ]
    }

    proptest! {
        #[test]
        fn decisions_come_back(reached in prop::collection::vec(any_reached(), 0..300)) {
            let flows = u32::try_from(reached.len()).unwrap();
            prop_assert_eq!(decode_reached(&encode_reached(&reached).unwrap(), flows).unwrap(), reached);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9+/=]{0,80}", flows in 0..100_u32) {
            prop_assert!(decode_reached(&text, flows).map_or(true, |reached| reached.len() <= (flows as usize + 1) * LONGEST));
        }
    }

    #[test]
    fn a_rotation_takes_little_room() {
        let reached: Vec<_> = (0..10_000).map(|flow| Reached::Endpoint(flow % 3)).collect();
        assert!(encode_reached(&reached).unwrap().len() < 100);
    }
}
