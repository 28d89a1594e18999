//! The initramfs: init, the tools that it runs, the kernel's modules and the job.
//!
//! It holds no path, date or number of the machine that packs it: libraries lie in `/lib`, tools in `/usr/sbin`, every
//! owner and time is 0 and entries are sorted, so that the same inputs give the same bytes.

mod archive;
mod tools;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;
use std::io;
use std::path::{Path, PathBuf};

pub use self::archive::ArchiveError;
use self::archive::{Entry, render};
pub use self::tools::{GuestTools, TOOLS, ToolsError};
use super::elf;
use super::kernel::{ModuleError, ModuleSet};

/// Directory of the modules in the guest.
pub(crate) const MODULE_DIR: &str = "/modules";
/// File with the modules' names in order of loading.
pub(crate) const MODULE_ORDER: &str = "/modules/order";
/// File with the job.
pub(crate) const JOB: &str = "/job";
/// Directory of the xtables plug-ins.
pub(crate) const XTABLES_DIR: &str = "/lib/xtables";

/// Why the initramfs cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A program's libraries cannot be found.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// A module cannot be read.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

/// Packs an initramfs (newc) with `init` as `/init`, its libraries, `tools`, `modules` and `job`.
pub fn pack(init: &Path, tools: &GuestTools, modules: &ModuleSet, job: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut files = BTreeMap::new();
    add_program(&mut files, "/init", init)?;
    for (name, path) in &tools.programs {
        add_program(&mut files, &format!("/usr/sbin/{name}"), path)?;
    }
    for plugin in &tools.plugins {
        add_plugin(&mut files, plugin)?;
    }
    for file in &tools.files {
        files.insert(file.display().to_string(), Entry::file(read(file)?));
    }
    add_modules(&mut files, modules)?;
    files.insert(JOB.to_owned(), Entry::file(job.to_vec()));
    files.insert("/dev/console".to_owned(), Entry::Device { major: 5, minor: 1 });
    files.insert("/dev/null".to_owned(), Entry::Device { major: 1, minor: 3 });
    Ok(render(files)?)
}

/// A program under its name in the guest; links of one program to several names are kept as links.
fn add_program(files: &mut BTreeMap<String, Entry>, name: &str, path: &Path) -> Result<(), ImageError> {
    let real = std::fs::canonicalize(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
    let multi = real.file_name().and_then(|file| file.to_str()).filter(|file| file.starts_with("xtables-"));
    match multi {
        Some(file) => {
            files.insert(name.to_owned(), Entry::Link(file.to_owned()));
            add_elf(files, &format!("/usr/sbin/{file}"), &real)
        }
        None => add_elf(files, name, &real),
    }
}

fn add_elf(files: &mut BTreeMap<String, Entry>, name: &str, path: &Path) -> Result<(), ImageError> {
    if files.contains_key(name) {
        return Ok(());
    }
    for (name, path) in tools::libraries(path)? {
        if let Vacant(place) = files.entry(name) {
            place.insert(Entry::program(elf::strip(read(&path)?)));
        }
    }
    files.insert(name.to_owned(), Entry::program(elf::strip(read(path)?)));
    Ok(())
}

fn add_plugin(files: &mut BTreeMap<String, Entry>, path: &Path) -> Result<(), ImageError> {
    let Some(file) = path.file_name().and_then(|file| file.to_str()) else { return Ok(()) };
    let name = format!("{XTABLES_DIR}/{file}");
    match std::fs::read_link(path) {
        Ok(target) => {
            files.insert(name, Entry::Link(target.display().to_string()));
            Ok(())
        }
        Err(_) => add_elf(files, &name, path),
    }
}

fn add_modules(files: &mut BTreeMap<String, Entry>, modules: &ModuleSet) -> Result<(), ImageError> {
    let mut order = String::new();
    for module in &modules.load {
        order += &format!("{}\n", module.name);
        files.insert(format!("{MODULE_DIR}/{}.ko", module.name), Entry::file(module.content()?));
    }
    files.insert(MODULE_ORDER.to_owned(), Entry::file(order.into_bytes()));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    std::fs::read(path).map_err(|source| ImageError::Read { path: path.to_owned(), source })
}
