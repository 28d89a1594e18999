//! A stock kernel in QEMU, in instructions.
//!
//! criterion asks for a few packets, then for more, as often as it likes; a boot takes half a minute. So the trials of a plan are
//! measured first, as `lbcurve run` does, and each call is given the next trial's mean, times the packets asked for.

use std::cell::LazyCell;
use std::process::exit;

use criterion::{BenchmarkId, Criterion};
use lbcurve::chain::one_line;
use lbcurve::cli::signals::cancel_flag;
use lbcurve::result::{BackendKind, TrialKind, decode_histogram, name};
use lbcurve::run::execute::{Venues, execute};
use lbcurve::run::offer;
use lbcurve::run::plan::{Plan, VenueOffer};
use lbcurve::run::progress::Progress;
use lbcurve::run::record::Record;
use lbcurve::run::scenario::{Scenario, VenueChoice};
use lbcurve::run::store::Store;
use lbcurve_benches::Count;

use super::{SIZES, announce, drawn, group, scenario};

/// Benches every backend that is ready, unless criterion was asked for none of them.
///
/// # Errors
/// The venue cannot be opened.
pub(super) fn bench() -> Result<(), String> {
    let scenario = scenario(VenueChoice::Vm)?;
    let (offers, venues) = offer::open(&scenario, &mut |line| eprintln!("{line}")).map_err(|error| one_line(&error))?;
    let Some(offer) = offers.first() else { return Err("the vm was not offered".to_owned()) };
    announce(offer, "guest instructions");
    let records = LazyCell::new(|| {
        measure(&scenario, &offers, &venues).unwrap_or_else(|message| {
            eprintln!("datapath: {message}");
            exit(1)
        })
    });
    let mut criterion = Criterion::default().with_measurement(Count::INSTRUCTIONS).configure_from_args();
    let mut group = group(&mut criterion, offer);
    for backend in drawn(offer) {
        for services in SIZES {
            let trials = LazyCell::new(|| means(&records, backend, services));
            let mut next = 0;
            group.bench_function(BenchmarkId::new(name(&backend), services), |bencher| {
                bencher.iter_custom(|packets| {
                    next += 1;
                    trials[next % trials.len()] * packets as f64
                });
            });
        }
    }
    group.finish();
    Ok(())
}

fn measure(scenario: &Scenario, offers: &[VenueOffer], venues: &Venues) -> Result<Vec<Record>, String> {
    let cancel = cancel_flag().map_err(|error| one_line(&error))?;
    let plan = Plan::new(scenario, offers);
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut store = Store::open(directory.path(), &plan).map_err(|error| one_line(&error))?;
    let mut progress = Progress::start(plan.trials(), 0);
    let outcome = execute(&plan, venues, &mut store, &mut progress, &cancel);
    progress.finish();
    outcome.map_err(|error| one_line(&error))?;
    Ok(store.records().to_vec())
}

/// Mean instructions of a packet, a trial each.
fn means(records: &[Record], backend: BackendKind, services: u32) -> Vec<f64> {
    let wanted = |record: &&Record| match record {
        Record::Trial(trial) => {
            let cell = &trial.cell;
            trial.kind == TrialKind::Traversal
                && (cell.backend, cell.bracket) == (backend, backend.bracket())
                && (cell.services, cell.position) == (services, backend.worst_position())
        }
        _ => false,
    };
    let mean = |record: &Record| match record {
        Record::Trial(trial) => decode_histogram(&trial.histogram).ok().map(|histogram| histogram.mean()),
        _ => None,
    };
    let means: Vec<f64> = records.iter().filter(wanted).filter_map(mean).collect();
    assert!(!means.is_empty(), "no trial of {} at N={services}", name(&backend));
    means
}
