//! The servers behind the endpoints: one thread in the pods' namespace.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::gettid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use super::ConnectionsError;
use super::wire::{ANSWER_LEN, Answer, CHUNK, HTTP_ANSWER, HTTP_END, REQUEST_LEN, Request, Then, is_http};
use crate::net::NetNs;
use crate::usage::Thread;
use crate::workload::Protocol;

/// Connections that wait to be accepted; the kernel takes no more than `net.core.somaxconn`, 4,096 by default.
const BACKLOG: u32 = 4_096;
/// Bytes of a foreign request, at the most.
const MOST_HTTP: usize = 4_096;
/// How long to wait after a connection could not be accepted, for want of file descriptors.
const BREATH: Duration = Duration::from_millis(1);

/// Running servers; they end when this is dropped.
#[derive(Debug)]
pub struct Servers {
    tell: UnboundedSender<Told>,
    thread: Option<JoinHandle<Result<(), ConnectionsError>>>,
    /// The same thread, as the kernel numbers it.
    id: Pid,
}

/// What servers are told.
#[derive(Debug, Clone, Copy)]
enum Told {
    Stop,
    CrashAfter(Duration),
}

impl Servers {
    /// Starts a server behind each endpoint, whose addresses `pods` owns. For TCP one socket a port serves the port of every address
    /// there. Returns when they listen.
    ///
    /// # Errors
    /// The namespace cannot be entered, or a port not be bound.
    pub fn start(
        pods: &NetNs,
        protocol: Protocol,
        endpoints: &BTreeSet<SocketAddrV4>,
    ) -> Result<Self, ConnectionsError> {
        let (tell, told) = unbounded_channel();
        let (ready, is_ready) = mpsc::channel();
        let (pods, endpoints) = (pods.try_clone()?, endpoints.clone());
        let run = move || run(&pods, protocol, &endpoints, &ready, told);
        let thread = std::thread::Builder::new()
            .name("servers".to_owned())
            .spawn(run)
            .map_err(ConnectionsError::io("start the servers' thread"))?;
        // A thread that is gone before it was ready says why.
        match is_ready.recv() {
            Ok(id) => Ok(Self { tell, thread: Some(thread), id }),
            Err(mpsc::RecvError) => {
                let ended = thread.join().unwrap_or(Err(ConnectionsError::Thread));
                Err(ended.err().unwrap_or(ConnectionsError::Thread))
            }
        }
    }

    /// The thread that serves.
    #[must_use]
    pub fn thread(&self) -> Thread {
        Thread::of_this_process(self.id)
    }

    /// Has the servers' thread panic so long from now, unless it is stopped before. Its ports and connections are closed with it. For
    /// tests of what a crash in mid-trial does.
    pub fn crash_after(&self, after: Duration) {
        // Servers that have ended already need not be told.
        self.tell.send(Told::CrashAfter(after)).ok();
    }

    /// Closes every connection and ends the servers.
    ///
    /// # Errors
    /// They had failed.
    pub fn stop(mut self) -> Result<(), ConnectionsError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ConnectionsError> {
        // Servers that have ended already need not be told.
        self.tell.send(Told::Stop).ok();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or(Err(ConnectionsError::Thread)))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "servers ended badly");
        }
    }
}

fn run(
    pods: &NetNs,
    protocol: Protocol,
    endpoints: &BTreeSet<SocketAddrV4>,
    ready: &mpsc::Sender<Pid>,
    told: UnboundedReceiver<Told>,
) -> Result<(), ConnectionsError> {
    let _inside = pods.enter()?;
    let runtime = super::generator::runtime()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut tasks = JoinSet::new();
        match protocol {
            Protocol::Tcp => listen(endpoints, &mut tasks),
            Protocol::Udp => receive(endpoints, &mut tasks),
        }
        .map_err(ConnectionsError::io("bind an endpoint's port"))?;
        // Who started them may be gone; then nobody waits.
        ready.send(gettid()).ok();
        tasks.spawn_local(until_told(told));
        // The first that ends ends all: this one, or a server, which ends by a panic only.
        match tasks.join_next().await {
            Some(Err(_)) => Err(ConnectionsError::Thread),
            Some(Ok(())) | None => Ok(()),
        }
    })
}

/// Returns when the servers are to stop, or when who started them is gone.
async fn until_told(mut told: UnboundedReceiver<Told>) {
    let Some(Told::CrashAfter(after)) = told.recv().await else { return };
    if timeout(after, told.recv()).await.is_err() {
        // As a panic, without its message.
        resume_unwind(Box::new("servers that were told to crash"));
    }
}

fn listen(endpoints: &BTreeSet<SocketAddrV4>, tasks: &mut JoinSet<()>) -> io::Result<()> {
    let ports: BTreeSet<u16> = endpoints.iter().map(SocketAddrV4::port).collect();
    for port in ports {
        let socket = TcpSocket::new_v4()?;
        // The connections of the trial before wait for their last packets to die.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
        tasks.spawn_local(accept(socket.listen(BACKLOG)?));
    }
    Ok(())
}

async fn accept(listener: TcpListener) {
    let mut serving = JoinSet::new();
    loop {
        // A panic is no answer of a datapath, as which the client would take it.
        while let Some(ended) = serving.try_join_next() {
            if let Err(error) = ended {
                resume_unwind(error.into_panic());
            }
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                // What goes wrong with a connection is seen and counted by its client.
                serving.spawn_local(async move { serve(stream).await.unwrap_or_default() });
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Answers until the client has nothing more to ask.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let SocketAddr::V4(endpoint) = stream.local_addr()? else { return Ok(()) };
    let mut bytes = [0; REQUEST_LEN];
    loop {
        stream.read_exact(&mut bytes).await?;
        let Some(Request { number, then }) = Request::read(&bytes) else { return foreign(stream, &bytes).await };
        let number = if then == Then::Stream { swallow(&mut stream).await? } else { number };
        stream.write_all(&Answer { number, endpoint }.bytes()).await?;
        if then != Then::More {
            return Ok(());
        }
    }
}

/// Bytes that come until the client has no more.
async fn swallow(stream: &mut TcpStream) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match stream.read(&mut chunk).await? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

/// Another client, with which ours is compared (`cargo bench -p lbcurve --bench connect_times`): a request in HTTP, that began with `bytes`, is answered
/// and the connection closed, as with ours.
async fn foreign(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    if !is_http(bytes) {
        return Ok(());
    }
    let mut request = bytes.to_vec();
    while !request.ends_with(HTTP_END) && request.len() < MOST_HTTP {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(HTTP_ANSWER).await
}

/// A datagram is answered from the address that it came to, so each endpoint has a socket of its own.
fn receive(endpoints: &BTreeSet<SocketAddrV4>, tasks: &mut JoinSet<()>) -> io::Result<()> {
    for &endpoint in endpoints {
        let socket = std::net::UdpSocket::bind(endpoint)?;
        socket.set_nonblocking(true)?;
        tasks.spawn_local(echo(UdpSocket::from_std(socket)?, endpoint));
    }
    Ok(())
}

async fn echo(socket: UdpSocket, endpoint: SocketAddrV4) {
    let mut bytes = [0; REQUEST_LEN + ANSWER_LEN];
    loop {
        // An error is an answer of the network to an answer of ours: its client is gone.
        let Ok((length, client)) = socket.recv_from(&mut bytes).await else { continue };
        let request = bytes[..length].try_into().ok().and_then(|bytes: &[u8; REQUEST_LEN]| Request::read(bytes));
        if let Some(Request { number, .. }) = request {
            socket.send_to(&Answer { number, endpoint }.bytes(), client).await.ok();
        }
    }
}
