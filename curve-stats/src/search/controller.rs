//! The Controller (section 4.9.2): chooses trials until every goal has its bounds, or none can be had.

use std::time::Duration;

use super::database::Database;
use super::grid::Grid;
use super::input::Budget;
use super::output::Budgeted;
use super::progress::{Progress, Wanted, result};
use super::reach::Reach;
use super::{ControllerInput, ControllerOutput, Measurer, Pace, PacketsPerSecond, SearchError, Trial, TrialResult};

/// How often a trial is tried in which the sender does not keep its rate, before its load is taken to be beyond the sender.
const ATTEMPTS: usize = 3;

/// Searches the throughput of what `measurer` measures, for all goals of `input` at once.
///
/// It ends when every goal has a result, regular or not, or when the budget is spent. The same input on a device that behaves the
/// same gives the same trials: nothing is drawn, and the order of the goals does not matter.
///
/// ```
/// use std::time::Duration;
/// use curve_stats::search::*;
///
/// /// Carries 300,000 packets a second.
/// struct Device;
///
/// impl Measurer for Device {
///     type Error = OutcomeError;
///
///     fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, OutcomeError> {
///         let packets = |rate: f64| (rate * duration.as_secs_f64()) as u64;
///         TrialOutcome::new(packets(load.get()), packets(load.get().min(3e5)), duration, Pace::Kept)
///     }
/// }
///
/// let output = search(&mut Device, &ControllerInput {
///     goals: vec![SearchGoal::NDR, SearchGoal::PDR],
///     min_load: PacketsPerSecond::new(1e3)?,
///     max_load: PacketsPerSecond::new(5e6)?,
///     budget: Budget { trials: 1000, time: Duration::from_secs(600) },
/// })?;
/// let ndr = output.results[0].regular().expect("both bounds");
/// assert!(ndr.relevant_lower_bound.get() <= 3e5 && 3e5 < ndr.relevant_upper_bound.get());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The input is not valid, or a trial failed.
pub fn search<M: Measurer>(
    measurer: &mut M,
    input: &ControllerInput,
) -> Result<ControllerOutput, SearchError<M::Error>> {
    let grid = input.grid()?;
    let mut controller = Controller {
        measurer,
        grid,
        budget: input.budget,
        narrowest: input.goals.iter().map(|goal| grid.steps(goal.width)).min().unwrap_or(1),
        reach: Reach::new(grid.last()),
        database: Database::default(),
        trials: Vec::new(),
        invalid: Vec::new(),
        spent: Duration::ZERO,
    };
    let ended = controller.run(input)?;
    let results = input.goals.iter().map(|goal| result(goal, &grid, &controller.database, controller.reach, ended));
    let results = results.collect();
    Ok(ControllerOutput { results, trials: controller.trials, invalid: controller.invalid, spent: controller.spent })
}

struct Controller<'a, M> {
    measurer: &'a mut M,
    grid: Grid,
    budget: Budget,
    /// The narrowest goal width, in steps of the grid.
    narrowest: u32,
    reach: Reach,
    database: Database,
    trials: Vec<TrialResult>,
    invalid: Vec<TrialResult>,
    spent: Duration,
}

impl<M: Measurer> Controller<'_, M> {
    /// Returns what was spent, if the budget ended the search.
    fn run(&mut self, input: &ControllerInput) -> Result<Option<Budgeted>, SearchError<M::Error>> {
        let carried = match self.opening(input.shortest())? {
            Opening::Carried(carried) => carried,
            Opening::Ended(ended) => return Ok(ended),
        };
        let ceiling = self.reach.ceiling().unwrap_or(0);
        let mut goals: Vec<_> =
            input.goals.iter().map(|goal| Progress::new(goal, &self.grid, ceiling, carried)).collect();
        while let Some(ceiling) = self.reach.ceiling() {
            let Some(wanted) = goals.iter_mut().filter_map(|goal| goal.next(&self.database, ceiling)).min() else {
                return Ok(None);
            };
            let Wanted { load, duration, .. } = wanted;
            if let Some(ended) = self.settle(load, duration)? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// The forwarding rate at the highest load that the sender keeps.
    fn opening(&mut self, duration: Duration) -> Result<Opening, SearchError<M::Error>> {
        while let Some(ceiling) = self.reach.ceiling() {
            if let Some(ended) = self.settle(ceiling, duration)? {
                return Ok(Opening::Ended(Some(ended)));
            }
            if let Some(first) = self.trials.first() {
                return Ok(Opening::Carried(first.forwarding_rate()));
            }
        }
        Ok(Opening::Ended(None))
    }

    /// One valid trial at a load, or its withdrawal. Returns what was spent, if that was in the way.
    fn settle(&mut self, load: u32, duration: Duration) -> Result<Option<Budgeted>, SearchError<M::Error>> {
        let mut sent = 0.0;
        for _ in 0..ATTEMPTS {
            if let Some(ended) = self.exhausted(duration) {
                return Ok(Some(ended));
            }
            let result = self.measure(Trial { load: self.grid.load(load), duration })?;
            if result.outcome.pace() == Pace::Kept {
                self.database.add(load, result);
                self.trials.push(result);
                return Ok(None);
            }
            sent = result.outcome.sent_rate().max(sent);
            self.invalid.push(result);
        }
        self.reach.withdraw(load, self.grid.at_most(sent), self.database.below(load), self.narrowest);
        Ok(None)
    }

    fn exhausted(&self, next: Duration) -> Option<Budgeted> {
        if self.trials.len() + self.invalid.len() >= self.budget.trials {
            return Some(Budgeted::Trials);
        }
        (self.spent.saturating_add(next) > self.budget.time).then_some(Budgeted::Time)
    }

    fn measure(&mut self, trial: Trial) -> Result<TrialResult, SearchError<M::Error>> {
        let measured = self.measurer.measure(trial.load, trial.duration);
        let outcome = measured.map_err(|source| SearchError::Measurer { trial, source })?;
        self.spent = self.spent.saturating_add(outcome.duration());
        Ok(TrialResult { trial, outcome })
    }
}

enum Opening {
    /// The forwarding rate.
    Carried(PacketsPerSecond),
    /// There is no more to search, or no budget to do it with.
    Ended(Option<Budgeted>),
}
