//! The decision of the host's gate: pairs of one round each, judged cell by cell. Pure.

use std::collections::BTreeMap;

use curve_stats::{FEWEST, StatsError, holm, median, paired_ratio, signed_rank};

use super::Side;
use crate::gate::{CellReport, GateVerdict, Statistic, StatisticReport};
use crate::result::{BackendKind, Bracket, Cell, Metric, TrialKind, TrialRecord, Unit};
use crate::run::record::Record;
use crate::workload::Protocol;

/// Smallest change that counts, where no other floor is asked for.
pub const FLOOR: f64 = 0.03;
/// An interval that holds "no change" and a slowdown of this much cannot tell one from the other.
pub const TOO_WIDE: f64 = 0.10;
/// Chance of a false alarm over all cells of a gate.
const ALPHA: f64 = 0.05;
/// Share of a trial's packets that may go astray before its cell says nothing.
const ASTRAY: f64 = 0.01;

/// Pairs of one cell, round by round, and what is wrong with their packets.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// The cell.
    pub cell: Cell,
    /// Unit of the values.
    pub unit: Unit,
    /// Median `added` of the baseline and of the candidate.
    pub values: Vec<(f64, f64)>,
    /// Trials whose packets were lost, misdirected or mismatched too often.
    pub astray: usize,
}

/// What a load balancer's trial and its partner without one share.
type Key = (Bracket, Protocol, u32, crate::result::Flow, u32);

fn key(trial: &TrialRecord) -> Key {
    (trial.cell.bracket, trial.cell.protocol, trial.cell.services, trial.cell.flow, trial.trial)
}

/// `added` of every cell: each side's traversal minus its own `direct-conntrack` of the same round, then side with side by round.
/// A round that one side lacks gives no pair.
pub fn pairs(records: [&[Record]; 2]) -> Vec<Pairs> {
    let [baseline, candidate] = records.map(added);
    let mut cells = BTreeMap::<Cell, Pairs>::new();
    for ((cell, round), before) in &baseline {
        let Some(after) = candidate.get(&(cell.clone(), *round)) else { continue };
        let empty = Pairs { cell: cell.clone(), unit: before.unit, values: Vec::new(), astray: 0 };
        let pairs = cells.entry(cell.clone()).or_insert(empty);
        pairs.values.push((before.value, after.value));
        pairs.astray += usize::from(before.astray) + usize::from(after.astray);
    }
    cells.into_values().collect()
}

struct Added {
    value: f64,
    unit: Unit,
    astray: bool,
}

fn added(records: &[Record]) -> BTreeMap<(Cell, u32), Added> {
    let trials: Vec<&TrialRecord> = records
        .iter()
        .filter_map(|record| match record {
            Record::Trial(trial) if trial.kind == TrialKind::Traversal => Some(trial),
            _ => None,
        })
        .collect();
    let is_plain = |trial: &&&TrialRecord| trial.cell.backend == BackendKind::DirectConntrack;
    let plain: BTreeMap<Key, &TrialRecord> = trials.iter().filter(is_plain).map(|trial| (key(trial), *trial)).collect();
    let balanced = trials.iter().filter(|trial| !is_plain(trial));
    balanced
        .filter_map(|trial| {
            let partner = plain.get(&key(trial))?;
            let value = trial.quantiles.p50 as f64 - partner.quantiles.p50 as f64;
            let astray = is_astray(trial) || is_astray(partner);
            Some(((trial.cell.clone(), trial.trial), Added { value, unit: trial.unit, astray }))
        })
        .collect()
}

fn is_astray(trial: &TrialRecord) -> bool {
    let lost = trial.lost + trial.misdirected + trial.mismatched;
    lost as f64 > ASTRAY * (trial.packets + trial.lost) as f64
}

/// Judges every cell. A regression: the signed-rank test of the log ratios finds a difference after Holm's correction over the
/// cells, and the ratio is beyond `floor`; an improvement is its mirror image. Inconclusive: no difference was found, but the
/// interval reaches a slowdown of [`TOO_WIDE`]; or there is no ratio to speak of.
///
/// # Errors
/// A value is not finite.
pub fn judge(cells: &[Pairs], floor: f64) -> Result<Vec<CellReport>, StatsError> {
    let tests = cells.iter().map(test).collect::<Result<Vec<_>, _>>()?;
    let tested: Vec<f64> = tests.iter().flatten().map(|test| test.p).collect();
    let mut adjusted = holm(&tested)?.into_iter();
    let mut reports = Vec::new();
    for (pairs, test) in cells.iter().zip(tests) {
        let test = test.map(|test| Test { p: adjusted.next().unwrap_or(1.0), ..test });
        reports.push(report(pairs, test, floor));
    }
    Ok(reports)
}

#[derive(Debug, Clone, Copy)]
struct Test {
    ratio: f64,
    interval: [f64; 2],
    p: f64,
}

/// None where the pairs are too few for an interval, or where load balancing added nothing in some round.
fn test(pairs: &Pairs) -> Result<Option<Test>, StatsError> {
    if pairs.values.len() < FEWEST || pairs.values.iter().any(|(a, b)| *a <= 0.0 || *b <= 0.0) {
        return Ok(None);
    }
    let estimate = paired_ratio(&pairs.values)?;
    let differences: Vec<f64> = pairs.values.iter().map(|(before, after)| after.ln() - before.ln()).collect();
    let interval = [estimate.spread.low(), estimate.spread.high()];
    Ok(Some(Test { ratio: estimate.ratio, interval, p: signed_rank(&differences)? }))
}

fn report(pairs: &Pairs, test: Option<Test>, floor: f64) -> CellReport {
    let (verdict, reason) = decide(pairs, test, floor);
    let (baseline, candidate): (Vec<f64>, Vec<f64>) = pairs.values.iter().copied().unzip();
    let row = StatisticReport {
        statistic: Statistic::P50,
        baseline,
        candidate,
        ratio: test.map(|test| test.ratio),
        interval: test.map(|test| test.interval),
        p: test.map(|test| test.p),
        verdict,
        reason: reason.clone(),
    };
    CellReport {
        cell: pairs.cell.clone(),
        metric: Metric::Added,
        unit: pairs.unit,
        verdict,
        reason,
        statistics: vec![row],
    }
}

fn decide(pairs: &Pairs, test: Option<Test>, floor: f64) -> (GateVerdict, String) {
    let rounds = pairs.values.len();
    if pairs.astray > 0 {
        let reason = format!(
            "packets went astray in {} of {} trials: what was timed is not the service",
            pairs.astray,
            2 * rounds
        );
        return (GateVerdict::Inconclusive, reason);
    }
    let Some(Test { ratio, interval: [low, high], p }) = test else {
        let reason = if rounds < FEWEST {
            format!("{rounds} rounds are too few for an interval, which takes {FEWEST}")
        } else {
            "load balancing added nothing in some round: a ratio has no meaning".to_owned()
        };
        return (GateVerdict::Inconclusive, reason);
    };
    let found = p < ALPHA;
    let evidence = format!(
        "{:+.1}% [{:+.1}%, {:+.1}%], p = {p:.4} over {rounds} rounds",
        change(ratio),
        change(low),
        change(high)
    );
    if found && ratio > 1.0 + floor {
        (GateVerdict::Regression, format!("slower by more than the floor: {evidence}"))
    } else if found && ratio < 1.0 / (1.0 + floor) {
        (GateVerdict::Improvement, format!("faster by more than the floor: {evidence}"))
    } else if found {
        (GateVerdict::Pass, format!("a change, but within the floor: {evidence}"))
    } else if high > 1.0 + TOO_WIDE {
        let reason = format!(
            "no difference found, nor a slowdown of {:.0}% ruled out: {evidence}; more --rounds, or a quieter machine",
            TOO_WIDE * 100.0
        );
        (GateVerdict::Inconclusive, reason)
    } else {
        (GateVerdict::Pass, format!("no difference found: {evidence}"))
    }
}

fn change(ratio: f64) -> f64 {
    (ratio - 1.0) * 100.0
}

impl Pairs {
    /// Median over the rounds of a side, for a log.
    ///
    /// # Errors
    /// There is no pair, or a value is not finite.
    pub fn median(&self, side: Side) -> Result<f64, StatsError> {
        let of = |pair: &(f64, f64)| if side == Side::Baseline { pair.0 } else { pair.1 };
        median(&self.values.iter().map(of).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::result::{Flow, Position, Quantiles, VenueKind};
    use crate::workload::VipLayout;

    fn cell(backend: BackendKind, services: u32) -> Cell {
        Cell {
            venue: VenueKind::Host,
            kernel: "6.1".into(),
            backend,
            bracket: Bracket::Tc,
            layout: VipLayout::Sequential,
            protocol: Protocol::Tcp,
            services,
            endpoints: 2,
            flow: Flow::New,
            position: Position::Last,
        }
    }

    fn of(values: Vec<(f64, f64)>) -> Pairs {
        Pairs { cell: cell(BackendKind::IptablesLegacy, 1000), unit: Unit::Ns, values, astray: 0 }
    }

    fn verdict(values: Vec<(f64, f64)>) -> GateVerdict {
        judge(&[of(values)], FLOOR).unwrap()[0].verdict
    }

    /// Rounds whose log ratio spreads by `noise` (a sum of uniforms) round that of `factor`.
    fn rounds(count: usize, factor: f64, noise: f64, rng: &mut ChaCha8Rng) -> Vec<(f64, f64)> {
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        (0..count).map(|_| (4000.0 * (noise * normal()).exp(), 4000.0 * factor * (noise * normal()).exp())).collect()
    }

    #[test]
    fn significant_and_beyond_the_floor_both_ways() {
        let scaled =
            |factor: f64| (0..40).map(|i| (4000.0 + f64::from(i), (4000.0 + f64::from(i * 7 % 40)) * factor)).collect();
        assert_eq!(verdict(scaled(1.10)), GateVerdict::Regression);
        assert_eq!(verdict(scaled(0.90)), GateVerdict::Improvement);
        assert_eq!(verdict(scaled(1.02)), GateVerdict::Pass, "significant, but within the floor");
        assert_eq!(verdict(scaled(1.0)), GateVerdict::Pass);
    }

    #[test]
    fn what_is_too_wide_or_has_no_ratio_is_inconclusive() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(verdict(rounds(8, 1.0, 0.3, &mut rng)), GateVerdict::Inconclusive);
        assert_eq!(verdict(rounds(5, 2.0, 0.01, &mut rng)), GateVerdict::Inconclusive, "too few rounds");
        assert_eq!(verdict(vec![(1.0, -1.0); 40]), GateVerdict::Inconclusive);
        assert_eq!(verdict(Vec::new()), GateVerdict::Inconclusive);
        let astray = Pairs { astray: 1, ..of(rounds(40, 1.5, 0.01, &mut rng)) };
        assert_eq!(judge(&[astray], FLOOR).unwrap()[0].verdict, GateVerdict::Inconclusive);
    }

    /// What the rules promise, where rounds differ by as much as they do on a shared virtual machine: 15% between two sides.
    #[test]
    fn forty_rounds_find_a_tenth_and_seldom_cry_wolf() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut alarms = |factor: f64| {
            (0..400)
                .filter(|_| verdict(rounds(40, factor, 0.15 / 2_f64.sqrt(), &mut rng)) == GateVerdict::Regression)
                .count()
        };
        assert!(alarms(1.0) <= 400 * 4 / 100);
        assert!(alarms(1.1) >= 400 * 90 / 100);
    }

    /// A gate of many cells must not cry wolf more often than one of one.
    #[test]
    fn many_cells_share_one_chance_of_a_false_alarm() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut gates = 0;
        for _ in 0..100 {
            let cells: Vec<_> = (0..10).map(|_| of(rounds(40, 1.0, 0.2, &mut rng))).collect();
            let reports = judge(&cells, 0.0).unwrap();
            gates += usize::from(reports.iter().any(|cell| cell.verdict == GateVerdict::Regression));
        }
        assert!(gates <= 8, "{gates} of 100");
    }

    fn trial(backend: BackendKind, round: u32, p50: u64, lost: u64) -> Record {
        let quantiles = Quantiles { min: p50, p10: p50, p50, p90: p50, p99: p50, p999: p50 };
        let (cell, kind, unit) = (cell(backend, 1000), TrialKind::Traversal, Unit::Ns);
        let (mismatched, misdirected, histogram) = (0, 0, String::new());
        Record::Trial(TrialRecord {
            cell,
            kind,
            trial: round,
            unit,
            packets: 100,
            mismatched,
            lost,
            misdirected,
            quantiles,
            histogram,
        })
    }

    #[test]
    fn added_is_paired_within_the_side_and_round() {
        let plain = BackendKind::DirectConntrack;
        let legacy = BackendKind::IptablesLegacy;
        let baseline =
            [trial(plain, 0, 1000, 0), trial(legacy, 0, 5000, 0), trial(legacy, 1, 5100, 0), trial(plain, 1, 1100, 0)];
        let candidate = [trial(plain, 1, 900, 2), trial(legacy, 1, 6000, 0), trial(legacy, 0, 7000, 0)];
        let found = pairs([&baseline, &candidate]);
        // Round 0 of the candidate has no partner without load balancing.
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].values.clone(), found[0].astray), (vec![(4000.0, 5100.0)], 1));
        assert_eq!(found[0].median(Side::Candidate).unwrap(), 5100.0);
        assert_eq!(pairs([&baseline, &[]]), []);
    }

    proptest! {
        #[test]
        fn any_values_are_judged(values in proptest::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64), 0..50), floor in 0.0..1.0_f64) {
            let report = &judge(&[of(values)], floor).unwrap()[0];
            let row = &report.statistics[0];
            let change = matches!(report.verdict, GateVerdict::Regression | GateVerdict::Improvement);
            prop_assert!(!change || row.p.unwrap() < ALPHA);
        }

        #[test]
        fn swapped_sides_swap_the_verdict(seed in any::<u64>(), factor in 0.7..1.4_f64) {
            let values = rounds(20, factor, 0.05, &mut ChaCha8Rng::seed_from_u64(seed));
            let swapped = values.iter().map(|(a, b)| (*b, *a)).collect();
            let (one, other) = (verdict(values), verdict(swapped));
            prop_assert_eq!(one == GateVerdict::Regression, other == GateVerdict::Improvement);
            prop_assert_eq!(one == GateVerdict::Improvement, other == GateVerdict::Regression);
        }
    }
}
