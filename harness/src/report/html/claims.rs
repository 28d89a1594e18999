//! The claims under test, each with its verdict on every kernel and the figures behind it.

use super::table::{Cell, Table};
use crate::claims::{Claim, Figure, Judgement, Published, Verdict, judge};
use crate::report::number::{Medium, significant};
use crate::result::RunFile;

/// A claim and what became of it.
pub(super) struct ClaimView {
    pub(super) claim: &'static Claim,
    pub(super) entries: Vec<Entry>,
    /// Beside ours, never among them.
    pub(super) published: Vec<&'static Published>,
}

/// One judgement.
pub(super) struct Entry {
    /// Venue and kernel; empty where no venue of the run can tell.
    pub(super) scope: String,
    pub(super) verdict: String,
    pub(super) tone: &'static str,
    pub(super) reason: String,
    pub(super) figures: Option<Table>,
}

/// Every claim, where the run can judge at least one.
pub(super) fn claims(run: &RunFile) -> Vec<ClaimView> {
    let judgements = judge(run);
    if !judgements.iter().any(|judgement| judgement.scope.is_some()) {
        return Vec::new();
    }
    let same = |a: &Judgement, b: &Judgement| a.claim.id == b.claim.id;
    let of_claim = |group: &[Judgement]| {
        let first = group.first()?;
        let published = first.published.clone();
        Some(ClaimView { claim: first.claim, entries: group.iter().map(entry).collect(), published })
    };
    judgements.chunk_by(same).filter_map(of_claim).collect()
}

fn entry(judgement: &Judgement) -> Entry {
    let of_verdict = judgement.verdict.to_string();
    let (tone, verdict, why) = match &judgement.verdict {
        Verdict::Holds => ("flat", of_verdict, None),
        Verdict::HoldsUpTo { .. } | Verdict::DoesNotHold => ("grows", of_verdict, None),
        Verdict::NotMeasured { reason } => ("open", "not measured".to_owned(), Some(reason.clone())),
    };
    let reasons = why.into_iter().chain([judgement.reason.clone()]).filter(|reason| !reason.is_empty());
    Entry {
        scope: judgement.scope.as_ref().map(ToString::to_string).unwrap_or_default(),
        verdict,
        tone,
        reason: reasons.collect::<Vec<_>>().join(". "),
        figures: figures(&judgement.figures),
    }
}

fn figures(figures: &[Figure]) -> Option<Table> {
    let show = |value: f64| significant(value, 4, Medium::Html);
    let row = |figure: &Figure| {
        let value = figure.value.map_or_else(Cell::none, |value| Cell::number(show(value)));
        let interval = figure.interval.map(|[low, high]| format!("{} \u{2026} {}", show(low), show(high)));
        vec![
            Cell::text(&figure.what),
            match interval {
                Some(interval) => value.with_detail(interval),
                None => value,
            },
            Cell::text(&figure.unit),
            Cell::text(figure.note.as_deref().unwrap_or_default()),
            Cell::text(&figure.cells),
        ]
    };
    Table::new(&["figure", "value", "unit", "", "cells"], figures.iter().map(row).collect())
}
