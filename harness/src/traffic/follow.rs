//! Flows that stay open: opened and answered, then asked for again, to see where each goes now.

use std::time::Instant;

use datapath_common::frame::{TCP_DATA, TCP_SYN};
use datapath_common::probe::{AFTER_PASS, COUNT_ONLY};
use datapath_common::traffic::Replies;

use super::decide::{Fate, PATIENCE, PAUSE};
use super::{TrafficError, TrafficOrder, room};
use crate::probe::Instrument;

impl Instrument {
    /// Opens the order's flows, one packet each, which the backend answers; TCP's clients then answer in turn. Flows that the datapath
    /// turns away stay closed: [`follow`](Self::follow) tells.
    ///
    /// # Errors
    /// [`TrafficError`]: the order is none of new flows, or of more than the instrument was attached for.
    pub fn open_flows(&mut self, order: &TrafficOrder) -> Result<(), TrafficError> {
        self.ready_to_decide(order)?;
        room::check(&self.node, order.flows())?;
        self.open_in_parts(order)
    }

    /// Sends what opens the order's flows, part by part, and waits for the replies as long as some come.
    pub(super) fn open_in_parts(&mut self, order: &TrafficOrder) -> Result<(), TrafficError> {
        self.arm(AFTER_PASS, COUNT_ONLY, 0)?;
        for part in self.parts(order) {
            let config = part.config(part.flows(), &self.client_link, &self.node_client_link);
            let before = self.replies()?;
            self.send_untimed(config, part.packets)?;
            self.await_count(u64::from(part.packets), before, |now| now.matching + now.foreign)?;
            if config.segment == TCP_SYN {
                let before = self.replies()?;
                self.send_untimed(
                    datapath_common::traffic::GeneratorConfig { segment: TCP_DATA, ..config },
                    part.packets,
                )?;
                self.await_count(u64::from(part.packets), before, |now| now.swallowed)?;
            }
        }
        Ok(())
    }

    /// Sends the next packet of each of the order's flows and tells what became of each, in the order of flows, as
    /// [`decide`](Self::decide) does of the first. The packets end at the exit.
    ///
    /// # Errors
    /// As there.
    pub fn follow(&mut self, order: &TrafficOrder) -> Result<Vec<Fate>, TrafficError> {
        self.fates_of(order, |segment| if segment == TCP_SYN { TCP_DATA } else { segment })
    }

    /// Waits until so many more are counted, or until nothing happens any longer: what was turned away is never answered.
    fn await_count(&self, wanted: u64, before: Replies, of: impl Fn(&Replies) -> u64) -> Result<(), TrafficError> {
        let (mut known, mut since) = (0, Instant::now());
        loop {
            let count = of(&self.replies()?) - of(&before);
            if count > known {
                (known, since) = (count, Instant::now());
            }
            if count >= wanted || since.elapsed() > PATIENCE {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
}
