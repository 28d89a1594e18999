//! Which load to measure next for one target. The draft leaves this free (section 4.1.3); it decides how long a search takes, not
//! what a result means.
//!
//! A target starts from a hint: where the target before it, or the forwarding rate at Max Load, says that the bounds are. As long
//! as nothing contradicts the hint, its ends stand in for bounds: the interval between them is halved first, and only what is left
//! of it is confirmed. Where a hint was wrong, steps outwards double until both bounds are found.

use super::database::Bounds;

/// What to do for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Measure at this load.
    Measure(u32),
    /// The bounds are close enough, or one of them cannot exist between the limits.
    Settled,
}

/// The next step of a target, `width` steps of the grid wide, with no load above `ceiling`. A load that is measured lies between
/// the bounds, so it is undecided, and trials at it end that.
pub(super) fn select(bounds: Bounds, hint: Bounds, width: u32, ceiling: u32) -> Step {
    if settled(bounds, width, ceiling) {
        return Step::Settled;
    }
    let inside =
        |load: &u32| bounds.lower.is_none_or(|lower| *load > lower) && bounds.upper.is_none_or(|upper| *load < upper);
    let hinted = Bounds {
        lower: hint.lower.map(|load| load.min(ceiling)).filter(inside),
        upper: hint.upper.map(|load| load.min(ceiling)).filter(inside),
    };
    let load = match (hinted.lower.or(bounds.lower), hinted.upper.or(bounds.upper)) {
        (Some(lower), Some(upper)) if upper - lower > width => {
            if hinted == Bounds::default() {
                widen(lower, upper, hint, width)
            } else {
                halve(lower, upper, width)
            }
        }
        // Smaller loads first: they are the ones that can undo larger ones (section 5.3.4).
        (lower, upper) => match (hinted.lower, hinted.upper) {
            (Some(load), _) | (None, Some(load)) => load,
            (None, None) => outwards(lower, upper, hint, width, ceiling),
        },
    };
    Step::Measure(load.min(ceiling))
}

fn settled(bounds: Bounds, width: u32, ceiling: u32) -> bool {
    match (bounds.lower, bounds.upper) {
        (_, Some(0)) => true,
        (Some(lower), _) if lower >= ceiling => true,
        (Some(lower), Some(upper)) => upper - lower <= width,
        _ => false,
    }
}

/// The middle, such that both parts are whole widths as far as possible: none is halved more often than it must be.
fn halve(lower: u32, upper: u32, width: u32) -> u32 {
    let widths = (upper - lower).div_ceil(width);
    lower + width * (widths / 2)
}

/// Both bounds are known, but the hint lies beyond one of them: the truth is near that one, rather than in the middle.
fn widen(lower: u32, upper: u32, hint: Bounds, width: u32) -> u32 {
    let middle = halve(lower, upper, width);
    if hint.upper.or(hint.lower).is_some_and(|beyond| lower >= beyond) {
        middle.min(lower.saturating_add(stride_up(lower, hint, width)))
    } else if hint.lower.or(hint.upper).is_some_and(|beyond| upper <= beyond) {
        middle.max(upper.saturating_sub(stride_down(upper, hint, width)))
    } else {
        middle
    }
}

/// One bound is missing.
fn outwards(lower: Option<u32>, upper: Option<u32>, hint: Bounds, width: u32, ceiling: u32) -> u32 {
    match (lower, upper) {
        (Some(lower), _) => lower.saturating_add(stride_up(lower, hint, width)),
        (None, Some(upper)) => upper.saturating_sub(stride_down(upper, hint, width)),
        (None, None) => ceiling,
    }
}

/// As far as the bound already is from the hint: doubles with each step.
fn stride_up(lower: u32, hint: Bounds, width: u32) -> u32 {
    let from = hint.lower.or(hint.upper).unwrap_or(lower);
    lower.saturating_sub(from).max(width)
}

fn stride_down(upper: u32, hint: Bounds, width: u32) -> u32 {
    let from = hint.upper.or(hint.lower).unwrap_or(upper);
    from.saturating_sub(upper).max(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Bounds = Bounds { lower: None, upper: None };

    fn bounds(lower: u32, upper: u32) -> Bounds {
        Bounds { lower: Some(lower), upper: Some(upper) }
    }

    fn lower(lower: u32) -> Bounds {
        Bounds { lower: Some(lower), upper: None }
    }

    fn upper(upper: u32) -> Bounds {
        Bounds { lower: None, upper: Some(upper) }
    }

    #[test]
    fn a_hint_is_halved_and_then_what_is_left_of_it_confirmed() {
        assert_eq!(select(NONE, bounds(100, 108), 4, 1000), Step::Measure(104));
        assert_eq!(select(lower(104), bounds(100, 108), 4, 1000), Step::Measure(108));
        assert_eq!(select(upper(104), bounds(100, 108), 4, 1000), Step::Measure(100));
        assert_eq!(select(bounds(104, 108), bounds(100, 108), 4, 1000), Step::Settled);
        assert_eq!(select(NONE, bounds(100, 104), 4, 1000), Step::Measure(100), "the smaller load first");
    }

    #[test]
    fn beyond_a_wrong_hint_steps_double() {
        let hint = bounds(100, 104);
        assert_eq!(select(lower(104), hint, 4, 1000), Step::Measure(108));
        assert_eq!(select(lower(108), hint, 4, 1000), Step::Measure(116));
        assert_eq!(select(lower(116), hint, 4, 1000), Step::Measure(132));
        assert_eq!(select(upper(100), hint, 4, 1000), Step::Measure(96));
        assert_eq!(select(upper(96), hint, 4, 1000), Step::Measure(88));
        assert_eq!(select(upper(3), hint, 4, 1000), Step::Measure(0), "not below the smallest load");
        assert_eq!(select(bounds(104, 900), hint, 4, 1000), Step::Measure(108), "near the hint, not in the middle");
        assert_eq!(select(bounds(20, 100), hint, 4, 1000), Step::Measure(96));
    }

    #[test]
    fn limits_settle_a_target() {
        assert_eq!(select(lower(1000), NONE, 4, 1000), Step::Settled);
        assert_eq!(select(upper(0), NONE, 4, 1000), Step::Settled);
        assert_eq!(select(NONE, lower(2000), 4, 1000), Step::Measure(1000), "a hint above the ceiling is the ceiling");
        assert_eq!(select(lower(998), NONE, 4, 1000), Step::Measure(1000));
    }

    #[test]
    fn halves_are_whole_widths() {
        assert_eq!(select(bounds(0, 32), NONE, 4, 1000), Step::Measure(16));
        assert_eq!(select(bounds(0, 21), NONE, 4, 1000), Step::Measure(12));
        assert_eq!(select(bounds(0, 5), NONE, 4, 1000), Step::Measure(4));
    }
}
