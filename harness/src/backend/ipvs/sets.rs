//! The ipsets of the IPVS mode. ClusterIP services fill two of them; the others exist because rules name them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::backend::names::protocol;
use crate::backend::{BackendError, exec};
use crate::workload::{Service, Workload};

const CLUSTER_IP: &str = "KUBE-CLUSTER-IP";
const LOAD_BALANCER: &str = "KUBE-LOAD-BALANCER";
const IPVS_IPS: &str = "KUBE-IPVS-IPS";
/// Options of every hash set.
const HASH: &str = "family inet hashsize 1024 maxelem 65536";
/// Options of every bitmap.
const BITMAP: &str = "range 0-65535";

/// Names and types.
const SETS: [(&str, &str); 17] = [
    ("KUBE-LOOP-BACK", "hash:ip,port,ip"),
    (CLUSTER_IP, "hash:ip,port"),
    ("KUBE-EXTERNAL-IP", "hash:ip,port"),
    ("KUBE-EXTERNAL-IP-LOCAL", "hash:ip,port"),
    (LOAD_BALANCER, "hash:ip,port"),
    ("KUBE-LOAD-BALANCER-LOCAL", "hash:ip,port"),
    ("KUBE-LOAD-BALANCER-FW", "hash:ip,port"),
    ("KUBE-LOAD-BALANCER-SOURCE-IP", "hash:ip,port,ip"),
    ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "hash:ip,port,net"),
    ("KUBE-NODE-PORT-TCP", "bitmap:port"),
    ("KUBE-NODE-PORT-LOCAL-TCP", "bitmap:port"),
    ("KUBE-NODE-PORT-UDP", "bitmap:port"),
    ("KUBE-NODE-PORT-LOCAL-UDP", "bitmap:port"),
    ("KUBE-NODE-PORT-SCTP-HASH", "hash:ip,port"),
    ("KUBE-NODE-PORT-LOCAL-SCTP-HASH", "hash:ip,port"),
    ("KUBE-HEALTH-CHECK-NODE-PORT", "bitmap:port"),
    (IPVS_IPS, "hash:ip"),
];

/// A set as `ipset save` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpSet {
    /// Type and options, everything behind the name.
    pub definition: String,
    /// Entries.
    pub entries: BTreeSet<String>,
}

/// Input of `ipset restore` that creates all sets and fills them.
pub(super) fn text(services: &[Service]) -> String {
    let mut text = String::with_capacity(1600 + 96 * services.len());
    for (name, kind) in SETS {
        let _ = writeln!(text, "create {name} {kind} {}", options(kind));
    }
    text + &entries(services)
}

/// Input of `ipset restore` that adds services' entries.
pub(super) fn entries(services: &[Service]) -> String {
    let mut text = String::with_capacity(96 * services.len());
    for service in services {
        let _ = writeln!(text, "add {CLUSTER_IP} {}", cluster_ip(service));
        let _ = writeln!(text, "add {IPVS_IPS} {}", service.vip);
    }
    text
}

/// Input of `ipset restore` that adds a service's entries under a load balancer's address.
pub(super) fn load_balancer(service: &Service) -> String {
    format!("add {LOAD_BALANCER} {}\nadd {IPVS_IPS} {}\n", cluster_ip(service), service.vip)
}

/// Input of `ipset restore` that removes all sets, whether or not they exist: they are created first.
pub(super) fn destroy() -> String {
    let mut text = text(&[]);
    for (name, _) in SETS {
        let _ = writeln!(text, "destroy {name}");
    }
    text
}

/// Reads what `ipset save` prints.
///
/// # Errors
/// [`BackendError::Parse`] with the offending line.
pub fn parse_sets(text: &str) -> Result<BTreeMap<String, IpSet>, BackendError> {
    let unreadable =
        |line: &str| BackendError::Parse { what: "ipset's listing".into(), reason: format!("unexpected {line:?}") };
    let mut sets: BTreeMap<String, IpSet> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (command, name, rest) = (words.next(), words.next(), words.next());
        let (Some(command), Some(name), Some(rest)) = (command, name, rest) else { return Err(unreadable(line)) };
        let set = match command {
            "create" => sets.entry(name.to_owned()).or_default(),
            "add" => sets.get_mut(name).ok_or_else(|| unreadable(line))?,
            _ => return Err(unreadable(line)),
        };
        if command == "create" {
            rest.clone_into(&mut set.definition);
        } else {
            set.entries.insert(rest.to_owned());
        }
    }
    Ok(sets)
}

/// What the kernel's sets hold otherwise than `workload` wants. The kernel grows `hashsize` with the entries, and newer tools
/// print further defaults, so only what was asked for is compared.
pub(super) fn differences(workload: &Workload) -> Result<Vec<String>, BackendError> {
    let live = parse_sets(&exec::run("ipset", &["save"], "")?.stdout)?;
    let mut differences = Vec::new();
    for (name, kind) in SETS {
        let Some(set) = live.get(name) else {
            differences.push(format!("the set {name} is missing"));
            continue;
        };
        let wanted = format!("{kind} {}", options(kind));
        if !defines(&set.definition, &wanted) {
            differences.push(format!("the set {name} is {:?} instead of {wanted:?}", set.definition));
        }
        let expected = expected_entries(name, &workload.services);
        let missing = expected.difference(&set.entries).map(|entry| format!("the set {name} lacks {entry}"));
        let extra = set.entries.difference(&expected).map(|entry| format!("the set {name} has {entry} too much"));
        differences.extend(missing.chain(extra));
    }
    let extra = live.keys().filter(|name| SETS.iter().all(|(known, _)| known != name));
    differences.extend(extra.map(|name| format!("the set {name} should not be there")));
    Ok(differences)
}

fn expected_entries(set: &str, services: &[Service]) -> BTreeSet<String> {
    match set {
        CLUSTER_IP => services.iter().map(cluster_ip).collect(),
        IPVS_IPS => services.iter().map(|service| service.vip.to_string()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Whether a definition has every option of another one, the hash size excepted.
fn defines(definition: &str, wanted: &str) -> bool {
    let pairs = |text: &str| -> (String, Vec<(String, String)>) {
        let mut words = text.split(' ').map(str::to_owned);
        let kind = words.next().unwrap_or_default();
        let rest: Vec<String> = words.collect();
        (kind, rest.chunks(2).map(|pair| (pair[0].clone(), pair.get(1).cloned().unwrap_or_default())).collect())
    };
    let ((kind, have), (wanted_kind, want)) = (pairs(definition), pairs(wanted));
    kind == wanted_kind && want.iter().filter(|(option, _)| option != "hashsize").all(|pair| have.contains(pair))
}

fn options(kind: &str) -> &'static str {
    if kind.starts_with("bitmap:") { BITMAP } else { HASH }
}

fn cluster_ip(service: &Service) -> String {
    format!("{},{}:{}", service.vip, protocol(service.protocol), service.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_definition_may_say_more_than_was_asked() {
        let wanted = format!("hash:ip {HASH}");
        assert!(defines("hash:ip family inet hashsize 4096 maxelem 65536 bucketsize 12 initval 0x1", &wanted));
        assert!(!defines("hash:ip family inet hashsize 1024 maxelem 1000 bucketsize 12", &wanted));
        assert!(!defines("hash:net family inet hashsize 1024 maxelem 65536", &wanted));
        assert!(!defines("bitmap:port range 0-1024", "bitmap:port range 0-65535"));
    }

    #[test]
    fn entries_without_a_set_are_refused() {
        assert!(parse_sets("add A 10.0.0.1\n").is_err());
        let sets = parse_sets("create A hash:ip family inet\nadd A 10.0.0.1\n").expect("valid");
        assert_eq!(sets["A"].entries.len(), 1);
    }
}
