//! The eBPF programs: probe, responder and sink (tc classifiers), packet generator (XDP).
//!
//! Built by `cargo xtask ebpf`; the object is committed as `lbcurve.bpf.o`. Helpers and map types are those of Linux 5.15, so
//! that one object loads on every kernel that is measured.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "packets and map values are raw pointers here; the verifier checks every access again")]

mod decisions;
mod generator;
mod packet;
mod probe;
mod responder;

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;

/// Lets everything through: a veth has the receive queues that live frames need only while a native XDP program is on it.
#[xdp]
fn pass(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel hands the helpers that the probe calls to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
