//! Parsers of `/proc` texts (proc(5)). Pure: any text gives a reading or `None`.

/// Counters of `/proc/stat` since boot. Times are in ticks, over all CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stat {
    /// All CPU time: what guests used is part of what users used and not counted twice.
    pub(super) total: u64,
    pub(super) idle: u64,
    pub(super) steal: u64,
    pub(super) interrupts: u64,
    pub(super) soft_interrupts: u64,
    /// Tasks that are ready to run or running now.
    pub(super) running: u64,
}

/// Counters of a thread's `/proc/thread-self/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Switches {
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
}

pub(super) fn stat(text: &str) -> Option<Stat> {
    let field = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(rest.split_ascii_whitespace())
    };
    let first = |name: &str| field(name)?.next()?.parse().ok();
    // user nice system idle iowait irq softirq steal guest guest_nice; kernels of old have fewer.
    let times: Vec<u64> = field("cpu")?.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    let at = |index: usize| times.get(index).copied().unwrap_or(0);
    Some(Stat {
        total: times.iter().take(8).fold(0, |sum, time| sum.saturating_add(*time)),
        idle: times.get(3)?.saturating_add(at(4)),
        steal: at(7),
        interrupts: first("intr")?,
        soft_interrupts: first("softirq")?,
        running: first("procs_running")?,
    })
}

/// Load average of the last minute.
pub(super) fn load_average(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

pub(super) fn switches(text: &str) -> Option<Switches> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok();
    Some(Switches { voluntary: field("voluntary_ctxt_switches:")?, involuntary: field("nonvoluntary_ctxt_switches:")? })
}

/// Nanoseconds that a thread was ready and waited for a CPU: the second field of `/proc/thread-self/schedstat`.
pub(super) fn waited_ns(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Clock rate of every CPU, in MHz, as `/proc/cpuinfo` gives it.
pub(super) fn megahertz(text: &str) -> Vec<f64> {
    let rates = text.lines().filter_map(|line| line.strip_prefix("cpu MHz")?.split_once(':')?.1.trim().parse().ok());
    rates.filter(|rate: &f64| rate.is_finite() && *rate > 0.0).collect()
}

/// Whether the CPU's flags name a hypervisor.
pub(super) fn is_virtual(text: &str) -> bool {
    let flags = text.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    flags.is_some_and(|(_, flags)| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

/// CPU time of this process and of its children that ended, in ticks: fields 14 to 17 of `/proc/self/stat`.
pub(super) fn own_ticks(text: &str) -> Option<u64> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
    times.sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &str = "cpu  80055 7 14706 26981 533 3 84 89 5 6\ncpu0 37095 0 7052 16910 123 0 12 40 0 0\n\
        intr 509349 0 1 14\nctxt 583324\nbtime 1795562476\nprocesses 21263\nprocs_running 2\nprocs_blocked 0\n\
        softirq 250677 0 37435\n";

    #[test]
    fn a_stat_of_this_century() {
        let found = stat(STAT).unwrap();
        assert_eq!((found.total, found.idle, found.steal), (122_458, 27_514, 89));
        assert_eq!((found.interrupts, found.soft_interrupts, found.running), (509_349, 250_677, 2));
    }

    #[test]
    fn what_is_missing_is_not_made_up() {
        assert_eq!(stat(""), None);
        assert_eq!(stat("cpu 1 2 x 4\nintr 1\nsoftirq 1\nprocs_running 1\n"), None);
        assert_eq!(stat(&STAT.replace("softirq 2", "softirqs 2")), None);
        assert_eq!(load_average("nan 1 1"), None);
        assert_eq!(switches("voluntary_ctxt_switches:\t12\n"), None);
        assert_eq!(waited_ns("83463"), None);
        assert_eq!(own_ticks("12 (a) R 1 2"), None);
        assert!(!is_virtual("flags\t\t: fpu hypervisors\n"));
    }

    #[test]
    fn a_name_with_a_parenthesis_moves_no_field() {
        let text = "12 (a) 9 (b) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(own_ticks(text), Some(11 + 12 + 13 + 14));
    }

    #[test]
    fn this_machine_can_be_read() {
        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        let found = stat(&read("/proc/stat")).unwrap();
        assert!(found.total >= found.idle && found.running >= 1);
        assert!(load_average(&read("/proc/loadavg")).is_some());
        assert!(switches(&read("/proc/thread-self/status")).is_some());
        assert!(own_ticks(&read("/proc/self/stat")).is_some());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9 :.\n()_\u{e9}-]{0,200}") {
            let whole = format!("{STAT}{text}");
            prop_assert!(stat(&whole).is_some());
            stat(&text);
            stat(&format!("cpu {text}"));
            switches(&text);
            waited_ns(&text);
            own_ticks(&text);
            prop_assert!(load_average(&text).is_none_or(|load| load >= 0.0));
            prop_assert!(megahertz(&text).iter().all(|rate| *rate > 0.0));
            is_virtual(&text);
        }

        #[test]
        fn what_is_written_is_read(
            times in proptest::collection::vec(0_u64..1 << 50, 8..11),
            counters in proptest::array::uniform3(any::<u64>()),
            switched in proptest::array::uniform2(any::<u64>()),
            rates in proptest::collection::vec(1_u32..9_000, 0..9),
        ) {
            let words: Vec<_> = times.iter().map(u64::to_string).collect();
            let [interrupts, soft_interrupts, running] = counters;
            let text = format!(
                "cpu  {}\nintr {interrupts} 0 0\nprocs_running {running}\nsoftirq {soft_interrupts} 1\n", words.join(" ")
            );
            let expected = Stat {
                total: times[..8].iter().sum(),
                idle: times[3] + times[4],
                steal: times[7],
                interrupts, soft_interrupts, running,
            };
            prop_assert_eq!(stat(&text), Some(expected));
            let [voluntary, involuntary] = switched;
            let text = format!("Name:\tx\nvoluntary_ctxt_switches:\t{voluntary}\nnonvoluntary_ctxt_switches:\t{involuntary}\n");
            prop_assert_eq!(switches(&text), Some(Switches { voluntary, involuntary }));
            let text: String = rates.iter().map(|rate| format!("cpu MHz\t\t: {rate}.000\n")).collect();
            prop_assert_eq!(megahertz(&text), rates.iter().map(|rate| f64::from(*rate)).collect::<Vec<_>>());
        }
    }
}
