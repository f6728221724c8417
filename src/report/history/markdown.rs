//! A history as Markdown: a table with a row for each recipient, and one for each of its lines where they differ.

use super::spark::{self, Blocks};
use super::words;
use crate::explain::span;
use crate::model::{Counts, History, Latencies, Part, Present};
use crate::report::{escape, outcome_sign};

pub fn render(history: &History) -> String {
    let (outcome, sentence) = words::headline(history);
    let mut out = format!("## {} {sentence}\n\n", outcome_sign(outcome));
    out.push_str("| | Recipient | State | Passed | Median | 19 of 20 | Course |\n|---|---|---|---:|---:|---:|---|\n");
    for recipient in &history.recipients {
        let role = recipient.role.as_deref().map(|role| format!(" ({role})")).unwrap_or_default();
        row(
            &format!("{}{role}", recipient.recipient),
            (&recipient.state, recipient.flapping),
            &recipient.counts,
            recipient.latency.as_ref(),
            &recipient.course,
            &mut out,
        );
        for line in recipient.lines.iter().filter(|_| words::lines_differ(recipient)) {
            row(
                &format!("… {}", words::way(line)),
                (&line.state, line.flapping),
                &line.counts,
                line.latency.as_ref(),
                &line.course,
                &mut out,
            );
        }
    }
    out.push_str(&format!("\nA sign of a course stands for {}.\n", words::step(history.step_s)));
    out
}

fn row(name: &str, (state, flapping): (&Present, bool), counts: &Counts, latency: Option<&Latencies>, course: &[Part], out: &mut String) {
    let signs: String = spark::success(course, Blocks::Unicode)
        .iter()
        .map(|sign| sign.text().to_owned())
        .collect();
    let course = if signs.trim().is_empty() {
        String::new()
    } else {
        format!("`{signs}`")
    };
    let figure = |figure: Option<f64>| figure.map(span).unwrap_or_default();
    out.push_str(&format!(
        "| {} | {} | {} | {} | {} | {} | {course} |\n",
        outcome_sign(state.outcome),
        cell(name),
        cell(&words::sentence(state, flapping)),
        words::share(counts),
        figure(latency.map(|latency| latency.median_ms)),
        figure(latency.and_then(|latency| latency.p95_ms)),
    ));
}

/// Text that means nothing to Markdown and HTML: what would be markup is a character reference.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for character in escape(text).chars() {
        if character.is_alphanumeric()
            || matches!(character, ' ' | '.' | ',' | ';' | '-' | '@' | '(' | ')' | '%' | '“' | '”' | '…')
            || !character.is_ascii()
        {
            safe.push(character);
        } else {
            safe.push_str(&format!("&#{};", u32::from(character)));
        }
    }
    safe
}
