//! Paced trials: a rate is offered at intended times, and every packet that does not arrive is located.
//!
//! The generator sends out of the client's end of the veth (`XDP_TX`), and the node's end is polled on another CPU, so that more can be
//! offered than the node carries. What arrives is counted by eBPF in the pods' namespace. A [`Road`] is what a throughput search of
//! `curve_stats::search` measures.

mod meters;
mod pacer;
mod passage;
mod rates;
mod road;

pub use passage::Passage;
pub use rates::{FIXED_LOAD, Rates, goals, longest, rates, top};
pub use road::{PaceOrder, Road};
