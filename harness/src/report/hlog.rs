//! Trials as an HdrHistogram interval log: every trial is an interval, tagged with its cell.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use hdrhistogram::serialization::{V2DeflateSerializeError, V2DeflateSerializer};

use crate::result::{Cell, HistogramError, TrialKind, TrialRecord, decode_histogram, name};

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
        source: HistogramError,
    },
    /// A histogram cannot be encoded.
    #[error("cannot encode trial {trial} of {cell}")]
    Encode {
        /// The cell.
        cell: Box<Cell>,
        /// Index of the trial.
        trial: u32,
        /// Why.
        #[source]
        source: V2DeflateSerializeError,
    },
    /// The log cannot be written.
    #[error("cannot write the log")]
    Io(#[from] io::Error),
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
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[lbcurve: one interval a trial, in the trial's unit (the tag's second part)]")
        .add_comment("[Trials hold no wall clock: an interval starts at its trial's index and lasts 1]");
    let mut log = builder.begin_log_with(&mut out, &mut serializer).map_err(HlogError::Io)?;
    for trial in trials {
        let trial = trial?;
        let (cell, index) = (Box::new(trial.cell.clone()), trial.trial);
        let histogram = decode_histogram(&trial.histogram).map_err(|source| HlogError::Histogram {
            cell: cell.clone(),
            trial: index,
            source,
        })?;
        let text = tag(&trial);
        let start = Duration::from_secs(u64::from(index));
        log.write_histogram(&histogram, start, Duration::from_secs(1), Tag::new(&text)).map_err(
            |error| match error {
                IntervalLogWriterError::SerializeError(source) => HlogError::Encode { cell, trial: index, source },
                IntervalLogWriterError::IoError(source) => HlogError::Io(source),
            },
        )?;
    }
    Ok(())
}

/// `traversal/ns/host/6.18.5/ipvs/sequential/udp/N=100/M=2/new/first`: what a tag may not hold becomes an underscore.
fn tag(trial: &TrialRecord) -> String {
    let Cell { venue, kernel, backend, layout, protocol, services, endpoints, flow, position } = &trial.cell;
    let kind = match trial.kind {
        TrialKind::Traversal => "traversal",
        TrialKind::Floor => "floor",
    };
    let (venue, backend, layout, protocol) = (name(venue), name(backend), name(layout), name(protocol));
    let (flow, position, unit) = (name(flow), name(position), trial.unit);
    let text = format!(
        "{kind}/{unit}/{venue}/{kernel}/{backend}/{layout}/{protocol}/N={services}/M={endpoints}/{flow}/{position}"
    );
    let forbidden = |character: char| character == ',' || character.is_whitespace() || character.is_control();
    text.replace(forbidden, "_")
}
