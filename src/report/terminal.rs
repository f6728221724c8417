//! The report for people: a table, worst first; each failure with its evidence; the roles; one headline.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::paint::{BOLD, DIM, PLAIN, Span, outcome_sign, outcome_style};
use super::rows::{self, Layout};
use super::table::{self, Column, Fit, Row};
use super::{Style, comparison, evidence, text};
use crate::explain::{queue_id, span};
use crate::model::{Judged, JudgedProbe, Outcome, Verdict, time};
use std::collections::BTreeMap;

/// With more passed probes than this, they are counted by role and route instead.
const PASSED_ONE_BY_ONE: usize = 40;
/// How many are named where a failure repeats, or runs are many.
const NAMED: usize = 8;
/// Sentences are not set wider than this: long lines are hard to read.
const PROSE: usize = 110;
const LABEL: usize = 13;

/// The report.
pub fn render(judged: &Judged, style: &Style) -> String {
    let page = Page {
        width: style.width.max(40),
        color: style.color,
        verbose: style.verbose,
    };
    let mut out = String::new();
    if !judged.probes.is_empty() {
        page.probes(judged, &mut out);
        page.failures(judged, &mut out);
    }
    page.blind(judged, &mut out);
    page.roles(judged, &mut out);
    for parity in &judged.parity {
        out.push('\n');
        out.push_str(&comparison::parity::terminal(parity, style));
    }
    page.headline(judged, &mut out);
    out
}

struct Page {
    width: usize,
    color: bool,
    verbose: bool,
}

impl Page {
    fn probes(&self, judged: &Judged, out: &mut String) {
        let probes = worst_first(judged);
        let passed = probes.iter().filter(|probe| probe.outcome == Outcome::Passed).count();
        let one_by_one = self.verbose || passed <= PASSED_ONE_BY_ONE;
        let (single, counted): (Vec<&JudgedProbe>, Vec<&JudgedProbe>) =
            probes.into_iter().partition(|probe| one_by_one || probe.outcome != Outcome::Passed);
        let rows = |layout| {
            single
                .iter()
                .flat_map(|probe| rows::of_probe(probe, layout))
                .chain(rows::of_many(&counted, layout))
                .collect()
        };

        let mut table = (rows::COLUMNS.to_vec(), rows(Layout::Wide));
        leave_out(&constant(judged, true), &mut table);
        if table::comfortable_width(&table.0, &table.1) > self.width {
            table = (rows::COLUMNS.to_vec(), rows(Layout::Narrow));
            let mut unneeded = constant(judged, true);
            // Its words stand below the rows.
            unneeded.push(("Case", String::new()));
            leave_out(&unneeded, &mut table);
        }
        let mut said = Vec::new();
        for (title, value) in constant(judged, false) {
            if table::comfortable_width(&table.0, &table.1) > self.width {
                said.push(format!("{} {value}", title.to_lowercase()));
                leave_out(&[(title, value)], &mut table);
            }
        }
        if !said.is_empty() {
            Span::new(&format!("Every probe: {}", said.join(", ")), DIM).write(self.color, out);
            out.push('\n');
        }
        table::write(&table.0, &table.1, self.width, self.color, out);
    }

    fn failures(&self, judged: &Judged, out: &mut String) {
        for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Waived, Outcome::Passed] {
            let shown = match outcome {
                Outcome::Failed | Outcome::Unknown => true,
                Outcome::Waived => self.verbose,
                Outcome::Passed => false,
            };
            let probes = worst_first(judged)
                .into_iter()
                .filter(|probe| probe.outcome == outcome && (shown || self.verbose && probe.remedy.is_some()));
            let mut alike: Vec<(String, Vec<&JudgedProbe>)> = Vec::new();
            let mut index: BTreeMap<String, usize> = BTreeMap::new();
            for probe in probes {
                let cause = if self.verbose { probe.id.to_string() } else { cause(probe) };
                let at = *index.entry(cause.clone()).or_insert(alike.len());
                match alike.get_mut(at) {
                    Some((_, probes)) => probes.push(probe),
                    None => alike.push((cause, vec![probe])),
                }
            }
            for (_, probes) in alike {
                if let Some((first, others)) = probes.split_first() {
                    out.push('\n');
                    self.failure(first, others, out);
                }
            }
        }
    }

    /// One failure, and who else has the same.
    fn failure(&self, probe: &JudgedProbe, others: &[&JudgedProbe], out: &mut String) {
        let color = outcome_style(probe.outcome);
        let mut via = format!("{} by {}", probe.message, probe.route);
        if let Some(case) = &probe.case {
            via.push_str(&format!(", case “{case}”"));
        }
        if let Some(role) = &probe.role {
            via.push_str(&format!(", {role}"));
        }
        Span::new(&format!("{} ", outcome_sign(probe.outcome)), color).write(self.color, out);
        let address = Span::new(&probe.recipient, BOLD);
        let rest = self.width.saturating_sub(2);
        address.with(text::shorten_address(address.text(), rest)).write(self.color, out);
        let via = Span::new(&via, DIM);
        if 2 + address.width() + 2 + via.width() <= self.width {
            out.push_str("  ");
        } else {
            out.push_str("\n  ");
        }
        via.with(text::shorten(via.text(), rest)).write(self.color, out);
        out.push('\n');

        self.prose(2, "", &probe.explanation, PLAIN, out);
        if let Some(remedy) = &probe.remedy {
            self.prose(2, "→ ", remedy, BOLD, out);
        }
        for (label, line) in evidence::lines(probe) {
            self.labelled(label, &line, out);
        }
        if !others.is_empty() {
            let mut named: Vec<String> = others.iter().take(NAMED).map(|probe| named(probe)).collect();
            if others.len() > NAMED {
                named.push(format!("{} more in the table", others.len() - NAMED));
            }
            self.labelled("the same for", &named.join(", "), out);
        }
    }

    /// A wrapped paragraph, with `sign` before its first line.
    fn prose(&self, indent: usize, sign: &str, sentence: &str, style: anstyle::Style, out: &mut String) {
        let hanging = indent + text::width(sign);
        let columns = self.width.min(PROSE).saturating_sub(hanging);
        for (index, line) in text::wrap(&text::escape(sentence), columns).into_iter().enumerate() {
            out.extend(std::iter::repeat_n(' ', if index == 0 { indent } else { hanging }));
            Span::new(&format!("{}{line}", if index == 0 { sign } else { "" }), style).write(self.color, out);
            out.push('\n');
        }
    }

    /// A label and its text, wrapped beside it.
    fn labelled(&self, label: &str, line: &str, out: &mut String) {
        let columns = self.width.saturating_sub(2 + LABEL);
        for (index, line) in text::wrap(&text::escape(line), columns).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            out.push_str("  ");
            Span::new(&format!("{label:LABEL$}"), DIM).write(self.color, out);
            out.push_str(&line);
            out.push('\n');
        }
    }

    fn blind(&self, judged: &Judged, out: &mut String) {
        if judged.blind.is_empty() {
            return;
        }
        out.push('\n');
        self.prose(0, "", "Mailboxes that could not be read:", BOLD, out);
        for (mailbox, reason) in &judged.blind {
            self.prose(2, "? ", &format!("{mailbox}: {reason}"), PLAIN, out);
        }
    }

    fn roles(&self, judged: &Judged, out: &mut String) {
        if judged.roles.is_empty() {
            return;
        }
        let columns = [
            Column {
                title: "Role",
                fit: Fit::Shorten,
                right: false,
            },
            Column {
                title: "Holders",
                fit: Fit::Whole,
                right: true,
            },
            Column {
                title: "Reachable",
                fit: Fit::Whole,
                right: true,
            },
            Column {
                title: "Covered",
                fit: Fit::Whole,
                right: true,
            },
        ];
        let mut roles: Vec<_> = judged.roles.iter().collect();
        roles.sort_by_key(|role| rank(role.outcome));
        let number = |number: u32| vec![Span::new(&number.to_string(), PLAIN)];
        let rows: Vec<Row> = roles
            .iter()
            .map(|role| {
                let sign = Span::new(outcome_sign(role.outcome), outcome_style(role.outcome));
                Row::from(vec![
                    vec![sign, Span::new(&role.role, PLAIN)],
                    number(role.holders),
                    number(role.reachable),
                    number(role.covered),
                ])
            })
            .collect();
        out.push('\n');
        table::write(&columns, &rows, self.width, self.color, out);
    }

    fn headline(&self, judged: &Judged, out: &mut String) {
        if !out.is_empty() {
            out.push('\n');
        }
        let (outcome, sentence) = headline(judged);
        let sign = format!("{} ", outcome_sign(outcome));
        self.prose(0, &sign, &sentence, outcome_style(outcome).bold(), out);
    }
}

/// The worst outcome, and everything in one sentence.
fn headline(judged: &Judged) -> (Outcome, String) {
    let summary = &judged.summary;
    let outcome = match summary {
        summary if summary.failed > 0 => Outcome::Failed,
        summary if summary.unknown > 0 => Outcome::Unknown,
        _ => Outcome::Passed,
    };
    let mut sentence = if summary.probes == 0 {
        "Nothing to do: there are no probes".to_owned()
    } else {
        let noun = if summary.probes == 1 { "probe" } else { "probes" };
        format!("{} of {} {noun} passed", summary.passed, summary.probes)
    };
    for (count, word) in [(summary.failed, "failed"), (summary.waived, "waived"), (summary.unknown, "unknown")] {
        if count > 0 {
            sentence.push_str(&format!(", {count} {word}"));
        }
    }
    match judged.runs.as_slice() {
        [] => {}
        [run] => {
            sentence.push_str(&format!("; run {} of “{}”", run.id, run.scenario));
            if let Some(change) = &run.change {
                sentence.push_str(&format!(" for {change}"));
            }
            sentence.push_str(&format!(", started {} UTC", run.started_at.format("%Y-%m-%d %H:%M:%S")));
            sentence.push_str(&match run.finished_at {
                Some(finished) => format!(", took {}", span(time::milliseconds(run.started_at, finished))),
                None => ", not ended yet".to_owned(),
            });
        }
        runs => {
            let ids: Vec<&str> = runs.iter().take(NAMED).map(|run| run.id.as_str()).collect();
            let more = if runs.len() > NAMED {
                format!(" and {} more", runs.len() - NAMED)
            } else {
                String::new()
            };
            sentence.push_str(&format!("; {} runs: {}{more}", runs.len(), ids.join(", ")));
        }
    }
    sentence.push('.');
    (outcome, sentence)
}

/// The columns that say the same of every probe, and what they say: those that nobody needs, or those that can be said once.
fn constant(judged: &Judged, unneeded: bool) -> Vec<(&'static str, String)> {
    type Said = fn(&JudgedProbe) -> &str;
    let columns: [(&str, Said); 4] = [
        ("Run", |probe| probe.run.as_str()),
        ("Case", rows::case),
        ("Message", |probe| &probe.message),
        ("Route", |probe| &probe.route),
    ];
    let mut constant = Vec::new();
    for (title, said) in columns {
        let Some(first) = judged.probes.first().map(said) else { continue };
        let always = judged.probes.iter().all(|probe| said(probe) == first);
        // The one run stands in the headline.
        if always && (title == "Run" || first.is_empty()) == unneeded {
            constant.push((title, first.to_owned()));
        }
    }
    constant
}

/// Takes columns out of a table.
fn leave_out(titles: &[(&str, String)], (columns, rows): &mut (Vec<Column>, Vec<Row>)) {
    for (title, _) in titles {
        if let Some(index) = columns.iter().position(|column| column.title == *title) {
            columns.remove(index);
            for row in rows.iter_mut() {
                row.remove(index);
            }
        }
    }
}

/// The probes by their outcome and, within it, by how bad the verdict is.
fn worst_first(judged: &Judged) -> Vec<&JudgedProbe> {
    const BAD: [Verdict; 8] = [
        Verdict::Lost,
        Verdict::Elsewhere,
        Verdict::Deleted,
        Verdict::Bounced,
        Verdict::Rejected,
        Verdict::Quarantine,
        Verdict::Junk,
        Verdict::Partial,
    ];
    let badness = |verdict: Verdict| BAD.iter().position(|bad| *bad == verdict).unwrap_or(BAD.len());
    let mut probes: Vec<&JudgedProbe> = judged.probes.iter().collect();
    probes.sort_by_key(|probe| (rank(probe.outcome), badness(probe.verdict)));
    probes
}

/// Worst first.
fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 0,
        Outcome::Unknown => 1,
        Outcome::Waived => 2,
        Outcome::Passed => 3,
    }
}

/// An address, and by what to find its message in the next hop's log.
fn named(probe: &JudgedProbe) -> String {
    let id = probe.attempts.last().and_then(|last| queue_id(&last.reply.text));
    id.map_or_else(|| probe.recipient.clone(), |id| format!("{} (queue id {id})", probe.recipient))
}

/// What makes two failures the same to whoever mends them: all that was said and measured, except of whom and when.
fn cause(probe: &JudgedProbe) -> String {
    let said = probe
        .attempts
        .last()
        .map(|attempt| (&attempt.host, &attempt.stage, attempt.reply.code, &attempt.reply.enhanced));
    let returned = probe.dsn.as_ref().map(|dsn| (dsn.action, &dsn.status, &dsn.reporting_mta));
    let unmet: Vec<&str> = probe
        .requirements
        .iter()
        .filter(|requirement| !requirement.holds)
        .map(|requirement| requirement.name.as_str())
        .collect();
    let what = (probe.outcome, probe.verdict, &probe.flags, &probe.folder, &probe.reason);
    let asked = (&probe.route, &probe.message, &probe.case, &probe.expected);
    // A remedy that names somebody is for that one address.
    let owner = probe
        .owner
        .as_ref()
        .filter(|owner| probe.remedy.as_ref().is_some_and(|remedy| remedy.contains(*owner)));
    let members: Vec<Verdict> = probe.members.iter().map(|member| member.verdict).collect();
    let further = (owner, &probe.waiver);
    format!("{what:?}{asked:?}{said:?}{returned:?}{unmet:?}{members:?}{further:?}")
}
