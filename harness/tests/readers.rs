//! Whatever a file holds, what reads it answers with a value or an error, never with a panic.

use std::path::Path;

use lbcurve::backend::backend;
use lbcurve::backend::dump::{Dump, LiveState, compare, workload};
use lbcurve::backend::ipvs::{parse_sets, parse_table};
use lbcurve::result::{BackendKind, decode_histogram, parse_jsonl};
use lbcurve::run::record::Record;
use lbcurve::run::scenario::Wishes;
use lbcurve::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};
use proptest::prelude::*;

const ENDINGS: [&str; 6] = ["iptables-save", "restore-input", "nft", "transaction", "ipset", "ipvs"];

/// What a backend would program for two services: a text of the shape that the readers know.
fn rendered(kind: BackendKind) -> String {
    let spec = WorkloadSpec {
        services: 2,
        endpoints: 2,
        layout: VipLayout::Sequential,
        protocol: Protocol::Tcp,
        seed: 0,
        addresses: AddressPlan::kube_proxy_dumps(),
    };
    let workload = Workload::generate(&spec).expect("two services fit");
    backend(kind).render(&workload).to_text()
}

/// A rendered text with a piece cut out or doubled, or a word put in.
fn damaged() -> impl Strategy<Value = String> {
    let kinds = [BackendKind::IptablesLegacy, BackendKind::Nftables, BackendKind::Ipvs];
    let word = prop_oneof![
        Just("-j"),
        Just("{"),
        Just("}"),
        Just("\""),
        Just("999999999999"),
        Just("-A KUBE-SVC-"),
        Just("\u{e9}")
    ];
    (prop::sample::select(kinds.to_vec()), any::<prop::sample::Index>(), any::<prop::sample::Index>(), word).prop_map(
        |(kind, start, end, word)| {
            let text: Vec<char> = rendered(kind).chars().collect();
            let (start, end) = (start.index(text.len()), end.index(text.len()));
            let head: String = text[..start].iter().collect();
            let tail: String = text[end..].iter().collect();
            head + word + &tail
        },
    )
}

fn read_everything(text: &str) {
    for ending in ENDINGS {
        if let Ok(dump) = Dump::new(format!("x.{ending}"), text.to_owned()) {
            let differences = compare(&dump, &LiveState { text: text.to_owned() });
            // A text that can be read equals itself.
            assert!(differences.iter().all(|difference| difference.to_string().contains(':')), "{differences:?}");
            drop(workload(&dump));
        }
    }
    drop(parse_table(text));
    drop(parse_sets(text));
    drop(toml::from_str::<Wishes>(text));
    drop(decode_histogram(text));
    drop(parse_jsonl::<Record>(text.as_bytes(), Path::new("trials.jsonl")));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,400}") {
        read_everything(&text);
    }

    #[test]
    fn damaged_rules_never_panic(text in damaged()) {
        read_everything(&text);
    }

    #[test]
    fn arbitrary_lines_of_rules_never_panic(lines in prop::collection::vec("(-A|add|:|\\*|table|set|map|TCP|->|  )? ?[a-zA-Z0-9:./{}, -]{0,60}", 0..30)) {
        read_everything(&lines.join("\n"));
    }
}
