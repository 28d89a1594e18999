//! Memory that the kernel holds.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::param::page_size;

use super::{UsageError, read};

/// Between two looks while memory that was freed before is still given back.
const PAUSE: Duration = Duration::from_millis(10);
/// So many looks in a row find it still.
const STILL: u32 = 5;
/// Looks at the most: other processes may never let it rest.
const LOOKS: u32 = 50;
/// What other processes move from look to look: some kernel stacks.
const SMALL_KIB: u64 = 128;

/// What the kernel holds at one moment: the machine's whole, whoever asked for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelMemory {
    /// `Slab` of `/proc/meminfo`, KiB: objects of all sizes, and larger pieces of `kmalloc`.
    pub slab_kib: u64,
    /// `SUnreclaim`, KiB: the part of it that cannot be taken back under pressure.
    pub unreclaimable_kib: u64,
    /// `VmallocUsed`, KiB.
    pub vmalloc_kib: u64,
    /// `Percpu`, KiB, all CPUs together.
    pub percpu_kib: u64,
    /// Bytes of each slab cache (`/proc/slabinfo`); none where only root may read it.
    pub caches: BTreeMap<String, u64>,
}

impl KernelMemory {
    /// Reads it.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn read() -> Result<Self, UsageError> {
        let memory = read("/proc/meminfo", sums)?;
        let caches = read("/proc/slabinfo", |text| Some(caches(text))).unwrap_or_default();
        Ok(Self { caches, ..memory })
    }

    fn held_kib(&self) -> u64 {
        self.unreclaimable_kib + self.vmalloc_kib + self.percpu_kib
    }
}

/// What the kernel holds once that stands still for 50 ms, to 128 KiB a look: namespaces, rules and maps of a moment ago are freed by and by.
/// After half a second what it holds then.
///
/// # Errors
/// [`UsageError`].
pub fn settled() -> Result<KernelMemory, UsageError> {
    let held = || read("/proc/meminfo", sums).map(|memory| memory.held_kib());
    let (mut last, mut still) = (held()?, 0);
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE);
        let now = held()?;
        still = if now.abs_diff(last) < SMALL_KIB { still + 1 } else { 0 };
        last = now;
        if still == STILL {
            break;
        }
    }
    KernelMemory::read()
}

fn sums(text: &str) -> Option<KernelMemory> {
    let kib = |name: &str| -> Option<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(KernelMemory {
        slab_kib: kib("Slab")?,
        unreclaimable_kib: kib("SUnreclaim")?,
        vmalloc_kib: kib("VmallocUsed")?,
        percpu_kib: kib("Percpu")?,
        caches: BTreeMap::new(),
    })
}

/// Lines of `name active_objs num_objs objsize objperslab pagesperslab : tunables ... : slabdata active_slabs num_slabs sharedavail`.
fn caches(text: &str) -> BTreeMap<String, u64> {
    let cache = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let pages: u64 = fields.get(5)?.parse().ok()?;
        let slabs: u64 = fields.get(14)?.parse().ok()?;
        Some(((*fields.first()?).to_owned(), slabs * pages * page_size() as u64))
    };
    text.lines().filter_map(cache).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_caches_are_read() {
        let text = "Slab:   821 kB\nSReclaimable: 1 kB\nSUnreclaim:  104 kB\nVmallocUsed:  15 kB\nPercpu:  36 kB\n";
        let expected = KernelMemory {
            slab_kib: 821,
            unreclaimable_kib: 104,
            vmalloc_kib: 15,
            percpu_kib: 36,
            caches: BTreeMap::new(),
        };
        assert_eq!(sums(text), Some(expected));
        assert_eq!(sums(&text.replace("Percpu", "PerCpu")), None);
        let text = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : x\n\
                    kmalloc-1k 90 96 1024 16 4 : tunables 0 0 0 : slabdata 6 7 0\n";
        assert_eq!(caches(text), BTreeMap::from([("kmalloc-1k".to_owned(), 7 * 4 * page_size() as u64)]));
    }

    #[test]
    fn this_kernel_can_be_read() {
        let memory = settled().unwrap();
        assert!(memory.slab_kib >= memory.unreclaimable_kib && memory.unreclaimable_kib > 0, "{memory:?}");
    }
}
