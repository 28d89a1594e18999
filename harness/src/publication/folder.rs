//! The name of a published run's folder.

use crate::result::{RunFile, VenueKind};

/// `<date>-<kernels>[-<traffic>]`: the day the run ended, the versions of its vm kernels (without any, the host's; without a kernel, `sim`),
/// ascending, and which of `rates` and `connections` it measured, each of which may take hours of its own.
#[must_use]
pub fn folder(run: &RunFile) -> String {
    let day = run.environment.date.get(..10).unwrap_or(&run.environment.date);
    let of = |venue| run.environment.kernels.iter().filter(move |kernel| kernel.venue == venue);
    let mut releases: Vec<&str> = of(VenueKind::Vm).map(|kernel| kernel.release.as_str()).collect();
    if releases.is_empty() {
        releases = of(VenueKind::Host).map(|kernel| kernel.release.as_str()).collect();
    }
    if releases.is_empty() {
        return format!("{day}-sim");
    }
    let short = versions(&releases, 2);
    // Two kernels of one series need their third number to be told apart.
    let distinct = short.windows(2).all(|pair| pair[0] != pair[1]);
    let versions = if distinct { short } else { versions(&releases, 3) };
    let names = versions.iter().map(|parts| parts.iter().map(u32::to_string).collect::<Vec<_>>().join("."));
    std::iter::once(day.to_owned()).chain(names).chain(traffic(run)).collect::<Vec<_>>().join("-")
}

/// Which traffic a run measured beside single packets.
fn traffic(run: &RunFile) -> impl Iterator<Item = String> {
    let measured = [("rates", !run.rates.is_empty()), ("connections", !run.connections.is_empty())];
    measured.into_iter().filter(|(_, is_measured)| *is_measured).map(|(what, _)| what.to_owned())
}

/// The first `count` numbers of each release, ascending by number.
fn versions(releases: &[&str], count: usize) -> Vec<Vec<u32>> {
    let numbers = |release: &&str| {
        let parts = release.split(|c: char| !c.is_ascii_digit());
        parts.map_while(|part| part.parse().ok()).take(count).collect::<Vec<u32>>()
    };
    let mut versions: Vec<_> = releases.iter().map(numbers).collect();
    versions.sort();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_ascend_by_number() {
        let releases = ["6.12.117+deb13-amd64", "6.1.0-56-amd64", "7.2.13+deb14-amd64"];
        assert_eq!(versions(&releases, 2), [[6, 1], [6, 12], [7, 2]]);
        assert_eq!(versions(&["6.1.0-56-amd64"], 3), [[6, 1, 0]]);
    }
}
