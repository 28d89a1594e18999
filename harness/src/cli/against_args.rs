//! Raw arguments of `lbcurve gate --against`.

use std::path::PathBuf;

use clap::Args;

use crate::result::{BackendKind, Flow};
use crate::run::scenario::{Preset, VenueChoice, Wishes};
use crate::workload::{Protocol, VipLayout};

/// What is measured turn by turn.
#[derive(Debug, Args)]
pub struct AgainstArgs {
    /// Rounds: each measures every cell on both sides once. Fewer than 40 seldom find a slowdown of 10%.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000), conflicts_with = "baseline")]
    pub rounds: u32,
    /// Backends [default: iptables-legacy,nftables].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub backends: Option<Vec<BackendKind>>,
    /// N [default: 1000].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub services: Option<Vec<u32>>,
    /// M [default: 2].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub endpoints: Option<Vec<u32>>,
    /// VIP layouts [default: sequential].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub layout: Option<Vec<VipLayout>>,
    /// Protocols [default: tcp].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub protocol: Option<Vec<Protocol>>,
    /// Flows [default: new].
    #[arg(long, value_delimiter = ',', conflicts_with = "baseline")]
    pub flows: Option<Vec<Flow>>,
    /// Packets a trial [default: 4000].
    #[arg(long, conflicts_with = "baseline")]
    pub packets: Option<u32>,
    /// Seed of everything drawn [default: 42].
    #[arg(long, conflicts_with = "baseline")]
    pub seed: Option<u64>,
    /// Gate cells whose programming holds a CPU in the kernel for more than a minute, too.
    #[arg(long, conflicts_with = "baseline")]
    pub allow_slow: bool,
    /// Measure and judge although the machine is too noisy to conclude from.
    #[arg(long, conflicts_with = "baseline")]
    pub despite_noise: bool,
    /// Modules directory (lib/modules/RELEASE) of a kernel image that is gated against.
    #[arg(long, value_name = "DIR", requires = "against")]
    pub against_modules: Option<PathBuf>,
}

/// Packets of a trial: see METHODOLOGY.md.
const PACKETS: u32 = 4_000;

impl AgainstArgs {
    /// Wishes for the host, complete but for presets.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            preset: Some(Preset::Quick),
            venue: Some(VenueChoice::Host),
            backends: Some(
                self.backends.clone().unwrap_or_else(|| vec![BackendKind::IptablesLegacy, BackendKind::Nftables]),
            ),
            services: Some(self.services.clone().unwrap_or_else(|| vec![1_000])),
            endpoints: Some(self.endpoints.clone().unwrap_or_else(|| vec![2])),
            layout: Some(self.layout.clone().unwrap_or_else(|| vec![VipLayout::Sequential])),
            protocol: Some(self.protocol.clone().unwrap_or_else(|| vec![Protocol::Tcp])),
            flows: Some(self.flows.clone().unwrap_or_else(|| vec![Flow::New])),
            packets: Some(self.packets.unwrap_or(PACKETS)),
            seed: self.seed,
            allow_slow: Some(self.allow_slow),
            ..Wishes::default()
        }
    }
}
