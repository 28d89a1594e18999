//! Why a file is no cluster that can be measured.

use super::LeftOut;

/// Why a cluster cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Text that begins like JSON and is none.
    #[error("{file}, document {document}, is not JSON: {source}")]
    Json {
        /// File.
        file: String,
        /// Index of the document, from 1.
        document: usize,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// Not YAML.
    #[error("{file} is not YAML: {}", first_line(.source))]
    Yaml {
        /// File.
        file: String,
        /// Why, with line and column.
        source: Box<serde_saphyr::Error>,
    },
    /// A document that holds something else than a Kubernetes object.
    #[error(
        "{file}, document {document}: {what} is no Kubernetes object with a kind: give it what `kubectl get services,endpointslices -A -o json` prints, or manifests"
    )]
    NoObject {
        /// File.
        file: String,
        /// Index of the document, from 1.
        document: usize,
        /// Which part of it.
        what: String,
    },
    /// A field of an object has another type or is missing.
    #[error("{place}, field {}: {}", .source.path(), .source.inner())]
    Type {
        /// Where.
        place: Box<Place>,
        /// Which field, and what is wrong with it.
        source: serde_path_to_error::Error<serde_json::Error>,
    },
    /// A field of an object has a value that it cannot have.
    #[error("{place}, field {field}: {value:?} {reason}")]
    Value {
        /// Where.
        place: Box<Place>,
        /// Path of the field.
        field: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The same service is there twice.
    #[error("{place}: the service {name} is there twice")]
    Twice {
        /// Where the second is.
        place: Box<Place>,
        /// `namespace/name`.
        name: String,
    },
    /// Nothing to program.
    #[error("{file} has no service with a ClusterIP and a TCP or UDP port{}", reasons(.left_out))]
    NoServices {
        /// File.
        file: String,
        /// What it has instead.
        left_out: Vec<LeftOut>,
    },
    /// Nothing that a packet could reach.
    #[error(
        "none of the {ports} service ports of {file} has an endpoint: dump endpointslices as well, or give the workloads' manifests"
    )]
    NoEndpoints {
        /// File.
        file: String,
        /// Service ports.
        ports: usize,
    },
}

/// An object of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File.
    pub file: String,
    /// Index of its document, from 1.
    pub document: usize,
    /// Index of the object in the document's list, from 0; none where the document is the object.
    pub item: Option<usize>,
    /// Its kind.
    pub kind: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, document, item, kind } = self;
        write!(f, "{file}, document {document}")?;
        item.map_or(Ok(()), |item| write!(f, ", items[{item}]"))?;
        write!(f, " ({kind})")
    }
}

/// The message without the excerpt of the text that follows it.
fn first_line(error: &serde_saphyr::Error) -> String {
    error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned()
}

fn reasons(left_out: &[LeftOut]) -> String {
    let reasons: Vec<_> = left_out.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}
