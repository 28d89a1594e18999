//! What a kernel decided of a case.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use crate::{Case, Shape, Target};

/// What became of a flow's first packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nothing was seen of it.
    Lost,
    /// The client was told that there is nothing.
    Rejected,
    /// It left for the address that it asked for.
    Untouched,
    /// It left for what is no endpoint of the case.
    Elsewhere,
    /// It left for this endpoint of the case ([`Case::endpoints`]).
    Endpoint(u32),
}

/// A kernel's answer to a case: a line of a recording's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Which datapath.
    pub target: Target,
    /// Release of the kernel.
    pub kernel: String,
    /// Seed of the case.
    pub seed: u64,
    /// Index of the case in its namespace.
    pub index: u32,
    /// Size of the case: services, endpoints, orders, flows, weights.
    pub shape: [u32; 5],
    /// What became of each flow, order by order: 0 lost, 1 rejected, 2 untouched, 3 elsewhere, 4 + index of the endpoint.
    pub fates: Vec<Vec<u32>>,
}

const FIRST_ENDPOINT: u32 = 4;

impl Fate {
    fn code(self) -> u32 {
        match self {
            Self::Lost => 0,
            Self::Rejected => 1,
            Self::Untouched => 2,
            Self::Elsewhere => 3,
            Self::Endpoint(index) => FIRST_ENDPOINT + index,
        }
    }

    pub(crate) fn of(code: u32) -> Self {
        match code {
            0 => Self::Lost,
            1 => Self::Rejected,
            2 => Self::Untouched,
            3 => Self::Elsewhere,
            endpoint => Self::Endpoint(endpoint - FIRST_ENDPOINT),
        }
    }

    /// Where a packet that asked for `asked` and left for `to` went.
    #[must_use]
    pub fn left(asked: SocketAddrV4, to: SocketAddrV4, endpoints: &HashMap<SocketAddrV4, u32>) -> Self {
        match endpoints.get(&to) {
            _ if to == asked => Self::Untouched,
            Some(index) => Self::Endpoint(*index),
            None => Self::Elsewhere,
        }
    }
}

impl Recording {
    /// The answer to the case of a seed.
    #[must_use]
    pub fn new(target: Target, kernel: String, seed: u64, index: u32, shape: Shape, fates: &[Vec<Fate>]) -> Self {
        let Shape { services, endpoints, orders, flows, weights } = shape;
        let fates = fates.iter().map(|order| order.iter().map(|fate| fate.code()).collect()).collect();
        Self { target, kernel, seed, index, shape: [services, endpoints, orders, flows, weights], fates }
    }

    /// The case that was answered.
    #[must_use]
    pub fn case(&self) -> Case {
        let [services, endpoints, orders, flows, weights] = self.shape;
        Case::random(self.seed, self.index, Shape { services, endpoints, orders, flows, weights })
    }

    /// Decisions that it holds.
    #[must_use]
    pub fn decisions(&self) -> usize {
        self.fates.iter().map(Vec::len).sum()
    }
}

/// Index of each endpoint of a case.
pub(crate) fn index(case: &Case) -> HashMap<SocketAddrV4, u32> {
    case.endpoints().into_iter().zip(0..).collect()
}
