//! Hash tables that do the same work in every run: std's own draw a key for each table, and instructions counted over a model would
//! differ from one run to the next. What a model decides and counts as steps never depends on it.

use std::hash::{BuildHasherDefault, DefaultHasher};

/// `SipHash` with the key 0.
type Fixed = BuildHasherDefault<DefaultHasher>;

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, Fixed>;
pub(crate) type HashSet<T> = std::collections::HashSet<T, Fixed>;

/// An empty map with room for `entries`.
pub(crate) fn map_for<K, V>(entries: usize) -> HashMap<K, V> {
    HashMap::with_capacity_and_hasher(entries, Fixed::default())
}
