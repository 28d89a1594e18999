//! Which services and ports are imported, and what of them is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::endpoints::Endpoints;
use super::error::{ClusterError, Place};
use super::objects::{Objects, PortSpec, ServiceObject, ServiceSpec};
use super::omission::{LeftOut, Omission, Omissions};
use super::{Protocol, ServicePort};

/// The ports of every service that kube-proxy programs, in order.
///
/// # Errors
/// A name, address or port that the API server would not take, or a service that is there twice.
pub(super) fn select(objects: &Objects) -> Result<(Vec<ServicePort>, Vec<LeftOut>), ClusterError> {
    let mut omissions = Omissions::default();
    let endpoints = Endpoints::of(objects, &mut omissions)?;
    let (mut ports, mut seen) = (Vec::new(), BTreeSet::new());
    for (place, service) in &objects.services {
        check_names(place, service)?;
        if !seen.insert(service.metadata.label()) {
            let (place, name) = (Box::new(place.clone()), service.metadata.label());
            return Err(ClusterError::Twice { place, name });
        }
        match omission(service, &endpoints) {
            Some(why) => omissions.add(why, service.metadata.label()),
            None => ports.extend(import(place, service, &endpoints, &mut omissions)?),
        }
    }
    let of_nodes = objects.workloads.iter().filter(|workload| workload.replicas.is_none());
    for daemon_set in of_nodes {
        debug_assert_eq!(daemon_set.kind, "DaemonSet");
        omissions.add(Omission::DaemonSet, format!("{}/{}", daemon_set.namespace, daemon_set.name));
    }
    for (kind, count) in &objects.others {
        omissions.add(Omission::OtherKinds, format!("{count} {kind}"));
    }
    Ok((ports, omissions.into_list()))
}

/// Why a whole service is left out.
fn omission(service: &ServiceObject, endpoints: &Endpoints<'_>) -> Option<Omission> {
    let spec = &service.spec;
    let has_selector = spec.selector.as_ref().is_some_and(|selector| !selector.is_empty());
    if spec.r#type.as_deref() == Some("ExternalName") {
        return Some(Omission::ExternalName);
    }
    if addresses(spec).any(|address| address == "None") {
        return Some(Omission::Headless);
    }
    if !has_selector && !endpoints.has_slice(service) {
        return Some(Omission::NoSelector);
    }
    if addresses(spec).next().is_some() && !addresses(spec).any(is_ipv4_like) {
        return Some(Omission::NoIpv4);
    }
    spec.ports.as_ref().is_none_or(Vec::is_empty).then_some(Omission::NoPorts)
}

/// ClusterIPs; a manifest has none, or an empty one.
fn addresses(spec: &ServiceSpec) -> impl Iterator<Item = &str> {
    let all = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    all.map(String::as_str).filter(|address| !address.is_empty())
}

fn is_ipv4_like(address: &str) -> bool {
    !address.contains(':')
}

fn import(
    place: &Place,
    service: &ServiceObject,
    endpoints: &Endpoints<'_>,
    omissions: &mut Omissions,
) -> Result<Vec<ServicePort>, ClusterError> {
    let (label, vip) = (service.metadata.label(), vip(place, &service.spec)?);
    note_parts(&service.spec, &label, omissions);
    let specs = service.spec.ports.as_deref().unwrap_or_default();
    let mut ports = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        match protocol(place, index, spec)? {
            None => omissions.add(Omission::Sctp, format!("{label}:{}", spec.port)),
            Some(protocol) => ports.push(ServicePort {
                namespace: service.metadata.namespace().to_owned(),
                name: service.metadata.name.clone(),
                port_name: spec.name.clone().unwrap_or_default(),
                vip,
                port: spec.port,
                protocol,
                endpoints: endpoints.count(service, spec),
            }),
        }
    }
    Ok(ports)
}

/// What is imported of a service is less than it has.
fn note_parts(spec: &ServiceSpec, label: &str, omissions: &mut Omissions) {
    let is_outside = matches!(spec.r#type.as_deref(), Some("NodePort" | "LoadBalancer"))
        || spec.external_ips.as_ref().is_some_and(|addresses| !addresses.is_empty());
    let parts = [
        (Omission::Outside, is_outside),
        (Omission::SessionAffinity, spec.session_affinity.as_deref() == Some("ClientIP")),
        (Omission::TrafficPolicy, spec.internal_traffic_policy.as_deref() == Some("Local")),
    ];
    for (why, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
        omissions.add(why, label.to_owned());
    }
}

fn vip(place: &Place, spec: &ServiceSpec) -> Result<Option<Ipv4Addr>, ClusterError> {
    let Some(address) = addresses(spec).find(|address| is_ipv4_like(address)) else { return Ok(None) };
    match address.parse() {
        Ok(vip) => Ok(Some(vip)),
        Err(_) => Err(refuse(place, "spec.clusterIP", address, "is not an address")),
    }
}

/// `None` for SCTP.
fn protocol(place: &Place, index: usize, spec: &PortSpec) -> Result<Option<Protocol>, ClusterError> {
    match spec.protocol.as_deref().unwrap_or("TCP") {
        "TCP" => Ok(Some(Protocol::Tcp)),
        "UDP" => Ok(Some(Protocol::Udp)),
        "SCTP" => Ok(None),
        other => Err(refuse(place, &format!("spec.ports[{index}].protocol"), other, "is none of TCP, UDP and SCTP")),
    }
}

/// What the API server checks and the rules rest on: names go into chains and comments, and tell a service's ports apart.
fn check_names(place: &Place, service: &ServiceObject) -> Result<(), ClusterError> {
    let metadata = &service.metadata;
    check_label(place, "metadata.name", &metadata.name)?;
    check_label(place, "metadata.namespace", metadata.namespace())?;
    let ports = service.spec.ports.as_deref().unwrap_or_default();
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeMap::new());
    for (index, port) in ports.iter().enumerate() {
        let field = |name: &str| format!("spec.ports[{index}].{name}");
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() || ports.len() > 1 {
            check_label(place, &field("name"), name)?;
        }
        if !names.insert(name) {
            return Err(refuse(place, &field("name"), name, "is another port's name too"));
        }
        let number = port.port.to_string();
        if port.port == 0 {
            return Err(refuse(place, &field("port"), &number, "is no port"));
        }
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        if numbers.insert((port.port, protocol), index).is_some() {
            return Err(refuse(place, &field("port"), &number, "is there twice for the same protocol"));
        }
    }
    Ok(())
}

/// A DNS label (RFC 1123): at most 63 of a-z, 0-9 and the hyphen.
fn check_label(place: &Place, field: &str, text: &str) -> Result<(), ClusterError> {
    let is_of_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&text.len()) && text.bytes().all(is_of_label) {
        return Ok(());
    }
    Err(refuse(place, field, text, "is not a name of 1 to 63 lower-case letters, digits and hyphens"))
}

fn refuse(place: &Place, field: &str, value: &str, reason: &'static str) -> ClusterError {
    let (place, field, value) = (Box::new(place.clone()), field.to_owned(), value.to_owned());
    ClusterError::Value { place, field, value, reason }
}
