//! The job that proves a guest: everything in its answer is the same in every deterministic boot of one image.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, thread};

use rustix::time::{ClockId, clock_gettime};

use crate::backend::backend;
use crate::result::{BackendKind, name};

/// What the tools say about the kernel.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("iptables-legacy-save", &["-t", "nat"]),
    ("iptables-nft-save", &[]),
    ("nft", &["list", "ruleset"]),
    ("ipset", &["list"]),
    ("ipvsadm", &["-Sn"]),
    ("ip", &["-o", "link"]),
];

/// Rules that need plug-ins and modules, so that an incomplete image fails here.
const RULES: &str = "*nat\n:LBCURVE - [0:0]\n\
    -A LBCURVE -m comment --comment \"self test\" -m statistic --mode random --probability 0.5000000000 -j MARK --set-mark 1\n\
    -A LBCURVE -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080\n\
    -A LBCURVE -m addrtype --dst-type LOCAL -j MASQUERADE --random-fully\nCOMMIT\n";

/// Writes release, clocks, threads' work, modules, and the tools' answers to `out`.
pub fn self_test(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "release {}", rustix::system::uname().release().to_string_lossy())?;
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    writeln!(out, "random {:016x}", u64::from_le_bytes(random))?;
    clocks(out)?;
    modules(out)?;
    for restore in ["iptables-legacy-restore", "iptables-nft-restore"] {
        restore_rules(out, restore)?;
    }
    load_balancers(out)?;
    for (tool, args) in QUESTIONS {
        ask(out, tool, args)?;
    }
    writeln!(out, "clock at end {}", now())
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The clock around a fixed loop, alone and beside threads.
fn clocks(out: &mut dyn Write) -> io::Result<()> {
    for round in 0..4u64 {
        let before = now();
        let sum = work(round);
        let alone = now() - before;
        let total = AtomicU64::new(0);
        thread::scope(|scope| {
            for seed in 0..round {
                let total = &total;
                scope.spawn(move || total.fetch_add(work(seed), Ordering::Relaxed));
            }
        });
        let together = total.into_inner();
        writeln!(out, "clock {before} alone {alone} end {} sums {sum} {together}", now())?;
    }
    Ok(())
}

fn work(seed: u64) -> u64 {
    (0..100_000).fold(seed, |sum, i| std::hint::black_box(sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i)))
}

fn modules(out: &mut dyn Write) -> io::Result<()> {
    let text = fs::read_to_string("/proc/modules")?;
    let mut names: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    writeln!(out, "modules {}", names.join(" "))
}

fn restore_rules(out: &mut dyn Write, tool: &str) -> io::Result<()> {
    let rules = "/tmp/rules";
    fs::write(rules, RULES)?;
    ask(out, tool, &[rules])
}

/// The eBPF load balancers, which this kernel's verifier has to accept, filled, attached and read back.
fn load_balancers(out: &mut dyn Write) -> io::Result<()> {
    for kind in [BackendKind::EbpfTc, BackendKind::EbpfXdp] {
        match backend(kind).readiness() {
            Ok(()) => writeln!(out, "{}: ready", name(&kind))?,
            Err(unready) => writeln!(out, "{unready}")?,
        }
    }
    Ok(())
}

/// What `tool` says, a line each, and how it ended. A tool that is not in the image is said to be missing.
fn ask(out: &mut dyn Write, tool: &str, args: &[&str]) -> io::Result<()> {
    let output = match Command::new(tool).args(args).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return writeln!(out, "{tool}: missing"),
        Err(error) => return Err(error),
    };
    for line in String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).lines() {
        writeln!(out, "{tool}: {line}")?;
    }
    writeln!(out, "{tool}: {}", output.status)
}
