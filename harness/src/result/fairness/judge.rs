//! Whether flows were spread as was promised. Pure.

use std::collections::BTreeSet;

use curve_stats::{ChiSquare, chi_square, jain};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::promise::Shares;
use super::{EndpointChange, FairnessRecord, Spreading};
use crate::result::Reached;
use crate::workload::Protocol;

/// Chance at which a test of a promise that is kept says otherwise, where chance decides at all.
pub const LEVEL_OF_TESTS: f64 = 0.01;

/// How flows were spread, and what the tests of the promise say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Flows that reached each endpoint.
    pub reached: Vec<u64>,
    /// Flows that reached none.
    pub nowhere: u64,
    /// Jain's index of flows over weight; absent where no flow reached an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jain: Option<f64>,
    /// What `shares` was tested on: flows of each endpoint, or clients where only those choose. Empty where no shares are promised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tested: Vec<u64>,
    /// Test of `tested` against the shares of the weights: p is the chance that independent draws by them lie as far away. Flows in turn lie
    /// closer than draws do, so that their p is near 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<ChiSquare>,
    /// Whether `shares` says nothing against the shares at 1%, which it shares with `pairs`; absent without such a test, and in files of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_kept: Option<bool>,
    /// Where flows are promised not to depend on the one before: test of pairs of flows in a row against the product of their shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<ChiSquare>,
    /// Flows that went where the promise, followed flow by flow, does not let them.
    pub violations: u64,
    /// Whether the promise was kept: no flow against it, and of draws no test.
    pub kept: bool,
}

impl Spread {
    /// Of a record's flows before the change.
    pub(super) fn of(record: &FairnessRecord, reached: &[Reached]) -> Self {
        let endpoints = record.cell.endpoints as usize;
        let weights: Vec<u64> = record.weights.iter().take(endpoints).copied().map(u64::from).collect();
        let choices: Vec<Option<usize>> = reached.iter().map(|one| index(*one, endpoints)).collect();
        let counts = counts(choices.iter().copied(), endpoints);
        let per_client = (reached.len() / record.clients.max(1) as usize).max(1);
        let tested = match Shares::of(record.spreading, record.cell.protocol) {
            Shares::Other(_) => Vec::new(),
            Shares::ByChance | Shares::InTurn if record.spreading.is_by_source() => {
                self::counts(choices.iter().copied().step_by(per_client), endpoints)
            }
            Shares::ByChance | Shares::InTurn => counts.clone(),
        };
        let pairs = (record.spreading == Spreading::Random).then(|| pairs(&choices, &weights)).flatten();
        let nowhere = choices.iter().filter(|choice| choice.is_none()).count() as u64;
        let mut spread = Self {
            jain: index_of_fairness(&counts, &weights),
            shares: test(&tested, &weights),
            violations: violations(record, &weights, &choices, per_client),
            reached: counts,
            nowhere,
            tested,
            pairs,
            shares_kept: None,
            kept: false,
        };
        spread.shares_kept = spread.are_shares_kept(record.spreading);
        spread.kept = spread.is_kept(record.spreading);
        spread
    }

    /// Whether the tests let the promise stand.
    pub(super) fn is_kept(&self, spreading: Spreading) -> bool {
        self.is_kept_at(spreading, self.level(spreading))
    }

    /// Whether the test of shares lets them stand; `None` without one.
    #[must_use]
    pub fn are_shares_kept(&self, spreading: Spreading) -> Option<bool> {
        self.shares.map(|test| test.p >= self.level(spreading))
    }

    /// Two tests of one promise of chance are held to half the level each. A test that chance cannot fail takes nothing of it.
    fn level(&self, spreading: Spreading) -> f64 {
        LEVEL_OF_TESTS / self.tests(spreading).max(1) as f64
    }

    /// Whether no flow went against the promise, and no test of chance says otherwise at `level`.
    #[must_use]
    pub fn is_kept_at(&self, spreading: Spreading, level: f64) -> bool {
        // Overflow promises nobody to those who come when all are full; its violations say whether that was so.
        let reached_all = self.nowhere == 0 || spreading == Spreading::Ovf;
        reached_all && self.violations == 0 && self.least_p(spreading).is_none_or(|p| p >= level)
    }

    /// How many tests of chance there are, which a promise that is kept can fail. The shares of flows in turn are none: flow by flow they are
    /// held to more than their shares.
    #[must_use]
    pub fn tests(&self, spreading: Spreading) -> usize {
        self.of_chance(spreading).count()
    }

    /// Least p of these tests; `None` where the promise is not one of chance.
    #[must_use]
    pub fn least_p(&self, spreading: Spreading) -> Option<f64> {
        self.of_chance(spreading).map(|test| test.p).min_by(f64::total_cmp)
    }

    fn of_chance(&self, spreading: Spreading) -> impl Iterator<Item = ChiSquare> + use<> {
        let shares = self.shares.filter(|_| spreading.is_by_chance());
        [shares, self.pairs].into_iter().flatten()
    }
}

/// The test that [`Spread::shares`] holds.
pub(super) fn test(tested: &[u64], weights: &[u64]) -> Option<ChiSquare> {
    let weights: Vec<f64> = weights.iter().map(|weight| *weight as f64).collect();
    chi_square(tested, &weights).ok()
}

/// The index that [`Spread::jain`] holds.
pub(super) fn index_of_fairness(reached: &[u64], weights: &[u64]) -> Option<f64> {
    let shares = reached.iter().zip(weights).map(|(count, weight)| *count as f64 / (*weight).max(1) as f64);
    jain(&shares.collect::<Vec<_>>()).ok()
}

/// The least share of new flows that a change can make choose otherwise, where shares follow the weights before and after.
pub(super) fn least_to_move(weights: &[u32], endpoints: u32, change: EndpointChange) -> f64 {
    let before = endpoints as usize;
    let (first, last) = match change {
        EndpointChange::Added => (weights, weights.get(before)),
        EndpointChange::Removed => (&weights[..before.min(weights.len())], weights.get(before.wrapping_sub(1))),
    };
    let all: u64 = first.iter().copied().map(u64::from).sum();
    last.map_or(0.0, |last| f64::from(*last) / all.max(1) as f64)
}

fn index(reached: Reached, endpoints: usize) -> Option<usize> {
    match reached {
        Reached::Endpoint(index) => Some(index as usize).filter(|index| *index < endpoints),
        Reached::Untouched | Reached::Elsewhere | Reached::Rejected | Reached::Lost => None,
    }
}

fn counts(choices: impl Iterator<Item = Option<usize>>, endpoints: usize) -> Vec<u64> {
    let mut counts = vec![0; endpoints];
    choices.flatten().for_each(|choice| counts[choice] += 1);
    counts
}

/// Pairs that do not overlap, so that each is a draw of its own.
fn pairs(choices: &[Option<usize>], weights: &[u64]) -> Option<ChiSquare> {
    let endpoints = weights.len();
    let pair = |pair: &[Option<usize>]| Some(pair[0]? * endpoints + pair[1]?);
    let counts = counts(choices.chunks_exact(2).map(pair), endpoints * endpoints);
    let products = weights.iter().flat_map(|first| weights.iter().map(move |second| first * second));
    test(&counts, &products.collect::<Vec<_>>())
}

/// Flows that the promise, followed flow by flow, sends elsewhere.
fn violations(record: &FairnessRecord, weights: &[u64], choices: &[Option<usize>], per_client: usize) -> u64 {
    match record.spreading {
        Spreading::Random | Spreading::Maglev | Spreading::Twos => 0,
        Spreading::Rr => out_of_turn(&vec![1; weights.len()], choices),
        Spreading::Wrr => out_of_turn(weights, choices),
        Spreading::Lc | Spreading::Wlc | Spreading::Sed | Spreading::Nq | Spreading::Ovf => {
            let rule = Rule { spreading: record.spreading, protocol: record.cell.protocol, weights };
            rule.broken(choices)
        }
        Spreading::Sh | Spreading::Mh => choices.chunks(per_client).map(elsewhere).sum(),
        Spreading::Dh | Spreading::Lblc | Spreading::Lblcr => elsewhere(choices),
        Spreading::Fo => {
            let heaviest = weights.iter().max().copied();
            let is_heaviest = |choice: &Option<usize>| choice.map(|choice| weights[choice]) == heaviest;
            elsewhere(choices).max(choices.iter().filter(|choice| !is_heaviest(choice)).count() as u64)
        }
    }
}

/// Flows that did not go where the first went.
fn elsewhere(choices: &[Option<usize>]) -> u64 {
    let first = choices.first().copied().flatten();
    choices.iter().filter(|choice| **choice != first || first.is_none()).count() as u64
}

/// Flows of a first cycle that has other shares than the weights, and later ones that do not repeat it.
fn out_of_turn(weights: &[u64], choices: &[Option<usize>]) -> u64 {
    let divisor = weights.iter().copied().filter(|weight| *weight > 0).fold(0, common_divisor).max(1);
    let turn: Vec<u64> = weights.iter().map(|weight| weight / divisor).collect();
    let length = usize::try_from(turn.iter().sum::<u64>()).unwrap_or(usize::MAX).max(1);
    let first = &choices[..length.min(choices.len())];
    let found = counts(first.iter().copied(), turn.len());
    let surplus = found.iter().zip(&turn).map(|(n, share)| n.saturating_sub(*share));
    let lost = first.iter().filter(|choice| choice.is_none()).count() as u64;
    let changed =
        choices.iter().zip(choices.iter().skip(length)).filter(|(before, now)| before != now || now.is_none());
    surplus.sum::<u64>() + lost + changed.count() as u64
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// A rule that looks at the connections that are open. All flows of a record stay open.
struct Rule<'a> {
    spreading: Spreading,
    protocol: Protocol,
    weights: &'a [u64],
}

impl Rule<'_> {
    /// Flows that got another endpoint than one of the best.
    fn broken(&self, choices: &[Option<usize>]) -> u64 {
        let mut open = vec![0_u64; self.weights.len()];
        let mut broken = 0;
        for choice in choices {
            let best = self.best(&open);
            let fits = choice.map_or(best.is_empty(), |choice| best.contains(&choice));
            broken += u64::from(!fits);
            if let Some(choice) = *choice {
                open[choice] += 1;
            }
        }
        broken
    }

    /// Endpoints that may get the next flow.
    fn best(&self, open: &[u64]) -> BTreeSet<usize> {
        // A UDP connection of IPVS is never active (ip_vs_proto_udp.c).
        let active = |at: usize| if self.protocol == Protocol::Tcp { open[at] } else { 0 };
        let able = || (0..self.weights.len()).filter(|at| self.weights[*at] > 0);
        match self.spreading {
            Spreading::Lc => least(able(), |at| (open[at], 1)),
            Spreading::Wlc => least(able(), |at| (open[at], self.weights[at])),
            Spreading::Nq if able().any(|at| active(at) == 0) => able().filter(|at| active(*at) == 0).collect(),
            Spreading::Ovf => {
                let with_room = || able().filter(|at| active(*at) <= self.weights[*at]);
                let heaviest = with_room().map(|at| self.weights[at]).max();
                with_room().filter(|at| Some(self.weights[*at]) == heaviest).collect()
            }
            _ => least(able(), |at| (active(at) + 1, self.weights[at])),
        }
    }
}

/// Those of the least load over weight.
fn least(able: impl Iterator<Item = usize>, load: impl Fn(usize) -> (u64, u64)) -> BTreeSet<usize> {
    let mut best = BTreeSet::new();
    for at in able {
        let (mine, weight) = load(at);
        let other = best.first().map(|first| load(*first));
        match other.map(|(other, of)| (mine * of).cmp(&(other * weight))) {
            Some(std::cmp::Ordering::Greater) => continue,
            Some(std::cmp::Ordering::Less) => best.clear(),
            Some(std::cmp::Ordering::Equal) | None => {}
        }
        best.insert(at);
    }
    best
}

#[cfg(test)]
pub(super) mod tests;
