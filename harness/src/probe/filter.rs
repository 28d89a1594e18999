//! A classifier on a device of another namespace.

use aya::Ebpf;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcAttachType, TcError, qdisc_add_clsact};
use aya::programs::{ProgramError, SchedClassifier};

use super::ProbeError;
use crate::net::{Link, NetNs};

/// An attached classifier. Its link names a device by index, which means something in its namespace only: it must be dropped
/// there and nowhere else.
#[derive(Debug)]
pub(crate) struct Filter {
    namespace: NetNs,
    link: Option<SchedClassifierLink>,
}

impl Filter {
    /// Attaches `program` by netlink (not tcx, which older kernels do not have: every venue runs the same hooks).
    pub(crate) fn attach(
        ebpf: &mut Ebpf,
        program: &'static str,
        namespace: &NetNs,
        device: &Link,
        hook: TcAttachType,
        priority: u16,
    ) -> Result<Self, ProbeError> {
        let _inside = namespace.enter()?;
        let namespace = NetNs::current()?;
        add_clsact(device)?;
        let refused =
            |source: ProgramError| ProbeError::Program { action: "attach", program, source: Box::new(source) };
        let options = TcAttachOptions::Netlink(NlOptions { priority, ..NlOptions::default() });
        let classifier = classifier(ebpf, program)?;
        let id = classifier.attach_with_options(&device.name, hook, options).map_err(refused)?;
        let link = classifier.take_link(id).map_err(refused)?;
        Ok(Self { namespace, link: Some(link) })
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        match self.namespace.enter() {
            Ok(_inside) => drop(link),
            Err(error) => {
                tracing::warn!(%error, "a classifier stays until its namespace ends");
                // Dropped here, it would detach whatever has the same index in this namespace.
                std::mem::forget(link);
            }
        }
    }
}

fn add_clsact(device: &Link) -> Result<(), ProbeError> {
    match qdisc_add_clsact(&device.name) {
        Ok(()) | Err(TcError::AlreadyAttached) => Ok(()),
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        Err(source) => Err(ProbeError::Clsact { device: device.name.clone(), source }),
    }
}

/// The loaded classifier of this name.
pub(crate) fn classifier<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier, ProbeError> {
    let program = ebpf.program_mut(name).ok_or(ProbeError::Missing { kind: "program", name })?;
    program.try_into().map_err(|source| ProbeError::Program { action: "use", program: name, source: Box::new(source) })
}
