//! Presets: what is measured where nothing is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::result::{BackendKind, Position};
use crate::workload::VipLayout;

/// How much to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// N = 1..1,000, minutes.
    #[default]
    Quick,
    /// N = 1..10,000.
    Standard,
    /// Every layout and position, and the M axis.
    Full,
}

impl Preset {
    pub(super) fn backends(self) -> Vec<BackendKind> {
        use BackendKind::{EbpfTc, EbpfXdp, IptablesLegacy, IptablesNft, Ipvs, Nftables};
        vec![IptablesLegacy, IptablesNft, Ipvs, Nftables, EbpfTc, EbpfXdp]
    }

    pub(super) fn services(self) -> Vec<u32> {
        match self {
            Self::Quick => vec![1, 10, 100, 1_000],
            Self::Standard => vec![1, 10, 100, 1_000, 10_000],
            Self::Full => vec![1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000],
        }
    }

    pub(super) fn endpoints(self) -> Vec<u32> {
        match self {
            Self::Quick | Self::Standard => vec![2],
            Self::Full => vec![1, 2, 10],
        }
    }

    pub(super) fn layouts(self) -> Vec<VipLayout> {
        match self {
            Self::Quick | Self::Standard => vec![VipLayout::Sequential, VipLayout::Stride256],
            Self::Full => vec![VipLayout::Sequential, VipLayout::Random, VipLayout::Stride256],
        }
    }

    pub(super) fn positions(self) -> Vec<Position> {
        use Position::{First, Last, Middle, Missing, Random};
        match self {
            Self::Quick => vec![First, Last],
            Self::Standard => vec![First, Last, Random, Missing],
            Self::Full => vec![First, Middle, Last, Random, Missing],
        }
    }
}
