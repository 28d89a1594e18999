//! Map values of the probe.

use crate::histogram::BUCKETS;

/// The packet that entered last on a CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Tag of the packet; 0 once the exit has consumed it.
    pub tag: u64,
    /// `CLOCK_MONOTONIC` at the end of the entry program, ns.
    pub t0: u64,
}

/// What the exit program does. One entry of the map `PROBE`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeConfig {
    /// Stop after this many packets on one CPU (they are then neither counted nor passed on); 0 for no limit.
    pub limit: u64,
    /// Network address of the pods.
    pub pod_network_be: u32,
    /// Netmask of the pods' range.
    pub pod_mask_be: u32,
    /// Endpoint port.
    pub pod_port_be: u16,
    /// One of the `AFTER_*` constants.
    pub after: u16,
    /// One of the `COUNT_*` constants.
    pub count: u32,
}

/// The packet ends at the exit.
pub const AFTER_DROP: u16 = 0;
/// The packet goes on to the backend.
pub const AFTER_PASS: u16 = 1;

/// Time every packet against its entry slot.
pub const COUNT_TIMED: u32 = 0;
/// Only count packets: batches overtake the slot.
pub const COUNT_ONLY: u32 = 1;
/// Write down where each flow goes ([`crate::decision`]) instead of timing it.
pub const COUNT_DECISIONS: u32 = 2;

/// What the exit has seen on one CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Packets whose time is in the histogram.
    pub measured: u64,
    /// Packets whose entry slot held another tag.
    pub mismatched: u64,
    /// Packets for another destination than the pods.
    pub misdirected: u64,
    /// Packets of either kind, up to the limit.
    pub seen: u64,
    /// Exact minimum, ns; `u64::MAX` without a measured packet.
    pub min: u64,
    /// Exact maximum, ns.
    pub max: u64,
    /// Time of the first packet, ns.
    pub first_ns: u64,
    /// Time of the last packet, ns.
    pub last_ns: u64,
}

/// Words of [`Counters`].
pub const COUNTER_WORDS: usize = size_of::<Counters>() / 8;
/// Words of [`Record`].
pub const RECORD_WORDS: usize = COUNTER_WORDS + BUCKETS;

impl Counters {
    /// Nothing seen.
    pub const EMPTY: Self =
        Self { measured: 0, mismatched: 0, misdirected: 0, seen: 0, min: u64::MAX, max: 0, first_ns: 0, last_ns: 0 };

    /// The counters as they stand at the beginning of a [`Record`].
    #[must_use]
    pub const fn to_words(self) -> [u64; COUNTER_WORDS] {
        let Self { measured, mismatched, misdirected, seen, min, max, first_ns, last_ns } = self;
        [measured, mismatched, misdirected, seen, min, max, first_ns, last_ns]
    }

    /// The inverse of [`Counters::to_words`].
    #[must_use]
    pub const fn from_words(words: [u64; COUNTER_WORDS]) -> Self {
        let [measured, mismatched, misdirected, seen, min, max, first_ns, last_ns] = words;
        Self { measured, mismatched, misdirected, seen, min, max, first_ns, last_ns }
    }
}

/// Everything that the exit records on one CPU: the value of the map `RECORDS`, one entry a CPU.
///
/// An ordinary array indexed by CPU, for a per-CPU array's value is limited to 32 KiB. All fields are 64-bit words, so user
/// space reads it as `[u64; RECORD_WORDS]`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// Counters.
    pub counters: Counters,
    /// Packets in every bucket.
    pub buckets: [u64; BUCKETS],
}

const _: () = assert!(size_of::<Record>() == RECORD_WORDS * 8);
const _: () = assert!(size_of::<ProbeConfig>() == 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_survive_the_way_through_words() {
        let counters =
            Counters { measured: 1, mismatched: 2, misdirected: 3, seen: 4, min: 5, max: 6, first_ns: 7, last_ns: 8 };
        assert_eq!(counters.to_words(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Counters::from_words(counters.to_words()), counters);
    }
}
