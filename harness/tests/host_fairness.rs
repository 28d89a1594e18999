//! Every way of spreading that this kernel's datapaths have, held to its promise; and a datapath that is programmed to break it. Needs
//! root. What the kernel draws cannot be seeded here, so an honest datapath may fall below p = 1e-6 at most, and the bias is such that
//! chance cannot hide it.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod synthetic;

use std::num::NonZeroU32;
use std::sync::atomic::AtomicBool;

use curve_stats::power;
use lbcurve::report;
use lbcurve::result::{
    BackendKind, EndpointChange, FairnessRecord, FairnessSummary, Promise, Reached, Recorded, RunFile, Spreading, Unit,
    VenueKind, assemble_records, name, parse_run_file, run_file_text, summarise_fairness,
};
use lbcurve::run::measure::{Place, visit};
use lbcurve::run::plan::{Plan, VenueOffer};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::Wishes;
use lbcurve::workload::Protocol;

const FLOWS: u32 = 1_200;
/// No honest run of this test comes here by chance.
const IMPOSSIBLE: f64 = 1e-6;

/// What the host finds of a backend whose first endpoint gets `bias` times its share.
fn fairness(backend: BackendKind, protocol: Protocol, bias: Option<u32>) -> Vec<FairnessSummary> {
    let wishes = Wishes {
        backends: Some(vec![backend]),
        services: Some(vec![2]),
        endpoints: Some(vec![3]),
        protocol: Some(vec![protocol]),
        fairness: NonZeroU32::new(FLOWS),
        self_test_bias: bias.and_then(NonZeroU32::new),
        ..Wishes::default()
    };
    let scenario = wishes.resolve().unwrap();
    let offer = VenueOffer {
        venue: VenueKind::Host,
        kernel: "this".into(),
        identity: String::new(),
        backends: vec![backend],
        unready: Vec::new(),
        deterministic: false,
        emulated: false,
        saturation: false,
        lacking: Vec::new(),
    };
    let plan = Plan::new(&scenario, &[offer]);
    let place = Place { venue: VenueKind::Host, kernel: "this".into(), unit: Unit::Ns, emulated: false };
    let mut records: Vec<FairnessRecord> = Vec::new();
    for one in plan.batches.iter().flat_map(|batch| &batch.visits).filter(|visit| visit.is_of_fairness()) {
        let mut take = |record| {
            if let Record::Fairness(record) = record {
                records.push(*record);
            }
            Ok(())
        };
        visit(&place, &scenario, one, &AtomicBool::new(false), &mut take).unwrap();
    }
    summarise_fairness(&records).unwrap()
}

fn honest(backend: BackendKind, protocol: Protocol) {
    let found = fairness(backend, protocol, None);
    assert_eq!(found.len(), 2 * Spreading::of(backend).len());
    for summary in &found {
        let FairnessSummary { spread, existing, new, .. } = summary;
        let what = format!("{} {} {:?}", name(&backend), summary.spreading, summary);
        assert_eq!((summary.flows, spread.nowhere, spread.violations), (FLOWS, 0, 0), "{what}");
        assert!(spread.least_p(summary.spreading).unwrap() > IMPOSSIBLE && spread.jain.unwrap() > 0.98, "{what}");
        // Connection tracking, conntrack's or the load balancer's own, holds on to what is open, also to an endpoint that is gone.
        assert_eq!((existing.moved, existing.broken), (0, 0), "{what}");
        let to_gone = if summary.change == EndpointChange::Removed { spread.reached[2] } else { 0 };
        assert_eq!((existing.kept, existing.to_gone), (u64::from(FLOWS) - to_gone, to_gone), "{what}");
        let share = new.share().unwrap();
        assert_eq!(new.compared, u64::from(FLOWS), "{what}");
        match (summary.spreading, summary.change) {
            // A table of 509 slots has room for three and for four endpoints: little more than a quarter moves. The one for two is
            // smaller, and everything is hashed anew.
            (Spreading::Maglev, EndpointChange::Added) => assert!((0.18..0.35).contains(&share), "{what}"),
            // Two draws differ: by 3 in 4 over three and four endpoints, by 2 in 3 over three and two.
            _ => assert!((0.55..0.85).contains(&share), "{what}"),
        }
    }
}

#[test]
fn iptables_legacy_draws() {
    honest(BackendKind::IptablesLegacy, Protocol::Tcp);
}

#[test]
fn iptables_nft_draws() {
    honest(BackendKind::IptablesNft, Protocol::Udp);
}

#[test]
fn nftables_draws() {
    honest(BackendKind::Nftables, Protocol::Tcp);
}

#[test]
fn the_load_balancer_at_tc_draws_and_hashes() {
    honest(BackendKind::EbpfTc, Protocol::Tcp);
}

#[test]
fn the_load_balancer_at_xdp_draws_and_hashes() {
    honest(BackendKind::EbpfXdp, Protocol::Udp);
}

#[test]
fn a_biased_datapath_is_caught_at_one_per_cent() {
    use BackendKind::{EbpfTc, IptablesLegacy, IptablesNft, Nftables};
    let chance = power(u64::from(FLOWS), &[1.0; 3], &[2.0, 1.0, 1.0], 0.005).unwrap();
    assert!(chance > 0.999_999, "power {chance}");
    for backend in [IptablesLegacy, IptablesNft, Nftables, EbpfTc] {
        for summary in fairness(backend, Protocol::Udp, Some(2)) {
            let FairnessSummary { spread, .. } = &summary;
            assert!(!spread.kept && spread.shares.unwrap().p < 0.01, "{} {summary:?}", name(&backend));
            assert_eq!(spread.shares_kept, Some(false), "{} {summary:?}", name(&backend));
            // Half of the flows instead of a third: five standard deviations are 87.
            assert!((510..690).contains(&spread.reached[0]), "{} {summary:?}", name(&backend));
        }
    }
}

/// A run whose only records are these.
fn run(records: &[FairnessRecord], bias: Option<u32>) -> RunFile {
    let mut manifest = synthetic::manifest(&[]);
    manifest.plan.fairness = NonZeroU32::new(6);
    manifest.plan.self_test_bias = bias.and_then(NonZeroU32::new);
    assemble_records(manifest, Recorded { fairness: records, ..Recorded::default() }, &[]).unwrap()
}

fn records() -> Vec<FairnessRecord> {
    use Reached::{Endpoint, Rejected};
    let turns = [0, 1, 0, 1, 0, 1];
    let after = [Endpoint(0), Rejected, Endpoint(0), Endpoint(0), Endpoint(0), Rejected];
    let kept: Vec<_> = turns.iter().map(|at| Endpoint(*at)).collect();
    vec![
        synthetic::experiments::fairness(Spreading::Rr, EndpointChange::Removed, &turns, &after),
        synthetic::experiments::fairness(Spreading::Lblc, EndpointChange::Added, &turns, &kept),
    ]
}

#[test]
fn every_reader_shows_promise_verdict_and_what_became_of_flows() {
    let run = run(&records(), None);
    let back = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap();
    assert_eq!(back.fairness, run.fairness);
    let promise = Promise::of(BackendKind::Ipvs, Spreading::Rr);
    for text in [report::table(&run), report::markdown(&run), report::html(&run).unwrap()] {
        assert!(text.contains(promise.words) && text.contains("NO: 3 flows elsewhere"), "{text}");
        // Three of six are kept, one is moved, two are broken.
        assert!(["50%", "17%", "33%"].iter().all(|share| text.contains(share)), "{text}");
        // rr's shares are tested, lblc has none.
        assert!(text.contains("none: one endpoint promised") && text.contains("removed at once"), "{text}");
    }
    let csv = report::fairness_csv(&run).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[1].contains(",rr,") && lines[1].contains("ip_vs_rr.c") && lines[1].ends_with(",true,3,0,1,2,6,0,0.5"),
        "{csv}"
    );
    assert!(lines[0].contains(",p_shares,shares_kept,untested,p_pairs,"), "{csv}");
    assert!(lines[1].contains(",1.0,true,,,0,true,"), "{csv}");
    assert!(lines[2].contains(",,,,one endpoint promised,,3,false,"), "{csv}");
    assert!(!report::html(&synthetic::run()).unwrap().contains("id=\"fairness\""));
}

#[test]
fn a_run_of_an_earlier_version_which_tested_draws_alone_is_read() {
    let mut run = run(&records(), None);
    for summary in &mut run.fairness {
        let spread = &mut summary.spread;
        spread.tested.clear();
        (spread.shares, spread.shares_kept) = (None, None);
    }
    let text = run_file_text(&run).unwrap();
    assert!(!text.contains("shares_kept"), "{text}");
    let back = parse_run_file(text.as_bytes()).unwrap();
    assert!(report::table(&back).contains("none: not tested"), "{}", report::table(&back));
}

#[test]
fn what_does_not_add_up_is_refused() {
    let refused = |edit: fn(&mut [FairnessSummary]), what: &str| {
        let mut run = run(&records(), None);
        edit(&mut run.fairness);
        let error = parse_run_file(run_file_text(&run).unwrap().as_bytes()).unwrap_err();
        let line = lbcurve::chain::one_line(&error);
        assert!(line.contains(what), "{line}");
    };
    refused(|all| all[0].spread.reached[0] += 1, "do not add up");
    refused(|all| all[0].existing.moved += 1, "do not add up");
    refused(|all| all[0].spread.jain = Some(0.1), "not that of the counts");
    refused(|all| all[0].spread.kept = false, "the verdict is not that of the tests");
    refused(|all| all[0].spread.shares_kept = Some(false), "the verdict is not that of the tests");
    refused(|all| all[0].weights.clear(), "not as many endpoints");
    refused(|all| all[1] = all[0].clone(), "the same is there twice");
}

#[test]
fn a_bias_is_said() {
    let run = run(&records(), Some(4));
    assert!(run.warnings.iter().any(|warning| warning.to_string().contains("4 times its share")), "{:?}", run.warnings);
}
