//! What nft must list after a sync, compared object by object and element by element.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Object, RulesetListing};
use super::render::fill;
use crate::backend::BackendError;
use crate::backend::names::{nftables_chain, protocol, service_port_name, sorted_endpoints};
use crate::workload::{Service, Workload};

const TABLE: &str = "ip kube-proxy";

/// The table without services, as nft lists it.
const LISTING: &str = include_str!("listing.nft");

/// What the kernel holds otherwise than `workload` wants.
pub(super) fn differences(workload: &Workload, live: &RulesetListing) -> Result<Vec<String>, BackendError> {
    let mut differences: Vec<String> = live
        .tables
        .iter()
        .filter(|table| table.name != TABLE)
        .map(|table| format!("table {} should not be there", table.name))
        .collect();
    let Some(table) = live.table(TABLE) else {
        differences.push(format!("table {TABLE} is missing"));
        return Ok(differences);
    };
    let mut expected = objects(workload)?;
    for object in &table.objects {
        match expected.remove(&object.name) {
            Some(wanted) => object_differences(&wanted, object, &mut differences),
            // A chain that lost its service is flushed at once and deleted by a later sync.
            None if object.name.starts_with("service-") && object.lines.is_empty() => {}
            None => differences.push(format!("{} {} should not be there", object.kind, object.name)),
        }
    }
    differences.extend(expected.values().map(|object| format!("{} {} is missing", object.kind, object.name)));
    Ok(differences)
}

fn objects(workload: &Workload) -> Result<BTreeMap<String, Object>, BackendError> {
    let listing = RulesetListing::parse(&fill(LISTING, &workload.addresses))?;
    let fixed = listing.tables.into_iter().flat_map(|table| table.objects);
    let mut objects: BTreeMap<String, Object> = fixed.map(|object| (object.name.clone(), object)).collect();
    for service in &workload.services {
        insert(&mut objects, "cluster-ips", service.vip.to_string());
        if service.endpoints.is_empty() {
            let element = format!("{} comment \"{}\" : goto reject-chain", key(service), service_port_name(service));
            insert(&mut objects, "no-endpoint-services", element);
        } else {
            let chain = nftables_chain(service);
            insert(&mut objects, "service-ips", format!("{} : goto {chain}", key(service)));
            objects.insert(chain.clone(), service_chain(service, chain));
        }
    }
    Ok(objects)
}

fn insert(objects: &mut BTreeMap<String, Object>, name: &str, element: String) {
    if let Some(object) = objects.get_mut(name) {
        object.elements.insert(element);
    }
}

fn key(service: &Service) -> String {
    format!("{} . {} . {}", service.vip, protocol(service.protocol), service.port)
}

fn service_chain(service: &Service, name: String) -> Object {
    let endpoints = sorted_endpoints(service);
    let elements: Vec<String> =
        endpoints.iter().enumerate().map(|(index, e)| format!("{index} : {} . {}", e.addr, e.port)).collect();
    let (protocol, count, map) = (protocol(service.protocol), endpoints.len(), elements.join(", "));
    let rule = format!("meta l4proto {protocol} dnat ip to numgen random mod {count} map {{ {map} }}");
    Object { kind: "chain".into(), name, lines: vec![rule], elements: BTreeSet::new() }
}

fn object_differences(expected: &Object, live: &Object, differences: &mut Vec<String>) {
    let Object { kind, name, .. } = expected;
    if expected.kind != live.kind {
        differences.push(format!("{name} is a {} instead of a {kind}", live.kind));
    }
    let (wanted, found) = (normal(&expected.lines), normal(&live.lines));
    if wanted != found {
        differences.push(format!("{kind} {name} holds {found:?} instead of {wanted:?}"));
    }
    let missing =
        expected.elements.difference(&live.elements).map(|element| format!("{kind} {name} lacks {element:?}"));
    let extra =
        live.elements.difference(&expected.elements).map(|element| format!("{kind} {name} has {element:?} too much"));
    differences.extend(missing.chain(extra));
}

/// Priorities as numbers: nft versions differ in which names they use at which hook.
fn normal(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| numeric_priority(line).unwrap_or_else(|| line.clone())).collect()
}

fn numeric_priority(line: &str) -> Option<String> {
    let (before, rest) = line.split_once(" priority ")?;
    let (priority, behind) = rest.split_once(';')?;
    let mut words = priority.split(' ');
    let base = match words.next()? {
        "raw" => -300,
        "mangle" => -150,
        "dstnat" => -100,
        "filter" => 0,
        "security" => 50,
        "srcnat" => 100,
        number => number.parse::<i32>().ok()?,
    };
    let offset: i32 = words.collect::<String>().parse().unwrap_or(0);
    Some(format!("{before} priority {};{behind}", base + offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_have_one_spelling() {
        let line =
            |priority| numeric_priority(&format!("type filter hook prerouting priority {priority}; policy accept;"));
        assert_eq!(line("dstnat - 10"), line("-110"));
        assert_eq!(line("filter"), line("0"));
        assert_ne!(line("filter"), line("srcnat"));
        assert_eq!(numeric_priority("ct state new jump x"), None);
    }
}
