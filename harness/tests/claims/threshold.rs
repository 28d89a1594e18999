//! C4: the N from which iptables costs more than IPVS.

use lbcurve::result::assemble;
use lbcurve::workload::VipLayout;

use super::{expect, flat, iptables, ipvs, linear, run, synthetic, trials};

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
