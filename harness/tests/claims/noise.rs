//! Trials that cannot tell leave a claim undecided.

use lbcurve::result::{ProgrammingRecord, RunFile, TrialKind, TrialRecord, Unit, assemble};
use lbcurve::workload::VipLayout;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::programming::programming;
use super::throughput::saturation;
use super::{CANNOT_TELL, SIZES, Shape, expect, flat, iptables, ipvs, linear, only, run, synthetic, trials};

/// Real time on a machine that is loud: each trial's value is off by up to this share, either way.
struct Loud {
    share: f64,
    rng: ChaCha8Rng,
}

impl Loud {
    fn new(share: f64, seed: u64) -> Self {
        Self { share, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn factor(&mut self) -> f64 {
        1.0 + self.share * self.rng.random_range(-1.0..1.0)
    }

    fn trials(&mut self, shapes: &[Shape<'_>]) -> Vec<TrialRecord> {
        let mut all = Vec::new();
        for (trial, index) in
            trials(shapes, &SIZES).into_iter().flat_map(|trial| (0..5).map(move |i| (trial.clone(), i)))
        {
            let (index, median) = (trial.trial + 2 * index, trial.quantiles.p50 as f64 * self.factor());
            all.push(synthetic::trial(trial.cell, TrialKind::Traversal, index, Unit::Ns, median as u64));
        }
        all
    }

    fn run(&mut self, shapes: &[Shape<'_>], programming: &[ProgrammingRecord]) -> RunFile {
        let trials = self.trials(shapes);
        assemble(synthetic::manifest(&trials), &trials, programming, &[], &[]).expect("the trials are finite")
    }
}

/// Noise is no verdict: over ten seeds hardly any, and never the one that the curve behind the noise contradicts.
#[track_caller]
fn undecided(claim: &str, wrong: &str, words: &[&str], run: impl Fn(u64) -> RunFile) {
    let judgements: Vec<_> = (0..10).map(|seed| only(&run(seed), claim)).collect();
    assert!(judgements.iter().all(|j| j.verdict.to_string() != wrong), "{judgements:#?}");
    let open: Vec<_> = judgements.iter().filter(|j| j.verdict.to_string().starts_with(CANNOT_TELL)).collect();
    assert!(open.len() >= 7, "{} of 10 undecided", open.len());
    for judgement in open {
        let said = format!("{} ({})", judgement.verdict, judgement.reason);
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
        // What the verdict says is not said again.
        let said = judgement.verdict.to_string();
        let mut parts = judgement.reason.split("; ").filter(|part| !part.is_empty());
        assert!(parts.all(|part| !said.contains(part)), "{judgement:#?}");
        assert!(judgement.figures.iter().any(|figure| figure.interval.is_some() || figure.note.is_some()));
    }
}

#[test]
fn c1_of_noise_is_undecided() {
    undecided("C1", "holds", &["undetermined: ", "growth of 10%"], |seed| {
        Loud::new(0.9, seed).run(&[iptables(&flat)], &[])
    });
    let pods = |endpoints| Shape { endpoints, ..iptables(&linear) };
    let run = Loud::new(0.3, 1).run(&[pods(1), pods(2), pods(10)], &[]);
    let words = ["linear in Services", "growth with backend pods undetermined, slope over M in ["];
    expect(&run, "C1", CANNOT_TELL, &words);
}

/// Caches make a linear walk look so.
#[test]
fn c1_is_undecided_where_time_grows_faster_than_services() {
    let timed = |added: &dyn Fn(f64) -> f64| Loud::new(0.0005, 1).run(&[iptables(added)], &[]);
    let dearer = |n: f64| 7000.0 + 2.0 * n * n.max(1.0).log2();
    let words = ["n log n in Services; faster than O(n)", "outgrow the caches; instructions tell (--venue vm"];
    expect(&timed(&dearer), "C1", CANNOT_TELL, &words);
    // No cache does that.
    expect(&timed(&|n| 7000.0 + 0.05 * n * n), "C1", "does not hold", &["faster than O(n)"]);
}

#[test]
fn c2_of_noise_is_undecided() {
    let shapes = [ipvs(VipLayout::Sequential, &flat), ipvs(VipLayout::Stride256, &flat)];
    undecided("C2", "does not hold", &["VIPs, first: undetermined: "], |seed| Loud::new(0.9, seed).run(&shapes, &[]));
}

#[test]
fn c3_of_noise_is_undecided() {
    let words = ["IPVS carries more than iptables-legacy: undetermined, ["];
    undecided("C3", "does not hold", &words, |seed| {
        let mut loud = Loud::new(0.8, seed);
        let mut records = saturation([1.02, 1.02, 1.02]);
        records.iter_mut().for_each(|record| record.forwarded_pps *= loud.factor());
        run(&[iptables(&linear)], &[], &records)
    });
}

#[test]
fn c4_of_noise_is_undecided() {
    let shapes = [iptables(&|n| 10_000.0 + 0.7 * n), ipvs(VipLayout::Sequential, &flat)];
    undecided("C4", "does not hold", &["adds more than IPVS: "], |seed| Loud::new(0.6, seed).run(&shapes, &[]));
}

#[test]
fn c9_of_noise_is_undecided() {
    undecided("C9", "does not hold", &["undetermined: "], |seed| {
        let mut loud = Loud::new(0.9, seed);
        let mut records = [(); 5].map(|()| programming(&flat, &flat)).concat();
        for record in &mut records {
            record.unit = Unit::Ns;
            record.total = (record.total as f64 * loud.factor()) as u64;
        }
        loud.run(&[iptables(&linear)], &records)
    });
}
