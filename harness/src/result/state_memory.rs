//! Memory that the kernel took for what was programmed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Growth of the kernel's memory while a workload was programmed from nothing: the machine's after minus before, so that on a host what other
/// processes did meanwhile is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateMemory {
    /// Slab, KiB.
    pub slab_kib: i64,
    /// The part of it that cannot be reclaimed, KiB.
    pub unreclaimable_kib: i64,
    /// Vmalloc, KiB.
    pub vmalloc_kib: i64,
    /// Per-CPU memory of all CPUs, KiB.
    pub percpu_kib: i64,
    /// The slab caches that grew most, the largest first.
    pub caches: Vec<CacheGrowth>,
    /// The eBPF maps of the backend; none for the kernel's own datapaths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maps: Vec<MapMemory>,
}

/// A slab cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CacheGrowth {
    /// Its name in `/proc/slabinfo`; the kernel may have merged others of its size into it.
    pub name: String,
    /// Bytes of its slabs, less those before.
    pub bytes: i64,
}

/// An eBPF map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MapMemory {
    /// Its name.
    pub name: String,
    /// Bytes, as the kernel reckons them (`memlock` of its `fdinfo`).
    pub bytes: u64,
}

impl StateMemory {
    /// What cannot be reclaimed: such slab, vmalloc and per-CPU memory together, bytes. The rest of the slab is mostly names and inodes of files that
    /// tools opened.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        (self.unreclaimable_kib + self.vmalloc_kib + self.percpu_kib) * 1024
    }
}
