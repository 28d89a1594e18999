//! `cargo bench -p lbcurve --bench report_scale`: `lbcurve report` on a synthetic run of 1,000 cells and 100,000 trials. Prints the
//! time and the peak memory of every format as the kernel accounts them to the process, and what it wrote; fails where the page takes
//! 2 s or 300 MB or more.

#![expect(clippy::unwrap_used, reason = "a bench whose own files cannot be written has nothing to measure")]

#[path = "../tests/synthetic/mod.rs"]
#[expect(clippy::allow_attributes, reason = "the tests use the rest")]
#[allow(dead_code)]
mod synthetic;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use lbcurve::result::{TrialRecord, write_run_file};
use lbcurve::run::record::Record;
use lbcurve::sys::wait::wait4;
use synthetic::large;

/// Run and format, for the process that measures: a small one of its own, because a child is charged with what its parent held.
const MEASURE: &str = "LBCURVE_REPORT_SCALE";

const MOST_TIME: Duration = Duration::from_secs(2);
const MOST_MEMORY: u64 = 300_000_000;

fn main() -> ExitCode {
    if let Some(line) = std::env::var_os(MEASURE) {
        return measured(&line.to_string_lossy());
    }
    let directory = tempfile::tempdir().unwrap();
    let (run, trials) = large::run(&large::THOUSAND_CELLS);
    write_run_file(&directory.path().join("run.json"), &run).unwrap();
    write_trials(&directory.path().join("trials.jsonl"), trials);
    println!("{} cells, {} trials", run.plan.cells.len(), run.plan.cells.len() * run.plan.trials as usize);
    for file in ["run.json", "trials.jsonl"] {
        println!("{file}: {:.1} MB", megabytes(directory.path().join(file).metadata().unwrap().len()));
    }
    drop(run);
    let mut code = ExitCode::SUCCESS;
    for format in ["html", "md", "svg", "csv", "bmf", "table", "hlog"] {
        let (time, memory, written) = measure(directory.path(), format);
        println!(
            "{format:>5}: {:.2} s, peak {:.0} MB, wrote {:.1} MB",
            time.as_secs_f64(),
            megabytes(memory),
            megabytes(written)
        );
        if format == "html" && (time >= MOST_TIME || memory >= MOST_MEMORY) {
            eprintln!("report_scale: the page took 2 s or 300 MB, or more");
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn write_trials(path: &Path, trials: Vec<TrialRecord>) {
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    for trial in trials {
        serde_json::to_writer(&mut out, &Record::Trial(trial)).unwrap();
        out.write_all(b"\n").unwrap();
    }
    out.flush().unwrap();
}

/// Wall-clock time, peak memory, and bytes written.
fn measure(run: &Path, format: &str) -> (Duration, u64, u64) {
    let line = format!("{format} {}", run.display());
    let output = Command::new(std::env::current_exe().unwrap()).env(MEASURE, line).output().unwrap();
    assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [micros, memory, written] = numbers[..] else { panic!("{text}") };
    (Duration::from_micros(micros), memory, written)
}

/// Runs `lbcurve report` and prints what it took.
#[expect(clippy::zombie_processes, reason = "wait4 reaps the child")]
fn measured(line: &str) -> ExitCode {
    let (format, run) = line.split_once(' ').unwrap();
    let output = Path::new(run).join("output");
    let start = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_lbcurve"))
        .args(["report", run, "--format", format, "--output"])
        .arg(&output)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ended = wait4(child.id()).unwrap();
    let time = start.elapsed();
    assert!(ended.status.success(), "{format}: {}", ended.status);
    println!("{} {} {}", time.as_micros(), ended.peak_memory, output.metadata().unwrap().len());
    ExitCode::SUCCESS
}
