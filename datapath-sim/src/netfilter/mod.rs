//! Tables of chains of rules, and the way of a packet through their hooks: what iptables is, whichever of its two kernel sides
//! holds the rules (net/ipv4/netfilter/ip_tables.c walks them as they stand, net/netfilter/nf_tables_core.c those of `iptables-nft`).
//!
//! Not counted is what iptables-legacy appends to every chain (its policy or return) and what holds no rule: the mangle table
//! and base chains without jumps.

mod path;
mod rule;
mod walk;

pub use rule::{Chain, Rule, Set, StateMatch, TableName, Target};
pub(crate) use walk::{Verdict, Walk};

use std::net::Ipv4Addr;

use crate::Packet;

/// The rules of a node.
pub(crate) trait Rules {
    /// Rules of a chain.
    fn len(&self, table: TableName, chain: Chain) -> usize;

    /// The rule at an index below [`len`](Self::len).
    fn rule(&self, table: TableName, chain: Chain, at: usize) -> Rule;

    /// The rules of a chain, in order.
    fn of(&self, table: TableName, chain: Chain) -> impl Iterator<Item = Rule> {
        (0..self.len(table, chain)).map(move |at| self.rule(table, chain, at))
    }

    /// The first rule from `from` on that may match `packet`. Those before it are visited and cannot match, so that a chain of
    /// 100,000 services need not be compared one by one; what is counted is the same.
    fn next(&self, _table: TableName, _chain: Chain, from: usize, _packet: &Packet) -> usize {
        from
    }

    /// Whether an address is the node's own.
    fn is_local(&self, address: Ipv4Addr) -> bool;

    /// Whether a set holds what it is asked for.
    fn set_holds(&self, _set: Set, _packet: &Packet) -> bool {
        false
    }
}
