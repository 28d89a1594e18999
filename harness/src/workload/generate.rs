//! N services x M endpoints from a specification: the same one always makes the same workload.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::addresses::last;
use super::{AddressPlan, Endpoint, EndpointChoice, Scheduling, Service, VipLayout, Workload, WorkloadSpec};

/// VIPs start behind the addresses that a cluster keeps for itself (10.96.0.1 is the API server, 10.96.0.10 the first of ours).
const FIRST_VIP: u64 = 10;
/// Addresses between two VIPs of the stride layout: one bucket of IPVS's 256.
const STRIDE: u64 = 256;
/// Port of every generated service.
const SERVICE_PORT: u16 = 80;
/// Port of every generated pod.
const POD_PORT: u16 = 8080;

/// Why a workload cannot be generated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// N = 0.
    #[error("a workload needs at least 1 service, got 0")]
    NoServices,
    /// N x M pods do not fit in front of the clients.
    #[error(
        "{services} services x {endpoints} endpoints need {} pods, but {cluster_cidr} holds {capacity} beside the clients of \
         {client_range}: ask for at most {capacity} pods or widen the cluster CIDR",
        u64::from(*.services) * u64::from(*.endpoints)
    )]
    TooManyPods {
        /// N.
        services: u32,
        /// M.
        endpoints: u32,
        /// Range of the pods.
        cluster_cidr: Ipv4Net,
        /// Range of the clients inside it.
        client_range: Ipv4Net,
        /// Pods that fit.
        capacity: u64,
    },
    /// The pods of imported services do not fit in front of the clients.
    #[error(
        "{services} imported service ports have {pods} endpoints, but {cluster_cidr} holds {capacity} pods beside the clients of \
         {client_range}: ask for a smaller --scale"
    )]
    TooManyImportedPods {
        /// N.
        services: u32,
        /// Endpoints of all of them.
        pods: u64,
        /// Range of the pods.
        cluster_cidr: Ipv4Net,
        /// Range of the clients inside it.
        client_range: Ipv4Net,
        /// Pods that fit.
        capacity: u64,
    },
    /// N VIPs do not fit.
    #[error(
        "{services} services in the {layout} layout do not fit {service_cidr}: it holds {capacity}; ask for fewer services or widen \
         the service CIDR",
        layout = layout_name(*.layout)
    )]
    TooManyServices {
        /// N.
        services: u32,
        /// The layout.
        layout: VipLayout,
        /// Range of the VIPs.
        service_cidr: Ipv4Net,
        /// VIPs that fit in that layout.
        capacity: u64,
    },
}

impl Workload {
    /// Generates `svc-0` to `svc-<N-1>` on port 80, each with M consecutive pods on port 8080: service i has the pods i * M to
    /// (i + 1) * M - 1, counted from the cluster range's third address.
    ///
    /// # Errors
    /// [`WorkloadError`] where N is 0 or the address ranges are too small; it says how many fit.
    pub fn generate(spec: &WorkloadSpec) -> Result<Self, WorkloadError> {
        if spec.services == 0 {
            return Err(WorkloadError::NoServices);
        }
        check_pods(spec)?;
        let vips = vips(spec)?;
        let services = (0..spec.services).zip(vips).map(|(index, vip)| service(spec, index, vip)).collect();
        Ok(Self {
            addresses: spec.addresses,
            services,
            ballast: None,
            scheduling: Scheduling::DEFAULT,
            endpoint_choice: EndpointChoice::default(),
        })
    }

    /// Endpoints of all services together.
    #[must_use]
    pub fn endpoint_count(&self) -> usize {
        self.services.iter().map(|service| service.endpoints.len()).sum()
    }
}

fn check_pods(spec: &WorkloadSpec) -> Result<(), WorkloadError> {
    let capacity = spec.addresses.pod_capacity();
    if u64::from(spec.services) * u64::from(spec.endpoints) <= capacity {
        return Ok(());
    }
    Err(WorkloadError::TooManyPods {
        services: spec.services,
        endpoints: spec.endpoints,
        cluster_cidr: spec.addresses.cluster_cidr,
        client_range: spec.addresses.client_range,
        capacity,
    })
}

fn service(spec: &WorkloadSpec, index: u32, vip: Ipv4Addr) -> Service {
    let first = u64::from(index) * u64::from(spec.endpoints);
    let endpoints = (first..first + u64::from(spec.endpoints)).map(|pod| nth_pod(&spec.addresses, pod)).collect();
    Service {
        namespace: "default".into(),
        name: format!("svc-{index}"),
        port_name: String::new(),
        vip,
        port: SERVICE_PORT,
        protocol: spec.protocol,
        endpoints,
    }
}

/// The endpoint on a pod, counted from 0.
pub(super) fn nth_pod(addresses: &AddressPlan, pod: u64) -> Endpoint {
    Endpoint { addr: address(addresses.first_pod() + pod), port: POD_PORT }
}

fn vips(spec: &WorkloadSpec) -> Result<Vec<Ipv4Addr>, WorkloadError> {
    let capacity = vip_capacity(spec);
    if u64::from(spec.services) > capacity {
        return Err(WorkloadError::TooManyServices {
            services: spec.services,
            layout: spec.layout,
            service_cidr: spec.addresses.service_cidr,
            capacity,
        });
    }
    let offsets: Vec<u64> = match spec.layout {
        VipLayout::Sequential => (0..u64::from(spec.services)).map(|i| FIRST_VIP + i).collect(),
        VipLayout::Stride256 => (0..u64::from(spec.services)).map(|i| FIRST_VIP + STRIDE * i).collect(),
        VipLayout::Random | VipLayout::Imported => {
            draw(spec.seed, capacity, HashSet::new()).take(spec.services as usize).collect()
        }
    };
    Ok(offsets.into_iter().map(|offset| nth_vip(spec, offset)).collect())
}

/// The VIP so many addresses behind the service range's first.
pub(super) fn nth_vip(spec: &WorkloadSpec, offset: u64) -> Ipv4Addr {
    address(u64::from(u32::from(spec.addresses.service_cidr.network())) + offset)
}

/// VIPs that a layout finds in the service range, its network and broadcast addresses left out.
pub(super) fn vip_capacity(spec: &WorkloadSpec) -> u64 {
    let range = spec.addresses.service_cidr;
    let broadcast = last(range) - u64::from(u32::from(range.network()));
    match spec.layout {
        VipLayout::Sequential => broadcast.saturating_sub(FIRST_VIP),
        VipLayout::Stride256 => broadcast.saturating_sub(FIRST_VIP).div_ceil(STRIDE),
        VipLayout::Random | VipLayout::Imported => broadcast.saturating_sub(1),
    }
}

/// Different numbers of 1..=`capacity`, none of them `seen`: no more than there are may be asked for. Rejection from the seed's own
/// stream rather than a library's sampler, so that a seed keeps its meaning when that library changes.
pub(super) fn draw(seed: u64, capacity: u64, mut seen: HashSet<u64>) -> impl Iterator<Item = u64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mask = capacity.next_power_of_two().wrapping_mul(2).wrapping_sub(1);
    std::iter::repeat_with(move || u64::from(rng.next_u32()) & mask)
        .filter(move |offset| (1..=capacity).contains(offset) && seen.insert(*offset))
}

/// Addresses are computed inside ranges whose ends were checked, so the upper half is empty.
fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn layout_name(layout: VipLayout) -> &'static str {
    match layout {
        VipLayout::Sequential => "sequential",
        VipLayout::Random => "random",
        VipLayout::Stride256 => "stride-256",
        VipLayout::Imported => "imported",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workload::Protocol;

    fn spec(services: u32, endpoints: u32, layout: VipLayout, seed: u64) -> WorkloadSpec {
        let addresses = AddressPlan::default();
        WorkloadSpec { services, endpoints, layout, protocol: Protocol::Tcp, seed, addresses }
    }

    #[test]
    fn the_dumps_services_come_out() {
        let addresses = AddressPlan::kube_proxy_dumps();
        let workload =
            Workload::generate(&WorkloadSpec { addresses, ..spec(3, 2, VipLayout::Sequential, 0) }).expect("3 x 2 fit");
        let last = &workload.services[2];
        assert_eq!((last.name.as_str(), last.vip, last.port), ("svc-2", Ipv4Addr::new(10, 96, 0, 12), 80));
        let pods: Vec<_> = last.endpoints.iter().map(|endpoint| (endpoint.addr.to_string(), endpoint.port)).collect();
        assert_eq!(pods, [("10.244.0.6".to_owned(), 8080), ("10.244.0.7".to_owned(), 8080)]);
    }

    #[test]
    fn stride_leaves_255_addresses_between_vips() {
        let workload = Workload::generate(&spec(3, 1, VipLayout::Stride256, 0)).expect("3 fit");
        let vips: Vec<_> = workload.services.iter().map(|service| service.vip.to_string()).collect();
        assert_eq!(vips, ["10.64.0.10", "10.64.1.10", "10.64.2.10"]);
    }

    #[test]
    fn zero_services_are_refused() {
        assert_eq!(Workload::generate(&spec(0, 1, VipLayout::Sequential, 0)), Err(WorkloadError::NoServices));
    }

    #[test]
    fn no_endpoints_are_allowed() {
        let workload = Workload::generate(&spec(2, 0, VipLayout::Sequential, 0)).expect("valid");
        assert_eq!(workload.endpoint_count(), 0);
    }

    #[test]
    fn too_many_pods_say_how_many_fit() {
        let capacity = AddressPlan::default().pod_capacity();
        let fits = u32::try_from(capacity).expect("fits u32");
        let mut asked = spec(1, fits, VipLayout::Sequential, 0);
        assert!(Workload::generate(&asked).is_ok());
        asked.endpoints += 1;
        let message = Workload::generate(&asked).expect_err("one too many").to_string();
        assert!(message.contains(&format!("at most {capacity} pods")), "{message}");
    }

    #[test]
    fn a_stride_beyond_the_range_says_how_many_fit() {
        let message = Workload::generate(&spec(16_385, 1, VipLayout::Stride256, 0)).expect_err("16384 fit").to_string();
        assert!(message.contains("it holds 16384"), "{message}");
        assert!(Workload::generate(&spec(16_384, 1, VipLayout::Stride256, 0)).is_ok());
    }

    #[test]
    fn a_random_draw_can_exhaust_its_range() {
        let mut asked = spec(14, 0, VipLayout::Random, 7);
        asked.addresses.service_cidr = "10.96.0.0/28".parse().expect("a range");
        let drawn: HashSet<_> =
            Workload::generate(&asked).expect("14 fit").services.into_iter().map(|service| service.vip).collect();
        assert_eq!(drawn.len(), 14);
        asked.services = 15;
        assert!(Workload::generate(&asked).is_err());
    }

    fn layouts() -> impl Strategy<Value = VipLayout> {
        prop_oneof![Just(VipLayout::Sequential), Just(VipLayout::Random), Just(VipLayout::Stride256)]
    }

    proptest! {
        #[test]
        fn vips_and_pods_are_unique_and_in_range(n in 1u32..400, m in 0u32..5, layout in layouts(), seed: u64) {
            let asked = spec(n, m, layout, seed);
            let workload = Workload::generate(&asked).expect("in range");
            let vips: HashSet<_> = workload.services.iter().map(|service| service.vip).collect();
            let pods: HashSet<_> = workload.services.iter().flat_map(|s| &s.endpoints).map(|e| e.addr).collect();
            prop_assert_eq!(vips.len(), n as usize);
            prop_assert_eq!(pods.len(), (n * m) as usize);
            let range = asked.addresses.service_cidr;
            prop_assert!(vips.iter().all(|vip| range.contains(vip) && *vip != range.network() && *vip != range.broadcast()));
            let (cluster, clients) = (asked.addresses.cluster_cidr, asked.addresses.client_range);
            prop_assert!(pods.iter().all(|pod| cluster.contains(pod) && !clients.contains(pod)));
        }

        #[test]
        fn the_same_specification_makes_the_same_workload(n in 1u32..100, layout in layouts(), seed: u64) {
            let asked = spec(n, 2, layout, seed);
            prop_assert_eq!(Workload::generate(&asked), Workload::generate(&asked));
        }

        #[test]
        fn seeds_matter_to_the_random_layout_only(seed: u64) {
            let other = seed.wrapping_add(1);
            prop_assert_ne!(Workload::generate(&spec(50, 1, VipLayout::Random, seed)),
                Workload::generate(&spec(50, 1, VipLayout::Random, other)));
            prop_assert_eq!(Workload::generate(&spec(50, 1, VipLayout::Sequential, seed)),
                Workload::generate(&spec(50, 1, VipLayout::Sequential, other)));
        }
    }
}
