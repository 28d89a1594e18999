//! A run over the services of a cluster: what its file says in place of the axes N, M, layout and protocol.

use std::path::Path;

use super::scenario::{MOST_MAGLEV_ENDPOINTS, MOST_SERVICES, ScenarioError, Wishes};
use crate::result::Position;
use crate::workload::cluster::Cluster;
use crate::workload::{EndpointChoice, Protocol, VipLayout};

/// Reads the file of [`Wishes::cluster`].
///
/// # Errors
/// [`ScenarioError::ReadCluster`], [`ScenarioError::Cluster`].
pub fn read(path: &Path) -> Result<Cluster, ScenarioError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ScenarioError::ReadCluster { path: path.to_owned(), source })?;
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Ok(Cluster::parse(&text, &file)?)
}

/// The wishes with the axes that the cluster rules. Positions are `random` beside those that are asked for: over it the cost of a first
/// packet is expected.
///
/// # Errors
/// [`ScenarioError::ClusterSays`], [`ScenarioError::ClusterDecisions`], [`ScenarioError::TooLargeScale`],
/// [`ScenarioError::Zero`], [`ScenarioError::TooManyMaglevEndpoints`].
pub(super) fn of_cluster(wishes: Wishes, cluster: &Cluster) -> Result<Wishes, ScenarioError> {
    let ruled = [
        ("services", wishes.services.is_some()),
        ("endpoints", wishes.endpoints.is_some()),
        ("layout", wishes.layout.is_some()),
        ("protocol", wishes.protocol.is_some()),
    ];
    if let Some((wish, _)) = ruled.into_iter().find(|(_, is_asked)| *is_asked) {
        return Err(ScenarioError::ClusterSays { wish });
    }
    if wishes.fairness.is_some() {
        return Err(ScenarioError::ClusterFairness);
    }
    if wishes.decisions.is_some() {
        return Err(ScenarioError::ClusterDecisions);
    }
    let most = cluster.ports.iter().map(|port| port.endpoints).max().unwrap_or(0);
    if wishes.endpoint_choice == Some(EndpointChoice::Maglev) && most > MOST_MAGLEV_ENDPOINTS {
        return Err(ScenarioError::TooManyMaglevEndpoints { asked: most });
    }
    let scales = wishes.scale.as_deref().unwrap_or(&[1]);
    let services = scales.iter().map(|&scale| services(cluster, scale)).collect::<Result<_, _>>()?;
    let protocols = [Protocol::Tcp, Protocol::Udp].into_iter().filter(|protocol| cluster.origin.share(*protocol) > 0.0);
    let mut positions = wishes.positions.unwrap_or_default();
    positions.push(Position::Random);
    Ok(Wishes {
        services: Some(services),
        endpoints: Some(vec![cluster.mean_endpoints()]),
        layout: Some(vec![VipLayout::Imported]),
        protocol: Some(protocols.collect()),
        positions: Some(positions),
        ..wishes
    })
}

fn services(cluster: &Cluster, scale: u32) -> Result<u32, ScenarioError> {
    let ports = cluster.ports.len();
    let services = ports as u64 * u64::from(scale);
    match u32::try_from(services) {
        Ok(0) => Err(ScenarioError::Zero { axis: "scale" }),
        Ok(services) if services <= MOST_SERVICES => Ok(services),
        _ => Err(ScenarioError::TooLargeScale { services, ports, scale }),
    }
}

/// Refuses what only an imported cluster has.
///
/// # Errors
/// [`ScenarioError::NoCluster`].
pub(super) fn check_none(wishes: &Wishes) -> Result<(), ScenarioError> {
    let is_imported = wishes.layout.as_ref().is_some_and(|layouts| layouts.contains(&VipLayout::Imported));
    match (wishes.scale.is_some(), is_imported) {
        (true, _) => Err(ScenarioError::NoCluster { wish: "--scale" }),
        (_, true) => Err(ScenarioError::NoCluster { wish: "--layout imported" }),
        _ => Ok(()),
    }
}
