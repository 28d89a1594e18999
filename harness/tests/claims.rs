//! Every verdict that a claim can have, on runs whose curves are known functions.
//!
//! `INSTA_UPDATE=always cargo test -p lbcurve --test claims` rewrites the golden texts.

mod synthetic;

use lbcurve::claims::{CLAIMS, Judgement, Verdict, json, judge, markdown, table};
use lbcurve::result::{
    Arrivals, Attempt, BackendKind, ConnectionRecord, Destination, EndpointChange, FairnessRecord, Flow, GoalRecord,
    LagRecord, PacketSize, Position, ProgrammingOp, ProgrammingRecord, RateMethod, RateRecord, ReachabilityRecord,
    Reached, Recorded, RunFile, Spreading, ThroughputRecord, TrialKind, TrialRecord, Unit, assemble, assemble_records,
    encode_reached, rate_curves,
};
use lbcurve::workload::VipLayout;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIZES: [u32; 9] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
/// Traversal of plain routing with conntrack.
const PLAIN: f64 = 4100.0;

/// What a backend adds to a new flow, over N.
struct Shape<'a> {
    backend: BackendKind,
    layout: VipLayout,
    position: Position,
    endpoints: u32,
    added: &'a dyn Fn(f64) -> f64,
}

fn iptables(added: &dyn Fn(f64) -> f64) -> Shape<'_> {
    let (backend, position) = (BackendKind::IptablesLegacy, Position::Last);
    Shape { backend, layout: VipLayout::Sequential, position, endpoints: 2, added }
}

fn ipvs(layout: VipLayout, added: &dyn Fn(f64) -> f64) -> Shape<'_> {
    Shape { backend: BackendKind::Ipvs, layout, position: Position::First, endpoints: 2, added }
}

fn trials(shapes: &[Shape<'_>], sizes: &[u32]) -> Vec<TrialRecord> {
    let plain: &dyn Fn(f64) -> f64 = &|_| 0.0;
    let (backend, position) = (BackendKind::DirectConntrack, Position::Missing);
    let mut pods: Vec<_> = shapes.iter().map(|shape| shape.endpoints).collect();
    pods.sort_unstable();
    pods.dedup();
    let baselines = pods.iter().map(|&endpoints| Shape {
        backend,
        layout: VipLayout::Sequential,
        position,
        endpoints,
        added: plain,
    });
    let mut trials = Vec::new();
    for shape in shapes.iter().map(|s| Shape { ..*s }).chain(baselines) {
        for (&services, index) in sizes.iter().flat_map(|services| [(services, 0), (services, 1)]) {
            let median = PLAIN + (shape.added)(f64::from(services)) + f64::from(index);
            let mut cell = synthetic::cell(shape.backend, services, Flow::New, shape.position);
            (cell.layout, cell.endpoints) = (shape.layout, shape.endpoints);
            trials.push(synthetic::trial(cell, TrialKind::Traversal, index, Unit::Instructions, median as u64));
        }
    }
    trials
}

fn run(shapes: &[Shape<'_>], programming: &[ProgrammingRecord], throughput: &[ThroughputRecord]) -> RunFile {
    let trials = trials(shapes, &SIZES);
    assemble(synthetic::manifest(&trials), &trials, programming, throughput, &[]).expect("the trials are finite")
}

/// The one judgement of a claim.
fn only(run: &RunFile, claim: &str) -> Judgement {
    let mut found: Vec<_> = judge(run).into_iter().filter(|judgement| judgement.claim.id == claim).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[track_caller]
fn expect(run: &RunFile, claim: &str, verdict: &str, words: &[&str]) -> Judgement {
    let judgement = only(run, claim);
    let said = format!("{} ({})", judgement.verdict, judgement.reason);
    assert!(said.starts_with(verdict), "{verdict} is not {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    judgement
}

fn linear(n: f64) -> f64 {
    7000.0 + 26.0 * n
}

fn flat(_: f64) -> f64 {
    11_000.0
}

/// Flat, then 26 a service.
fn knee(n: f64) -> f64 {
    11_000.0 + 26.0 * (n - 1000.0).max(0.0)
}

#[test]
fn c1_is_judged_on_services_and_on_pods() {
    let judgement = expect(&run(&[iptables(&linear)], &[], &[]), "C1", "holds (", &["linear", "M axis not measured"]);
    let slope = judgement.figures[0].value.expect("there is a slope");
    assert!((25.9..26.1).contains(&slope) && judgement.figures[0].cells.contains("N = 1 to 10,000"));
    expect(&run(&[iptables(&flat)], &[], &[]), "C1", "does not hold", &["does not grow with Services"]);
    expect(&run(&[iptables(&|n| 7000.0 + 900.0 * n.log2())], &[], &[]), "C1", "does not hold", &["slower than O(n)"]);
    let superlinear = |n: f64| 7000.0 + 2.0 * n * n.max(1.0).log2().powi(2);
    expect(&run(&[iptables(&superlinear)], &[], &[]), "C1", "does not hold", &["faster than O(n)"]);
    let (one, two, ten) = (|n| linear(n) + 40.0, |n| linear(n) + 80.0, |n| linear(n) + 400.0);
    let pods = |endpoints, added| Shape { endpoints, ..iptables(added) };
    let grown = [pods(1, &one), pods(2, &two), pods(10, &ten)];
    expect(&run(&grown, &[], &[]), "C1", "holds (", &["grows with backend pods (at N = 1)"]);
    let same = [pods(1, &linear), pods(2, &linear), pods(10, &linear)];
    expect(
        &run(&same, &[], &[]),
        "C1",
        "does not hold",
        &["linear in Services", "does not grow by a tenth with backend pods"],
    );
}

#[test]
fn c1_and_c2_are_not_judged_without_a_class_or_the_worst_position() {
    let trials = trials(&[iptables(&linear), ipvs(VipLayout::Sequential, &flat)], &[1, 1000]);
    let two = assemble(synthetic::manifest(&trials), &trials, &[], &[], &[]).expect("the trials are finite");
    expect(&two, "C1", "not measured", &["two N"]);
    expect(&two, "C2", "not measured", &["two N"]);
    let middle = Shape { position: Position::Middle, ..iptables(&linear) };
    expect(&run(&[middle], &[], &[]), "C1", "not measured", &["--positions last"]);
    let none = run(&[], &[], &[]);
    expect(&none, "C1", "not measured", &["--backends iptables-legacy"]);
    expect(&none, "C2", "not measured", &["--backends ipvs"]);
}

#[test]
fn c2_is_as_each_kernels_table_makes_it() {
    let pair = |sequential, stride| {
        run(&[ipvs(VipLayout::Sequential, sequential), ipvs(VipLayout::Stride256, stride)], &[], &[])
    };
    expect(&pair(&flat, &flat), "C2", "holds (", &["stride-256 VIPs, first: holds up to N = 10,000"]);
    // 256 buckets: sequential VIPs make chains of N / 256, VIPs at stride 256 one chain of N.
    let chains = |n: f64| 11_000.0 + 13.0 * (n / 256.0).ceil();
    let one_chain = |n: f64| 11_000.0 + 13.0 * n;
    let words =
        ["sequential VIPs, first: holds up to N = 10,000", "stride-256 VIPs, first: linear", "within 10% up to N = 30"];
    expect(&pair(&chains, &one_chain), "C2", "does not hold", &words);
    let judgement = expect(&pair(&knee, &knee), "C2", "holds up to N = ", &["linear beyond"]);
    assert!(matches!(judgement.verdict, Verdict::HoldsUpTo { services: 300..=1000 }), "{}", judgement.verdict);
    expect(&run(&[ipvs(VipLayout::Sequential, &flat)], &[], &[]), "C2", "not measured", &["--layout stride-256"]);
}

/// Rates of IPVS over those of iptables, at N = 1, 100 and 10,000.
fn saturation(ratios: [f64; 3]) -> Vec<ThroughputRecord> {
    let mut records = Vec::new();
    for (services, ratio) in [1, 100, 10_000].into_iter().zip(ratios) {
        for (backend, position, rate) in
            [(BackendKind::IptablesLegacy, Position::Last, 3e5), (BackendKind::Ipvs, Position::First, 3e5 * ratio)]
        {
            for trial in 0..6 {
                let mut record = synthetic::throughput().swap_remove(0);
                (record.cell.venue, record.cell.kernel) =
                    (lbcurve::result::VenueKind::Vm, synthetic::VM_KERNEL.to_owned());
                (record.cell.backend, record.cell.position) = (backend, position);
                (record.cell.services, record.trial) = (services, trial);
                record.forwarded_pps = rate + 100.0 * f64::from(trial);
                records.push(record);
            }
        }
    }
    records
}

#[test]
fn c3_compares_rates_at_saturation() {
    let with = |throughput: &[ThroughputRecord]| run(&[iptables(&linear)], &[], throughput);
    let judgement = expect(&with(&saturation([1.5, 1.6, 3.0])), "C3", "holds (", &["at every N"]);
    let [low, high] = judgement.figures[0].interval.expect("there is an interval");
    assert!(low < 1.5 && 1.5 < high && low > 1.49, "{low} {high}");
    expect(&with(&saturation([1.5, 1.0, 0.9])), "C3", "holds up to N = 1 (", &["up to N = 1 only"]);
    expect(&with(&saturation([0.9, 1.0, 3.0])), "C3", "does not hold", &["less at N = 1", "more from N = 10,000 on"]);
    expect(&with(&saturation([0.9, 1.0, 0.9])), "C3", "does not hold", &["less at N = 1"]);
    // One trial a side lies apart by chance.
    let lone: Vec<_> = saturation([1.5, 1.6, 3.0]).into_iter().filter(|record| record.trial == 0).collect();
    expect(&with(&lone), "C3", "not measured", &["the trials cannot tell", "N = 1"]);
    expect(&with(&synthetic::throughput()), "C3", "not measured", &["saturation"]);
    expect(&with(&[]), "C3", "not measured", &["saturation"]);
}

/// Searches of rates, as [`saturation`] has them.
fn searches(ratios: [f64; 3], irregular: Option<&str>) -> Vec<RateRecord> {
    let goal = |rate| GoalRecord {
        loss_ratio: 0.0,
        lower_pps: Some(rate),
        upper_pps: Some(1.02 * rate),
        throughput_pps: Some(rate),
        irregular: irregular.map(str::to_owned),
        cpu: None,
    };
    let of = |trial: ThroughputRecord| RateRecord {
        trial: trial.trial,
        method: RateMethod::Quick,
        packet_size: PacketSize::default(),
        loaded: Vec::new(),
        sender_pps: 5e6,
        max_load_pps: 4e6,
        received: None,
        goals: vec![goal(trial.forwarded_pps)],
        top: None,
        valid: 40,
        invalid: 0,
        lag: LagRecord { p50: 30, p99: 900, p999: 9_000, max: 50_000, histogram: String::new() },
        fixed_cpu: None,
        accounts: None,
        cell: trial.cell,
    };
    saturation(ratios).into_iter().map(of).collect()
}

#[test]
fn c3_prefers_searched_rates_that_are_regular() {
    let mut both = run(&[iptables(&linear)], &[], &saturation([0.9, 0.9, 0.9]));
    both.rates = rate_curves(&searches([1.5, 1.6, 3.0], None));
    let judgement = expect(&both, "C3", "holds (", &["at every N"]);
    assert!(judgement.figures[0].cells.contains("no loss (NDR), new flows"), "{}", judgement.figures[0].cells);
    both.rates = rate_curves(&searches([1.5, 1.6, 3.0], Some("max load meets it")));
    let judgement = expect(&both, "C3", "does not hold", &["less at N = 1"]);
    assert!(judgement.figures[0].cells.contains("saturation"), "{}", judgement.figures[0].cells);
}

#[test]
fn c4_is_where_iptables_passes_ipvs_against_what_was_claimed() {
    let with = |rate: f64, start: f64| {
        let added = move |n: f64| start + rate * n;
        run(&[iptables(&added), ipvs(VipLayout::Sequential, &flat)], &[], &[])
    };
    // 11,000 = 2,000 + 6 N at N = 1,500; 20% of the way to 4,100 before N = 1.
    let judgement = expect(&with(6.0, 2000.0), "C4", "holds (", &["iptables-legacy adds more than IPVS: from N = 1,"]);
    let crossing = judgement.figures.iter().find(|f| f.what.contains("IPVS")).expect("the crossing is a figure");
    let [low, high] = crossing.interval.expect("it has an interval");
    assert!(low < 1500.0 && 1500.0 < high && low > 1300.0 && high < 1700.0, "{low} {high}");
    // 100% of 4,100 at N = 350.
    let whole = judgement.figures.iter().find(|f| f.what.contains("100%")).and_then(|f| f.value);
    assert!(whole.is_some_and(|n| (300.0..400.0).contains(&n)), "{whole:?}");
    expect(&with(26.0, 2000.0), "C4", "holds up to N = 300 (", &["from N = 34"]);
    expect(&with(1.0, 2000.0), "C4", "does not hold", &["from N = 9,"]);
    expect(&with(26.0, 20_000.0), "C4", "does not hold", &["already at N = 1"]);
    expect(&with(0.1, 2000.0), "C4", "does not hold", &["not even at N = 10,000"]);
    let low = |n: f64| 2000.0 + n;
    let trials = trials(&[iptables(&low), ipvs(VipLayout::Sequential, &flat)], &[1, 10, 100, 1000]);
    let short = assemble(synthetic::manifest(&trials), &trials, &[], &[], &[]).expect("the trials are finite");
    expect(&short, "C4", "not measured", &["N = 1,000, the largest measured"]);
    expect(&run(&[iptables(&linear)], &[], &[]), "C4", "does not hold", &["IPVS was not measured here"]);
}

fn programming(add: &dyn Fn(f64) -> f64, change: &dyn Fn(f64) -> f64) -> Vec<ProgrammingRecord> {
    let ops: [(ProgrammingOp, &dyn Fn(f64) -> f64); 3] = [
        (ProgrammingOp::FromNothing, &|n| 1e5 + 9e4 * n),
        (ProgrammingOp::AddService, add),
        (ProgrammingOp::ChangeEndpoint, change),
    ];
    let mut records = Vec::new();
    for (op, total) in ops {
        for (services, trial) in SIZES.into_iter().flat_map(|services| [(services, 0), (services, 1)]) {
            let mut record = synthetic::programming().swap_remove(0);
            (record.venue, record.kernel) = (lbcurve::result::VenueKind::Vm, synthetic::VM_KERNEL.to_owned());
            (record.backend, record.unit, record.op) = (BackendKind::Ipvs, Unit::Instructions, op);
            (record.services, record.trial) = (services, trial);
            record.total = total(f64::from(services)) as u64 + u64::from(trial);
            records.push(record);
        }
    }
    records
}

#[test]
fn c9_is_judged_on_one_service_more_and_one_endpoint_changed() {
    let with = |add, change| run(&[iptables(&linear)], &programming(add, change), &[]);
    let judgement = expect(&with(&flat, &flat), "C9", "holds (", &["one service added: does not grow (constant)"]);
    let nothing = judgement.figures.iter().find(|f| f.what.contains("from nothing")).expect("it is shown");
    assert_eq!(nothing.note.as_deref(), Some("linear"));
    expect(&with(&flat, &linear), "C9", "does not hold", &["one endpoint changed: grows with Services (linear)"]);
    expect(&with(&flat, &knee), "C9", "holds up to N = ", &["grows beyond N = "]);
    expect(&run(&[iptables(&linear)], &[], &[]), "C9", "not measured", &["no programming records"]);
    let mut other = programming(&flat, &flat);
    other.iter_mut().for_each(|record| record.backend = BackendKind::IptablesLegacy);
    expect(&run(&[iptables(&linear)], &other, &[]), "C9", "not measured", &["IPVS was not measured"]);
}

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

const CANNOT_TELL: &str = "not measured: the trials cannot tell: ";

/// Noise is no verdict: over ten seeds hardly any, and never the one that the curve behind the noise contradicts.
#[track_caller]
fn undecided(claim: &str, wrong: &str, words: &[&str], run: impl Fn(u64) -> RunFile) {
    let judgements: Vec<_> = (0..10).map(|seed| only(&run(seed), claim)).collect();
    assert!(judgements.iter().all(|j| j.verdict.to_string() != wrong), "{judgements:#?}");
    let open: Vec<_> = judgements.iter().filter(|j| j.verdict.to_string().starts_with(CANNOT_TELL)).collect();
    assert!(open.len() >= 7, "{} of 10 undecided", open.len());
    for judgement in open {
        assert!(words.iter().all(|word| judgement.reason.contains(word)), "{words:?} in {}", judgement.reason);
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

#[test]
fn claims_without_an_experiment_say_so() {
    let run = run(&[iptables(&linear)], &[], &[]);
    expect(&run, "C5", "not measured", &["--connections 16"]);
    for claim in ["C7", "C8"] {
        expect(&run, claim, "not measured", &["--reachability"]);
    }
    expect(&run, "C6", "not measured", &["--fairness"]);
}

#[test]
fn c6_is_judged_where_nothing_but_fairness_was_measured() {
    let reached = encode_reached(&[Reached::Endpoint(0), Reached::Endpoint(1)]).expect("few flows are encoded");
    let record = FairnessRecord {
        cell: synthetic::cell(BackendKind::IptablesLegacy, 1, Flow::New, Position::First),
        spreading: Spreading::Random,
        change: EndpointChange::Removed,
        trial: 0,
        flows: 2,
        clients: 1,
        weights: vec![1, 1],
        before: reached.clone(),
        after: reached.clone(),
        anew: reached,
    };
    let recorded = Recorded { fairness: &[record], ..Recorded::default() };
    let run = assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("the flows are whole");
    let words = ["iptables draws each endpoint at random", "does not hold IPVS to its promises here"];
    assert!(expect(&run, "C6", "not measured", &words).scope.is_some());
}

/// A run of these experiments alone.
fn reached(records: &[ReachabilityRecord]) -> RunFile {
    let recorded = Recorded { reachability: records, ..Recorded::default() };
    assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("nothing to compute")
}

#[test]
fn c7_is_judged_with_and_without_the_filter() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let both = [synthetic::reachability(IptablesLegacy), synthetic::reachability(Ipvs)];
    let words = [
        "iptables-legacy, rules as 1.36: from client 0 of 5, from node 0 of 5",
        "ipvs, rules without the filter: from client 5 of 5",
    ];
    let judgement = expect(&reached(&both), "C7", "holds (", &words);
    let refused =
        judgement.figures.iter().find(|figure| figure.what.starts_with("answers from ipvs to client, rules as 1.36"));
    let refused = refused.expect("it is shown").to_string();
    assert!(
        refused.contains("0 of 5 pings, 5 ICMP 3/3 (port unreachable); went no further than the node"),
        "{refused}"
    );
    expect(
        &reached(&both[..1]),
        "C7",
        "not measured",
        &["no ClusterIP of IPVS was pinged here", "iptables-legacy, rules as 1.36"],
    );
    expect(&reached(&both[1..]), "C7", "not measured", &["no ClusterIP of iptables was pinged here"]);
    // One answer is one too many.
    let mut answered = both.clone();
    pings(&mut answered[0]).for_each(|attempt| attempt.answered = 1);
    expect(&reached(&answered), "C7", "does not hold", &["from client 1 of 5"]);
    let mut silent = both.clone();
    pings(&mut silent[1]).for_each(|attempt| attempt.answered = 0);
    expect(&reached(&silent), "C7", "does not hold", &["ipvs, rules without the filter: from client 0 of 5"]);
}

fn pings(record: &mut ReachabilityRecord) -> impl Iterator<Item = &mut Attempt> {
    record.attempts.iter_mut().filter(|attempt| attempt.asked.to == Destination::ClusterIp)
}

#[test]
fn c8_is_judged_by_where_the_ingresss_connections_went() {
    use BackendKind::{IptablesLegacy, Ipvs};
    let both = [synthetic::reachability(IptablesLegacy), synthetic::reachability(Ipvs)];
    let words = [
        "ipvs, rules as 1.36: from client 0 of 5, from node 0 of 5",
        "iptables-legacy, rules as 1.36: from client 5 of 5",
    ];
    let judgement = expect(&reached(&both), "C8", "holds (", &words);
    assert_eq!(judgement.figures.len(), 16, "two ports, two origins, two sets of rules, two backends");
    expect(&reached(&both[1..]), "C8", "holds (", &["only IPVS is judged"]);
    expect(&reached(&both[..1]), "C8", "not measured", &["no address was bound on kube-ipvs0 here"]);
    let shared = |attempt: &&mut Attempt| attempt.asked.to == Destination::Ingress && attempt.asked.exposed;
    let with = |index: usize, arrived: u64, left: u64| {
        let mut records = both.clone();
        for attempt in records[index].attempts.iter_mut().filter(shared) {
            (attempt.arrived, attempt.left) = (Arrivals { outside: arrived, ..Arrivals::default() }, left);
        }
        reached(&records)
    };
    expect(&with(1, 5, 30), "C8", "does not hold", &["ipvs, rules as 1.36: from client 5 of 5"]);
    expect(&with(0, 0, 0), "C8", "does not hold", &["iptables-legacy, rules as 1.36: from client 0 of 5"]);
    expect(&with(1, 2, 12), "C8", CANNOT_TELL, &["only some reached the load balancer"]);
}

#[test]
fn an_experiment_whose_control_failed_decides_nothing() {
    let mut records =
        [synthetic::reachability(BackendKind::IptablesLegacy), synthetic::reachability(BackendKind::Ipvs)];
    let control = records[1].attempts.iter_mut().find(|attempt| attempt.asked.to == Destination::Pod);
    control.expect("there is one").answered = 4;
    let run = reached(&records);
    let [warning] = &run.warnings[..] else { panic!("{:?}", run.warnings) };
    assert!(
        warning.to_string().contains("ipvs")
            && warning.to_string().contains("4 of 5 answers, ping of a pod from client"),
        "{warning}"
    );
    for claim in ["C7", "C8"] {
        expect(&run, claim, CANNOT_TELL, &["the control failed"]);
    }
}

/// Connections a second at N = 1, 100 and 10,000, of ten trials that lie a little apart.
fn connections(backend: BackendKind, rates: [f64; 3], spread: f64) -> Vec<ConnectionRecord> {
    let mut records = Vec::new();
    for (services, rate) in [1, 100, 10_000].into_iter().zip(rates) {
        for trial in 0..10_u32 {
            let record = synthetic::connection(backend, services, trial);
            records.push(ConnectionRecord {
                per_second: rate * (1.0 + spread * (f64::from(trial) - 4.5) / 4.5),
                ..record
            });
        }
    }
    records
}

fn connected(records: &[Vec<ConnectionRecord>]) -> RunFile {
    let connections = records.concat();
    let recorded = Recorded { connections: &connections, ..Recorded::default() };
    assemble_records(synthetic::manifest(&[]), recorded, &[]).expect("rates are finite")
}

#[test]
fn c5_is_judged_by_connections_over_services_and_beside_ipvs() {
    use BackendKind::{Direct, IptablesLegacy, Ipvs};
    let iptables = |rates| connections(IptablesLegacy, rates, 0.01);
    let (flat, falling) = (iptables([9e3, 9e3, 8.9e3]), iptables([9e3, 8.8e3, 4e3]));
    let alone = expect(
        &connected(std::slice::from_ref(&flat)),
        "C5",
        "holds (",
        &["not compared with IPVS", "as many as at N = 1 at every N"],
    );
    assert!(
        alone.figures.iter().any(|figure| figure.what.contains("over those at N = 1") && figure.interval.is_some())
    );
    expect(&connected(std::slice::from_ref(&falling)), "C5", "holds up to N = 100 (", &["at N = 10,000"]);
    expect(&connected(&[iptables([9e3, 5e3, 4e3])]), "C5", "holds up to N = 1 (", &["at N = 100"]);
    let ipvs = |rate: f64| connections(Ipvs, [rate; 3], 0.01);
    expect(
        &connected(&[flat.clone(), ipvs(9e3)]),
        "C5",
        "holds (",
        &["iptables-legacy carries as many as ipvs at every N"],
    );
    expect(
        &connected(&[flat.clone(), ipvs(12e3)]),
        "C5",
        "does not hold",
        &["iptables-legacy carries as many as ipvs: [0.7"],
    );
    // The yardstick is shown, and decides nothing.
    let beside = expect(&connected(&[flat.clone(), connections(Direct, [15e3; 3], 0.01)]), "C5", "holds (", &[]);
    assert!(beside.figures.iter().any(|figure| figure.what.contains("over those of direct at N = 1")), "{beside:?}");
    expect(&connected(&[connections(IptablesLegacy, [9e3, 8.6e3, 8.2e3], 0.4)]), "C5", CANNOT_TELL, &["undetermined"]);
    let few: Vec<_> = falling.into_iter().filter(|record| record.trial < 2).collect();
    expect(&connected(&[few]), "C5", CANNOT_TELL, &["undetermined"]);
    expect(
        &connected(&[connections(Ipvs, [9e3; 3], 0.01)]),
        "C5",
        "not measured",
        &["no connections through iptables"],
    );
}

#[test]
fn the_texts_are_the_golden_ones_and_hold_every_claim() {
    let judgements = judge(&synthetic::run());
    insta::assert_snapshot!("claims_table", table(&judgements));
    insta::assert_snapshot!("claims_markdown", markdown(&judgements));
    let value: serde_json::Value = serde_json::from_str(&json(&judgements).expect("it is JSON")).expect("it is JSON");
    let ids: Vec<_> = value["claims"].as_array().expect("a list").iter().map(|claim| claim["id"].clone()).collect();
    assert_eq!(ids.len(), CLAIMS.len());
    for claim in &CLAIMS {
        assert!(judgements.iter().any(|judgement| judgement.claim == claim), "{claim}");
    }
    // Others' figures never stand among ours.
    let ours: String =
        judgements.iter().flat_map(|j| &j.figures).map(|figure| format!("{figure} {}", figure.cells)).collect();
    assert!(!ours.contains("Cilium") && !ours.contains("22,313"));
}
