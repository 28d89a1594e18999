//! How the time that a packet or an exchange takes grows with N, by the rates that a node carries: in words for every medium.

use curve_stats::{Fit, Observation, fit, median};

use super::axes;
use super::connections::load;
use super::number::{self, Medium};
use crate::result::{Axes, ConnectionCurve, ConnectionLoad, NewShare, RateCurve, RunFile, Unit, name, noise_floor};

/// A constant's name cannot stand in another's text.
macro_rules! left_out {
    () => {
        "Irregular searches are left out, and counted beside the rate; with fewer than six regular ones beside them, or where an irregular one found no rate at all, \
         the whole point is left out, as is one with a failed exchange."
    };
}

/// Which searches and points the rates do without.
pub(crate) const LEFT_OUT: &str = left_out!();

/// What the figures are, for every medium.
pub(super) const INTRO: &str = concat!(
    "The reciprocal of each rate: the time from one packet, or one exchange, to the next when as many are carried. Its class and slope by the same fits as those of \
     single packets, which it can be held against: what a service adds to the traversal it should add here. ",
    left_out!()
);

/// Columns that hold words; the others hold numbers.
pub(super) const WORDS: usize = 8;

/// Headings.
pub(super) fn columns() -> Vec<&'static str> {
    axes::columns(&["rate", "M", "from N", "time each", "to N", "time each", "class", "ns per service [95%]"])
}

/// One curve of rates, and how the time that each takes grows.
pub(crate) struct Growth<'a> {
    pub(crate) axes: &'a Axes,
    /// Share of packets that open a flow, in a mix.
    pub(crate) new_share: Option<NewShare>,
    /// As tables name it.
    pub(crate) venue: String,
    /// Which rate, and of what.
    pub(crate) rate: String,
    /// Irregular searches that the rates leave out, over all N.
    pub(crate) left_out: u32,
    /// A second, of the trials of each N, ascending: two N at the least, and no N without a rate.
    pub(crate) rates: Vec<(u32, &'a [f64])>,
    /// Of the nanoseconds from one to the next.
    pub(crate) fit: Fit,
}

/// Every curve that has two N.
pub(crate) fn growths(run: &RunFile) -> Vec<Growth<'_>> {
    let exchanges = run.connections.iter().filter_map(|curve| of_exchanges(run, curve));
    run.rates.iter().filter_map(of_packets).chain(exchanges).collect()
}

/// The rows of [`columns`].
pub(super) fn rows(run: &RunFile, medium: Medium) -> Vec<Vec<String>> {
    growths(run).iter().filter_map(|growth| growth.row(medium)).collect()
}

fn of_packets(curve: &RateCurve) -> Option<Growth<'_>> {
    let key = &curve.key;
    let bytes = if key.packet_size.is_default() { String::new() } else { format!(", {} bytes", key.packet_size) };
    let rate = format!("{}, {} goals{bytes}", key.rate, name(&key.method));
    let regular: Vec<_> = curve.points.iter().filter(|point| point.is_regular()).collect();
    let left_out = regular.iter().map(|point| point.left_out).sum::<u32>();
    let rates = regular.into_iter().map(|point| (point.services, &*point.values));
    let growth = Growth::of(&key.axes, name(&key.axes.venue), rate, rates)?;
    Some(Growth { new_share: key.new_share, left_out, ..growth })
}

/// The rate of an open loop was asked for, and streams have none.
fn of_exchanges<'a>(run: &RunFile, curve: &'a ConnectionCurve) -> Option<Growth<'a>> {
    if matches!(curve.key.load, ConnectionLoad::Open(_) | ConnectionLoad::Stream(_)) {
        return None;
    }
    let whole = curve.points.iter().filter(|point| point.trouble().is_none());
    let rates = whole.filter_map(|point| Some((point.services, &*point.per_second.as_ref()?.values)));
    let axes = &curve.key.axes;
    let venue = axes::venue(run, axes.venue, &axes.kernel);
    Growth::of(axes, venue, format!("connections, {}", load(&curve.key)), rates)
}

impl<'a> Growth<'a> {
    fn of(axes: &'a Axes, venue: String, rate: String, rates: impl Iterator<Item = (u32, &'a [f64])>) -> Option<Self> {
        let is_some = |(_, rates): &(u32, &[f64])| !rates.is_empty() && rates.iter().all(|rate| *rate > 0.0);
        let rates: Vec<_> = rates.filter(is_some).collect();
        let times = |&(services, rates): &(u32, &'a [f64])| rates.iter().map(move |rate| (services, 1e9 / rate));
        let observations = rates.iter().flat_map(times).map(|(services, time)| Observation::new(services, time));
        let fit = fit(&observations.collect::<Vec<_>>(), noise_floor(Unit::Ns)).ok()?;
        (rates.len() > 1).then_some(Self { axes, new_share: None, venue, rate, left_out: 0, rates, fit })
    }

    /// Which rate, and how many irregular searches it leaves out.
    pub(crate) fn rate_words(&self) -> String {
        let rate = self.rate.clone();
        if self.left_out == 0 { rate } else { format!("{rate}, irregular searches left out: {}", self.left_out) }
    }

    /// Nanoseconds from one to the next at each N, at the median rate.
    pub(super) fn times(&self) -> Vec<(u32, f64)> {
        let time = |&(services, rates): &(u32, &[f64])| Some((services, 1e9 / median(rates).ok()?));
        self.rates.iter().filter_map(time).collect()
    }

    /// The cells of [`columns`].
    pub(super) fn row(&self, medium: Medium) -> Option<Vec<String>> {
        let times = self.times();
        let (from, to) = times.first().zip(times.last())?;
        let mut found = vec![self.rate_words(), self.axes.endpoints.to_string()];
        for (services, time) in [from, to] {
            let size = number::count(u64::from(*services), medium);
            found.extend([size, number::duration(*time, Unit::Ns, medium)]);
        }
        found.extend([self.fit.label(), number::slope(&self.fit, medium)]);
        Some(axes::row(self.venue.clone(), self.axes, self.new_share, found))
    }

    /// What the fit says between the first N and the last.
    pub(super) fn line(&self) -> Vec<(f64, f64)> {
        let (Some((low, _)), Some((high, _))) = (self.rates.first(), self.rates.last()) else { return Vec::new() };
        super::fit::between(&self.fit, f64::from(*low), f64::from(*high))
    }
}

#[cfg(test)]
mod tests {
    use curve_stats::Class;

    use super::*;
    use crate::result::{RateKind, rate_curves, rate_record};

    fn run(rate: impl Fn(u32) -> f64) -> Vec<RateCurve> {
        let trials = |services| (0..6).map(move |trial| (services, trial));
        let all = [1, 1_000, 10_000].into_iter().flat_map(trials);
        // Trials lie a hundredth apart.
        let record =
            |(services, trial)| rate_record(services, trial, rate(services) * (1.0 + f64::from(trial) / 500.0));
        let mut curves = rate_curves(&all.map(record).collect::<Vec<_>>());
        curves.retain(|curve| curve.key.rate == RateKind::NoLoss);
        curves
    }

    #[test]
    fn a_rate_that_falls_as_a_walk_gets_longer_grows_linearly() {
        let curves = run(|services| 1e9 / (3_000.0 + 5.0 * f64::from(services)));
        let growth = of_packets(&curves[0]).unwrap();
        assert!(growth.fit.is(Class::Linear), "{}", growth.fit.label());
        let [low, high] = growth.fit.slope_ci95.unwrap();
        assert!(low < 5.0 && 4.9 < high && high - low < 0.5, "{low} {high}");
        let row = growth.row(Medium::Terminal).unwrap();
        assert_eq!(row.len(), columns().len());
        assert_eq!((&*row[9], &*row[11], &*row[13]), ("1", "10,000", "linear"));
        assert!(growth.line().len() > 2);
    }

    #[test]
    fn a_rate_that_stays_is_constant_and_one_n_is_no_growth() {
        assert!(of_packets(&run(|_| 3e5)[0]).unwrap().fit.is(Class::Constant));
        let mut one = run(|_| 3e5);
        one[0].points.truncate(1);
        assert!(of_packets(&one[0]).is_none());
        let mut irregular = run(|_| 3e5);
        irregular[0].points.iter_mut().skip(1).for_each(|point| point.irregular = 1);
        assert!(of_packets(&irregular[0]).is_none());
    }

    #[test]
    fn an_irregular_search_takes_no_n_away_where_six_regular_ones_remain() {
        let searches = [1, 1_000].into_iter().flat_map(|services| (0..7).map(move |trial| (services, trial)));
        let record = |(services, trial): (u32, u32)| {
            let mut search = rate_record(services, trial, 3e5 + f64::from(trial));
            if (services, trial) == (1_000, 0) {
                let goal = &mut search.goals[0];
                (goal.throughput_pps, goal.irregular) = (Some(1.0), Some("the budget was spent".to_owned()));
            }
            search
        };
        let curves = rate_curves(&searches.map(record).collect::<Vec<_>>());
        let growth = of_packets(&curves[0]).unwrap();
        let counts: Vec<_> = growth.rates.iter().map(|(services, rates)| (*services, rates.len())).collect();
        assert_eq!(counts, [(1, 7), (1_000, 6)]);
        assert!(growth.rates.iter().all(|(_, rates)| rates.iter().all(|rate| *rate >= 3e5)), "{:?}", growth.rates);
        let row = growth.row(Medium::Terminal).unwrap();
        assert!(row.contains(&"no loss (NDR), quick goals, irregular searches left out: 1".to_owned()), "{row:?}");
    }
}
