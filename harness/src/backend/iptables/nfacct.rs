//! The nfacct object that the rule for invalid packets counts in: made and removed over `NETLINK_NETFILTER`.

use std::io;

use netlink_sys::protocols::NETLINK_NETFILTER;

use super::render::INVALID_COUNTER;
use crate::net::NetError;
use crate::net::socket::{Batch, CREATE, NetlinkSocket};

/// `NFNL_SUBSYS_ACCT << 8 | NFNL_MSG_ACCT_NEW` (include/uapi/linux/netfilter/nfnetlink{,_acct}.h).
const ACCT_NEW: u16 = 7 << 8;
/// `NFNL_SUBSYS_ACCT << 8 | NFNL_MSG_ACCT_DEL`.
const ACCT_DEL: u16 = 7 << 8 | 3;
/// `NFACCT_NAME`.
const NAME: u16 = 1;

/// Makes the object exist. `false` where the kernel has no nfnetlink_acct; kube-proxy then leaves the match out.
pub(crate) fn ensure() -> Result<bool, NetError> {
    match request(ACCT_NEW, CREATE) {
        Ok(()) => Ok(true),
        // The object exists: EBUSY without NLM_F_EXCL.
        Err(error) if has_errno(&error, &[libc::EBUSY, libc::EEXIST]) => Ok(true),
        // nfnetlink answers EINVAL to a subsystem that it does not know, a kernel without nfnetlink has no such protocol.
        Err(error) if has_errno(&error, &[libc::EINVAL, libc::EOPNOTSUPP, libc::EPROTONOSUPPORT]) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the object where it exists.
pub(crate) fn remove() -> Result<(), NetError> {
    match request(ACCT_DEL, 0) {
        Err(error) if has_errno(&error, &[libc::ENOENT, libc::EINVAL, libc::EOPNOTSUPP, libc::EPROTONOSUPPORT]) => {
            Ok(())
        }
        other => other,
    }
}

fn request(kind: u16, flags: u16) -> Result<(), NetError> {
    let mut socket = NetlinkSocket::open(NETLINK_NETFILTER)?;
    let mut batch = Batch::with_capacity(64);
    let message = batch.begin(kind, flags);
    // nfgenmsg: any family, version 0, resource 0.
    batch.bytes(&[0; 4]);
    batch.attribute(NAME, &[INVALID_COUNTER.as_bytes(), &[0]].concat());
    batch.end(message);
    socket.send(&mut batch, |_| format!("change the nfacct object {INVALID_COUNTER}"))
}

fn has_errno(error: &NetError, errnos: &[i32]) -> bool {
    let NetError::Request { source, .. } = error else { return false };
    io::Error::raw_os_error(source).is_some_and(|errno| errnos.contains(&errno))
}
