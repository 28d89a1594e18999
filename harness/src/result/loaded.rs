//! Latency under load: what shares of the loss-free rate make packets wait, over the searches of each cell. Pure.

use std::collections::BTreeMap;

use curve_stats::median;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distribution::spectrum;
use super::{
    Cell, LagRecord, MergeError, MergedHistogram, NewShare, PacketSize, QuantileValue, RateMethod, RateRecord, is_zero,
};

/// One load of one search, and what became of its packets in the trials in which the sender kept its pace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedRecord {
    /// Share of the search's loss-free rate that was offered, per cent.
    pub share_percent: u32,
    /// Packets a second that were offered.
    pub load_pps: f64,
    /// Trials in which the sender kept its pace.
    pub valid: u32,
    /// Trials in which it did not, and which count for nothing.
    pub invalid: u32,
    /// A trial with a packet that was sent later than this after its intended time is invalid, ns.
    pub lag_bound_ns: u64,
    /// Packets sent in valid trials.
    pub offered: u64,
    /// Packets that arrived and were timed.
    pub carried: u64,
    /// Packets that arrived for another destination.
    pub misdirected: u64,
    /// Latency; absent where no trial was valid or nothing arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyRecord>,
    /// How late the sender was in the same trials; part of the latency.
    pub lag: LagRecord,
}

/// From each packet's intended time to its arrival in the pods' namespace, ns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyRecord {
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// 99.99th percentile.
    pub p9999: u64,
    /// Exact maximum.
    pub max: u64,
    /// The whole histogram: HDR V2 deflate, base64.
    pub histogram: String,
}

/// Latency of one cell under one share of its loss-free rate: an entry of `run.json`'s `loaded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedLatency {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// How the loss-free rate was searched for.
    pub method: RateMethod,
    /// Bytes of its packets.
    #[serde(default, skip_serializing_if = "PacketSize::is_default")]
    pub packet_size: PacketSize,
    /// Share of its packets that open a flow, where the others belong to established ones; absent where all are of the cell's flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_share: Option<NewShare>,
    /// Share of the loss-free rate that was offered, per cent.
    pub share_percent: u32,
    /// Searches after which it was offered.
    pub searches: u32,
    /// Searches whose loss-free rate was irregular; absent where none was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub irregular: u32,
    /// Median of the loads, packets a second.
    pub load_pps: f64,
    /// Trials in which the sender kept its pace.
    pub valid: u32,
    /// Trials in which it did not, and which count for nothing.
    pub invalid: u32,
    /// Packets sent in valid trials.
    pub offered: u64,
    /// Packets that arrived and were timed.
    pub carried: u64,
    /// Packets that arrived for another destination; absent where none did.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub misdirected: u64,
    /// Median latency of every search whose packets were timed, ns.
    pub p50s: Vec<u64>,
    /// 99th percentile of the same searches, ns.
    pub p99s: Vec<u64>,
    /// Exact maximum, ns; 0 where nothing was timed.
    pub max: u64,
    /// Percentile spectrum of all timed packets, ns, ascending; empty where nothing was timed.
    pub quantiles: Vec<QuantileValue>,
    /// How late the sender was at the most: the largest of the searches' percentiles, ns.
    pub lag: LagBound,
}

/// The largest of several searches' lags, ns: what a latency of the same percentile may owe to the sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LagBound {
    /// Of the medians.
    pub p50: u64,
    /// Of the 99th percentiles.
    pub p99: u64,
    /// Of the 99.9th percentiles.
    pub p999: u64,
    /// Of the maxima.
    pub max: u64,
}

impl LoadedLatency {
    /// The latency that a share of the packets does not exceed, ns; `None` where so few were timed that it would be the maximum.
    #[must_use]
    pub fn at(&self, quantile: f64) -> Option<u64> {
        let beyond = (1.0 - quantile) * self.carried as f64;
        let point = self.quantiles.iter().find(|point| point.quantile == quantile)?;
        (beyond >= 1.0).then_some(point.value)
    }

    /// In how many searches the rate of which a share was offered is irregular, in words; `None` where it is in none.
    #[must_use]
    pub fn irregularity(&self) -> Option<String> {
        let (irregular, searches) = (self.irregular, self.searches);
        (irregular > 0).then(|| format!("the loss-free rate was irregular in {irregular} of {searches} searches"))
    }

    /// Packets that were sent and arrived neither where they should nor elsewhere.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.offered.saturating_sub(self.carried).saturating_sub(self.misdirected)
    }
}

/// What entries are told apart by.
type Key<'a> = (&'a Cell, RateMethod, PacketSize, Option<NewShare>, u32);

/// One entry a cell, method, packet size, mix of flows and share of the rate, in that order. Of a search that was recorded twice the last record counts.
///
/// # Errors
/// The cell of a histogram that is none or holds another number of packets than was timed.
pub fn loaded_latencies(searches: &[RateRecord]) -> Result<Vec<LoadedLatency>, (Box<Cell>, MergeError)> {
    let mut entries = BTreeMap::<Key<'_>, BTreeMap<u32, (&LoadedRecord, bool)>>::new();
    for search in searches {
        let is_irregular = search.goals.iter().any(|goal| goal.loss_ratio == 0.0 && goal.irregular.is_some());
        for load in &search.loaded {
            let key = (&search.cell, search.method, search.packet_size, search.new_share, load.share_percent);
            entries.entry(key).or_default().insert(search.trial, (load, is_irregular));
        }
    }
    let mut merged = MergedHistogram::new();
    let entries = entries.into_iter();
    let one = |(key, loads): (Key<'_>, BTreeMap<u32, (&LoadedRecord, bool)>)| {
        let irregular = loads.values().filter(|(_, is_irregular)| *is_irregular).count() as u32;
        let loads: Vec<_> = loads.into_values().map(|(load, _)| load).collect();
        let found = entry(&mut merged, key, &loads).map(|entry| LoadedLatency { irregular, ..entry });
        found.map_err(|source| (Box::new(key.0.clone()), source))
    };
    entries.map(one).collect()
}

fn entry(
    merged: &mut MergedHistogram,
    (cell, method, packet_size, new_share, share_percent): Key<'_>,
    loads: &[&LoadedRecord],
) -> Result<LoadedLatency, MergeError> {
    merged.clear();
    let timed: Vec<_> = loads.iter().filter_map(|load| Some((load.carried, load.latency.as_ref()?))).collect();
    for (packets, latency) in &timed {
        merged.add(&latency.histogram, *packets)?;
    }
    let (histogram, max) = (merged.histogram()?, timed.iter().map(|(_, latency)| latency.max).max().unwrap_or(0));
    let sum = |of: fn(&LoadedRecord) -> u64| loads.iter().map(|load| of(load)).sum::<u64>();
    let trials = |of: fn(&LoadedRecord) -> u32| loads.iter().map(|load| of(load)).sum::<u32>();
    let lag = |of: fn(&LagRecord) -> u64| loads.iter().map(|load| of(&load.lag)).max().unwrap_or(0);
    let rates: Vec<f64> = loads.iter().map(|load| load.load_pps).collect();
    Ok(LoadedLatency {
        cell: cell.clone(),
        method,
        packet_size,
        new_share,
        share_percent,
        searches: u32::try_from(loads.len()).unwrap_or(u32::MAX),
        irregular: 0,
        load_pps: median(&rates).unwrap_or(0.0),
        valid: trials(|load| load.valid),
        invalid: trials(|load| load.invalid),
        offered: sum(|load| load.offered),
        carried: sum(|load| load.carried),
        misdirected: sum(|load| load.misdirected),
        p50s: timed.iter().map(|(_, latency)| latency.p50).collect(),
        p99s: timed.iter().map(|(_, latency)| latency.p99).collect(),
        max,
        quantiles: if histogram.is_empty() { Vec::new() } else { spectrum(histogram.min(), &histogram) },
        lag: LagBound {
            p50: lag(|lag| lag.p50),
            p99: lag(|lag| lag.p99),
            p999: lag(|lag| lag.p999),
            max: lag(|lag| lag.max),
        },
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use hdrhistogram::Histogram;

    use super::super::{encode_histogram, rate_record};
    use super::*;

    /// A load of `packets` that took `latency` ns each, and a tenth of them ten times as long.
    pub(crate) fn loaded_record(share_percent: u32, packets: u64, latency: u64) -> LoadedRecord {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, (1 << 36) - 1, 3).unwrap();
        histogram.record_n(latency, packets - packets / 10).unwrap();
        histogram.record_n(10 * latency, packets / 10).unwrap();
        let at = |quantile| histogram.value_at_quantile(quantile);
        LoadedRecord {
            share_percent,
            load_pps: 1_000.0 * f64::from(share_percent),
            valid: 10,
            invalid: 1,
            lag_bound_ns: 200_000,
            offered: packets + 2,
            carried: packets,
            misdirected: 0,
            latency: Some(LatencyRecord {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                p9999: at(0.9999),
                max: 10 * latency,
                histogram: encode_histogram(&histogram).unwrap(),
            }),
            lag: LagRecord {
                p50: latency / 10,
                p99: latency / 5,
                p999: latency / 4,
                max: latency / 2,
                histogram: String::new(),
            },
        }
    }

    /// A search with loads behind it.
    pub(crate) fn search(trial: u32, loaded: Vec<LoadedRecord>) -> RateRecord {
        RateRecord { loaded, ..rate_record(10, trial, 1e5) }
    }

    #[test]
    fn searches_of_a_cell_become_one_distribution_a_share() {
        let searches = [
            search(0, vec![loaded_record(10, 1_000, 2_000), loaded_record(90, 9_000, 5_000)]),
            search(1, vec![loaded_record(10, 1_000, 4_000), loaded_record(90, 9_000, 5_000)]),
        ];
        let entries = loaded_latencies(&searches).unwrap();
        let [quiet, full] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((quiet.share_percent, full.share_percent), (10, 90));
        assert_eq!((quiet.searches, quiet.valid, quiet.invalid), (2, 20, 2));
        assert_eq!((quiet.offered, quiet.carried, quiet.lost(), quiet.max), (2_004, 2_000, 4, 40_000));
        assert_eq!(quiet.p50s, [2_000, 4_001]);
        // Half of the packets took 2 or 4 us, a tenth ten times as long.
        assert!((2_000..=4_001).contains(&quiet.at(0.5).unwrap()));
        assert!((20_000..=40_032).contains(&quiet.at(0.99).unwrap()));
        assert_eq!((quiet.lag.p50, quiet.lag.max), (400, 2_000));
        assert_eq!(full.load_pps, 90_000.0);
    }

    #[test]
    fn searches_whose_loss_free_rate_is_irregular_are_counted() {
        let mut searches = [0, 1, 2].map(|trial| search(trial, vec![loaded_record(90, 1_000, 2_000)]));
        let regular = loaded_latencies(&searches).unwrap().swap_remove(0);
        assert_eq!(regular.irregularity(), None);
        assert!(serde_json::to_value(&regular).unwrap().get("irregular").is_none());
        for (search, goal) in searches.iter_mut().zip([0, 1]) {
            search.goals[goal].irregular = Some("max load meets it".to_owned());
        }
        // The second goal allows a loss.
        let irregular = loaded_latencies(&searches).unwrap().swap_remove(0);
        let words = "the loss-free rate was irregular in 1 of 3 searches";
        assert_eq!((irregular.irregular, irregular.irregularity().as_deref()), (1, Some(words)));
    }

    #[test]
    fn a_mix_of_flows_has_latencies_of_its_own() {
        let plain = search(0, vec![loaded_record(10, 1_000, 2_000)]);
        let mixed = RateRecord { new_share: Some("10%".parse().unwrap()), ..plain.clone() };
        let entries = loaded_latencies(&[mixed, plain]).unwrap();
        let shares: Vec<_> = entries.iter().map(|entry| entry.new_share.map(NewShare::percent)).collect();
        assert_eq!(shares, [None, Some(10)]);
        assert!(entries.iter().all(|entry| (entry.searches, entry.carried) == (1, 1_000)));
    }

    #[test]
    fn a_percentile_that_so_few_packets_do_not_have_is_none() {
        let entries = loaded_latencies(&[search(0, vec![loaded_record(50, 1_000, 2_000)])]).unwrap();
        assert!(entries[0].at(0.999).is_some());
        assert_eq!(entries[0].at(0.9999), None);
    }

    #[test]
    fn packets_that_arrived_elsewhere_are_not_lost() {
        let load = |packets| LoadedRecord { misdirected: 2, offered: packets + 5, ..loaded_record(90, packets, 1_000) };
        let entries = loaded_latencies(&[search(0, vec![load(100)]), search(1, vec![load(200)])]).unwrap();
        assert_eq!((entries[0].carried, entries[0].misdirected, entries[0].lost()), (300, 4, 6));
        // A run that was written before they were summed up has none.
        let mut written = serde_json::to_value(&entries[0]).unwrap();
        assert!(written.as_object_mut().unwrap().remove("misdirected").is_some());
        let read: LoadedLatency = serde_json::from_value(written).unwrap();
        assert_eq!(read, LoadedLatency { misdirected: 0, ..entries[0].clone() });
        assert!(serde_json::to_value(&read).unwrap().get("misdirected").is_none());
    }

    #[test]
    fn what_was_never_timed_has_no_latency() {
        let nothing = LoadedRecord { valid: 0, offered: 0, carried: 0, latency: None, ..loaded_record(90, 10, 1) };
        let entries = loaded_latencies(&[search(0, vec![nothing])]).unwrap();
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((entry.at(0.5), entry.max, entry.p50s.len(), entry.invalid), (None, 0, 0, 1));
    }

    #[test]
    fn other_packets_than_were_timed_are_refused() {
        let odd = LoadedRecord { carried: 11, ..loaded_record(90, 10, 1_000) };
        let (cell, error) = loaded_latencies(&[search(0, vec![odd])]).unwrap_err();
        assert!(matches!(error, MergeError::Packets { packets: 11, found: 10 }), "{cell}: {error}");
    }
}
