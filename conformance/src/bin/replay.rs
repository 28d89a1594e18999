//! Judges recordings that are there: `replay FILE...`. Ends with 0 where the models agree with the kernels, with 1 where not, and
//! with 2 where a file cannot be read.

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use conformance::{Recording, StepsRecording, judge, predict_steps};

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("replay: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Number of disagreements in all files.
fn run() -> anyhow::Result<usize> {
    let (mut recordings, mut steps) = (Vec::new(), Vec::new());
    for path in std::env::args().skip(1) {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        for line in text.lines().filter(|line| !line.is_empty()) {
            match serde_json::from_str::<Recording>(line) {
                Ok(recording) => recordings.push(recording),
                Err(_) => steps.push(serde_json::from_str::<StepsRecording>(line).with_context(|| path.clone())?),
            }
        }
    }
    anyhow::ensure!(!recordings.is_empty() || !steps.is_empty(), "no recording in the files");
    let conclusion = judge(&recordings)?;
    println!(
        "{} cases, {} decisions, {} distributions (smallest p {:?}): {} disagreements",
        conclusion.cases,
        conclusion.decisions,
        conclusion.distributions,
        conclusion.smallest_p,
        conclusion.disagreements.len()
    );
    conclusion.disagreements.iter().take(3).for_each(|one| println!("  {one:?}"));
    let mut wrong = conclusion.disagreements.len();
    for recording in &steps {
        for (target, prediction) in predict_steps(recording)? {
            println!("{target:?}: {:?}, furthest miss {:.2}%", prediction.line, 100.0 * prediction.furthest);
            wrong += usize::from(!prediction.holds());
        }
    }
    Ok(wrong)
}
