//! Trials as an HdrHistogram interval log: every trial is an interval, tagged with its cell.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use hdrhistogram::{Counter, Histogram};

use super::bmf::bracket_part;
use crate::result::{Cell, MergeError, MergedHistogram, TrialKind, TrialRecord, name};

/// Why a log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum HlogError {
    /// The histogram of a trial is broken.
    #[error("trial {trial} of {cell}")]
    Histogram {
        /// The cell.
        cell: Box<Cell>,
        /// Index of the trial.
        trial: u32,
        /// Why.
        #[source]
        source: MergeError,
    },
    /// The log cannot be written.
    #[error("cannot write the log")]
    Io(#[from] io::Error),
}

/// A histogram as its trial recorded it, which is the log's own form already: to write it anew would cost a hundred times as much.
#[derive(Default)]
struct Recorded(Rc<RefCell<Vec<u8>>>);

impl Serializer for Recorded {
    type SerializeError = io::Error;

    fn serialize<T: Counter, W: Write>(&mut self, _: &Histogram<T>, writer: &mut W) -> io::Result<usize> {
        let bytes = self.0.borrow();
        writer.write_all(&bytes)?;
        Ok(bytes.len())
    }
}

/// Reads histograms far enough to know that they are whole, and what their largest value is.
struct Checked {
    counts: MergedHistogram,
    /// Holds the largest value and nothing else: all that the log's line says beside the recorded bytes.
    largest: Histogram<u64>,
    recorded: Rc<RefCell<Vec<u8>>>,
}

impl Checked {
    fn read(&mut self, trial: &TrialRecord) -> Result<(), MergeError> {
        self.counts.clear();
        self.counts.add(&trial.histogram, trial.packets)?;
        self.largest.reset();
        if let Some(value) = self.counts.highest() {
            self.largest.record(value).map_err(|source| MergeError::Record { value, source })?;
        }
        let mut recorded = self.recorded.borrow_mut();
        recorded.clear();
        let length = trial.histogram.len();
        STANDARD.decode_vec(&trial.histogram, &mut recorded).map_err(|source| MergeError::Base64 { length, source })
    }
}

/// Writes the trials as an HDR V2 interval log, one at a time: memory does not grow with their number.
///
/// A trial holds no wall clock, so an interval starts at the trial's index in seconds and lasts one: tools that want a time
/// get an order. Intervals of one tag are the trials of one cell.
///
/// # Errors
/// A trial's own error, a broken histogram, or `out` cannot be written to.
pub fn hlog<E: From<HlogError>>(
    trials: impl Iterator<Item = Result<TrialRecord, E>>,
    mut out: impl Write,
) -> Result<(), E> {
    let mut serializer = Recorded::default();
    let largest = Histogram::new(3).map_err(|source| io::Error::other(source.to_string())).map_err(HlogError::Io)?;
    let mut checked = Checked { counts: MergedHistogram::new(), largest, recorded: Rc::clone(&serializer.0) };
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[lbcurve: one interval a trial, in the trial's unit (the tag's second part)]")
        .add_comment("[Trials hold no wall clock: an interval starts at its trial's index and lasts 1]");
    let mut log = builder.begin_log_with(&mut out, &mut serializer).map_err(HlogError::Io)?;
    for trial in trials {
        let trial = trial?;
        let broken = |source| HlogError::Histogram { cell: Box::new(trial.cell.clone()), trial: trial.trial, source };
        checked.read(&trial).map_err(broken)?;
        let (text, start) = (tag(&trial), Duration::from_secs(u64::from(trial.trial)));
        let written = log.write_histogram(&checked.largest, start, Duration::from_secs(1), Tag::new(&text));
        written.map_err(|error| match error {
            IntervalLogWriterError::SerializeError(source) | IntervalLogWriterError::IoError(source) => {
                HlogError::Io(source)
            }
        })?;
    }
    Ok(())
}

/// `traversal/ns/host/6.18.5/ipvs/sequential/udp/N=100/M=2/new/first`, in the XDP bracket `.../direct/xdp-bracket/sequential/...`: what a tag may not hold becomes an underscore.
fn tag(trial: &TrialRecord) -> String {
    let Cell { venue, kernel, backend, bracket, layout, protocol, services, endpoints, flow, position } = &trial.cell;
    let bracket = bracket_part(*bracket);
    let kind = match trial.kind {
        TrialKind::Traversal => "traversal",
        TrialKind::Floor => "floor",
    };
    let (venue, backend, layout, protocol) = (name(venue), name(backend), name(layout), name(protocol));
    let (flow, position, unit) = (name(flow), name(position), trial.unit);
    let text = format!(
        "{kind}/{unit}/{venue}/{kernel}/{backend}{bracket}/{layout}/{protocol}/N={services}/M={endpoints}/{flow}/{position}"
    );
    let forbidden = |character: char| character == ',' || character.is_whitespace() || character.is_control();
    text.replace(forbidden, "_")
}
