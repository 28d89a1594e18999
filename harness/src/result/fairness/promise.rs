//! What each way of spreading promises, in words, with where it says so.

use super::Spreading;
use crate::result::BackendKind;
use crate::workload::Protocol;

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// What is promised.
    pub words: &'static str,
    /// Who promises it: files of the kernel, or of this project.
    pub source: &'static str,
}

impl Promise {
    /// Of a datapath and one of its ways.
    #[must_use]
    pub fn of(backend: BackendKind, spreading: Spreading) -> Self {
        let (words, source) = match spreading {
            Spreading::Random => {
                ("each flow draws its endpoint: equal shares, and no flow depends on the one before", drawn_by(backend))
            }
            Spreading::Maglev => (
                "an endpoint for each flow's addresses and ports, in equal shares",
                "datapath-common/src/balancer/maglev.rs; Eisenbud et al., NSDI 2016",
            ),
            Spreading::Rr => ("endpoints in turn: any M flows in a row reach all M", "ip_vs_rr.c, ip_vs_rr_schedule()"),
            Spreading::Wrr => (
                "a cycle in which each endpoint comes as often as its weight says",
                "ip_vs_wrr.c, ip_vs_wrr_schedule()",
            ),
            Spreading::Lc => {
                ("an endpoint with the fewest connections, whatever its weight", "ip_vs_lc.c, ip_vs_lc_schedule()")
            }
            Spreading::Wlc => {
                ("an endpoint with the fewest connections for its weight", "ip_vs_wlc.c, ip_vs_wlc_schedule()")
            }
            Spreading::Sed => (
                "an endpoint with the fewest active connections for its weight, the new one counted (UDP has none)",
                "ip_vs_sed.c, ip_vs_sed_schedule()",
            ),
            Spreading::Nq => (
                "an endpoint without active connections while there is one, then as sed",
                "ip_vs_nq.c, ip_vs_nq_schedule()",
            ),
            Spreading::Sh => (
                "one endpoint for all flows of a client; clients in shares of the weights",
                "ip_vs_sh.c, ip_vs_sh_schedule(), without its flags",
            ),
            Spreading::Dh => {
                ("one endpoint for all flows to a VIP: constancy, not equal shares", "ip_vs_dh.c, ip_vs_dh_schedule()")
            }
            Spreading::Mh => (
                "one endpoint for all flows of a client; clients in shares of the weights",
                "ip_vs_mh.c, ip_vs_mh_schedule(), without its flags",
            ),
            Spreading::Lblc => (
                "one endpoint for all flows to a VIP while it has room for its weight",
                "ip_vs_lblc.c, ip_vs_lblc_schedule(), is_overloaded()",
            ),
            Spreading::Lblcr => (
                "one endpoint for all flows to a VIP while it has room for its weight, then more of them",
                "ip_vs_lblcr.c, ip_vs_lblcr_schedule(), is_overloaded()",
            ),
            Spreading::Fo => ("the heaviest endpoint that is there, for all flows", "ip_vs_fo.c, ip_vs_fo_schedule()"),
            Spreading::Ovf => (
                "the heaviest endpoint whose active connections do not exceed its weight; none when all do",
                "ip_vs_ovf.c, ip_vs_ovf_schedule()",
            ),
            Spreading::Twos => (
                "two draws by weight, of which the less loaded: shares of the weights, closer than draws are",
                "ip_vs_twos.c, ip_vs_twos_schedule()",
            ),
        };
        Self { words, source }
    }
}

/// What a way of spreading promises of the shares of many flows that are opened one after another and stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shares {
    /// The weights', but for chance: each flow, or each client, draws its endpoint or is hashed to it.
    ByChance,
    /// The weights' to within a few flows, whatever chance does: what an endpoint has got decides who is next.
    InTurn,
    /// None; what is promised instead.
    Other(&'static str),
}

impl Shares {
    /// Of a way of spreading, of flows of a protocol.
    pub(super) fn of(spreading: Spreading, protocol: Protocol) -> Self {
        match (spreading, protocol) {
            (Spreading::Random | Spreading::Maglev | Spreading::Twos | Spreading::Sh | Spreading::Mh, _) => {
                Self::ByChance
            }
            // lc and wlc count connections that are not active too.
            (Spreading::Rr | Spreading::Wrr | Spreading::Lc | Spreading::Wlc, _)
            | (Spreading::Sed | Spreading::Nq, Protocol::Tcp) => Self::InTurn,
            // These two count active connections only, and of UDP none is: to sed all endpoints look as they did for the first flow, to nq
            // all are idle.
            (Spreading::Sed, Protocol::Udp) => Self::Other("the heaviest endpoint promised, as no UDP flow is active"),
            (Spreading::Nq, Protocol::Udp) => Self::Other("any endpoint promised, as no UDP flow is active"),
            (Spreading::Dh | Spreading::Lblc | Spreading::Lblcr, _) => Self::Other("one endpoint promised"),
            (Spreading::Fo, _) => Self::Other("one endpoint promised, the heaviest"),
            (Spreading::Ovf, _) => Self::Other("the heaviest endpoint with room promised"),
        }
    }
}

fn drawn_by(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::IptablesLegacy | BackendKind::IptablesNft => {
            "xt_statistic.c, statistic_mt(), with kube-proxy's probabilities 1/M, 1/(M-1), ... 1/2"
        }
        BackendKind::Nftables => "nft_numgen.c, nft_ng_random_gen(), kube-proxy's numgen random mod M",
        _ => "datapath-common/src/balancer/choose.rs, scale()",
    }
}
