//! For `cargo bench -p lbcurve --bench balancer_test_run`: `BPF_PROG_TEST_RUN` repeats a program on the packet that the last
//! repetition left behind. These wrappers write the packet anew and tail-call the program under test.

use aya_ebpf::bindings::TC_ACT_OK;
use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_PASS};
use aya_ebpf::macros::{classifier, map, xdp};
use aya_ebpf::maps::{Array, ProgramArray};
use aya_ebpf::programs::{TcContext, XdpContext};
use datapath_common::balancer::again::Order;
use datapath_common::balancer::{Endpoint, V4};
use datapath_common::flow::{client_of, target_of};
use datapath_common::frame::{FRAME_LEN, FRAME_WORDS, Header, UDP, build, words_of};

#[map]
static ORDER: Array<Order> = Array::with_max_entries(1, 0);
/// Where packets go.
#[map]
static AIMS: Array<Endpoint<V4>> = Array::with_max_entries(1, 0);
#[map]
static TC_PROGRAM: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
static XDP_PROGRAM: ProgramArray = ProgramArray::with_max_entries(1, 0);

#[classifier]
fn again_tc(ctx: TcContext) -> i32 {
    if write(ctx.data(), ctx.data_end()).is_some() {
        // SAFETY: the context's own pointer; what comes back found no program.
        unsafe { TC_PROGRAM.tail_call(&ctx, 0) };
    }
    -2
}

#[xdp]
fn again_xdp(ctx: XdpContext) -> u32 {
    if write(ctx.data(), ctx.data_end()).is_some() {
        // SAFETY: as above.
        unsafe { XDP_PROGRAM.tail_call(&ctx, 0) };
    }
    XDP_ABORTED
}

/// What the wrapper itself costs is measured with this in the place of the program under test.
#[classifier]
fn nothing_tc(_ctx: TcContext) -> i32 {
    TC_ACT_OK
}

/// As [`nothing_tc`].
#[xdp]
fn nothing_xdp(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

#[inline(always)]
fn write(data: usize, end: usize) -> Option<()> {
    if data + FRAME_LEN > end {
        return None;
    }
    // SAFETY: one thread runs the wrapper at a time.
    let order = unsafe { &mut *ORDER.get_ptr_mut(0)? };
    let flow = order.first_flow + order.cursor;
    let target = AIMS.get(target_of(flow, order.seed, order.targets))?;
    order.cursor += 1;
    if order.cursor >= order.flows {
        order.cursor = 0;
    }
    let (client, port) = client_of(flow, order.client_base);
    let frame = build(&Header {
        dst_mac: [2, 0, 2],
        src_mac: [2, 0, 1],
        src_be: words_of(client.to_be()),
        dst_be: target.addr.words(),
        src_port_be: port.to_be(),
        dst_port_be: target.port_be,
        segment: UDP,
        tag: 0,
    });
    // SAFETY: compared above.
    unsafe { *(data as *mut [u16; FRAME_WORDS]) = frame };
    Some(())
}
