//! An imported workload: a cluster's service ports, repeated, with addresses in the run's ranges.

use std::collections::HashSet;

use super::super::addresses::host_bits;
use super::super::generate::{WorkloadError, draw, nth_pod, nth_vip, vip_capacity};
use super::super::{Endpoint, EndpointChoice, Scheduling, Service, Workload, WorkloadSpec};
use super::{Cluster, ServicePort};

impl Workload {
    /// The first `spec.services` service ports of the endless repetition of a cluster's; `spec.endpoints`, `layout` and `protocol` are
    /// not looked at.
    ///
    /// A ClusterIP keeps its place in the service range: its host bits, and so the address itself where it lies in that range, and in any
    /// case the low byte, which is what IPVS's table of 256 buckets reads of it. Services without one, those whose place is taken, and
    /// those of every repetition get seeded draws, as the API server draws. Every service port has consecutive pods of its own, on
    /// port 8080 as all pods of a run have. Repetition k (from 2) of service `x` is `x.k`, which no Kubernetes name can be.
    ///
    /// # Errors
    /// [`WorkloadError`] where the address ranges are too small; it says how many fit.
    pub fn import(cluster: &Cluster, spec: &WorkloadSpec) -> Result<Self, WorkloadError> {
        if spec.services == 0 || cluster.ports.is_empty() {
            return Err(WorkloadError::NoServices);
        }
        let ports = || repeated(cluster).take(spec.services as usize);
        check_pods(spec, ports().map(|(_, port)| u64::from(port.endpoints)).sum())?;
        let mut vips = Vips::new(cluster, spec);
        let (mut services, mut first_pod) = (Vec::<Service>::new(), 0);
        for (copy, port) in ports() {
            let name = if copy == 0 { port.name.clone() } else { format!("{}.{}", port.name, copy + 1) };
            let before = services.last().filter(|last| (&last.namespace, &last.name) == (&port.namespace, &name));
            let vip = match before {
                Some(beside) => beside.vip,
                None => nth_vip(spec, vips.next(copy)?),
            };
            let endpoints: Vec<Endpoint> =
                (first_pod..).take(port.endpoints as usize).map(|pod| nth_pod(&spec.addresses, pod)).collect();
            first_pod += u64::from(port.endpoints);
            let ServicePort { namespace, port_name, port, protocol, .. } = port.clone();
            services.push(Service { namespace, name, port_name, vip, port, protocol, endpoints });
        }
        Ok(Self {
            addresses: spec.addresses,
            services,
            ballast: None,
            scheduling: Scheduling::DEFAULT,
            endpoint_choice: EndpointChoice::default(),
        })
    }
}

/// Every port with the number of its repetition, from 0, without end.
fn repeated(cluster: &Cluster) -> impl Iterator<Item = (u64, &ServicePort)> {
    (0..).flat_map(|copy| cluster.ports.iter().map(move |port| (copy, port)))
}

fn check_pods(spec: &WorkloadSpec, pods: u64) -> Result<(), WorkloadError> {
    let capacity = spec.addresses.pod_capacity();
    if pods <= capacity {
        return Ok(());
    }
    let (cluster_cidr, client_range) = (spec.addresses.cluster_cidr, spec.addresses.client_range);
    Err(WorkloadError::TooManyImportedPods { services: spec.services, pods, cluster_cidr, client_range, capacity })
}

/// VIPs as offsets in the service range, service after service.
struct Vips<'a> {
    kept: std::vec::IntoIter<Option<u64>>,
    drawn: Box<dyn Iterator<Item = u64>>,
    /// How many can still be drawn.
    left: u64,
    spec: &'a WorkloadSpec,
}

impl<'a> Vips<'a> {
    fn new(cluster: &Cluster, spec: &'a WorkloadSpec) -> Self {
        let capacity = vip_capacity(spec);
        let mut taken = HashSet::new();
        let services = cluster.ports.chunk_by(ServicePort::is_beside).filter_map(|ports| ports.first());
        let keep = |service: &ServicePort| {
            let offset = host_bits(spec.addresses.service_cidr, service.vip?);
            ((1..=capacity).contains(&offset) && taken.insert(offset)).then_some(offset)
        };
        let kept = services.map(keep).collect::<Vec<_>>().into_iter();
        let left = capacity - taken.len() as u64;
        Self { kept, drawn: Box::new(draw(spec.seed, capacity, taken)), left, spec }
    }

    /// The next service's; only those of the first repetition can be kept.
    fn next(&mut self, copy: u64) -> Result<u64, WorkloadError> {
        let kept = if copy == 0 { self.kept.next().flatten() } else { None };
        if let Some(offset) = kept {
            return Ok(offset);
        }
        let full = || WorkloadError::TooManyServices {
            services: self.spec.services,
            layout: self.spec.layout,
            service_cidr: self.spec.addresses.service_cidr,
            capacity: vip_capacity(self.spec),
        };
        self.left = self.left.checked_sub(1).ok_or_else(full)?;
        self.drawn.next().ok_or_else(full)
    }
}
