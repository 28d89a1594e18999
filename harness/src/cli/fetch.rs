//! `lbcurve fetch`: have kernels in the cache before they are needed.

use std::process::ExitCode;

use super::CliError;
use super::args::FetchArgs;
use crate::venue::vm::{Cache, KernelImage, VmOpenError};

/// Prints a line a kernel: its release, what names exactly this one for `--kernel`, and where it comes from.
pub(super) fn fetch(args: &FetchArgs) -> Result<ExitCode, CliError> {
    let sources = args.kernels.sources_or_default()?;
    let cache = Cache::for_user().map_err(VmOpenError::from)?;
    for source in sources {
        let image =
            KernelImage::resolve(&source, &cache, &mut |line| eprintln!("{line}")).map_err(VmOpenError::from)?;
        println!("{}\t{}\t{}", image.release, image.exactly(&source), image.origin);
    }
    Ok(ExitCode::SUCCESS)
}
