//! Judgements as text, as Markdown and as JSON.

use std::fmt::Write;

use super::catalogue::{CLAIMS, Claim, PUBLISHED, SOURCE};
use super::judgement::Judgement;

/// Of each claim its judgements, in order.
fn by_claim(judgements: &[Judgement]) -> impl Iterator<Item = (&'static Claim, &[Judgement])> {
    let groups = judgements.chunk_by(|a, b| a.claim.id == b.claim.id);
    groups.filter_map(|group| Some((group.first()?.claim, group)))
}

/// Venue, kernel and unit; `any venue` where none can tell.
fn place(judgement: &Judgement) -> String {
    judgement.scope.as_ref().map_or_else(|| "any venue".to_owned(), ToString::to_string)
}

/// Plain text of any width, ending in a line feed.
#[must_use]
pub fn table(judgements: &[Judgement]) -> String {
    let mut text = format!("Claims of {SOURCE}\n");
    // Writing to a String cannot fail.
    for (claim, group) in by_claim(judgements) {
        let _ = writeln!(text, "\n{claim}");
        for judgement in group {
            let _ = writeln!(text, "  {}: {}", place(judgement), judgement.verdict);
            if !judgement.reason.is_empty() {
                let _ = writeln!(text, "    {}", judgement.reason);
            }
            for figure in &judgement.figures {
                let _ = writeln!(text, "    - {figure} ({})", figure.cells);
            }
        }
        for published in claim.published() {
            let _ = writeln!(text, "  published by others: {published}");
        }
    }
    text
}

/// Markdown: one table of verdicts, the figures behind each, and the published ones in a table of their own.
#[must_use]
pub fn markdown(judgements: &[Judgement]) -> String {
    let mut text =
        format!("Claims of {SOURCE}, held to this run.\n\n| claim | where | verdict | why |\n|---|---|---|---|\n");
    for judgement in judgements {
        let cells = [
            judgement.claim.to_string(),
            place(judgement),
            format!("**{}**", judgement.verdict),
            judgement.reason.clone(),
        ];
        let _ = writeln!(text, "| {} |", cells.map(|cell| escape(&cell)).join(" | "));
    }
    text += "\n| claim | where | figure | cells |\n|---|---|---|---|\n";
    for judgement in judgements {
        for figure in &judgement.figures {
            let cells = [judgement.claim.id.to_owned(), place(judgement), figure.to_string(), figure.cells.clone()];
            let _ = writeln!(text, "| {} |", cells.map(|cell| escape(&cell)).join(" | "));
        }
    }
    text += "\nPublished by others, and no part of the verdicts:\n\n| claims | figure | source |\n|---|---|---|\n";
    for published in &PUBLISHED {
        let (figure, source) = (escape(published.figure), escape(published.source));
        let _ = writeln!(text, "| {} | {figure} | {source} |", published.claims.join(", "));
    }
    text
}

fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
}

/// JSON of the judgements, with the claims' texts and the published figures.
///
/// # Errors
/// None that the types can bring about.
pub fn json(judgements: &[Judgement]) -> Result<String, serde_json::Error> {
    let all = serde_json::json!({
        "source": SOURCE,
        "claims": CLAIMS,
        "judgements": judgements,
        "published": PUBLISHED,
    });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}
