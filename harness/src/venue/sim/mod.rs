//! The sim venue: no kernel, but the models of `datapath-sim`, which count steps. It needs no root and no tool.
//!
//! Two models stand where kernels do, since kernels hold IPVS's services in one of two tables. They differ in nothing else: the table of
//! connections, which the same rework made resizable, is modelled as it was before.

mod count;
mod datapath;
mod order;
mod tally;

pub use count::SimError;
#[cfg(test)]
pub(crate) use datapath::Site;

use datapath_sim::Table;

use crate::result::{KernelUnderTest, Unit, VenueKind};
use crate::run::measure::Place;
use crate::run::plan::VenueOffer;
use crate::run::scenario::Scenario;

/// What kernels differ in, as far as they are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// IPVS's table of 256 buckets: kernels before the rework of 2026.
    Fixed,
    /// IPVS's table that grows with its services: kernels since.
    Resizable,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 2] = [Self::Fixed, Self::Resizable];

    /// What stands where a kernel's release does.
    #[must_use]
    pub fn kernel(self) -> &'static str {
        match self {
            Self::Fixed => "model-256",
            Self::Resizable => "model-resizable",
        }
    }

    fn identity(self) -> String {
        let table = match self {
            Self::Fixed => "IPVS's table of 256 buckets, as before 2026",
            Self::Resizable => "IPVS's resizable table, as since 2026",
        };
        format!("datapath-sim {}: {table}", env!("CARGO_PKG_VERSION"))
    }

    /// What its records say of the place.
    #[must_use]
    pub fn place(self) -> Place {
        Place { venue: VenueKind::Sim, kernel: self.kernel().to_owned(), unit: Unit::Steps }
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn under_test(self) -> KernelUnderTest {
        let Place { venue, kernel: release, unit } = self.place();
        KernelUnderTest { venue, release, version: self.identity(), unit }
    }

    fn table(self, seed: u64) -> Table {
        match self {
            Self::Fixed => Table::Fixed256,
            Self::Resizable => Table::Resizable { seed },
        }
    }
}

/// What both models can run: everything, whatever the machine.
#[must_use]
pub fn offers(scenario: &Scenario) -> Vec<VenueOffer> {
    let offer = |model: Model| VenueOffer {
        venue: VenueKind::Sim,
        kernel: model.kernel().to_owned(),
        identity: model.identity(),
        backends: scenario.backends.clone(),
        unready: Vec::new(),
        deterministic: true,
        saturation: false,
    };
    Model::ALL.map(offer).to_vec()
}
