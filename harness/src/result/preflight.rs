//! How quiet the machine was before a run measured on this kernel.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the score allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseVerdict {
    /// Nothing disturbs worth naming.
    Quiet,
    /// Medians of interleaved trials stand; compare nothing across runs.
    Noisy,
    /// Nothing should be concluded from what is measured now.
    TooNoisy,
}

/// What a probe of a second or two saw. Shares are of the time that the probe took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Readings {
    /// How long the probe watched, in milliseconds.
    pub watched_ms: f64,
    /// CPUs that the run may use.
    pub cpus: u32,
    /// Whether the CPU says that a hypervisor runs this machine.
    pub virtual_machine: bool,
    /// Share of all CPU time that the hypervisor gave to others, from 0 to 1.
    pub steal: f64,
    /// Share of its time that the probe's thread was ready and no CPU took it; null where the kernel does not count it.
    pub waited: Option<f64>,
    /// Times a second that the probe's thread gave up its CPU.
    pub voluntary_switches: f64,
    /// Times a second that it was taken from its CPU.
    pub involuntary_switches: f64,
    /// Interrupts a second and CPU.
    pub interrupts: f64,
    /// Soft interrupts a second and CPU.
    pub soft_interrupts: f64,
    /// Load average of the last minute.
    pub load_average: f64,
    /// Tasks that were ready to run beside the probe, on average.
    pub runnable: f64,
    /// What the machine shows of its clock rate.
    pub frequency: Frequency,
    /// A fixed loop, timed again and again on each CPU.
    pub loops: Vec<LoopReading>,
}

/// Clock rate of the CPUs; null where the machine does not show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Frequency {
    /// Frequency governor of the first CPU.
    pub governor: Option<String>,
    /// Lowest rate of a CPU before and after the probe, in MHz.
    pub lowest_mhz: Option<f64>,
    /// Highest rate.
    pub highest_mhz: Option<f64>,
}

/// A loop of fixed length on one CPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoopReading {
    /// The CPU.
    pub cpu: u32,
    /// How often it was timed.
    pub repetitions: u32,
    /// Median, in microseconds.
    pub median_us: f64,
    /// Slowest, in microseconds.
    pub slowest_us: f64,
    /// Standard deviation over mean.
    pub variation: f64,
}

/// A reading beyond its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Name of the reading.
    pub reading: String,
    /// What it takes from the score.
    pub points: u8,
    /// What it means and what to do.
    pub advice: String,
}

/// The probe's readings and what they amount to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preflight {
    /// 100 minus the points of every finding, at least 0.
    pub score: u8,
    /// What the score allows.
    pub verdict: NoiseVerdict,
    /// The readings.
    pub readings: Readings,
    /// Those that are beyond their limit, worst first.
    pub findings: Vec<Finding>,
}

impl fmt::Display for NoiseVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Quiet => "quiet",
            Self::Noisy => "noisy",
            Self::TooNoisy => "too noisy",
        })
    }
}

/// One line: verdict, score, and the worst finding.
impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, score {} of 100", self.verdict, self.score)?;
        match self.findings.first() {
            Some(worst) => write!(f, "; {}", worst.advice),
            None => Ok(()),
        }
    }
}
