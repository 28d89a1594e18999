//! Why an exchange failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a failure, as the client saw it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The connection was refused: nobody listens, or a rule rejects.
    Refused,
    /// The connection was reset.
    Reset,
    /// There was no end within the time that an exchange may take.
    TimedOut,
    /// The network said that there is no way to the destination.
    Unreachable,
    /// The client has no address and port left to connect from.
    NoAddress,
    /// The process has no file descriptor left.
    NoDescriptor,
    /// More exchanges were under way than may be; only in the open loop, where a slow datapath lets them pile up.
    TooMany,
    /// The connection was closed before the whole answer.
    ClosedEarly,
    /// The answer was another request's, or came from an endpoint that is none of the service's.
    WrongAnswer,
    /// Anything else.
    Other,
}
