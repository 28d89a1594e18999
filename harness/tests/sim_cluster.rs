//! A run over an imported cluster in models: from a file to the expected cost of a first packet.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use lbcurve::result::{BackendKind, ExpectedCost, Integrity, RunFile, read_run_file};
use lbcurve::workload::VipLayout;

const FIXED: &str = "model-256";
const BACKENDS: &str = "iptables-legacy,iptables-nft,ipvs,nftables,ebpf-tc,ebpf-xdp";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clusters").join(name)
}

fn command(out: &Path, cluster: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    command.args(["run", "--venue", "sim", "--out"]).arg(out).arg("--cluster").arg(cluster);
    command
}

/// The run, and what it printed.
fn run(out: &Path, cluster: &Path, args: &[&str]) -> (RunFile, String) {
    let assert = command(out, cluster).args(args).assert().success();
    let said = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    (read_run_file(&out.join("run.json")).unwrap(), said)
}

fn expected(run: &RunFile, kernel: &str, backend: BackendKind, services: u32) -> ExpectedCost {
    let wanted = |cost: &&ExpectedCost| {
        (cost.key.kernel.as_str(), cost.key.backend, cost.key.services) == (kernel, backend, services)
    };
    run.expected.iter().find(wanted).unwrap().clone()
}

#[test]
fn one_command_gives_the_expected_cost_in_every_mode() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let args = ["--scale", "1,10", "--packets", "5000", "--flows", "new", "--backends", BACKENDS];
    let (run, said) = run(&out, &fixture("ticket-shop.yaml"), &args);
    assert_eq!(run.plan.services, [7, 70]);
    assert!(run.curves.iter().all(|curve| curve.key.axes.layout == VipLayout::Imported));
    assert!(run.curves.iter().all(|curve| curve.integrity == Integrity::default()), "no packet asks in vain");
    // Two models, two N, six backends.
    assert_eq!(run.expected.len(), 24);
    assert!(run.expected.iter().all(|cost| cost.values.len() == 5 && cost.astray == 0));

    let growth = |backend| {
        let [few, many] = [7, 70].map(|services| expected(&run, FIXED, backend, services).added);
        many - few
    };
    // Rules of the 6 ports with endpoints stand in the nat table, one after the other: 60 instead of 6, half of which a packet passes
    // in the mean; of the other 10 instead of 1 every new flow passes all, in the filter table.
    for backend in [BackendKind::IptablesLegacy, BackendKind::IptablesNft] {
        assert!((growth(backend) - 36.0).abs() < 3.0, "{backend:?}: {}", growth(backend));
    }
    for backend in [BackendKind::Nftables, BackendKind::EbpfTc, BackendKind::EbpfXdp] {
        assert!(growth(backend).abs() < 0.2, "{backend:?}: {}", growth(backend));
    }
    for words in
        ["ticket-shop.yaml", "7 service ports of 5 services, 12 endpoints", "shop/resting:80", "SCTP ports left out"]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    for words in ["The imported cluster", "Expected cost of a first packet", "headless services left out"] {
        assert!(html.contains(words), "{words:?} is not on the page");
    }
}

#[test]
fn a_dump_is_measured_and_the_same_command_resumes_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let (run_file, _) = run(&out, &fixture("depot.json"), &["--backends", "nftables"]);
    assert_eq!(run_file.plan.services, [5]);
    let kept = std::fs::read(out.join("trials.jsonl")).unwrap();
    run(&out, &fixture("depot.json"), &["--backends", "nftables"]);
    assert_eq!(std::fs::read(out.join("trials.jsonl")).unwrap(), kept);
    // Another cluster under the same name is another run.
    let other = dir.path().join("depot.json");
    let text = std::fs::read_to_string(fixture("depot.json")).unwrap();
    std::fs::write(&other, text.replace("10.107.3.20", "10.107.3.21")).unwrap();
    command(&out, &other).args(["--backends", "nftables"]).assert().code(11);
}

#[test]
fn contradictions_and_broken_files_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let refused = |cluster: &Path, args: &[&str], words: &str| {
        let assert = command(&out, cluster).args(args).assert().code(3);
        let said = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert!(said.contains(words) && said.lines().count() == 1 && !out.exists(), "{words:?} is not in {said:?}");
    };
    let depot = fixture("depot.json");
    for wish in ["services", "endpoints"] {
        refused(&depot, &[&format!("--{wish}"), "3"], &format!("leave --{wish} out"));
    }
    refused(&depot, &["--layout", "random"], "leave --layout out");
    refused(&depot, &["--protocol", "udp"], "leave --protocol out");
    refused(&depot, &["--decisions", "10"], "--decisions");
    refused(&depot, &["--scale", "1,0"], "scale must be at least 1");
    refused(&depot, &["--scale", "30000"], "150000 service ports");
    refused(Path::new("/nowhere/dump.json"), &[], "/nowhere/dump.json");
    let broken = dir.path().join("broken.yaml");
    std::fs::write(&broken, "kind: Service\nmetadata: {name: a}\nspec: {ports: [{port: high}]}\n").unwrap();
    refused(&broken, &[], "broken.yaml, document 1 (Service), field spec.ports[0].port");

    let mut alone = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    alone.args(["run", "--venue", "sim", "--scale", "3", "--out"]).arg(&out).assert().code(3);
    let file = dir.path().join("scenario.toml");
    std::fs::write(&file, "layout = ['imported']\n").unwrap();
    let mut alone = Command::new(env!("CARGO_BIN_EXE_lbcurve"));
    alone.args(["run", "--venue", "sim", "--out"]).arg(&out).arg(&file).assert().code(3);
}

/// A public application's manifests, where they are beside the repository.
#[test]
fn online_boutique() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/clusters/online-boutique.yaml");
    if !file.exists() {
        println!("NOT CHECKED: the manifests are not at ../shared/clusters");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (run, said) = run(&dir.path().join("run"), &file, &["--scale", "1,100", "--backends", BACKENDS]);
    println!("{said}");
    let cluster = run.plan.cluster.as_ref().unwrap();
    assert_eq!((cluster.services, cluster.tcp, cluster.udp, cluster.endpoints), (12, 12, 0, 12));
    assert!(cluster.rejected.is_empty());
    assert_eq!(run.expected.len(), 24);
}
