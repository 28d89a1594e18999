//! Latency and floor: live frames, one at a time.
//!
//! In the tc bracket they enter the node's stack on its client-side device, and are done when the call returns. Such frames skip the
//! device's XDP program, so in the XDP bracket they are sent out of the client's end of the veth (`XDP_TX`): the node's end polls
//! them from a ring, within the same softirq or, when the kernel puts that off, some time later. The generator then waits for
//! each packet to reach the exit before it sends the next.

use std::time::{Duration, Instant};

use aya::TestRun;
use aya::programs::{TestRunAttrs, TestRunOptions, Xdp};
use datapath_common::frame::FRAME_LEN;
use datapath_common::probe::{AFTER_DROP, COUNT_TIMED};
use datapath_common::traffic::{Gate, Generated, GeneratorConfig, PATIENCE_NS};

use super::order::{self, aya_xdp};
use super::{TrafficError, TrafficOrder, established, room};
use crate::net::Link;
use crate::probe::{Instrument, Sample};
use crate::result::{Bracket, Flow};

/// How long the last packet may take.
const PATIENCE: Duration = Duration::from_nanos(PATIENCE_NS);
/// Calls that send the packets of one trial: all but the first make up for frames that found the generator waiting.
const MOST_CALLS: u32 = 1_000;

impl Instrument {
    /// Sends the order's packets one at a time and times every one from the entry to the exit of the node, where it ends.
    /// Established flows are opened first, untimed.
    ///
    /// # Errors
    /// [`TrafficError`].
    pub fn latency(&mut self, order: &TrafficOrder) -> Result<Sample, TrafficError> {
        order.validate(order.flows())?;
        room::check(&self.node, order.flows())?;
        self.aim(order)?;
        let config = match order.flow {
            Flow::New => order.config(order.flows(), &self.client_link, &self.node_client_link),
            Flow::Established => established::open(self, order)?,
        };
        self.timed(config, order.packets)
    }

    /// Times `packets` packets with the exit straight behind the entry: what every traversal contains of the probe itself.
    ///
    /// # Errors
    /// [`TrafficError`].
    pub fn floor(&mut self, packets: u32) -> Result<Sample, TrafficError> {
        let order = order::floor(packets);
        order.validate(order.flows())?;
        self.aim(&order)?;
        let floor = self.attach_floor()?;
        let config = order.config(order.flows(), &self.client_link, &self.node_client_link);
        let sample = self.timed(config, packets);
        self.detach_floor(floor)?;
        sample
    }

    fn timed(&mut self, config: GeneratorConfig, packets: u32) -> Result<Sample, TrafficError> {
        self.arm(AFTER_DROP, COUNT_TIMED, 0)?;
        let generated = self.send_one_by_one(config, packets)?;
        Ok(self.tally()?.sample(generated.sent)?)
    }

    /// Fills the table of targets, unless it holds them already: a system call each.
    pub(super) fn aim(&mut self, order: &TrafficOrder) -> Result<(), TrafficError> {
        if self.aimed == order.targets {
            return Ok(());
        }
        self.aimed.clear();
        for (index, target) in (0..).zip(order.table()) {
            self.set("TARGETS", index, target)?;
        }
        self.aimed.clone_from(&order.targets);
        Ok(())
    }

    /// One frame a batch: with more, all of a batch enter before the first leaves.
    pub(super) fn send_one_by_one(&mut self, config: GeneratorConfig, packets: u32) -> Result<Generated, TrafficError> {
        match self.bracket {
            Bracket::Tc => {
                self.load_generator(GeneratorConfig { verdict: aya_xdp::PASS, ..config })?;
                let _inside = self.node.enter()?;
                Frames { device: &self.node_client_link, packets, batch: 1, bytes: FRAME_LEN }
                    .send(generator(&mut self.ebpf)?)?;
                Ok(self.get("GENERATED")?)
            }
            Bracket::Xdp => {
                self.load_generator(GeneratorConfig { verdict: aya_xdp::TX, paced: 1, ..config })?;
                self.send_paced(packets)
            }
        }
    }

    /// Sends until all packets are on their way and the last has arrived: frames that find the generator waiting send none.
    fn send_paced(&mut self, packets: u32) -> Result<Generated, TrafficError> {
        let _inside = self.client.enter()?;
        for _ in 0..MOST_CALLS {
            let sent = self.get::<Generated>("GENERATED")?.sent;
            let left = u32::try_from(u64::from(packets).saturating_sub(sent)).unwrap_or(u32::MAX);
            if left == 0 {
                break;
            }
            Frames { device: &self.client_link, packets: left, batch: 1, bytes: FRAME_LEN }
                .send(generator(&mut self.ebpf)?)?;
        }
        let generated: Generated = self.get("GENERATED")?;
        if generated.sent < u64::from(packets) {
            return Err(TrafficError::Stalled { packets, sent: generated.sent });
        }
        self.await_exit(generated.tag)?;
        Ok(generated)
    }

    /// Waits for the packet with this tag, but no longer than for one that is lost.
    fn await_exit(&self, tag: u64) -> Result<(), TrafficError> {
        let begin = Instant::now();
        while self.get::<Gate>("GATE")?.left != tag && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Writes the generator's order and winds its progress back; tags go on, so none is ever used twice.
    pub(super) fn load_generator(&mut self, config: GeneratorConfig) -> Result<(), TrafficError> {
        let tag = self.get::<Generated>("GENERATED")?.tag;
        self.set("GENERATED", 0, Generated { tag, ..Generated::default() })?;
        self.set("GATE", 0, Gate::default())?;
        Ok(self.set("GENERATOR", 0, config)?)
    }
}

/// The probe's own generator.
pub(super) fn generator(ebpf: &mut aya::Ebpf) -> Result<&Xdp, TrafficError> {
    Ok(crate::probe::xdp(ebpf, "generator")?)
}

/// Live frames into a device of the calling thread's namespace.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    pub(super) device: &'a Link,
    pub(super) packets: u32,
    pub(super) batch: u32,
    /// Bytes of the buffer that the generator writes a frame into.
    pub(super) bytes: usize,
}

impl Frames<'_> {
    /// Runs `generator` once a packet.
    pub(super) fn send(&self, generator: &Xdp) -> Result<(), TrafficError> {
        let options = TestRunOptions {
            data_in: Some(&vec![0; self.bytes]),
            ctx_in: Some(&self.context()),
            repeat: self.packets,
            attrs: TestRunAttrs::new().xdp_live_frames(self.batch),
            ..TestRunOptions::default()
        };
        generator
            .test_run(options)
            .map(|_| ())
            .map_err(|source| TrafficError::LiveFrames { device: self.device.name.clone(), source: Box::new(source) })
    }

    /// `struct xdp_md` (include/uapi/linux/bpf.h): data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    fn context(&self) -> [u8; 24] {
        let fields = [0, self.bytes as u32, 0, self.device.index, 0, 0];
        let mut bytes = [0; 24];
        for (slot, field) in bytes.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_ne_bytes());
        }
        bytes
    }
}
