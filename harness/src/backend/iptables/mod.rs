//! kube-proxy's iptables mode, on xtables-legacy or on nf_tables: one rule a service in KUBE-SERVICES, passed in order.

mod ballast;
mod jumps;
mod nfacct;
mod render;
mod rule;
mod ruleset;
mod services;

pub use ruleset::{Chain, Ruleset, RulesetError, Table};
pub use services::services;

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Backend, BackendError, Document, ProgrammingCost, Rendered, Unready, exec};
use crate::net::write_sysctl;
use crate::result::BackendKind;
use crate::workload::{Service, Workload};

pub(crate) use jumps::{Jump, jump, removal, table_text};
pub(crate) use render::MASQUERADE_RULES;
use render::{Counter, Scope, sync};

/// kube-proxy sets it for node ports on localhost, and guards it with KUBE-FIREWALL.
const ROUTE_LOCALNET: &str = "net.ipv4.conf.all.route_localnet";
/// How kube-proxy calls `iptables-restore`.
const RESTORE: [&str; 4] = ["-w", "5", "--noflush", "--counters"];
/// The tables that the iptables mode uses.
const TABLES: [&str; 3] = ["nat", "mangle", "filter"];

/// Which kernel interface the iptables tools use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// ip_tables.
    Legacy,
    /// nf_tables' compatibility layer.
    Nft,
}

impl Flavour {
    /// `iptables-restore` of this flavour.
    #[must_use]
    pub fn restore_tool(self) -> &'static str {
        match self {
            Self::Legacy => "iptables-legacy-restore",
            Self::Nft => "iptables-nft-restore",
        }
    }

    /// `iptables-save` of this flavour.
    #[must_use]
    pub fn save_tool(self) -> &'static str {
        match self {
            Self::Legacy => "iptables-legacy-save",
            Self::Nft => "iptables-nft-save",
        }
    }

    /// Restores `text` the way kube-proxy does.
    pub(crate) fn restore(self, text: &str) -> Result<ProgrammingCost, BackendError> {
        Ok(exec::run(self.restore_tool(), &RESTORE, text)?.cost)
    }

    /// Empties tables: without `--noflush` the chains go as well. One that was not there before is hooked in from then on.
    pub(crate) fn empty(self, tables: &[&str]) -> Result<(), BackendError> {
        let text: String = tables.iter().map(|table| format!("*{table}\nCOMMIT\n")).collect();
        exec::run(self.restore_tool(), &["-w", "5"], &text).map(drop)
    }

    /// The command that [`restore`](Self::restore) runs, for documents.
    pub(crate) fn restore_command(self) -> String {
        format!("{} {}", self.restore_tool(), RESTORE.join(" "))
    }
}

/// kube-proxy's iptables mode.
pub(crate) struct Iptables {
    flavour: Flavour,
    /// Set when the kernel refused the nfacct object: kube-proxy then leaves the match out.
    no_nfacct: AtomicBool,
}

impl Iptables {
    pub(crate) fn new(flavour: Flavour) -> Self {
        Self { flavour, no_nfacct: AtomicBool::new(false) }
    }

    fn counter(&self) -> Counter {
        if self.no_nfacct.load(Ordering::Relaxed) { Counter::Absent } else { Counter::Present }
    }

    /// Creates the object that the rule for invalid packets counts in.
    fn ensure_counter(&self) -> Result<ProgrammingCost, BackendError> {
        let (created, cost) = ProgrammingCost::of_kernel(nfacct::ensure);
        self.no_nfacct.store(!created?, Ordering::Relaxed);
        Ok(cost)
    }

    fn sync_text(&self, workload: &Workload, scope: Scope<'_>, stale: &[String]) -> String {
        sync(workload, scope, self.counter(), stale)
    }

    fn partial(&self, workload: &Workload, changed: &Service) -> Result<ProgrammingCost, BackendError> {
        let (stale, saving) = self.stale_chains(workload)?;
        let (text, rendering) = ProgrammingCost::of_user(|| self.sync_text(workload, Scope::Only(changed), &stale));
        Ok(saving + rendering + self.flavour.restore(&text)?)
    }

    /// Chains of services and endpoints that are gone. Above the large-cluster threshold kube-proxy looks for them only now and
    /// then, so they stay behind a change.
    fn stale_chains(&self, workload: &Workload) -> Result<(Vec<String>, ProgrammingCost), BackendError> {
        if render::is_large(workload) {
            return Ok((Vec::new(), ProgrammingCost::default()));
        }
        let saved = exec::run(self.flavour.save_tool(), &["-t", "nat"], "")?;
        let (stale, cost) = ProgrammingCost::of_user(|| render::stale_chains(workload, &saved.stdout));
        Ok((stale, saved.cost + cost))
    }

    fn expected(&self, workload: &Workload) -> Result<Ruleset, BackendError> {
        let mut expected = Ruleset::default();
        expected.restore(&jumps::text(&jumps::KUBE_PROXY))?;
        expected.restore(&self.sync_text(workload, Scope::All, &[]))?;
        Ok(expected)
    }
}

impl Backend for Iptables {
    fn kind(&self) -> BackendKind {
        match self.flavour {
            Flavour::Legacy => BackendKind::IptablesLegacy,
            Flavour::Nft => BackendKind::IptablesNft,
        }
    }

    fn render(&self, workload: &Workload) -> Rendered {
        let command = self.flavour.restore_command();
        let jumps = Document { command: command.clone(), text: jumps::text(&jumps::KUBE_PROXY) };
        let sync = Document { command, text: self.sync_text(workload, Scope::All, &[]) };
        Rendered { documents: vec![jumps, sync] }
    }

    fn apply(&self, workload: &Workload) -> Result<ProgrammingCost, BackendError> {
        let (set, sysctl) = ProgrammingCost::of_kernel(|| write_sysctl(ROUTE_LOCALNET, "1"));
        set?;
        let counter = self.ensure_counter()?;
        let jumps = self.flavour.restore(&jumps::text(&jumps::KUBE_PROXY))?;
        let (text, rendering) = ProgrammingCost::of_user(|| self.sync_text(workload, Scope::All, &[]));
        Ok(sysctl + counter + jumps + rendering + self.flavour.restore(&text)?)
    }

    fn add_service(&self, workload: &Workload, added: &Service) -> Result<ProgrammingCost, BackendError> {
        self.partial(workload, added)
    }

    fn change_endpoint(
        &self,
        _before: &Service,
        after: &Service,
        workload: &Workload,
    ) -> Result<ProgrammingCost, BackendError> {
        self.partial(workload, after)
    }

    fn verify(&self, workload: &Workload) -> Result<(), BackendError> {
        let saved = exec::run(self.flavour.save_tool(), &[], "")?.stdout;
        let mut live = Ruleset::default();
        live.restore(&saved)?;
        let mut expected = self.expected(workload)?;
        if render::is_large(workload) {
            render::forget_large_cluster_leftovers(&mut expected, &mut live);
        }
        BackendError::unless_equal(self.kind(), expected.differences(&live))
    }

    fn expose(&self, exposed: &Service, _: &Workload) -> Result<bool, BackendError> {
        self.flavour.restore(&render::exposed(exposed))?;
        Ok(true)
    }

    fn remove_filter(&self) -> Result<bool, BackendError> {
        self.flavour.restore(&jumps::removal("filter", &jumps::KUBE_PROXY, &["KUBE-PROXY-FIREWALL"]))?;
        Ok(true)
    }

    fn clear(&self) -> Result<(), BackendError> {
        self.flavour.empty(&TABLES)?;
        nfacct::remove()?;
        Ok(write_sysctl(ROUTE_LOCALNET, "0")?)
    }

    fn readiness(&self) -> Result<(), Unready> {
        let check = || -> Result<(), BackendError> {
            self.ensure_counter()?;
            let probe = render::readiness_probe(self.counter());
            self.flavour.restore(&probe)?;
            self.flavour.empty(&TABLES)
        };
        let result = check();
        let removed = nfacct::remove().map_err(BackendError::from);
        result.and(removed).map_err(|error| self.unready(&error))
    }

    fn notes(&self) -> Vec<String> {
        match self.counter() {
            Counter::Present => Vec::new(),
            Counter::Absent => vec![
                "this kernel has no nfnetlink_acct: as kube-proxy does there, the rule that drops invalid packets has no nfacct match"
                    .into(),
            ],
        }
    }
}

impl Iptables {
    fn unready(&self, error: &BackendError) -> Unready {
        let remedy = match (error, self.flavour) {
            (BackendError::ToolMissing { .. }, _) => "apt-get install iptables",
            (_, Flavour::Legacy) => "run as root on a kernel with ip_tables and its xt_* modules, or use the vm venue",
            (_, Flavour::Nft) => {
                "run as root on a kernel with nf_tables, nft_compat and the xt_* modules, or use the vm venue"
            }
        };
        Unready { backend: self.kind(), reason: error.to_string(), remedy: remedy.into() }
    }
}
