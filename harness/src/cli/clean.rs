//! `lbcurve clean`: remove what a killed run left behind.

use std::process::ExitCode;

use super::CliError;
use crate::venue::vm::{Cache, remove_stale};

/// Ends guests whose run is gone, removes their directories and half-filled entries of the kernel cache. Namespaces, links and BPF programs are held by file
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
    let partial = Cache::for_user().map(|cache| cache.sweep()).unwrap_or_default();
    partial.iter().for_each(|path| println!("removed {}", path.display()));
    if outcomes.is_empty() && partial.is_empty() {
        println!("nothing to clean");
    }
    if failed > 0 { Err(CliError::Leftovers(failed)) } else { Ok(ExitCode::SUCCESS) }
}
