//! A picture in a file of its own: an SVG that brings its style and its background.

use std::fmt::Write;

use super::canvas::{escape, text_width};
use super::chart::Drawing;
use super::geometry::WIDE;

const STYLE: &str = include_str!("../../../templates/plot.css");

const MARGIN: f64 = 16.0;
/// Height of the heading above each chart.
const HEADING: f64 = 26.0;
/// Height of the line below them.
const FOOT: f64 = 32.0;

/// Charts one below another, each with its heading, and a line that explains the marks.
///
/// The background is opaque and turns dark with the reader's colour scheme, together with the text, so the picture can be read
/// on a page of either colour.
pub(crate) fn standalone(title: &str, charts: &[(String, Drawing)], key: &str) -> String {
    let width = WIDE.width + 2.0 * MARGIN;
    let height = MARGIN + 24.0 + charts.len() as f64 * (HEADING + WIDE.height) + FOOT;
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">"#
    );
    // Writing to a String cannot fail.
    let _ = write!(out, "<title>{}</title><style>{STYLE}</style>", escape(title));
    let _ = write!(
        out,
        r#"<rect x="0.5" y="0.5" width="{}" height="{}" rx="6" fill="var(--bg)" stroke="var(--grid)"/>"#,
        width - 1.0,
        height - 1.0
    );
    let room = WIDE.width;
    text(&mut out, title, MARGIN + 14.0, room, r#" class="x""#);
    let mut top = MARGIN + 24.0;
    for (heading, drawing) in charts {
        text(&mut out, heading, top + 14.0, room, "");
        let place =
            format!(r#"<svg x="{MARGIN}" y="{}" width="{}" height="{}""#, top + HEADING, WIDE.width, WIDE.height);
        out.push_str(&drawing.wide.replacen(r#"<svg class="wide""#, &place, 1));
        top += HEADING + WIDE.height;
    }
    text(&mut out, key, top + 14.0, room, r#" class="t""#);
    out.push_str("</svg>\n");
    out
}

fn text(out: &mut String, text: &str, y: f64, room: f64, attributes: &str) {
    let squeeze = if text_width(text) > room {
        format!(r#" textLength="{room}" lengthAdjust="spacingAndGlyphs""#)
    } else {
        String::new()
    };
    let _ = write!(out, r#"<text x="{MARGIN}" y="{y}"{attributes}{squeeze}>{}</text>"#, escape(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables of a block of the style sheet.
    fn colours(block: &str) -> impl Iterator<Item = (&str, [f64; 3])> {
        block.split("--").skip(1).filter_map(|rest| {
            let (name, value) = rest.split_once(": #")?;
            let digits = value.split(';').next()?;
            let wide =
                if digits.len() == 3 { digits.chars().flat_map(|d| [d, d]).collect() } else { digits.to_owned() };
            let channel = |at: usize| Some(f64::from(u8::from_str_radix(wide.get(at..at + 2)?, 16).ok()?) / 255.0);
            Some((name, [channel(0)?, channel(2)?, channel(4)?]))
        })
    }

    /// WCAG 2's relative luminance.
    fn luminance(colour: [f64; 3]) -> f64 {
        let [red, green, blue] =
            colour.map(|c| if c <= 0.039_28 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn lines_and_text_stand_out_in_light_and_dark() {
        let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for block in [light, dark] {
            let colours: std::collections::BTreeMap<_, _> = colours(block).collect();
            let background = colours["bg"];
            // WCAG 2: 3:1 for graphics, 4.5:1 for text.
            for (name, least) in [("fg", 4.5), ("soft", 4.5), ("c0", 3.0), ("c1", 3.0), ("c2", 3.0), ("c3", 3.0)] {
                let found = contrast(colours[name], background);
                assert!(found >= least, "{name}: {found:.2}");
            }
            for name in ["c4", "c5", "c6"] {
                assert!(contrast(colours[name], background) >= 3.0, "{name}");
            }
        }
    }
}
