//! The claims under test and the figures that others published: data, with their sources.

use std::fmt;

use serde::Serialize;

/// A claim.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// `C1` to `C9`.
    pub id: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// Where the claims are from.
pub const SOURCE: &str = "Huawei Cloud CCE, \"Comparing iptables and IPVS\", text of 2024-01-04";

/// A figure that somebody else published.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// Claims that it bears on.
    pub claims: &'static [&'static str],
    /// Who published it, and where.
    pub source: &'static str,
    /// What it says.
    pub figure: &'static str,
}

/// Every claim, in order.
pub static CLAIMS: [Claim; 9] = [
    claim("C1", "iptables: complexity O(n), n grows with Services and backend pods"),
    claim("C2", "IPVS: complexity O(1), in most cases independent of cluster scale"),
    claim("C3", "iptables: relatively low throughput; IPVS: relatively high"),
    claim("C4", "iptables suits fewer than 1,000 Services (later texts: 3,000); above, network delay may occur"),
    claim("C5", "iptables suits a large number of short concurrent connections"),
    claim(
        "C6",
        "iptables has one algorithm, random; IPVS has round robin, shortest expected delay, least connections, hashes",
    ),
    claim("C7", "a ClusterIP cannot be pinged under iptables, and can under IPVS (not since v1.27)"),
    claim(
        "C8",
        "an Ingress and a Service that share a load balancer: kube-ipvs0 intercepts its address inside the cluster",
    ),
    claim("C9", "IPVS has optimized APIs: programming does not grow"),
];

/// Every published figure.
pub static PUBLISHED: [Published; 8] = [
    Published {
        claims: &["C1", "C4"],
        source: "Kubernetes blog, 2025-02-28, first-packet latency at 5,000/10,000/30,000 services (read off the chart's bars)",
        figure: "iptables p50 49/61/274 us, p99 156/262/716 us, about 9 ns per service; nftables about 14 and 37 us at every size",
    },
    Published {
        claims: &["C3", "C5"],
        source: "TKE guide, kernel 6.6, fortio short connections at 0/5,000/10,000 services",
        figure: "iptables 22,313 -> 17,336 -> 13,994 requests/s (-37%); Cilium 10,258 -> 9,331 (-9%); keep-alive: no loss",
    },
    Published {
        claims: &["C3"],
        source: "The eXpress Data Path (XDP paper) and its benchmarks, per core",
        figure: "XDP_DROP 24-26 Mpps; iptables drop in raw 5.05, in filter 3.32, with conntrack 1.82; forwarding 1.74; Katran 5.16, IPVS 1.24",
    },
    Published {
        claims: &["C9"],
        source: "Huawei, 2017 (kubernetes/community#692), programming 1/5,000/20,000 services",
        figure: "iptables 2 ms / 11 min / 5 h; IPVS does not grow",
    },
    Published {
        claims: &["C9"],
        source: "kubernetes/kubernetes#126013",
        figure: "nftables, one service added at 10,000: about 8 min -> 141 ms with partial sync",
    },
    Published {
        claims: &["C9"],
        source: "kubernetes/kubernetes#138927",
        figure: "about 19,500 addresses on kube-ipvs0: one function takes 47-54 s",
    },
    Published {
        claims: &["C9"],
        source: "bottlerocket-os/bottlerocket#4762",
        figure: "877 services: iptables-legacy sync 24-52 ms, iptables-nft 172-248 ms",
    },
    Published {
        claims: &["C1", "C2", "C3"],
        source: "KEP-3866",
        figure: "the project itself has no apples-to-apples comparison of the modes",
    },
];

const fn claim(id: &'static str, text: &'static str) -> Claim {
    Claim { id, text }
}

impl Claim {
    /// Figures of others that bear on it.
    pub fn published(&self) -> Vec<&'static Published> {
        PUBLISHED.iter().filter(|published| published.claims.contains(&self.id)).collect()
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.text)
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.figure, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_figures_name_claims_that_exist() {
        let ids: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
        assert_eq!(ids, ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9"]);
        let known = |published: &Published| published.claims.iter().all(|id| ids.contains(id));
        assert!(PUBLISHED.iter().all(|published| known(published) && !published.claims.is_empty()));
    }
}
