//! Empties the connection tracking table of a namespace, as `conntrack -F` does.

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::NetError;
use super::socket::{Batch, NetlinkSocket};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE` (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
const DELETE: u16 = 0x0102;
/// `struct nfgenmsg`: any family, version 0, resource 0. Without attributes everything is deleted.
const ANY_FAMILY: [u8; 4] = [0; 4];

/// Forgets every connection of the calling thread's namespace. IPVS's own connections stay.
///
/// # Errors
/// [`NetError::Request`], `EOPNOTSUPP` or `EINVAL` on a kernel without `nf_conntrack_netlink`.
pub fn flush() -> Result<(), NetError> {
    let mut batch = Batch::with_capacity(32);
    batch_of_all(&mut batch);
    NetlinkSocket::open(NETLINK_NETFILTER)?.send(&mut batch, |_| "empty the connection tracking table".to_owned())
}

fn batch_of_all(batch: &mut Batch) {
    let message = batch.begin(DELETE, 0);
    batch.bytes(&ANY_FAMILY);
    batch.end(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_a_header_and_no_attribute() {
        let mut batch = Batch::with_capacity(32);
        batch_of_all(&mut batch);
        let expected = [&20_u32.to_ne_bytes()[..], &0x0102_u16.to_ne_bytes(), &1_u16.to_ne_bytes(), &[0; 8], &[0; 4]];
        assert_eq!(batch.as_bytes(), expected.concat());
    }
}
