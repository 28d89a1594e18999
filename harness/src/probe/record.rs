//! What the exit recorded, merged over CPUs, and the sample made of it.

use std::os::fd::AsFd;

use aya::maps::MapData;
use datapath_common::histogram::{MAX_VALUE, SIGNIFICANT_DIGITS, bucket_lowest};
use datapath_common::probe::{COUNTER_WORDS, Counters, RECORD_WORDS, Record};
use hdrhistogram::Histogram;

use super::ProbeError;
use crate::sys::bpf::{read_element, write_element};

const VALUE_SIZE: u32 = size_of::<Record>() as u32;

/// Traversal times of one trial, in the venue's unit.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Times, 3 significant digits.
    pub histogram: Histogram<u64>,
    /// Exact minimum; 0 without a measured packet.
    pub min: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets timed.
    pub measured: u64,
    /// Packets whose entry slot held another packet's tag.
    pub mismatched: u64,
    /// Packets that never reached the exit.
    pub lost: u64,
    /// Packets that reached the exit for another destination.
    pub misdirected: u64,
}

/// All CPUs' records as one.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Sums, exact minimum and maximum, first and last time.
    pub counters: Counters,
    /// Sums of the buckets.
    buckets: Vec<u64>,
}

impl Tally {
    fn empty() -> Self {
        Self { counters: Counters::EMPTY, buckets: vec![0; RECORD_WORDS - COUNTER_WORDS] }
    }

    /// Reads the records of `cpus` CPUs.
    pub(crate) fn read(map: &MapData, cpus: u32) -> Result<Self, ProbeError> {
        let mut tally = Self::empty();
        let mut words = vec![0; RECORD_WORDS];
        for cpu in 0..cpus {
            read_element(map.fd().as_fd(), VALUE_SIZE, cpu, &mut words)
                .map_err(|source| ProbeError::Record { cpu, source })?;
            if let Some((head, buckets)) = words.split_first_chunk::<COUNTER_WORDS>() {
                tally.merge(&Counters::from_words(*head), buckets);
            }
        }
        Ok(tally)
    }

    /// Empties the records of `cpus` CPUs.
    pub(crate) fn reset(map: &MapData, cpus: u32) -> Result<(), ProbeError> {
        let mut words = vec![0; RECORD_WORDS];
        words[..COUNTER_WORDS].copy_from_slice(&Counters::EMPTY.to_words());
        (0..cpus).try_for_each(|cpu| {
            write_element(map.fd().as_fd(), VALUE_SIZE, cpu, &words)
                .map_err(|source| ProbeError::Record { cpu, source })
        })
    }

    fn merge(&mut self, other: &Counters, buckets: &[u64]) {
        if other.seen == 0 {
            return;
        }
        let total = &mut self.counters;
        total.first_ns = if total.seen == 0 { other.first_ns } else { total.first_ns.min(other.first_ns) };
        total.last_ns = total.last_ns.max(other.last_ns);
        total.measured += other.measured;
        total.mismatched += other.mismatched;
        total.misdirected += other.misdirected;
        total.seen += other.seen;
        total.min = total.min.min(other.min);
        total.max = total.max.max(other.max);
        for (sum, count) in self.buckets.iter_mut().zip(buckets) {
            *sum += count;
        }
    }

    /// The sample of a trial that sent `sent` packets.
    ///
    /// # Errors
    /// [`ProbeError::Histogram`]: the object's buckets are not this program's.
    pub fn sample(&self, sent: u64) -> Result<Sample, ProbeError> {
        let Counters { measured, mismatched, misdirected, min, .. } = self.counters;
        Ok(Sample {
            histogram: self.histogram()?,
            min: if measured == 0 { 0 } else { min },
            sent,
            measured,
            mismatched,
            lost: sent.saturating_sub(measured + mismatched + misdirected),
            misdirected,
        })
    }

    /// Times of the measured packets.
    ///
    /// # Errors
    /// As [`Tally::sample`].
    pub fn histogram(&self) -> Result<Histogram<u64>, ProbeError> {
        histogram(self.buckets.iter().copied().enumerate())
    }
}

/// The kernel's buckets, by index, as a histogram; of none an empty one.
///
/// # Errors
/// [`ProbeError::Histogram`]: a bucket lies beyond the histogram's range.
pub(crate) fn histogram(buckets: impl IntoIterator<Item = (usize, u64)>) -> Result<Histogram<u64>, ProbeError> {
    let mut histogram = Histogram::new_with_bounds(1, MAX_VALUE, SIGNIFICANT_DIGITS)
        .map_err(|_| ProbeError::Histogram { lowest: MAX_VALUE })?;
    for (index, count) in buckets.into_iter().filter(|(_, count)| *count > 0) {
        let lowest = bucket_lowest(index);
        histogram.record_n(lowest, count).map_err(|_| ProbeError::Histogram { lowest })?;
    }
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use datapath_common::histogram::bucket_index;

    use super::*;

    fn cpu(values: &[u64], at: u64) -> (Counters, Vec<u64>) {
        let mut buckets = vec![0; RECORD_WORDS - COUNTER_WORDS];
        for &value in values {
            buckets[bucket_index(value)] += 1;
        }
        let counters = Counters {
            measured: values.len() as u64,
            seen: values.len() as u64,
            min: values.iter().copied().min().unwrap_or(u64::MAX),
            max: values.iter().copied().max().unwrap_or(0),
            first_ns: at,
            last_ns: at + 10,
            ..Counters::EMPTY
        };
        (counters, buckets)
    }

    #[test]
    fn cpus_add_up_and_idle_ones_change_nothing() {
        let mut tally = Tally::empty();
        for (counters, buckets) in [cpu(&[700, 5001], 20), cpu(&[], 0), cpu(&[640, 90_000], 5)] {
            tally.merge(&counters, &buckets);
        }
        assert_eq!((tally.counters.first_ns, tally.counters.last_ns, tally.counters.max), (5, 30, 90_000));
        let sample = tally.sample(7).unwrap();
        assert_eq!((sample.min, sample.measured, sample.lost), (640, 4, 3));
        assert_eq!(sample.histogram.len(), 4);
        assert_eq!(sample.histogram.value_at_quantile(0.5), sample.histogram.highest_equivalent(700));
    }

    #[test]
    fn a_trial_without_packets_has_no_minimum() {
        let sample = Tally::empty().sample(3).unwrap();
        assert_eq!((sample.min, sample.lost, sample.histogram.len()), (0, 3, 0));
    }
}
