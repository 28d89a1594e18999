//! How far up the sender's rate reaches.
//!
//! A trial in which the sender did not keep its rate tells nothing about the device. Section 4.9.1 recommends to find the load that
//! the tester can offer and to use it as Max Load, or else to count what was not sent as lost. The second would make the sender's
//! limit look like the device's, so it is the first here, on the way: the loads above are withdrawn.

/// The largest load that may still be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    max: u32,
    /// Nothing where the sender cannot offer even Min Load.
    ceiling: Option<u32>,
    lowered: u32,
}

impl Reach {
    pub(super) fn new(max: u32) -> Self {
        Self { max, ceiling: Some(max), lowered: 0 }
    }

    pub(super) fn ceiling(&self) -> Option<u32> {
        self.ceiling
    }

    /// Whether loads were withdrawn.
    pub(super) fn limited(&self) -> bool {
        self.ceiling != Some(self.max)
    }

    /// Withdraws `load`, whose rate the sender did not keep. (Loads and widths are steps of the grid.) The ceiling becomes the largest load
    /// that the sender did keep up with (`sent`), but lies below `load` by `width` at least, by twice that at the second withdrawal, and so
    /// on; and no lower than Min Load, nor than the largest load below that has valid trials (`valid`). Where Min Load (0) itself is
    /// withdrawn nothing is left, whatever else was given.
    pub(super) fn withdraw(&mut self, load: u32, sent: u32, valid: Option<u32>, width: u32) {
        let fall = width.saturating_mul(1_u32.checked_shl(self.lowered).unwrap_or(u32::MAX));
        self.lowered += 1;
        self.ceiling = match load {
            0 => None,
            _ => Some(sent.min(load.saturating_sub(fall)).max(valid.unwrap_or(0))),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_falls_to_what_was_sent() {
        let mut reach = Reach::new(1000);
        assert!(!reach.limited());
        reach.withdraw(1000, 700, None, 4);
        assert_eq!((reach.ceiling(), reach.limited()), (Some(700), true));
    }

    #[test]
    fn a_sender_that_is_nearly_fast_enough_lets_it_fall_further_each_time() {
        let mut reach = Reach::new(1000);
        for ceiling in [996, 988, 972] {
            let load = reach.ceiling().unwrap();
            reach.withdraw(load, load, None, 4);
            assert_eq!(reach.ceiling(), Some(ceiling));
        }
    }

    #[test]
    fn what_was_valid_stays_and_below_min_load_is_nothing() {
        let mut reach = Reach::new(1000);
        reach.withdraw(1000, 10, Some(800), 4);
        assert_eq!(reach.ceiling(), Some(800));
        reach.withdraw(5, 5, None, 4);
        assert_eq!(reach.ceiling(), Some(0), "a fall by eight ends at Min Load");
        reach.withdraw(0, 0, None, 4);
        assert_eq!(reach.ceiling(), None);
    }
}
