//! What IPVS of a namespace says of itself, and what it is told of ports that come again.

use crate::net::{NetError, NetNs, ipvs, read_sysctl, write_sysctl};
use crate::result::ReuseMode;

const CONN_REUSE_MODE: &str = "net.ipv4.vs.conn_reuse_mode";

/// IPVS of a node after a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpvsUse {
    /// `net.ipv4.vs.conn_reuse_mode`: 0, 1 or more; `None` of kernels before 4.1.
    pub conn_reuse_mode: Option<u8>,
    /// Entries in its own connection table, active and inactive ones.
    pub entries: u64,
}

/// IPVS of `namespace`; `None` where the kernel has none, or has not loaded it.
///
/// # Errors
/// The namespace cannot be entered.
pub(super) fn use_of(namespace: &NetNs) -> Result<Option<IpvsUse>, NetError> {
    let _inside = namespace.enter()?;
    // `/proc/net/ip_vs_conn` has a line a connection, which are many more; the kernel walks either table anew for each page that is read.
    let table = std::fs::read_to_string(ipvs::TABLE).ok();
    Ok(table.map(|table| IpvsUse { conn_reuse_mode: conn_reuse_mode(), entries: entries(&table) }))
}

/// Of the calling thread's namespace.
fn conn_reuse_mode() -> Option<u8> {
    read_sysctl(CONN_REUSE_MODE).ok()?.parse().ok()
}

/// Sum of the last two columns, active and inactive connections, over the lines of endpoints.
fn entries(table: &str) -> u64 {
    let of_endpoint = |line: &str| -> Option<u64> {
        let words: Vec<_> = line.trim_start().strip_prefix("-> ")?.split_ascii_whitespace().collect();
        let [.., active, inactive] = &words[..] else { return None };
        // The heading has the form of an endpoint, and no numbers.
        Some(active.parse::<u64>().ok()? + inactive.parse::<u64>().ok()?)
    };
    table.lines().filter_map(of_endpoint).sum()
}

/// `conn_reuse_mode` of a namespace until this is dropped; then it is again what it was.
#[derive(Debug)]
pub(super) struct Reusing<'a> {
    namespace: &'a NetNs,
    before: Option<u8>,
}

impl<'a> Reusing<'a> {
    /// Sets it.
    ///
    /// # Errors
    /// [`NetError`], also where there is no IPVS.
    pub(super) fn set(namespace: &'a NetNs, mode: ReuseMode) -> Result<Self, NetError> {
        let _inside = namespace.enter()?;
        let before = conn_reuse_mode();
        write_sysctl(CONN_REUSE_MODE, &mode.value().to_string())?;
        Ok(Self { namespace, before })
    }

    fn restore(&self) -> Result<(), NetError> {
        let _inside = self.namespace.enter()?;
        self.before.map_or(Ok(()), |before| write_sysctl(CONN_REUSE_MODE, &before.to_string()))
    }
}

impl Drop for Reusing<'_> {
    fn drop(&mut self) {
        // The next trial's record says what it met.
        if let Err(error) = self.restore() {
            tracing::warn!(%error, "IPVS keeps the conn_reuse_mode of a trial");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_SERVICES: &str = "IP Virtual Server version 1.2.1 (size=4096)\n\
        Prot LocalAddress:Port Scheduler Flags\n  \
          -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
        TCP  0A600001:0050 rr  \n  \
          -> 0A800001:1F90      Masq    1      2          40        \n  \
          -> 0A800002:1F90      Masq    1      0          3         \n\
        UDP  0A600002:0035 rr  \n  \
          -> 0A800003:0035      Masq    1      0          0         \n";

    #[test]
    fn connections_of_all_endpoints_are_the_entries() {
        assert_eq!(entries(TWO_SERVICES), 45);
        assert_eq!((entries(""), entries("TCP 0A600001:0050 rr 7 7\n"), entries("-> x 1\n")), (0, 0, 0));
    }
}
