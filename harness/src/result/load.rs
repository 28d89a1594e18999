//! How many connections are opened, and when.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Flow;

/// The load of a connection trial. In text `16`, `2000/s`, `keep-alive:16`, `reuse:16` (or `reuse0:16`, `reuse1:16`), `stream:4` or
/// `16@90%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum ConnectionLoad {
    /// Closed loop: so many exchanges at a time, each on a connection of its own (connect, request, response, close). The next begins
    /// when one ends, so a slow datapath is asked for less.
    Closed(NonZeroU32),
    /// Open loop: so many connections a second begin at their intended times, whatever became of those before.
    Open(NonZeroU32),
    /// Closed loop of requests and responses on so many connections that stay open.
    KeepAlive(NonZeroU32),
    /// Closed loop whose connections come from so many ports of clients in all, a quarter of them at a time: the same addresses and ports come again
    /// while the node still remembers their last connection.
    Reuse {
        /// Ports in all.
        ports: NonZeroU32,
        /// What IPVS is told of them; `None` leaves its sysctl as it is. On other nodes only that says something.
        mode: Option<ReuseMode>,
    },
    /// Bytes to the service on so many connections, as fast as they go.
    Stream(NonZeroU32),
    /// As [`Closed`](Self::Closed), on a node whose connection tracking table other flows fill to a share.
    Filled {
        /// At a time.
        connections: NonZeroU32,
        /// Share of the table, in percent.
        percent: NonZeroU8,
    },
}

/// What IPVS does with a port that comes again while it remembers the last connection: `net.ipv4.vs.conn_reuse_mode`
/// (Documentation/networking/ipvs-sysctl.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReuseMode {
    /// 0: the new connection goes to the endpoint of the last one.
    Same,
    /// 1, the kernel's default: where the last connection waits in `TIME_WAIT`, an endpoint is chosen anew.
    Anew,
}

/// Most connections at a time: each takes two of the process's file descriptors.
pub const MOST_AT_A_TIME: u32 = 1_000;
/// Most connections a second in the open loop: far more than one thread opens.
pub const MOST_A_SECOND: u32 = 1_000_000;

const KEEP_ALIVE: &str = "keep-alive:";
const A_SECOND: &str = "/s";
const STREAM: &str = "stream:";
const FILLED: char = '@';
const PERCENT: char = '%';

/// A text that is no load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no load of connections: N at a time (1 to {MOST_AT_A_TIME}), N/s (1/s to {MOST_A_SECOND}/s), \
     keep-alive:N, reuse:N, reuse0:N, reuse1:N, stream:N (1 to {MOST_AT_A_TIME}) \
     or N@P% (N at a time, connection tracking 1% to 100% full)"
)]
pub struct ConnectionLoadError {
    text: String,
}

impl ConnectionLoad {
    /// Connections a second, where that is what was asked for.
    #[must_use]
    pub fn per_second(self) -> Option<u32> {
        match self {
            Self::Open(rate) => Some(rate.get()),
            _ => None,
        }
    }

    /// What its packets are to connection tracking: most of those of a kept connection belong to a flow that it knows.
    #[must_use]
    pub fn flow(self) -> Flow {
        match self {
            Self::Closed(_) | Self::Open(_) | Self::Reuse { .. } | Self::Filled { .. } => Flow::New,
            Self::KeepAlive(_) | Self::Stream(_) => Flow::Established,
        }
    }

    /// How full connection tracking is before the first exchange, in percent of its table, where that was asked for.
    #[must_use]
    pub fn filled(self) -> Option<u8> {
        match self {
            Self::Filled { percent, .. } => Some(percent.get()),
            _ => None,
        }
    }

    /// Whether the same ports come again and again.
    #[must_use]
    pub fn reuses_ports(self) -> bool {
        matches!(self, Self::Reuse { .. })
    }

    /// What IPVS is told of ports that come again, where that was asked for.
    #[must_use]
    pub fn reuse_mode(self) -> Option<ReuseMode> {
        match self {
            Self::Reuse { mode, .. } => mode,
            _ => None,
        }
    }

    /// Whether bytes are counted, not exchanges.
    #[must_use]
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

impl ReuseMode {
    /// The sysctl's value.
    #[must_use]
    pub fn value(self) -> u8 {
        match self {
            Self::Same => 0,
            Self::Anew => 1,
        }
    }
}

impl FromStr for ConnectionLoad {
    type Err = ConnectionLoadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let load = if let Some(digits) = text.strip_prefix(KEEP_ALIVE) {
            number(digits, MOST_AT_A_TIME).map(Self::KeepAlive)
        } else if let Some((mode, digits)) = reuse(text) {
            number(digits, MOST_AT_A_TIME).map(|ports| Self::Reuse { ports, mode })
        } else if let Some(digits) = text.strip_prefix(STREAM) {
            number(digits, MOST_AT_A_TIME).map(Self::Stream)
        } else if let Some(digits) = text.strip_suffix(A_SECOND) {
            number(digits, MOST_A_SECOND).map(Self::Open)
        } else if let Some((connections, percent)) = text.split_once(FILLED) {
            let percent = percent.strip_suffix(PERCENT).and_then(|digits| number(digits, 100));
            let percent = percent.and_then(|percent| NonZeroU8::try_from(percent).ok());
            let connections = number(connections, MOST_AT_A_TIME);
            connections.zip(percent).map(|(connections, percent)| Self::Filled { connections, percent })
        } else {
            number(text, MOST_AT_A_TIME).map(Self::Closed)
        };
        load.ok_or_else(|| ConnectionLoadError { text: text.to_owned() })
    }
}

/// The mode and the number of a text that begins as a load whose ports come again.
fn reuse(text: &str) -> Option<(Option<ReuseMode>, &str)> {
    let modes = [None, Some(ReuseMode::Same), Some(ReuseMode::Anew)];
    modes.into_iter().find_map(|mode| Some((mode, text.strip_prefix(reuse_prefix(mode))?)))
}

/// How a load whose ports come again begins.
fn reuse_prefix(mode: Option<ReuseMode>) -> &'static str {
    match mode {
        None => "reuse:",
        Some(ReuseMode::Same) => "reuse0:",
        Some(ReuseMode::Anew) => "reuse1:",
    }
}

/// A plain number from 1 to `most`.
fn number(digits: &str, most: u32) -> Option<NonZeroU32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number: &NonZeroU32| plain && number.get() <= most)
}

impl TryFrom<String> for ConnectionLoad {
    type Error = ConnectionLoadError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ConnectionLoad> for String {
    fn from(load: ConnectionLoad) -> Self {
        load.to_string()
    }
}

impl fmt::Display for ConnectionLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(connections) => write!(f, "{connections}"),
            Self::Open(rate) => write!(f, "{rate}{A_SECOND}"),
            Self::KeepAlive(connections) => write!(f, "{KEEP_ALIVE}{connections}"),
            Self::Reuse { ports, mode } => write!(f, "{}{ports}", reuse_prefix(*mode)),
            Self::Stream(connections) => write!(f, "{STREAM}{connections}"),
            Self::Filled { connections, percent } => write!(f, "{connections}{FILLED}{percent}{PERCENT}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_load() -> impl Strategy<Value = ConnectionLoad> {
        let number = |most: u32| (1..=most).prop_map(|number| NonZeroU32::new(number).unwrap());
        let modes = prop::sample::select(vec![None, Some(ReuseMode::Same), Some(ReuseMode::Anew)]);
        let percent = (1..=100_u8).prop_map(|percent| NonZeroU8::new(percent).unwrap());
        prop_oneof![
            number(MOST_AT_A_TIME).prop_map(ConnectionLoad::Closed),
            number(MOST_A_SECOND).prop_map(ConnectionLoad::Open),
            number(MOST_AT_A_TIME).prop_map(ConnectionLoad::KeepAlive),
            (number(MOST_AT_A_TIME), modes).prop_map(|(ports, mode)| ConnectionLoad::Reuse { ports, mode }),
            number(MOST_AT_A_TIME).prop_map(ConnectionLoad::Stream),
            (number(MOST_AT_A_TIME), percent)
                .prop_map(|(connections, percent)| ConnectionLoad::Filled { connections, percent }),
        ]
    }

    proptest! {
        #[test]
        fn any_load_is_read_as_it_is_written(load in any_load()) {
            prop_assert_eq!(load.to_string().parse::<ConnectionLoad>(), Ok(load));
        }

        #[test]
        fn whatever_is_read_is_written_so_that_it_is_read_again(
            text in "(keep-alive:|reuse[0-2]?:|stream:)?[0-9]{0,5}(/s|@[0-9]{0,3}%?)?",
        ) {
            if let Ok(load) = text.parse::<ConnectionLoad>() {
                prop_assert_eq!(load.to_string().parse::<ConnectionLoad>(), Ok(load));
            }
        }
    }

    #[test]
    fn a_mode_is_part_of_the_load_and_stands_behind_it_in_order() {
        let loads = ["keep-alive:8", "reuse:8", "reuse0:8", "reuse1:8", "reuse:9", "stream:1"];
        let loads = loads.map(|text| text.parse::<ConnectionLoad>().unwrap());
        assert!(loads.is_sorted(), "{loads:?}");
        let modes = loads.map(|load| load.reuse_mode().map(ReuseMode::value));
        assert_eq!(modes, [None, None, Some(0), Some(1), None, None]);
        assert_eq!(loads.map(ConnectionLoad::reuses_ports), [false, true, true, true, true, false]);
    }

    #[test]
    fn a_load_is_read_as_it_is_written() {
        let texts = ["16", "2000/s", "keep-alive:16", "1000", "1/s", "reuse:16", "stream:4", "16@90%", "1@100%"];
        for text in texts.into_iter().chain(["reuse0:8", "reuse1:1000"]) {
            let load: ConnectionLoad = text.parse().unwrap();
            assert_eq!(load.to_string(), text);
            let json = serde_json::to_string(&load).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<ConnectionLoad>(&json).unwrap(), load);
        }
        assert_eq!("2000/s".parse(), Ok(ConnectionLoad::Open(NonZeroU32::new(2000).unwrap())));
    }

    #[test]
    fn what_is_no_load_is_named() {
        let none = ["", "0", "0/s", "-1", "+1", "16 ", "1001", "keep-alive:", "keep-alive:5/s", "2000/ms", "9999999/s"];
        let none_either =
            ["reuse:0", "reuse:1001", "stream:", "stream:1/s", "16@", "16@90", "16@0%", "16@101%", "@90%", "16@90%%"];
        let no_mode = ["reuse0:", "reuse1:0", "reuse2:8", "reuse01:8", "reuse0", "reuse 0:8"];
        for text in none.into_iter().chain(none_either).chain(no_mode) {
            let error = text.parse::<ConnectionLoad>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?} is no load")), "{error}");
        }
    }
}
