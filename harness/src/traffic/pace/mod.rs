//! Paced trials: a rate is offered at intended times, and every packet that does not arrive is located.
//!
//! The generator sends out of the client's end of the veth (`XDP_TX`), and the node's end is polled on another CPU, so that more can be
//! offered than the node carries. What arrives is counted by eBPF in the pods' namespace, and below saturation timed there, from
//! each packet's intended time on. A [`Road`] is what a throughput search of `curve_stats::search` measures. Its packets belong to new flows, to
//! established ones, or to both in a share.

mod arrivals;
mod loaded;
mod meters;
mod mixed;
mod pacer;
mod passage;
mod rates;
mod road;

pub use loaded::{Loaded, SHARES, loaded};
pub use pacer::TIMED_LAG_BOUND;
pub use passage::{Passage, Timed};
pub use rates::{FIXED_LOAD, Rates, goals, longest, rates, top};
pub use road::{PaceOrder, Road};
