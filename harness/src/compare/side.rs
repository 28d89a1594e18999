//! One side of a comparison: a run, or one kernel or backend of it.

use curve_stats::Spread;
use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{Entry, entries};
use crate::result::{self, Axes, BackendKind, RunFile};
use crate::workload::EndpointChoice;

/// What the two sides differ in by intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// Two runs of one plan.
    Runs,
    /// Two kernels.
    Kernels,
    /// Two backends.
    Backends,
}

/// Why there are no two sides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// One run, and nothing in it to tell two sides apart.
    #[error("nothing to compare with: name a second run, or --kernels or --backends within one")]
    NoOtherSide,
    /// No kernel of the run has this release.
    #[error("{run} has no kernel {asked}; it has {}", .has.join(", "))]
    NoKernel {
        /// The run.
        run: String,
        /// What was asked for.
        asked: String,
        /// Releases of the run.
        has: Vec<String>,
    },
    /// The run has no curve of this backend.
    #[error("{run} has no curve of {asked}; it has {}", .has.join(", "))]
    NoBackend {
        /// The run.
        run: String,
        /// What was asked for.
        asked: String,
        /// Backends of the run.
        has: Vec<String>,
    },
}

/// A run and what of it is compared.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    pub(super) run: &'a RunFile,
    name: String,
    pub(super) compared: Compared,
    kernel: Option<String>,
    pub(super) backend: Option<BackendKind>,
}

/// How a side is named in a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SideLabel {
    /// Run, and kernel or backend where those are compared.
    pub name: String,
    /// When the run ended.
    pub date: String,
    /// Version of lbcurve that made the run.
    pub lbcurve_version: String,
    /// Seed of the run.
    pub seed: u64,
    /// Command that reproduces the run.
    pub command: String,
}

/// One measured cell of a side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Measured {
    /// Median over trials of the trial's p50; of rates, of the trial's value.
    pub p50: f64,
    /// Trials.
    pub trials: u32,
    /// Spread of p50 over the trials.
    pub spread: Spread,
}

impl Measured {
    pub(super) fn of(entry: &Entry<'_>) -> Self {
        Self { p50: entry.value, trials: entry.trials, spread: entry.spread }
    }
}

impl<'a> Side<'a> {
    /// A whole run, by a name for it.
    #[must_use]
    pub fn run(name: &str, run: &'a RunFile) -> Self {
        Self { run, name: name.to_owned(), compared: Compared::Runs, kernel: None, backend: None }
    }

    /// One kernel of a run: its whole release, or the only one that begins with `asked` up to a separator (`6.1` is not `6.12.1`).
    ///
    /// # Errors
    /// The run has none such, or several.
    pub fn kernel(name: &str, run: &'a RunFile, asked: &str) -> Result<Self, CompareError> {
        let mut has: Vec<String> = run.curves.iter().map(|curve| curve.key.axes.kernel.clone()).collect();
        has.sort();
        has.dedup();
        let begins = |release: &&String| {
            let rest = release.strip_prefix(asked);
            rest.is_some_and(|rest| !asked.is_empty() && !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        };
        let found = match has.iter().filter(begins).collect::<Vec<_>>()[..] {
            [only] => Some(only.clone()),
            _ => has.iter().find(|release| *release == asked).cloned(),
        };
        let kernel = found.ok_or_else(|| CompareError::NoKernel { run: name.into(), asked: asked.into(), has })?;
        let name = format!("{name}, kernel {kernel}");
        Ok(Self { run, name, compared: Compared::Kernels, kernel: Some(kernel), backend: None })
    }

    /// One backend of a run.
    ///
    /// # Errors
    /// The run has no curve of it.
    pub fn backend(name: &str, run: &'a RunFile, asked: BackendKind) -> Result<Self, CompareError> {
        let mut has: Vec<BackendKind> = run.curves.iter().map(|curve| curve.key.axes.backend).collect();
        has.sort();
        has.dedup();
        let asked_name = result::name(&asked);
        if !has.contains(&asked) {
            let has = has.iter().map(result::name).collect();
            return Err(CompareError::NoBackend { run: name.into(), asked: asked_name, has });
        }
        let name = format!("{name}, {asked_name}");
        Ok(Self { run, name, compared: Compared::Backends, kernel: None, backend: Some(asked) })
    }

    pub(super) fn label(&self) -> SideLabel {
        let environment = &self.run.environment;
        SideLabel {
            name: self.name.clone(),
            date: environment.date.clone(),
            lbcurve_version: environment.lbcurve_version.clone(),
            seed: self.run.plan.seed,
            command: environment.command.clone(),
        }
    }

    /// Every measured cell of the side.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + '_ {
        let run: &'a RunFile = self.run;
        let wanted = |axes: &Axes| {
            self.kernel.as_ref().is_none_or(|kernel| axes.kernel == *kernel)
                && self.backend.is_none_or(|backend| axes.backend == backend)
        };
        entries(run).filter(move |entry| wanted(entry.axes))
    }

    /// What tells two builds of one kernel release apart.
    pub(super) fn build(&self, axes: &Axes) -> Option<&'a str> {
        let kernels = &self.run.environment.kernels;
        let found = kernels.iter().find(|kernel| kernel.venue == axes.venue && kernel.release == axes.kernel);
        found.map(|kernel| kernel.version.as_str())
    }
}

/// Name of a preset; a scenario of one's own has none. Rules put in for a self-test make it another.
pub(super) fn preset(run: &RunFile) -> String {
    let preset = run.plan.preset.as_deref().unwrap_or("none");
    let preset = match run.plan.endpoint_choice {
        EndpointChoice::Random => preset.to_owned(),
        EndpointChoice::Maglev => format!("{preset} with Maglev"),
    };
    let preset = match run.plan.self_test_bias {
        None => preset,
        Some(times) => format!("{preset} with a self-test's bias of {times}"),
    };
    match run.plan.self_test_ballast {
        None => preset,
        Some(services) => format!("{preset} with a self-test's rule per {services} services"),
    }
}
