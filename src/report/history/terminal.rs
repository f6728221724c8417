//! A history for people at a terminal: few recipients one by one with their lines and courses, many in a table with a row each.

use super::spark::{self, Blocks};
use super::words;
use crate::explain::span;
use crate::model::{History, Line, RecipientHistory};
use crate::report::paint::{BOLD, DIM, PLAIN, REMARK, Span, outcome_sign, outcome_style};
use crate::report::{Style, text};

/// With more recipients than this each has one row only, unless everything is to be shown.
const ONE_BY_ONE: usize = 4;
/// The columns of a row beside the address and the spark line.
const COURSE: &str = "Course";
const SINCE: usize = 20;
const SHARE: usize = 8;
const MEDIAN: usize = 9;
/// Sentences are not set wider than this: long lines are hard to read.
const PROSE: usize = 110;

/// The history.
pub fn render(history: &History, style: &Style, blocks: Blocks) -> String {
    let page = Page {
        width: style.width.clamp(40, 200),
        color: style.color,
        blocks,
    };
    let mut out = String::new();
    if history.recipients.len() > ONE_BY_ONE && !style.verbose {
        page.table(history, &mut out);
    } else {
        for recipient in &history.recipients {
            page.one(recipient, &mut out);
        }
    }
    if !history.recipients.is_empty() {
        let scale = format!(
            "A sign of a course stands for {}; higher is more success, or a longer time.",
            words::step(history.step_s)
        );
        page.paragraph(0, &scale, DIM, &mut out);
        out.push('\n');
    }
    let (outcome, sentence) = words::headline(history);
    let sentence = if history.recipients.is_empty() {
        format!(
            "No decided run is stored from {} to {} UTC.",
            words::minute(history.since),
            words::minute(history.until)
        )
    } else {
        sentence
    };
    page.paragraph(
        0,
        &format!("{} {sentence}", outcome_sign(outcome)),
        outcome_style(outcome).bold(),
        &mut out,
    );
    out
}

struct Page {
    width: usize,
    color: bool,
    blocks: Blocks,
}

impl Page {
    fn table(&self, history: &History, out: &mut String) {
        let longest = history
            .recipients
            .iter()
            .map(|one| text::width(&text::escape(&one.recipient)))
            .max();
        let course = history.recipients.iter().map(|one| one.course.len()).max().unwrap_or_default();
        let fixed = 2 + 2 + SINCE + 2 + SHARE + 2 + MEDIAN;
        let address = longest
            .unwrap_or_default()
            .clamp(9, self.width.saturating_sub(fixed + course.min(12) + 2).max(15));
        let course = course.min(self.width.saturating_sub(fixed + address + 2));
        // Where its heading has no room, there is no course.
        let (heading, course) = if course < COURSE.len() { ("", 0) } else { (COURSE, course) };
        let head = format!(
            "  {:address$}  {:SINCE$}  {:>SHARE$}  {:>MEDIAN$}  {heading}",
            "Recipient", "Since (UTC)", "Passed", "Median"
        );
        let head = head.trim_end();
        Span::new(head, BOLD).write(self.color, out);
        out.push('\n');
        for one in &history.recipients {
            let style = outcome_style(one.state.outcome);
            Span::new(outcome_sign(one.state.outcome), style).write(self.color, out);
            out.push(' ');
            let name = text::escape(&one.recipient);
            let name = text::shorten_address(&name, address).into_owned();
            let pad = address.saturating_sub(text::width(&name));
            Span::new(&name, PLAIN).write(self.color, out);
            out.extend(std::iter::repeat_n(' ', pad + 2));
            let since = one.state.since.map(|since| {
                let sign = if one.state.at_least { "≤ " } else { "" };
                format!("{sign}{}", words::minute(since))
            });
            let since = if one.flapping {
                Span::new(&format!("{:SINCE$}", "flapping"), REMARK)
            } else {
                Span::new(&format!("{:SINCE$}", since.unwrap_or_else(|| "not measured".to_owned())), PLAIN)
            };
            since.write(self.color, out);
            let median = one.latency.map(|latency| span(latency.median_ms)).unwrap_or_default();
            out.push_str(&format!("  {:>SHARE$}  {median:>MEDIAN$}", words::share(&one.counts)));
            if course > 0 {
                out.push_str("  ");
            }
            let from = one.course.len().saturating_sub(course);
            let shown = one.course.get(from..).unwrap_or_default();
            self.line(&spark::success(shown, self.blocks), out);
        }
        out.push('\n');
    }

    fn one(&self, recipient: &RecipientHistory, out: &mut String) {
        let outcome = recipient.state.outcome;
        Span::new(&format!("{} ", outcome_sign(outcome)), outcome_style(outcome)).write(self.color, out);
        Span::new(&recipient.recipient, BOLD).write(self.color, out);
        if let Some(role) = &recipient.role {
            Span::new(&format!("  {role}"), DIM).write(self.color, out);
        }
        out.push('\n');
        if words::lines_differ(recipient) {
            for line in &recipient.lines {
                self.way(line, out);
            }
        } else {
            self.figures(2, recipient, out);
            if recipient.lines.len() > 1 {
                let ways: Vec<String> = recipient.lines.iter().map(words::way).collect();
                self.paragraph(2, &format!("alike: {}", ways.join("; ")), DIM, out);
            }
        }
        out.push('\n');
    }

    fn figures(&self, indent: usize, recipient: &RecipientHistory, out: &mut String) {
        self.paragraph(indent, &words::sentence(&recipient.state, recipient.flapping), PLAIN, out);
        let tally = format!("{} passed, {}", words::share(&recipient.counts), words::tally(&recipient.counts));
        self.labelled(indent, &spark::success(&recipient.course, self.blocks), &tally, out);
        if let Some(latency) = &recipient.latency {
            self.labelled(
                indent,
                &spark::latency(&recipient.course, self.blocks),
                &words::latencies(latency),
                out,
            );
        }
    }

    fn way(&self, line: &Line, out: &mut String) {
        let outcome = line.state.outcome;
        out.push_str("  ");
        Span::new(&format!("{} ", outcome_sign(outcome)), outcome_style(outcome)).write(self.color, out);
        Span::new(&words::way(line), PLAIN).write(self.color, out);
        out.push('\n');
        self.paragraph(4, &words::sentence(&line.state, line.flapping), PLAIN, out);
        let tally = format!("{} passed, {}", words::share(&line.counts), words::tally(&line.counts));
        self.labelled(4, &spark::success(&line.course, self.blocks), &tally, out);
        if let Some(latency) = &line.latency {
            self.labelled(4, &spark::latency(&line.course, self.blocks), &words::latencies(latency), out);
        }
    }

    /// A spark line and what it says, beside it or below it.
    fn labelled(&self, indent: usize, spark: &[Span], label: &str, out: &mut String) {
        out.extend(std::iter::repeat_n(' ', indent));
        if indent + spark.len() + 2 + text::width(label) <= self.width {
            for sign in spark {
                sign.write(self.color, out);
            }
            out.push_str("  ");
            out.push_str(label);
            out.push('\n');
        } else {
            self.line(spark, out);
            self.paragraph(indent, label, PLAIN, out);
        }
    }

    /// A spark line to the end of its line, without blanks there.
    fn line(&self, spark: &[Span], out: &mut String) {
        let end = spark.iter().rposition(|sign| sign.text() != " ").map_or(0, |last| last + 1);
        for sign in spark.iter().take(end) {
            sign.write(self.color, out);
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }

    fn paragraph(&self, indent: usize, sentence: &str, style: anstyle::Style, out: &mut String) {
        for line in text::wrap(&text::escape(sentence), self.width.min(PROSE).saturating_sub(indent)) {
            out.extend(std::iter::repeat_n(' ', indent));
            Span::new(&line, style).write(self.color, out);
            out.push('\n');
        }
    }
}
