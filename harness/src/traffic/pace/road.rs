//! The way from the client to the pods, as a throughput search measures it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use curve_stats::search::{Measurer, PacketsPerSecond, TrialOutcome};

use super::super::napi::{NodeThreads, NodeTime, Urgency, on_two_cpus};
use super::super::{TrafficError, TrafficOrder, established, room};
use super::arrivals::{Arrivals, Taken};
use super::meters::Meters;
use super::mixed::Offered;
use super::pacer::{Manner, Offer, Pacer};
use super::passage::{Passage, Timed, in_time};
use crate::net::{Link, NetNs, conntrack};
use crate::probe::{Instrument, Tally};
use crate::result::{Flow, NewShare, PacketSize};
use crate::usage::CpuTicks;

/// A programmed node between a paced generator and a count in the pods' namespace.
#[derive(Debug)]
pub struct Road<'a> {
    instrument: &'a mut Instrument,
    pacer: Pacer,
    arrivals: Arrivals,
    meters: Meters,
    flow: Flow,
    offered: Offered,
    /// What opens the established flows of a mix.
    opening: Option<&'a TrafficOrder>,
    cancel: &'a AtomicBool,
    threads: NodeThreads,
    passages: Vec<Passage>,
}

/// What is offered on a road, whatever the rate.
#[derive(Debug, Clone, Copy)]
pub struct PaceOrder<'a> {
    /// Flows and targets.
    pub traffic: &'a TrafficOrder,
    /// Their length; established flows are opened with short ones.
    pub size: PacketSize,
    /// Share of the packets that open a flow each, while the order's flows, as many as its packets, are established ones; `None`: all packets are
    /// of the order's flows.
    pub new_share: Option<NewShare>,
    /// Numbers that are set aside for new flows: they come again after so many of them. The established flows of a mix take theirs of these.
    pub numbers: u64,
    /// The longest trial.
    pub longest: Duration,
    /// Ends it before the next trial.
    pub cancel: &'a AtomicBool,
}

impl Instrument {
    /// Lets `work` offer the order's flows at rates of its choice; established ones are opened first, those of a mix before every trial.
    ///
    /// Packets end in the pods' namespace meanwhile, where they are counted, and the node's end of the client's veth is polled on a CPU of its
    /// own. Where trials are short, both CPUs are taken from other processes.
    ///
    /// # Errors
    /// [`TrafficError`]; [`TrafficError::OneCpu`] where sender and node would share a CPU.
    pub fn pace<T: Send>(
        &mut self,
        order: &PaceOrder<'_>,
        work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send,
    ) -> Result<T, TrafficError> {
        self.exit_of_pods()?;
        let done = self.paced(order, work);
        self.exit_of_bracket()?;
        done
    }

    fn paced<T: Send>(
        &mut self,
        order: &PaceOrder<'_>,
        work: impl FnOnce(&mut Road<'_>) -> Result<T, TrafficError> + Send,
    ) -> Result<T, TrafficError> {
        let PaceOrder { traffic, size, new_share, numbers, longest, cancel } = *order;
        let flow = if new_share.is_some() { Flow::New } else { traffic.flow };
        let flows = if flow == Flow::New { numbers } else { traffic.flows() };
        traffic.validate(flows)?;
        self.aim(traffic)?;
        let (node, device) = (self.node.try_clone()?, self.node_client_link.clone());
        let offered = match (new_share, flow) {
            (Some(share), _) => {
                Offered::mixed(traffic.config(traffic.flows(), &self.client_link, &device), share, numbers)
            }
            (None, Flow::New) => Offered::all_alike(traffic.config(flows, &self.client_link, &device)),
            (None, Flow::Established) => {
                room::check(&self.node, flows)?;
                Offered::all_alike(established::open(self, traffic)?)
            }
        };
        // It has let the flows through that were opened; from now on packets end at the arrivals.
        self.no_exit();
        let (pacer, arrivals, meters) =
            (Pacer::load(traffic, offered, size)?, Arrivals::attach(self)?, Meters::open(self)?);
        let (opening, passages) = (new_share.map(|_| traffic), Vec::new());
        let urgency = if longest <= SHORT { Urgency::First } else { Urgency::Shared };
        on_two_cpus(&node, &device, urgency, |threads| {
            let instrument: &mut Self = self;
            work(&mut Road { instrument, pacer, arrivals, meters, flow, offered, opening, cancel, threads, passages })
        })
    }
}

/// Trials that a real-time thread may spend: a flood of twice as long included, they leave the kernel a good part of each second.
const SHORT: Duration = Duration::from_millis(200);

impl Road<'_> {
    /// Every trial so far, in the order of time.
    #[must_use]
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// Which flows are offered; [`Flow::New`] where some of them are new.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// CPU time that the node's threads took since they are there, and what `/proc/stat` says of their CPU since boot.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn time(&self) -> Result<(NodeTime, CpuTicks), TrafficError> {
        Ok((self.threads.time()?, self.threads.ticks()?))
    }

    /// Packets that a trial may have whose new flows do not fill the node's connection table; `None` where nothing is tracked or all flows are old.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn room(&self) -> Result<Option<u64>, TrafficError> {
        if self.flow == Flow::Established {
            return Ok(None);
        }
        Ok(room::empty(&self.instrument.node)?.map(|flows| self.offered.fitting(flows)))
    }

    /// Offers as much as the generator can for `duration`: warms the path up, and says how fast the generator is.
    ///
    /// # Errors
    /// As [`Measurer::measure`].
    pub fn flood(&mut self, duration: Duration) -> Result<Passage, TrafficError> {
        Ok(self.pass(&Offer { load: f64::INFINITY, duration, manner: Manner::Batches }, Taken::Count)?.0)
    }

    /// Offers `load` one packet at a time, and takes the time of every packet from its intended one on.
    ///
    /// # Errors
    /// As [`Measurer::measure`]; that the sender did not keep its pace is no error, but in the result.
    pub fn timed(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<Timed, TrafficError> {
        let offer = Offer { load: load.get(), duration, manner: Manner::OneByOne };
        let (passage, tally) = self.pass(&offer, Taken::Latency)?;
        note(&passage);
        Ok(Timed { passage, latency: tally.histogram()?, max_ns: tally.counters.max })
    }

    /// One trial: nothing of the trial before it is on its way or remembered by conntrack, and the established flows of a mix are open.
    fn pass(&mut self, offer: &Offer, taken: Taken) -> Result<(Passage, Tally), TrafficError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(TrafficError::Interrupted);
        }
        if self.flow == Flow::New {
            forget(&self.instrument.node)?;
        }
        if let Some(order) = self.opening {
            self.arrivals.let_through()?;
            established::reopen(self.instrument, order)?;
        }
        self.arrivals.begin(taken)?;
        let (before, cpu) = (self.meters.read()?, self.threads.time()?);
        let (client, device): (&NetNs, &Link) = (&self.instrument.client, &self.instrument.client_link);
        let sent = self.pacer.send(client, device, offer)?;
        let places = self.meters.settle(before, sent.offered)?;
        let used = self.threads.time()?;
        let tally = self.arrivals.tally()?;
        let counted = tally.counters;
        let standing = Duration::from_nanos(counted.last_ns.saturating_sub(sent.ended_ns));
        // A mismatched one is of an earlier trial.
        let arrived = counted.seen - counted.misdirected - counted.mismatched;
        let (carried, queued) = in_time(arrived, sent.duration, standing);
        let passage = Passage {
            load: offer.load,
            planned: sent.planned,
            offered: sent.offered,
            carried,
            queued,
            misdirected: counted.misdirected,
            at_ring: places.at_ring,
            in_node: places.in_node(),
            at_egress: places.at_egress,
            duration: sent.duration,
            standing,
            receive_ns: used.receive_ns.saturating_sub(cpu.receive_ns),
            ksoftirqd_ns: used.ksoftirqd_ns.saturating_sub(cpu.ksoftirqd_ns),
            conntrack_entries: room::entries(&self.instrument.node)?,
            late: sent.late,
            lag: sent.lag,
        };
        Ok((passage, tally))
    }
}

/// Connections of earlier trials would fill the table, and make its lists longer.
fn forget(node: &NetNs) -> Result<(), TrafficError> {
    let _inside = node.enter()?;
    if room::used() > 0 { Ok(conntrack::flush()?) } else { Ok(()) }
}

impl Measurer for Road<'_> {
    type Error = TrafficError;

    /// A trial in which the generator was held up, but sent everything, is repeated a few times: that says nothing of the load, which a
    /// search would withdraw. Whether it is repeated does not depend on what arrived.
    ///
    /// # Errors
    /// [`TrafficError`]: sending or counting failed, it was interrupted, or more arrived than was sent.
    fn measure(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<TrialOutcome, TrafficError> {
        for _ in 0..REPEATS {
            let passage = self.noted(load, duration)?;
            if !passage.was_held_up() {
                return Ok(passage.outcome()?);
            }
        }
        Ok(self.noted(load, duration)?.outcome()?)
    }
}

/// How often a trial is repeated in which the generator was held up.
const REPEATS: u32 = 4;

impl Road<'_> {
    fn noted(&mut self, load: PacketsPerSecond, duration: Duration) -> Result<&Passage, TrafficError> {
        let offer = Offer { load: load.get(), duration, manner: Manner::Batches };
        let (passage, _) = self.pass(&offer, Taken::Count)?;
        note(&passage);
        self.passages.push(passage);
        Ok(&self.passages[self.passages.len() - 1])
    }
}

fn note(passage: &Passage) {
    tracing::debug!(
        load = passage.load,
        offered = passage.offered,
        carried = passage.carried,
        queued = passage.queued,
        standing_us = passage.standing.as_micros() as u64,
        at_ring = passage.at_ring,
        in_node = passage.in_node,
        at_egress = passage.at_egress,
        unexplained = passage.unexplained(),
        receive_ns = passage.receive_ns,
        ksoftirqd_ns = passage.ksoftirqd_ns,
        late = passage.late,
        lag_p50 = passage.lag.value_at_quantile(0.5),
        lag_p99 = passage.lag.value_at_quantile(0.99),
        lag_max = passage.lag.max(),
        "paced trial"
    );
}
