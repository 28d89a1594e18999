//! The client: opens and closes connections as its order says, one thread in the clients' namespace.

use std::cell::RefCell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Instant;

use datapath_common::flow::target_of;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

use super::ask::Way;
use super::pacer::Pacer;
use super::tally::{Outcome, Tally};
use super::wire::Request;
use super::{Asked, ConnectionOrder, ConnectionsError, MOST_CLIENTS};
use crate::net::NetNs;
use crate::result::{ConnectionLoad, FailureKind, MOST_AT_A_TIME};

/// Follows an order in the clients' namespace, on the calling thread; servers must listen already. Returns when every exchange has ended.
///
/// # Errors
/// [`ConnectionsError`]: nothing could be attempted. What happens to an attempt is in the [`Outcome`].
pub fn generate(clients: &NetNs, order: &ConnectionOrder) -> Result<Outcome, ConnectionsError> {
    if order.asked.is_empty() {
        return Err(ConnectionsError::NoTarget);
    }
    let _inside = clients.enter()?;
    let runtime = runtime()?;
    LocalSet::new().block_on(&runtime, follow(order.clone()))
}

/// A runtime of the calling thread, in whose namespace all its sockets are.
pub(super) fn runtime() -> Result<Runtime, ConnectionsError> {
    Builder::new_current_thread().enable_all().build().map_err(ConnectionsError::io("start a runtime"))
}

async fn follow(order: ConnectionOrder) -> Result<Outcome, ConnectionsError> {
    let endpoints = if let [one] = &order.asked[..] { one.endpoints.len() } else { 0 };
    let tally = Tally::new(endpoints).map_err(|error| ConnectionsError::io("count")(std::io::Error::other(error)))?;
    let client = Rc::new(Client { order, begin: Instant::now(), tally: RefCell::new(tally) });
    match client.order.load {
        ConnectionLoad::Closed(connections) => {
            all((0..connections.get()).map(|_| Rc::clone(&client).one_after_the_other())).await;
        }
        ConnectionLoad::KeepAlive(connections) => {
            all((0..connections.get()).map(|_| Rc::clone(&client).on_a_kept_connection())).await;
        }
        ConnectionLoad::Open(rate) => {
            Rc::clone(&client).at_a_rate(rate.get()).await.map_err(ConnectionsError::io("keep time"))?;
        }
    }
    // Every task has ended, and with it its hold of the client.
    let client = Rc::into_inner(client).ok_or(ConnectionsError::Thread)?;
    Ok(client.tally.into_inner().conclude())
}

/// Runs tasks side by side until all have ended.
async fn all(tasks: impl Iterator<Item = impl Future<Output = ()> + 'static>) {
    let tasks: Vec<_> = tasks.map(spawn_local).collect();
    for task in tasks {
        // A task that panicked has said so on standard error; its attempt then has no end and the counts show it.
        task.await.ok();
    }
}

struct Client {
    order: ConnectionOrder,
    begin: Instant,
    tally: RefCell<Tally>,
}

impl Client {
    /// Number of the next exchange, which begins now; `None` when enough have begun.
    fn next(&self) -> Option<(u64, Instant)> {
        let now = Instant::now();
        let number = self.tally.borrow().attempted();
        let is_over = number >= self.order.most || now - self.begin > self.order.duration;
        (!is_over).then(|| {
            self.tally.borrow_mut().begun(now);
            (number, now)
        })
    }

    fn asked(&self, number: u64) -> &Asked {
        let targets = u32::try_from(self.order.asked.len()).unwrap_or(u32::MAX);
        &self.order.asked[target_of(number, self.order.seed, targets) as usize]
    }

    /// Clients take turns.
    fn address(&self, number: u64) -> Ipv4Addr {
        let (first, last) = (u32::from(self.order.clients.network()), u32::from(self.order.clients.broadcast()));
        let addresses = u64::from(last - first).saturating_sub(1).clamp(1, MOST_CLIENTS);
        Ipv4Addr::from(first + 1 + (number % addresses) as u32)
    }

    /// Opens a way for an exchange that began at `began`.
    async fn open(&self, number: u64, began: Instant) -> Result<Way, FailureKind> {
        let way = Way::open(self.order.protocol, self.address(number), self.asked(number).address).await?;
        if way.is_connection() {
            self.tally.borrow_mut().connected(began.elapsed());
        }
        Ok(way)
    }

    /// Connect, request, response, close.
    async fn exchange(&self, number: u64, began: Instant) -> Result<usize, FailureKind> {
        let mut way = self.open(number, began).await?;
        way.ask(self.asked(number), Request { number, last: true }).await
    }

    /// Ends an exchange that may take as long as the order's patience.
    async fn within_patience<T>(&self, work: impl Future<Output = Result<T, FailureKind>>) -> Result<T, FailureKind> {
        timeout(self.order.patience, work).await.unwrap_or(Err(FailureKind::TimedOut))
    }

    fn ended(&self, began: Instant, result: Result<usize, FailureKind>) {
        self.tally.borrow_mut().ended(began, result);
    }

    async fn one_after_the_other(self: Rc<Self>) {
        while let Some((number, began)) = self.next() {
            let result = self.within_patience(self.exchange(number, began)).await;
            self.ended(began, result);
        }
    }

    /// Requests on a connection that is opened anew only after a failure. It asks the service of its first number.
    async fn on_a_kept_connection(self: Rc<Self>) {
        let mut kept: Option<(u64, Way)> = None;
        while let Some((number, began)) = self.next() {
            let work = async {
                let (first, mut way) = match kept.take() {
                    Some(kept) => kept,
                    None => (number, self.open(number, began).await?),
                };
                let endpoint = way.ask(self.asked(first), Request { number, last: false }).await?;
                Ok((endpoint, (first, way)))
            };
            let result = self.within_patience(work).await.map(|(endpoint, way)| {
                kept = Some(way);
                endpoint
            });
            self.ended(began, result);
        }
    }

    /// Exchanges begin at their intended times, or as soon after as this thread can, and their times count from the intended beginning.
    async fn at_a_rate(self: Rc<Self>, per_second: u32) -> std::io::Result<()> {
        let in_time = self.order.duration.as_secs_f64() * f64::from(per_second);
        let most = self.order.most.min(in_time as u64).max(1);
        let pacer = Pacer::start(per_second)?;
        let (mut started, mut due) = (0, pacer.due_now());
        let mut tasks = tokio::task::JoinSet::new();
        while started < most {
            while started < due.min(most) {
                let began = pacer.intended(started);
                self.begin_late(began);
                while tasks.try_join_next().is_some() {}
                if tasks.len() < MOST_AT_A_TIME as usize {
                    tasks.spawn_local(Rc::clone(&self).one(started, began));
                } else {
                    self.ended(began, Err(FailureKind::TooMany));
                }
                started += 1;
                // It connects before the next is looked at, so that a client that is too slow is late, and not only has too many under way.
                yield_now().await;
            }
            if started < most {
                due = pacer.due().await?;
            }
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    fn begin_late(&self, intended: Instant) {
        let now = Instant::now();
        let mut tally = self.tally.borrow_mut();
        tally.begun(now);
        tally.late(now.saturating_duration_since(intended));
    }

    async fn one(self: Rc<Self>, number: u64, began: Instant) {
        let result = self.within_patience(self.exchange(number, began)).await;
        self.ended(began, result);
    }
}
