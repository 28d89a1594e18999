//! Which venues can run what: found out before planning.

use rustix::system::uname;

use super::execute::Venues;
use super::plan::VenueOffer;
use super::scenario::{Scenario, VenueChoice};
use crate::chain::one_line;
use crate::net::NetError;
use crate::result::{BackendKind, VenueKind, name};
use crate::venue::host;
use crate::venue::sim::{self, Model};
use crate::venue::vm::{VmOpenError, VmVenue};

/// Why a venue that was asked for cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The host venue needs root.
    #[error("the host venue programs this kernel, which needs root; run with sudo, or use --venue vm, which does not")]
    NeedsRoot,
    /// Namespaces of this kernel cannot be used.
    #[error(transparent)]
    Host(NetError),
    /// The vm cannot be had, or a kernel of it.
    #[error(transparent)]
    Vm(#[from] VmOpenError),
}

impl From<NetError> for OfferError {
    fn from(error: NetError) -> Self {
        if error.is_permission() { Self::NeedsRoot } else { Self::Host(error) }
    }
}

/// Opens the venues that a scenario asks for and asks them about its backends.
///
/// `auto` is the host where it can run every asked backend, else the vm for all of them, and the host as well for those it can; where
/// neither can run any, the models, and it says so. Kernels that are named are measured in any case.
/// A venue that `auto` has to do without is an offer of nothing, with the reason.
///
/// # Errors
/// A venue that was asked for by name cannot be used, or a kernel that was.
pub fn open(scenario: &Scenario, progress: &mut dyn FnMut(&str)) -> Result<(Vec<VenueOffer>, Venues), OfferError> {
    if scenario.venue == VenueChoice::Sim {
        return Ok((sim::offers(scenario), Venues::of_models()));
    }
    let host = match scenario.venue {
        VenueChoice::Vm | VenueChoice::Sim => None,
        VenueChoice::Host => Some(host_offer(scenario)?),
        VenueChoice::Auto => host_offer(scenario).map(Some).or_else(without_root)?,
    };
    // Kernels that were asked for are measured, whatever the host can.
    let whole = scenario.kernels.is_empty() && host.as_ref().is_some_and(|offer| offer.unready.is_empty());
    let mut open_vms = || VmVenue::open_all(&scenario.kernels, scenario.deterministic, progress);
    let mut offers = Vec::new();
    let vms = match scenario.venue {
        VenueChoice::Host | VenueChoice::Sim => Vec::new(),
        VenueChoice::Auto if whole => Vec::new(),
        VenueChoice::Auto if scenario.kernels.is_empty() => match open_vms() {
            Ok(vms) => vms,
            // The host measures what it can, or the models do; the report says why the rest is missing.
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
    if scenario.venue == VenueChoice::Auto && offers.iter().all(|offer| offer.backends.is_empty()) {
        progress(&fallback(&offers));
        offers.extend(sim::offers(scenario));
        return Ok((offers, Venues::of_models()));
    }
    Ok((offers, Venues { host: host_place, vms, models: Vec::new() }))
}

/// What `auto` says when it counts in models.
fn fallback(offers: &[VenueOffer]) -> String {
    let reason = |offer: &VenueOffer| {
        let (_, reason) = offer.unready.first()?;
        Some(format!("{}: {reason}", name(&offer.venue)))
    };
    let reasons: Vec<_> = offers.iter().filter_map(reason).collect();
    format!("no kernel can be measured ({}): models count steps instead, as --venue sim does", reasons.join("; "))
}

impl Venues {
    /// No kernel, but every model.
    fn of_models() -> Self {
        Self { host: None, vms: Vec::new(), models: Model::ALL.to_vec() }
    }
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
        emulated: false,
        saturation: false,
        lacking: Vec::new(),
    }
}

fn without_root(error: OfferError) -> Result<Option<VenueOffer>, OfferError> {
    match error {
        OfferError::NeedsRoot => {
            tracing::warn!("without root the host venue is left out");
            Ok(None)
        }
        other => Err(other),
    }
}

fn host_offer(scenario: &Scenario) -> Result<VenueOffer, OfferError> {
    if !host::is_root() {
        return Err(OfferError::NeedsRoot);
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
        emulated: false,
        saturation: cpus > 1,
        lacking: if scenario.fairness.is_some() { host::lacking()? } else { Vec::new() },
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
        emulated: vm.place().emulated,
        saturation: false,
        lacking: vm.lacking(),
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
