//! C1 and C2: what grows with N, and with M.

use lbcurve::claims::Verdict;
use lbcurve::result::{Position, assemble};
use lbcurve::workload::VipLayout;

use super::{Shape, expect, flat, iptables, ipvs, knee, linear, run, synthetic, trials};

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
