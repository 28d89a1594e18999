//! The ways in which the models are broken.

/// One line of a model, and what it is broken to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mutant {
    /// What is wrong then.
    pub(super) what: &'static str,
    /// File, seen from `datapath-sim/src`.
    pub(super) file: &'static str,
    /// Text that stands there once.
    pub(super) from: &'static str,
    /// What stands there instead.
    pub(super) to: &'static str,
}

const fn mutant(what: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { what, file, from, to }
}

const SERVICES: &str = "ipvs/services.rs";
const SCHEDULER: &str = "ipvs/scheduler/mod.rs";
const LEAST: &str = "ipvs/scheduler/least.rs";
const HASHED: &str = "ipvs/scheduler/hashed.rs";
const MAGLEV: &str = "ipvs/scheduler/maglev.rs";
const ROUND: &str = "ipvs/scheduler/round_robin.rs";
const RULES: &str = "iptables/rules.rs";
const WALK: &str = "netfilter/walk.rs";
const NFTABLES: &str = "nftables.rs";
const CHOOSE: &str = "../../datapath-common/src/balancer/choose.rs";
const LOOKUP: &str = "../../datapath-common/src/balancer/lookup.rs";
const TABLES: &str = "../../datapath-common/src/balancer/maglev.rs";

/// All that must be caught.
pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "IPVS's service hash folds more of the address in",
        SERVICES,
        "None => protocol ^ host ^ (port >> 8) ^ port",
        "None => protocol ^ host ^ (host >> 8) ^ (port >> 8) ^ port",
    ),
    mutant(
        "new services go to a bucket's tail",
        SERVICES,
        "u64::from(length - found.map_or(0, |(_, before)| before))",
        "u64::from(found.map_or(length, |(_, before)| before + 1))",
    ),
    mutant("new destinations go to the tail", SCHEDULER, "endpoints.iter().rev().map", "endpoints.iter().map"),
    mutant(
        "TCP connections stay inactive",
        SCHEDULER,
        "Protocol::Tcp => destination.active += 1",
        "Protocol::Tcp => destination.inactive += 1",
    ),
    mutant("rr skips one", ROUND, "place.map_or(0, |at| at + 1)", "place.map_or(0, |at| at + 2)"),
    mutant(
        "wrr ignores the order in which weights came",
        ROUND,
        "if self.current > self.largest || self.current == 0 {",
        "if true {",
    ),
    mutant(
        "wrr's largest weight is not rounded",
        ROUND,
        "self.largest = largest - (interval - 1);",
        "self.largest = largest;",
    ),
    mutant("wrr steps by 1, not by the divisor", ROUND, "self.current -= self.interval;", "self.current -= 1;"),
    mutant("lc's ties go to the last", LEAST, "able.min_by_key(", "able.rev().min_by_key("),
    mutant(
        "wlc's, sed's and nq's ties go to the last",
        LEAST,
        "* i64::from(b.weight) > load(b)",
        "* i64::from(b.weight) >= load(b)",
    ),
    mutant("wlc ignores weights", LEAST, "least(destinations, overhead)", "lc(destinations, &mut 0)"),
    mutant(
        "sed leaves the new connection out",
        LEAST,
        "i64::from(destination.active) + 1",
        "i64::from(destination.active)",
    ),
    mutant("sed counts inactive ones", LEAST, "i64::from(destination.active) + 1", "overhead(destination) + 1"),
    mutant(
        "nq's idle ones have no inactive connection either",
        LEAST,
        "&& destination.active == 0)",
        "&& destination.active + destination.inactive == 0)",
    ),
    mutant(
        "sh and dh swap the address's bytes",
        HASHED,
        "hash_32(u32::from(address)",
        "hash_32(u32::from(address).swap_bytes()",
    ),
    mutant("sh ignores weights", HASHED, "|destination| destination.weight.max(1)", "|_| 1"),
    mutant("dh heeds weights", HASHED, "assign(destinations, |_| 1)", "assign(destinations, |d| d.weight.max(1))"),
    mutant("mh's table is another prime", MAGLEV, "const SIZE: usize = 4093;", "const SIZE: usize = 4091;"),
    mutant("mh's skip has another key", MAGLEV, "[2_654_446_892; 2]", "[2_654_446_893; 2]"),
    mutant("mh's skip is one more", MAGLEV, "% (SIZE - 1) + 1,", "% (SIZE - 1) + 2,"),
    mutant(
        "mh ignores weights",
        MAGLEV,
        "((weight / divisor) >> shift).max(u32::from(weight > 0))",
        "u32::from(weight > 0)",
    ),
    mutant(
        "IPVS drops what has no destination",
        "ipvs/mod.rs",
        "Served::Rejects => return walk.end(Decision::Reject",
        "Served::Rejects => return walk.end(Decision::Drop",
    ),
    mutant(
        "IPVS takes other ports of a VIP",
        "ipvs/rules.rs",
        "in_set(Set::Address(\"KUBE-IPVS-IPS\"), Target::Reject)",
        "in_set(Set::Address(\"KUBE-IPVS-IPS\"), Target::Return)",
    ),
    mutant(
        "iptables' draws are 1 of n at every endpoint",
        RULES,
        "let left = count(service.endpoints.len() - endpoint);",
        "let left = count(if endpoint + 1 == service.endpoints.len() { 1 } else { service.endpoints.len() });",
    ),
    mutant(
        "iptables lacks the rule of each service's last endpoint",
        RULES,
        "self.services[index as usize].endpoints.len() + 1",
        "self.services[index as usize].endpoints.len()",
    ),
    mutant(
        "iptables lacks every rule of a service with one endpoint",
        RULES,
        "if service.endpoints.is_empty() {",
        "if service.endpoints.len() < 2 {",
    ),
    mutant(
        "iptables drops services without endpoints",
        RULES,
        "service.protocol, Target::Reject)",
        "service.protocol, Target::Drop)",
    ),
    mutant(
        "iptables counts no rule beyond the hundredth",
        WALK,
        "self.steps.rules += (next - at) as u64;",
        "self.steps.rules += (next - at).min(100) as u64;",
    ),
    mutant("xt_statistic draws 32 bits", WALK, "random.next_u32() >> 1) < threshold", "random.next_u32()) < threshold"),
    mutant(
        "nftables never draws the last endpoint",
        NFTABLES,
        "try_from(endpoints).unwrap_or(u32::MAX)",
        "try_from(endpoints.max(2) - 1).unwrap_or(u32::MAX)",
    ),
    mutant(
        "nftables lets other ports of a VIP pass",
        NFTABLES,
        "if self.rules.cluster_ips.contains(&destination) {",
        "if false {",
    ),
    mutant(
        "nftables lets unknown addresses of the service range pass",
        NFTABLES,
        "{ Verdict::Drop } else { Verdict::Return }",
        "{ Verdict::Return } else { Verdict::Return }",
    ),
    mutant(
        "nftables drops services without endpoints",
        NFTABLES,
        "self.rule(0);\n                return Verdict::Reject;",
        "self.rule(0);\n                return Verdict::Drop;",
    ),
    mutant(
        "eBPF's draw reaches the first half only",
        CHOOSE,
        "((draw as u64 * count as u64) >> 32) as u32",
        "((draw as u64 * count as u64) >> 33) as u32",
    ),
    mutant(
        "eBPF's flow hash has another seed",
        CHOOSE,
        "const SEED: u32 = 0x6c62_6375;",
        "const SEED: u32 = 0x6c62_6376;",
    ),
    mutant("eBPF lets other ports of a VIP pass", LOOKUP, "Some(_) => Decision::Reject,", "Some(_) => Decision::Pass,"),
    mutant(
        "eBPF drops services without endpoints",
        LOOKUP,
        "if service.count == 0 {\n        return Decision::Reject;",
        "if service.count == 0 {\n        return Decision::Drop;",
    ),
    mutant(
        "Maglev's endpoints begin one slot further",
        TABLES,
        "next: named(OFFSET_SEED) % size,",
        "next: (named(OFFSET_SEED) + 1) % size,",
    ),
];

/// What the suites cannot tell, and why: they are run too, so that the list stays true.
pub(super) const BLIND: &[(Mutant, &str)] = &[
    (
        mutant("IPVS's service table has 512 buckets", SERVICES, "mask: 255 }", "mask: 511 }"),
        "it halves every chain of the layouts that there are, and a line's R^2 does not see a factor",
    ),
    (
        mutant(
            "iptables does not count KUBE-SERVICES' last rule",
            WALK,
            "self.steps.rules += (next - at) as u64;",
            "self.steps.rules += (next - at).max(1) as u64 - 1;",
        ),
        "a constant number of steps is part of the line's intercept",
    ),
];
