//! The report as Markdown: the summary of a job on GitHub, a comment on a merge request, a page of a wiki.
//!
//! The failures come first, each with what to do; evidence and what passed can be opened. What comes from mail stands in code spans or escaped, so
//! that it is neither markup nor a link, and mentions nobody.
//!
//! What it leaves out: whatever would make it longer than GitHub takes. It says so.

use super::{
    comparison::{self, parity},
    counted, escape, evidence,
    headline::headline,
    order::worst_first,
    outcome_sign,
};
use crate::explain::{alternatives, interval};
use crate::model::{Judged, JudgedProbe, Outcome};
use std::fmt::Write;

/// GitHub refuses more than 1 MiB for a step; room is left for what others write there.
pub(super) const LIMIT: usize = 900 << 10;
/// Rows of the table of failures, and of what passed: nobody reads more.
pub(super) const ROWS: usize = 200;
/// Failures whose evidence can be opened.
const OPENED: usize = 50;

/// The report.
pub fn render(judged: &Judged) -> Vec<u8> {
    let (outcome, sentence) = headline(judged);
    let mut out = format!("## {} {}\n", outcome_sign(outcome), prose(&sentence));
    let probes = worst_first(judged);
    let of = |outcomes: &[Outcome]| -> Vec<&JudgedProbe> {
        let chosen = probes.iter().filter(|probe| outcomes.contains(&probe.outcome));
        chosen.copied().collect()
    };
    let troubles = of(&[Outcome::Failed, Outcome::Unknown]);
    troubles_table(&troubles, &mut out);
    parities(judged, &mut out);
    blind(judged, &mut out);
    roles(judged, &mut out);
    let mut left = troubles.len().saturating_sub(OPENED);
    if !troubles.is_empty() {
        out.push_str("\n### Evidence\n");
    }
    for probe in troubles.iter().take(OPENED) {
        let details = details(probe);
        if out.len() + details.len() > LIMIT {
            left += 1;
        } else {
            out.push_str(&details);
        }
    }
    if left > 0 {
        let _ = writeln!(
            out,
            "\nThe evidence of {} is left out here; the other formats have it.",
            counted(left, "probe", "probes")
        );
    }
    for (outcomes, title) in [([Outcome::Waived], "waived"), ([Outcome::Passed], "passed")] {
        let probes = of(&outcomes);
        if !probes.is_empty() {
            let rows = others(&probes, title);
            if out.len() + rows.len() <= LIMIT {
                out.push_str(&rows);
            }
        }
    }
    out.into_bytes()
}

/// What failed or is unknown, and what to do about it.
fn troubles_table(probes: &[&JudgedProbe], out: &mut String) {
    if probes.is_empty() {
        return;
    }
    out.push_str("\n| | Recipient | Sent | Measured | What happened, and what to do |\n|---|---|---|---|---|\n");
    for probe in probes.iter().take(ROWS) {
        let role = probe.role.as_deref().map(|role| format!("<br>{}", prose(role))).unwrap_or_default();
        let remedy = probe
            .remedy
            .as_deref()
            .map(|remedy| format!("<br>→ {}", prose(remedy)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {}{role} | {} | **{}**<br>expected {} | {}{remedy} |",
            sign(probe.outcome),
            code(&probe.recipient),
            sent(probe),
            measured(probe),
            prose(&alternatives(&probe.expected)),
            prose(&probe.explanation),
        );
    }
    if let Some(more) = probes.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(out, "\nand {}.", counted(more, "probe more", "probes more"));
    }
}

/// Routes that were set side by side.
fn parities(judged: &Judged, out: &mut String) {
    for parity in &judged.parity {
        let section = comparison::section(parity);
        if out.len() + section.len() <= LIMIT {
            out.push_str(&section);
        } else {
            let _ = writeln!(out, "\n{} {}", sign(parity::outcome(parity)), prose(&parity::sentence(parity)));
        }
    }
}

fn blind(judged: &Judged, out: &mut String) {
    if judged.blind.is_empty() {
        return;
    }
    out.push_str("\n### Mailboxes that could not be read\n\n");
    for (mailbox, reason) in judged.blind.iter().take(ROWS) {
        let _ = writeln!(out, "- {}: {}", code(mailbox), prose(reason));
    }
}

fn roles(judged: &Judged, out: &mut String) {
    if judged.roles.is_empty() {
        return;
    }
    out.push_str("\n### Roles\n\n| | Role | Holders | Reachable | Covered |\n|---|---|---:|---:|---:|\n");
    for role in judged.roles.iter().take(ROWS) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            sign(role.outcome),
            prose(&role.role),
            role.holders,
            role.reachable,
            role.covered
        );
    }
}

/// The evidence of one probe, closed until somebody wants it.
fn details(probe: &JudgedProbe) -> String {
    let mut text = String::new();
    for (label, line) in evidence::lines(probe) {
        let _ = writeln!(text, "{label:13}{}", escape(&line));
    }
    let summary = format!("{}: {} by {}, {}", probe.recipient, probe.message, probe.route, probe.verdict);
    // Within HTML a blank line would end it; evidence has none.
    format!(
        "\n<details><summary>{} {}</summary>\n\n<pre>{}</pre>\n\n</details>\n",
        sign(probe.outcome),
        html(&escape(&summary)),
        html(text.trim_end())
    )
}

fn others(probes: &[&JudgedProbe], title: &str) -> String {
    let mut text = format!(
        "\n<details><summary>{} {title}</summary>\n\n| Recipient | Sent | Measured |\n|---|---|---|\n",
        counted(probes.len(), "probe", "probes")
    );
    for probe in probes.iter().take(ROWS) {
        let waiver = match &probe.waiver {
            Some(waiver) if probe.outcome == Outcome::Waived => format!("<br>{}", prose(waiver)),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {}{waiver} |",
            code(&probe.recipient),
            sent(probe),
            measured(probe)
        );
    }
    if let Some(more) = probes.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nand {}.", counted(more, "probe more", "probes more"));
    }
    text.push_str("\n</details>\n");
    text
}

fn sent(probe: &JudgedProbe) -> String {
    let case = probe
        .case
        .as_deref()
        .map(|case| format!("<br>“{}”", prose(case)))
        .unwrap_or_default();
    format!("{} by {}{case}", prose(&probe.message), prose(&probe.route))
}

fn measured(probe: &JudgedProbe) -> String {
    let mut text = probe.verdict.word().to_owned();
    for flag in &probe.flags {
        let _ = write!(text, ", {flag}");
    }
    if let Some(latency) = probe.latency_ms {
        let _ = write!(text, ", {}", interval(latency, probe.latency_uncertainty_ms));
    }
    text
}

/// With colour, which Markdown has only in signs.
pub(super) fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✅",
        Outcome::Failed => "❌",
        Outcome::Waived => "🟡",
        Outcome::Unknown => "❔",
    }
}

/// Text in which nothing is markup. A word that would become a link or mention somebody becomes code.
pub(super) fn prose(text: &str) -> String {
    let text = escape(text);
    let words = text.split(' ').map(|word| {
        let links = word.contains(['@', '#']) || word.contains("://") || word.to_ascii_lowercase().contains("www.");
        if !links {
            return literal(word);
        }
        // The sentence's own punctuation stays outside.
        let around = |character: char| "()<>,.;:!?“”„\"'".contains(character);
        let core = word.trim_matches(around);
        match word.split_once(core) {
            Some((before, after)) if !core.is_empty() => format!("{}{}{}", literal(before), code(core), literal(after)),
            _ => code(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Each character that Markdown or GitHub gives a meaning, with a backslash before it (`CommonMark` section 2.4).
fn literal(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 4);
    for character in word.chars() {
        if "\\`*_[]<>|~&!$".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A code span (`CommonMark` section 6.1) that also holds in a table: there a bar must be escaped, within code too.
pub(super) fn code(text: &str) -> String {
    let text = escape(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

/// Text within HTML.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Neither emphasis nor a link nor a mention, should it be read as Markdown after all.
            '*' | '_' | '`' | '[' | ']' | '@' | '#' | '|' | '~' | '\\' | '!' | '$' | ':' => {
                let _ = write!(out, "&#{};", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out
}
