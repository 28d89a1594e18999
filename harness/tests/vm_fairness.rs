//! Every scheduler of IPVS that a stock kernel has, held to its promise in the deterministic vm; and weights that break it.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

#[expect(dead_code, reason = "nothing of this program runs in the guest")]
mod guest;

use std::num::NonZeroU32;
use std::sync::atomic::AtomicBool;

use lbcurve::result::{BackendKind, EndpointChange, FairnessSummary, Spreading, VenueKind, summarise_fairness};
use lbcurve::run::plan::{Measure, MeasureKind, Plan, VenueOffer};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::Wishes;
use lbcurve::venue::vm::VmVenue;

fn plan(vm: &VmVenue, bias: Option<u32>, asked: impl Fn(Spreading, EndpointChange) -> bool) -> Plan {
    let wishes = Wishes {
        backends: Some(vec![BackendKind::Ipvs]),
        services: Some(vec![1]),
        endpoints: Some(vec![3]),
        fairness: NonZeroU32::new(400),
        self_test_bias: bias.and_then(NonZeroU32::new),
        ..Wishes::default()
    };
    let offer = VenueOffer {
        venue: VenueKind::Vm,
        kernel: vm.place().kernel,
        identity: String::new(),
        backends: vec![BackendKind::Ipvs],
        unready: Vec::new(),
        deterministic: true,
        emulated: false,
        saturation: false,
        lacking: vm.lacking(),
    };
    let mut plan = Plan::new(&wishes.resolve().unwrap(), &[offer]);
    plan.batches.retain(|batch| batch.visits.iter().any(|visit| visit.is_of_fairness()));
    assert_eq!(plan.batches.len(), 1, "one boot for all of them");
    let is_asked = |measure: &Measure| match measure.kind {
        MeasureKind::Fairness { spreading, change } => asked(spreading, change),
        _ => false,
    };
    plan.batches[0].visits.iter_mut().for_each(|visit| visit.measures.retain(is_asked));
    plan
}

fn measured(bias: Option<u32>, asked: impl Fn(Spreading, EndpointChange) -> bool) -> Vec<FairnessSummary> {
    let vm = guest::open();
    let plan = plan(&vm, bias, asked);
    let mut records = Vec::new();
    let mut take = |record: Record| {
        if let Record::Fairness(record) = record {
            records.push(*record);
        }
    };
    vm.boot_batch(&plan.scenario, &plan.batches[0], &AtomicBool::new(false), &mut take).unwrap();
    assert_eq!(records.len(), plan.trials());
    summarise_fairness(&records).unwrap()
}

fn of(found: &[FairnessSummary], spreading: Spreading, change: EndpointChange) -> &FairnessSummary {
    found.iter().find(|summary| (summary.spreading, summary.change) == (spreading, change)).unwrap()
}

#[test]
fn every_scheduler_keeps_its_promise() {
    use Spreading::{Dh, Fo, Lblc, Lblcr, Ovf};
    let found = measured(None, |_, _| true);
    let there = Spreading::of(BackendKind::Ipvs).len() - guest::open().lacking().len();
    assert!(there >= 13 && found.len() == 2 * there, "{there} schedulers, {} measures", found.len());
    for summary in &found {
        println!(
            "{} {}: {:?} {:?} {:?}",
            summary.spreading, summary.change, summary.spread, summary.existing, summary.new
        );
    }
    for summary in &found {
        assert!(summary.spread.kept, "{summary:?}");
        // Of TCP's flows five promise something else than shares.
        let is_tested = !matches!(summary.spreading, Dh | Lblc | Lblcr | Fo | Ovf);
        assert_eq!(summary.spread.shares_kept, is_tested.then_some(true), "{summary:?}");
        assert_eq!(summary.why_untested().is_none(), is_tested, "{summary:?}");
        let flows = u64::from(summary.flows) - summary.spread.nowhere;
        assert_eq!(summary.existing.all(), flows, "{summary:?}");
        if summary.change == EndpointChange::Added {
            assert_eq!(summary.existing.kept, flows, "IPVS holds on to what is open: {summary:?}");
        }
    }
}

#[test]
fn fairness_of_one_seed_repeats() {
    let once = || measured(None, |spreading, change| spreading == Spreading::Lc && change == EndpointChange::Removed);
    assert_eq!(once(), once());
}

#[test]
fn weights_that_are_not_those_promised_are_caught() {
    let read = [Spreading::Wrr, Spreading::Wlc, Spreading::Sed, Spreading::Nq, Spreading::Sh, Spreading::Mh];
    let not_read = [Spreading::Rr, Spreading::Lc];
    let is_asked = |spreading| read.contains(&spreading) || not_read.contains(&spreading);
    let found = measured(Some(4), |spreading, change| change == EndpointChange::Added && is_asked(spreading));
    let verdicts = |spreading| {
        let spread = &of(&found, spreading, EndpointChange::Added).spread;
        (spread.kept, spread.shares_kept)
    };
    // Where the weight is read, by the chi-square too.
    for spreading in read {
        assert_eq!(verdicts(spreading), (false, Some(false)), "{spreading}");
    }
    for spreading in not_read {
        assert_eq!(verdicts(spreading), (true, Some(true)), "{spreading}: where it is not there is nothing to catch");
    }
}
