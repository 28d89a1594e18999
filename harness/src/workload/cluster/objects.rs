//! What is read of Kubernetes objects. Fields that nothing is made of are not looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::documents::Document;
use super::error::{ClusterError, Place};

/// Labels, or a selector of them.
pub(super) type Labels = BTreeMap<String, String>;

/// The objects of a file that matter, and how many of other kinds there are.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) services: Vec<(Place, ServiceObject)>,
    pub(super) slices: Vec<(Place, SliceObject)>,
    pub(super) workloads: Vec<WorkloadObject>,
    pub(super) others: BTreeMap<String, usize>,
}

/// `v1` Service.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceObject {
    pub(super) metadata: Metadata,
    pub(super) spec: ServiceSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    namespace: Option<String>,
    #[serde(default)]
    labels: Option<Labels>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSpec {
    pub(super) r#type: Option<String>,
    #[serde(rename = "clusterIP")]
    pub(super) cluster_ip: Option<String>,
    #[serde(rename = "clusterIPs")]
    pub(super) cluster_ips: Option<Vec<String>>,
    #[serde(rename = "externalIPs")]
    pub(super) external_ips: Option<Vec<String>>,
    pub(super) ports: Option<Vec<PortSpec>>,
    pub(super) selector: Option<Labels>,
    pub(super) session_affinity: Option<String>,
    pub(super) internal_traffic_policy: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PortSpec {
    pub(super) name: Option<String>,
    pub(super) port: u16,
    pub(super) protocol: Option<String>,
}

/// `discovery.k8s.io/v1` EndpointSlice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliceObject {
    pub(super) metadata: Metadata,
    pub(super) address_type: String,
    pub(super) endpoints: Option<Vec<SliceEndpoint>>,
    pub(super) ports: Option<Vec<SlicePort>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SliceEndpoint {
    pub(super) addresses: Vec<String>,
    #[serde(default)]
    pub(super) conditions: Option<Conditions>,
}

/// Absent: ready, and serving what is ready.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Conditions {
    pub(super) ready: Option<bool>,
    pub(super) serving: Option<bool>,
    pub(super) terminating: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SlicePort {
    pub(super) name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) protocol: Option<String>,
}

/// A workload's pods: how many, and the labels that selectors find them by.
pub(super) struct WorkloadObject {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: Labels,
    /// None: as many as nodes, which the file does not say.
    pub(super) replicas: Option<u32>,
}

/// `apps/v1` Deployment, StatefulSet or DaemonSet.
#[derive(Deserialize)]
struct AppObject {
    metadata: Metadata,
    spec: AppSpec,
    status: Option<AppStatus>,
}

#[derive(Deserialize)]
struct AppSpec {
    replicas: Option<u32>,
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    metadata: Option<TemplateMetadata>,
}

#[derive(Deserialize)]
struct TemplateMetadata {
    labels: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppStatus {
    desired_number_scheduled: Option<u32>,
}

impl Metadata {
    /// Its namespace; manifests leave the default one out.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// `namespace/name`.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.namespace(), self.name)
    }
}

impl SliceObject {
    /// Namespace and name of its service.
    pub(super) fn service(&self) -> Option<(&str, &str)> {
        let name = self.metadata.labels.as_ref()?.get("kubernetes.io/service-name")?;
        Some((self.metadata.namespace(), name))
    }
}

impl Objects {
    /// Reads every document as what its kind says.
    ///
    /// # Errors
    /// A field is missing or has another type; the error names it.
    pub(super) fn of(documents: Vec<Document>) -> Result<Self, ClusterError> {
        let mut objects = Self::default();
        for Document { place, value } in documents {
            let typed = Typed { place, value };
            match typed.place.kind.as_str() {
                "Service" => objects.services.push(typed.read()?),
                "EndpointSlice" => objects.slices.push(typed.read()?),
                "Deployment" | "StatefulSet" | "DaemonSet" => objects.workloads.push(workload(typed.read()?)),
                _ => *objects.others.entry(typed.place.kind).or_default() += 1,
            }
        }
        Ok(objects)
    }
}

struct Typed {
    place: Place,
    value: serde_json::Value,
}

impl Typed {
    fn read<T: DeserializeOwned>(self) -> Result<(Place, T), ClusterError> {
        match serde_path_to_error::deserialize(self.value) {
            Ok(object) => Ok((self.place, object)),
            Err(source) => Err(ClusterError::Type { place: Box::new(self.place), source }),
        }
    }
}

fn workload((place, app): (Place, AppObject)) -> WorkloadObject {
    let replicas = match (place.kind.as_str(), app.status) {
        ("DaemonSet", status) => status.and_then(|status| status.desired_number_scheduled),
        _ => Some(app.spec.replicas.unwrap_or(1)),
    };
    WorkloadObject {
        kind: place.kind,
        namespace: app.metadata.namespace().to_owned(),
        name: app.metadata.name,
        labels: app.spec.template.metadata.and_then(|metadata| metadata.labels).unwrap_or_default(),
        replicas,
    }
}
