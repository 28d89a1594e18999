//! Renders a run: terminal table and self-contained HTML.

use crate::result::RunFile;

/// The terminal table.
pub fn table(run: &RunFile) -> String {
    let mut text = String::new();
    for curve in &run.curves {
        let points: Vec<_> = curve.points.iter().map(|point| format!("{}:{}", point.services, point.p50)).collect();
        text += &format!("{:?} {} {:?}\n", curve.key, points.join(" "), curve.fit);
    }
    text
}

/// The HTML report.
pub fn html(_run: &RunFile) -> String {
    String::new()
}
