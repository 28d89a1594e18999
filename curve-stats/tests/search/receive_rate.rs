//! Maximum receive rate.

use std::time::Duration;

use curve_stats::search::{InputError, SearchError, mrr};

use super::devices::{bistable, exact, unlimited};
use super::rate;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_is_what_is_carried_at_max_load() {
    let rates = mrr(&mut exact(1e6), rate(4e6), 10, SECOND).unwrap();
    assert_eq!((rates.mean, rates.stdev, rates.values.len()), (rate(1e6), Some(rate(0.0)), 10));
    assert_eq!((rates.lossless, rates.invalid), (0, 0));
}

#[test]
fn mean_and_standard_deviation_are_those_of_the_bursts() {
    let rates = mrr(&mut bistable(1e6, 2e6), rate(4e6), 4, SECOND).unwrap();
    let values: Vec<_> = rates.values.iter().map(|value| value.get()).collect();
    assert_eq!(values, [1e6, 2e6, 1e6, 2e6]);
    assert_eq!(rates.mean, rate(1.5e6));
    // Four deviations of half a million: squares of 1e12 in sum, over three.
    assert!((rates.stdev.unwrap().get() - (1e12_f64 / 3.0).sqrt()).abs() < 1e-3);
    assert_eq!(mrr(&mut exact(1e6), rate(4e6), 1, SECOND).unwrap().stdev, None);
}

#[test]
fn bursts_that_were_not_lost_from_say_so() {
    assert_eq!(mrr(&mut unlimited(), rate(4e6), 5, SECOND).unwrap().lossless, 5);
}

#[test]
fn bursts_that_the_sender_did_not_keep_are_in_no_figure() {
    let error = mrr(&mut exact(1e6).behind_sender(2e6), rate(4e6), 3, SECOND).unwrap_err();
    assert!(matches!(error, SearchError::NoValidBurst { bursts: 3, .. }), "{error}");
    let error = mrr(&mut exact(1e6), rate(4e6), 0, SECOND).unwrap_err();
    assert!(matches!(error, SearchError::Input(InputError::NoBursts)), "{error}");
}
