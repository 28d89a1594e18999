//! Raw wishes, and the scenario that they make.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::load_wish::loads;
use super::{
    LoadWish, MOST_MAGLEV_ENDPOINTS, MOST_PACKETS, MOST_TRIALS, Preset, Scenario, ScenarioError, VenueChoice,
    usual_sizes,
};
use crate::result::{BackendKind, Flow, NewShare, PacketSize, Position, RateMethod};
use crate::run::import;
use crate::venue::vm::pair_kernels;
use crate::workload::cluster::Cluster;
use crate::workload::{AddressPlan, EndpointChoice, Protocol, Scheduler, VipLayout};

/// Seed where none is asked for: any constant serves, so that two users measure the same packets.
const DEFAULT_SEED: u64 = 42;

/// Raw wishes: a TOML file or the command line. What is absent comes from the preset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Wishes {
    /// Preset to start from.
    pub preset: Option<Preset>,
    /// Venue.
    pub venue: Option<VenueChoice>,
    /// Backends; `direct` and `direct-conntrack` are always measured beside them.
    pub backends: Option<Vec<BackendKind>>,
    /// N.
    pub services: Option<Vec<u32>>,
    /// M.
    pub endpoints: Option<Vec<u32>>,
    /// VIP layouts.
    pub layout: Option<Vec<VipLayout>>,
    /// Protocols.
    pub protocol: Option<Vec<Protocol>>,
    /// Flows.
    pub flows: Option<Vec<Flow>>,
    /// Positions.
    pub positions: Option<Vec<Position>>,
    /// Seed of everything drawn.
    pub seed: Option<u64>,
    /// Trials a cell.
    pub trials: Option<u32>,
    /// Packets a trial.
    pub packets: Option<u32>,
    /// Whether to run cells that hold a CPU in the kernel for more than a minute.
    pub allow_slow: Option<bool>,
    /// Whether the vm counts instructions instead of time.
    pub deterministic: Option<bool>,
    /// Kernels for the vm, instead of the distribution's package: packages, suites or files, as [`KernelSource`](crate::venue::vm::KernelSource) reads them.
    pub kernel: Option<Vec<String>>,
    /// Modules directories of those that are files, in the same order.
    pub modules: Option<Vec<PathBuf>>,
    /// Service CIDR, where the default is too narrow for a layout.
    pub service_cidr: Option<ipnet::Ipv4Net>,
    /// Scheduler of IPVS.
    pub scheduler: Option<Scheduler>,
    /// Flows of each cell whose endpoint is written down.
    pub decisions: Option<NonZeroU32>,
    /// Flows of each way of spreading that is held to its promise.
    pub fairness: Option<NonZeroU32>,
    /// Loads of real connections, or none; where nothing is said, 16 at a time over a cluster.
    pub connections: Option<Vec<LoadWish>>,
    /// How rates are searched for.
    pub rates: Option<RateMethod>,
    /// Whether to ping ClusterIPs and ask a load balancer's address.
    pub reachability: Option<bool>,
    /// Bytes of the packets that rates are searched for with.
    pub packet_sizes: Option<Vec<PacketSize>>,
    /// Shares of packets that open a flow, in mixes of flows that rates are searched for with.
    pub new_share: Option<Vec<NewShare>>,
    /// How the eBPF backends choose endpoints.
    pub endpoint_choice: Option<EndpointChoice>,
    /// File to import the services from, in place of N services x M endpoints.
    pub cluster: Option<PathBuf>,
    /// How many times to repeat them.
    pub scale: Option<Vec<u32>>,
    /// Self-test of the gate: a rule that matches nothing per so many services.
    pub self_test_ballast: Option<NonZeroU32>,
    /// Self-test of fairness: how many times its share the first endpoint of every service gets.
    pub self_test_bias: Option<NonZeroU32>,
}

impl Wishes {
    /// Reads a TOML scenario.
    ///
    /// # Errors
    /// [`ScenarioError::Read`], [`ScenarioError::Parse`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a TOML scenario; `path` is for errors only. Pure.
    ///
    /// # Errors
    /// [`ScenarioError::Parse`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|source| ScenarioError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// These wishes, and where they are silent, `base`'s.
    pub fn or(self, base: Self) -> Self {
        Self {
            preset: self.preset.or(base.preset),
            venue: self.venue.or(base.venue),
            backends: self.backends.or(base.backends),
            services: self.services.or(base.services),
            endpoints: self.endpoints.or(base.endpoints),
            layout: self.layout.or(base.layout),
            protocol: self.protocol.or(base.protocol),
            flows: self.flows.or(base.flows),
            positions: self.positions.or(base.positions),
            seed: self.seed.or(base.seed),
            trials: self.trials.or(base.trials),
            packets: self.packets.or(base.packets),
            allow_slow: self.allow_slow.or(base.allow_slow),
            deterministic: self.deterministic.or(base.deterministic),
            kernel: self.kernel.or(base.kernel),
            modules: self.modules.or(base.modules),
            service_cidr: self.service_cidr.or(base.service_cidr),
            scheduler: self.scheduler.or(base.scheduler),
            decisions: self.decisions.or(base.decisions),
            fairness: self.fairness.or(base.fairness),
            connections: self.connections.or(base.connections),
            rates: self.rates.or(base.rates),
            reachability: self.reachability.or(base.reachability),
            packet_sizes: self.packet_sizes.or(base.packet_sizes),
            new_share: self.new_share.or(base.new_share),
            endpoint_choice: self.endpoint_choice.or(base.endpoint_choice),
            cluster: self.cluster.or(base.cluster),
            scale: self.scale.or(base.scale),
            self_test_ballast: self.self_test_ballast.or(base.self_test_ballast),
            self_test_bias: self.self_test_bias.or(base.self_test_bias),
        }
    }

    /// [`Wishes::resolve_with`] of services that are generated.
    ///
    /// # Errors
    /// As there, and [`ScenarioError::ClusterNotHere`].
    pub fn resolve(self) -> Result<Scenario, ScenarioError> {
        if self.cluster.is_some() { Err(ScenarioError::ClusterNotHere) } else { self.resolve_with(None) }
    }

    /// Fills the gaps from the preset and checks the result. `cluster` is what the file of [`Wishes::cluster`] holds.
    ///
    /// # Errors
    /// [`ScenarioError`]: a wish is empty, too large, or contradicts another.
    pub fn resolve_with(mut self, cluster: Option<Cluster>) -> Result<Scenario, ScenarioError> {
        let connections = loads(self.connections.take(), cluster.is_some())?;
        let all_positions = self.positions.is_some() && (self.rates.is_some() || !connections.is_empty());
        if self.packet_sizes.is_some() && self.rates.is_none() {
            return Err(ScenarioError::SizesWithoutRates);
        }
        if self.new_share.is_some() && self.rates.is_none() {
            return Err(ScenarioError::SharesWithoutRates);
        }
        if let Some(cluster) = &cluster {
            self = import::of_cluster(self, cluster)?;
        } else {
            import::check_none(&self)?;
        }
        self.check_limits()?;
        let preset = self.preset.unwrap_or_default();
        let kernels = pair_kernels(&self.kernel.unwrap_or_default(), &self.modules.unwrap_or_default())?;
        let venue = self.venue.unwrap_or_default();
        check_venue(venue, !kernels.is_empty(), self.deterministic)?;
        let mut addresses = AddressPlan::default();
        if let Some(cidr) = self.service_cidr {
            addresses.service_cidr = cidr;
        }
        let endpoint_choice = self.endpoint_choice.unwrap_or_default();
        let endpoints =
            positive("endpoints", axis("endpoints", self.endpoints.unwrap_or_else(|| preset.endpoints()))?)?;
        if endpoint_choice == EndpointChoice::Maglev
            && let Some(&asked) = endpoints.iter().find(|asked| **asked > MOST_MAGLEV_ENDPOINTS)
        {
            return Err(ScenarioError::TooManyMaglevEndpoints { asked });
        }
        let narrow_layouts = self.layout.is_none() && preset != Preset::Full;
        Ok(Scenario {
            preset,
            narrow_layouts,
            venue,
            backends: axis("backends", with_baselines(self.backends.unwrap_or_else(|| preset.backends())))?,
            services: positive("services", axis("services", self.services.unwrap_or_else(|| preset.services()))?)?,
            endpoints,
            layouts: axis("layout", self.layout.unwrap_or_else(|| preset.layouts()))?,
            protocols: axis("protocol", self.protocol.unwrap_or_else(|| vec![Protocol::Tcp]))?,
            flows: axis("flows", self.flows.unwrap_or_else(|| vec![Flow::New, Flow::Established]))?,
            positions: axis("positions", self.positions.unwrap_or_else(|| preset.positions()))?,
            seed: self.seed.unwrap_or(DEFAULT_SEED),
            trials: at_least_one("trials", self.trials)?,
            packets: at_least_one("packets", self.packets)?,
            allow_slow: self.allow_slow.unwrap_or(false),
            deterministic: self.deterministic,
            kernels,
            addresses,
            scheduler: self.scheduler,
            decisions: self.decisions,
            fairness: self.fairness,
            connections,
            rates: self.rates,
            reachability: self.reachability.unwrap_or(false),
            packet_sizes: axis("packet sizes", self.packet_sizes.unwrap_or_else(usual_sizes))?,
            new_shares: self.new_share.map(|shares| axis("new share", shares)).transpose()?.unwrap_or_default(),
            all_positions,
            endpoint_choice,
            cluster,
            self_test_ballast: self.self_test_ballast,
            self_test_bias: self.self_test_bias,
        })
    }

    /// Numbers that a plan has no room for.
    fn check_limits(&self) -> Result<(), ScenarioError> {
        if let Some(asked) = self.packets.filter(|asked| *asked > MOST_PACKETS) {
            return Err(ScenarioError::TooManyPackets { asked });
        }
        for (wish, flows) in [("decisions", self.decisions), ("fairness", self.fairness)] {
            if let Some(asked) = flows.map(NonZeroU32::get).filter(|asked| *asked > MOST_PACKETS) {
                return Err(ScenarioError::TooManyFlows { wish, asked });
            }
        }
        match self.trials.filter(|asked| *asked > MOST_TRIALS) {
            Some(asked) => Err(ScenarioError::TooManyTrials { asked }),
            None => Ok(()),
        }
    }
}

/// Wishes that a venue cannot fulfil.
fn check_venue(venue: VenueChoice, has_kernels: bool, deterministic: Option<bool>) -> Result<(), ScenarioError> {
    match venue {
        VenueChoice::Host if has_kernels => Err(ScenarioError::KernelOnHost),
        VenueChoice::Sim if has_kernels => Err(ScenarioError::KernelInSim),
        VenueChoice::Sim if deterministic == Some(false) => Err(ScenarioError::DeterministicInSim),
        _ => Ok(()),
    }
}

/// Every run has the two baselines: `added` is measured against them.
fn with_baselines(mut backends: Vec<BackendKind>) -> Vec<BackendKind> {
    if !backends.is_empty() {
        backends.extend([BackendKind::Direct, BackendKind::DirectConntrack]);
    }
    backends
}

pub(super) fn axis<T: Ord>(axis: &'static str, mut values: Vec<T>) -> Result<Vec<T>, ScenarioError> {
    values.sort_unstable();
    values.dedup();
    if values.is_empty() { Err(ScenarioError::Empty { axis }) } else { Ok(values) }
}

fn positive(axis: &'static str, values: Vec<u32>) -> Result<Vec<u32>, ScenarioError> {
    if values.contains(&0) { Err(ScenarioError::Zero { axis }) } else { Ok(values) }
}

fn at_least_one(axis: &'static str, value: Option<u32>) -> Result<Option<u32>, ScenarioError> {
    if value == Some(0) { Err(ScenarioError::Zero { axis }) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maglev_table_names_every_endpoint() {
        let asked = |endpoints, choice| {
            Wishes { endpoints: Some(vec![2, endpoints]), endpoint_choice: Some(choice), ..Wishes::default() }.resolve()
        };
        assert!(asked(MOST_MAGLEV_ENDPOINTS, EndpointChoice::Maglev).is_ok());
        assert!(asked(MOST_MAGLEV_ENDPOINTS + 1, EndpointChoice::Random).is_ok());
        let refused = asked(MOST_MAGLEV_ENDPOINTS + 1, EndpointChoice::Maglev).unwrap_err();
        assert!(matches!(refused, ScenarioError::TooManyMaglevEndpoints { asked: 65_536 }), "{refused}");
    }

    #[test]
    fn command_line_overrides_file_overrides_preset() {
        let file: Wishes = toml::from_str("preset = 'standard'\nservices = [5, 1, 5]\nseed = 7").unwrap();
        let line = Wishes { seed: Some(8), ..Wishes::default() };
        let scenario = line.or(file).resolve().unwrap();
        assert_eq!((scenario.preset, scenario.seed), (Preset::Standard, 8));
        assert_eq!(scenario.services, [1, 5]);
    }

    #[test]
    fn baselines_are_always_there() {
        let wishes = Wishes { backends: Some(vec![BackendKind::Ipvs]), ..Wishes::default() };
        let expected = [BackendKind::Direct, BackendKind::DirectConntrack, BackendKind::Ipvs];
        assert_eq!(wishes.resolve().unwrap().backends, expected);
    }

    /// A baseline's key is its scenario: what is usual must leave old ones as they are.
    #[test]
    fn only_an_unusual_choice_of_endpoints_is_written_down() {
        let written = |choice| {
            let wishes = Wishes { endpoint_choice: choice, ..Wishes::default() };
            serde_json::to_string(&wishes.resolve().unwrap()).unwrap()
        };
        assert_eq!(written(None), written(Some(EndpointChoice::Random)));
        assert!(!written(None).contains("endpoint_choice"));
        assert!(written(Some(EndpointChoice::Maglev)).contains(r#""endpoint_choice":"maglev""#));
        let file: Wishes = toml::from_str("endpoint-choice = 'maglev'").unwrap();
        assert_eq!(file.resolve().unwrap().endpoint_choice, EndpointChoice::Maglev);
    }

    #[test]
    fn rates_are_written_down_where_they_were_asked_for() {
        let without = serde_json::to_string(&Wishes::default().resolve().unwrap()).unwrap();
        assert!(!without.contains("rates"));
        let file: Wishes = toml::from_str("rates = 'quick'").unwrap();
        let scenario = file.resolve().unwrap();
        assert_eq!(scenario.rates, Some(RateMethod::Quick));
        assert!(serde_json::to_string(&scenario).unwrap().contains(r#""rates":"quick""#));
        assert!(toml::from_str::<Wishes>("rates = 'fast'").is_err());
    }

    #[test]
    fn fairness_is_written_down_where_it_was_asked_for() {
        let without = serde_json::to_string(&Wishes::default().resolve().unwrap()).unwrap();
        assert!(!without.contains("fairness") && !without.contains("bias"));
        let file: Wishes = toml::from_str("fairness = 500\nself-test-bias = 2").unwrap();
        let scenario = file.resolve().unwrap();
        assert_eq!(scenario.fairness.map(NonZeroU32::get), Some(500));
        assert_eq!(scenario.common().bias.map(NonZeroU32::get), Some(2));
        let many = Wishes { fairness: NonZeroU32::new(MOST_PACKETS + 1), ..Wishes::default() };
        assert!(matches!(many.resolve(), Err(ScenarioError::TooManyFlows { wish: "fairness", .. })));
    }

    #[test]
    fn sizes_and_positions_of_rates_are_written_down_where_they_were_asked_for() {
        let scenario = |text: &str| toml::from_str::<Wishes>(text).unwrap().resolve();
        let written = |text: &str| serde_json::to_string(&scenario(text).unwrap()).unwrap();
        let usual = written("rates = 'mrr'");
        assert!(!usual.contains("packet_sizes") && !usual.contains("all_positions"), "{usual}");
        assert_eq!(serde_json::from_str::<Scenario>(&usual).unwrap(), scenario("rates = 'mrr'").unwrap());
        assert!(!written("positions = ['zipf:1.1']").contains("all_positions"));
        let asked = written("rates = 'mrr'\npositions = ['zipf:1.1', 'first']\npacket-sizes = ['imix', '64']");
        assert!(asked.contains(r#""packet_sizes":["64","imix"],"all_positions":true"#), "{asked}");
        assert!(asked.contains(r#""positions":["first","zipf:1.1"]"#), "{asked}");
        assert!(matches!(scenario("packet-sizes = ['64']"), Err(ScenarioError::SizesWithoutRates)));
    }

    #[test]
    fn mixes_of_rates_are_written_down_where_they_were_asked_for() {
        let scenario = |text: &str| toml::from_str::<Wishes>(text).unwrap().resolve();
        let written = |text: &str| serde_json::to_string(&scenario(text).unwrap()).unwrap();
        assert!(!written("rates = 'mrr'").contains("new_share"));
        let asked = written("rates = 'mrr'\nnew-share = ['10%', '1%', '10%']");
        assert!(asked.contains(r#""new_shares":["1%","10%"]"#), "{asked}");
        let without = scenario("new-share = ['10%']").unwrap_err();
        assert!(matches!(without, ScenarioError::SharesWithoutRates) && without.to_string().contains("--rates"));
        assert!(matches!(scenario("rates = 'mrr'\nnew-share = []"), Err(ScenarioError::Empty { axis: "new share" })));
        assert!(toml::from_str::<Wishes>("new-share = ['100%']").is_err());
    }

    #[test]
    fn connections_are_written_down_where_they_were_asked_for() {
        let without = serde_json::to_string(&Wishes::default().resolve().unwrap()).unwrap();
        assert!(!without.contains("connections"));
        let file: Wishes = toml::from_str("connections = ['2000/s', '16', '16']").unwrap();
        let scenario = file.resolve().unwrap();
        assert_eq!(scenario.connections.iter().map(ToString::to_string).collect::<Vec<_>>(), ["16", "2000/s"]);
        assert!(toml::from_str::<Wishes>("connections = ['0']").is_err());
        let none: Wishes = toml::from_str("connections = []").unwrap();
        assert!(matches!(none.resolve(), Err(ScenarioError::Empty { axis: "connections" })));
        let none: Wishes = toml::from_str("connections = ['none']\npositions = ['first', 'last']").unwrap();
        assert_eq!(serde_json::to_string(&none.resolve().unwrap()).unwrap(), without);
    }

    /// Over a cluster they are usual; elsewhere a baseline's key stays as it is.
    #[test]
    fn a_cluster_is_asked_by_connections_unless_none_are_wanted() {
        let shop = Cluster::parse(include_str!("../../../tests/clusters/ticket-shop.yaml"), "shop").unwrap();
        let scenario = |text: &str| toml::from_str::<Wishes>(text).unwrap().resolve_with(Some(shop.clone())).unwrap();
        let loads = |text: &str| {
            let Scenario { connections, all_positions, .. } = scenario(text);
            (connections.iter().map(ToString::to_string).collect::<Vec<_>>(), all_positions)
        };
        assert_eq!(loads(""), (vec!["16".to_owned()], false));
        assert_eq!(loads("connections = ['2000/s']"), (vec!["2000/s".to_owned()], false));
        assert_eq!(loads("positions = ['last']"), (vec!["16".to_owned()], true));
        assert_eq!(loads("positions = ['last']\nconnections = ['none']"), (Vec::new(), false));
        assert!(!serde_json::to_string(&scenario("connections = ['none']")).unwrap().contains("connections"));
    }

    #[test]
    fn reachability_is_written_down_where_it_was_asked_for() {
        let written = |text: &str| {
            let file: Wishes = toml::from_str(text).unwrap();
            serde_json::to_string(&file.resolve().unwrap()).unwrap()
        };
        assert!(!written("").contains("reachability") && !written("reachability = false").contains("reachability"));
        assert!(written("reachability = true").contains(r#""reachability":true"#));
    }

    #[test]
    fn bad_wishes_are_named() {
        let zero = Wishes { services: Some(vec![0]), ..Wishes::default() };
        assert!(matches!(zero.resolve(), Err(ScenarioError::Zero { axis: "services" })));
        let none = Wishes { backends: Some(vec![]), ..Wishes::default() };
        assert!(matches!(none.resolve(), Err(ScenarioError::Empty { axis: "backends" })));
        let half = Wishes { kernel: Some(vec!["./k".into()]), ..Wishes::default() };
        assert!(matches!(half.resolve(), Err(ScenarioError::Kernels(_))));
        let kernel = Some(vec!["trixie".into()]);
        let on_host = Wishes { kernel, venue: Some(VenueChoice::Host), ..Wishes::default() };
        assert!(matches!(on_host.resolve(), Err(ScenarioError::KernelOnHost)));
        assert!(toml::from_str::<Wishes>("servcies = [1]").is_err());
    }
}
