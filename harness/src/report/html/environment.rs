//! Machine, tools and plan as lists of name and value.

use clap::ValueEnum;

use crate::report::number::{Medium, count, significant};
use crate::result::{RunFile, name};

fn entry(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// The machine, its kernels and the tools.
pub(super) fn machine(run: &RunFile) -> Vec<(String, String)> {
    let environment = &run.environment;
    let gibibytes = environment.memory_bytes as f64 / f64::from(1 << 30);
    let mut entries = vec![
        entry("lbcurve", &environment.lbcurve_version),
        entry("date", &environment.date),
        entry("CPU", format!("{} ({} logical)", environment.cpu_model, environment.cpus)),
        entry("memory", format!("{} GiB", significant(gibibytes, 3, Medium::Html))),
        entry("virtualisation", environment.virtualisation.as_deref().unwrap_or("none")),
        entry("distribution", &environment.distribution),
    ];
    entries.extend(environment.kernels.iter().map(|kernel| {
        let value = format!("{} {} (unit: {})", kernel.release, kernel.version, kernel.unit);
        entry(&format!("kernel, {}", name(&kernel.venue)), value)
    }));
    entries.extend(environment.tools.iter().map(|(tool, version)| entry(tool, version)));
    entries.push(entry("eBPF object (SHA-256)", &environment.ebpf_object_sha256));
    entries
}

fn names<T: ValueEnum>(values: &[T]) -> String {
    values.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn numbers(values: &[u32]) -> String {
    values.iter().map(|value| count(u64::from(*value), Medium::Html)).collect::<Vec<_>>().join(", ")
}

/// What was asked for.
pub(super) fn plan(run: &RunFile) -> Vec<(String, String)> {
    let plan = &run.plan;
    vec![
        entry("preset", plan.preset.as_deref().unwrap_or("none")),
        entry("venues", names(&plan.venues)),
        entry("backends", names(&plan.backends)),
        entry("services (N)", numbers(&plan.services)),
        entry("endpoints a service (M)", numbers(&plan.endpoints)),
        entry("VIP layouts", names(&plan.layouts)),
        entry("protocols", names(&plan.protocols)),
        entry("flows", names(&plan.flows)),
        entry("positions", names(&plan.positions)),
        entry("trials of each cell, at most", count(u64::from(plan.trials), Medium::Html)),
        entry("packets of each trial, at least", count(plan.packets, Medium::Html)),
        entry("cells", count(plan.cells.len() as u64, Medium::Html)),
        entry("seed", plan.seed.to_string()),
        entry("vm counts instructions", if plan.deterministic { "yes" } else { "no" }),
    ]
}
