//! The host venue: this kernel.

use rustix::process::geteuid;
use rustix::system::uname;

use crate::backend::{backend, ipvs};
use crate::net::{NetError, NetNs};
use crate::result::{BackendKind, Spreading, Unit, VenueKind};
use crate::run::measure::Place;

/// Whether this process may program this kernel.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// What the host's records say of the place.
pub fn place() -> Place {
    Place { venue: VenueKind::Host, kernel: release(), unit: Unit::Ns, emulated: false }
}

/// Release of the running kernel (`uname -r`).
pub fn release() -> String {
    uname().release().to_string_lossy().into_owned()
}

/// Asks each backend, in an empty namespace, whether it can run here: `None`, or the reason and the remedy.
///
/// # Errors
/// [`NetError`] without root.
pub fn obstacles(backends: &[BackendKind]) -> Result<Vec<(BackendKind, Option<String>)>, NetError> {
    let namespace = NetNs::new()?;
    let _inside = namespace.enter()?;
    let ask = |&kind| (kind, backend(kind).readiness().err().map(|unready| unready.to_string()));
    Ok(backends.iter().map(ask).collect())
}

/// Schedulers of IPVS that this kernel lacks; none where it has no IPVS at all.
///
/// # Errors
/// [`NetError`] without root.
pub fn lacking() -> Result<Vec<Spreading>, NetError> {
    let namespace = NetNs::new()?;
    let _inside = namespace.enter()?;
    let ways = Spreading::of(BackendKind::Ipvs).iter().copied();
    Ok(ways.filter(|way| ipvs::lacks_scheduler(way.scheduling(1))).collect())
}
