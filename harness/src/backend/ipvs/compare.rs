//! Netlink against the usual tools: the same services and addresses, programmed both ways on one kernel.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{DEVICE, ensure_device, program};
use crate::backend::{BackendError, exec};
use crate::net::{NetError, NetNs};
use crate::workload::{Protocol, Scheduling, Service, Workload, WorkloadError, WorkloadSpec};

/// Durations of both ways; instructions in the deterministic vm, else nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Netlink, as this project programs: whole.
    pub netlink: u64,
    /// Of that, outside the kernel.
    pub netlink_user: u64,
    /// `ip -batch` for the addresses.
    pub ip_batch: u64,
    /// `ipvsadm -R` for services and endpoints.
    pub ipvsadm_restore: u64,
}

/// Why the two ways cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The workload cannot be generated.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// No namespace.
    #[error(transparent)]
    Net(#[from] NetError),
    /// One of the ways failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The two ways did not program the same.
    #[error("netlink programmed {netlink} lines of ipvsadm -Sn, the tools {tools}; the first that differs: {first:?}")]
    Unequal {
        /// Lines after netlink.
        netlink: usize,
        /// Lines after the tools.
        tools: usize,
        /// First line that only one of them has.
        first: Option<String>,
    },
}

/// Programs `spec` both ways, each in a fresh namespace, and checks that the kernel then holds the same.
///
/// # Errors
/// [`CompareError`].
pub fn compare_ipvs(spec: &WorkloadSpec) -> Result<Comparison, CompareError> {
    let services = Workload::generate(spec)?.services;
    let (netlink, by_netlink) = in_namespace(|| program(&services, Scheduling::DEFAULT))?;
    let ((ip_batch, ipvsadm_restore), by_tools) = in_namespace(|| with_tools(&services))?;
    same(&by_netlink, &by_tools)?;
    let count = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Ok(Comparison {
        netlink: count(netlink.total),
        netlink_user: count(netlink.user),
        ip_batch: count(ip_batch),
        ipvsadm_restore: count(ipvsadm_restore),
    })
}

/// Runs `way` beside a kube-ipvs0 of its own and returns its result and the sorted lines of `ipvsadm -Sn` and the addresses.
fn in_namespace<T>(way: impl FnOnce() -> Result<T, BackendError>) -> Result<(T, Vec<String>), CompareError> {
    let namespace = NetNs::new()?;
    let _inside = namespace.enter()?;
    ensure_device(0)?;
    let result = way()?;
    let mut lines = Vec::new();
    for (tool, arguments) in [("ipvsadm", &["-Sn"][..]), ("ip", &["-o", "-4", "addr", "show", "dev", DEVICE])] {
        lines.extend(exec::run(tool, arguments, "")?.stdout.lines().map(str::to_owned));
    }
    lines.sort_unstable();
    Ok((result, lines))
}

fn with_tools(services: &[Service]) -> Result<(Duration, Duration), BackendError> {
    let (addresses, virtual_services) = tool_input(services);
    let started = Instant::now();
    exec::run("ip", &["-batch", "-"], &addresses)?;
    let with_addresses = started.elapsed();
    exec::run("ipvsadm", &["-R"], &virtual_services)?;
    Ok((with_addresses, started.elapsed() - with_addresses))
}

/// What `ip -batch` and `ipvsadm -R` read.
fn tool_input(services: &[Service]) -> (String, String) {
    let (mut addresses, mut virtual_services) = (String::new(), String::new());
    for Service { vip, port, protocol, endpoints, .. } in services {
        let flag = if *protocol == Protocol::Tcp { "-t" } else { "-u" };
        // Writing to a string cannot fail.
        let _ = writeln!(addresses, "addr add {vip}/32 dev {DEVICE}");
        let _ = writeln!(virtual_services, "-A {flag} {vip}:{port} -s rr");
        for pod in endpoints {
            let _ = writeln!(virtual_services, "-a {flag} {vip}:{port} -r {}:{} -m -w 1", pod.addr, pod.port);
        }
    }
    (addresses, virtual_services)
}

fn same(netlink: &[String], tools: &[String]) -> Result<(), CompareError> {
    if netlink == tools {
        return Ok(());
    }
    let first = netlink.iter().zip(tools).find(|(one, other)| one != other).map(|(one, _)| one.clone());
    Err(CompareError::Unequal { netlink: netlink.len(), tools: tools.len(), first })
}
