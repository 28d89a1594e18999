//! The sim venue: no kernel, but the models of `datapath-sim`, which count steps. It needs no root and no tool.
//!
//! Two models stand where kernels do, since kernels hold IPVS's services in one of two tables. They differ in nothing else: the table of
//! connections, which the same rework made resizable, is modelled as it was before.

mod count;
mod datapath;
mod order;
mod steps;
mod tally;

pub use count::SimError;
#[cfg(test)]
pub(crate) use datapath::Site;
pub(crate) use steps::{CountedCell, NotCounted, count_steps};

use datapath_sim::Table;

use crate::result::{KernelUnderTest, Unit, VenueKind};
use crate::run::measure::Place;
use crate::run::plan::VenueOffer;
use crate::run::scenario::Scenario;

/// Linux's first version with the resizable table.
const FIRST_RESIZABLE: (u32, u32) = (7, 1);

/// What kernels differ in, as far as they are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Model {
    /// IPVS's table of 256 buckets: kernels before the rework of 2026.
    Fixed,
    /// IPVS's table that grows with its services: kernels since.
    Resizable,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 2] = [Self::Fixed, Self::Resizable];

    /// The model of a kernel, by its release (`uname -r`); none where that does not begin with two numbers. Linux 7.1 is the first with
    /// the resizable table: commit 840aac3d900d, "ipvs: use resizable hash table for services", came with net-next of its merge window.
    /// A distribution's backport into an older release cannot be seen by its name.
    #[must_use]
    pub fn of_release(release: &str) -> Option<Self> {
        let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
        let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
        Some(if (major, minor) < FIRST_RESIZABLE { Self::Fixed } else { Self::Resizable })
    }

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
        Place { venue: VenueKind::Sim, kernel: self.kernel().to_owned(), unit: Unit::Steps, emulated: false }
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn under_test(self) -> KernelUnderTest {
        let Place { venue, kernel: release, unit, .. } = self.place();
        KernelUnderTest { venue, release, version: self.identity(), unit, emulated: false }
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
        emulated: false,
        saturation: false,
        lacking: Vec::new(),
    };
    Model::ALL.map(offer).to_vec()
}

#[cfg(test)]
mod tests {
    use super::Model::{self, Fixed, Resizable};

    #[test]
    fn the_table_follows_from_the_release() {
        let of = |release| Model::of_release(release);
        for release in ["6.1.0-56-amd64", "6.12.107+deb13-amd64", "6.18.44-fc-v669", "7.0.12+deb14-amd64", "5.10.0"] {
            assert_eq!(of(release), Some(Fixed), "{release}");
        }
        for release in ["7.1.0", "7.1-rc1", "7.2.13+deb14-amd64", "7.10.1", "8.0.0"] {
            assert_eq!(of(release), Some(Resizable), "{release}");
        }
        for release in ["", "model-256", "7", "7.x", "v7.2", "99999999999.1"] {
            assert_eq!(of(release), None, "{release}");
        }
    }
}
