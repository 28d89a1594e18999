//! Services imported from a cluster: `kubectl get services,endpointslices -A -o json|yaml`, or plain manifests.
//!
//! What becomes of a file, in the order of the modules: `documents` finds its objects, `objects` says what is read of each, `endpoints`
//! counts the pods behind a service port, `services` decides what is imported and what is left out, and `place` gives addresses.
//! Of a pod only the number is kept: no datapath's lookup reads its address.

mod documents;
mod endpoints;
mod error;
mod objects;
mod omission;
mod place;
mod services;

use std::net::Ipv4Addr;

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Protocol;

pub use error::ClusterError;
pub use omission::{LeftOut, Omission};

/// The services of a cluster, as a workload repeats them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Where they are from, and what of it is not here.
    pub origin: ClusterOrigin,
    /// Service ports in the file's order; those of one service follow each other.
    pub ports: Vec<ServicePort>,
}

/// One port of a service: what a datapath is programmed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServicePort {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Service name.
    pub name: String,
    /// Port name; empty for the only port of a service.
    pub port_name: String,
    /// ClusterIP; none in a manifest, whose services have not met an allocator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<Ipv4Addr>,
    /// Service port, 1 to 65535.
    pub port: u16,
    /// Transport protocol.
    pub protocol: Protocol,
    /// Endpoints that new flows may reach; none: they are rejected.
    pub endpoints: u32,
}

/// A cluster's file in figures: what a report says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterOrigin {
    /// Name of the file, without its directory.
    pub file: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Services that were imported, one or more ports each.
    pub services: u32,
    /// Their TCP ports that have endpoints.
    pub tcp: u32,
    /// Their UDP ports that have endpoints.
    pub udp: u32,
    /// Endpoints of all of them together.
    pub endpoints: u64,
    /// Ports without endpoints, `namespace/name:port`: programmed, and rejected by the datapath.
    pub rejected: Vec<String>,
    /// What the file has and the workload has not, by reason.
    pub left_out: Vec<LeftOut>,
}

impl Cluster {
    /// Reads the text of a dump or of manifests. `file` is its name, for errors and the report. Pure.
    ///
    /// # Errors
    /// [`ClusterError`]: the text is not what it should be, or no service of it can be timed.
    pub fn parse(text: &str, file: &str) -> Result<Self, ClusterError> {
        let objects = objects::Objects::of(documents::documents(text, file)?)?;
        let (ports, left_out) = services::select(&objects)?;
        let origin = origin(file, HEXLOWER.encode(&Sha256::digest(text)), &ports, left_out);
        match (ports.is_empty(), origin.answered()) {
            (true, _) => Err(ClusterError::NoServices { file: file.to_owned(), left_out: origin.left_out }),
            (false, 0) => Err(ClusterError::NoEndpoints { file: file.to_owned(), ports: ports.len() }),
            (false, _) => Ok(Self { origin, ports }),
        }
    }

    /// Endpoints of a port in the mean, rounded, at least 1: the M that a cell of an imported workload bears.
    #[must_use]
    pub fn mean_endpoints(&self) -> u32 {
        let ports = self.ports.len().max(1) as u64;
        u32::try_from((self.origin.endpoints + ports / 2) / ports).unwrap_or(u32::MAX).max(1)
    }
}

impl ClusterOrigin {
    /// Service ports that have endpoints: those that packets are sent to.
    #[must_use]
    pub fn answered(&self) -> u32 {
        self.tcp + self.udp
    }

    /// Share of a protocol in those, from 0 to 1.
    #[must_use]
    pub fn share(&self, protocol: Protocol) -> f64 {
        let ports = match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
        };
        f64::from(ports) / f64::from(self.answered().max(1))
    }
}

impl ServicePort {
    /// Whether both are ports of one service, and so share its VIP.
    fn is_beside(&self, other: &Self) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }

    /// `namespace/name:port`.
    fn label(&self) -> String {
        format!("{}/{}:{}", self.namespace, self.name, self.port)
    }
}

fn origin(file: &str, sha256: String, ports: &[ServicePort], left_out: Vec<LeftOut>) -> ClusterOrigin {
    let answered = |protocol| {
        let count = ports.iter().filter(|port| port.endpoints > 0 && port.protocol == protocol).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    ClusterOrigin {
        file: file.to_owned(),
        sha256,
        services: u32::try_from(ports.chunk_by(ServicePort::is_beside).count()).unwrap_or(u32::MAX),
        tcp: answered(Protocol::Tcp),
        udp: answered(Protocol::Udp),
        endpoints: ports.iter().map(|port| u64::from(port.endpoints)).sum(),
        rejected: ports.iter().filter(|port| port.endpoints == 0).map(ServicePort::label).collect(),
        left_out,
    }
}

#[cfg(test)]
mod tests;
