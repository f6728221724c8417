//! The report for people: a table, worst first; each failure with its evidence; the roles; one headline.

use super::order::{alike, named, rank, worst_first};
use super::paint::{BOLD, DIM, PLAIN, Span, outcome_sign, outcome_style};
use super::rows::{self, Layout};
use super::sheet::Sheet;
use super::table::{self, Column, Fit, Row};
use super::{Style, comparison, evidence, headline, later, text};
use crate::model::{Judged, JudgedProbe, Outcome};

/// With more passed probes than this, they are counted by role and route instead.
const PASSED_ONE_BY_ONE: usize = 40;
/// How many are named where a failure repeats.
const NAMED: usize = 8;

/// The report.
pub fn render(judged: &Judged, style: &Style) -> String {
    let mut page = Page {
        sheet: Sheet::new(style),
        verbose: style.verbose,
    };
    if !judged.probes.is_empty() {
        page.probes(judged);
        page.failures(judged);
        later::write(judged, &mut page.sheet);
    }
    page.blind(judged);
    page.roles(judged);
    for parity in &judged.parity {
        page.sheet.gap();
        page.sheet.out.push_str(&comparison::parity::terminal(parity, style));
    }
    page.headline(judged);
    page.sheet.out
}

struct Page {
    sheet: Sheet,
    verbose: bool,
}

impl Page {
    fn probes(&mut self, judged: &Judged) {
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
        if table::comfortable_width(&table.0, &table.1) > self.sheet.width {
            table = (rows::COLUMNS.to_vec(), rows(Layout::Narrow));
            let mut unneeded = constant(judged, true);
            // Its words stand below the rows.
            unneeded.push(("Case", String::new()));
            leave_out(&unneeded, &mut table);
        }
        let mut said = Vec::new();
        for (title, value) in constant(judged, false) {
            if table::comfortable_width(&table.0, &table.1) > self.sheet.width {
                said.push(format!("{} {value}", title.to_lowercase()));
                leave_out(&[(title, value)], &mut table);
            }
        }
        if !said.is_empty() {
            self.sheet.line(&[Span::new(&format!("Every probe: {}", said.join(", ")), DIM)]);
        }
        self.sheet.table(&table.0, &table.1);
    }

    fn failures(&mut self, judged: &Judged) {
        for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Waived, Outcome::Passed] {
            let shown = match outcome {
                Outcome::Failed | Outcome::Unknown => true,
                Outcome::Waived => self.verbose,
                Outcome::Passed => false,
            };
            let probes = worst_first(judged)
                .into_iter()
                .filter(|probe| probe.outcome == outcome && (shown || self.verbose && probe.remedy.is_some()));
            let groups = if self.verbose {
                probes.map(|probe| vec![probe]).collect()
            } else {
                alike(probes)
            };
            for probes in groups {
                if let Some((first, others)) = probes.split_first() {
                    self.sheet.gap();
                    self.failure(first, others);
                }
            }
        }
    }

    /// One failure, and who else has the same.
    fn failure(&mut self, probe: &JudgedProbe, others: &[&JudgedProbe]) {
        let via = text::via(&probe.message, Some(&probe.route), probe.case.as_deref(), probe.role.as_deref());
        let sign = Span::new(outcome_sign(probe.outcome), outcome_style(probe.outcome));
        self.sheet.title(sign, &probe.recipient, &via);
        self.sheet.prose(2, "", &probe.explanation, PLAIN);
        if let Some(remedy) = &probe.remedy {
            self.sheet.prose(2, "→ ", remedy, BOLD);
        }
        for (label, line) in evidence::lines(probe) {
            self.sheet.labelled(label, &line, PLAIN);
        }
        if !others.is_empty() {
            let mut named: Vec<String> = others.iter().take(NAMED).map(|probe| named(probe)).collect();
            if others.len() > NAMED {
                named.push(format!("{} more in the table", others.len() - NAMED));
            }
            self.sheet.labelled("the same for", &named.join(", "), PLAIN);
        }
    }

    fn blind(&mut self, judged: &Judged) {
        if judged.blind.is_empty() {
            return;
        }
        self.sheet.gap();
        self.sheet.prose(0, "", "Mailboxes that could not be read:", BOLD);
        for (mailbox, reason) in &judged.blind {
            self.sheet.prose(2, "? ", &format!("{mailbox}: {reason}"), PLAIN);
        }
    }

    fn roles(&mut self, judged: &Judged) {
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
        self.sheet.gap();
        self.sheet.table(&columns, &rows);
    }

    fn headline(&mut self, judged: &Judged) {
        self.sheet.gap();
        let (outcome, sentence) = headline::headline(judged);
        let sign = format!("{} ", outcome_sign(outcome));
        self.sheet.prose(0, &sign, &sentence, outcome_style(outcome).bold());
    }
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
