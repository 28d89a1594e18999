//! The guard: cells whose programming is expected to hold a CPU in the kernel for more than a minute.

use super::plan::VenueOffer;
use crate::result::{BackendKind, VenueKind};

/// kube-proxy's nftables shape binds an anonymous map a service; above this N a shared host is held in the kernel for more
/// than a minute (the cost grows faster than N: 0.7 s at 1,000, 18 s at 5,000, 95 s at 10,000).
const NFTABLES_SERVICES: u32 = 2_000;

/// Why a cell is left out unless slow cells are allowed; `None` where it may run.
pub fn refusal(offer: &VenueOffer, backend: BackendKind, services: u32) -> Option<String> {
    (backend == BackendKind::Nftables && services > NFTABLES_SERVICES).then(|| {
        let place = match offer.venue {
            VenueKind::Host => "a CPU of this machine",
            VenueKind::Vm => "the emulated CPU",
        };
        format!(
            "programming {services} services in kube-proxy's nftables shape holds {place} in the kernel for over a minute \
             (guard: {NFTABLES_SERVICES}); --allow-slow runs it"
        )
    })
}
