//! Plain routing: nothing is programmed, and that is what is verified.

use super::{Backend, BackendError, ProgrammingCost, Rendered, Unready, exec};
use crate::programs;
use crate::result::BackendKind;
use crate::workload::{Service, Workload};

/// Plain routing, no conntrack.
pub(crate) struct Direct;

impl Backend for Direct {
    fn kind(&self) -> BackendKind {
        BackendKind::Direct
    }

    fn render(&self, _: &Workload) -> Rendered {
        Rendered::default()
    }

    fn apply(&self, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Ok(ProgrammingCost::default())
    }

    fn add_service(&self, _: &Workload, _: &Service) -> Result<ProgrammingCost, BackendError> {
        Ok(ProgrammingCost::default())
    }

    fn change_endpoint(&self, _: &Service, _: &Service, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Ok(ProgrammingCost::default())
    }

    /// Conntrack works in a namespace only where a rule asks for it, so no rules in nf_tables and no loaded iptables table in
    /// `/proc/net/ip_tables_names` mean no conntrack.
    fn verify(&self, _: &Workload) -> Result<(), BackendError> {
        let mut differences = legacy_tables()?;
        if programs::find("nft").is_some() {
            let ruleset = exec::run("nft", &["list", "ruleset"], "")?.stdout;
            differences.extend(
                ruleset.lines().filter(|line| line.starts_with("table ")).map(|line| format!("nf_tables holds {line}")),
            );
        }
        BackendError::unless_equal(self.kind(), differences)
    }

    fn clear(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn readiness(&self) -> Result<(), Unready> {
        Ok(())
    }
}

/// iptables-legacy tables that this namespace has loaded. A kernel without ip_tables has no such file.
fn legacy_tables() -> Result<Vec<String>, BackendError> {
    let path = "/proc/thread-self/net/ip_tables_names";
    match std::fs::read_to_string(path) {
        Ok(names) => Ok(names.lines().map(|name| format!("the iptables-legacy table {name} is loaded")).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(BackendError::Read { path: path.into(), source }),
    }
}
