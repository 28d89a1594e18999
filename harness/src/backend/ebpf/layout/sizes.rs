//! How large the maps are made.

use std::collections::BTreeSet;

use datapath_common::balancer::maglev::SLOTS_AN_ELEMENT;

use super::service::slots_of;
use crate::workload::{EndpointChoice, Service, Workload};

/// Flows that are remembered, each in both directions: as many as a connection tracking table of Linux' default size has entries
/// for on a machine of more than 4 GiB (net/netfilter/nf_conntrack_core.c, `nf_conntrack_init_start`).
pub(crate) const FLOWS: u32 = 262_144;
/// Least capacity of each table, so that a small workload can grow too.
const LEAST: u32 = 1024;

/// Elements of every map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) services: u32,
    pub(crate) endpoints: u32,
    pub(crate) slots: u32,
}

impl Sizes {
    /// Room for `workload` and as much again.
    pub(crate) fn of(workload: &Workload) -> Self {
        let count = |services: &mut dyn Iterator<Item = usize>| services.sum::<usize>();
        let vips: BTreeSet<_> = workload.services.iter().map(|service| service.vip).collect();
        let endpoints = count(&mut workload.services.iter().map(|service| service.endpoints.len()));
        let elements =
            |service: &Service| (slots_of(workload.endpoint_choice, service).div_ceil(SLOTS_AN_ELEMENT)) as usize;
        let slots = count(&mut workload.services.iter().map(elements));
        let twice = |wanted: usize| u32::try_from(wanted.saturating_mul(2)).unwrap_or(u32::MAX).max(LEAST);
        Self {
            services: twice(workload.services.len() + vips.len()),
            endpoints: twice(endpoints),
            slots: match workload.endpoint_choice {
                EndpointChoice::Random => 1,
                EndpointChoice::Maglev => twice(slots),
            },
        }
    }
}
