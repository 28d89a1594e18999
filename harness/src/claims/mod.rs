//! Claims about iptables and IPVS, held to a run. Pure: from a [`RunFile`] to verdicts.
//!
//! A claim gets one verdict for each venue and kernel that has data for it, with the figures behind it. Only the run's own numbers
//! decide; figures that others published stand beside them.

mod absent;
mod catalogue;
mod judgement;

pub use catalogue::{CLAIMS, Claim, PUBLISHED, Published, SOURCE};
pub use judgement::{Figure, Judgement, Scope, Verdict};

use crate::result::RunFile;

/// Every claim's verdicts, in order of the claims, then of venue and kernel.
#[must_use]
pub fn judge(run: &RunFile) -> Vec<Judgement> {
    CLAIMS.iter().flat_map(|claim| of_claim(run, claim)).collect()
}

fn of_claim(_run: &RunFile, claim: &'static Claim) -> Vec<Judgement> {
    match claim.id {
        "C5" | "C6" | "C7" | "C8" => absent::judge(claim),
        _ => Vec::new(),
    }
}
