//! How many endpoints a service port has: from its EndpointSlices as kube-proxy reads them, else from the workloads that its selector finds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::error::{ClusterError, Place};
use super::objects::{Conditions, Labels, Objects, PortSpec, ServiceObject, SliceObject, SlicePort};
use super::omission::{Omission, Omissions};

/// Slices by namespace and name of their service, and the workloads.
pub(super) struct Endpoints<'a> {
    slices: BTreeMap<(&'a str, &'a str), Vec<Slice<'a>>>,
    objects: &'a Objects,
}

/// A slice of IPv4 addresses.
struct Slice<'a> {
    ports: &'a [SlicePort],
    endpoints: Vec<(Ipv4Addr, Conditions)>,
}

impl<'a> Endpoints<'a> {
    /// Indexes the slices; those of another address type are left out.
    ///
    /// # Errors
    /// An address is none.
    pub(super) fn of(objects: &'a Objects, omissions: &mut Omissions) -> Result<Self, ClusterError> {
        let mut slices = BTreeMap::<_, Vec<_>>::new();
        let known: BTreeSet<_> = objects.services.iter().map(|(_, service)| key(service)).collect();
        for (place, slice) in &objects.slices {
            match slice.service().filter(|service| known.contains(service)) {
                None => omissions.add(Omission::SliceOfNone, slice.metadata.label()),
                Some(_) if slice.address_type != "IPv4" => omissions.add(Omission::SliceType, slice.metadata.label()),
                Some(service) => slices.entry(service).or_default().push(read(place, slice)?),
            }
        }
        Ok(Self { slices, objects })
    }

    /// Whether a slice, of whatever endpoints, is the service's.
    pub(super) fn has_slice(&self, service: &ServiceObject) -> bool {
        self.slices.contains_key(&key(service))
    }

    /// Endpoints that new flows to a port may reach.
    pub(super) fn count(&self, service: &ServiceObject, port: &PortSpec) -> u32 {
        match self.slices.get(&key(service)) {
            Some(slices) => of_slices(slices, port),
            None => self.of_workloads(service),
        }
    }

    fn of_workloads(&self, service: &ServiceObject) -> u32 {
        let Some(selector) = service.spec.selector.as_ref().filter(|selector| !selector.is_empty()) else { return 0 };
        let namespace = service.metadata.namespace();
        let workloads = self.objects.workloads.iter().filter(|workload| workload.namespace == namespace);
        let selected = workloads.filter(|workload| selects(selector, &workload.labels));
        selected.fold(0, |sum, workload| sum.saturating_add(workload.replicas.unwrap_or(1)))
    }
}

fn key(service: &ServiceObject) -> (&str, &str) {
    (service.metadata.namespace(), &service.metadata.name)
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

fn read<'a>(place: &Place, slice: &'a SliceObject) -> Result<Slice<'a>, ClusterError> {
    let mut endpoints = Vec::new();
    for (index, endpoint) in slice.endpoints.iter().flatten().enumerate() {
        // The addresses of one endpoint are fungible (discovery/v1): kube-proxy takes the first.
        let first = endpoint.addresses.first().map_or("", String::as_str);
        let address = first.parse().map_err(|_| ClusterError::Value {
            place: Box::new(place.clone()),
            field: format!("endpoints[{index}].addresses[0]"),
            value: first.to_owned(),
            reason: "is not an IPv4 address",
        })?;
        endpoints.push((address, endpoint.conditions.unwrap_or_default()));
    }
    Ok(Slice { ports: slice.ports.as_deref().unwrap_or_default(), endpoints })
}

/// Addresses and ports that are ready; where none is, those that still serve while they terminate (kube-proxy's
/// `CategorizeEndpoints`). Slices are matched by the name of the port.
fn of_slices(slices: &[Slice<'_>], port: &PortSpec) -> u32 {
    let (mut ready, mut serving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices {
        for target in slice.ports.iter().filter(|target| is_of(target, port)).filter_map(|target| target.port) {
            for (address, conditions) in &slice.endpoints {
                let is_ready = conditions.ready.unwrap_or(true);
                if is_ready {
                    ready.insert((address, target));
                } else if conditions.serving.unwrap_or(is_ready) && conditions.terminating.unwrap_or(false) {
                    serving.insert((address, target));
                }
            }
        }
    }
    let chosen = if ready.is_empty() { serving } else { ready };
    u32::try_from(chosen.len()).unwrap_or(u32::MAX)
}

fn is_of(target: &SlicePort, port: &PortSpec) -> bool {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    let protocol = |protocol: &Option<String>| protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    named(&target.name) == named(&port.name) && protocol(&target.protocol) == protocol(&port.protocol)
}
