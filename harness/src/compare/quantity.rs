//! What a cell of a comparison shows, and in what unit.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::number::{self, Medium};
use crate::result::{ConnectionLoad, Metric, NewShare, PacketSize, RateKind, RateMethod, Unit, name};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub enum Quantity {
    /// What a packet takes.
    Packet(Metric),
    /// A rate that was searched for, with packets of a size, and with new flows among established ones where there is a share.
    Rate(RateKind, RateMethod, PacketSize, Option<NewShare>),
    /// Exchanges of real connections a second.
    Connections(ConnectionLoad),
    /// Bits of streams a second.
    Stream(ConnectionLoad),
    /// Time to connect, p50.
    Connect(ConnectionLoad),
    /// Time of an exchange, p50.
    Exchange(ConnectionLoad),
}

impl Quantity {
    /// Whether more is better. Costs and times are better where they are less.
    #[must_use]
    pub fn is_rate(self) -> bool {
        match self {
            Self::Rate(..) | Self::Connections(_) | Self::Stream(_) => true,
            Self::Packet(_) | Self::Connect(_) | Self::Exchange(_) => false,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(metric) => metric.fmt(f),
            Self::Rate(rate, method, size, new_share) => {
                write!(f, "rate-{}, {}", name(rate), name(method))?;
                if !size.is_default() {
                    write!(f, ", {size} bytes")?;
                }
                new_share.map_or(Ok(()), |share| write!(f, ", {share} new"))
            }
            Self::Connections(load) => write!(f, "connections, {load}"),
            Self::Stream(load) => write!(f, "bits, {load}"),
            Self::Connect(load) => write!(f, "connect, {load}"),
            Self::Exchange(load) => write!(f, "exchange, {load}"),
        }
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.to_string()
    }
}

impl PartialEq<Metric> for Quantity {
    fn eq(&self, metric: &Metric) -> bool {
        *self == Self::Packet(*metric)
    }
}

/// Unit of a cell's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub enum Scale {
    /// Of a cost or a time.
    Cost(Unit),
    /// Packets a second.
    Packets,
    /// Exchanges a second.
    Exchanges,
    /// Bits a second.
    Bits,
}

impl Scale {
    /// Whether trials of one seed repeat each other.
    #[must_use]
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Cost(unit) if unit.is_counted())
    }

    /// A value for a reader.
    pub(super) fn value(self, value: f64, medium: Medium) -> String {
        match self {
            Self::Cost(unit) => number::value(value, unit, medium),
            Self::Packets | Self::Exchanges | Self::Bits => number::significant(value, 4, medium),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost(unit) => unit.fmt(f),
            Self::Packets => f.pad("packets/s"),
            Self::Exchanges => f.pad("exchanges/s"),
            Self::Bits => f.pad("bit/s"),
        }
    }
}

impl From<Scale> for String {
    fn from(scale: Scale) -> Self {
        scale.to_string()
    }
}

impl PartialEq<Unit> for Scale {
    fn eq(&self, unit: &Unit) -> bool {
        *self == Self::Cost(*unit)
    }
}
