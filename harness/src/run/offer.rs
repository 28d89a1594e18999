//! Which venues can run what: found out before planning.

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
    let whole = host.as_ref().is_some_and(|offer| offer.unready.is_empty());
    let mut open_vm = || VmVenue::open(&VmVenue::source(scenario), scenario.deterministic, progress);
    let mut offers = Vec::new();
    let vm = match scenario.venue {
        VenueChoice::Host => None,
        VenueChoice::Auto if whole => None,
        VenueChoice::Auto if host.is_some() => match open_vm() {
            Ok(vm) => Some(vm),
            // The host measures what it can; the report says why the rest is missing.
            Err(error) => {
                offers.push(closed(VenueKind::Vm, scenario, &one_line(&error)));
                None
            }
        },
        VenueChoice::Vm | VenueChoice::Auto => Some(open_vm()?),
    };
    offers.extend(vm.iter().map(|vm| vm_offer(scenario, vm)));
    if scenario.venue == VenueChoice::Auto && host.is_none() {
        offers.push(closed(VenueKind::Host, scenario, "the host venue needs root; run with sudo"));
    }
    let host_place = host.as_ref().map(|_| host::place());
    offers.extend(host);
    Ok((offers, Venues { host: host_place, vm }))
}

/// The offer of a venue that cannot be used at all.
fn closed(venue: VenueKind, scenario: &Scenario, reason: &str) -> VenueOffer {
    offer(venue, scenario.backends.iter().map(|&backend| (backend, Some(reason.to_owned()))).collect(), false, false)
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
    Ok(offer(VenueKind::Host, obstacles, false, cpus > 1))
}

fn vm_offer(scenario: &Scenario, vm: &VmVenue) -> VenueOffer {
    let obstacles = scenario.backends.iter().map(|&backend| (backend, vm.obstacle(backend))).collect();
    offer(VenueKind::Vm, obstacles, vm.acceleration.is_deterministic(), false)
}

fn offer(
    venue: VenueKind,
    obstacles: Vec<(BackendKind, Option<String>)>,
    deterministic: bool,
    saturation: bool,
) -> VenueOffer {
    let mut offer = VenueOffer { venue, backends: Vec::new(), unready: Vec::new(), deterministic, saturation };
    for (backend, obstacle) in obstacles {
        match obstacle {
            None => offer.backends.push(backend),
            Some(reason) => offer.unready.push((backend, reason)),
        }
    }
    offer
}
