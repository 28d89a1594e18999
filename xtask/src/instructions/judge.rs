//! Counts beside the baseline's.

use super::Counts;

/// A count that grows by more fails, in percent. Runs of one build are equal; a change of code elsewhere moves what is inlined, which
/// is no matter below this.
const MARGIN: f64 = 2.0;

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
pub(super) fn slower(counts: &Counts, baseline: &Counts) -> Vec<String> {
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
}
