//! `lbcurve publish`: put a finished run beside the others that the repository shows.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CliError;
use super::args::PublishArgs;
use super::report::RUN_FILE;
use crate::publication::{Row, TrialsError, check_trials, folder, index, readme, replace};
use crate::report;
use crate::result::{Manifest, RunFile, Warning, read_run_file, stream_jsonl};
use crate::run::record::Record;
use crate::run::store::TRIALS;
use crate::whole::write_whole;

/// Largest file of trials that is kept as it is; a larger one is compressed, for a repository keeps every version for ever.
const PLAIN_TRIALS: u64 = 5 << 20;
/// Preset of xz.
const XZ_LEVEL: u32 = 6;
/// The index in the directory of results, and the front page's.
const README: &str = "README.md";

/// Why a run is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// Its folder is there.
    #[error("{} is there already: remove it, with its row in the index, if it is to be replaced", .0.display())]
    Exists(PathBuf),
    /// Cells of its plan were neither measured nor left out for a reason.
    #[error("{} is not a complete run: repeat its command to finish it", .0.display())]
    Incomplete(PathBuf),
    /// Its rules held what no kube-proxy programs.
    #[error("{} is a self-test with ballast or bias in its rules: it measures no kernel as it is", .0.display())]
    SelfTest(PathBuf),
    /// The trials beside it are damaged, cut, or another run's.
    #[error("{}", path.display())]
    Trials {
        /// File.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TrialsError,
    },
    /// A generated part has no place.
    #[error("{}", path.display())]
    Mark {
        /// File.
        path: PathBuf,
        /// What is missing.
        #[source]
        source: crate::publication::MarkError,
    },
}

pub(super) fn publish(args: &PublishArgs) -> Result<ExitCode, CliError> {
    let file = if args.run.is_dir() { args.run.join(RUN_FILE) } else { args.run.clone() };
    let run = read_run_file(&file)?;
    publishable(&run, &file)?;
    let name = folder(&run);
    let target = args.results.join(&name);
    if target.exists() {
        return Err(PublicationError::Exists(target).into());
    }
    // Both files must have their places before anything is written.
    let index_file = args.results.join(README);
    let indexed = marked(&index_file, |text| index(text, Row::new(&run, &name)))?;
    let plot = format!(
        "![What each backend adds over the number of services]({0}/added.svg)\n\n[The run behind it, read in words]({0}/README.md).",
        target.display()
    );
    let front = args.readme.as_ref().map(|path| Ok((path, marked(path, |text| replace(text, "plot", &plot))?)));
    let front = front.transpose().map_err(|error: CliError| error)?;
    write_folder(&run, &file, &name, &target)?;
    write_whole(&index_file, indexed.as_bytes()).map_err(failed("write", &index_file))?;
    if let Some((path, text)) = front {
        write_whole(path, text.as_bytes()).map_err(failed("write", path))?;
    }
    println!("{}", target.display());
    Ok(ExitCode::SUCCESS)
}

/// Refuses what is not a finished measurement with its own trials beside it.
fn publishable(run: &RunFile, file: &Path) -> Result<(), CliError> {
    if run.plan.self_test_ballast.is_some() || run.plan.self_test_bias.is_some() {
        return Err(PublicationError::SelfTest(file.to_owned()).into());
    }
    if run.warnings.iter().any(|warning| matches!(warning, Warning::Unmeasured { .. })) {
        return Err(PublicationError::Incomplete(file.to_owned()).into());
    }
    let path = file.with_file_name(TRIALS);
    let checked = check_trials(run, stream_jsonl::<Record>(&path)?);
    checked.map_err(|source| match source {
        // It names the file itself.
        TrialsError::Records(error) => error.into(),
        source => PublicationError::Trials { path, source }.into(),
    })
}

/// A file's text with its generated part made anew.
fn marked(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, crate::publication::MarkError>,
) -> Result<String, CliError> {
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    Ok(change(&text).map_err(|source| PublicationError::Mark { path: path.to_owned(), source })?)
}

/// Fills the folder under another name and renames it, so that it is whole or absent.
fn write_folder(run: &RunFile, file: &Path, name: &str, target: &Path) -> Result<(), CliError> {
    let parent = target.parent().unwrap_or(Path::new("."));
    let partial =
        tempfile::Builder::new().prefix(".partial-").tempdir_in(parent).map_err(failed("write in", parent))?;
    let dir = partial.path();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).map_err(failed("write", &path))
    };
    fs::copy(file, dir.join(RUN_FILE)).map_err(failed("copy", file))?;
    let trials = copy_trials(&file.with_file_name(TRIALS), dir)?;
    let manifest = Manifest { environment: run.environment.clone(), plan: run.plan.clone() };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from).map_err(failed("encode", file))?;
    write("manifest.json", &manifest)?;
    let html = report::html(run).map_err(io::Error::other).map_err(failed("render", file))?;
    write("report.html", html.as_bytes())?;
    write("added.svg", report::svg(run).ok_or(CliError::NoPlot)?.as_bytes())?;
    write(README, readme(run, name, trials).as_bytes())?;
    // Temporary directories are their owner's alone; what is published is everybody's.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(dir, everybody).map_err(failed("open", dir))?;
    fs::rename(dir, target).map_err(failed("make", target))?;
    drop(partial.keep());
    Ok(())
}

/// Takes the trials along, compressed where they are many; returns the name they got.
fn copy_trials(from: &Path, dir: &Path) -> Result<&'static str, CliError> {
    let size = fs::metadata(from).map_err(failed("read", from))?.len();
    if size <= PLAIN_TRIALS {
        fs::copy(from, dir.join(TRIALS)).map_err(failed("copy", from))?;
        return Ok(TRIALS);
    }
    let compressed = "trials.jsonl.xz";
    let path = dir.join(compressed);
    let bytes = fs::read(from).map_err(failed("read", from))?;
    let pack = || -> io::Result<()> {
        let mut encoder = liblzma::write::XzEncoder::new(fs::File::create(&path)?, XZ_LEVEL);
        encoder.write_all(&bytes)?;
        encoder.finish()?.sync_data()
    };
    pack().map_err(failed("write", &path))?;
    Ok(compressed)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CliError + use<> {
    let path = path.to_owned();
    move |source| CliError::File { action, path, source }
}
