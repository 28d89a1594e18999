//! Every line of every dump of kube-proxy's counts: deleted, changed, doubled or moved, it is reported. The dumps are not part of
//! this repository; they are looked for beside it.

use std::path::PathBuf;

use lbcurve::backend::dump::{Difference, Dump, DumpKind, LiveState, compare, program, workload};

/// The dumps beside the repository; empty, with a line that says so, where there are none.
fn dumps() -> Vec<Dump> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/kube-proxy");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("NOT CHECKED: the dumps of kube-proxy are not at ../shared/kube-proxy");
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let dumps: Vec<_> = paths.iter().map(|path| Dump::read(path).expect("a dump")).collect();
    assert!(!dumps.is_empty(), "the folder of the dumps is empty");
    dumps
}

fn differences(dump: &Dump, changed: &[String]) -> Vec<Difference> {
    let changed = Dump { text: changed.join("\n") + "\n", ..dump.clone() };
    compare(&changed, &LiveState { text: dump.text.clone() })
}

/// What the comparison leaves out, seen from a line: `None` where all of it counts, else the words that do not.
fn ignored(kind: DumpKind, line: &str) -> Option<Vec<&str>> {
    match kind {
        _ if line.trim().is_empty() => Some(vec![line]),
        DumpKind::IptablesSave if line.starts_with('#') => Some(line.split(' ').collect()),
        DumpKind::IptablesSave | DumpKind::RestoreInput if line.starts_with(':') => {
            line.split(' ').skip(2).map(|word| vec![word]).next()
        }
        DumpKind::IpSet if line.contains(" initval ") => {
            line.split(' ').skip_while(|word| *word != "initval").nth(1).map(|word| vec![word])
        }
        DumpKind::Ipvs if line.contains("link/ether") => line.split_whitespace().nth(1).map(|word| vec![word]),
        DumpKind::Ipvs if line.starts_with("net.ipv4.vs.sync_qlen_max") => {
            line.split(' ').nth(2).map(|word| vec![word])
        }
        _ => None,
    }
}

/// Whether a whole line is left out, so that its absence means nothing.
fn wholly_ignored(kind: DumpKind, line: &str) -> bool {
    line.trim().is_empty() || kind == DumpKind::IptablesSave && line.starts_with('#')
}

#[test]
fn an_unchanged_dump_has_no_differences() {
    for dump in dumps() {
        let lines: Vec<String> = dump.text.lines().map(str::to_owned).collect();
        assert_eq!(differences(&dump, &lines), [], "{}", dump.name);
    }
}

#[test]
fn every_deleted_line_is_reported() {
    for dump in dumps() {
        let lines: Vec<String> = dump.text.lines().map(str::to_owned).collect();
        let mut deleted = 0;
        for at in (0..lines.len()).filter(|at| !wholly_ignored(dump.kind, &lines[*at])) {
            let mut changed = lines.clone();
            changed.remove(at);
            assert_ne!(differences(&dump, &changed), [], "{}: {:?} can be deleted", dump.name, lines[at]);
            deleted += 1;
        }
        println!("{}: {deleted} of {} lines deleted, each reported", dump.name, lines.len());
    }
}

#[test]
fn every_doubled_line_is_reported() {
    for dump in dumps() {
        let lines: Vec<String> = dump.text.lines().map(str::to_owned).collect();
        for at in (0..lines.len()).filter(|at| !wholly_ignored(dump.kind, &lines[*at])) {
            let mut changed = lines.clone();
            changed.insert(at, lines[at].clone());
            assert_ne!(differences(&dump, &changed), [], "{}: {:?} can be doubled", dump.name, lines[at]);
        }
    }
}

/// The words of a line and where they start.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split_whitespace().map(move |word| (word.as_ptr().addr() - line.as_ptr().addr(), word))
}

/// Every word of a line, with a character put behind it and with its last character replaced.
#[test]
fn every_changed_word_is_reported() {
    for dump in dumps() {
        let lines: Vec<String> = dump.text.lines().map(str::to_owned).collect();
        let mut altered = 0;
        for at in 0..lines.len() {
            let exempt = ignored(dump.kind, &lines[at]).unwrap_or_default();
            for (start, word) in words(&lines[at]).filter(|(_, word)| !exempt.contains(word)) {
                for replacement in [format!("{word}9"), format!("{}~", &word[..word.len() - 1])] {
                    let mut changed = lines.clone();
                    changed[at].replace_range(start..start + word.len(), &replacement);
                    let (from, to) = (&lines[at], &changed[at]);
                    assert_ne!(differences(&dump, &changed), [], "{}: {from:?} can become {to:?}", dump.name);
                    altered += 1;
                }
            }
        }
        println!("{}: {altered} words changed, each reported", dump.name);
    }
}

/// Neighbours that change places are reported unless both belong to what kube-proxy orders at random.
#[test]
fn lines_whose_order_matters_cannot_change_places() {
    for dump in dumps() {
        let lines: Vec<String> = dump.text.lines().map(str::to_owned).collect();
        for at in (1..lines.len()).filter(|at| order_matters(dump.kind, &lines[at - 1], &lines[*at])) {
            let mut changed = lines.clone();
            changed.swap(at - 1, at);
            assert_ne!(
                differences(&dump, &changed),
                [],
                "{}: {:?} and {:?} can change places",
                dump.name,
                lines[at - 1],
                lines[at]
            );
        }
    }
}

fn order_matters(kind: DumpKind, first: &str, second: &str) -> bool {
    let random = |line: &str| match kind {
        DumpKind::IpSet => true,
        DumpKind::IptablesSave => line.starts_with("-A KUBE-SERVICES -d ") || line.starts_with('#'),
        DumpKind::RestoreInput => false,
        DumpKind::NftListing | DumpKind::NftTransaction => false,
        DumpKind::Ipvs => {
            line.starts_with("-A ") || line.starts_with("-a ") || line.starts_with("net.") || line.starts_with("  -> 0")
        }
    };
    let wholly = |line: &str| wholly_ignored(kind, line);
    // Whole blocks of different chains may swap their edges only in a listing that is cut into chains.
    let same_chain = kind != DumpKind::IptablesSave
        || !first.starts_with('-')
        || !second.starts_with('-')
        || first.split(' ').nth(1) == second.split(' ').nth(1);
    first.trim() != second.trim()
        && same_chain
        && !wholly(first)
        && !wholly(second)
        && !(random(first) && random(second))
}

#[test]
fn inputs_come_out_of_the_renderer() {
    for dump in dumps().iter().filter(|dump| dump.kind.is_input()) {
        let live = program(dump).expect("renders");
        assert_eq!(compare(dump, &live), [], "{}", dump.name);
        assert_eq!(live.text, dump.text, "{}: for one service even the text is the same", dump.name);
    }
}

#[test]
fn dumps_hold_the_services_that_their_names_say() {
    for dump in dumps() {
        let workload = workload(&dump).expect("readable");
        let services = if dump.name.contains("3x2") { 3 } else { 1 };
        let ipvs_rules = dump.name.starts_with("ipvs") && dump.kind == DumpKind::IptablesSave;
        assert_eq!(workload.services.len(), if ipvs_rules { 1 } else { services }, "{}", dump.name);
        let vip = |service: &lbcurve::workload::Service| service.vip.octets()[..3] == [10, 96, 0];
        assert!(workload.services.iter().all(vip), "{}", dump.name);
        if dump.kind != DumpKind::IpSet && !ipvs_rules {
            let endpoints = workload.endpoint_count();
            assert_eq!(endpoints, if services == 3 { 6 } else { 1 }, "{}", dump.name);
        }
    }
}
