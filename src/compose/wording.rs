//! The words of a probe: what it is, why it came, that nothing needs to be done, whom to ask, and its tag. They vary a little from probe to probe,
//! since filters take a text that comes again and again for bulk mail; which variant is taken follows from the tag.

use super::{Plan, Probe, header::domain_of};
use crate::model::Time;

/// The octets after which a line of text is broken, where it has a space: what every reader shows without breaking it again.
const LINE: usize = 72;
/// The most characters that a name out of the site or the scenario adds to the text.
const LONGEST_NAME: usize = 240;

/// What a probe's text is made of.
pub(super) struct Wording<'a> {
    /// The tag.
    pub tag: &'a str,
    /// The address it goes to.
    pub recipient: String,
    /// The role that it holds.
    pub role: Option<String>,
    /// The sender's address.
    pub sender: String,
    /// The sender's domain, fit for a URL.
    pub domain: String,
    /// Whom to ask.
    pub contact: Option<String>,
    /// The scenario's name.
    pub scenario: String,
    /// The change number.
    pub change: Option<String>,
    /// When the run started.
    pub started: Time,
}

impl<'a> Wording<'a> {
    pub fn new(plan: &Plan, probe: &'a Probe) -> Self {
        let recipient = plan.recipient(probe);
        let sender = plan.sender(probe);
        Self {
            tag: probe.tag.as_str(),
            recipient: one_line(&recipient.address),
            role: recipient.role.as_deref().map(one_line),
            sender: one_line(&sender.address),
            contact: sender.contact.as_deref().map(one_line),
            scenario: one_line(&plan.run.scenario),
            change: plan.run.change.as_deref().map(one_line),
            domain: domain_of(sender),
            started: plan.run.started_at,
        }
    }

    /// The link of this probe. It leads to the sender's own domain, whose owner alone decides what stands there; mailflow never follows it.
    pub fn link(&self) -> String {
        format!("https://{}/mailflow/{}", self.domain, self.tag)
    }

    /// Six digits that follow from the tag.
    pub fn code(&self) -> String {
        let number = self
            .tag
            .bytes()
            .fold(0_u32, |number, byte| (number.wrapping_mul(37) + u32::from(byte)) % 1_000_000);
        format!("{number:06}")
    }

    /// What stands in the text file of an archive.
    pub fn enclosed(&self) -> String {
        let said = [
            "This file was attached to a test message by mailflow, a program that measures whether mail reaches the people and roles it is meant for.",
            "Nothing needs to be done. The message itself says whom to ask.",
        ];
        format!("{}\r\n\r\n{}\r\n\r\nReference: {}\r\n", fill(said[0]), fill(said[1]), self.tag)
    }

    /// The subject. The tag is one word of ASCII, so that neither folding nor encoding parts it.
    pub fn subject(&self) -> String {
        let whom = self.role.as_deref().unwrap_or(&self.recipient);
        format!("Mail-flow test for {whom} [tag {}]", self.tag)
    }

    /// The paragraphs of the text, each without line breaks; the last one holds the tag.
    pub fn paragraphs(&self) -> Vec<String> {
        let greeting = self.choose(0, &["Hello,", "Good day,", "Hello there,", "Greetings,"]);
        let what = self.choose(1, &[
            "this is a test message. A program called mailflow sent it, to measure whether mail reaches the people and roles it is meant for.",
            "this message is a test of the mail system. It was sent by mailflow, a program that measures whether mail reaches the people and roles it is meant for.",
            "you are reading a test message. It comes from mailflow, a program that finds out whether mail for people and roles arrives, and where.",
        ]);
        let role = self.role.as_ref().map_or_else(String::new, |role| format!(" (role: {role})"));
        let change = self
            .change
            .as_ref()
            .map_or_else(String::new, |change| format!(" (change {change})"));
        let why = match self.pick(2, 3) {
            0 => format!(
                "It came to {}{role}, because that address takes part in the test \"{}\"{change}.",
                self.recipient, self.scenario
            ),
            1 => format!(
                "The test is called \"{}\"{change}. Its address is {}{role}.",
                self.scenario, self.recipient
            ),
            _ => format!(
                "Why it came: {}{role} is one of the addresses of the test \"{}\"{change}.",
                self.recipient, self.scenario
            ),
        };
        let nothing = self.choose(
            3,
            &[
                "Nothing needs to be done, and no answer is expected.",
                "There is nothing to do about it, and no need to answer.",
                "No action and no answer is needed.",
            ],
        );
        let ask = match &self.contact {
            Some(contact) => match self.pick(4, 3) {
                0 => format!("If you have a question about it, please ask {contact}."),
                1 => format!("Questions about this test are answered by {contact}."),
                _ => format!("Please ask {contact} if you would like to know more."),
            },
            None => format!("Questions about this test may be sent to {}.", self.sender),
        };
        let reference = self.choose(5, &["Reference:", "Reference of this message:", "Its reference:"]);
        vec![
            greeting.to_owned(),
            what.to_owned(),
            why,
            format!("{nothing} {ask}"),
            format!("{reference} {}", self.tag),
        ]
    }

    /// The whole text, its lines broken; the `extra` paragraphs stand before the last one.
    pub fn text(&self, extra: &[&str]) -> String {
        let mut paragraphs = self.paragraphs();
        let last = paragraphs.len().saturating_sub(1);
        paragraphs.splice(last..last, extra.iter().map(|&text| text.to_owned()));
        let filled: Vec<String> = paragraphs.iter().map(|text| fill(text)).collect();
        filled.join("\r\n\r\n")
    }

    fn choose(&self, place: usize, variants: &[&'static str]) -> &'static str {
        variants.get(self.pick(place, variants.len())).copied().unwrap_or_default()
    }

    /// A number below `count` that depends on the tag and on the place in the text. The tag's last characters are those of a hash: evenly spread.
    fn pick(&self, place: usize, count: usize) -> usize {
        let byte = self.tag.bytes().rev().nth(place).unwrap_or_default();
        usize::from(byte) % count.max(1)
    }
}

/// `text` with its spaces turned into line breaks where a line would grow too long. Words are never parted.
pub(super) fn fill(text: &str) -> String {
    let mut filled = String::with_capacity(text.len() + text.len() / LINE * 2);
    let mut length = 0;
    for word in text.split(' ') {
        if length > 0 && length + 1 + word.len() > LINE {
            filled.push_str("\r\n");
            length = 0;
        } else if length > 0 {
            filled.push(' ');
            length += 1;
        }
        filled.push_str(word);
        length += word.len();
    }
    filled
}

/// A name out of a configuration file, fit for a line of text: no control characters, white space collapsed, bounded.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(LONGEST_NAME).collect()
}
