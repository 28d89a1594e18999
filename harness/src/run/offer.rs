//! Which venues can run what: found out before planning.

use rustix::system::uname;

use super::execute::Venues;
use super::plan::VenueOffer;
use super::scenario::{Scenario, VenueChoice};
use crate::chain::one_line;
use crate::cli::CliError;
use crate::result::{BackendKind, VenueKind};
use crate::venue::host;
use crate::venue::vm::VmVenue;

/// Opens the venues that a scenario asks for and asks them about its backends.
///
/// `auto` is the host where it can run every asked backend, else the vm for all of them, and the host as well for those it can.
/// Kernels that are named are measured in any case.
/// A venue that `auto` has to do without is an offer of nothing, with the reason.
///
/// # Errors
/// A venue that was asked for by name cannot be used, or neither can under `auto`.
pub fn open(scenario: &Scenario, progress: &mut dyn FnMut(&str)) -> Result<(Vec<VenueOffer>, Venues), CliError> {
    let host = match scenario.venue {
        VenueChoice::Vm => None,
        VenueChoice::Host => Some(host_offer(scenario)?),
        VenueChoice::Auto => host_offer(scenario).map(Some).or_else(without_root)?,
    };
    // Kernels that were asked for are measured, whatever the host can.
    let whole = scenario.kernels.is_empty() && host.as_ref().is_some_and(|offer| offer.unready.is_empty());
    let mut open_vms = || VmVenue::open_all(&scenario.kernels, scenario.deterministic, progress);
    let mut offers = Vec::new();
    let vms = match scenario.venue {
        VenueChoice::Host => Vec::new(),
        VenueChoice::Auto if whole => Vec::new(),
        VenueChoice::Auto if host.is_some() && scenario.kernels.is_empty() => match open_vms() {
            Ok(vms) => vms,
            // The host measures what it can; the report says why the rest is missing.
            Err(error) => {
                offers.push(closed(VenueKind::Vm, String::new(), scenario, &one_line(&error)));
                Vec::new()
            }
        },
        VenueChoice::Vm | VenueChoice::Auto => open_vms()?,
    };
    offers.extend(vms.iter().map(|vm| vm_offer(scenario, vm)));
    if scenario.venue == VenueChoice::Auto && host.is_none() {
        offers.push(closed(VenueKind::Host, host::release(), scenario, "the host venue needs root; run with sudo"));
    }
    let host_place = host.as_ref().map(|_| host::place());
    offers.extend(host);
    Ok((offers, Venues { host: host_place, vms }))
}

/// The offer of a venue that cannot be used at all.
fn closed(venue: VenueKind, kernel: String, scenario: &Scenario, reason: &str) -> VenueOffer {
    let unready = scenario.backends.iter().map(|&backend| (backend, reason.to_owned())).collect();
    VenueOffer {
        venue,
        kernel,
        identity: String::new(),
        backends: Vec::new(),
        unready,
        deterministic: false,
        saturation: false,
    }
}

fn without_root(error: CliError) -> Result<Option<VenueOffer>, CliError> {
    match error {
        CliError::NeedsRoot => {
            tracing::warn!("without root the host venue is left out; the vm venue measures everything");
            Ok(None)
        }
        other => Err(other),
    }
}

fn host_offer(scenario: &Scenario) -> Result<VenueOffer, CliError> {
    if !host::is_root() {
        return Err(CliError::NeedsRoot);
    }
    let obstacles = host::obstacles(&scenario.backends)?;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let identity = uname().version().to_string_lossy().into_owned();
    let offer = VenueOffer {
        venue: VenueKind::Host,
        kernel: host::release(),
        identity,
        backends: Vec::new(),
        unready: Vec::new(),
        deterministic: false,
        saturation: cpus > 1,
    };
    Ok(sorted(offer, obstacles))
}

fn vm_offer(scenario: &Scenario, vm: &VmVenue) -> VenueOffer {
    let obstacles = scenario.backends.iter().map(|&backend| (backend, vm.obstacle(backend))).collect();
    let offer = VenueOffer {
        venue: VenueKind::Vm,
        kernel: vm.kernel.release.clone(),
        identity: vm.kernel.identity.clone(),
        backends: Vec::new(),
        unready: Vec::new(),
        deterministic: vm.acceleration.is_deterministic(),
        saturation: false,
    };
    sorted(offer, obstacles)
}

/// Puts each backend where it belongs: ready, or not and why.
fn sorted(mut offer: VenueOffer, obstacles: Vec<(BackendKind, Option<String>)>) -> VenueOffer {
    for (backend, obstacle) in obstacles {
        match obstacle {
            None => offer.backends.push(backend),
            Some(reason) => offer.unready.push((backend, reason)),
        }
    }
    offer
}
