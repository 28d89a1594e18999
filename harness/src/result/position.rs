//! Which service a packet asks for.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Which service a packet asks for, in order of programming. In text `first`, `middle`, `last`, `random`, `missing`, or `zipf:1.1` with its
/// exponent; `zipf` alone is `zipf:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub enum Position {
    /// Index 0: IPVS's worst (new services go to a bucket's head).
    First,
    /// Index N/2.
    Middle,
    /// Index N-1: iptables' worst.
    Last,
    /// A seeded uniform draw a packet.
    Random,
    /// No service: straight to a pod address.
    Missing,
    /// A seeded draw a packet by popularity: the service of rank k is asked for in proportion to 1 / k^exponent, and ranks are dealt to
    /// services at random, by the workload's seed.
    Zipf(ZipfExponent),
}

/// Exponent of a Zipf distribution in hundredths, so that positions can be told apart: 0.01 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZipfExponent(u16);

/// The largest exponent: there the first service gets 96% of the packets.
pub const MOST_EXPONENT: u16 = 5;

const ZIPF: &str = "zipf";

/// The positions but for other exponents, in the order of the command line's help.
const POSITIONS: [Position; 6] = [
    Position::First,
    Position::Middle,
    Position::Last,
    Position::Random,
    Position::Missing,
    Position::Zipf(ZipfExponent(100)),
];

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no position: first, middle, last, random, missing, or zipf:EXPONENT with an exponent from 0.01 to \
     {MOST_EXPONENT} in hundredths (zipf:1.1)"
)]
pub struct PositionError {
    text: String,
}

impl Position {
    /// Whether its packets ask for more than one service.
    #[must_use]
    pub fn is_over_all(self) -> bool {
        matches!(self, Self::Random | Self::Zipf(_))
    }
}

impl ZipfExponent {
    /// Its value.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let hundredths = text.parse::<f64>().ok().filter(|_| plain)? * 100.0;
        let rounded = hundredths.round();
        let fits = (hundredths - rounded).abs() < 1e-6 && (1.0..=f64::from(MOST_EXPONENT) * 100.0).contains(&rounded);
        fits.then_some(Self(rounded as u16))
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let exponent = text.strip_prefix(ZIPF).and_then(|rest| rest.strip_prefix(':'));
        let found = match (exponent, text) {
            (Some(exponent), _) => ZipfExponent::parse(exponent).map(Self::Zipf),
            (None, "first") => Some(Self::First),
            (None, "middle") => Some(Self::Middle),
            (None, "last") => Some(Self::Last),
            (None, "random") => Some(Self::Random),
            (None, "missing") => Some(Self::Missing),
            (None, ZIPF) => Some(Self::Zipf(ZipfExponent(100))),
            _ => None,
        };
        found.ok_or_else(|| PositionError { text: text.to_owned() })
    }
}

impl TryFrom<Cow<'_, str>> for Position {
    type Error = PositionError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.pad("first"),
            Self::Middle => f.pad("middle"),
            Self::Last => f.pad("last"),
            Self::Random => f.pad("random"),
            Self::Missing => f.pad("missing"),
            Self::Zipf(exponent) => f.pad(&format!("{ZIPF}:{}", exponent.value())),
        }
    }
}

/// Names, as those of all axes; the command line reads positions by [`FromStr`], since exponents are not to be listed.
impl ValueEnum for Position {
    fn value_variants<'a>() -> &'a [Self] {
        &POSITIONS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.to_string()))
    }
}

impl JsonSchema for Position {
    fn schema_name() -> Cow<'static, str> {
        "Position".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which service a packet asks for, in order of programming: index 0, N/2 or N-1, a seeded uniform draw a packet, a seeded \
                            draw by popularity with its exponent, or none, straight to a pod address.",
            "type": "string",
            "pattern": "^(first|middle|last|random|missing|zipf:[0-9](\\.[0-9]{1,2})?)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for text in ["first", "middle", "last", "random", "missing", "zipf:1", "zipf:1.1", "zipf:0.01", "zipf:5"] {
            let position: Position = text.parse().unwrap();
            assert_eq!(position.to_string(), text);
            let json = serde_json::to_string(&position).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
            assert_eq!(crate::result::name(&position), text);
        }
        assert_eq!("zipf".parse::<Position>().unwrap().to_string(), "zipf:1");
        assert_eq!("zipf:1.10".parse::<Position>(), "zipf:1.1".parse());
    }

    #[test]
    fn what_is_no_position_is_named() {
        for text in
            ["", "First", "zipf:", "zipf:0", "zipf:-1", "zipf:5.01", "zipf:1.001", "zipf:1e0", "zipf:nan", "zipf 1"]
        {
            let error = text.parse::<Position>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is no position")), "{error}");
        }
    }
}
