//! Real connections through the eBPF load balancer: an HTTP client and server in the topology's namespaces. Root, namespaces of its
//! own, nothing else touched.
#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lbcurve::backend::{Backend, backend};
use lbcurve::net::{NetNs, Topology};
use lbcurve::result::BackendKind;
use lbcurve::workload::{AddressPlan, Endpoint, EndpointChoice, Protocol, Scheduling, Service, Workload};
use statrs::distribution::{ChiSquared, ContinuousCDF};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

const CONNECTIONS: u32 = 10_000;
/// Connections at a time.
const CLIENTS: u32 = 16;
const PODS: u8 = 4;
const POD_PORT: u16 = 8080;
const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 200, 0, 1), 80);
const LONELY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 200, 0, 2), 80);
/// Bytes of an answer behind the pod's address: several segments.
const FILLER: usize = 8 * 1024;

fn workload(choice: EndpointChoice) -> Workload {
    let addresses = AddressPlan {
        cluster_cidr: "10.0.0.0/9".parse().unwrap(),
        service_cidr: "10.200.0.0/16".parse().unwrap(),
        client_range: "10.127.0.0/16".parse().unwrap(),
        node_addr: Ipv4Addr::new(192, 168, 77, 1),
    };
    let pods = (0..PODS).map(|i| Endpoint { addr: Ipv4Addr::new(10, 1, 0, 2 + i), port: POD_PORT });
    let service = |name: &str, vip: SocketAddrV4, protocol, endpoints| Service {
        namespace: "default".into(),
        name: name.into(),
        port_name: String::new(),
        vip: *vip.ip(),
        port: vip.port(),
        protocol,
        endpoints,
    };
    let services = vec![
        service("web", VIP, Protocol::Tcp, pods.clone().collect()),
        service("echo", VIP, Protocol::Udp, pods.collect()),
        service("lonely", LONELY, Protocol::Tcp, Vec::new()),
    ];
    Workload { addresses, services, ballast: None, scheduling: Scheduling::DEFAULT, endpoint_choice: choice }
}

/// A topology whose node balances load.
fn site(kind: BackendKind, choice: EndpointChoice) -> (Topology, Box<dyn Backend>) {
    let workload = workload(choice);
    let topology = Topology::create(&workload.addresses).unwrap();
    let balancer = backend(kind);
    {
        let _inside = topology.node.enter().unwrap();
        balancer.apply(&workload).unwrap();
        balancer.verify(&workload).unwrap();
    }
    (topology, balancer)
}

/// Runs `work` on a runtime of one thread in `namespace`, where all its sockets are.
fn run_in<T>(namespace: &NetNs, work: impl Future<Output = T>) -> T {
    let _inside = namespace.enter().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work)
}

async fn answer(pod: IpAddr) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = format!("{pod}\n").into_bytes();
    body.resize(body.len() + FILLER, b'.');
    Ok(Response::new(Full::new(body.into())))
}

/// Serves on every pod's address until it is told to stop.
async fn serve(ready: mpsc::Sender<()>, mut stop: oneshot::Receiver<()>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, POD_PORT)).await.unwrap();
    ready.send(()).unwrap();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stop => return,
        };
        let (stream, _) = accepted.unwrap();
        let pod = stream.local_addr().unwrap().ip();
        tokio::task::spawn_local(async move {
            let service = service_fn(move |_: Request<Incoming>| answer(pod));
            // The client's end of the connection says whether it worked.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// One connection with one request: the pod that answered.
async fn ask(from: Ipv4Addr) -> Result<Ipv4Addr, Box<dyn std::error::Error>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(VIP.into()).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::task::spawn_local(connection);
    let request = Request::get("/").header("host", "web").header("connection", "close").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(response.status().to_string().into());
    }
    let body = response.into_body().collect().await?.to_bytes();
    driving.await??;
    let (pod, filler) = std::str::from_utf8(&body)?.split_once('\n').ok_or("no line")?;
    if filler.len() != FILLER {
        return Err(format!("{} bytes instead of {FILLER}", filler.len()).into());
    }
    Ok(pod.parse()?)
}

/// Opens connections from many addresses, a few at a time, and counts which pod each reached.
async fn ask_all() -> (BTreeMap<Ipv4Addr, u32>, Vec<String>) {
    let asking = (0..CLIENTS).map(|client| {
        tokio::task::spawn_local(async move {
            let (mut reached, mut failed) = (Vec::new(), Vec::new());
            for i in 0..CONNECTIONS / CLIENTS {
                let from = Ipv4Addr::new(10, 127, client as u8, (i % 200) as u8 + 1);
                match tokio::time::timeout(Duration::from_secs(10), ask(from)).await {
                    Ok(Ok(pod)) => reached.push(pod),
                    Ok(Err(error)) => failed.push(error.to_string()),
                    Err(_) => failed.push("no answer within ten seconds".into()),
                }
            }
            (reached, failed)
        })
    });
    let (mut counts, mut failures) = (BTreeMap::new(), Vec::new());
    for client in asking.collect::<Vec<_>>() {
        let (reached, failed) = client.await.unwrap();
        reached.into_iter().for_each(|pod| *counts.entry(pod).or_default() += 1);
        failures.extend(failed);
    }
    (counts, failures)
}

/// The probability of counts as uneven as these when every pod is as likely.
fn chi_square_p(counts: &BTreeMap<Ipv4Addr, u32>) -> f64 {
    let expected = f64::from(counts.values().sum::<u32>()) / f64::from(PODS);
    let statistic: f64 = counts.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    ChiSquared::new(f64::from(PODS - 1)).unwrap().sf(statistic)
}

fn ten_thousand_connections(kind: BackendKind, choice: EndpointChoice) {
    let (topology, _balancer) = site(kind, choice);
    let (ready, is_ready) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let (counts, failures) = thread::scope(|scope| {
        let server = scope.spawn(|| run_in(&topology.backend, serve(ready, stopped)));
        is_ready.recv_timeout(Duration::from_secs(10)).unwrap();
        let result = run_in(&topology.client, ask_all());
        stop.send(()).unwrap();
        server.join().unwrap();
        result
    });
    let p = chi_square_p(&counts);
    println!("{kind:?} {choice:?}: {counts:?}, chi-square p = {p:.3}, {} failures", failures.len());
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(counts.values().sum::<u32>(), CONNECTIONS);
    assert_eq!(counts.len(), usize::from(PODS));
    // One run in ten thousand fails by chance alone.
    assert!(p > 1e-4, "{kind:?} {choice:?} is uneven: {counts:?}, p = {p}");
}

#[test]
fn http_through_tc() {
    ten_thousand_connections(BackendKind::EbpfTc, EndpointChoice::Random);
}

#[test]
fn http_through_xdp() {
    ten_thousand_connections(BackendKind::EbpfXdp, EndpointChoice::Random);
}

#[test]
fn http_through_a_maglev_table() {
    ten_thousand_connections(BackendKind::EbpfTc, EndpointChoice::Maglev);
}

#[test]
fn datagrams_are_answered_from_the_vip() {
    for kind in [BackendKind::EbpfTc, BackendKind::EbpfXdp] {
        let (topology, _balancer) = site(kind, EndpointChoice::Random);
        let pods: Vec<_> = {
            let _inside = topology.backend.enter().unwrap();
            (0..PODS).map(|i| UdpSocket::bind((Ipv4Addr::new(10, 1, 0, 2 + i), POD_PORT)).unwrap()).collect()
        };
        pods.iter().for_each(|pod| pod.set_nonblocking(true).unwrap());
        let _inside = topology.client.enter().unwrap();
        for round in 0..50_u8 {
            let client = UdpSocket::bind((Ipv4Addr::new(10, 127, 1, round + 1), 0)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            client.connect(VIP).unwrap();
            // Lengths of both parities, none included.
            let sent = vec![round; usize::from(round)];
            client.send(&sent).unwrap();
            let (pod, from) = await_datagram(&pods, &sent);
            pod.send_to(&sent, from).unwrap();
            let mut buffer = [0; 64];
            // A connected socket takes nothing but what comes from the VIP.
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], sent, "{kind:?}");
        }
    }
}

fn await_datagram<'a>(pods: &'a [UdpSocket], sent: &[u8]) -> (&'a UdpSocket, SocketAddr) {
    let mut buffer = [0; 64];
    for _ in 0..2_000 {
        for pod in pods {
            if let Ok((length, from)) = pod.recv_from(&mut buffer) {
                assert_eq!(&buffer[..length], sent);
                return (pod, from);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("a datagram of {} bytes reached no pod", sent.len());
}

/// netfilter rejects what is forwarded, so that a VIP must have a route; on a real node the default route is one.
fn default_route(topology: &Topology) {
    let _inside = topology.node.enter().unwrap();
    let route = ["route", "add", "default", "via", "169.254.1.2", "dev", "pods0"];
    assert!(std::process::Command::new("ip").args(route).status().unwrap().success());
}

/// What a socket is told when it asks for what is not there: the same as with kube-proxy's own rules.
#[test]
fn what_is_not_there_is_refused_as_kube_proxy_does() {
    for kind in [BackendKind::Nftables, BackendKind::EbpfTc, BackendKind::EbpfXdp] {
        let (topology, _balancer) = site(kind, EndpointChoice::Random);
        default_route(&topology);
        let _inside = topology.client.enter().unwrap();
        let unknown = SocketAddrV4::new(*VIP.ip(), 81);
        for target in [LONELY, unknown] {
            let error = TcpStream::connect_timeout(&target.into(), Duration::from_secs(5)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{kind:?} tcp {target}");
        }
        for target in [unknown, LONELY] {
            let client = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            client.connect(target).unwrap();
            client.send(&[1; 100]).unwrap();
            let error = client.recv(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{kind:?} udp {target}");
        }
    }
}
