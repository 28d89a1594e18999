//! Preflight: how quiet is this machine? A second or two of looking before anything is timed on this kernel.

mod fixed_loop;
mod proc_text;
mod score;
mod watch;

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::result::{Frequency, LoopReading, Preflight, Readings};
use proc_text::{Stat, Switches};

pub use watch::{Disturbance, Watch};

/// Why the machine cannot be probed.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// A file of `/proc` cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of `/proc` does not say what proc(5) promises.
    #[error("{path} cannot be understood")]
    Understand {
        /// The file.
        path: &'static str,
    },
    /// A thread cannot be bound to a CPU.
    #[error("cannot bind the noise probe to a CPU")]
    Affinity(#[source] io::Error),
    /// The probing thread panicked.
    #[error("the noise probe panicked")]
    Thread,
}

/// How often the tasks that are ready to run are counted.
const LOOK: Duration = Duration::from_millis(50);

/// Probes the machine. Takes a second or two.
///
/// # Errors
/// [`PreflightError`].
pub fn probe() -> Result<Preflight, PreflightError> {
    // A thread of its own: it is bound to one CPU after another, and its counters start from nothing.
    let readings = thread::spawn(readings).join().map_err(|_| PreflightError::Thread)??;
    Ok(score::assess(readings))
}

fn readings() -> Result<Readings, PreflightError> {
    let cpus = fixed_loop::allowed()?;
    let rates_before = rates();
    let (started, before, thread_before) = (Instant::now(), machine()?, Thread::now()?);
    let (loops, runnable) = loops(&cpus)?;
    let (watched, after, thread_after) = (started.elapsed(), machine()?, Thread::now()?);
    let a_second = |before: u64, after: u64| after.saturating_sub(before) as f64 / watched.as_secs_f64();
    let a_cpu = |before, after| a_second(before, after) / online(cpus.len());
    Ok(Readings {
        watched_ms: watched.as_secs_f64() * 1e3,
        cpus: u32::try_from(cpus.len()).unwrap_or(u32::MAX),
        virtual_machine: fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| proc_text::is_virtual(&text)),
        steal: share(after.steal.saturating_sub(before.steal), after.total.saturating_sub(before.total)),
        waited: thread_before
            .waited_ns
            .zip(thread_after.waited_ns)
            .map(|(before, after)| a_second(before, after) / 1e9),
        voluntary_switches: a_second(thread_before.switches.voluntary, thread_after.switches.voluntary),
        involuntary_switches: a_second(thread_before.switches.involuntary, thread_after.switches.involuntary),
        interrupts: a_cpu(before.interrupts, after.interrupts),
        soft_interrupts: a_cpu(before.soft_interrupts, after.soft_interrupts),
        load_average: read("/proc/loadavg", proc_text::load_average)?,
        runnable,
        frequency: frequency(&rates_before, &rates()),
        loops,
    })
}

/// The loops' readings, and how many other tasks were ready to run meanwhile.
fn loops(cpus: &[usize]) -> Result<(Vec<LoopReading>, f64), PreflightError> {
    let (mut sum, mut looks, mut last) = (0_u64, 0_u64, Instant::now());
    let mut look = || {
        if last.elapsed() >= LOOK {
            last = Instant::now();
            // A look that fails is one look fewer; `machine` before and after tells of a file that cannot be read at all.
            if let Ok(stat) = machine() {
                sum += stat.running.saturating_sub(1);
                looks += 1;
            }
        }
    };
    let loops = fixed_loop::time_on(cpus, &mut look)?;
    Ok((loops, sum as f64 / looks.max(1) as f64))
}

/// Counters of the calling thread.
struct Thread {
    switches: Switches,
    /// Kernels without scheduler statistics do not tell.
    waited_ns: Option<u64>,
}

impl Thread {
    fn now() -> Result<Self, PreflightError> {
        let waited = fs::read_to_string("/proc/thread-self/schedstat").ok();
        Ok(Self {
            switches: read("/proc/thread-self/status", proc_text::switches)?,
            waited_ns: waited.and_then(|text| proc_text::waited_ns(&text)),
        })
    }
}

fn machine() -> Result<Stat, PreflightError> {
    read("/proc/stat", proc_text::stat)
}

fn read<T>(path: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, PreflightError> {
    let text = fs::read_to_string(path).map_err(|source| PreflightError::Read { path, source })?;
    parse(&text).ok_or(PreflightError::Understand { path })
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// CPUs that `/proc/stat` counts over, which may be more than this process may use.
fn online(allowed: usize) -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cpus = text.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
    cpus.max(allowed).max(1) as f64
}

/// Clock rates now, in MHz.
fn rates() -> Vec<f64> {
    proc_text::megahertz(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn frequency(before: &[f64], after: &[f64]) -> Frequency {
    let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").ok();
    let rates = || before.iter().chain(after).copied();
    Frequency {
        governor: governor.map(|text| text.trim().to_owned()),
        lowest_mhz: rates().min_by(f64::total_cmp),
        highest_mhz: rates().max_by(f64::total_cmp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_score() {
        let preflight = probe().unwrap();
        let Readings { watched_ms, steal, loops, runnable, .. } = &preflight.readings;
        assert!(*watched_ms > 50.0 && (0.0..=1.0).contains(steal) && *runnable >= 0.0);
        assert!(!loops.is_empty());
        let text = serde_json::to_string(&preflight).unwrap();
        assert_eq!(serde_json::from_str::<Preflight>(&text).unwrap(), preflight);
    }
}
