//! Readings to score, verdict and advice. Pure. METHODOLOGY.md ("Preflight") says where the limits come from.

use crate::result::{Finding, NoiseVerdict, Preflight, Readings};

/// Up to `quiet` a reading costs nothing; from there to `bad` the points rise in a straight line to `most`.
struct Limit {
    quiet: f64,
    bad: f64,
    most: f64,
}

const STEAL: Limit = Limit { quiet: 0.01, bad: 0.10, most: 65.0 };
const WAITED: Limit = Limit { quiet: 0.01, bad: 0.20, most: 65.0 };
const VARIATION: Limit = Limit { quiet: 0.02, bad: 0.50, most: 40.0 };
/// Per CPU.
const RUNNABLE: Limit = Limit { quiet: 0.25, bad: 1.0, most: 40.0 };
/// A second.
const INVOLUNTARY: Limit = Limit { quiet: 20.0, bad: 200.0, most: 20.0 };
/// A second and CPU.
const INTERRUPTS: Limit = Limit { quiet: 2_000.0, bad: 20_000.0, most: 20.0 };
/// Per CPU.
const LOAD_AVERAGE: Limit = Limit { quiet: 0.5, bad: 2.0, most: 10.0 };
/// Lowest clock rate below the highest, as a share of the highest.
const FREQUENCY: Limit = Limit { quiet: 0.05, bad: 0.30, most: 20.0 };
/// What a circumstance costs that no reading can show.
const CIRCUMSTANCE: f64 = 10.0;
/// Fewer CPUs leave none to the machine's own work while saturation uses two.
const CPUS: u32 = 3;

/// Scores below this are not quiet.
const QUIET: u8 = 85;
/// Scores below this are too noisy to conclude from.
const NOISY: u8 = 40;

impl Limit {
    fn points(&self, value: f64) -> f64 {
        ((value - self.quiet) / (self.bad - self.quiet)).clamp(0.0, 1.0) * self.most
    }
}

/// Weighs the readings.
pub(super) fn assess(readings: Readings) -> Preflight {
    let mut findings = findings(&readings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.points));
    let lost = findings.iter().fold(0_u32, |sum, finding| sum + u32::from(finding.points));
    let score = u8::try_from(100_u32.saturating_sub(lost)).unwrap_or(0);
    let verdict = match score {
        QUIET.. => NoiseVerdict::Quiet,
        NOISY.. => NoiseVerdict::Noisy,
        _ => NoiseVerdict::TooNoisy,
    };
    Preflight { score, verdict, readings, findings }
}

fn findings(readings: &Readings) -> Vec<Finding> {
    let cpus = f64::from(readings.cpus.max(1));
    let mut found = disturbances(readings, cpus);
    found.extend(clock_rate(readings));
    found.extend(circumstances(readings));
    let worth_naming = |(reading, points, advice): (&str, f64, String)| {
        // Whole points, so that what is shown adds up to what is lost.
        let points = points.round() as u8;
        (points > 0).then(|| Finding { reading: reading.to_owned(), points, advice })
    };
    found.into_iter().filter_map(worth_naming).collect()
}

type Weighed = (&'static str, f64, String);

fn disturbances(readings: &Readings, cpus: f64) -> Vec<Weighed> {
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let waited = readings.waited.unwrap_or(0.0);
    let worst = readings.loops.iter().max_by(|a, b| a.variation.total_cmp(&b.variation));
    let variation = worst.map_or(0.0, |worst| worst.variation);
    let interrupts = readings.interrupts.max(readings.soft_interrupts);
    vec![
        (
            "steal",
            STEAL.points(readings.steal),
            format!(
                "the hypervisor took {} of the CPU time: use a machine whose CPUs are its own, or measure when its neighbours rest",
                percent(readings.steal)
            ),
        ),
        (
            "waited",
            WAITED.points(waited),
            format!(
                "the probe waited {} of its time for a CPU that others used: stop other work on this machine",
                percent(waited)
            ),
        ),
        (
            "variation",
            VARIATION.points(variation),
            format!(
                "a fixed loop varied by {} on CPU {}: something else uses the CPU, its sibling thread, or changes its clock",
                percent(variation),
                worst.map_or(0, |worst| worst.cpu)
            ),
        ),
        (
            "runnable",
            RUNNABLE.points(readings.runnable / cpus),
            format!(
                "{:.1} other tasks were ready to run on {} CPUs: stop other work on this machine",
                readings.runnable, readings.cpus
            ),
        ),
        (
            "involuntary-switches",
            INVOLUNTARY.points(readings.involuntary_switches),
            format!(
                "the probe was taken from its CPU {:.0} times a second: stop other work, or isolate CPUs (isolcpus, cpusets)",
                readings.involuntary_switches
            ),
        ),
        (
            "interrupts",
            INTERRUPTS.points(interrupts),
            format!(
                "{interrupts:.0} interrupts a second on each CPU: stop network and disk traffic, or move their interrupts to other CPUs"
            ),
        ),
        (
            "load-average",
            LOAD_AVERAGE.points(readings.load_average / cpus),
            format!(
                "the load average of the last minute is {:.1} on {} CPUs: wait until earlier work has ended",
                readings.load_average, readings.cpus
            ),
        ),
    ]
}

/// A governor that follows load makes the first packets of a trial slower than the last.
fn clock_rate(readings: &Readings) -> Vec<Weighed> {
    let frequency = &readings.frequency;
    let fixed = frequency.governor.as_deref().is_none_or(|governor| governor == "performance");
    let governor = frequency.governor.as_deref().unwrap_or_default();
    let mut found = Vec::new();
    if !fixed {
        let advice = format!(
            "the frequency governor is {governor}: set it to performance (cpupower frequency-set -g performance)"
        );
        found.push(("governor", CIRCUMSTANCE, advice));
    }
    if let (Some(lowest), Some(highest)) = (frequency.lowest_mhz, frequency.highest_mhz) {
        let drop = if highest > 0.0 { (highest - lowest) / highest } else { 0.0 };
        let advice =
            format!("the CPUs ran at {lowest:.0} to {highest:.0} MHz: fix the clock rate, and switch turbo off");
        found.push(("frequency", FREQUENCY.points(drop), advice));
    }
    found
}

fn circumstances(readings: &Readings) -> Vec<Weighed> {
    let mut found = Vec::new();
    if readings.virtual_machine {
        let advice =
            "this is a virtual machine: neighbours share its caches and memory unseen; prefer bare metal".to_owned();
        found.push(("virtual-machine", CIRCUMSTANCE, advice));
    }
    if readings.cpus < CPUS {
        let advice = format!(
            "{} CPUs leave none to the machine's own work while two measure: prefer {CPUS} or more",
            readings.cpus
        );
        found.push(("cpus", CIRCUMSTANCE, advice));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::result::{Frequency, LoopReading};

    fn bare_metal() -> Readings {
        let on = |cpu| LoopReading { cpu, repetitions: 300, median_us: 1000.0, slowest_us: 1020.0, variation: 0.004 };
        Readings {
            watched_ms: 1500.0,
            cpus: 8,
            virtual_machine: false,
            steal: 0.0,
            waited: Some(0.0001),
            voluntary_switches: 1.0,
            involuntary_switches: 2.0,
            interrupts: 250.0,
            soft_interrupts: 300.0,
            load_average: 0.1,
            runnable: 0.02,
            frequency: Frequency {
                governor: Some("performance".into()),
                lowest_mhz: Some(3000.0),
                highest_mhz: Some(3010.0),
            },
            loops: (0..8).map(on).collect(),
        }
    }

    fn names(preflight: &Preflight) -> Vec<&str> {
        preflight.findings.iter().map(|finding| finding.reading.as_str()).collect()
    }

    #[test]
    fn idle_bare_metal_is_quiet() {
        let preflight = assess(bare_metal());
        assert_eq!((preflight.score, preflight.verdict), (100, NoiseVerdict::Quiet));
        assert_eq!(preflight.to_string(), "quiet, score 100 of 100");
    }

    #[test]
    fn an_idle_virtual_machine_of_two_cpus_is_noisy_and_usable() {
        let preflight = assess(Readings { cpus: 2, virtual_machine: true, ..bare_metal() });
        assert_eq!(preflight.verdict, NoiseVerdict::Noisy);
        assert_eq!(names(&preflight), ["virtual-machine", "cpus"]);
    }

    #[test]
    fn a_tenth_of_steal_alone_is_too_noisy() {
        let preflight = assess(Readings { steal: 0.10, ..bare_metal() });
        assert_eq!(preflight.verdict, NoiseVerdict::TooNoisy);
        assert!(preflight.to_string().contains("the hypervisor took 10.0% of the CPU time"), "{preflight}");
    }

    #[test]
    fn a_busy_neighbour_process_is_too_noisy() {
        let readings = Readings { waited: Some(0.45), runnable: 8.0, load_average: 7.0, ..bare_metal() };
        let preflight = assess(readings);
        assert_eq!(preflight.verdict, NoiseVerdict::TooNoisy);
        assert_eq!(names(&preflight), ["waited", "runnable", "load-average"]);
    }

    #[test]
    fn a_governor_that_follows_load_is_named() {
        let mut readings = bare_metal();
        readings.frequency =
            Frequency { governor: Some("powersave".into()), lowest_mhz: Some(800.0), highest_mhz: Some(3000.0) };
        assert_eq!(names(&assess(readings)), ["frequency", "governor"]);
    }

    proptest! {
        #[test]
        fn more_noise_never_scores_better(
            steal in 0.0..1.0_f64, waited in 0.0..1.0_f64, variation in 0.0..3.0_f64, more in 0.0..0.5_f64, which in 0..3_u8,
        ) {
            let readings = |steal, waited, variation| {
                let mut readings = Readings { steal, waited: Some(waited), ..bare_metal() };
                readings.loops[3].variation = variation;
                readings
            };
            let plus = |index, value: f64| if which == index { value + more } else { value };
            let less = assess(readings(steal, waited, variation));
            let worse = assess(readings(plus(0, steal), plus(1, waited), plus(2, variation)));
            prop_assert!(worse.score <= less.score && worse.verdict >= less.verdict);
            let lost: u32 = less.findings.iter().map(|finding| u32::from(finding.points)).sum();
            prop_assert_eq!(u32::from(less.score), 100_u32.saturating_sub(lost));
        }
    }
}
