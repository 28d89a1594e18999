//! kube-proxy's IPVS mode: a virtual service a ClusterIP in the kernel's hash table, the VIPs on a dummy device, and a number of
//! iptables rules that does not depend on the number of services because they match ipsets.

pub mod compare;
mod program;
mod rules;
mod services;
mod sets;

pub use program::{DEVICE, ensure_device, program};
pub use services::{VirtualService, parse_table};
pub use sets::{IpSet, parse_sets};

use std::net::Ipv4Addr;

use super::iptables::{Flavour, Ruleset};
use super::{Backend, BackendError, Document, ProgrammingCost, Rendered, Unready, exec};
use crate::net::addr::Addresses;
use crate::net::ipvs::Ipvs as Connection;
use crate::net::{NetError, read_sysctl, write_sysctl};
use crate::result::BackendKind;
use crate::workload::{Endpoint, Protocol, Scheduling, Service, Workload};

/// kube-proxy's dumps of this mode come from iptables-legacy.
const FLAVOUR: Flavour = Flavour::Legacy;
/// The tables that the mode uses: no rule of it stands in mangle.
const TABLES: [&str; 2] = ["nat", "filter"];
/// Sysctls of the namespace, set to 1. The first three exist once ip_vs is loaded.
const SYSCTLS: [&str; 4] = [
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.expire_quiescent_template",
    "net.ipv4.ip_forward",
];

/// kube-proxy's IPVS mode.
pub(crate) struct Ipvs;

impl Backend for Ipvs {
    fn kind(&self) -> BackendKind {
        BackendKind::Ipvs
    }

    fn render(&self, workload: &Workload) -> Rendered {
        let restore = FLAVOUR.restore_command();
        let document = |command: &str, text| Document { command: command.to_owned(), text };
        Rendered {
            documents: vec![
                document("sysctl", SYSCTLS.iter().map(|name| format!("{name} = 1\n")).collect()),
                document("generic netlink IPVS, route netlink", program::in_words(workload)),
                document("ipset restore", sets::text(&workload.services)),
                document(&restore, rules::jumps()),
                document(&restore, rules::sync(&workload.addresses)),
            ],
        }
    }

    fn apply(&self, workload: &Workload) -> Result<ProgrammingCost, BackendError> {
        let mut cost = set_sysctls("1")?;
        cost += ensure_device(0)?;
        cost += program(&workload.services, workload.scheduling)?;
        cost += restore_sets(|| sets::text(&workload.services))?;
        cost += FLAVOUR.restore(&rules::jumps())?;
        Ok(cost + restore_rules(workload)?)
    }

    fn add_service(&self, workload: &Workload, added: &Service) -> Result<ProgrammingCost, BackendError> {
        let added = std::slice::from_ref(added);
        let mut cost = program(added, workload.scheduling)?;
        cost += restore_sets(|| sets::entries(added))?;
        Ok(cost + restore_rules(workload)?)
    }

    fn change_endpoint(
        &self,
        before: &Service,
        after: &Service,
        workload: &Workload,
    ) -> Result<ProgrammingCost, BackendError> {
        let missing_in = |other: &Service, endpoint: &&Endpoint| !other.endpoints.contains(endpoint);
        let new: Vec<_> = after.endpoints.iter().filter(|endpoint| missing_in(before, endpoint)).copied().collect();
        let old: Vec<_> = before.endpoints.iter().filter(|endpoint| missing_in(after, endpoint)).copied().collect();
        let cost = program::change(after, &new, &old, workload.scheduling)?;
        Ok(cost + restore_rules(workload)?)
    }

    fn verify(&self, workload: &Workload) -> Result<(), BackendError> {
        let mut differences = services::differences(workload)?;
        differences.extend(address_differences(workload)?);
        differences.extend(sets::differences(workload)?);
        differences.extend(rule_differences(workload)?);
        differences.extend(sysctl_differences()?);
        BackendError::unless_equal(self.kind(), differences)
    }

    /// The whole address goes to the dummy device, whatever port of it is the service's.
    fn expose(&self, exposed: &Service, workload: &Workload) -> Result<bool, BackendError> {
        program(std::slice::from_ref(exposed), workload.scheduling)?;
        restore_sets(|| sets::load_balancer(exposed))?;
        FLAVOUR.restore(rules::LOAD_BALANCER)?;
        Ok(true)
    }

    fn remove_filter(&self) -> Result<bool, BackendError> {
        FLAVOUR.restore(&rules::filter_removal())?;
        Ok(true)
    }

    fn clear(&self) -> Result<(), BackendError> {
        FLAVOUR.empty(&TABLES)?;
        exec::run("ipset", &["restore", "-exist"], &sets::destroy())?;
        Connection::open()?.flush()?;
        match Addresses::open()?.delete_link(DEVICE) {
            Err(error) if !has_errno(&error, libc::ENODEV) => return Err(error.into()),
            _ => {}
        }
        set_sysctls("0").map(drop)
    }

    fn readiness(&self) -> Result<(), Unready> {
        let check = || -> Result<(), BackendError> {
            Connection::open()?;
            ensure_device(0)?;
            exec::run("ipset", &["restore", "-exist"], &sets::text(&[]))?;
            FLAVOUR.restore(&rules::jumps())?;
            FLAVOUR.restore(&rules::sync(&crate::workload::AddressPlan::default()))?;
            self.clear()
        };
        check().map_err(|error| unready(&error))
    }
}

fn unready(error: &BackendError) -> Unready {
    let remedy = match error {
        BackendError::ToolMissing { tool } if tool == "ipset" => "apt-get install ipset",
        BackendError::ToolMissing { .. } => "apt-get install iptables",
        _ => "run as root on a kernel with ip_vs, ip_vs_rr, dummy, ip_set and xt_set, or use the vm venue",
    };
    let reason = match error {
        BackendError::Net(error) if has_errno(error, libc::ENOENT) => "this kernel has no ip_vs".to_owned(),
        other => other.to_string(),
    };
    Unready { backend: BackendKind::Ipvs, reason, remedy: remedy.into() }
}

/// Whether the kernel has IPVS, but not this scheduler: it then refuses a service with it by ENOENT, after it has tried to load the module.
#[must_use]
pub fn lacks_scheduler(scheduling: Scheduling) -> bool {
    let Ok(mut ipvs) = Connection::open() else { return false };
    let any = Service {
        namespace: String::new(),
        name: String::new(),
        port_name: String::new(),
        vip: Ipv4Addr::LOCALHOST,
        port: 1,
        protocol: Protocol::Tcp,
        endpoints: Vec::new(),
    };
    let added = ipvs.add_services(&[any], scheduling);
    let lacks = added.is_err_and(|error| has_errno(&error, libc::ENOENT));
    // What cannot be removed goes with the namespace.
    let _ = ipvs.flush();
    lacks
}

/// The sysctls below `vs` appear when the module is loaded, which opening its netlink family does.
fn set_sysctls(value: &str) -> Result<ProgrammingCost, BackendError> {
    Connection::open()?;
    let (result, cost) = ProgrammingCost::of_kernel(|| SYSCTLS.iter().try_for_each(|name| write_sysctl(name, value)));
    Ok(result.map(|()| cost)?)
}

fn restore_sets(render: impl FnOnce() -> String) -> Result<ProgrammingCost, BackendError> {
    let (text, rendering) = ProgrammingCost::of_user(render);
    Ok(rendering + exec::run("ipset", &["restore", "-exist"], &text)?.cost)
}

/// kube-proxy writes all its rules anew whenever anything changes.
fn restore_rules(workload: &Workload) -> Result<ProgrammingCost, BackendError> {
    FLAVOUR.restore(&rules::sync(&workload.addresses))
}

fn address_differences(workload: &Workload) -> Result<Vec<String>, BackendError> {
    let mut addresses = Addresses::open()?;
    let index = addresses.index_of(DEVICE)?;
    let live = addresses.list(index)?;
    let expected = workload.services.iter().map(|service| service.vip).collect();
    let missing = live.symmetric_difference(&expected).map(|address| match live.contains(address) {
        true => format!("{DEVICE} has the address {address} too much"),
        false => format!("{DEVICE} lacks the address {address}"),
    });
    Ok(missing.collect())
}

fn rule_differences(workload: &Workload) -> Result<Vec<String>, BackendError> {
    let (mut expected, mut live) = (Ruleset::default(), Ruleset::default());
    expected.restore(&rules::jumps())?;
    expected.restore(&rules::sync(&workload.addresses))?;
    live.restore(&exec::run(FLAVOUR.save_tool(), &[], "")?.stdout)?;
    Ok(expected.differences(&live))
}

fn sysctl_differences() -> Result<Vec<String>, BackendError> {
    let mut differences = Vec::new();
    for name in SYSCTLS {
        let value = read_sysctl(name)?;
        if value != "1" {
            differences.push(format!("{name} is {value} instead of 1"));
        }
    }
    Ok(differences)
}

fn has_errno(error: &NetError, errno: i32) -> bool {
    matches!(error, NetError::Request { source, .. } if source.raw_os_error() == Some(errno))
}
