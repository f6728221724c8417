//! What is asked of Graph about a group, and what is read of the answers.
//!
//! That the service lists the thread with the newest post first is not documented: where the times in a list contradict it, the list is read to
//! its end. Neither can threads be filtered by time or topic.

use super::super::{
    ask::pages,
    fault::{Fault, Needs, Reason},
};
use crate::{
    evidence,
    microsoft::{Answer, Error, Graph, Kind, Malformed, Request, Toll},
    model::Time,
};
use chrono::DateTime;
use serde::Deserialize;
use tokio::time::Instant;

const OF_GROUPS: &str = "id,displayName,mailEnabled,securityEnabled,groupTypes";
const OF_EXCHANGE: &str = "id,allowExternalSenders,autoSubscribeNewMembers";
const OF_THREADS: &str = "id,topic,lastDeliveredDateTime";
const OF_POSTS: &str = "id,receivedDateTime,from,sender,hasAttachments,body";
const OF_BARE_POSTS: &str = "id,receivedDateTime,from,sender,hasAttachments";
/// So many threads are asked for at a quick look, and on a page of the whole list.
const FEW: usize = 50;
const MANY: usize = 200;
/// No list of threads has more pages.
const MOST_PAGES: u32 = 100;
/// A probe is smaller by far; where posts are larger, they are told by topic and author alone.
const LARGEST: usize = 4 << 20;

/// Asks about one group.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) graph: Graph,
    /// Its address or object id, as the site says.
    pub(super) group: String,
}

/// A group as the directory shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) id: String,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    mail_enabled: Option<bool>,
    security_enabled: Option<bool>,
    #[serde(default, rename = "groupTypes")]
    kinds: Vec<String>,
}

/// What Exchange knows of a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manners {
    pub(super) allow_external_senders: Option<bool>,
    pub(super) auto_subscribe_new_members: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thread {
    pub(super) id: String,
    #[serde(default)]
    pub(super) topic: Option<String>,
    last_delivered_date_time: Option<String>,
}

/// A list of threads.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) threads: Vec<Thread>,
    /// When the last post of the newest thread came.
    pub(super) newest: Option<Time>,
    /// No thread with a post that came after this can be missing; `None` if any can.
    pub(super) back_to: Option<Time>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Post {
    pub(super) id: String,
    received_date_time: Option<String>,
    from: Option<Person>,
    sender: Option<Person>,
    body: Option<Body>,
    #[serde(default)]
    has_attachments: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    email_address: Option<EmailAddress>,
}

#[derive(Debug, Clone, Deserialize)]
struct EmailAddress {
    address: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    content_type: Option<String>,
    content: Option<String>,
}

/// A post's authors and text, for evidence.
pub(super) struct Shown<'a> {
    post: &'a Post,
    topic: &'a str,
    authors: Vec<&'a str>,
}

impl Thread {
    /// When its last post came.
    pub(super) fn delivered(&self) -> Option<Time> {
        time(self.last_delivered_date_time.as_deref())
    }
}

impl Post {
    /// The service's date of arrival.
    pub(super) fn received(&self) -> Option<Time> {
        time(self.received_date_time.as_deref())
    }

    pub(super) fn shown<'a>(&'a self, topic: &'a str) -> Shown<'a> {
        let people = [&self.from, &self.sender].into_iter().flatten();
        Shown {
            post: self,
            topic,
            authors: people
                .filter_map(|person| person.email_address.as_ref()?.address.as_deref())
                .collect(),
        }
    }
}

impl Shown<'_> {
    pub(super) fn as_evidence(&self) -> evidence::Post<'_> {
        let body = self.post.body.as_ref().and_then(|body| {
            let is_html = body.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
            Some((body.content.as_deref()?, is_html))
        });
        evidence::Post {
            topic: self.topic,
            authors: &self.authors,
            body,
            attachments: self.post.has_attachments.unwrap_or(true),
        }
    }
}

impl Group {
    /// Refuses what has no mailbox.
    fn with_mailbox(self, named: &str) -> Result<Self, Fault> {
        if self.kinds.iter().any(|kind| kind.eq_ignore_ascii_case("Unified")) {
            return Ok(self);
        }
        let security = self.security_enabled == Some(true);
        Err(Fault::Unfit(match (self.mail_enabled, security) {
            (Some(false), _) => format!("{named} is a security group, to which no mail can be sent: name the address that mail is sent to"),
            (_, false) => format!(
                "{named} is a distribution list, which has no mailbox of its own: name its members' mailboxes in the recipient's `reaches`"
            ),
            (_, true) => format!(
                "{named} is a mail-enabled security group, which has no mailbox of its own: name its members' mailboxes in the recipient's \
                 `reaches`"
            ),
        }))
    }
}

impl Ask {
    pub(super) fn new(graph: Graph, group: String) -> Self {
        Self { graph, group }
    }

    /// Groups have mailboxes like users, with the same limits.
    fn toll(&self) -> Toll {
        Toll::Mailbox(self.group.to_ascii_lowercase())
    }

    /// Finds the group by its address, also one of its further addresses, or by its id; it has a mailbox.
    pub(super) async fn find(&self, until: Instant) -> Result<Group, Fault> {
        let needing = |error| Fault::Needing(Needs::Groups, error);
        if !self.group.contains('@') {
            let request = Request::get(&["groups", &self.group], Toll::Directory(1)).query("$select", OF_GROUPS);
            return match self.graph.fetch::<Group>(&request, until).await {
                Ok(group) => group.with_mailbox(&self.group),
                Err(error) => Err(needing(error)),
            };
        }
        let address = self.group.replace('\'', "''");
        for filter in [
            format!("mail eq '{address}'"),
            format!("proxyAddresses/any(p:p eq 'smtp:{address}')"),
        ] {
            let request = Request::get(&["groups"], Toll::Directory(1))
                .query("$filter", &filter)
                .query("$select", OF_GROUPS);
            let page = self.graph.pages::<Group>(request, 1).next(until).await.map_err(needing)?;
            if let Some(group) = page.and_then(|page| page.items.into_iter().next()) {
                return group.with_mailbox(&self.group);
            }
        }
        Err(Fault::Unfit(format!(
            "the tenant has no group with the address {}: check it and its tenant; a user or shared mailbox is named by `user`, and dynamic \
             distribution lists are not to be seen in Graph at all",
            self.group
        )))
    }

    /// What Exchange knows of the group `id`.
    pub(super) async fn manners(&self, id: &str, until: Instant) -> Result<Manners, Error> {
        let request = Request::get(&["groups", id], Toll::Directory(1)).query("$select", OF_EXCHANGE);
        self.graph.fetch(&request, until).await
    }

    /// The threads of the group `id` with posts since then: the newest, or the `whole` list.
    pub(super) async fn threads(&self, id: &str, since: Time, whole: bool, until: Instant) -> Result<Listed, Fault> {
        let request = Request::get(&["groups", id, "threads"], self.toll())
            .query("$select", OF_THREADS)
            .query("$top", &if whole { MANY } else { FEW }.to_string());
        let mut pages = self.graph.pages::<Thread>(request, MOST_PAGES);
        let mut listed = Listed::default();
        let mut in_order = true;
        let mut last: Option<Time> = None;
        let mut pages_read = 0;
        while let Some(page) = pages.next(until).await.map_err(|error| Fault::Needing(Needs::Threads, error))? {
            pages_read += 1;
            // One page will do, unless it is so short that the list may end with it.
            let enough = !whole && (page.items.len() >= FEW || pages_read > 1);
            for thread in page.items {
                let delivered = thread.delivered();
                in_order &= delivered.is_some() && last.is_none_or(|last| delivered <= Some(last));
                last = delivered.or(last);
                listed.newest = listed.newest.max(delivered);
                // A name that cannot stand in a path cannot be asked after.
                if delivered.is_none_or(|delivered| delivered >= since) && !matches!(thread.id.as_str(), "" | "." | "..") {
                    listed.threads.push(thread);
                }
            }
            let reached = in_order && last.is_some_and(|last| last < since);
            if reached || enough {
                listed.back_to = last.filter(|_| in_order);
                return Ok(listed);
            }
        }
        listed.back_to = Some(DateTime::UNIX_EPOCH);
        Ok(listed)
    }

    /// The posts of a thread.
    pub(super) fn posts(&self, id: &str, thread: &str) -> Request {
        self.posts_with(id, thread, OF_POSTS)
    }

    /// The same without their text.
    pub(super) fn bare_posts(&self, id: &str, thread: &str) -> Request {
        self.posts_with(id, thread, OF_BARE_POSTS)
    }

    fn posts_with(&self, id: &str, thread: &str, select: &str) -> Request {
        Request::get(&["groups", id, "threads", thread, "posts"], self.toll())
            .query("$select", select)
            .query("$top", "50")
            .at_most(LARGEST)
    }

    /// All posts of a thread, of which `first` is the first page: with their text, or without it where that is too much.
    pub(super) async fn all_posts(
        &self,
        (full, bare): (&Request, &Request),
        first: Result<Answer, Error>,
        until: Instant,
    ) -> Result<Vec<Post>, Error> {
        let is_too_large = |error: &Error| matches!(error, Error::Malformed(Malformed::TooLarge(_)));
        let first = match first {
            // In a batch, the others may have been too large.
            Err(error) if is_too_large(&error) => self.graph.call(full, until).await,
            first => first,
        };
        let all = match first {
            Ok(first) => pages(&self.graph, full, &first, until).await,
            Err(error) => Err(error),
        };
        match all {
            Err(error) if is_too_large(&error) => {
                let first = self.graph.call(bare, until).await?;
                Ok(pages(&self.graph, bare, &first, until).await?.0)
            }
            all => Ok(all?.0),
        }
    }

    /// Deletes a thread with all its posts. One that is gone already is none.
    pub(super) async fn delete(&self, id: &str, thread: &str, until: Instant) -> Result<(), Error> {
        let request = Request::delete(&["groups", id, "threads", thread], self.toll());
        match self.graph.call(&request, until).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Some(Kind::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What `fault` means for the group.
    pub(super) async fn reason(&self, fault: &Fault) -> Reason {
        Reason::of(fault, &self.graph, &self.group, Needs::Threads).await
    }
}

fn time(text: Option<&str>) -> Option<Time> {
    DateTime::parse_from_rfc3339(text?).ok().map(|time| time.to_utc())
}
