//! kube-proxy's nftables mode: one map from VIP, protocol and port to a chain a service.

mod expected;
mod listing;
mod render;
mod services;

pub use listing::{Object, RulesetListing, TableListing};
pub use services::{ClusterFacts, cluster_facts, services, transaction_services};

use super::direct_conntrack::nft_unready;
use super::{Backend, BackendError, Document, ProgrammingCost, Rendered, Unready, exec};
use crate::result::BackendKind;
use crate::workload::{Service, Workload};

/// kube-proxy's nftables mode.
pub(crate) struct Nftables;

impl Backend for Nftables {
    fn kind(&self) -> BackendKind {
        BackendKind::Nftables
    }

    fn render(&self, workload: &Workload) -> Rendered {
        Rendered { documents: vec![Document { command: "nft -f -".into(), text: render::full(&workload.repeated()) }] }
    }

    fn apply(&self, workload: &Workload) -> Result<ProgrammingCost, BackendError> {
        run(|| render::full(&workload.repeated()))
    }

    fn add_service(&self, workload: &Workload, added: &Service) -> Result<ProgrammingCost, BackendError> {
        run(|| render::added(&workload.scheduling.repeated(added)))
    }

    fn change_endpoint(
        &self,
        before: &Service,
        after: &Service,
        workload: &Workload,
    ) -> Result<ProgrammingCost, BackendError> {
        let repeated = |service| workload.scheduling.repeated(service);
        run(|| render::changed(&repeated(before), &repeated(after)))
    }

    fn verify(&self, workload: &Workload) -> Result<(), BackendError> {
        let listed = exec::run("nft", &["list", "ruleset"], "")?.stdout;
        let live = RulesetListing::parse(&listed)?;
        BackendError::unless_equal(self.kind(), expected::differences(&workload.repeated(), &live)?)
    }

    fn expose(&self, exposed: &Service, _: &Workload) -> Result<bool, BackendError> {
        run(|| render::exposed(exposed)).map(|_| true)
    }

    fn remove_filter(&self) -> Result<bool, BackendError> {
        exec::run_nft("flush chain ip kube-proxy cluster-ips-check\n").map(|_| true)
    }

    fn clear(&self) -> Result<(), BackendError> {
        exec::run_nft("add table ip kube-proxy\ndelete table ip kube-proxy\n").map(drop)
    }

    fn readiness(&self) -> Result<(), Unready> {
        let probe = render::readiness_probe();
        exec::run_nft(&probe).map(drop).map_err(|error| nft_unready(self.kind(), &error))
    }
}

fn run(render: impl FnOnce() -> String) -> Result<ProgrammingCost, BackendError> {
    let (transaction, rendering) = ProgrammingCost::of_user(render);
    Ok(rendering + exec::run_nft(&transaction)?.cost)
}
