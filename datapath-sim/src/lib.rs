//! What each kernel datapath computes, in user space: its data structures, its decisions, and its cost as counted steps. A packet
//! goes in; the chosen endpoint, the packet after NAT and the steps come out. Pure: no I/O, no unsafe, and without the feature `names`,
//! which spells [`Scheduler`] and [`EndpointChoice`] for files and command lines, no dependency but `datapath-common`.
//!
//! A step is one visit of a data structure: a rule evaluated, a chain entered, a hash bucket looked up, an entry of a chained
//! bucket passed ([`Steps`]). Steps are not time: a rule and a hash probe cost different instructions, and nothing here has a
//! cache. They say how work grows with services, and of which kind it is.
//!
//! | model | is | sources of its behaviour |
//! |---|---|---|
//! | [`Direct`], [`DirectConntrack`] | plain routing, without and with connection tracking | net/netfilter/nf_conntrack_core.c |
//! | [`Iptables`] | kube-proxy 1.36's iptables mode | net/ipv4/netfilter/ip_tables.c, net/netfilter/xt_statistic.c, nf_nat_core.c |
//! | [`Ipvs`] | its IPVS mode | net/netfilter/ipvs/ip_vs_{core,ctl,conn,rr,wrr,lc,wlc,sed,nq,sh,dh,mh}.c |
//! | [`Nftables`] | its nftables mode | net/netfilter/{nf_tables_core,nft_set_hash,nft_numgen}.c |
//! | [`Ebpf`] | lbcurve's own eBPF load balancer, from the same source | `datapath_common::balancer` |

mod addresses;
mod conntrack;
mod direct;
mod ebpf;
mod hash;
pub mod iptables;
pub mod ipvs;
pub mod netfilter;
mod nftables;
mod packet;
mod random;
mod steps;
mod table;

pub use addresses::{Addresses, Range};
pub use direct::{Direct, DirectConntrack};
pub use ebpf::{Ebpf, EndpointChoice, NoTable};
pub use iptables::Iptables;
pub use ipvs::{Ipvs, Scheduler, Table};
pub use nftables::Nftables;
pub use packet::{Datapath, Decision, Endpoint, Outcome, Packet, Protocol, Service};
pub use steps::{StepKind, Steps};
