//! A load of real connections as it is asked for, or `none`.

use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ScenarioError;
use crate::result::{ConnectionLoad, ConnectionLoadError};

/// What a run over an imported cluster opens where nothing is said of connections: 16 at a time.
const OVER_A_CLUSTER: ConnectionLoad = ConnectionLoad::Closed(NonZeroU32::new(16).expect("16 is not 0"));

const NONE: &str = "none";

/// A load that is asked for. In text as [`ConnectionLoad`], or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LoadWish {
    /// No connections, where some would be usual too.
    None,
    /// This load.
    Load(ConnectionLoad),
}

/// A text that is neither a load nor `none`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or {NONE}")]
pub struct LoadWishError(ConnectionLoadError);

/// The loads of a scenario, ascending, without repetition: those that were asked for. Where nothing was said, 16 at a time
/// over a cluster, else none.
///
/// # Errors
/// [`ScenarioError::Empty`], [`ScenarioError::NoneOfLoads`].
pub(super) fn loads(asked: Option<Vec<LoadWish>>, is_cluster: bool) -> Result<Vec<ConnectionLoad>, ScenarioError> {
    let Some(asked) = asked else {
        return Ok(if is_cluster { vec![OVER_A_CLUSTER] } else { Vec::new() });
    };
    let asked = super::wishes::axis("connections", asked)?;
    let load = |wish: &LoadWish| match *wish {
        LoadWish::None => None,
        LoadWish::Load(load) => Some(load),
    };
    let loads: Vec<_> = asked.iter().filter_map(load).collect();
    if loads.is_empty() || loads.len() == asked.len() { Ok(loads) } else { Err(ScenarioError::NoneOfLoads) }
}

impl FromStr for LoadWish {
    type Err = LoadWishError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == NONE { Ok(Self::None) } else { text.parse().map(Self::Load).map_err(LoadWishError) }
    }
}

impl TryFrom<String> for LoadWish {
    type Error = LoadWishError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LoadWish> for String {
    fn from(wish: LoadWish) -> Self {
        match wish {
            LoadWish::None => NONE.to_owned(),
            LoadWish::Load(load) => load.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, is_cluster: bool) -> Result<Vec<String>, ScenarioError> {
        let asked = text.split(',').filter(|load| !load.is_empty()).map(|load| load.parse().unwrap()).collect();
        Ok(loads(Some(asked), is_cluster)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_cluster_is_asked_by_16_at_a_time_unless_something_else_is_said() {
        assert_eq!(loads(None, true).unwrap(), [ConnectionLoad::Closed(NonZeroU32::new(16).unwrap())]);
        assert!(loads(None, false).unwrap().is_empty());
        for is_cluster in [true, false] {
            assert!(of("none", is_cluster).unwrap().is_empty());
            assert_eq!(of("2000/s,4,4", is_cluster).unwrap(), ["4", "2000/s"]);
            assert!(matches!(of("", is_cluster), Err(ScenarioError::Empty { axis: "connections" })));
            assert!(matches!(of("4,none", is_cluster), Err(ScenarioError::NoneOfLoads)));
        }
    }

    #[test]
    fn a_wish_is_read_as_it_is_written() {
        for text in ["none", "16", "2000/s"] {
            let wish: LoadWish = text.parse().unwrap();
            let json = serde_json::to_string(&wish).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<LoadWish>(&json).unwrap(), wish);
        }
        let error = "nine".parse::<LoadWish>().unwrap_err().to_string();
        assert!(error.starts_with("\"nine\" is no load of connections") && error.ends_with("; or none"), "{error}");
    }
}
