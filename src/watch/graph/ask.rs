//! What is asked of Graph about one mailbox, and what is read of the answers.
//!
//! Of a message that is not known to be ours, three properties are asked for and the one header field of ours, nothing else. That field is a
//! named MAPI property of the internet headers' set (`PS_INTERNET_HEADERS`). This is general MAPI knowledge, not verified against a live tenant:
//! Exchange may keep unknown fields of mail from outside as text only and not as a property, which is why the subject is searched too.

use crate::{
    microsoft::{Answer, Error, Graph, Link, Malformed, Request, Toll},
    model::Time,
};
use chrono::{SecondsFormat, TimeDelta};
use serde::Deserialize;
use tokio::time::Instant;

const FIELD: &str = "X-Mailflow-Probe";
const EXPAND: &str = "singleValueExtendedProperties($filter=id eq 'String {00020386-0000-0000-C000-000000000046} Name X-Mailflow-Probe')";
const SELECT: &str = "id,parentFolderId,receivedDateTime";
const OF_FOLDERS: &str = "id,displayName,parentFolderId,childFolderCount";
/// Messages are listed from so long before the run on: the clocks of this machine and of the service need not agree.
const MARGIN: TimeDelta = TimeDelta::days(1);
/// No list or round has more pages; with the pages below, a hundred thousand messages in two days.
const MOST_PAGES: u32 = 100;
/// Our field's value is a tag, or the tag and a little more.
const LONGEST_FIELD: usize = 1000;
/// A probe is smaller by far; a larger message is told by its header alone.
pub(super) const WHOLE: usize = 4 << 20;
/// So much of a message that may be a bounce: one that carries more is no notification about a probe.
pub(super) const BOUNCE: usize = 1 << 20;

/// Asks about one mailbox.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) graph: Graph,
    pub(super) user: String,
}

/// A message as a list or a round shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) id: String,
    #[serde(rename = "parentFolderId")]
    pub(super) parent: Option<String>,
    received_date_time: Option<String>,
    #[serde(rename = "@removed")]
    removed: Option<serde::de::IgnoredAny>,
    single_value_extended_properties: Option<Vec<Property>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Property {
    id: String,
    value: Option<String>,
}

/// A folder as Graph shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Folder {
    pub(super) id: String,
    #[serde(default)]
    pub(super) display_name: String,
    pub(super) parent_folder_id: Option<String>,
    #[serde(default)]
    pub(super) child_folder_count: u32,
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

impl Item {
    pub(super) fn is_removed(&self) -> bool {
        self.removed.is_some()
    }

    /// The server's date of arrival.
    pub(super) fn received(&self) -> Option<Time> {
        let text = self.received_date_time.as_deref()?;
        chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
    }

    /// A header with our field alone, if the message has it.
    pub(super) fn header(&self) -> Option<String> {
        let is_ours = |property: &&Property| {
            property
                .id
                .to_ascii_lowercase()
                .ends_with(&format!("name {}", FIELD.to_ascii_lowercase()))
        };
        let value = self
            .single_value_extended_properties
            .iter()
            .flatten()
            .find(is_ours)?
            .value
            .as_deref()?;
        let plain: String = value
            .chars()
            .filter(|character| !character.is_control())
            .take(LONGEST_FIELD)
            .collect();
        Some(format!("{FIELD}: {plain}\r\n\r\n"))
    }
}

impl Ask {
    fn toll(&self) -> Toll {
        Toll::Mailbox(self.user.to_ascii_lowercase())
    }

    fn path<'a>(&'a self, tail: &[&'a str]) -> Vec<&'a str> {
        ["users", &self.user].into_iter().chain(tail.iter().copied()).collect()
    }

    fn get(&self, tail: &[&str]) -> Request {
        Request::get(&self.path(tail), self.toll())
    }

    /// One folder, by its well-known name or its id.
    pub(super) fn folder(&self, key: &str) -> Request {
        self.get(&["mailFolders", key]).query("$select", OF_FOLDERS)
    }

    /// The folders within one, or those on top.
    pub(super) fn folders_in(&self, parent: Option<&str>) -> Request {
        let request = match parent {
            Some(parent) => self.get(&["mailFolders", parent, "childFolders"]),
            None => self.get(&["mailFolders"]),
        };
        request.query("$select", OF_FOLDERS).query("$top", "200")
    }

    /// The first round of a delta query on a folder; the link at its end leads to the next.
    pub(super) fn delta(&self, folder: &str, started_at: Time) -> Request {
        self.get(&["mailFolders", folder, "messages", "delta"])
            .query("$select", SELECT)
            .query("$expand", EXPAND)
            .query("$filter", &since(started_at))
            .prefer("odata.maxpagesize=200")
    }

    /// Everything that arrived since the run began: in the whole mailbox, or in one folder.
    pub(super) fn list(&self, folder: Option<&str>, started_at: Time) -> Request {
        let request = match folder {
            Some(folder) => self.get(&["mailFolders", folder, "messages"]),
            None => self.get(&["messages"]),
        };
        request
            .query("$filter", &since(started_at))
            .query("$orderby", "receivedDateTime desc")
            .query("$top", "1000")
            .query("$select", SELECT)
            .query("$expand", EXPAND)
    }

    /// The messages of the whole mailbox with `prefix` in their subject, since the run began.
    pub(super) fn named(&self, prefix: &str, started_at: Time) -> Request {
        self.get(&["messages"])
            .query("$filter", &format!("{} and contains(subject,'{prefix}')", since(started_at)))
            .query("$orderby", "receivedDateTime desc")
            .query("$top", "200")
            .query("$select", SELECT)
            .query("$expand", EXPAND)
    }

    /// The ids of the messages that pass `filter`, whenever they came.
    pub(super) fn ids(&self, filter: &str) -> Request {
        self.get(&["messages"])
            .query("$filter", filter)
            .query("$top", "200")
            .query("$select", "id,parentFolderId")
    }

    /// The newest message, shown as a run would have it shown.
    pub(super) fn newest(&self) -> Request {
        self.get(&["messages"])
            .query("$top", "1")
            .query("$select", SELECT)
            .query("$expand", EXPAND)
    }

    /// Where a message lies now.
    pub(super) fn place(&self, id: &str) -> Request {
        self.get(&["messages", id]).query("$select", "id,parentFolderId")
    }

    /// Messages whole, each if it has no more than so many bytes. They travel together; where that is too much at once, each is asked for alone,
    /// so that no message hides another.
    pub(super) async fn mimes(&self, wanted: &[(&str, usize)], until: Instant) -> Vec<Result<Answer, Error>> {
        let request = |(id, limit): &(&str, usize)| self.get(&["messages", id, "$value"]).at_most(*limit);
        let requests: Vec<Request> = wanted.iter().map(request).collect();
        let mut answers = self.graph.batch(&requests, until).await;
        for (request, answer) in requests.iter().zip(&mut answers) {
            if matches!(answer, Err(Error::Malformed(Malformed::TooLarge(_)))) {
                *answer = self.graph.call(request, until).await;
            }
        }
        answers
    }

    /// Deletes a message: into the deleted items, and from there out of sight.
    pub(super) fn delete(&self, id: &str) -> Request {
        Request::delete(&self.path(&["messages", id]), self.toll())
    }

    /// A whole list.
    pub(super) async fn all<T: serde::de::DeserializeOwned>(&self, request: &Request, until: Instant) -> Result<Vec<T>, Error> {
        let first = self.graph.call(request, until).await?;
        Ok(pages(&self.graph, request, &first, until).await?.0)
    }
}

/// All pages of a list or a round whose first page is `first`, and the link to the next round.
pub(super) async fn pages<T: serde::de::DeserializeOwned>(
    graph: &Graph,
    request: &Request,
    first: &Answer,
    until: Instant,
) -> Result<(Vec<T>, Option<Link>), Error> {
    let mut page: Page<T> = first.json()?;
    let mut items = page.value;
    for _ in 0..MOST_PAGES {
        let Some(next) = page.next else {
            let delta = page.delta.map(|delta| graph.link(&delta)).transpose()?;
            return Ok((items, delta));
        };
        let next = request.follow(graph.link(&next)?);
        page = graph.fetch(&next, until).await?;
        items.append(&mut page.value);
    }
    Err(Error::Malformed(Malformed::TooManyPages(MOST_PAGES)))
}

fn since(started_at: Time) -> String {
    let from = (started_at - MARGIN).to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("receivedDateTime ge {from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(json: &str) -> Item {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn our_field_is_read_in_any_spelling_and_cannot_become_two() {
        let shown = item(
            r#"{"id":"a","parentFolderId":"f","receivedDateTime":"2026-11-23T09:00:00Z","subject":"passed over",
                "singleValueExtendedProperties":[{"id":"String {00020386-0000-0000-c000-000000000046} Name x-mailflow-probe","value":"abc\r\nFrom: x"}]}"#,
        );
        assert_eq!(shown.header().unwrap(), "X-Mailflow-Probe: abcFrom: x\r\n\r\n");
        assert!(shown.received().is_some() && !shown.is_removed());
        let other = item(r#"{"id":"a","singleValueExtendedProperties":[{"id":"String 0x1035","value":"abc"}]}"#);
        assert_eq!(other.header(), None);
        assert!(item(r#"{"id":"a","@removed":{"reason":"deleted"},"singleValueExtendedProperties":null}"#).is_removed());
    }

    #[test]
    fn the_window_begins_a_day_before_the_run() {
        assert_eq!(
            since("2026-11-23T09:00:30.5Z".parse().unwrap()),
            "receivedDateTime ge 2026-11-22T09:00:30Z"
        );
    }
}
