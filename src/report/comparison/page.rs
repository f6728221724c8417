//! A comparison as one HTML page, and a parity table as a section of its run's page.
//!
//! What the page leaves out: of hundreds of different changes those that come last. It says so; the JSON form has them.

use super::{alike, headline, parity, text};
use crate::model::{Comparison, Difference, Effect, LatencyShift, Outcome, Parity, ProbeChange};
use crate::report::{
    html::{Frame, Link, Page, Reach, page as framed},
    outcome_sign,
};
use askama::Template;

/// So many different changes are shown.
const CHANGES: usize = 300;

#[derive(Template)]
#[template(path = "comparison.html", config = "src/report/html/askama.toml")]
struct Content<'a> {
    outcome: Outcome,
    sign: &'static str,
    word: &'static str,
    headline: String,
    besides: Option<String>,
    tally: Vec<(&'static str, String)>,
    before: String,
    after: String,
    remarks: &'a [String],
    parts: Vec<Part<'a>>,
    left_out: usize,
    roles: Vec<Role<'a>>,
    unmatched: Vec<(&'static str, String)>,
    shifts: String,
}

/// The changes that came to the same.
struct Part<'a> {
    effect: Effect,
    tone: &'static str,
    title: &'static str,
    changes: Vec<Change<'a>>,
}

/// One change, and who else has the same.
struct Change<'a> {
    probe: &'a ProbeChange,
    via: String,
    lines: Vec<Line>,
    reason: Option<String>,
    others: Option<String>,
}

/// One difference.
struct Line {
    label: String,
    before: String,
    after: String,
    note: Option<String>,
}

struct Role<'a> {
    effect: &'static str,
    tone: &'static str,
    of: &'a crate::model::RoleChange,
}

#[derive(Template)]
#[template(path = "shifts.html", config = "src/report/html/askama.toml")]
struct Shifts {
    title: &'static str,
    rows: Vec<Shift>,
}

struct Shift {
    way: String,
    pairs: String,
    before: String,
    after: String,
    interval: String,
    finding: String,
}

#[derive(Template)]
#[template(path = "parity.html", config = "src/report/html/askama.toml")]
struct Section<'a> {
    id: String,
    title: String,
    outcome: Outcome,
    sentence: String,
    parity: &'a Parity,
    lines: Vec<(&'static str, &'static str, parity::Line)>,
    shifts: String,
}

/// The page.
///
/// # Errors
/// If a template fails; none is known to.
pub fn render(comparison: &Comparison) -> Result<Page, askama::Error> {
    let outcome = headline::outcome(comparison);
    let (headline, besides) = headline::in_brief(comparison);
    let groups = alike::changes(&comparison.probes);
    let left_out: usize = groups.iter().skip(CHANGES).map(Vec::len).sum();
    let unmatched = |title: &'static str, one: &_| text::unmatched(one).into_iter().map(move |line| (title, line)).collect::<Vec<_>>();
    let content = Content {
        outcome,
        sign: outcome_sign(outcome),
        word: match outcome {
            Outcome::Failed => "Worse than before",
            Outcome::Unknown => "Not everything could be compared",
            Outcome::Passed | Outcome::Waived => "Nothing is worse",
        },
        headline,
        besides,
        tally: text::tally(&comparison.summary)
            .into_iter()
            .map(|(effect, said)| (effect.map_or("", tone), said))
            .collect(),
        before: text::side(&comparison.before),
        after: text::side(&comparison.after),
        remarks: &comparison.remarks,
        parts: parts(&groups),
        left_out,
        roles: comparison
            .roles
            .iter()
            .map(|role| Role {
                effect: text::effect(role.effect),
                tone: tone(role.effect),
                of: role,
            })
            .collect(),
        unmatched: [unmatched("Gone", &comparison.gone), unmatched("Added", &comparison.added)].concat(),
        shifts: shifts(&comparison.latency)?,
    };
    let links = content.links();
    let footer = [
        format!(
            "Compared by mailflow {}: each probe with the one of the same recipient, route, message and case in the other run.",
            env!("CARGO_PKG_VERSION")
        ),
        "Worse is only what passed before and fails now. Times are in UTC.".to_owned(),
    ];
    let title = format!(
        "{}: {} → {} – mailflow",
        content.word, comparison.before.asked, comparison.after.asked
    );
    let frame = Frame {
        title: &title,
        kind: "comparison",
        links: &links,
        footer: &footer,
        script: "",
        reach: Reach::Alone,
    };
    framed(&frame, &content)
}

impl Content<'_> {
    /// The way through the page: its parts, as far as they are there.
    fn links(&self) -> Vec<Link> {
        let parts = self.parts.iter().map(|part| (part.effect.word(), part.effect_word()));
        let rest = [
            ("roles", "Roles", self.roles.is_empty()),
            ("unmatched", "Gone and added", self.unmatched.is_empty()),
            ("latency", "Latency", self.shifts.is_empty()),
        ];
        let rest = rest
            .into_iter()
            .filter(|(_, _, missing)| !missing)
            .map(|(id, title, _)| (id, title));
        parts.chain(rest).map(|(id, title)| Link::within(id, title)).collect()
    }
}

impl Part<'_> {
    fn effect_word(&self) -> &'static str {
        match self.effect {
            Effect::Regression => "Worse",
            Effect::NotCompared => "Not compared",
            Effect::Changed => "Changed",
            Effect::Improvement => "Better",
        }
    }
}

/// The parity table as a section: markup, whose every value has gone through the escaper.
///
/// # Errors
/// If a template fails; none is known to.
pub fn section(parity: &Parity) -> Result<String, askama::Error> {
    Section {
        id: format!("parity-{}", parity.run),
        title: parity::title(parity),
        outcome: parity::outcome(parity),
        sentence: parity::sentence(parity),
        parity,
        lines: parity::lines(parity)
            .into_iter()
            .map(|line| match line.effect {
                Effect::Improvement => ("passed", "better", line),
                Effect::NotCompared => ("unknown", "not measured", line),
                Effect::Regression | Effect::Changed => ("failed", "different", line),
            })
            .collect(),
        shifts: shifts(std::slice::from_ref(&parity.latency))?,
    }
    .render()
}

/// The first changes, by what they come to: they are sorted so.
fn parts<'a>(groups: &[Vec<&'a ProbeChange>]) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for group in groups.iter().take(CHANGES) {
        let Some((change, others)) = group.split_first() else { continue };
        let others: Vec<String> = others.iter().map(|other| text::named(other, change)).collect();
        let shown = Change {
            probe: change,
            via: text::via(change),
            lines: lines(change),
            reason: change.reason.as_deref().map(text::capitalised),
            others: (!others.is_empty()).then(|| text::listed(&others)),
        };
        match parts.last_mut().filter(|part| part.effect == change.effect) {
            Some(part) => part.changes.push(shown),
            None => parts.push(Part {
                effect: change.effect,
                tone: tone(change.effect),
                title: text::title(change.effect),
                changes: vec![shown],
            }),
        }
    }
    parts
}

fn lines(change: &ProbeChange) -> Vec<Line> {
    let outcome = text::outcomes(change).map(|_| Line {
        label: "outcome".to_owned(),
        before: change.outcome_before.word().to_owned(),
        after: change.outcome_after.word().to_owned(),
        note: None,
    });
    let line = |difference: &Difference| Line {
        label: text::whole_label(difference),
        before: difference.before.clone(),
        after: difference.after.clone(),
        note: difference.note.clone(),
    };
    outcome.into_iter().chain(change.differences.iter().map(line)).collect()
}

fn shifts(shifts: &[LatencyShift]) -> Result<String, askama::Error> {
    let rows: Vec<Shift> = shifts
        .iter()
        .filter(|shift| shift.before + shift.after > 0)
        .map(|shift| {
            let [pairs, before, after] = text::latency(shift);
            Shift {
                way: text::way(shift),
                pairs,
                before,
                after,
                interval: text::interval(shift).unwrap_or_default(),
                finding: text::finding(shift),
            }
        })
        .collect();
    if rows.is_empty() {
        return Ok(String::new());
    }
    Shifts { title: text::SHIFT, rows }.render()
}

/// The class of the style by which it is coloured.
fn tone(effect: Effect) -> &'static str {
    match effect {
        Effect::Regression => "failed",
        Effect::NotCompared => "unknown",
        Effect::Changed => "waived",
        Effect::Improvement => "passed",
    }
}
