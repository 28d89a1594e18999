//! The objects of a text: documents of YAML or JSON, and the items of their lists.

use serde_json::{Deserializer, Value};

use super::error::{ClusterError, Place};

/// An object and where it stands.
pub(super) struct Document {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// Parts of a YAML text: those of some ten thousand services, and far below what an alias that repeats itself makes of a few lines.
const MOST_NODES: usize = 5_000_000;
/// Bytes of all scalars.
const MOST_BYTES: usize = 1 << 30;

/// Every object of the text, in order. Documents that hold nothing are passed over and have no index.
///
/// # Errors
/// The text is neither JSON nor YAML, or holds something without a kind.
pub(super) fn documents(text: &str, file: &str) -> Result<Vec<Document>, ClusterError> {
    let values = if text.trim_start().starts_with('{') { json(text, file)? } else { yaml(text, file)? };
    let mut objects = Vec::new();
    for (document, value) in (1..).zip(values.into_iter().filter(|value| !value.is_null())) {
        add(&mut objects, file, document, value)?;
    }
    Ok(objects)
}

fn json(text: &str, file: &str) -> Result<Vec<Value>, ClusterError> {
    let failed = |document, source| ClusterError::Json { file: file.to_owned(), document, source };
    let values = Deserializer::from_str(text).into_iter::<Value>();
    (1..).zip(values).map(|(document, value)| value.map_err(|source| failed(document, source))).collect()
}

fn yaml(text: &str, file: &str) -> Result<Vec<Value>, ClusterError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MOST_NODES,
            max_events: 2 * MOST_NODES,
            max_nodes: MOST_NODES,
            max_total_scalar_bytes: MOST_BYTES,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|source| ClusterError::Yaml { file: file.to_owned(), source: Box::new(source) })
}

/// Adds an object, or the items of a list (`List`, `ServiceList`), which take their kind from it where they name none.
fn add(objects: &mut Vec<Document>, file: &str, document: usize, mut value: Value) -> Result<(), ClusterError> {
    let no_object = |what: String| ClusterError::NoObject { file: file.to_owned(), document, what };
    let kind = kind_of(&value).ok_or_else(|| no_object("it".to_owned()))?;
    let place = |item, kind| Place { file: file.to_owned(), document, item, kind };
    let Some(of) = kind.strip_suffix("List") else {
        objects.push(Document { place: place(None, kind), value });
        return Ok(());
    };
    let items = value.get_mut("items").map(Value::take);
    let Some(Value::Array(items)) = items else { return Err(no_object(format!("the {kind} without items"))) };
    for (index, item) in items.into_iter().enumerate() {
        let implied = (!of.is_empty() && item.is_object()).then(|| of.to_owned());
        let kind = kind_of(&item).or(implied).ok_or_else(|| no_object(format!("items[{index}]")))?;
        objects.push(Document { place: place(Some(index), kind), value: item });
    }
    Ok(())
}

fn kind_of(value: &Value) -> Option<String> {
    Some(value.get("kind")?.as_str()?.to_owned())
}
