//! The view of a run while it goes, on standard error: what was decided scrolls by, how things stand is drawn below it again and again.
//! Without a terminal there are plain lines instead, few of them.
//!
//! What it cannot do: clean up after a process that is killed outright. It hides no cursor and changes no mode, so that nothing is
//! left behind but its last lines.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

mod frame;

use super::paint::{self, Span};
use super::text::{self, counted};
use crate::explain::span;
use crate::model::{News, Outcome, Phase, Progress, Time, time};
use frame::frame;
use std::io::{self, Write};
use std::time::Duration;

/// So many probes are told one by one, whatever came of them. Then only what did not pass is told, up to `TROUBLES`.
const NEWS: usize = 40;
const TROUBLES: usize = 100;
/// Without a terminal: how often a line says how things stand.
const LULL: Duration = Duration::from_secs(30);

/// How a view shows things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Silent,
    Lines,
    Drawn,
}

/// The view. It cleans up when it is dropped.
pub struct Live<W: Write = io::Stderr> {
    out: W,
    manner: Manner,
    color: bool,
    size: fn() -> (usize, usize),
    /// The widths of the lines that are drawn now.
    drawn: Vec<usize>,
    told: usize,
    troubles: usize,
    phase: Option<Phase>,
    said_at: Option<Time>,
}

impl Live {
    /// A view on standard error. `terminal`: whether that is one; `quiet`: show nothing at all.
    pub fn new(terminal: bool, color: bool, quiet: bool) -> Self {
        let manner = match (quiet, terminal) {
            (true, _) => Manner::Silent,
            (false, true) => Manner::Drawn,
            (false, false) => Manner::Lines,
        };
        Self::on(io::stderr(), manner, color, size_of_terminal)
    }
}

impl<W: Write> Live<W> {
    fn on(out: W, manner: Manner, color: bool, size: fn() -> (usize, usize)) -> Self {
        Self {
            out,
            manner,
            color,
            size,
            drawn: Vec::new(),
            told: 0,
            troubles: 0,
            phase: None,
            said_at: None,
        }
    }

    /// Shows how things stand. A reader that has gone away is no error: the run goes on.
    pub fn show(&mut self, progress: &Progress) {
        let shown = match self.manner {
            Manner::Silent => Ok(()),
            Manner::Lines => self.say(progress),
            Manner::Drawn => self.draw(progress),
        };
        if shown.is_err() {
            self.manner = Manner::Silent;
        }
    }

    fn draw(&mut self, progress: &Progress) -> io::Result<()> {
        let (columns, rows) = (self.size)();
        let width = columns.saturating_sub(1).max(20);
        // One write: the terminal never shows half of it. Terminals that know synchronised output (mode 2026) do not even flicker.
        let mut out = String::from("\x1b[?2026h");
        self.erase(columns, &mut out);
        for news in &progress.news {
            if let Some(line) = self.news(news, width) {
                line.write(self.color, &mut out);
            }
        }
        if progress.phase == Phase::Ended {
            // Sets the report off that follows.
            out.push('\n');
        } else {
            for line in frame(progress, width, rows.saturating_sub(1)) {
                self.drawn.push(line.width());
                line.write(self.color, &mut out);
            }
        }
        out.push_str("\x1b[?2026l");
        self.out.write_all(out.as_bytes())?;
        self.out.flush()
    }

    /// Takes back what is drawn. If the terminal has become narrower since, each line takes several rows now.
    fn erase(&mut self, columns: usize, out: &mut String) {
        let rows: usize = self.drawn.drain(..).map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        if rows > 0 {
            out.push_str(&format!("\r\x1b[{rows}A\x1b[J"));
        }
    }

    fn say(&mut self, progress: &Progress) -> io::Result<()> {
        const WIDE: usize = 200;
        let mut out = String::new();
        let started = self.phase.replace(progress.phase) != Some(progress.phase);
        match progress.phase {
            Phase::Opening if started => out.push_str(&format!("opening {}\n", counted(progress.mailboxes, "mailbox", "mailboxes"))),
            Phase::Running if started => out.push_str(&format!("sending {}\n", counted(progress.probes, "probe", "probes"))),
            Phase::TakenUp if started => out.push_str(&format!(
                "taking up {}; nothing is sent\n",
                counted(progress.probes, "probe", "probes")
            )),
            Phase::Stopping if started => out.push_str("stopping, once the attempts under way have ended\n"),
            _ => {}
        }
        for news in progress.news.iter().filter(|news| news.outcome != Outcome::Passed) {
            if let Some(line) = self.news(news, WIDE) {
                line.write(self.color, &mut out);
            }
        }
        if progress.phase == Phase::Ended && started {
            out.push_str(&format!(
                "ended after {}\n",
                span(time::milliseconds(progress.started_at, progress.at))
            ));
        }
        if !out.is_empty() {
            self.said_at = Some(progress.at);
        }
        if progress.phase != Phase::Ended && self.said_at.is_none_or(|said| progress.at >= time::later(said, LULL)) {
            out.push_str(&frame::status(progress));
            out.push('\n');
            self.said_at = Some(progress.at);
        }
        self.out.write_all(out.as_bytes())?;
        self.out.flush()
    }

    /// A line about a probe that was decided; `None` where there have been too many.
    fn news(&mut self, news: &News, width: usize) -> Option<Line> {
        let trouble = news.outcome != Outcome::Passed;
        self.told += 1;
        self.troubles += usize::from(trouble);
        let shown = if trouble { self.troubles } else { self.told };
        let most = if trouble { TROUBLES } else { NEWS };
        if shown > most + 1 || !trouble && shown > most {
            return None;
        }
        if shown > most {
            return Some(Line::default().then("… further ones are counted below; the report has them all", paint::DIM));
        }
        let style = paint::outcome_style(news.outcome);
        let verdict = news.verdict.word();
        let latency = news.latency_ms.map(|latency| format!(" {}", span(latency))).unwrap_or_default();
        let via = format!("{} by {}", news.message, news.route);
        // Sign, verdict and latency stay whole; of what is left, the way gets less than the address.
        let left = width.saturating_sub(2 + 2 + text::width(verdict) + text::width(&latency) + 2);
        let address = Span::new(&news.recipient, paint::PLAIN);
        let via = Span::new(&via, paint::DIM);
        let for_via = via.width().min(left.saturating_sub(address.width()).max(left / 3));
        let for_address = left.saturating_sub(for_via);
        Some(
            Line::default()
                .then(paint::outcome_sign(news.outcome), style)
                .then(" ", paint::PLAIN)
                .span(address.with(text::shorten_address(address.text(), for_address)))
                .then("  ", paint::PLAIN)
                .span(via.with(text::shorten(via.text(), for_via)))
                .then("  ", paint::PLAIN)
                .then(verdict, style)
                .then(&latency, paint::PLAIN),
        )
    }
}

impl<W: Write> Drop for Live<W> {
    fn drop(&mut self) {
        if !self.drawn.is_empty() {
            let mut out = String::new();
            self.erase((self.size)().0, &mut out);
            // Nobody is left to be told of an error.
            let _ = self.out.write_all(out.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

/// Columns and rows of the terminal on standard error or output.
fn size_of_terminal() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(io::stderr()).or_else(terminal_size::terminal_size);
    size.map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)))
}

/// One line, in several styles.
#[derive(Debug, Default)]
struct Line(Vec<Span>);

impl Line {
    fn then(self, text: &str, style: anstyle::Style) -> Self {
        self.span(Span::new(text, style))
    }

    fn span(mut self, span: Span) -> Self {
        self.0.push(span);
        self
    }

    fn width(&self) -> usize {
        self.0.iter().map(Span::width).sum()
    }

    fn write(&self, color: bool, out: &mut String) {
        for span in &self.0 {
            span.write(color, out);
        }
        out.push('\n');
    }

    /// Cut to so many columns.
    fn within(self, width: usize) -> Self {
        let mut left = width;
        let cut = |span: Span| {
            let short = text::shorten(span.text(), left).into_owned();
            left = left.saturating_sub(text::width(&short));
            span.with(short)
        };
        Self(self.0.into_iter().map(cut).collect())
    }
}

#[cfg(test)]
mod tests;
