//! Counts beside the baseline's.

use super::Counts;
use super::baseline::{Baseline, Build};

/// A count that grows by more fails, in percent. Runs of one build are equal; a change of code elsewhere moves what is inlined, which
/// is no matter below this.
const MARGIN: f64 = 2.0;

/// What counts come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// What is not as it was, a row each.
    Failed(Vec<String>),
    /// There is nothing to compare with, and why.
    NotRun(String),
}

/// Holds the counts of a build to the baseline. Other dependencies are no excuse: what they cost is counted like anything else.
pub(super) fn verdict(baseline: Option<&Baseline>, build: &Build, counts: &Counts) -> Verdict {
    let (reason, baseline) = match baseline {
        None => return Verdict::NotRun("there is no baseline; `--update` writes it".to_owned()),
        Some(baseline) => (baseline.build.differs_from(build), baseline),
    };
    if let Some(reason) = reason {
        return Verdict::NotRun(reason);
    }
    let mut slower = slower(counts, &baseline.instructions);
    if slower.is_empty() {
        return Verdict::Passed;
    }
    if baseline.build.dependencies != build.dependencies {
        slower.push("(Cargo.lock has other dependencies than the baseline's)".to_owned());
    }
    Verdict::Failed(slower)
}

/// Prints a row a benchmark.
pub(super) fn print(counts: &Counts, baseline: Option<&Counts>) {
    for (name, &now) in counts {
        let beside = match baseline.map(|baseline| baseline.get(name)) {
            None => String::new(),
            Some(None) => "  not in the baseline".to_owned(),
            Some(Some(&before)) => format!("  {before:>12} before  {:+.2}%", change(before, now)),
        };
        println!("{name:<32}{now:>12} instructions{beside}");
    }
}

/// What takes more than the margin more, or is not counted any more, or not yet: a row each.
fn slower(counts: &Counts, baseline: &Counts) -> Vec<String> {
    let grown = counts.iter().filter_map(|(name, &now)| match baseline.get(name) {
        None => Some(format!("{name} is new")),
        Some(&before) if change(before, now) > MARGIN => Some(format!("{name} {:+.2}%", change(before, now))),
        Some(_) => None,
    });
    let gone = baseline.keys().filter(|name| !counts.contains_key(*name)).map(|name| format!("{name} is gone"));
    grown.chain(gone).collect()
}

fn change(before: u64, now: u64) -> f64 {
    100.0 * (now as f64 - before as f64) / before.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn growth_beyond_the_margin_and_unknown_benchmarks_fail() {
        let baseline = counts(&[("a", 1_000), ("b", 1_000), ("c", 1_000)]);
        assert!(slower(&counts(&[("a", 1_020), ("b", 900), ("c", 1_000)]), &baseline).is_empty());
        assert_eq!(slower(&counts(&[("a", 1_021), ("b", 900), ("c", 1_000)]), &baseline), ["a +2.10%"]);
        assert_eq!(slower(&counts(&[("a", 1_000), ("c", 1_000), ("d", 1)]), &baseline), ["d is new", "b is gone"]);
    }

    fn build() -> Build {
        Build { rustc: "a".into(), target: "b".into(), dependencies: "c".into(), libc: "d".into() }
    }

    #[test]
    fn equal_counts_pass_and_a_slowdown_fails() {
        let baseline = Baseline { build: build(), instructions: counts(&[("lookup", 1_000), ("render", 1_000)]) };
        let verdict = |lookup| verdict(Some(&baseline), &build(), &counts(&[("lookup", lookup), ("render", 1_000)]));
        assert_eq!(verdict(1_000), Verdict::Passed);
        assert_eq!(verdict(1_100), Verdict::Failed(vec!["lookup +10.00%".to_owned()]));
    }

    #[test]
    fn other_dependencies_are_judged_and_named() {
        let baseline = Baseline { build: build(), instructions: counts(&[("lookup", 1_000)]) };
        let other = Build { dependencies: "x".into(), ..build() };
        assert_eq!(verdict(Some(&baseline), &other, &counts(&[("lookup", 1_000)])), Verdict::Passed);
        let Verdict::Failed(rows) = verdict(Some(&baseline), &other, &counts(&[("lookup", 2_000)])) else {
            panic!("passed")
        };
        assert!(rows.len() == 2 && rows[1].contains("Cargo.lock"), "{rows:?}");
    }

    #[test]
    fn without_a_baseline_of_this_machine_nothing_is_judged() {
        let slow = counts(&[("lookup", 2_000)]);
        assert!(matches!(verdict(None, &build(), &slow), Verdict::NotRun(_)));
        let baseline = Baseline { build: build(), instructions: counts(&[("lookup", 1_000)]) };
        let other = Build { libc: "x".into(), ..build() };
        assert!(
            matches!(verdict(Some(&baseline), &other, &slow), Verdict::NotRun(reason) if reason.contains("C library"))
        );
    }
}
