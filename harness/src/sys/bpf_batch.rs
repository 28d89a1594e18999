//! bpf(2) on many elements at a time.
#![expect(unsafe_code, reason = "bpf(2) takes addresses of buffers as integers")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use aya::Pod;

/// `BPF_MAP_LOOKUP_BATCH` of `enum bpf_cmd` (include/uapi/linux/bpf.h), in kernels since 5.6.
const LOOKUP_BATCH: libc::c_int = 24;
/// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`.
const TAKE_BATCH: libc::c_int = 25;
/// `BPF_MAP_UPDATE_BATCH`.
const UPDATE_BATCH: libc::c_int = 26;
/// Elements of one call: enough that the call itself is cheap, and more than any bucket of a hash map holds.
const CHUNK: usize = 1 << 14;
/// Words for the kernel's note where a lookup goes on: a bucket's number, or a key.
const TOKEN_WORDS: usize = 8;

/// What a map's elements are made of, as the kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
}

/// The batch commands' part of `union bpf_attr`.
#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Writes `values` under `keys`, in order.
///
/// # Errors
/// `EINVAL` where the types have other sizes than the map's or there are not as many values as keys, else what bpf(2) says; then an
/// unknown number of elements has been written.
pub fn update<K: Pod, V: Pod>(map: BorrowedFd<'_>, shape: Shape, keys: &[K], values: &[V]) -> io::Result<()> {
    check::<K, V>(shape)?;
    if keys.len() != values.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (keys, values) in keys.chunks(CHUNK).zip(values.chunks(CHUNK)) {
        let mut attr = attr(map, keys.len());
        attr.keys = keys.as_ptr() as u64;
        attr.values = values.as_ptr() as u64;
        // SAFETY: the kernel reads as many keys and values as both slices hold, of the sizes that were compared.
        unsafe { call(UPDATE_BATCH, &mut attr) }?;
    }
    Ok(())
}

/// Reads every element of a hash map or an array, in the kernel's order.
///
/// # Errors
/// As [`update`].
pub fn read_all<K: Pod, V: Pod>(map: BorrowedFd<'_>, shape: Shape) -> io::Result<Vec<(K, V)>> {
    walk(map, shape, LOOKUP_BATCH)
}

/// As [`read_all`], of a hash map, which is empty afterwards.
///
/// # Errors
/// As [`update`].
pub fn take_all<K: Pod, V: Pod>(map: BorrowedFd<'_>, shape: Shape) -> io::Result<Vec<(K, V)>> {
    walk(map, shape, TAKE_BATCH)
}

fn walk<K: Pod, V: Pod>(map: BorrowedFd<'_>, shape: Shape, command: libc::c_int) -> io::Result<Vec<(K, V)>> {
    check::<K, V>(shape)?;
    if shape.key_size as usize > TOKEN_WORDS * 8 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (mut from, mut to) = ([0_u64; TOKEN_WORDS], [0_u64; TOKEN_WORDS]);
    let mut all = Vec::new();
    loop {
        let (mut keys, mut values) = (Vec::<K>::with_capacity(CHUNK), Vec::<V>::with_capacity(CHUNK));
        let mut attr = attr(map, CHUNK);
        attr.in_batch = if all.is_empty() { 0 } else { from.as_ptr() as u64 };
        attr.out_batch = to.as_mut_ptr() as u64;
        attr.keys = keys.as_mut_ptr() as u64;
        attr.values = values.as_mut_ptr() as u64;
        // SAFETY: both vectors have room for as many elements as are asked for, of the sizes that were compared, and a token
        // fits its array.
        let result = unsafe { call(command, &mut attr) };
        let ended = match result {
            Ok(()) => false,
            // Nothing more; what was found until there is in the buffers.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        let found = (attr.count as usize).min(CHUNK);
        // SAFETY: the kernel has filled in `count` of them; any bytes are a value of a `Pod`.
        unsafe {
            keys.set_len(found);
            values.set_len(found);
        }
        all.extend(keys.into_iter().zip(values));
        if ended || found == 0 {
            return Ok(all);
        }
        from = to;
    }
}

fn check<K, V>(shape: Shape) -> io::Result<()> {
    let same = size_of::<K>() == shape.key_size as usize && size_of::<V>() == shape.value_size as usize;
    if same { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

fn attr(map: BorrowedFd<'_>, count: usize) -> BatchAttr {
    BatchAttr {
        in_batch: 0,
        out_batch: 0,
        keys: 0,
        values: 0,
        count: count as u32,
        map_fd: map.as_raw_fd() as u32,
        elem_flags: 0,
        flags: 0,
    }
}

/// # Safety
/// The addresses in `attr` are those of live buffers as large as the command needs.
unsafe fn call(command: libc::c_int, attr: &mut BatchAttr) -> io::Result<()> {
    // SAFETY: as the caller promises; the kernel writes the number of elements back into `attr`.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<BatchAttr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn types_of_other_sizes_never_reach_the_kernel() {
        let null = File::open("/dev/null").expect("opens");
        let shape = Shape { key_size: 4, value_size: 8 };
        let error = update(null.as_fd(), shape, &[1_u64], &[1_u64]).expect_err("a key of 8 bytes");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = read_all::<u32, u32>(null.as_fd(), shape).expect_err("a value of 4 bytes");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = update(null.as_fd(), shape, &[1_u32, 2], &[1_u64]).expect_err("a value is missing");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // The right ones do, and there is no map.
        let error = update(null.as_fd(), shape, &[1_u32], &[1_u64]).expect_err("no map");
        assert!(error.raw_os_error().is_some(), "{error}");
    }
}
