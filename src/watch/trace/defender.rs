//! What Microsoft Defender knows of a message that the trace shows as held, refused or given up: the policy, the threat, and by what it was found.
//!
//! Asked only where the site names a way, about nothing but messages whose row the trace showed with a tag of ours that verifies, and for a bounded
//! time: verdicts neither need it nor wait long for it. Which licences carry it is not known for sure (Defender XDR with Defender for Office 365
//! Plan 2, unverified), nor how soon a message shows; what shows after the last look of a run is not told.

use super::{analyzed, ask, hunting};
use crate::{
    microsoft::{Error, Graph, Kind},
    model::{DefenderFinding, Time, TraceExplainer},
    watch::graph::Reason,
};
use chrono::TimeDelta;
use serde_json::Value;
use std::collections::HashMap;
use tokio::time::Instant;

/// As [`ask::short`] cuts the words of Defender, and how many of one sort are kept.
const LONGEST: usize = 120;
const MOST_WORDS: usize = 4;
/// More than the replies that are asked for can need.
pub(super) const LARGEST: usize = 4 << 20;
/// The clocks of this machine and of the service need not agree.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// Asks Defender in the way that the site names.
pub(super) struct Defender {
    graph: Graph,
    way: TraceExplainer,
}

/// The id of a message in Exchange Online: a GUID, and nothing but a GUID. Only as such does it go into a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NetworkId(String);

/// A message and a recipient, the latter in lower case.
pub(super) type Asked = (NetworkId, String);

/// The time in which the messages came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: Time,
    pub(super) to: Time,
}

impl NetworkId {
    /// Eight, four, four, four and twelve hexadecimal digits with a hyphen between (RFC 9562 section 4); `None` for anything else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let digits = |group: &str, length: usize| group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_guid = groups.len() == 5 && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| digits(group, length));
        is_guid.then(|| Self(text.to_ascii_lowercase()))
    }

    /// That of no message.
    pub(super) fn nil() -> Self {
        Self("00000000-0000-0000-0000-000000000000".to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Defender {
    pub(super) fn new(graph: Graph, way: TraceExplainer) -> Self {
        Self { graph, way }
    }

    /// About how many messages it may be asked at one time.
    pub(super) fn at_once(&self) -> usize {
        match self.way {
            TraceExplainer::Hunting => hunting::AT_ONCE,
            TraceExplainer::AnalyzedEmails => analyzed::AT_ONCE,
        }
    }

    /// What it says of these messages, as far as it knows them yet; and why it did not answer, if so.
    pub(super) async fn findings(&self, asked: &[Asked], span: Span, until: Instant) -> (HashMap<Asked, DefenderFinding>, Option<Error>) {
        let span = Span {
            from: span.from - MARGIN,
            to: span.to + MARGIN,
        };
        match self.way {
            TraceExplainer::Hunting => match hunting::findings(&self.graph, asked, span, until).await {
                Ok(found) => (found, None),
                Err(error) => (HashMap::new(), Some(error)),
            },
            TraceExplainer::AnalyzedEmails => analyzed::findings(&self.graph, asked, span, until).await,
        }
    }

    /// Asks about a message that cannot be, to see whether an answer comes.
    pub(super) async fn try_it(&self, until: Instant) -> Result<(), Error> {
        let to = self.graph.clock().now();
        let span = Span {
            from: to - TimeDelta::hours(1),
            to,
        };
        let (_, error) = self
            .findings(&[(NetworkId::nil(), "nobody@example.invalid".to_owned())], span, until)
            .await;
        error.map_or(Ok(()), Err)
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self.way {
            TraceExplainer::Hunting => "advanced hunting",
            TraceExplainer::AnalyzedEmails => "Defender's list of analysed messages",
        }
    }

    /// Why it does not answer and what to do, and whether that stays so until somebody has changed something.
    pub(super) fn trouble(&self, error: &Error) -> (String, bool) {
        let reason = Reason::of_refusal(error, |kind| self.of_refusal(kind));
        (reason.sentence(), reason.standing)
    }

    fn of_refusal(&self, kind: Kind) -> (String, bool) {
        let name = self.name();
        let (permission, word) = match self.way {
            TraceExplainer::Hunting => ("ThreatHunting.Read.All", "hunting"),
            TraceExplainer::AnalyzedEmails => ("SecurityAnalyzedMessage.Read.All", "analyzed-emails"),
        };
        match kind {
            Kind::AccessDenied => (
                format!(
                    "the app may not use {name}, or the tenant has no licence for it: add the application permission {permission}, let an \
                     administrator of the tenant consent to it, and see whether the tenant has Microsoft Defender for Office 365; else take \
                     `explain: {word}` out of `trace`"
                ),
                true,
            ),
            Kind::Throttled | Kind::Unavailable => (format!("{name} is busy: mailflow tries again"), false),
            _ => (
                format!(
                    "the tenant has no {name} of mail: see whether it has Microsoft Defender for Office 365; else take `explain: {word}` out of \
                     `trace`"
                ),
                true,
            ),
        }
    }
}

/// A member of an object, whatever the case of its name: Microsoft's own examples differ in it.
pub(super) fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    let members = object.as_object().into_iter().flatten();
    let mut named = members.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.next().map_or(&Value::Null, |(_, value)| value)
}

/// The text of a member, bounded; empty if it is none, or says that there is nothing to say.
pub(super) fn text(object: &Value, name: &str) -> String {
    bounded(member(object, name).as_str().unwrap_or_default())
}

/// Texts, however they are nested in lists and objects, each once.
pub(super) fn words(value: &Value) -> Vec<String> {
    let mut words = Vec::new();
    gather(value, 4, &mut words);
    words
}

fn gather(value: &Value, depth: u8, words: &mut Vec<String>) {
    let Some(below) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => {
            for word in text.split(',').map(bounded) {
                if words.len() < MOST_WORDS && !word.is_empty() && !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| gather(value, below, words)),
        Value::Object(members) => members.values().for_each(|value| gather(value, below, words)),
        _ => {}
    }
}

fn bounded(text: &str) -> String {
    let text = ask::short(text.trim(), LONGEST);
    let says_nothing = ["none", "unknown", "null"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if says_nothing { String::new() } else { text }
}

/// A finding that says something.
pub(super) fn telling(finding: DefenderFinding) -> Option<DefenderFinding> {
    (finding != DefenderFinding::default()).then_some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_guid_is_an_id() {
        let guid = "7B1F2F0C-90aa-4a52-93a1-08dc2b1d77ab";
        assert_eq!(NetworkId::read(guid).unwrap().as_str(), "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab");
        for wrong in [
            "",
            "7b1f2f0c",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77a",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab1",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab-",
            "7b1f2f0c90aa4a5293a108dc2b1d77ab",
            "{7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab}",
            " 7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77a\"",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77a|",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77a'",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77a\n",
            "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77aé",
            "\") | union EmailEvents | where (\"\" == \"",
        ] {
            assert_eq!(NetworkId::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_defender_says_is_bounded_and_read_in_any_case() {
        let row = json!({ "EMAILACTIONPOLICY": format!("A\n{}", "x".repeat(900)), "threatTypes": "None", "n": 1 });
        assert_eq!(text(&row, "EmailActionPolicy").len(), LONGEST);
        assert_eq!(text(&row, "ThreatTypes"), "");
        assert_eq!(text(&row, "n"), "");
        assert_eq!(text(&json!("x"), "n"), "");
        let methods = json!({ "Phish": ["Advanced filter", "URL detonation", "Advanced filter"], "Spam": ["a", "b", "c"] });
        assert_eq!(words(&methods), ["Advanced filter", "URL detonation", "a", "b"]);
        assert_eq!(words(&json!("Phish, Spam")), ["Phish", "Spam"]);
        let deep = (0..50).fold(json!("x"), |inner, _| json!([inner]));
        assert!(words(&deep).is_empty());
        assert_eq!(telling(DefenderFinding::default()), None);
    }
}
