//! A loop of fixed length, timed on each CPU in turn: what it varies by is the machine's noise, for it does nothing else.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::PreflightError;
use crate::result::LoopReading;

/// What one repetition should take.
const LENGTH: Duration = Duration::from_millis(1);
/// What all CPUs together may take.
const TIME: Duration = Duration::from_millis(1_000);
/// Fewer repetitions say nothing about a CPU; beyond [`MOST_CPUS`] not all can have as many.
const FEWEST: u32 = 100;
const MOST: u32 = 400;
/// Machines with more CPUs have this many probed, evenly spread.
const MOST_CPUS: usize = 8;

/// CPUs that the calling thread may use.
pub(super) fn allowed() -> Result<Vec<usize>, PreflightError> {
    let set = sched_getaffinity(None).map_err(|errno| PreflightError::Affinity(errno.into()))?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Times the loop on each CPU. Runs on the calling thread and moves it about: give it a thread of its own. `between` is called
/// after every repetition.
pub(super) fn time_on(cpus: &[usize], between: &mut dyn FnMut()) -> Result<Vec<LoopReading>, PreflightError> {
    let step = cpus.len().div_ceil(MOST_CPUS).max(1);
    let probed: Vec<usize> = cpus.iter().copied().step_by(step).collect();
    let each = TIME.as_micros() / LENGTH.as_micros() / probed.len().max(1) as u128;
    let repetitions = u32::try_from(each).unwrap_or(MOST).clamp(FEWEST, MOST);
    let turns = calibrate();
    probed.into_iter().map(|cpu| time_one(cpu, repetitions, turns, between)).collect()
}

fn time_one(
    cpu: usize,
    repetitions: u32,
    turns: u64,
    between: &mut dyn FnMut(),
) -> Result<LoopReading, PreflightError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|errno| PreflightError::Affinity(errno.into()))?;
    // The first repetitions wake the CPU up and raise its clock.
    for _ in 0..3 {
        timed(turns);
    }
    let times = (0..repetitions).map(|_| {
        let time = timed(turns);
        between();
        time
    });
    let times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e6).collect();
    Ok(reading(u32::try_from(cpu).unwrap_or(u32::MAX), times))
}

fn reading(cpu: u32, mut times: Vec<f64>) -> LoopReading {
    times.sort_by(f64::total_cmp);
    let count = times.len().max(1) as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    LoopReading {
        cpu,
        repetitions: u32::try_from(times.len()).unwrap_or(u32::MAX),
        median_us: times.get(times.len() / 2).copied().unwrap_or(0.0),
        slowest_us: times.last().copied().unwrap_or(0.0),
        variation: if mean > 0.0 { variance.sqrt() / mean } else { 0.0 },
    }
}

/// Turns of the loop that take about [`LENGTH`]: of several attempts the fastest counts, for the others were disturbed.
fn calibrate() -> u64 {
    const TURNS: u64 = 200_000;
    let fastest = (0..10).map(|_| timed(TURNS)).min().unwrap_or(LENGTH).max(Duration::from_nanos(1));
    (TURNS as f64 * LENGTH.as_secs_f64() / fastest.as_secs_f64()).max(1.0) as u64
}

fn timed(turns: u64) -> Duration {
    let started = Instant::now();
    // A chain of dependent multiplications: no memory, no branch to predict, nothing to overlap.
    black_box(
        (0..turns).fold(black_box(1_u64), |sum, turn| black_box(sum.wrapping_mul(6_364_136_223_846_793_005) ^ turn)),
    );
    started.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variation_is_the_sample_deviation_over_the_mean() {
        let reading = reading(1, vec![3.0, 1.0, 2.0]);
        assert_eq!((reading.median_us, reading.slowest_us, reading.variation), (2.0, 3.0, 0.5));
    }

    #[test]
    fn every_allowed_cpu_is_timed() {
        let cpus = allowed().unwrap();
        let mut calls = 0;
        let found =
            std::thread::scope(|scope| scope.spawn(|| time_on(&cpus, &mut || calls += 1).unwrap()).join().unwrap());
        assert_eq!(found.len(), cpus.len().div_ceil(cpus.len().div_ceil(MOST_CPUS)));
        assert!(found.iter().all(|reading| reading.repetitions >= FEWEST && reading.median_us > 0.0));
        assert_eq!(calls, found.iter().map(|reading| reading.repetitions).sum::<u32>());
        assert_eq!(allowed().unwrap(), cpus, "the caller's own CPUs are untouched");
    }
}
