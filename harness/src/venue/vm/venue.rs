//! The vm venue as a run sees it: opened once, then booted batch by batch.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::cache::CacheError;
use super::image::GuestTools;
use super::kernel::KernelError;
use super::qemu::QEMU;
use super::{
    Acceleration, Cache, GuestJob, GuestReport, GuestSpec, KernelImage, KernelSource, VmError, boot, probe_kvm,
};
use crate::programs;
use crate::result::{BackendKind, Spreading, Unit, VenueKind};
use crate::run::measure::Place;
use crate::run::plan::{Batch, Visit};
use crate::run::record::Record;
use crate::run::scenario::Scenario;

/// Memory of a guest: enough for 10,000 services in every backend; part of what makes a run repeat.
const MEMORY_MIB: u32 = 1024;
/// Longest silence of a guest: programming 10,000 services under emulation says nothing until it is done.
const STALL: Duration = Duration::from_secs(900);

/// What every machine can: instructions emulated and counted.
const EMULATION: Acceleration = Acceleration::Tcg { icount: true };

/// Why the vm venue cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum VmOpenError {
    /// QEMU is not installed.
    #[error("qemu-system-x86_64 is not installed; run `apt-get install qemu-system-x86`")]
    QemuMissing,
    /// No kernel.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// No cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Two kernels that a record could not tell apart.
    #[error("two different kernels are both {0}: a run tells kernels apart by their release; measure them in two runs")]
    SameRelease(String),
    /// This program's own file cannot be found.
    #[error("cannot find this program's own file, which is the guest's init")]
    Init(#[source] std::io::Error),
}

/// An opened vm venue.
#[derive(Debug, Clone)]
pub struct VmVenue {
    /// The kernel under test.
    pub kernel: KernelImage,
    /// How instructions are carried out.
    pub acceleration: Acceleration,
    tools: GuestTools,
    init: PathBuf,
}

impl VmVenue {
    /// Finds QEMU, the kernel and the guest's tools; downloads the kernel's package where necessary.
    ///
    /// # Errors
    /// [`VmOpenError`] names what is missing and the remedy.
    pub fn open(
        source: &KernelSource,
        deterministic: Option<bool>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, VmOpenError> {
        let init = std::env::current_exe().map_err(VmOpenError::Init)?;
        Self::open_with_init(source, deterministic, init, progress)
    }

    /// As [`open`](Self::open), with another program as init.
    ///
    /// # Errors
    /// [`VmOpenError`].
    pub fn open_with_init(
        source: &KernelSource,
        deterministic: Option<bool>,
        init: PathBuf,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, VmOpenError> {
        if programs::find(QEMU).is_none() {
            return Err(VmOpenError::QemuMissing);
        }
        let cache = Cache::for_user()?;
        let kernel = KernelImage::resolve(source, &cache, progress)?;
        let emulated = Self { kernel, acceleration: EMULATION, tools: GuestTools::find(), init };
        let acceleration = Acceleration::choose(deterministic, || probe_kvm(&cache, &emulated.spec(Vec::new())));
        Ok(Self { acceleration, ..emulated })
    }

    /// Opens one venue a kernel of `sources`, or the distribution's where none is named. All count the same unit: where not
    /// every kernel starts under KVM, none uses it. A kernel that two sources lead to is opened once.
    ///
    /// # Errors
    /// [`VmOpenError`] of the first that cannot be opened; two different kernels of one release.
    pub fn open_all(
        sources: &[KernelSource],
        deterministic: Option<bool>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Self>, VmOpenError> {
        let default = [KernelSource::default()];
        let sources = if sources.is_empty() { &default } else { sources };
        let mut venues: Vec<Self> = Vec::new();
        for source in sources {
            let venue = Self::open(source, deterministic, progress)?;
            match venues.iter().find(|other| other.kernel.release == venue.kernel.release) {
                None => venues.push(venue),
                Some(other) if other.kernel.vmlinux == venue.kernel.vmlinux => {
                    progress(&format!("{source} is kernel {} again: measured once", venue.kernel.release));
                }
                Some(_) => return Err(VmOpenError::SameRelease(venue.kernel.release)),
            }
        }
        if venues.iter().any(|venue| venue.acceleration != venues[0].acceleration) {
            venues.iter_mut().for_each(|venue| venue.acceleration = EMULATION);
        }
        Ok(venues)
    }

    /// Takes a program of this machine along, under a name in the guest's `PATH`.
    #[must_use]
    pub fn with_program(mut self, name: &str, path: PathBuf) -> Self {
        self.tools.programs.insert(name.to_owned(), path);
        self
    }

    /// What its records say of the place.
    pub fn place(&self) -> Place {
        let unit = if self.acceleration.is_deterministic() { Unit::Instructions } else { Unit::Ns };
        let emulated = self.acceleration == Acceleration::Tcg { icount: false };
        Place { venue: VenueKind::Vm, kernel: self.kernel.release.clone(), unit, emulated }
    }

    /// Why a backend cannot run in the guest; `None` where its tools and modules are there.
    pub fn obstacle(&self, backend: BackendKind) -> Option<String> {
        let tools: &[&str] = match backend {
            BackendKind::Direct | BackendKind::EbpfTc | BackendKind::EbpfXdp => &[],
            BackendKind::DirectConntrack | BackendKind::Nftables => &["nft"],
            BackendKind::IptablesLegacy => &["iptables-legacy-restore"],
            BackendKind::IptablesNft => &["iptables-nft-restore"],
            BackendKind::Ipvs => &["iptables-legacy-restore", "ipset"],
        };
        if let Some((name, package)) = self.tools.missing.iter().find(|(name, _)| tools.contains(name)) {
            return Some(format!("{name} is not installed; run `apt-get install {package}`"));
        }
        let missing = self.kernel.modules.missing.iter().find(|module| modules(backend).contains(&module.as_str()));
        missing
            .map(|module| format!("kernel {} has no module {module}; use --kernel and --modules", self.kernel.release))
    }

    /// Guests that may run at a time: one a CPU where instructions are counted, else one, for they would disturb each other.
    pub fn parallel_boots(&self) -> usize {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.acceleration.is_deterministic() { cpus } else { 1 }
    }

    /// Boots a guest that makes a batch's visits, and hands its records on as they come.
    ///
    /// # Errors
    /// [`VmError`]: what was handed on until then is of no use, the batch begins anew.
    pub fn boot_batch(
        &self,
        scenario: &Scenario,
        batch: &Batch,
        cancel: &AtomicBool,
        on_record: &mut dyn FnMut(Record),
    ) -> Result<(), VmError> {
        // Paths of this machine have no place in an image that has to repeat itself, nor has the company that a kernel is
        // measured in.
        let scenario = Scenario { kernels: Vec::new(), ..scenario.clone() };
        let batch = Batch { id: 0, ..batch.clone() };
        let Place { unit, emulated, .. } = self.place();
        let batch_has_fairness = batch.visits.iter().any(Visit::is_of_fairness);
        let cpus = self.cpus(&batch);
        let job = GuestJob::Measure { scenario: Box::new(scenario), batch, unit, emulated };
        let mut damaged = None;
        let mut on_line = |line: &str| match serde_json::from_str(line) {
            Ok(record) => on_record(record),
            Err(error) => damaged = Some(format!("{error} in {line:?}")),
        };
        let mut venue = self.clone();
        if batch_has_fairness {
            venue.kernel.modules = venue.kernel.modules.with_schedulers();
        }
        let release = venue.boot_on(cpus, &job, &mut on_line, cancel)?.started.release;
        if release != self.kernel.release {
            let message = format!("it calls itself {release}, its file said {}", self.kernel.release);
            return Err(VmError::Guest { message });
        }
        damaged.map_or(Ok(()), |reason| Err(VmError::Guest { message: format!("not a record: {reason}") }))
    }

    /// Boots a guest for one job.
    ///
    /// # Errors
    /// [`VmError`].
    pub fn boot(
        &self,
        job: &GuestJob,
        on_line: &mut dyn FnMut(&str),
        cancel: &AtomicBool,
    ) -> Result<GuestReport, VmError> {
        self.boot_on(1, job, on_line, cancel)
    }

    /// CPUs for a batch: client and servers of connections get one each where that cannot make counts differ.
    fn cpus(&self, batch: &Batch) -> u32 {
        if batch.connects() && !self.acceleration.is_deterministic() { 2 } else { 1 }
    }

    fn boot_on(
        &self,
        cpus: u32,
        job: &GuestJob,
        on_line: &mut dyn FnMut(&str),
        cancel: &AtomicBool,
    ) -> Result<GuestReport, VmError> {
        let job =
            job.to_bytes().map_err(|error| VmError::Guest { message: format!("job cannot be encoded: {error}") })?;
        boot(&GuestSpec { cpus, ..self.spec(job) }, on_line, cancel)
    }

    /// Schedulers of IPVS that the kernel lacks.
    pub fn lacking(&self) -> Vec<Spreading> {
        let ways = Spreading::of(BackendKind::Ipvs).iter().copied();
        ways.filter(|way| !self.kernel.modules.has(&format!("ip_vs_{way}"))).collect()
    }

    fn spec(&self, job: Vec<u8>) -> GuestSpec {
        GuestSpec {
            kernel: self.kernel.clone(),
            init: self.init.clone(),
            tools: self.tools.clone(),
            job,
            acceleration: self.acceleration,
            memory_mib: MEMORY_MIB,
            cpus: 1,
            seed: GUEST_SEED,
            stall: STALL,
        }
    }
}

/// Modules without which a backend cannot be programmed.
fn modules(backend: BackendKind) -> &'static [&'static str] {
    match backend {
        BackendKind::Direct | BackendKind::EbpfTc | BackendKind::EbpfXdp => &["veth", "sch_ingress", "cls_bpf"],
        BackendKind::DirectConntrack | BackendKind::Nftables => {
            &["veth", "sch_ingress", "cls_bpf", "nf_tables", "nf_conntrack", "nft_ct", "nft_nat"]
        }
        BackendKind::IptablesLegacy => &[
            "veth",
            "sch_ingress",
            "cls_bpf",
            "ip_tables",
            "iptable_nat",
            "iptable_filter",
            "xt_conntrack",
            "xt_comment",
        ],
        BackendKind::IptablesNft => {
            &["veth", "sch_ingress", "cls_bpf", "nf_tables", "nft_compat", "xt_conntrack", "xt_comment"]
        }
        BackendKind::Ipvs => {
            &["veth", "sch_ingress", "cls_bpf", "dummy", "ip_vs", "ip_vs_rr", "ip_set", "xt_set", "iptable_nat"]
        }
    }
}

/// Seed of the guest's own randomness; the scenario's seed rules workload, order and packets.
const GUEST_SEED: u64 = 42;
