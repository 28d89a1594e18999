//! Claims about iptables and IPVS, held to a run. Pure: from a [`RunFile`] to verdicts.
//!
//! A claim gets one verdict for each venue and kernel that has data for it, with the figures behind it. Only the run's own numbers
//! decide; figures that others published stand beside them.

mod catalogue;
mod connections;
mod growth;
mod iptables;
mod ipvs;
mod judgement;
mod load_balancer;
mod ping;
mod programming;
mod rates;
mod reachability;
mod render;
mod spreading;
mod threshold;
mod throughput;
mod view;

pub use catalogue::{CLAIMS, Claim, PUBLISHED, Published, SOURCE};
pub use judgement::{Figure, Judgement, Scope, Verdict};
pub use render::{json, markdown, table};

use view::noted;

use crate::result::{RunFile, VenueKind};

/// Every claim's verdicts, in order of the claims, then of venue and kernel.
#[must_use]
pub fn judge(run: &RunFile) -> Vec<Judgement> {
    CLAIMS.iter().flat_map(|claim| of_claim(run, claim)).collect()
}

fn of_claim(run: &RunFile, claim: &'static Claim) -> Vec<Judgement> {
    let judge = match claim.id {
        "C1" => iptables::judge,
        "C2" => ipvs::judge,
        "C3" => throughput::judge,
        "C4" => threshold::judge,
        "C5" => connections::judge,
        "C6" => spreading::judge,
        "C7" => ping::judge,
        "C8" => load_balancer::judge,
        _ => programming::judge,
    };
    let found: Vec<_> = view::scopes(run).iter().filter_map(|scope| judge(run, claim, scope)).collect();
    if found.is_empty() {
        return vec![Judgement::new(claim, None, without(claim), "")];
    }
    found.into_iter().map(|judgement| qualified(run, judgement)).collect()
}

/// What no kernel did, or no hardware, says so: steps that were counted in user space follow from the model's structures, and an emulated
/// machine's time from the emulator.
fn qualified(run: &RunFile, mut judgement: Judgement) -> Judgement {
    let words = match &judgement.scope {
        Some(scope) if scope.venue == VenueKind::Sim => "the model's verdict: no kernel was measured",
        Some(scope) if run.environment.is_emulated(scope.venue, &scope.kernel) => {
            "of an emulated machine: backends beside each other, and no figures of hardware"
        }
        _ => return judgement,
    };
    judgement.reason = noted(judgement.reason, words);
    judgement
}

/// Why no venue of a run can tell, and what can.
fn without(claim: &Claim) -> Verdict {
    let reason = match claim.id {
        "C1" | "C4" => "the run has no new flows through iptables beside direct-conntrack: --backends iptables-legacy",
        "C2" => "the run has no new flows through IPVS beside direct-conntrack: --backends ipvs",
        "C6" => "the run did not ask which endpoint each flow reached: --fairness --endpoints 3",
        "C3" => {
            "the run has no saturation trials: the host venue has them, --venue host as root; connections decide too, --venue vm --deterministic=false --connections 16"
        }
        "C5" => {
            "the run opened no connections through iptables to its worst service, so many at a time: --connections 16, with --venue host, or --venue vm --deterministic=false beside IPVS"
        }
        "C7" | "C8" => {
            "the run has no experiment of reachability: --reachability, with --venue vm for IPVS where this kernel has no ip_vs"
        }
        _ => "the run has no programming records",
    };
    Verdict::NotMeasured { reason: reason.to_owned() }
}
