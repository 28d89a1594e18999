//! Whether counted steps predict the instructions that a kernel takes.

use std::net::{Ipv4Addr, SocketAddrV4};

use curve_stats::{StatsError, line};
use datapath_sim::{Endpoint, Packet, Protocol, Service};
use serde::{Deserialize, Serialize};

pub use curve_stats::Line;

use crate::Target;
use crate::model::TargetError;

/// Median instructions of new flows to one service of N.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellSteps {
    /// Which datapath.
    pub target: Target,
    /// Addresses between two VIPs.
    pub stride: u32,
    /// N.
    pub services: u32,
    /// M.
    pub endpoints: u32,
    /// UDP, or else TCP.
    pub udp: bool,
    /// Index of the service that is asked for, in order of programming.
    pub asked: u32,
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

/// How a target's steps predict its instructions.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Which datapath.
    pub target: Target,
    /// Steps and instructions of each cell.
    pub points: Vec<(u64, u64)>,
    /// Whether the model has IPVS's table since the rework of 2026; the better of both is taken.
    pub resizable: bool,
    /// Instructions over steps, where steps vary.
    pub line: Option<Line>,
    /// The furthest that a cell is from what its steps predict, as a share of its instructions.
    pub worst: f64,
}

/// Why no prediction can be made.
#[derive(Debug, thiserror::Error)]
pub enum StepsError {
    /// No model.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No line.
    #[error("cannot fit {target:?}")]
    Line {
        /// Which datapath.
        target: Target,
        /// Why.
        #[source]
        source: StatsError,
    },
}

/// Fits one line a target. Where all its cells have the same steps the prediction is their mean.
///
/// # Errors
/// `StepsError`.
pub fn fit_steps(recording: &StepsRecording) -> Result<Vec<Fit>, StepsError> {
    let mut targets: Vec<_> = recording.cells.iter().map(|cell| cell.target.clone()).collect();
    targets.sort();
    targets.dedup();
    targets.into_iter().map(|target| better(target, &recording.cells)).collect()
}

/// What misses least, where a kernel may have one of two tables.
fn better(target: Target, cells: &[CellSteps]) -> Result<Fit, StepsError> {
    let fixed = fit(&target, cells, false)?;
    if !matches!(target, Target::Ipvs(_)) {
        return Ok(fixed);
    }
    let resizable = fit(&target, cells, true)?;
    Ok(if resizable.worst < fixed.worst { resizable } else { fixed })
}

fn fit(target: &Target, cells: &[CellSteps], resizable: bool) -> Result<Fit, StepsError> {
    let of_target = cells.iter().filter(|cell| cell.target == *target);
    let point = |cell| Ok((steps(cell, resizable)?, cell.instructions));
    let points = of_target.map(point).collect::<Result<Vec<_>, TargetError>>()?;
    let floats: Vec<_> = points.iter().map(|(x, y)| (*x as f64, *y as f64)).collect();
    let varies = points.iter().any(|point| point.0 != points[0].0);
    let line = match varies {
        true => Some(line(&floats).map_err(|source| StepsError::Line { target: target.clone(), source })?),
        false => None,
    };
    let mean = floats.iter().map(|point| point.1).sum::<f64>() / floats.len() as f64;
    let predicted = |x| line.map_or(mean, |line: Line| line.at(x));
    let worst = floats.iter().map(|(x, y)| (y - predicted(*x)).abs() / y).fold(0.0, f64::max);
    Ok(Fit { target: target.clone(), points, resizable, line, worst })
}

/// Flows whose steps a median is taken of.
const FLOWS: u16 = 101;

/// Median steps of the first packets of flows.
fn steps(cell: &CellSteps, resizable: bool) -> Result<u64, TargetError> {
    let address = |base: [u8; 4], at: u32, port| SocketAddrV4::new(Ipv4Addr::from(u32::from_be_bytes(base) + at), port);
    let protocol = if cell.udp { Protocol::Udp } else { Protocol::Tcp };
    let endpoint = |at| Endpoint { address: address([10, 128, 0, 2], at, 8080), weight: 1 };
    let service = |at: u32| Service {
        address: address([10, 64, 0, 10], at * cell.stride, 80),
        protocol,
        endpoints: (at * cell.endpoints..(at + 1) * cell.endpoints).map(endpoint).collect(),
    };
    let services: Vec<_> = (0..cell.services).map(service).collect();
    let mut model = cell.target.model_with(&services, resizable, 1)?;
    let destination = services[cell.asked as usize].address;
    let packet = |flow| Packet { source: address([10, 248, 0, 1], 0, 1024 + flow), destination, protocol };
    let mut counted: Vec<_> = (0..FLOWS).map(|flow| model.process(&packet(flow)).steps.total()).collect();
    counted.sort_unstable();
    Ok(counted[counted.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(target: &Target, stride: u32, instructions: impl Fn(u64) -> u64) -> StepsRecording {
        let ask = |services: u32| [0, services / 2, services - 1].map(|asked| (services, asked));
        let cells = [1, 10, 100, 1_000].into_iter().flat_map(ask);
        let cell = |(services, asked)| CellSteps {
            target: target.clone(),
            stride,
            services,
            endpoints: 1,
            udp: false,
            asked,
            instructions: 0,
        };
        let with = |cell: CellSteps| CellSteps { instructions: instructions(steps(&cell, false).unwrap()), ..cell };
        StepsRecording { kernel: "6.1".into(), cells: cells.map(cell).map(with).collect() }
    }

    #[test]
    fn what_a_step_costs_is_found_again() {
        for (target, stride) in [(Target::IptablesNft, 1), (Target::Ipvs("rr".into()), 256)] {
            let fits = fit_steps(&recording(&target, stride, |steps| 9_000 + 25 * steps)).unwrap();
            let line = fits[0].line.expect("steps vary");
            assert!((line.slope - 25.0).abs() < 1e-9 && (line.intercept - 9_000.0).abs() < 1e-6, "{line:?}");
            assert!(line.r_squared > 0.999_999 && fits[0].worst < 1e-9);
        }
    }

    #[test]
    fn a_kernel_that_does_something_else_is_not_predicted() {
        let squared = recording(&Target::IptablesLegacy, 1, |steps| 9_000 + steps * steps);
        assert!(fit_steps(&squared).unwrap()[0].line.unwrap().r_squared < 0.99);
        let mut growing = recording(&Target::Nftables, 1, |_| 9_000);
        assert_eq!((fit_steps(&growing).unwrap()[0].line, fit_steps(&growing).unwrap()[0].worst), (None, 0.0));
        growing.cells[11].instructions = 10_000;
        assert!(fit_steps(&growing).unwrap()[0].worst > 0.03);
    }
}
