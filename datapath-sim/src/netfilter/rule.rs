//! A rule: matches in the order in which they are tried, and a target.

use std::fmt::Write;
use std::net::SocketAddrV4;

use crate::{Protocol, Range};

/// A table that kube-proxy hooks into. Its mangle table holds no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableName {
    /// Seen by the first packet of a flow only.
    Nat,
    /// Seen by every packet.
    Filter,
}

/// A chain's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chain {
    /// Before routing.
    Prerouting,
    /// To the node itself.
    Input,
    /// Through the node.
    Forward,
    /// From the node itself.
    Output,
    /// After routing.
    Postrouting,
    /// One of kube-proxy's own.
    Kube(&'static str),
    /// That of a service, by its index.
    Service(u32),
    /// That of an endpoint: the service's index, and the endpoint's in the order of the service's rules.
    Endpoint(u32, u32),
}

/// What a `--ctstate` match asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateMatch {
    /// `NEW`.
    New,
    /// `INVALID`; no packet of a model is.
    Invalid,
    /// `RELATED,ESTABLISHED`.
    Established,
    /// `! RELATED,ESTABLISHED,DNAT`.
    NotEstablishedNorDnat,
}

/// An ipset of the IPVS mode, and what of the packet it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// By destination address and port.
    AddressPort(&'static str),
    /// By destination address.
    Address(&'static str),
    /// By destination port.
    Port(&'static str),
}

/// What happens to a packet that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// On to another chain, and back.
    Jump(Chain),
    /// Done with this table.
    Accept,
    /// Gone.
    Drop,
    /// Gone, with an ICMP error.
    Reject,
    /// Back to the chain before.
    Return,
    /// To be masqueraded: `MARK --or-mark 0x4000`.
    Mark,
    /// The mark taken back: `MARK --xor-mark 0x4000`.
    Unmark,
    /// Destination translated.
    Dnat(SocketAddrV4),
    /// Source translated to the node's.
    Masquerade,
}

/// A rule. Matches are tried in the order of the fields, as the kernel tries the addresses and the protocol before every `-m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `-s`, and whether it is negated.
    pub source: Option<(Range, bool)>,
    /// `-d`.
    pub destination: Option<Range>,
    /// `-p`.
    pub protocol: Option<Protocol>,
    /// `--dport`.
    pub port: Option<u16>,
    /// `--ctstate`.
    pub state: Option<StateMatch>,
    /// `--mark 0x4000/0x4000`: whether it must be set.
    pub mark: Option<bool>,
    /// `--dst-type LOCAL`.
    pub local: bool,
    /// `--match-set`.
    pub set: Option<Set>,
    /// `--mode random`: one of so many packets.
    pub one_of: Option<u32>,
    /// `-j`.
    pub target: Target,
}

impl Rule {
    /// A rule that everything matches.
    #[must_use]
    pub const fn all(target: Target) -> Self {
        Self {
            source: None,
            destination: None,
            protocol: None,
            port: None,
            state: None,
            mark: None,
            local: false,
            set: None,
            one_of: None,
            target,
        }
    }

    /// A rule that everything matches, to one of kube-proxy's chains.
    pub(crate) const fn jump(to: &'static str) -> Self {
        Self::all(Target::Jump(Chain::Kube(to)))
    }

    /// In `iptables-save`'s words, without chain and comments; `name` spells chains.
    #[must_use]
    pub fn text(&self, name: &dyn Fn(Chain) -> String) -> String {
        let mut text = String::new();
        self.addresses(&mut text);
        self.matches(&mut text);
        text + &self.target_text(name)
    }

    fn addresses(&self, text: &mut String) {
        if let Some((range, negated)) = self.source {
            let not = if negated { "! " } else { "" };
            let _ = write!(text, "{not}-s {range} ");
        }
        if let Some(range) = self.destination {
            let _ = write!(text, "-d {range} ");
        }
        if let Some(protocol) = self.protocol {
            let _ = write!(text, "-p {} ", spelled(protocol));
        }
    }

    fn matches(&self, text: &mut String) {
        if let Some(protocol) = self.protocol {
            let _ = write!(text, "-m {} ", spelled(protocol));
        }
        if let Some(port) = self.port {
            let _ = write!(text, "--dport {port} ");
        }
        text.push_str(match self.state {
            None => "",
            Some(StateMatch::New) => "-m conntrack --ctstate NEW ",
            Some(StateMatch::Invalid) => "-m conntrack --ctstate INVALID ",
            Some(StateMatch::Established) => "-m conntrack --ctstate RELATED,ESTABLISHED ",
            Some(StateMatch::NotEstablishedNorDnat) => "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT ",
        });
        text.push_str(match self.mark {
            None => "",
            Some(true) => "-m mark --mark 0x4000/0x4000 ",
            Some(false) => "-m mark ! --mark 0x4000/0x4000 ",
        });
        text.push_str(if self.local { "-m addrtype --dst-type LOCAL " } else { "" });
        if let Some(set) = self.set {
            let (name, by) = match set {
                Set::AddressPort(name) => (name, "dst,dst"),
                Set::Address(name) | Set::Port(name) => (name, "dst"),
            };
            let _ = write!(text, "-m set --match-set {name} {by} ");
        }
        if let Some(left) = self.one_of {
            let _ = write!(text, "-m statistic --mode random --probability {:.10} ", 1.0 / f64::from(left));
        }
    }

    fn target_text(&self, name: &dyn Fn(Chain) -> String) -> String {
        match self.target {
            Target::Jump(chain) => format!("-j {}", name(chain)),
            Target::Accept => "-j ACCEPT".to_owned(),
            Target::Drop => "-j DROP".to_owned(),
            Target::Reject => "-j REJECT".to_owned(),
            Target::Return => "-j RETURN".to_owned(),
            Target::Mark => "-j MARK --or-mark 0x4000".to_owned(),
            Target::Unmark => "-j MARK --xor-mark 0x4000".to_owned(),
            Target::Dnat(to) => format!("-j DNAT --to-destination {to}"),
            Target::Masquerade => "-j MASQUERADE --random-fully".to_owned(),
        }
    }
}

fn spelled(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}
