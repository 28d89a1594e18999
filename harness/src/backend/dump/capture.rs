//! Programs a dump's services and reads the kernel back with the tools that made the dump.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Dump, DumpKind, workload};
use crate::backend::iptables::Flavour;
use crate::backend::{BackendError, backend, exec, ipvs};
use crate::net::addr::Addresses;
use crate::net::{self, NetError, NetNs, Rtnl, read_sysctl};
use crate::result::BackendKind;
use crate::workload::Workload;

/// Sysctls of the IPVS mode that are not below `net.ipv4.vs`.
const OTHER_SYSCTLS: [&str; 4] = [
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce",
    "net.ipv4.conf.all.route_localnet",
];
const IPVS_SYSCTLS: &str = "/proc/sys/net/ipv4/vs";
/// The node's device in the dumps, with the prefix of its address.
const NODE_DEVICE: (&str, u8) = ("eth0", 24);

/// What the kernel holds, in the format of the dump that it is compared with. Serializable, so that a guest can hand it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveState {
    /// The text.
    pub text: String,
}

/// Why a dump's services cannot be programmed and read back.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No namespace.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The dump cannot be understood, or its backend not be programmed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// As [`program`], in a namespace of its own.
///
/// # Errors
/// [`ProgramError`].
pub fn program_in_fresh_namespace(dump: &Dump) -> Result<LiveState, ProgramError> {
    if dump.kind.is_input() {
        // Text against text: neither a kernel nor root is needed.
        return Ok(program(dump)?);
    }
    let namespace = NetNs::new()?;
    let _inside = namespace.enter()?;
    Ok(program(dump)?)
}

/// Programs what `dump` holds in the calling thread's namespace, which must be fresh, and captures it. For kube-proxy's inputs
/// nothing is programmed: the rendered text is the answer.
///
/// # Errors
/// [`BackendError`] where the dump cannot be understood, the backend cannot be programmed or a tool fails.
pub fn program(dump: &Dump) -> Result<LiveState, BackendError> {
    let workload = workload(dump)?;
    if dump.kind.is_input() {
        return Ok(LiveState { text: rendered(dump.backend, &workload) });
    }
    if dump.kind == DumpKind::Ipvs {
        prepare_node(dump)?;
    }
    backend(dump.backend).apply(&workload)?;
    capture(dump.kind, dump.backend)
}

/// Reads the calling thread's namespace.
///
/// # Errors
/// [`BackendError`] where a tool is missing or fails, or a file cannot be read.
pub fn capture(kind: DumpKind, backend: BackendKind) -> Result<LiveState, BackendError> {
    let text = match (kind, backend) {
        (DumpKind::IptablesSave | DumpKind::RestoreInput, BackendKind::IptablesNft) => {
            shown(Flavour::Nft.save_tool(), "")?
        }
        (DumpKind::IptablesSave | DumpKind::RestoreInput, _) => shown(Flavour::Legacy.save_tool(), "")?,
        (DumpKind::NftListing | DumpKind::NftTransaction, _) => shown("nft", "list ruleset")?,
        (DumpKind::IpSet, _) => shown("ipset", "save")?,
        (DumpKind::Ipvs, _) => ipvs_state()?,
    };
    Ok(LiveState { text })
}

/// The last document is the one that kube-proxy sends as a whole; what it sets up beside it is in those before.
fn rendered(kind: BackendKind, workload: &Workload) -> String {
    backend(kind).render(workload).documents.pop().map(|document| document.text).unwrap_or_default()
}

/// Gives the namespace the devices that the dump was made beside: loopback, the node's own with its address, and kube-ipvs0
/// under the same interface index.
fn prepare_node(dump: &Dump) -> Result<(), BackendError> {
    let (name, prefix) = NODE_DEVICE;
    let mut devices = Addresses::open()?;
    devices.create_dummy(name, 0)?;
    let (loopback, node) = (devices.index_of("lo")?, devices.index_of(name)?);
    let mut links = Rtnl::open()?;
    links.add_address(node, node_address(&dump.text), prefix)?;
    links.set_up(loopback)?;
    links.set_up(node)?;
    ipvs::ensure_device(device_index(&dump.text)).map(drop)
}

/// From `local 192.168.100.1 dev eth0 ...`.
fn node_address(text: &str) -> Ipv4Addr {
    let lines = text.lines().filter(|line| line.starts_with("local ") && line.contains(" dev eth0 "));
    let address = lines.filter_map(|line| line.split(' ').nth(1)).find_map(|word| word.parse().ok());
    address.unwrap_or(crate::workload::AddressPlan::kube_proxy_dumps().node_addr)
}

/// From `4: kube-ipvs0: ...`; 0 where it is not shown.
fn device_index(text: &str) -> u32 {
    let marker = format!(": {}: ", ipvs::DEVICE);
    text.lines().filter_map(|line| line.split_once(&marker)).find_map(|(index, _)| index.parse().ok()).unwrap_or(0)
}

fn ipvs_state() -> Result<String, BackendError> {
    let table = read(net::ipvs::TABLE)?;
    let services = shown("ipvsadm", "-Sn")?;
    let device = shown("ip", "-d addr show kube-ipvs0")?;
    let routes = shown("ip", "route show table local")?;
    let sysctls = sysctls()?;
    Ok(format!(
        "{services}\n# /proc/net/ip_vs\n{table}\n# ip -d addr show kube-ipvs0\n{device}\n# ip route show table local\n{routes}\n# \
         sysctls\n{sysctls}"
    ))
}

fn sysctls() -> Result<String, BackendError> {
    let failed = |source| BackendError::Read { path: IPVS_SYSCTLS.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(IPVS_SYSCTLS).map_err(failed)? {
        names.push(format!("net.ipv4.vs.{}", entry.map_err(failed)?.file_name().to_string_lossy()));
    }
    names.sort();
    names.extend(OTHER_SYSCTLS.map(str::to_owned));
    let mut text = String::new();
    for name in names {
        // A write-only sysctl has no state to compare.
        if let Ok(value) = read_sysctl(&name) {
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    Ok(text)
}

fn read(path: &str) -> Result<String, BackendError> {
    std::fs::read_to_string(path).map_err(|source| BackendError::Read { path: path.into(), source })
}

fn shown(tool: &str, arguments: &str) -> Result<String, BackendError> {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    Ok(exec::run(tool, &arguments, "")?.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_and_device_are_read_off_a_dump() {
        let text = "# ip -d addr show kube-ipvs0\n4: kube-ipvs0: <NOARP> mtu\n# ip route show table local\nlocal 10.1.2.3 dev eth0 proto kernel\n";
        assert_eq!((node_address(text), device_index(text)), (Ipv4Addr::new(10, 1, 2, 3), 4));
        assert_eq!(device_index(""), 0);
    }
}
