//! Groups: their members, and the threads and posts of a group's mailbox.
//!
//! Cannot see members' mailboxes: members of a Microsoft 365 group get no copy unless they subscribe.

use std::collections::BTreeSet;

use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::fate::Fate;
use super::super::ids::Id;
use super::super::residents::Resident;
use super::super::store::{Post, Thread};
use super::Begun;
use super::directory::person;
use super::folders::picked;
use super::odata::{self, Filter};
use super::render::{body, time};

const OF_GROUPS: [&str; 8] = [
    "id",
    "displayName",
    "mail",
    "mailNickname",
    "mailEnabled",
    "securityEnabled",
    "groupTypes",
    "proxyAddresses",
];
const OF_EXCHANGE: [&str; 2] = ["allowExternalSenders", "autoSubscribeNewMembers"];
const OF_THREADS: [&str; 7] = [
    "id",
    "topic",
    "hasAttachments",
    "lastDeliveredDateTime",
    "uniqueSenders",
    "preview",
    "isLocked",
];
const OF_POSTS: [&str; 9] = [
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "categories",
    "receivedDateTime",
    "hasAttachments",
    "body",
    "from",
    "sender",
];

/// The number that ids of threads and posts bear instead of a mailbox's.
const NUMBER: u32 = 0x6600_0000;

impl Begun {
    fn of_group(&self) -> Result<&Resident, Answer> {
        let key = self.route.whom.as_deref().unwrap_or_default();
        // The directory knows groups by their id alone.
        let found = self.resident.as_ref().filter(|r| r.is_group() && !key.contains('@'));
        found.ok_or_else(|| Answer::no_object(key))
    }

    /// Groups, found by their address.
    pub fn groups(&self) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &OF_GROUPS, "group")?;
        let filter = self.call.option("$filter").map(Filter::parse).transpose()?;
        let mut found = Vec::new();
        for resident in self.world.residents.listed().into_iter().filter(Resident::is_group) {
            let get = |path: &str| match path {
                "mail" => Some(odata::Value::Text(resident.address.clone())),
                "mailNickname" | "displayName" => Some(odata::Value::Text(resident.local().to_owned())),
                "proxyAddresses" => Some(odata::Value::Texts(proxy_addresses(&resident).to_vec())),
                _ => None,
            };
            if filter.as_ref().map_or(Ok(true), |f| f.passes(&get))? {
                found.push(picked(group(&resident), select.as_deref()));
            }
        }
        Ok(Answer::ok(json!({ "@odata.context": self.context("groups"), "value": found })))
    }

    /// A group. What Exchange knows of it is shown only where it is asked for.
    pub fn group(&self) -> Result<Answer, Answer> {
        let known = [&OF_GROUPS[..], &OF_EXCHANGE].concat();
        let select = odata::select(&self.call, &known, "group")?;
        let resident = self.of_group()?;
        let mut shown = group(resident);
        if select.is_some() {
            shown["allowExternalSenders"] = json!(resident.meaning.fate == Fate::Group { closed: false });
            shown["autoSubscribeNewMembers"] = json!(false);
        }
        Ok(Answer::ok(picked(shown, select.as_deref())))
    }

    /// Who is in a group.
    pub fn members(&self) -> Result<Answer, Answer> {
        self.of_group()?;
        let members = self
            .world
            .residents
            .members()
            .into_iter()
            .filter_map(|address| self.world.residents.find(&address));
        let members: Vec<Value> = members
            .map(|resident| {
                let mut person = person(&resident);
                person["@odata.type"] = json!("#microsoft.graph.user");
                person
            })
            .collect();
        Ok(Answer::ok(
            json!({ "@odata.context": self.context("directoryObjects"), "value": members }),
        ))
    }

    /// The address of a group with a mailbox.
    fn with_threads(&self) -> Result<&str, Answer> {
        match self.of_group()? {
            group if has_mailbox(group) => Ok(&group.address),
            _ => Err(Answer::error(404, "MailboxNotFound", "The group has no mailbox.")),
        }
    }

    /// How many of a list are left out, and how many are shown.
    fn page(&self) -> Result<(usize, usize), Answer> {
        let top = odata::top(&self.call, 10, 1000)?;
        let skip = self.call.option("$skip").unwrap_or("0").parse();
        skip.map(|skip| (skip, top)).map_err(|_| Answer::bad_request("Invalid $skip"))
    }

    /// A page of a list that has `count` in all.
    fn listed(&self, what: &str, page: &[Value], (skip, top): (usize, usize), count: usize) -> Answer {
        let mut reply = json!({ "@odata.context": self.context(what), "value": page });
        let next = skip.saturating_add(top);
        if next < count {
            reply["@odata.nextLink"] = json!(self.link(&[("$skip", &next.to_string())]));
        }
        Answer::ok(reply)
    }

    /// The threads of a group, newest first.
    pub fn threads(&self) -> Result<Answer, Answer> {
        let page @ (skip, top) = self.page()?;
        let select = odata::select(&self.call, &OF_THREADS, "conversationThread")?;
        let address = self.with_threads()?;
        let state = self.world.state();
        let all = state.store.threads(address);
        let shown = all.iter().skip(skip).take(top);
        let shown: Vec<Value> = shown.map(|found| picked(thread(found), select.as_deref())).collect();
        let id = self.route.whom.as_deref().unwrap_or_default();
        Ok(self.listed(&format!("groups('{id}')/threads"), &shown, page, all.len()))
    }

    /// One thread.
    pub fn thread(&self, id: &str) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &OF_THREADS, "conversationThread")?;
        self.with_thread(id, |found| Answer::ok(picked(thread(found), select.as_deref())))
    }

    fn with_thread(&self, id: &str, answer: impl FnOnce(&Thread) -> Answer) -> Result<Answer, Answer> {
        let address = self.with_threads()?;
        let state = self.world.state();
        let all = state.store.threads(address);
        let found = all
            .into_iter()
            .find(|thread| Ok(Id::Other { serial: thread.serial }) == Id::read(id, NUMBER));
        found.map(answer).ok_or_else(Answer::no_item)
    }

    /// Away with a thread.
    pub fn delete_thread(&self, id: &str) -> Result<Answer, Answer> {
        let address = self.with_threads()?;
        let deleted = match Id::read(id, NUMBER) {
            Ok(Id::Other { serial }) => self.world.state().store.delete_thread(address, serial),
            _ => false,
        };
        if deleted { Ok(Answer::empty(204)) } else { Err(Answer::no_item()) }
    }

    /// The posts of a thread, in the order in which they came.
    pub fn posts(&self, id: &str) -> Result<Answer, Answer> {
        let page @ (skip, top) = self.page()?;
        let select = odata::select(&self.call, &OF_POSTS, "post")?;
        let text = self.call.preference("outlook.body-content-type").as_deref() == Some("text");
        self.with_thread(id, |thread| {
            let shown = thread.posts.iter().skip(skip).take(top);
            let shown: Vec<Value> = shown.map(|found| picked(post(found, text), select.as_deref())).collect();
            self.listed("posts", &shown, page, thread.posts.len())
        })
    }
}

fn has_mailbox(resident: &Resident) -> bool {
    matches!(resident.meaning.fate, Fate::Group { .. })
}

fn group(resident: &Resident) -> Value {
    json!({
        "id": resident.object_id(),
        "displayName": resident.local(),
        "mail": resident.address,
        "mailNickname": resident.local(),
        "mailEnabled": true,
        "securityEnabled": false,
        "groupTypes": if has_mailbox(resident) { vec!["Unified"] } else { Vec::new() },
        "proxyAddresses": proxy_addresses(resident),
    })
}

/// The primary address, and one that the group had before.
fn proxy_addresses(resident: &Resident) -> [String; 2] {
    let (local, domain) = resident.address.split_once('@').unwrap_or_default();
    [format!("SMTP:{}", resident.address), format!("smtp:{local}-before@{domain}")]
}

fn thread(thread: &Thread) -> Value {
    let newest = thread.posts.last().map(parsed).unwrap_or_default();
    let preview: String = newest.body_text(0).unwrap_or_default().chars().take(255).collect();
    let senders: BTreeSet<String> = thread.posts.iter().map(|post| sender(&parsed(post))).collect();
    json!({
        "id": Id::Other { serial: thread.serial }.write(NUMBER),
        "topic": thread.topic,
        "hasAttachments": thread.posts.iter().any(|post| parsed(post).attachment_count() > 0),
        "lastDeliveredDateTime": time(thread.delivered()),
        "uniqueSenders": senders,
        "preview": preview,
        "isLocked": false,
    })
}

fn sender(message: &Message<'_>) -> String {
    let from = message.from().and_then(|a| a.first());
    from.and_then(|a| a.name().or(a.address())).unwrap_or_default().to_owned()
}

/// A post has neither headers nor a Message-ID.
fn post(post: &Post, text: bool) -> Value {
    let parsed = parsed(post);
    let from = parsed.from().and_then(|a| a.first());
    let address = from.and_then(|a| a.address()).unwrap_or_default();
    let from = json!({ "emailAddress": { "name": from.and_then(|a| a.name()).unwrap_or(address), "address": address } });
    json!({
        "id": Id::Other { serial: post.serial }.write(NUMBER),
        "createdDateTime": time(post.received),
        "lastModifiedDateTime": time(post.received),
        "categories": [],
        "receivedDateTime": time(post.received),
        "hasAttachments": parsed.attachment_count() > 0,
        "body": body(&parsed, text),
        "from": from,
        "sender": from,
    })
}

fn parsed(post: &Post) -> Message<'_> {
    MessageParser::default().parse(&*post.raw).unwrap_or_default()
}
