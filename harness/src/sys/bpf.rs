//! bpf(2) on array elements that are too large to pass through the stack.
#![expect(unsafe_code, reason = "bpf(2) takes addresses of buffers as integers")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `BPF_MAP_LOOKUP_ELEM` of `enum bpf_cmd` (include/uapi/linux/bpf.h).
const LOOKUP: libc::c_int = 1;
/// `BPF_MAP_UPDATE_ELEM`.
const UPDATE: libc::c_int = 2;

/// The element commands' part of `union bpf_attr`.
#[repr(C)]
struct ElementAttr {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Copies element `key` of an array map into `words`. `value_size` is the map's, in bytes.
///
/// # Errors
/// `EINVAL` where `words` is not as large as the map's value, else what bpf(2) says.
pub fn read_element(map: BorrowedFd<'_>, value_size: u32, key: u32, words: &mut [u64]) -> io::Result<()> {
    check_size(value_size, words)?;
    element_call(LOOKUP, map, key, words.as_mut_ptr() as u64)
}

/// Copies `words` over element `key` of an array map. `value_size` is the map's, in bytes.
///
/// # Errors
/// As [`read_element`].
pub fn write_element(map: BorrowedFd<'_>, value_size: u32, key: u32, words: &[u64]) -> io::Result<()> {
    check_size(value_size, words)?;
    element_call(UPDATE, map, key, words.as_ptr() as u64)
}

fn check_size(value_size: u32, words: &[u64]) -> io::Result<()> {
    if size_of_val(words) == value_size as usize { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn element_call(command: libc::c_int, map: BorrowedFd<'_>, key: u32, value: u64) -> io::Result<()> {
    let attr =
        ElementAttr { map_fd: map.as_raw_fd() as u32, reserved: 0, key: (&raw const key) as u64, value, flags: 0 };
    // SAFETY: `key` and `attr` outlive the call, and `value` points to a live buffer of exactly the map's value size: the
    // only callers compare them. An array's element is written by LOOKUP (its caller holds the buffer mutably) and read by
    // UPDATE.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const attr, size_of::<ElementAttr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
