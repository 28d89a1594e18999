//! The guard: cells whose programming is expected to hold a CPU for about a minute or more.

use super::plan::VenueOffer;
use crate::result::{BackendKind, VenueKind};

/// kube-proxy's nftables shape binds an anonymous map a service; its cost grows faster than N (the field saw 0.7 s at
/// 1,000, 18 s at 5,000 and 95 s at 10,000), all of it in the kernel, so a shared host is spared well before the minute.
const NFTABLES_SERVICES: u32 = 2_000;
/// iptables-nft-restore's own work grows faster than N (1.8.9: 0.3 s at 1,000, 10 s at 5,000, 52 s at 10,000, nearly all of it
/// outside the kernel); emulation makes it some thirty times as long.
const IPTABLES_NFT_SERVICES_HOST: u32 = 5_000;
const IPTABLES_NFT_SERVICES_VM: u32 = 2_000;

/// Why a cell is left out unless slow cells are allowed; `None` where it may run.
pub fn refusal(offer: &VenueOffer, backend: BackendKind, services: u32) -> Option<String> {
    // A model programs nothing.
    if offer.venue == VenueKind::Sim {
        return None;
    }
    let (most, why) = match (backend, offer.venue) {
        (BackendKind::Nftables, _) => (
            NFTABLES_SERVICES,
            "programming kube-proxy's nftables shape can hold a CPU in the kernel for over a minute",
        ),
        (BackendKind::IptablesNft, VenueKind::Host) => {
            (IPTABLES_NFT_SERVICES_HOST, "iptables-nft-restore needs about a minute for every programming")
        }
        (BackendKind::IptablesNft, VenueKind::Vm) => {
            (IPTABLES_NFT_SERVICES_VM, "iptables-nft-restore needs many minutes under emulation for every programming")
        }
        _ => return None,
    };
    (services > most).then(|| format!("{why} (guard: N = {most}); --allow-slow runs it"))
}
