//! What the members of a curve of connections must agree on.

use super::{ConnectionCurve, ConnectionPoint};

/// What is wrong with a point of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// The same curve is there before, or it has no point.
    #[error("the same curve is there twice, or it has no point")]
    Curve,
    /// N does not ascend.
    #[error("N does not ascend from 1")]
    Order,
    /// Successes and failures are not the attempts.
    #[error("successes and failures do not add up to the attempts")]
    Sum,
    /// There are not as many values as valid trials.
    #[error("there are more values than valid trials, or more invalid trials than trials")]
    Values,
    /// A trial whose servers failed is invalid.
    #[error("the servers failed in more trials than are invalid")]
    Servers,
    /// An estimate that is none.
    #[error("an estimate is not the median of its values, or not within its spread")]
    Estimate,
}

/// Checks a curve against itself; an error is at an N, 0 where it is the curve's.
pub(in crate::result) fn check(curve: &ConnectionCurve) -> Result<(), (u32, ConnectionFault)> {
    if curve.points.is_empty() {
        return Err((0, ConnectionFault::Curve));
    }
    let mut before = 0;
    for point in &curve.points {
        let ascends = if point.services > before { Ok(()) } else { Err(ConnectionFault::Order) };
        ascends.and_then(|()| check_point(point)).map_err(|what| (point.services, what))?;
        before = point.services;
    }
    Ok(())
}

fn check_point(point: &ConnectionPoint) -> Result<(), ConnectionFault> {
    let counts = point.failures.values().chain([&point.succeeded]).map(|count| u128::from(*count));
    if counts.sum::<u128>() != u128::from(point.attempted) {
        return Err(ConnectionFault::Sum);
    }
    let valid = point.trials.checked_sub(point.invalid).ok_or(ConnectionFault::Values)?;
    if point.servers_failed.len() > point.invalid as usize {
        return Err(ConnectionFault::Servers);
    }
    for estimate in point.estimates() {
        if estimate.values.len() > valid as usize {
            return Err(ConnectionFault::Values);
        }
        if !estimate.is_sound() {
            return Err(ConnectionFault::Estimate);
        }
    }
    Ok(())
}
