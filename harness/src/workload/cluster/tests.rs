use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::workload::{AddressPlan, VipLayout, Workload, WorkloadSpec};

const SHOP: &str = include_str!("../../../tests/clusters/ticket-shop.yaml");
const DEPOT: &str = include_str!("../../../tests/clusters/depot.json");

fn parse(text: &str) -> Cluster {
    Cluster::parse(text, "file").expect("a cluster")
}

fn refused(text: &str) -> String {
    Cluster::parse(text, "file").expect_err("no cluster").to_string()
}

fn spec(services: u32) -> WorkloadSpec {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Imported, Protocol::Tcp);
    WorkloadSpec { services, endpoints: 1, layout, protocol, seed: 42, addresses }
}

fn imported(cluster: &Cluster, copies: u32) -> Workload {
    Workload::import(cluster, &spec(cluster.ports.len() as u32 * copies)).expect("fits")
}

/// Name with port, protocol and endpoints of every port.
fn ports(cluster: &Cluster) -> Vec<(String, Protocol, u32)> {
    cluster.ports.iter().map(|port| (port.label(), port.protocol, port.endpoints)).collect()
}

/// Reason and names of what was left out.
fn left_out(cluster: &Cluster) -> Vec<(Omission, String)> {
    cluster.origin.left_out.iter().map(|left| (left.why, left.names.join(", "))).collect()
}

#[test]
fn manifests_count_the_replicas_that_a_selector_finds() {
    use Protocol::{Tcp, Udp};
    let cluster = parse(SHOP);
    let expected = [
        ("shop/web:80", Tcp, 3),
        ("shop/web:9090", Tcp, 3),
        ("shop/tickets:7000", Tcp, 1),
        ("shop/search:9200", Tcp, 3),
        ("shop/names:53", Udp, 1),
        ("shop/names:53", Tcp, 1),
        ("shop/resting:80", Tcp, 0),
    ];
    assert_eq!(ports(&cluster), expected.map(|(name, protocol, count)| (name.to_owned(), protocol, count)));
    let ClusterOrigin { services, tcp, udp, endpoints, rejected, sha256, .. } = &cluster.origin;
    assert_eq!((*services, *tcp, *udp, *endpoints), (5, 5, 1, 12));
    assert_eq!(rejected, &["shop/resting:80"]);
    assert_eq!(sha256.len(), 64);
    assert_eq!(cluster.mean_endpoints(), 2);
}

#[test]
fn what_is_left_out_is_counted_and_named() {
    let expected = [
        (Omission::ExternalName, "shop/bank"),
        (Omission::Headless, "shop/store"),
        (Omission::NoSelector, "shop/legacy"),
        (Omission::Sctp, "shop/trunk:36412"),
        (Omission::Outside, "shop/web"),
        (Omission::SessionAffinity, "shop/web"),
        (Omission::DaemonSet, "shop/names"),
        (Omission::OtherKinds, "1 Namespace"),
    ];
    assert_eq!(left_out(&parse(SHOP)), expected.map(|(why, names)| (why, names.to_owned())));
    let many = LeftOut { why: Omission::Headless, names: (0..8).map(|index| format!("n/{index}")).collect() };
    let said = many.to_string();
    assert!(
        said.starts_with("headless services") && said.ends_with("8 (n/0, n/1, n/2, n/3, n/4, n/5 and 2 more)"),
        "{said}"
    );
}

#[test]
fn slices_are_read_as_kube_proxy_reads_them() {
    use Protocol::{Tcp, Udp};
    let cluster = parse(DEPOT);
    let expected = [
        // Without a selector, but with a slice.
        ("default/kubernetes:443", Tcp, 1),
        // 10.244.1.4, .5 in two slices, 10.244.2.9; neither the one that terminates nor the one that is not ready.
        ("depot/parcels:80", Tcp, 3),
        ("depot/parcels:4000", Udp, 2),
        // None is ready, but one still serves.
        ("depot/labels:8443", Tcp, 1),
        ("depot/waiting:80", Tcp, 0),
    ];
    assert_eq!(ports(&cluster), expected.map(|(name, protocol, count)| (name.to_owned(), protocol, count)));
    let expected = [
        (Omission::NoIpv4, "depot/six"),
        (Omission::Outside, "depot/parcels"),
        (Omission::TrafficPolicy, "depot/labels"),
        (Omission::SliceType, "depot/parcels-six"),
        (Omission::SliceOfNone, "depot/nobody"),
    ];
    assert_eq!(left_out(&cluster), expected.map(|(why, names)| (why, names.to_owned())));
}

#[test]
fn json_and_yaml_of_the_same_objects_are_the_same_cluster() {
    // JSON is YAML; a comment in front keeps it from being taken for JSON.
    let as_yaml = parse(&format!("# a dump\n{DEPOT}"));
    assert_eq!(as_yaml.ports, parse(DEPOT).ports);
    assert_eq!(as_yaml.origin.left_out, parse(DEPOT).origin.left_out);
    let typed = DEPOT.replacen("\"List\"", "\"ServiceList\"", 1).replace("\"kind\": \"Service\",", "");
    assert_eq!(parse(&typed).ports, parse(DEPOT).ports);
}

#[test]
fn a_daemon_set_of_a_dump_says_how_many_pods_it_has() {
    let with_status = SHOP.replace(
        "metadata: {labels: {app: names}}",
        "metadata: {labels: {app: names}}\nstatus: {desiredNumberScheduled: 5}",
    );
    let cluster = parse(&with_status);
    assert!(cluster.ports.iter().filter(|port| port.name == "names").all(|port| port.endpoints == 5));
    assert!(left_out(&cluster).iter().all(|(why, _)| *why != Omission::DaemonSet));
}

fn service(ports: &str) -> String {
    format!("kind: Service\nmetadata: {{name: a}}\nspec: {{selector: {{app: a}}, ports: [{ports}]}}\n")
}

const PODS: &str = "---\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {metadata: {labels: {app: a}}}}\n";

#[test]
fn errors_name_file_document_and_field() {
    let document = |ports: &str| format!("{PODS}---\n{}", service(ports));
    let cases = [
        (document("{port: 70000}"), "file, document 2 (Service), field spec.ports[0].port: "),
        (document("{}"), "file, document 2 (Service), field spec.ports[0]: missing field `port`"),
        (document("{port: 0}"), "field spec.ports[0].port: \"0\" is no port"),
        (document("{port: 1}, {port: 2}"), "field spec.ports[0].name: \"\" is not a name"),
        (document("{port: 1, name: x}, {port: 2, name: x}"), "spec.ports[1].name: \"x\" is another port's name too"),
        (document("{port: 1, name: x}, {port: 1, name: z}"), "spec.ports[1].port: \"1\" is there twice"),
        (document("{port: 1, protocol: QUIC}"), "spec.ports[0].protocol: \"QUIC\" is none of"),
        (document("{port: 1, name: 'x -j DROP'}"), "spec.ports[0].name: \"x -j DROP\" is not a name"),
        (
            document("{port: 1}").replace("name: a}\nspec: {sel", "name: \"a\\nb\"}\nspec: {sel"),
            "metadata.name: \"a\\nb\"",
        ),
        (format!("{}---\n{}", service("{port: 1}"), service("{port: 2}")), "the service default/a is there twice"),
        (
            DEPOT.replace("10.244.3.1", "10.244.3"),
            "items[9] (EndpointSlice), field endpoints[0].addresses[0]: \"10.244.3\"",
        ),
        (DEPOT.replace("\"10.99.1.2\"", "\"10.99.1\""), "items[4] (Service), field spec.clusterIP: \"10.99.1\""),
        ("{\"kind\": \"List\", \"items\": [{}]}".to_owned(), "items[0] is no Kubernetes object"),
        ("{\"kind\": \"List\"}".to_owned(), "the List without items"),
        ("- a\n- b\n".to_owned(), "document 1: it is no Kubernetes object"),
        ("{\"kind\": ".to_owned(), "file, document 1, is not JSON: EOF while parsing"),
        ("a: [\n".to_owned(), "file is not YAML: "),
        (String::new(), "file has no service with a ClusterIP"),
        (service("{port: 1}"), "none of the 1 service ports of file has an endpoint"),
        (
            "kind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1}]}\n".to_owned(),
            "a ClusterIP and a TCP or UDP port (services without selector and EndpointSlice left out: 1 (default/a))",
        ),
    ];
    for (text, words) in cases {
        let said = refused(&text);
        assert!(said.contains(words) && !said.contains('\n'), "{words:?} is not in {said:?}");
    }
}

/// A few lines must not become gigabytes.
#[test]
fn aliases_that_repeat_each_other_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    assert!(refused(&text).starts_with("file is not YAML: "));
}

#[test]
fn an_address_keeps_its_host_bits_and_copies_get_their_own() {
    let cluster = parse(DEPOT);
    let workload = imported(&cluster, 2);
    let vips: Vec<_> = workload.services.iter().map(|service| service.vip.to_string()).collect();
    // Those of 10.64.0.0/10 stay; 172.20.5.9 keeps its last 22 bits; two ports share an address.
    assert_eq!(vips[..5], ["10.96.0.1", "10.107.3.20", "10.107.3.20", "10.84.5.9", "10.99.1.2"]);
    assert_eq!(vips[6], vips[7]);
    let names: Vec<_> = workload.services[4..7].iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["waiting", "kubernetes.2", "parcels.2"]);
    let endpoints: Vec<_> = workload.services.iter().map(|service| service.endpoints.len()).collect();
    assert_eq!(endpoints, [1, 3, 2, 1, 0, 1, 3, 2, 1, 0]);
}

#[test]
fn services_whose_host_bits_are_alike_do_not_share_an_address() {
    let cluster = parse(&DEPOT.replace("172.20.5.9", "10.35.3.20"));
    let workload = imported(&cluster, 1);
    let vip = |name: &str| workload.services.iter().find(|service| service.name == name).expect("imported").vip;
    assert_eq!(vip("parcels").to_string(), "10.107.3.20");
    assert_ne!(vip("labels"), vip("parcels"));
}

#[test]
fn ranges_that_are_too_small_say_how_many_fit() {
    let cluster = parse(DEPOT);
    let mut small = spec(10);
    small.addresses.service_cidr = "10.96.0.0/29".parse().expect("a range");
    let said = Workload::import(&cluster, &small).expect_err("eight services, six addresses").to_string();
    assert!(said.contains("imported layout") && said.contains("it holds 6"), "{said}");
    let mut many = cluster;
    many.ports[0].endpoints = u32::MAX;
    let said = Workload::import(&many, &spec(5)).expect_err("four thousand million pods").to_string();
    assert!(said.contains("5 imported service ports have 4294967301 endpoints"), "{said}");
    many.ports.clear();
    assert!(Workload::import(&many, &spec(5)).is_err());
}

fn any_cluster() -> impl Strategy<Value = Cluster> {
    let port = (any::<Option<u32>>(), 1..=u16::MAX, any::<bool>(), 0_u32..4);
    let service = proptest::collection::vec(port, 1..4);
    proptest::collection::vec(service, 1..20).prop_map(|services| {
        let ports = services.into_iter().enumerate().flat_map(|(service, ports)| {
            let vip = ports[0].0.map(Ipv4Addr::from);
            ports.into_iter().enumerate().map(move |(index, (_, port, is_udp, endpoints))| ServicePort {
                namespace: "default".to_owned(),
                name: format!("s{service}"),
                port_name: format!("p{index}"),
                vip,
                port: port.wrapping_add(index as u16).max(1),
                protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
                endpoints,
            })
        });
        Cluster { ports: ports.collect(), origin: parse(DEPOT).origin }
    })
}

proptest! {
    #[test]
    fn imported_addresses_are_unique_and_in_range(cluster in any_cluster(), copies in 1_u32..5) {
        let workload = imported(&cluster, copies);
        let plan = workload.addresses;
        prop_assert_eq!(workload.services.len(), cluster.ports.len() * copies as usize);
        let names: HashSet<_> = workload.services.iter().map(|s| (&s.name, &s.port_name)).collect();
        prop_assert_eq!(names.len(), workload.services.len());
        let vips: HashSet<_> = workload.services.iter().map(|s| (s.vip, &s.name)).collect();
        let alone: HashSet<_> = vips.iter().map(|(vip, _)| vip).collect();
        prop_assert_eq!(vips.len(), alone.len(), "an address is one service's");
        prop_assert!(alone.iter().all(|vip| plan.service_cidr.contains(*vip) && **vip != plan.service_cidr.network()));
        let pods: HashSet<_> = workload.services.iter().flat_map(|s| &s.endpoints).map(|e| e.addr).collect();
        prop_assert_eq!(pods.len(), workload.endpoint_count());
        prop_assert!(pods.iter().all(|pod| plan.cluster_cidr.contains(pod) && !plan.client_range.contains(pod)));
    }

    /// A service more must not move those that are programmed.
    #[test]
    fn fewer_services_are_the_first_of_more(cluster in any_cluster(), fewer in 1_u32..30, more in 0_u32..30) {
        let few = Workload::import(&cluster, &spec(fewer)).expect("fits");
        let many = Workload::import(&cluster, &spec(fewer + more)).expect("fits");
        prop_assert_eq!(&few.services[..], &many.services[..fewer as usize]);
    }

    #[test]
    fn any_text_is_refused_or_a_cluster_that_fits(text in "(kind|List|Service|: |\\[|\\]|\\{|\\}|\n|---|- |items|spec|ports|port|1|a){0,60}") {
        if let Ok(cluster) = Cluster::parse(&text, "file") {
            imported(&cluster, 1);
        }
    }
}
