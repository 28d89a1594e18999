//! Debian packages that the commands need: found by their programs, installed when root, named otherwise.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// A program and the Debian package that has it.
pub(crate) struct Needed {
    program: &'static str,
    package: &'static str,
}

/// What a run needs: the datapaths' own tools, and QEMU for the vm venue.
pub(crate) const FOR_RUNS: &[Needed] = &[
    Needed { program: "qemu-system-x86_64", package: "qemu-system-x86" },
    Needed { program: "iptables-legacy-restore", package: "iptables" },
    Needed { program: "nft", package: "nftables" },
    Needed { program: "ipset", package: "ipset" },
    Needed { program: "ip", package: "iproute2" },
    Needed { program: "depmod", package: "kmod" },
];

/// What the tests compare with and look at reports in, beyond that.
pub(crate) const FOR_TESTS: &[Needed] = &[
    Needed { program: "ipvsadm", package: "ipvsadm" },
    Needed { program: "chromium", package: "chromium" },
    Needed { program: "curl", package: "curl" },
    Needed { program: "httping", package: "httping" },
];

/// What counts instructions.
pub(crate) const FOR_INSTRUCTIONS: &[Needed] = &[Needed { program: "valgrind", package: "valgrind" }];

/// Installs what is missing of `needed`.
///
/// # Errors
/// Names the exact command where this user may not install, or where apt-get failed.
pub(crate) fn ensure(needed: &[&[Needed]]) -> anyhow::Result<()> {
    let missing: Vec<&str> = missing(needed);
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --no-install-recommends -y {}", missing.join(" "));
    if !is_root()? {
        bail!("missing Debian packages: {}; install them with: sudo {install}", missing.join(", "));
    }
    eprintln!("installing the missing Debian packages: {}", missing.join(", "));
    apt(&["update", "-q"])?;
    let mut arguments = vec!["install", "--no-install-recommends", "-y", "-q"];
    arguments.extend(&missing);
    apt(&arguments)
}

fn missing(needed: &[&[Needed]]) -> Vec<&'static str> {
    let absent = needed.iter().copied().flatten().filter(|needed| !is_on_path(needed.program));
    absent.map(|needed| needed.package).collect()
}

/// Looks beyond `PATH`: an ordinary user's lacks the sbin directories that hold these programs.
fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(sbin).any(|dir: std::path::PathBuf| dir.join(program).exists())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot start apt-get: this set-up knows Debian and its descendants only")?;
    if !status.success() {
        bail!(
            "apt-get {} failed ({status}); if an earlier installation was interrupted, run `dpkg --configure -a` and repeat",
            arguments.join(" ")
        );
    }
    Ok(())
}

/// Whether this process is root, by the owner of its own `/proc` entry.
pub(crate) fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let owner = Path::new("/proc/self").metadata().context("cannot read /proc/self")?.uid();
    Ok(owner == 0)
}
