//! The report in headless Chromium, wide and on a phone, light and dark: every plot has marks, no text overlaps or is cut, the
//! page does not scroll sideways, and the console has no error. Pictures are left in `target/tmp/report-*.png` to be looked at.

mod chromium;
mod synthetic;

use std::path::{Path, PathBuf};

use chromium::{Browser, View};
use lbcurve::report::{html, svg};
use serde_json::Value;
use synthetic::large;

const CHECK: &str = include_str!("chromium/check.js");

/// Height and most of the pictures that a page is cut into.
const TILE: u32 = 1400;
const TILES: u32 = 8;

const fn view(name: &'static str, width: u32, height: u32, dark: bool) -> View {
    View { name, width, height, dark }
}

const VIEWS: [View; 4] = [
    view("wide-light", 1280, 800, false),
    view("wide-dark", 1280, 800, true),
    view("phone-light", 390, 844, false),
    view("phone-dark", 390, 844, true),
];

fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("the page can be written");
    path
}

/// What the check found, and plots and texts that it looked at.
fn checked(browser: &mut Browser) -> (Vec<String>, u64, u64) {
    let found = browser.evaluate(CHECK);
    let findings = found["findings"].as_array().expect("a list").iter().map(Value::to_string).collect();
    (findings, found["plots"].as_u64().unwrap_or(0), found["texts"].as_u64().unwrap_or(0))
}

/// Opens a page in every view and returns what is wrong in any; leaves pictures of it.
fn look(browser: &mut Browser, page: &Path, name: &str, fewest_plots: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for view in VIEWS {
        browser.open(page, view);
        let picture = |part: &str| page.with_file_name(format!("report-{name}-{}{part}.png", view.name));
        let height = browser.evaluate("document.documentElement.scrollHeight").as_u64().unwrap_or(0);
        for tile in 0..(u32::try_from(height).unwrap_or(0).div_ceil(TILE)).min(TILES) {
            browser.screenshot_at(&picture(&format!("-{tile}")), view.width, tile * TILE, TILE);
        }
        let (findings, plots, texts) = checked(browser);
        wrong.extend(findings.into_iter().map(|finding| format!("{name}, {}: {finding}", view.name)));
        assert!(plots >= fewest_plots && texts > 8 * plots, "{name}, {}: {plots} plots, {texts} texts", view.name);
    }
    wrong
}

#[test]
fn the_page_of_two_venues_can_be_read_everywhere() {
    let page = written("report-small.html", &html(&synthetic::run()).expect("rendered"));
    let mut browser = Browser::start();
    let wrong = look(&mut browser, &page, "small", 10);
    browser.print(&page.with_file_name("report-small.pdf"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

#[test]
fn the_page_of_every_axis_can_be_read_everywhere() {
    let (run, _) = large::run(&large::EVERY_AXIS);
    let text = html(&run).expect("rendered");
    for section in ["throughput", "programming", "percentiles", "endpoints", "layouts", "kernels", "positions"] {
        assert!(text.contains(&format!("<section id=\"{section}\">")), "{section}");
    }
    let page = written("report-axes.html", &text);
    let mut browser = Browser::start();
    let wrong = look(&mut browser, &page, "axes", 40);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

#[test]
fn the_first_screen_holds_verdicts_and_plot() {
    let page = written("report-first.html", &html(&synthetic::run()).expect("rendered"));
    let mut browser = Browser::start();
    browser.open(&page, VIEWS[0]);
    let bottom = browser.evaluate("document.querySelector('.hero svg.wide').getBoundingClientRect().bottom");
    assert!(bottom.as_f64().is_some_and(|bottom| bottom <= 800.0), "the first plot ends at {bottom}");
    browser.open(&page, VIEWS[2]);
    let top = browser.evaluate("document.querySelector('.hero li').getBoundingClientRect().bottom");
    assert!(top.as_f64().is_some_and(|bottom| bottom <= 844.0), "the first verdict ends at {top}");
}

#[test]
fn the_plot_alone_can_be_read_on_both_backgrounds() {
    let picture = written("report-alone.svg", &svg(&synthetic::run()).expect("a plot"));
    let mut browser = Browser::start();
    for view in [VIEWS[0], VIEWS[1]] {
        browser.open(&picture, view);
        browser.screenshot_at(&picture.with_file_name(format!("report-alone-{}.png", view.name)), 620, 0, 820);
        let (findings, plots, _) = checked(&mut browser);
        assert_eq!((findings, plots), (vec![], 2), "{}", view.name);
    }
}

#[test]
fn a_broken_page_is_found_out() {
    let text = html(&synthetic::run()).expect("rendered");
    let broken = text
        .replacen(" class=\"e\">", " class=\"e\" transform=\"translate(-90 0)\">", 1)
        .replacen(
            "services (N)</text>",
            "services (N)</text><text x=\"20\" y=\"16\">over the title of the axis</text>",
            1,
        )
        .replacen(
            "<main>",
            "<main><p style=\"width:200vw;max-width:none\">wide</p><script>console.error('shown')</script>",
            1,
        );
    let page = written("report-broken.html", &broken);
    let mut browser = Browser::start();
    browser.open(&page, VIEWS[0]);
    let (findings, ..) = checked(&mut browser);
    for expected in ["cut", "overlap", "scrolls sideways", "beyond the edge"] {
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:#?}");
    }
    assert!(browser.errors.iter().any(|error| error.contains("shown")), "{:?}", browser.errors);
}
