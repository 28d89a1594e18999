//! Latencies by intended times, of a rate and of shares of one.

use std::time::Duration;

use curve_stats::search::Pace;
use lbcurve::result::{BackendKind, Flow};
use lbcurve::traffic::{TIMED_LAG_BOUND, Timed, loaded};

use crate::bench::{ATTEMPTS, SHORT, bench, rate, show};

#[test]
fn a_latency_begins_at_the_intended_time_and_holds_the_senders_lag() {
    for (kind, flow) in [(BackendKind::Direct, Flow::New), (BackendKind::IptablesLegacy, Flow::Established)] {
        let mut bench = bench(kind, flow);
        let (trials, hopeless) = bench.pace(|road| {
            let mut trials = Vec::new();
            for load in [20_000.0, 100_000.0] {
                for _ in 0..ATTEMPTS {
                    trials.push(road.timed(rate(load), SHORT)?);
                    if trials.last().is_some_and(|trial| trial.passage.pace() == Pace::Kept) {
                        break;
                    }
                }
            }
            Ok((trials, road.timed(rate(50e6), Duration::from_millis(20))?))
        });
        for trial in &trials {
            let at = |quantile| trial.latency.value_at_quantile(quantile);
            println!("{kind:?} {flow:?}: {}", show(&trial.passage));
            println!("  latency p50 {} p99 {} p99.9 {} max {}", at(0.5), at(0.99), at(0.999), trial.max_ns);
            assert_eq!((trial.latency.len(), trial.passage.unexplained()), (trial.passage.arrived(), 0));
            assert_eq!(trial.latency.highest_equivalent(trial.max_ns), trial.latency.max());
            if trial.passage.lost() == 0 {
                // Of each packet, and so at every quantile.
                let quantiles = [0.1, 0.5, 0.9, 0.99, 1.0];
                assert!(quantiles.iter().all(|q| at(*q) >= trial.passage.lag.value_at_quantile(*q)), "{trial:?}");
            }
        }
        assert!(trials.iter().any(|trial| trial.passage.pace() == Pace::Kept && trial.passage.arrived() > 900));
        // Behind by more with every packet: a time from when they were handed on would be that of a full ring, and say nothing of it.
        let Timed { passage, latency, .. } = &hopeless;
        println!("{kind:?} {flow:?}: {}, latency p50 {}", show(passage), latency.value_at_quantile(0.5));
        assert_eq!(passage.pace(), Pace::Missed);
        assert!(latency.max() > passage.lag.value_at_quantile(0.9) / 2 && passage.lag.max() > 5_000_000);
    }
}

#[test]
fn shares_of_a_rate_are_offered_and_timed_over_valid_trials_alone() {
    let mut bench = bench(BackendKind::IptablesLegacy, Flow::New);
    let loads = bench.pace(|road| {
        let mut loads = loaded(road, rate(100_000.0), 2, SHORT)?;
        // On a busy machine the sender may keep its pace in none of them, and then nothing is measured.
        for _ in 1..ATTEMPTS {
            if loads[0].valid > 0 {
                break;
            }
            loads = loaded(road, rate(100_000.0), 2, SHORT)?;
        }
        Ok(loads)
    });
    assert!(loads[0].valid > 0 && loads[0].carried > 0, "{:?}", loads[0]);
    assert_eq!(loads.iter().map(|load| load.load.get()).collect::<Vec<_>>(), [10_000.0, 50_000.0, 90_000.0]);
    for load in &loads {
        let at = |quantile| load.latency.value_at_quantile(quantile);
        println!(
            "{}%: {} valid, {} not, {} of {} timed, p50 {} p99 {} max {}; lag p99 {} max {}",
            load.share_percent,
            load.valid,
            load.invalid,
            load.carried,
            load.offered,
            at(0.5),
            at(0.99),
            load.max_ns,
            load.lag.value_at_quantile(0.99),
            load.lag.max()
        );
        assert_eq!((load.latency.len(), load.lag.len(), load.misdirected), (load.carried, load.offered, 0));
        assert!(load.carried <= load.offered && load.valid <= 2 && load.valid + load.invalid <= 6);
        assert!(load.lag.max() < TIMED_LAG_BOUND.as_nanos() as u64 + 1_000, "{}", load.lag.max());
    }
}
