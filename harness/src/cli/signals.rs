//! SIGINT and SIGTERM: the first asks the run to end in order, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::CliError;

/// A flag that the first SIGINT or SIGTERM sets. The second ends the process: namespaces and QEMU go with it.
///
/// # Errors
/// [`CliError::Signals`].
pub fn cancel_flag() -> Result<Arc<AtomicBool>, CliError> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so that it finds the flag still unset at the first signal.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag)).map_err(CliError::Signals)?;
        signal_hook::flag::register(signal, Arc::clone(&flag)).map_err(CliError::Signals)?;
    }
    Ok(flag)
}
