//! The schedulers that compare how busy destinations are. Ties go to the destination that stands first: the last added.

use super::Destination;

/// `ip_vs_dest_conn_overhead()` of include/net/ip_vs.h.
fn overhead(destination: &Destination) -> i64 {
    i64::from(destination.active) * 256 + i64::from(destination.inactive)
}

/// `ip_vs_sed_dest_overhead()`: only active connections count, the new one included. A UDP connection never becomes active.
fn expected(destination: &Destination) -> i64 {
    i64::from(destination.active) + 1
}

/// `ip_vs_lc_schedule()`.
pub(super) fn lc(destinations: &[Destination], looked_at: &mut u64) -> Option<usize> {
    *looked_at += destinations.len() as u64;
    let able = destinations.iter().enumerate().filter(|(_, destination)| destination.weight > 0);
    // `min_by_key` takes the first of equals.
    able.min_by_key(|(_, destination)| overhead(destination)).map(|(at, _)| at)
}

/// `ip_vs_wlc_schedule()`.
pub(super) fn wlc(destinations: &[Destination], looked_at: &mut u64) -> Option<usize> {
    *looked_at += destinations.len() as u64;
    least(destinations, overhead)
}

/// `ip_vs_sed_schedule()`.
pub(super) fn sed(destinations: &[Destination], looked_at: &mut u64) -> Option<usize> {
    *looked_at += destinations.len() as u64;
    least(destinations, expected)
}

/// `ip_vs_nq_schedule()`: an idle destination at once, else as `sed`.
pub(super) fn nq(destinations: &[Destination], looked_at: &mut u64) -> Option<usize> {
    let idle = destinations.iter().position(|destination| destination.weight > 0 && destination.active == 0);
    *looked_at += idle.map_or(destinations.len(), |at| at + 1) as u64;
    idle.or_else(|| least(destinations, expected))
}

/// The least load a weight. Destinations of weight 0 lose every comparison: a load times 0 is not more than another's.
fn least(destinations: &[Destination], load: impl Fn(&Destination) -> i64) -> Option<usize> {
    let able = destinations.iter().enumerate().filter(|(_, destination)| destination.weight > 0);
    let lighter = |(least, a): (usize, &Destination), b: &Destination| {
        load(&destinations[least]) * i64::from(b.weight) > load(b) * i64::from(a.weight)
    };
    able.reduce(|least, (at, next)| if lighter(least, next) { (at, next) } else { least }).map(|(at, _)| at)
}
