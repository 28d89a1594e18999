//! Sizes of a chart: two of them, so that text keeps its size on a phone.

use super::canvas::text_width;

/// Where things stand in a chart, in the units of its view box. Text is 13 of them high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Geometry {
    /// Class of the `svg` element: the style sheet shows one of the two.
    pub(super) class: &'static str,
    pub(super) width: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Height without a legend.
    pub(super) height: f64,
    /// Whether names stand at the ends of the lines, else below the axis.
    pub(super) names_beside: bool,
}

pub(super) const WIDE: Geometry = Geometry {
    class: "wide",
    width: 540.0,
    left: 66.0,
    right: 376.0,
    top: 34.0,
    bottom: 286.0,
    height: 336.0,
    names_beside: true,
};

pub(super) const NARROW: Geometry = Geometry {
    class: "narrow",
    width: 360.0,
    left: 60.0,
    right: 334.0,
    top: 34.0,
    bottom: 250.0,
    height: 300.0,
    names_beside: false,
};

/// Height of a row of the legend.
pub(super) const LEGEND_ROW: f64 = 21.0;

/// Space of a marker before its name.
pub(super) const MARKER_SPACE: f64 = 16.0;

/// Where the names of a legend stand below a chart: column and row of each, and the rows.
pub(super) fn legend(names: &[&str], width: f64) -> (Vec<(f64, usize)>, usize) {
    let (mut x, mut row) = (8.0, 0);
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let wide = MARKER_SPACE + text_width(name);
        if x > 8.0 && x + wide > width - 4.0 {
            (x, row) = (8.0, row + 1);
        }
        places.push((x, row));
        x += wide + 14.0;
    }
    (places, if names.is_empty() { 0 } else { row + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legends_break_into_rows_that_fit() {
        let names = ["iptables-legacy", "iptables-nft", "ipvs", "nftables", "direct-conntrack"];
        let (places, rows) = legend(&names, 360.0);
        assert!(rows > 1 && rows < names.len());
        for (name, (x, row)) in names.iter().zip(&places) {
            assert!(x + MARKER_SPACE + text_width(name) <= 360.0 && *row < rows, "{name}");
        }
    }
}
