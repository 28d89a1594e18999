//! kube-proxy's dumps against this kernel: the same services are programmed and read back. The IPVS dumps need the vm. Needs root.

use std::path::PathBuf;

use lbcurve::backend::dump::{Difference, Dump, compare, program};
use lbcurve::net::NetNs;
use lbcurve::result::BackendKind;

fn dumps() -> Vec<Dump> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/kube-proxy");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("NOT CHECKED: the dumps of kube-proxy are not at ../shared/kube-proxy");
        return Vec::new();
    };
    let dumps = entries.map(|entry| Dump::read(&entry.expect("readable").path()).expect("a dump"));
    dumps.filter(|dump| dump.backend != BackendKind::Ipvs).collect()
}

fn live_differences(dump: Dump) -> Vec<Difference> {
    let run = move || {
        let namespace = NetNs::new().expect("needs root");
        let _guard = namespace.enter().expect("needs root");
        compare(&dump, &program(&dump).expect("programs"))
    };
    std::thread::spawn(run).join().expect("compares")
}

#[test]
fn this_kernel_holds_what_kube_proxy_programmed() {
    for dump in dumps() {
        let name = dump.name.clone();
        assert_eq!(live_differences(dump), [], "{name}");
        println!("{name}: no difference");
    }
}

/// A rule, a policy, an element and an endpoint are changed in the dump before its services are programmed: what is derived from
/// the changed dump must not hide the change.
#[test]
fn a_changed_dump_differs_from_this_kernel() {
    let changes = [
        ("ipt-legacy-3x2.iptables-save", "--to-destination 10.244.0.5:8080", "--to-destination 10.244.0.9:8080"),
        ("ipt-legacy-3x2.iptables-save", ":FORWARD ACCEPT", ":FORWARD DROP"),
        ("ipt-nft-3x2.iptables-save", "-A INPUT -j KUBE-FIREWALL\n", ""),
        ("nft-3x2.nft", "10.96.0.10, 10.96.0.11,", "10.96.0.10, 10.96.0.19,"),
        ("nft-3x2.nft", "reject-chain {\n\t\tcomment", "reject-chain {\n\t\tdrop\n\t\tcomment"),
        ("nft-1x1.nft", "ip saddr != 10.244.0.0/16 meta", "ip saddr 10.244.0.0/16 meta"),
    ];
    for dump in dumps() {
        for (_, from, to) in changes.iter().filter(|(name, ..)| *name == dump.name) {
            assert!(dump.text.contains(from), "{from}");
            let changed = Dump { text: dump.text.replacen(from, to, 1), ..dump.clone() };
            assert_ne!(live_differences(changed), [], "{}: {to}", dump.name);
        }
    }
}
