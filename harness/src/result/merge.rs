//! Histograms of many trials added up, each decoded once into buffers that are used again: a run has 100,000 of them.
//!
//! The library's own decoder makes a histogram of 200 KB for each, and believes the sizes that a text claims. This one reads
//! only lbcurve's buckets (unit 1, three significant digits) and stops at the last of them.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datapath_common::histogram::{SIGNIFICANT_DIGITS, SUB_BUCKETS, bucket_lowest};
use flate2::read::ZlibDecoder;
use hdrhistogram::{CreationError, Histogram, RecordError};

/// Buckets that a 64-bit value can need: 2048 single values, then 1024 for each doubling.
const BUCKETS: usize = SUB_BUCKETS as usize + (u64::BITS as usize - 11) * SUB_BUCKETS as usize / 2;
/// A count takes at most nine bytes.
const LONGEST: u64 = (HEADER + 9 * BUCKETS) as u64;
/// Bytes before the counts.
const HEADER: usize = 40;
/// First words of HDR V2, deflated and plain.
const COOKIES: [u32; 2] = [0x1c84_9314, 0x1c84_9313];

/// Why a trial's histogram cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Not base64.
    #[error("a histogram of {length} characters is not base64")]
    Base64 {
        /// Characters of the text.
        length: usize,
        /// Where.
        #[source]
        source: base64::DecodeError,
    },
    /// The compressed part is broken.
    #[error("a histogram of {length} characters cannot be inflated")]
    Inflate {
        /// Characters of the text.
        length: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not HDR V2 with lbcurve's buckets.
    #[error("a histogram of {length} characters is not HDR V2 of three digits: {reason}")]
    Format {
        /// Characters of the text.
        length: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The trial says something else.
    #[error("a trial of {packets} packets has a histogram of {found}")]
    Packets {
        /// Packets of the trial.
        packets: u64,
        /// Packets of its histogram.
        found: u64,
    },
    /// The library refuses the sum.
    #[error("the library has no histogram of lbcurve's buckets")]
    Create(#[source] CreationError),
    /// The library refuses a count of the sum.
    #[error("the library does not take the value {value}")]
    Record {
        /// The value.
        value: u64,
        /// Why.
        #[source]
        source: RecordError,
    },
}

/// The sum of histograms.
#[derive(Debug, Default)]
pub struct MergedHistogram {
    counts: Vec<u64>,
    deflated: Vec<u8>,
    plain: Vec<u8>,
}

impl MergedHistogram {
    /// An empty sum.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was added, and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Adds the text of a `TrialRecord::histogram`, which must hold `packets` packets.
    ///
    /// # Errors
    /// The text is not one of lbcurve's histograms, or holds another number of packets. The sum is then of no use.
    pub fn add(&mut self, text: &str, packets: u64) -> Result<(), MergeError> {
        let length = text.len();
        let broken = |reason| MergeError::Format { length, reason };
        self.deflated.clear();
        STANDARD.decode_vec(text, &mut self.deflated).map_err(|source| MergeError::Base64 { length, source })?;
        let (head, body) = self.deflated.split_at_checked(8).ok_or(broken("it is cut short"))?;
        if word(head, 0) != Some(COOKIES[0]) {
            return Err(broken("it does not begin as one"));
        }
        self.plain.clear();
        ZlibDecoder::new(body)
            .take(LONGEST)
            .read_to_end(&mut self.plain)
            .map_err(|source| MergeError::Inflate { length, source })?;
        let payload = payload(&self.plain).map_err(broken)?;
        let found = add_counts(&mut self.counts, payload).map_err(broken)?;
        if found == packets { Ok(()) } else { Err(MergeError::Packets { packets, found }) }
    }

    /// The lowest value of the highest bucket that holds a packet; `None` without one.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.counts.iter().rposition(|&count| count > 0).map(bucket_lowest)
    }

    /// The sum as a histogram.
    ///
    /// # Errors
    /// The library does not take one of the values, which none of lbcurve's buckets brings about.
    pub fn histogram(&self) -> Result<Histogram<u64>, MergeError> {
        let mut histogram = Histogram::new(SIGNIFICANT_DIGITS).map_err(MergeError::Create)?;
        for (index, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let value = bucket_lowest(index);
            histogram.record_n(value, count).map_err(|source| MergeError::Record { value, source })?;
        }
        Ok(histogram)
    }
}

/// The big-endian word at byte `at`.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// The counts of a plain HDR V2 histogram with lbcurve's buckets.
fn payload(plain: &[u8]) -> Result<&[u8], &'static str> {
    let (head, counts) = plain.split_at_checked(HEADER).ok_or("its header is cut short")?;
    let is = |at, expected: u32| word(head, at) == Some(expected);
    if !is(0, COOKIES[1]) {
        return Err("its inner part does not begin as one");
    }
    // Offset of a rotated histogram, digits, and the lowest value as two words.
    if !(is(8, 0) && is(12, SIGNIFICANT_DIGITS.into()) && is(16, 0) && is(20, 1)) {
        return Err("its buckets are not lbcurve's");
    }
    if word(head, 4).and_then(|length| usize::try_from(length).ok()) != Some(counts.len()) {
        return Err("its length is not the one it claims");
    }
    Ok(counts)
}

/// Adds counts, a negative one being so many empty buckets, and returns their sum.
fn add_counts(sums: &mut Vec<u64>, mut payload: &[u8]) -> Result<u64, &'static str> {
    let (mut index, mut total) = (0_usize, 0_u64);
    while !payload.is_empty() {
        let (zigzag, rest) = varint(payload).ok_or("a count is cut short")?;
        payload = rest;
        let size = zigzag >> 1;
        if zigzag & 1 == 1 {
            // Two's complement of -(size + 1).
            index = usize::try_from(size).ok().and_then(|run| index.checked_add(run)?.checked_add(1)).ok_or(BEYOND)?;
            continue;
        }
        if index >= BUCKETS {
            return Err(BEYOND);
        }
        if sums.len() <= index {
            sums.resize(index + 1, 0);
        }
        sums[index] = sums[index].checked_add(size).ok_or(OVERFLOW)?;
        total = total.checked_add(size).ok_or(OVERFLOW)?;
        index += 1;
    }
    Ok(total)
}

const BEYOND: &str = "it has more buckets than there are values";
const OVERFLOW: &str = "its counts overflow";

/// The next little-endian base-128 number (the ninth byte has eight bits) and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(9) {
        let last = at == 8 || byte & 0x80 == 0;
        let bits = if at == 8 { byte } else { byte & 0x7f };
        value |= u64::from(bits) << (7 * at);
        if last {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::result::{decode_histogram, encode_histogram};

    fn of(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        values.iter().for_each(|&(value, count)| histogram.record_n(value, count).unwrap());
        histogram
    }

    #[test]
    fn other_buckets_and_other_counts_are_refused() {
        let mut merged = MergedHistogram::new();
        let text = encode_histogram(&of(&[(700, 5)])).unwrap();
        assert!(matches!(merged.add(&text, 4), Err(MergeError::Packets { packets: 4, found: 5 })));
        let coarse = encode_histogram(&Histogram::<u64>::new(2).unwrap()).unwrap();
        assert!(matches!(merged.add(&coarse, 0), Err(MergeError::Format { .. })));
        assert!(matches!(merged.add("not base64!", 0), Err(MergeError::Base64 { .. })));
        for end in 0..text.len() {
            assert!(merged.add(&text[..end], 5).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_the_librarys(
            trials in prop::collection::vec(prop::collection::vec((0..=u64::MAX / 2, 0..1_u64 << 40), 0..30), 0..5),
        ) {
            let mut merged = MergedHistogram::new();
            merged.add(&encode_histogram(&of(&[(3, 9)])).unwrap(), 9).unwrap();
            merged.clear();
            let mut sum = of(&[]);
            for trial in &trials {
                let text = encode_histogram(&of(trial)).unwrap();
                merged.add(&text, trial.iter().map(|(_, count)| count).sum()).unwrap();
                sum.add(decode_histogram(&text).unwrap()).unwrap();
            }
            prop_assert_eq!(merged.histogram().unwrap(), sum);
        }

        #[test]
        fn any_counts_give_a_sum_or_an_error(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sums = Vec::new();
            let total = add_counts(&mut sums, &payload);
            prop_assert!(sums.len() <= BUCKETS);
            prop_assert!(total.is_err() || total == Ok(sums.iter().sum()));
        }
    }
}
