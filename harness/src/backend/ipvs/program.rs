//! Virtual services and their addresses: the part of the IPVS mode that grows with the number of services.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Instant;

use super::has_errno;
use crate::backend::names::endpoint_name;
use crate::backend::{BackendError, ProgrammingCost};
use crate::net::addr::Addresses;
use crate::net::ipvs::Ipvs;
use crate::workload::{Endpoint, Protocol, Scheduling, Service, Workload};

/// The dummy device that holds every VIP, so that packets to them are the node's own.
pub const DEVICE: &str = "kube-ipvs0";

/// Creates the dummy device unless it is there. `index` is its interface index, 0 for any.
///
/// # Errors
/// [`BackendError::Net`].
pub fn ensure_device(index: u32) -> Result<ProgrammingCost, BackendError> {
    let (created, cost) = ProgrammingCost::of_kernel(|| Addresses::open()?.create_dummy(DEVICE, index));
    match created {
        Err(error) if !has_errno(&error, libc::EEXIST) => Err(error.into()),
        _ => Ok(cost),
    }
}

/// Programs services, their endpoints and their addresses by netlink, in order; the device must be there. This is what a
/// comparison with `ip -batch` and `ipvsadm -R` times.
///
/// # Errors
/// [`BackendError::Net`] with what the kernel refused.
pub fn program(services: &[Service], scheduling: Scheduling) -> Result<ProgrammingCost, BackendError> {
    let start = Instant::now();
    // Addresses first: IPVS refuses endpoints (EINVAL) in a namespace whose local routing table is still missing.
    let mut addresses = Addresses::open()?;
    let index = addresses.index_of(DEVICE)?;
    addresses.add(index, vips(services).into_iter())?;
    let mut ipvs = Ipvs::open()?;
    ipvs.add_services(services, scheduling)?;
    Ok(since(start, ipvs.kernel_time() + addresses.kernel_time()))
}

/// Every VIP once, in order of programming: services of several ports share theirs.
fn vips(services: &[Service]) -> Vec<Ipv4Addr> {
    let mut seen = HashSet::with_capacity(services.len());
    services.iter().map(|service| service.vip).filter(|vip| seen.insert(*vip)).collect()
}

/// Adds and removes endpoints of a service.
pub(super) fn change(
    service: &Service,
    new: &[Endpoint],
    old: &[Endpoint],
    scheduling: Scheduling,
) -> Result<ProgrammingCost, BackendError> {
    let start = Instant::now();
    let mut ipvs = Ipvs::open()?;
    ipvs.change_endpoints(service, new, old, scheduling)?;
    Ok(since(start, ipvs.kernel_time()))
}

fn since(start: Instant, kernel: std::time::Duration) -> ProgrammingCost {
    let total = start.elapsed();
    ProgrammingCost { total, user: total.saturating_sub(kernel), kernel }
}

/// What [`program`] sends, in the language of `ipvsadm -R` and `ip -batch`.
pub(super) fn in_words(workload: &Workload) -> String {
    let Workload { services, scheduling, .. } = workload;
    let mut text = String::new();
    let _ = writeln!(text, "link add {DEVICE} type dummy");
    for vip in vips(services) {
        let _ = writeln!(text, "addr add {vip}/32 dev {DEVICE}");
    }
    for service in services {
        let option = match service.protocol {
            Protocol::Tcp => "-t",
            Protocol::Udp => "-u",
        };
        let virtual_service = format!("{option} {}:{}", service.vip, service.port);
        let _ = writeln!(text, "-A {virtual_service} -s {}", scheduling.name());
        for endpoint in &service.endpoints {
            let _ = writeln!(
                text,
                "-a {virtual_service} -r {} -m -w {}",
                endpoint_name(endpoint),
                scheduling.programmed(service, endpoint)
            );
        }
    }
    text
}
