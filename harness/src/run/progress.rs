//! Progress of a run: a bar with the time left on a terminal, a line a batch elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::plan::Batch;
use crate::result::name;

/// Counts trials and batches.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    total: usize,
    resumed: usize,
    counted: usize,
    in_batches: usize,
}

impl Progress {
    /// Starts at `done` of `total` trials.
    pub fn start(total: usize, done: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(total, done));
        Self { bar, started: Instant::now(), total, resumed: done, counted: done, in_batches: done }
    }

    /// One trial more; it may still be lost with its batch.
    pub fn trial(&mut self) {
        self.counted += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.counted.min(self.total) as u64);
        }
    }

    /// Time has passed.
    pub fn tick(&self) {
        if let Some(bar) = &self.bar {
            bar.tick();
        }
    }

    /// One batch more, for good.
    pub fn batch(&mut self, batch: &Batch) {
        self.in_batches += batch.trials();
        let line = describe(batch);
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => eprintln!(
                "[{}/{}] {line}, {} left",
                self.in_batches,
                self.total,
                self.left().map_or_else(|| "unknown".to_owned(), |left| HumanDuration(left).to_string())
            ),
        }
    }

    /// A line beside the bar.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn left(&self) -> Option<Duration> {
        let here = self.in_batches.checked_sub(self.resumed).filter(|done| *done > 0)?;
        let each = self.started.elapsed().div_f64(here as f64);
        Some(each.mul_f64(self.total.saturating_sub(self.in_batches) as f64))
    }
}

fn bar(total: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    let template = "{bar:30} {pos}/{len} trials, {elapsed} elapsed, {eta} left  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn describe(batch: &Batch) -> String {
    let Some(first) = batch.visits.first() else { return String::new() };
    let mut services: Vec<_> = batch.visits.iter().map(|visit| visit.setup.services).collect();
    services.sort_unstable();
    services.dedup();
    let services: Vec<_> = services.iter().map(u32::to_string).collect();
    let setup = first.setup;
    // A model's batch has every backend of one workload, a round of connections those of several.
    let mut backends: Vec<_> = batch.visits.iter().map(|visit| visit.setup.backend).collect();
    backends.sort_unstable();
    backends.dedup();
    let backends: Vec<_> = backends.iter().map(name).collect();
    format!(
        "{} {} {} {} {} N={} M={}",
        name(&batch.venue),
        batch.kernel,
        backends.join(","),
        name(&setup.layout),
        name(&setup.protocol),
        services.join(","),
        setup.endpoints
    )
}
