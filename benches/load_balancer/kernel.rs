//! The eBPF programs on this kernel.
//!
//! `BPF_PROG_TEST_RUN` gives the mean of many packets, in whole nanoseconds, and most of a run's time goes into proving that its packets
//! met the right state. So as many runs as criterion takes samples are made first, and each call is given the next one's mean, times the
//! packets asked for. Every time has that of the wrapper in it, which writes the packets; a bench of the wrapper alone stands beside them.

use std::cell::{LazyCell, RefCell};

use criterion::{BenchmarkId, Criterion};
use lbcurve::backend::ebpf::{Behind, Hook, Packets, Stand, StandError};
use lbcurve::chain::one_line;
use lbcurve::result::name;
use lbcurve::venue::host::{is_root, release};
use lbcurve_benches::Count;

use super::{SAMPLES, group};

const SIZES: [u32; 3] = [1, 10_000, 100_000];
/// Packets of a run.
const PACKETS: u32 = 10_000;
const BENCHES: [(&str, Packets, Behind); 4] = [
    ("existing flow", Packets::Existing, Behind::Balancer),
    ("new flow", Packets::New, Behind::Balancer),
    ("no service", Packets::Miss, Behind::Balancer),
    ("wrapper alone", Packets::Existing, Behind::Nothing),
];

/// Benches both hooks where this process may.
///
/// # Panics
/// A packet met another state than the bench is about; criterion takes no error.
pub(super) fn bench(criterion: &mut Criterion<Count>) {
    for hook in [Hook::Tc, Hook::Xdp] {
        let backend = name(&hook.kind());
        match obstacle(hook) {
            None => {
                println!("load_balancer: {backend} by BPF_PROG_TEST_RUN on kernel {}", release());
                bench_hook(criterion, hook, &backend);
            }
            Some(reason) => println!("load_balancer: {backend} by BPF_PROG_TEST_RUN left out: {reason}"),
        }
    }
}

fn obstacle(hook: Hook) -> Option<String> {
    if !is_root() {
        return Some("it needs root".to_owned());
    }
    Stand::new(hook, 1).err().map(|error| one_line(&error))
}

fn bench_hook(criterion: &mut Criterion<Count>, hook: Hook, backend: &str) {
    let mut group = group(criterion, &format!("load_balancer: {backend}, wrapper included"));
    for services in SIZES {
        // Programmed by the first bench that runs.
        let stand = LazyCell::new(|| RefCell::new(Stand::new(hook, services).unwrap_or_else(|error| fail(&error))));
        for (title, packets, behind) in BENCHES {
            let means = LazyCell::new(|| means(&mut stand.borrow_mut(), packets, behind));
            let mut next = 0;
            group.bench_function(BenchmarkId::new(title, services), |bencher| {
                // Before criterion looks at its watch.
                let means = &*means;
                bencher.iter_custom(|asked| {
                    next += 1;
                    means[next % means.len()] * asked as f64
                });
            });
        }
    }
    group.finish();
}

/// Nanoseconds a packet, a run each.
fn means(stand: &mut Stand, packets: Packets, behind: Behind) -> Vec<f64> {
    let runs = (0..SAMPLES).map(|_| stand.run(packets, behind, PACKETS));
    runs.map(|mean| mean.unwrap_or_else(|error| fail(&error)).as_nanos() as f64).collect()
}

fn fail(error: &StandError) -> ! {
    panic!("load_balancer: {}", one_line(error))
}
