//! From trials to `run.json`: curves, pairing, flags, warnings.

mod synthetic;

use curve_stats::Spread;
use lbcurve::result::{
    AssembleError, BackendKind, Bracket, Cell, Curve, CurveKey, Flow, Metric, Position, RunFile, TrialKind,
    TrialRecord, Unit, VenueKind, Warning, assemble, read_run_file, write_run_file,
};
use lbcurve::workload::VipLayout;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use synthetic::{cell, manifest, trial};

fn traversal(backend: BackendKind, services: u32, index: u32, median: u64) -> TrialRecord {
    let position = if backend == BackendKind::DirectConntrack { Position::Missing } else { Position::Last };
    trial(cell(backend, services, Flow::New, position), TrialKind::Traversal, index, Unit::Instructions, median)
}

fn assembled(trials: &[TrialRecord]) -> RunFile {
    assemble(manifest(trials), trials, &[], &[], &[]).expect("the trials are finite")
}

fn find(run: &RunFile, backend: BackendKind, metric: Metric) -> &Curve {
    let mut curves = run.curves.iter().filter(|c| c.key.axes.backend == backend && c.key.metric == metric);
    curves.next().expect("the curve is there")
}

#[test]
fn classes_and_slopes_are_those_of_the_formulas() {
    let run = synthetic::run();
    let class = |backend, position, layout| {
        let wanted = |c: &&Curve| {
            let key = &c.key;
            (key.axes.venue, key.metric, key.axes.flow) == (VenueKind::Vm, Metric::Traversal, Flow::New)
                && (key.axes.backend, key.axes.position, key.axes.layout) == (backend, position, layout)
        };
        let fit = &run.curves.iter().find(wanted).expect("the curve is there").fit;
        (fit.label(), fit.slope_per_service.expect("there is a slope").round())
    };
    assert_eq!(class(BackendKind::IptablesLegacy, Position::Last, VipLayout::Sequential), ("linear".to_owned(), 26.0));
    assert_eq!(class(BackendKind::Ipvs, Position::First, VipLayout::Sequential), ("constant".to_owned(), 0.0));
    assert_eq!(class(BackendKind::Ipvs, Position::First, VipLayout::Stride256), ("linear".to_owned(), 13.0));
    assert_eq!(class(BackendKind::Nftables, Position::Last, VipLayout::Sequential), ("constant".to_owned(), 0.0));
}

#[test]
fn added_is_paired_by_trial_index_and_signed() {
    let trials = [
        traversal(BackendKind::DirectConntrack, 10, 0, 4000),
        traversal(BackendKind::DirectConntrack, 10, 1, 5000),
        traversal(BackendKind::Ipvs, 10, 1, 5700),
        traversal(BackendKind::Ipvs, 10, 0, 3900),
    ];
    let run = assembled(&trials);
    // Pairs 3900 - 4000 and 5700 - 5000: the median of -100 and 700. Unpaired medians would give the same; the quantiles not.
    let point = &find(&run, BackendKind::Ipvs, Metric::Added).points[0];
    assert_eq!((point.p50, point.trials), (300.0, 2));
    assert_eq!(point.p90, f64::midpoint(3900.0 * 1.04 - 4000.0 * 1.04, 5700.0 * 1.04 - 5000.0 * 1.04));
    assert!(
        !run.curves.iter().any(|c| c.key.axes.backend == BackendKind::DirectConntrack && c.key.metric == Metric::Added)
    );
}

#[test]
fn one_partner_missing_gives_added_of_the_others_and_a_warning() {
    let trials = [
        traversal(BackendKind::DirectConntrack, 1, 0, 4000),
        traversal(BackendKind::Ipvs, 1, 0, 4546),
        traversal(BackendKind::Ipvs, 1, 1, 4550),
        traversal(BackendKind::Ipvs, 1000, 0, 4719),
    ];
    let run = assembled(&trials);
    let added = find(&run, BackendKind::Ipvs, Metric::Added);
    assert_eq!((added.points.len(), added.points[0].trials, added.points[0].p50), (1, 1, 546.0));
    let lists = |w: &Warning| matches!(w, Warning::NoBaseline { services, .. } if services[..] == [1, 1000]);
    assert!(run.warnings.iter().any(lists), "{:?}", run.warnings);
}

#[test]
fn the_partner_of_the_same_layout_and_endpoints_is_preferred() {
    let mut other = traversal(BackendKind::DirectConntrack, 1, 0, 4200);
    other.cell.layout = VipLayout::Stride256;
    let mut stride = traversal(BackendKind::Ipvs, 1, 0, 4700);
    stride.cell.layout = VipLayout::Stride256;
    let mut random = traversal(BackendKind::Ipvs, 1, 0, 4700);
    random.cell.layout = VipLayout::Random;
    let run = assembled(&[other, traversal(BackendKind::DirectConntrack, 1, 0, 4000), stride, random]);
    let added: Vec<_> = run.curves.iter().filter(|c| c.key.metric == Metric::Added).collect();
    let of = |layout| added.iter().find(|c| c.key.axes.layout == layout).expect("the curve is there").points[0].p50;
    assert_eq!((of(VipLayout::Stride256), of(VipLayout::Random)), (500.0, 700.0));
}

#[test]
fn a_point_holds_the_values_of_its_trials_and_a_cell_all_their_packets() {
    let run = assembled(&[
        traversal(BackendKind::DirectConntrack, 10, 0, 4000),
        traversal(BackendKind::DirectConntrack, 10, 1, 5000),
        traversal(BackendKind::Ipvs, 10, 1, 5700),
        traversal(BackendKind::Ipvs, 10, 0, 3900),
    ]);
    let point = &find(&run, BackendKind::Ipvs, Metric::Added).points[0];
    assert_eq!(point.values, [-100.0, 700.0]);
    assert_eq!(point.spread, Spread::Range { low: -100.0, high: 700.0 });
    assert_eq!(find(&run, BackendKind::Ipvs, Metric::Traversal).points[0].values, [3900.0, 5700.0]);
    assert_eq!(run.distributions.len(), 2);
    let ipvs = run.distributions.iter().find(|d| d.cell.backend == BackendKind::Ipvs).expect("it was measured");
    // Half of the packets took 3900, which is exact to three digits; the minimum is the trials' own, exact.
    assert_eq!((ipvs.packets, ipvs.min, ipvs.max), (4000, 3900 * 980 / 1000, 5703));
    let at = |wanted| ipvs.quantiles.iter().find(|q| q.quantile == wanted).expect("the quantile is there").value;
    assert_eq!((at(0.0), at(0.5), at(0.6), at(1.0)), (3822, 3901, 5703, 5703));
    assert!(ipvs.quantiles.is_sorted_by(|a, b| a.quantile < b.quantile && a.value <= b.value));
}

#[test]
fn added_pairs_within_its_bracket_and_may_be_negative() {
    let in_xdp = |backend, median| {
        let mut trial = traversal(backend, 10, 0, median);
        trial.cell.bracket = Bracket::Xdp;
        trial
    };
    let run = assembled(&[
        traversal(BackendKind::DirectConntrack, 10, 0, 4000),
        traversal(BackendKind::EbpfTc, 10, 0, 3000),
        in_xdp(BackendKind::DirectConntrack, 9000),
        in_xdp(BackendKind::EbpfTc, 7000),
        in_xdp(BackendKind::EbpfXdp, 2000),
    ]);
    let added = |backend, bracket| {
        let wanted =
            |key: &CurveKey| (key.axes.backend, key.axes.bracket, key.metric) == (backend, bracket, Metric::Added);
        run.curves.iter().find(|curve| wanted(&curve.key)).map(|curve| curve.points[0].p50)
    };
    assert_eq!(added(BackendKind::EbpfTc, Bracket::Tc), Some(-1000.0));
    assert_eq!(added(BackendKind::EbpfTc, Bracket::Xdp), Some(-2000.0));
    assert_eq!(added(BackendKind::EbpfXdp, Bracket::Xdp), Some(-7000.0));
    assert_eq!((added(BackendKind::EbpfXdp, Bracket::Tc), run.warnings.len()), (None, 0));
    // Without the yardstick of its own bracket there is none, whatever the other bracket has.
    let alone = assembled(&[traversal(BackendKind::DirectConntrack, 10, 0, 4000), in_xdp(BackendKind::EbpfXdp, 2000)]);
    assert!(matches!(&alone.warnings[..], [Warning::NoBaseline { curve, .. }] if curve.axes.bracket == Bracket::Xdp));
}

#[test]
fn the_bracket_of_older_files_is_tc_and_is_not_written() {
    let cell = cell(BackendKind::Direct, 1, Flow::New, Position::Missing);
    let text = serde_json::to_string(&cell).unwrap();
    assert!(!text.contains("bracket"), "{text}");
    assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), cell);
    let beside = Cell { bracket: Bracket::Xdp, ..cell };
    let text = serde_json::to_string(&beside).unwrap();
    assert!(text.contains(r#""bracket":"xdp""#), "{text}");
    assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), beside);
}

#[test]
fn a_histogram_of_other_packets_than_its_trial_is_refused() {
    let mut trial = traversal(BackendKind::Ipvs, 1, 0, 4700);
    trial.packets = 1999;
    let trials = [trial];
    let error = assemble(manifest(&trials), &trials, &[], &[], &[]).unwrap_err();
    assert!(matches!(error, AssembleError::Distribution { .. }), "{error}");
}

#[test]
fn lost_and_misdirected_packets_flag_the_point_and_warn() {
    let mut lossy = traversal(BackendKind::Ipvs, 10, 0, 4700);
    (lossy.lost, lossy.misdirected, lossy.mismatched) = (3, 2, 1);
    let fine = traversal(BackendKind::Ipvs, 10, 1, 4700);
    let mut slipped = traversal(BackendKind::Ipvs, 100, 0, 4700);
    slipped.mismatched = 5;
    let run = assembled(&[lossy, fine, slipped]);
    let curve = find(&run, BackendKind::Ipvs, Metric::Traversal);
    assert_eq!(curve.points[0].suspect.as_deref(), Some("1 of 2 trials: 3 packets lost, 2 misdirected, 1 mismatched"));
    let slipped = "1 of 1 trials: 0 packets lost, 0 misdirected, 5 mismatched";
    assert_eq!(curve.points[1].suspect.as_deref(), Some(slipped));
    assert_eq!((curve.integrity.mismatched, curve.integrity.lost, curve.integrity.misdirected), (6, 3, 2));
    assert_eq!(run.warnings.iter().filter(|w| matches!(w, Warning::Suspect { .. })).count(), 2);
}

#[test]
fn a_lossy_partner_makes_added_suspect_too() {
    let mut base = traversal(BackendKind::DirectConntrack, 10, 0, 4000);
    base.lost = 1;
    let run = assembled(&[base, traversal(BackendKind::Ipvs, 10, 0, 4700)]);
    assert!(find(&run, BackendKind::Ipvs, Metric::Added).points[0].suspect.is_some());
    assert!(find(&run, BackendKind::Ipvs, Metric::Traversal).points[0].suspect.is_none());
}

#[test]
fn duplicates_count_once_and_missing_cells_are_told() {
    let trials = [traversal(BackendKind::Ipvs, 1, 0, 1), traversal(BackendKind::Ipvs, 1, 0, 4700)];
    let mut manifest = manifest(&trials);
    let mut more = manifest.plan.cells[0].clone();
    more.cell.services = 77;
    manifest.plan.cells.push(more);
    let run = assemble(manifest, &trials, &[], &[], &[]).unwrap();
    let point = &find(&run, BackendKind::Ipvs, Metric::Traversal).points[0];
    assert_eq!((point.trials, point.p50), (1, 4700.0));
    assert!(run.warnings.iter().any(|w| matches!(w, Warning::DuplicateTrial { trial: 0, .. })));
    assert!(run.warnings.iter().any(|w| matches!(w, Warning::Unmeasured { cells: 1, first } if first.services == 77)));
}

#[test]
fn a_run_file_is_written_whole_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.json");
    let run = synthetic::run();
    write_run_file(&path, &run).unwrap();
    let back = read_run_file(&path).unwrap();
    assert_eq!(back, run);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn order_of_trials_does_not_matter(seed in any::<u64>()) {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let trials: Vec<_> = synthetic::trials().into_iter().filter(|t| t.cell.services <= 10).collect();
        let mut shuffled = trials.clone();
        for i in (1..shuffled.len()).rev() {
            shuffled.swap(i, rng.random_range(0..=i));
        }
        prop_assert_eq!(assembled(&trials), assembled(&shuffled));
    }
}

/// Trials of one host cell with these medians.
fn host_trials(services: u32, medians: &[u64]) -> Vec<TrialRecord> {
    let cell =
        Cell { venue: VenueKind::Host, ..cell(BackendKind::DirectConntrack, services, Flow::New, Position::Missing) };
    let one =
        |(index, median): (usize, &u64)| trial(cell.clone(), TrialKind::Traversal, index as u32, Unit::Ns, *median);
    medians.iter().enumerate().map(one).collect()
}

const STEADY: [u64; 10] = [5020, 4990, 5010, 5000, 4980, 5030, 4970, 5005, 4995, 5015];

#[test]
fn a_trial_far_from_the_others_is_warned_of() {
    let mut medians = STEADY;
    medians[3] = 9000;
    let run = assembled(&host_trials(10, &medians));
    let [Warning::Outlier { cell, trials, of, furthest_percent }] = &run.warnings[..] else {
        panic!("{:?}", run.warnings)
    };
    assert_eq!((cell.services, &trials[..], *of, *furthest_percent), (10, &[3][..], 10, 80));
    let text = run.warnings[0].to_string();
    assert!(text.contains("trial 3 of 10") && text.contains("+80%") && text.contains("measure again"), "{text}");
    // Far by the spread of the others, but by less than a tenth: it changes nothing.
    medians[3] = 5400;
    assert_eq!(assembled(&host_trials(10, &medians)).warnings, []);
}

#[test]
fn trials_that_move_with_the_rounds_are_warned_of() {
    let rising: Vec<u64> = (0..10).map(|i| 5000 + 50 * i).collect();
    let trials: Vec<_> = [host_trials(10, &rising), host_trials(100, &STEADY)].concat();
    let run = assembled(&trials);
    let [Warning::Drift { cell, trials, change_percent }] = &run.warnings[..] else { panic!("{:?}", run.warnings) };
    assert_eq!((cell.services, *trials, *change_percent), (10, 10, 6));
    assert!(run.warnings[0].to_string().contains("moves by +6% from the first third of 10 trials"));
}

#[test]
fn instructions_are_not_screened() {
    let mut trials = host_trials(10, &[5000, 5100, 5200, 5300, 5400, 5500, 5600, 5700, 5800, 50_000]);
    trials.iter_mut().for_each(|t| (t.cell.venue, t.unit) = (VenueKind::Vm, Unit::Instructions));
    assert_eq!(assembled(&trials).warnings, []);
}

#[test]
fn a_clean_host_run_has_almost_no_warning() {
    // 60 cells of ten trials, noise of 10%: an outlier is found in one clean cell of 200, drift in one run of 20.
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut median = || {
        let sum = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        (5000.0 * (1.0 + 0.1 * sum)) as u64
    };
    let mut medians = || -> Vec<u64> { (0..10).map(|_| median()).collect() };
    let trials: Vec<_> = (1..=60).flat_map(|n| host_trials(n, &medians())).collect();
    let run = assembled(&trials);
    assert!(run.warnings.len() <= 1, "{:?}", run.warnings);
}

#[test]
fn the_error_of_what_is_added_is_that_of_the_traversals() {
    let sizes = [1, 10, 100, 1000, 10_000];
    let of = |base: u64| {
        let trials: Vec<_> = sizes
            .iter()
            .flat_map(|&n| {
                [(BackendKind::DirectConntrack, n, base), (BackendKind::Ipvs, n, base + 1000 + u64::from(n % 7))]
            })
            .map(|(backend, n, median)| traversal(backend, n, 0, median))
            .collect();
        let [low, high] = find(&assembled(&trials), BackendKind::Ipvs, Metric::Added).fit.slope_ci95.unwrap();
        high - low
    };
    // The difference is the same: what it was taken from is ten times as large, and so is what a seed moves.
    let (small, large) = (of(10_000), of(100_000));
    assert!(large > 5.0 * small, "{small} {large}");
}
