//! Golden files of what every backend programs. `INSTA_UPDATE=always cargo test -p lbcurve rendered` rewrites them.

use lbcurve::backend::backend;
use lbcurve::result::BackendKind;
use lbcurve::workload::{AddressPlan, EndpointChoice, Protocol, VipLayout, Workload, WorkloadSpec};

/// Three services: one with three endpoints, one over UDP with a named port, one without endpoints.
fn workload() -> Workload {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Stride256, Protocol::Tcp);
    let spec = WorkloadSpec { services: 3, endpoints: 3, layout, protocol, seed: 0, addresses };
    let mut workload = Workload::generate(&spec).expect("fits");
    workload.services[1].protocol = Protocol::Udp;
    workload.services[1].port_name = "dns".into();
    workload.services[1].endpoints.truncate(1);
    workload.services[2].endpoints.clear();
    workload
}

fn golden(name: &str, kind: BackendKind) {
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, backend(kind).render(&workload()).to_text());
    });
}

#[test]
fn rendered_direct_conntrack() {
    golden("direct-conntrack", BackendKind::DirectConntrack);
}

#[test]
fn rendered_iptables_legacy() {
    golden("iptables-legacy", BackendKind::IptablesLegacy);
}

#[test]
fn rendered_iptables_nft() {
    golden("iptables-nft", BackendKind::IptablesNft);
}

#[test]
fn rendered_nftables() {
    golden("nftables", BackendKind::Nftables);
}

#[test]
fn rendered_ipvs() {
    golden("ipvs", BackendKind::Ipvs);
}

#[test]
fn rendered_ebpf_tc() {
    golden("ebpf-tc", BackendKind::EbpfTc);
}

#[test]
fn rendered_ebpf_xdp() {
    golden("ebpf-xdp", BackendKind::EbpfXdp);
}

/// The text tells only of a Maglev table's whereabouts what the table's own tests do not.
#[test]
fn rendered_maglev_says_where_tables_stand() {
    let workload = Workload { endpoint_choice: EndpointChoice::Maglev, ..workload() };
    let text = backend(BackendKind::EbpfTc).render(&workload).to_text();
    assert!(text.contains("endpoints 0 + 3, Maglev slots 0 + 509\n"), "{text}");
    // The next table begins with an element of its own: four slots each.
    assert!(text.contains("endpoints 3 + 1, Maglev slots 512 + 251\n"), "{text}");
}

#[test]
fn rendered_direct_is_nothing() {
    assert_eq!(backend(BackendKind::Direct).render(&workload()).to_text(), "");
}

/// Above 1000 endpoints the rules of services and endpoints lose their comments; those of KUBE-SERVICES keep them.
#[test]
fn rendered_large_cluster_has_no_endpoint_comments() {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
    let text = |services| {
        let spec = WorkloadSpec { services, endpoints: 2, layout, protocol, seed: 0, addresses };
        backend(BackendKind::IptablesLegacy).render(&Workload::generate(&spec).expect("fits")).to_text()
    };
    let (small, large) = (text(500), text(501));
    assert_eq!(small.matches(" -> 10.").count(), 1000);
    assert_eq!(large.matches(" -> 10.").count(), 0);
    assert_eq!(large.matches("cluster IP\"").count(), 2 * 501);
}
