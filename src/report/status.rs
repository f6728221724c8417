//! The first page of `serve`: how all recipients stand now, what is run when, and the way to the reports.
//!
//! What it cannot show: anything newer than the last run that ended.

use super::{
    ReportError,
    history::words,
    html::{Frame, Link, Page, Reach, page as framed},
};
use crate::model::{History, Outcome};
use askama::Template;

/// A schedule.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub when: String,
    /// When it starts next.
    pub next: String,
}

/// A stored run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id, which is letters and digits.
    pub id: String,
    /// Its scenario.
    pub scenario: String,
    /// When it started.
    pub started: String,
    /// Whether everything is decided.
    pub finished: bool,
}

/// What `serve` knows beside the outcomes.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The time now.
    pub at: String,
    /// What is run when.
    pub schedules: Vec<Planned>,
    /// The last runs, newest first.
    pub runs: Vec<Run>,
    /// Alerts that have not arrived, in sentences.
    pub waiting: Vec<String>,
    /// What went wrong, in sentences.
    pub troubles: Vec<String>,
}

#[derive(Template)]
#[template(path = "status.html", config = "src/report/html/askama.toml")]
struct Content<'a> {
    outcome: Outcome,
    sentence: String,
    rows: Vec<Row<'a>>,
    state: &'a State,
}

struct Row<'a> {
    recipient: &'a str,
    role: Option<&'a str>,
    outcome: Outcome,
    flapping: bool,
    says: String,
}

/// The page.
///
/// # Errors
/// If the template fails; nothing is known to make it.
pub fn page(history: &History, state: &State) -> Result<Page, ReportError> {
    let (outcome, sentence) = words::headline(history);
    let rows = history.recipients.iter().map(|one| Row {
        recipient: &one.recipient,
        role: one.role.as_deref(),
        outcome: one.state.outcome,
        flapping: one.flapping,
        says: words::sentence(&one.state, one.flapping),
    });
    let content = Content {
        outcome,
        sentence,
        rows: rows.collect(),
        state,
    };
    let link = |to: &str, text: &str, here| Link {
        to: to.to_owned(),
        text: text.to_owned(),
        here,
    };
    let footer = [format!(
        "As of {}. This page is only read; load it again to see how things stand then.",
        state.at
    )];
    let frame = Frame {
        title: "mailflow status",
        kind: "status",
        links: &[
            link("/", "Status", true),
            link("/history", "History", false),
            link("/metrics", "Metrics", false),
        ],
        footer: &footer,
        script: "",
        reach: Reach::OwnServer,
    };
    Ok(framed(&frame, &content)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_came_by_mail_or_from_a_service_shows_as_text() {
        let hostile = "<script>alert(1)</script>".to_owned();
        let state = State {
            at: "now".to_owned(),
            schedules: vec![Planned {
                name: hostile.clone(),
                when: hostile.clone(),
                next: hostile.clone(),
            }],
            runs: vec![Run {
                id: "abc".to_owned(),
                scenario: hostile.clone(),
                started: hostile.clone(),
                finished: false,
            }],
            waiting: vec![hostile.clone()],
            troubles: vec![hostile],
        };
        let history = crate::history::history(
            &[],
            crate::history::Window {
                since: crate::model::Time::UNIX_EPOCH,
                until: crate::model::Time::UNIX_EPOCH,
                parts: 1,
            },
        );
        let page = page(&history, &state).unwrap();
        assert!(!page.html.contains("<script"));
        assert_eq!(page.html.matches("alert(1)").count(), 7);
        assert!(page.html.contains("href=\"/runs/abc\""));
    }
}
