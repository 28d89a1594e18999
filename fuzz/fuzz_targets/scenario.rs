//! Any text as a scenario: read, filled from its preset, and its workloads made or refused.
#![no_main]

use std::path::Path;

use lbcurve::run::scenario::{Scenario, Wishes};
use lbcurve::workload::{Workload, WorkloadSpec};
use libfuzzer_sys::fuzz_target;

/// Beyond this many endpoints a workload that fits takes seconds; far beyond it none fits.
const SMALL: u64 = 20_000;
const NONE_FITS: u64 = 1 << 33;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(scenario) = Wishes::parse(text, Path::new("scenario.toml")).and_then(Wishes::resolve) else { return };
    for &services in scenario.services.iter().take(4) {
        for &endpoints in scenario.endpoints.iter().take(2) {
            workload(&scenario, services, endpoints);
        }
    }
});

fn workload(scenario: &Scenario, services: u32, endpoints: u32) {
    let size = u64::from(services) * u64::from(endpoints);
    if size > SMALL && size < NONE_FITS {
        return;
    }
    let spec = WorkloadSpec {
        services,
        endpoints,
        layout: scenario.layouts[0],
        protocol: scenario.protocols[0],
        seed: scenario.seed,
        addresses: scenario.addresses,
    };
    let made = Workload::generate(&spec);
    assert!(size <= SMALL || made.is_err(), "{services} services x {endpoints} endpoints fit");
}
