//! Which share of a search's packets open flows, where the others belong to established ones.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Flow, name};

/// Of a hundred packets of a search so many open a flow each, 1 to 99; the others belong to flows that are established. In text `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct NewShare {
    percent: u8,
}

/// A text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no share of packets that open a flow: 1% to 99%; --flows new and established are all and none")]
pub struct NewShareError {
    text: String,
}

impl NewShare {
    /// Of a hundred packets those that open a flow, 1 to 99.
    #[must_use]
    pub fn percent(self) -> u32 {
        self.percent.into()
    }
}

impl FromStr for NewShare {
    type Err = NewShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let percent = digits.and_then(|digits| digits.parse().ok()).filter(|percent| (1..100).contains(percent));
        percent.map(|percent| Self { percent }).ok_or_else(|| NewShareError { text: text.to_owned() })
    }
}

impl TryFrom<String> for NewShare {
    type Error = NewShareError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NewShare> for String {
    fn from(share: NewShare) -> Self {
        share.to_string()
    }
}

impl fmt::Display for NewShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", self.percent))
    }
}

/// The flows of a search's packets: `new`, `established`, or of a mix `10% new`.
#[must_use]
pub fn flow_words(flow: Flow, new_share: Option<NewShare>) -> String {
    new_share.map_or_else(|| name(&flow), |share| format!("{share} new"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_it_is_written() {
        for (text, percent) in [("1%", 1), ("10%", 10), ("99%", 99)] {
            let share: NewShare = text.parse().unwrap();
            assert_eq!((share.to_string().as_str(), share.percent()), (text, percent));
            assert_eq!(serde_json::from_str::<NewShare>(&serde_json::to_string(&share).unwrap()).unwrap(), share);
        }
        for text in ["", "%", "0%", "100%", "10", "+1%", "1.5%", "300%", "1 %"] {
            let error = text.parse::<NewShare>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} is no share")), "{error}");
        }
    }

    #[test]
    fn a_mix_is_named_by_its_share_and_nothing_else_is() {
        let named = |flow, share: Option<&str>| flow_words(flow, share.map(|share| share.parse().unwrap()));
        assert_eq!(named(Flow::New, None), "new");
        assert_eq!(named(Flow::Established, None), "established");
        assert_eq!(named(Flow::New, Some("10%")), "10% new");
    }
}
