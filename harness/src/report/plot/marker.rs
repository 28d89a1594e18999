//! Marker shapes: lines must be told apart without colour, too.

/// Styles of lines: a colour of the style sheet and a marker each.
pub(crate) const STYLES: usize = 8;

/// SVG path of a marker of `style` round a centre, about nine units wide; styles repeat after [`STYLES`].
pub(super) fn path(style: usize, x: f64, y: f64) -> String {
    let polygon = |corners: &[(f64, f64)]| {
        let points: Vec<_> = corners.iter().map(|(dx, dy)| format!("{:.1} {:.1}", x + dx, y + dy)).collect();
        format!("M{}Z", points.join("L"))
    };
    match style % STYLES {
        0 => format!("M{:.1} {:.1}a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0Z", x - 4.2, y),
        1 => polygon(&[(-3.8, -3.8), (3.8, -3.8), (3.8, 3.8), (-3.8, 3.8)]),
        2 => polygon(&[(0.0, -5.0), (4.8, 3.6), (-4.8, 3.6)]),
        3 => polygon(&[(0.0, -5.4), (5.4, 0.0), (0.0, 5.4), (-5.4, 0.0)]),
        4 => polygon(&[(0.0, 5.0), (4.8, -3.6), (-4.8, -3.6)]),
        5 => plus(x, y),
        6 => polygon(&[(-2.2, -4.6), (2.2, -4.6), (5.0, 0.0), (2.2, 4.6), (-2.2, 4.6), (-5.0, 0.0)]),
        _ => polygon(&[(-4.6, -4.6), (4.6, -4.6), (-4.6, 4.6), (4.6, 4.6)]),
    }
}

fn plus(x: f64, y: f64) -> String {
    format!("M{:.1} {:.1}v-3.2h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2Z", x - 1.6, y - 1.6)
}
