//! C5, C7 and C8: claims whose experiment lbcurve does not have yet. No run can judge them, and they say so.

use super::catalogue::Claim;
use super::judgement::{Judgement, Verdict};

pub(super) fn judge(claim: &'static Claim) -> Vec<Judgement> {
    let experiment = match claim.id {
        "C5" => "connect, request and close from many clients at once, in both modes over N",
        "C7" => "ICMP echo to a ClusterIP, with kube-proxy's rules before and after v1.27",
        "C8" => "a LoadBalancer's address on kube-ipvs0, and where packets to it go",
        _ => "of its own",
    };
    let reason = format!("lbcurve has no experiment for it yet: {experiment}");
    vec![Judgement::new(claim, None, Verdict::NotMeasured { reason }, "")]
}
