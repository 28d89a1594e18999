//! `lbcurve compare`: two runs, or two kernels or backends within one.

use std::path::Path;
use std::process::ExitCode;

use super::CliError;
use super::compare_args::{CompareArgs, CompareFormat};
use super::report::RUN_FILE;
use crate::compare::{CompareError, Comparison, Side, compare as compare_sides, markdown, terminal};
use crate::result::{RunFile, read_run_file};
use crate::stdout::say;

pub(super) fn compare(args: &CompareArgs) -> Result<ExitCode, CliError> {
    let comparison = comparison(args)?;
    let text = match args.format {
        CompareFormat::Table => terminal(&comparison),
        CompareFormat::Md => markdown(&comparison),
        CompareFormat::Json => serde_json::to_string_pretty(&comparison).map_err(CliError::Json)? + "\n",
    };
    say(&text).map_err(|source| CliError::File { action: "write", path: "standard output".into(), source })?;
    Ok(ExitCode::SUCCESS)
}

fn comparison(args: &CompareArgs) -> Result<Comparison, CliError> {
    let run_a = read(&args.a)?;
    let name_a = args.a.display().to_string();
    let floor = args.floor.share();
    if let Some(path) = &args.b {
        let run_b = read(path)?;
        let name_b = path.display().to_string();
        return Ok(compare_sides(&Side::run(&name_a, &run_a), &Side::run(&name_b, &run_b), floor));
    }
    let sides = match (args.kernels.as_deref(), args.backends.as_deref()) {
        (Some([one, other]), _) => [Side::kernel(&name_a, &run_a, one), Side::kernel(&name_a, &run_a, other)],
        (_, Some([one, other])) => [Side::backend(&name_a, &run_a, *one), Side::backend(&name_a, &run_a, *other)],
        _ => return Err(CompareError::NoOtherSide.into()),
    };
    let [a, b] = sides;
    Ok(compare_sides(&a?, &b?, floor))
}

fn read(path: &Path) -> Result<RunFile, CliError> {
    let file = if path.is_dir() { path.join(RUN_FILE) } else { path.to_owned() };
    Ok(read_run_file(&file)?)
}
