//! Plain routing with conntrack on: what every load balancer's cost is measured against.

use super::{Backend, BackendError, Document, ProgrammingCost, Rendered, Unready, exec};
use crate::result::BackendKind;
use crate::workload::{Service, Workload};

/// A `ct` expression makes nf_tables register conntrack's hooks for the namespace. It sits at the output hook, which forwarded
/// packets never pass, so conntrack is all that they pay for.
const RULESET: &str = "table ip lbcurve {\n\tchain conntrack-on {\n\t\ttype filter hook output priority filter; policy accept;\n\t\tct state new accept\n\t}\n}\n";

/// Plain routing with conntrack on and zero services.
pub(crate) struct DirectConntrack;

impl Backend for DirectConntrack {
    fn kind(&self) -> BackendKind {
        BackendKind::DirectConntrack
    }

    fn render(&self, _: &Workload) -> Rendered {
        Rendered { documents: vec![Document { command: "nft -f -".into(), text: RULESET.into() }] }
    }

    fn apply(&self, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Ok(exec::run_nft(RULESET)?.cost)
    }

    fn add_service(&self, _: &Workload, _: &Service) -> Result<ProgrammingCost, BackendError> {
        Ok(ProgrammingCost::default())
    }

    fn change_endpoint(&self, _: &Service, _: &Service, _: &Workload) -> Result<ProgrammingCost, BackendError> {
        Ok(ProgrammingCost::default())
    }

    fn verify(&self, _: &Workload) -> Result<(), BackendError> {
        let ruleset = exec::run("nft", &["list", "ruleset"], "")?.stdout;
        let differs = (ruleset != RULESET).then(|| format!("nf_tables holds {ruleset:?} instead of {RULESET:?}"));
        BackendError::unless_equal(self.kind(), differs.into_iter().collect())
    }

    fn clear(&self) -> Result<(), BackendError> {
        exec::run_nft("add table ip lbcurve\ndelete table ip lbcurve\n").map(drop)
    }

    fn readiness(&self) -> Result<(), Unready> {
        let check = format!("{RULESET}delete table ip lbcurve\n");
        exec::run_nft(&check).map(drop).map_err(|error| nft_unready(self.kind(), &error))
    }
}

/// Why nft cannot program a ruleset here.
pub(crate) fn nft_unready(backend: BackendKind, error: &BackendError) -> Unready {
    let remedy = match error {
        BackendError::ToolMissing { .. } => "apt-get install nftables",
        _ => "run as root on a kernel with nf_tables (CONFIG_NF_TABLES_IPV4), or use the vm venue",
    };
    Unready { backend, reason: error.to_string(), remedy: remedy.into() }
}
