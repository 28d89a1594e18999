//! The load balancer as eBPF programs: tc classifiers and XDP programs, forward and reverse. What they decide is
//! `datapath_common::balancer`'s; here stand the maps and the packet's bytes.
//!
//! An object of its own, committed as `balancer.bpf.o`: a change here leaves the probe, and so baselines, as they are. Helpers and map
//! types are those of Linux 5.15.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "packets and map values are raw pointers here; the verifier checks every access again")]

mod again;
mod headers;
mod maps;
mod tc;
mod xdp;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel hands some helpers to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
