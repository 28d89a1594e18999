//! Opens flows through the whole path, so that conntrack has seen both directions of each.

use std::time::{Duration, Instant};

use datapath_common::frame::{TCP_DATA, TCP_SYN};
use datapath_common::probe::{AFTER_PASS, COUNT_ONLY};
use datapath_common::traffic::{GeneratorConfig, Replies};

use super::{TrafficError, TrafficOrder};
use crate::probe::Instrument;

/// Flows that an established order uses in turn: enough that no single entry is the hottest, few enough to be opened in a
/// blink.
pub const ESTABLISHED_FLOWS: u32 = 1024;

/// How often flows are opened again of which some were not answered: where the node's thread takes them, a busy machine may be slow to.
const ATTEMPTS: u32 = 3;
/// How long replies may take: they follow their packet within the same softirq.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the order's flows and returns the generator's order for their next packets.
pub(super) fn open(instrument: &mut Instrument, order: &TrafficOrder) -> Result<GeneratorConfig, TrafficError> {
    let flows = order.flows() as u32;
    let config = order.config(order.flows(), &instrument.client_link, &instrument.node_client_link);
    instrument.arm(AFTER_PASS, COUNT_ONLY, 0)?;
    let before = instrument.replies()?;
    instrument.send_one_by_one(config, flows)?;
    await_replies(instrument, before, u64::from(flows))?;
    if config.segment != TCP_SYN {
        return Ok(config);
    }
    let config = GeneratorConfig { segment: TCP_DATA, ..config };
    instrument.send_one_by_one(config, flows)?;
    Ok(config)
}

/// Opens the order's flows wherever the probe's exit is: the packets must get to the responder. Those that the datapath still knows stay as they
/// are.
pub(super) fn reopen(instrument: &mut Instrument, order: &TrafficOrder) -> Result<(), TrafficError> {
    for _ in 1..ATTEMPTS {
        if try_to_open(instrument, order).is_ok() {
            return Ok(());
        }
    }
    try_to_open(instrument, order)
}

fn try_to_open(instrument: &mut Instrument, order: &TrafficOrder) -> Result<(), TrafficError> {
    let before = instrument.replies()?;
    instrument.open_in_parts(order)?;
    let (flows, found) = (u64::from(order.packets), since(before, instrument.replies()?));
    if found.matching >= flows && found.foreign == 0 { Ok(()) } else { Err(not_established(flows, found)) }
}

fn await_replies(instrument: &Instrument, before: Replies, flows: u64) -> Result<(), TrafficError> {
    let begin = Instant::now();
    loop {
        let found = since(before, instrument.replies()?);
        if found.matching == flows && found.foreign == 0 {
            return Ok(());
        }
        if found.foreign > 0 || begin.elapsed() > PATIENCE {
            return Err(not_established(flows, found));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn since(before: Replies, now: Replies) -> Replies {
    Replies {
        answered: now.answered - before.answered,
        matching: now.matching - before.matching,
        swallowed: now.swallowed - before.swallowed,
        foreign: now.foreign - before.foreign,
    }
}

fn not_established(flows: u64, Replies { answered, matching, foreign, .. }: Replies) -> TrafficError {
    TrafficError::NotEstablished { flows, answered, matching, foreign }
}
