//! Whether the steps that a model counts predict the instructions that a kernel took for the same services.

use std::net::{Ipv4Addr, SocketAddrV4};

use curve_stats::{Prediction, StatsError, predict};
use datapath_sim::{Endpoint, Packet, Protocol, Service};
use serde::{Deserialize, Serialize};

use crate::Target;
use crate::model::TargetError;

/// Median instructions of new TCP flows to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSteps {
    /// Which datapath; of IPVS one with 256 buckets.
    pub target: Target,
    /// Each service's address, in order of programming, and its only endpoint's.
    pub services: Vec<(SocketAddrV4, SocketAddrV4)>,
    /// Index of the service that is asked for.
    pub asked: usize,
    /// Median of the traversal.
    pub instructions: u64,
}

/// Instructions of a kernel, cell by cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsRecording {
    /// Release of the kernel.
    pub kernel: String,
    /// Cells.
    pub cells: Vec<CellSteps>,
}

/// Why no prediction can be made.
#[derive(Debug, thiserror::Error)]
pub enum StepsError {
    /// No model.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A cell asks for what it has not.
    #[error("no service {asked} among {services}")]
    Service {
        /// Index that is asked for.
        asked: usize,
        /// How many there are.
        services: usize,
    },
    /// No prediction.
    #[error("cannot predict {target:?}")]
    Predict {
        /// Which datapath.
        target: Target,
        /// Why.
        #[source]
        source: StatsError,
    },
}

/// How each target's steps predict its instructions.
///
/// # Errors
/// [`StepsError`].
pub fn predict_steps(recording: &StepsRecording) -> Result<Vec<(Target, Prediction)>, StepsError> {
    let mut targets: Vec<_> = recording.cells.iter().map(|cell| cell.target.clone()).collect();
    targets.sort();
    targets.dedup();
    targets.into_iter().map(|target| Ok((target.clone(), of_target(target, &recording.cells)?))).collect()
}

fn of_target(target: Target, cells: &[CellSteps]) -> Result<Prediction, StepsError> {
    let of_target = cells.iter().filter(|cell| cell.target == target);
    let point = |cell: &CellSteps| Ok((steps(cell)? as f64, cell.instructions as f64));
    let points = of_target.map(point).collect::<Result<Vec<_>, StepsError>>()?;
    predict(&points).map_err(|source| StepsError::Predict { target, source })
}

/// Flows whose steps a median is taken of.
const FLOWS: u16 = 101;

/// A client of lbcurve's address plan.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 248, 0, 1);

/// Median steps of the first packets of flows.
fn steps(cell: &CellSteps) -> Result<u64, StepsError> {
    let protocol = Protocol::Tcp;
    let service = |(address, endpoint): &(SocketAddrV4, SocketAddrV4)| Service {
        address: *address,
        protocol,
        endpoints: vec![Endpoint { address: *endpoint, weight: 1 }],
    };
    let services: Vec<_> = cell.services.iter().map(service).collect();
    let Some((destination, _)) = cell.services.get(cell.asked).copied() else {
        return Err(StepsError::Service { asked: cell.asked, services: services.len() });
    };
    let mut model = cell.target.model(&services, 1)?;
    let packet = |flow| Packet { source: SocketAddrV4::new(CLIENT, 1024 + flow), destination, protocol };
    let mut counted: Vec<_> = (0..FLOWS).map(|flow| model.process(&packet(flow)).steps.total()).collect();
    counted.sort_unstable();
    Ok(counted[counted.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(target: &Target, stride: u32, instructions: impl Fn(u64) -> u64) -> StepsRecording {
        let address = |base: [u8; 4], at: u32| SocketAddrV4::new(Ipv4Addr::from(u32::from_be_bytes(base) + at), 80);
        let ask = |services: u32| [0, services / 2, services - 1].map(|asked| (services, asked));
        let cells = [1, 10, 100, 1_000].into_iter().flat_map(ask);
        let cell = |(services, asked)| CellSteps {
            target: target.clone(),
            services: (0..services)
                .map(|at| (address([10, 64, 0, 10], stride * at), address([10, 128, 0, 2], at)))
                .collect(),
            asked: asked as usize,
            instructions: 0,
        };
        let with = |cell: CellSteps| CellSteps { instructions: instructions(steps(&cell).unwrap()), ..cell };
        StepsRecording { kernel: "6.1".into(), cells: cells.map(cell).map(with).collect() }
    }

    #[test]
    fn what_a_step_costs_is_found_again() {
        for (target, stride) in [(Target::IptablesNft, 1), (Target::Ipvs("rr".into()), 256)] {
            let predictions = predict_steps(&recording(&target, stride, |steps| 9_000 + 25 * steps)).unwrap();
            let line = predictions[0].1.line.expect("steps vary");
            assert!((line.slope - 25.0).abs() < 1e-9 && (line.intercept - 9_000.0).abs() < 1e-6, "{line:?}");
            assert!(predictions[0].1.holds());
        }
    }

    #[test]
    fn a_kernel_that_does_something_else_is_not_predicted() {
        let holds = |recording: &StepsRecording| predict_steps(recording).unwrap()[0].1.holds();
        assert!(!holds(&recording(&Target::IptablesLegacy, 1, |steps| 9_000 + steps * steps)));
        let mut growing = recording(&Target::Nftables, 1, |_| 9_000);
        assert!(holds(&growing));
        growing.cells[11].instructions = 10_000;
        assert!(!holds(&growing));
    }

    #[test]
    fn a_service_that_is_not_there_is_refused() {
        let mut none = recording(&Target::Nftables, 1, |_| 9_000);
        none.cells[0].asked = 1;
        assert!(matches!(predict_steps(&none), Err(StepsError::Service { asked: 1, services: 1 })));
    }
}
