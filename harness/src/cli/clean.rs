//! `lbcurve clean`: remove what a killed run left behind.

use std::process::ExitCode;

use super::CliError;
use crate::venue::vm::work::remove_stale;

/// Ends guests whose run is gone and removes their directories. Namespaces, links and BPF programs are held by file
/// descriptors of the run itself, so no kill can leave any.
pub(super) fn clean() -> Result<ExitCode, CliError> {
    let outcomes = remove_stale();
    let mut failed = 0;
    for (stale, outcome) in &outcomes {
        match outcome {
            Ok(()) => println!("removed {stale}"),
            Err(error) => {
                failed += 1;
                eprintln!("cannot remove {stale}: {error}");
            }
        }
    }
    if outcomes.is_empty() {
        println!("nothing to clean");
    }
    if failed > 0 { Err(CliError::Leftovers(failed)) } else { Ok(ExitCode::SUCCESS) }
}
