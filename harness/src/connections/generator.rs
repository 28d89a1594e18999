//! The client: opens and closes connections as its order says, one thread in the clients' namespace.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::time::{Duration, Instant};

use datapath_common::flow::target_of;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use super::ask::Way;
use super::pacer::Pacer;
use super::sources::{Sources, at_a_time};
use super::tally::{Outcome, Tally};
use super::wire::{Request, Then};
use super::{Asked, ConnectionOrder, ConnectionsError};
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
    let sources = Sources::new(&order);
    let client = Rc::new(Client { order, sources, begin: Instant::now(), tally: RefCell::new(tally) });
    let loops = |count: u32| (0..count).map(|_| Rc::clone(&client));
    match client.order.load {
        ConnectionLoad::Closed(connections) | ConnectionLoad::Filled { connections, .. } => {
            all(loops(connections.get()).map(Client::one_after_the_other)).await?;
        }
        ConnectionLoad::Reuse { ports, .. } => all(loops(at_a_time(ports)).map(Client::one_after_the_other)).await?,
        ConnectionLoad::KeepAlive(connections) => {
            all(loops(connections.get()).map(Client::on_a_kept_connection)).await?;
        }
        ConnectionLoad::Stream(connections) => all(loops(connections.get()).map(Client::stream)).await?,
        ConnectionLoad::Open(rate) => Rc::clone(&client).at_a_rate(rate.get()).await?,
    }
    // Every task has ended, and with it its hold of the client.
    let client = Rc::into_inner(client).ok_or(ConnectionsError::Thread)?;
    Ok(client.tally.into_inner().conclude())
}

/// Runs tasks side by side until all have ended. The attempt of one that panicked has no end, so what was counted is worth nothing.
async fn all(tasks: impl Iterator<Item = impl Future<Output = ()> + 'static>) -> Result<(), ConnectionsError> {
    let tasks: Vec<_> = tasks.map(spawn_local).collect();
    let mut all = Ok(());
    for task in tasks {
        all = all.and(task.await.map_err(ConnectionsError::Task));
    }
    all
}

/// How long to wait for a port that is used again.
const BREATH: Duration = Duration::from_millis(1);

struct Client {
    order: ConnectionOrder,
    sources: Sources,
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

    /// Opens a way for an exchange that began at `began`.
    async fn open(&self, number: u64, began: Instant, from: SocketAddrV4) -> Result<Way, FailureKind> {
        let (mut began, mut asked) = (began, Instant::now());
        loop {
            match Way::open(self.order.protocol, from, self.asked(number).address).await {
                // The client's own kernel has not forgotten the port's last connection: its last packet is under way.
                Err(FailureKind::NoAddress) if self.sources.are_reused() => {
                    sleep(BREATH).await;
                    asked = Instant::now();
                    began = asked;
                }
                Err(kind) => return Err(kind),
                Ok(way) => {
                    if way.is_connection() {
                        self.tally.borrow_mut().connected(began.elapsed(), asked.elapsed());
                    }
                    return Ok(way);
                }
            }
        }
    }

    /// Connect, request, response, close.
    async fn exchange(&self, number: u64, began: Instant) -> Result<usize, FailureKind> {
        let from = self.sources.take(number);
        let work = async {
            let mut way = self.open(number, began, from).await?;
            way.ask(self.asked(number), Request { number, then: Then::Close }).await
        };
        let result = self.within_patience(work).await;
        self.sources.give_back(from);
        result
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
            let result = self.exchange(number, began).await;
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
                    None => (number, self.open(number, began, self.sources.take(number)).await?),
                };
                let endpoint = way.ask(self.asked(first), Request { number, then: Then::More }).await?;
                Ok((endpoint, (first, way)))
            };
            let result = self.within_patience(work).await.map(|(endpoint, way)| {
                kept = Some(way);
                endpoint
            });
            self.ended(began, result);
        }
    }

    /// Bytes on a connection of its own until the order's time is over.
    async fn stream(self: Rc<Self>) {
        let Some((number, began)) = self.next() else { return };
        let end = self.begin + self.order.duration;
        let work = async {
            let way = self.open(number, began, self.sources.take(number)).await?;
            way.stream(self.asked(number), number, end).await
        };
        let most = self.order.duration + self.order.patience;
        let result = timeout(most, work).await.unwrap_or(Err(FailureKind::TimedOut));
        self.tally.borrow_mut().streamed(result);
    }

    /// Exchanges begin at their intended times, or as soon after as this thread can, and their times count from the intended beginning.
    async fn at_a_rate(self: Rc<Self>, per_second: u32) -> Result<(), ConnectionsError> {
        let in_time = self.order.duration.as_secs_f64() * f64::from(per_second);
        let most = self.order.most.min(in_time as u64).max(1);
        let pacer = Pacer::start(per_second).map_err(ConnectionsError::io("keep time"))?;
        let (mut started, mut due) = (0, pacer.due_now());
        let mut tasks = tokio::task::JoinSet::new();
        while started < most {
            while started < due.min(most) {
                let began = pacer.intended(started);
                self.begin_late(began);
                while let Some(ended) = tasks.try_join_next() {
                    ended.map_err(ConnectionsError::Task)?;
                }
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
                due = pacer.due().await.map_err(ConnectionsError::io("keep time"))?;
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(ConnectionsError::Task)?;
        }
        Ok(())
    }

    fn begin_late(&self, intended: Instant) {
        let now = Instant::now();
        let mut tally = self.tally.borrow_mut();
        tally.begun(now);
        tally.late(now.saturating_duration_since(intended));
    }

    async fn one(self: Rc<Self>, number: u64, began: Instant) {
        let result = self.exchange(number, began).await;
        self.ended(began, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_panics_is_an_error_and_the_others_end() {
        let ended = Rc::new(RefCell::new(0));
        let task = |index| {
            let ended = Rc::clone(&ended);
            async move {
                assert_ne!(index, 1, "this panic is part of the test");
                yield_now().await;
                *ended.borrow_mut() += 1;
            }
        };
        let result = LocalSet::new().block_on(&runtime().unwrap(), all((0..3).map(task)));
        assert!(matches!(&result, Err(ConnectionsError::Task(error)) if error.is_panic()), "{result:?}");
        assert_eq!(*ended.borrow(), 2);
    }
}
