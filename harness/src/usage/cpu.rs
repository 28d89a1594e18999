//! CPU time of threads and CPUs.

use std::path::PathBuf;

use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use super::{UsageError, read};

/// A thread whose CPU time can be read from any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its directory in `/proc`.
    directory: PathBuf,
}

/// CPU time of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadTime {
    /// Nanoseconds on a CPU, exact once the thread sleeps: the scheduler brings it up to date when it switches and at ticks. Holds what soft
    /// interrupts did meanwhile, unless the kernel accounts them apart (`CONFIG_IRQ_TIME_ACCOUNTING`).
    pub total_ns: u64,
    /// The kernel's part of it, to the tick.
    pub kernel_ns: u64,
}

/// Ticks of one CPU or all since boot: sampled, hence good for seconds and not for milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// In the kernel for a task.
    pub system: u64,
    /// Hard interrupts.
    pub interrupts: u64,
    /// Soft interrupts, whoever was interrupted for them.
    pub soft_interrupts: u64,
}

impl Thread {
    /// A process's first thread; kernel threads are such.
    #[must_use]
    pub fn of_process(process: Pid) -> Self {
        Self { directory: PathBuf::from(format!("/proc/{}", process.as_raw_nonzero())) }
    }

    /// A thread of this process.
    #[must_use]
    pub fn of_this_process(thread: Pid) -> Self {
        Self { directory: PathBuf::from(format!("/proc/self/task/{}", thread.as_raw_nonzero())) }
    }

    /// Nanoseconds on a CPU since it began.
    ///
    /// # Errors
    /// [`UsageError`]; a kernel without `CONFIG_SCHED_INFO` has no such figure.
    pub fn cpu_ns(&self) -> Result<u64, UsageError> {
        read(self.directory.join("schedstat"), |text| text.split_ascii_whitespace().next()?.parse().ok())
    }

    /// The same, and the kernel's part.
    ///
    /// # Errors
    /// As [`Self::cpu_ns`].
    pub fn time(&self) -> Result<ThreadTime, UsageError> {
        let kernel_ticks = read(self.directory.join("stat"), kernel_ticks)?;
        Ok(ThreadTime { total_ns: self.cpu_ns()?, kernel_ns: kernel_ticks.saturating_mul(tick_ns()) })
    }
}

impl ThreadTime {
    /// The calling thread's, up to date.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn of_caller() -> Result<Self, UsageError> {
        let kernel_ticks = read("/proc/thread-self/stat", kernel_ticks)?;
        let clock = clock_gettime(ClockId::ThreadCPUTime);
        let total_ns = clock.tv_sec.unsigned_abs() * 1_000_000_000 + clock.tv_nsec.unsigned_abs();
        Ok(Self { total_ns, kernel_ns: kernel_ticks.saturating_mul(tick_ns()) })
    }

    /// What came since `before`. The tick makes the kernel's part no more than the whole.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        let total_ns = self.total_ns.saturating_sub(before.total_ns);
        Self { total_ns, kernel_ns: self.kernel_ns.saturating_sub(before.kernel_ns).min(total_ns) }
    }
}

impl CpuTicks {
    /// Of one CPU, by its number, or of all.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn read(cpu: Option<usize>) -> Result<Self, UsageError> {
        read("/proc/stat", |text| ticks(text, cpu))
    }

    /// Nanoseconds in the kernel and its interrupts since `before`.
    #[must_use]
    pub fn kernel_ns_since(self, before: Self) -> u64 {
        let sum = |at: Self| at.system + at.interrupts + at.soft_interrupts;
        sum(self).saturating_sub(sum(before)).saturating_mul(tick_ns())
    }

    /// Nanoseconds in soft interrupts since `before`.
    #[must_use]
    pub fn soft_interrupt_ns_since(self, before: Self) -> u64 {
        self.soft_interrupts.saturating_sub(before.soft_interrupts).saturating_mul(tick_ns())
    }
}

/// The `ksoftirqd` of one CPU or of all: soft interrupts that took too long go on there. None where they are not seen, as in a container.
///
/// # Errors
/// As [`kernel_threads`].
pub fn ksoftirqd(cpu: Option<usize>) -> Result<Vec<Thread>, UsageError> {
    let is_wanted = |name: &str| match (name.strip_prefix("ksoftirqd/"), cpu) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(number), Some(cpu)) => number.parse() == Ok(cpu),
    };
    Ok(kernel_threads(is_wanted)?.into_iter().map(Thread::of_process).collect())
}

/// Processes whose name is wanted: kernel threads, where no program has such a name.
///
/// # Errors
/// [`UsageError::Read`]: `/proc` cannot be listed.
pub fn kernel_threads(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Pid>, UsageError> {
    let entries = std::fs::read_dir("/proc").map_err(|source| UsageError::Read { path: "/proc".into(), source })?;
    // A process that ended meanwhile has no name.
    let name = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Ok(numbers.filter(|&pid| is_wanted(name(pid).trim_end())).filter_map(Pid::from_raw).collect())
}

/// CPU time of some threads together, ns.
///
/// # Errors
/// As [`Thread::cpu_ns`].
pub fn sum_ns(threads: &[Thread]) -> Result<u64, UsageError> {
    threads.iter().map(Thread::cpu_ns).sum()
}

/// Nanoseconds of a tick of `/proc`.
fn tick_ns() -> u64 {
    1_000_000_000 / clock_ticks_per_second().max(1)
}

/// Field 15 of `/proc/PID/stat`. A name may hold blanks and parentheses.
fn kernel_ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(12)?.parse().ok()
}

/// user nice system idle iowait irq softirq, behind the CPU's name.
fn ticks(text: &str, cpu: Option<usize>) -> Option<CpuTicks> {
    let name = cpu.map_or_else(|| "cpu".to_owned(), |number| format!("cpu{number}"));
    let line = text.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '))?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    Some(CpuTicks { system: *ticks.get(2)?, interrupts: *ticks.get(5)?, soft_interrupts: *ticks.get(6)? })
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use rustix::thread::gettid;

    use super::*;

    #[test]
    fn ticks_are_those_of_the_cpu() {
        let text = "cpu  80 7 14 269 5 3 84 89 5 6\ncpu1 370 0 70 169 1 0 12 40 0 0\ncpu10 1 1 1 1 1 1 1\nintr 5\n";
        let all = CpuTicks { system: 14, interrupts: 3, soft_interrupts: 84 };
        assert_eq!(ticks(text, None), Some(all));
        assert_eq!(ticks(text, Some(1)), Some(CpuTicks { system: 70, interrupts: 0, soft_interrupts: 12 }));
        assert_eq!((ticks(text, Some(0)), ticks("cpu  1 2 x 4\n", None)), (None, None));
        let later = CpuTicks { system: 15, interrupts: 3, soft_interrupts: 86 };
        assert_eq!((later.kernel_ns_since(all), later.soft_interrupt_ns_since(all)), (3 * tick_ns(), 2 * tick_ns()));
    }

    #[test]
    fn a_name_with_a_parenthesis_moves_no_field() {
        assert_eq!(kernel_ticks("12 (a) 9 (b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14"), Some(12));
        assert_eq!(kernel_ticks("12 (a) R 1 2"), None);
    }

    #[test]
    fn a_thread_that_works_takes_time_and_one_that_sleeps_takes_none() {
        let thread = Thread::of_this_process(gettid());
        let before = thread.cpu_ns().unwrap();
        // By its own clock, so that it holds on a machine whose CPUs others use.
        let mut sum = 0_u64;
        let (begin, clock) = (Instant::now(), ThreadTime::of_caller().unwrap());
        while thread.cpu_ns().unwrap() - before < 20_000_000 && begin.elapsed() < Duration::from_secs(20) {
            (0..100_000_u64).for_each(|step| sum = black_box(sum.wrapping_add(step)));
        }
        let worked = thread.cpu_ns().unwrap() - before;
        assert!(worked >= 20_000_000 && worked <= begin.elapsed().as_nanos() as u64, "{worked} ns");
        assert!(ThreadTime::of_caller().unwrap().since(clock).total_ns >= worked - 10_000_000);
        let before = thread.time().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let slept = thread.time().unwrap().since(before);
        assert!(slept.total_ns < 50_000_000 && slept.kernel_ns <= slept.total_ns, "{slept:?}");
    }

    #[test]
    fn a_thread_that_is_not_there_says_which_file() {
        let error = Thread::of_this_process(Pid::from_raw(i32::MAX).unwrap()).cpu_ns().unwrap_err().to_string();
        assert!(error.starts_with("cannot read /proc/self/task/2147483647/schedstat"), "{error}");
    }
}
