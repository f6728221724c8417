//! Groups: their members, and the threads and posts of a group's mailbox.
//!
//! Cannot see members' mailboxes: members of a Microsoft 365 group get no copy unless they subscribe.

use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::fate::Fate;
use super::super::ids::Id;
use super::super::residents::Resident;
use super::super::store::Thread;
use super::Begun;
use super::directory::person;
use super::odata::{self, Filter};
use super::render::{body, time};

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
        let filter = self.call.option("$filter").map(Filter::parse).transpose()?;
        let mut found = Vec::new();
        for resident in self.world.residents.listed().into_iter().filter(Resident::is_group) {
            let get = |path: &str| match path {
                "mail" => Some(odata::Value::Text(resident.address.clone())),
                "mailNickname" | "displayName" => Some(odata::Value::Text(resident.local().to_owned())),
                _ => None,
            };
            if filter.as_ref().map_or(Ok(true), |f| f.passes(&get))? {
                found.push(group(&resident));
            }
        }
        Ok(Answer::ok(json!({ "@odata.context": self.context("groups"), "value": found })))
    }

    /// A group.
    pub fn group(&self) -> Result<Answer, Answer> {
        self.of_group().map(|resident| Answer::ok(group(resident)))
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
            group if group.meaning.fate == Fate::Group => Ok(&group.address),
            _ => Err(Answer::error(404, "MailboxNotFound", "The group has no mailbox.")),
        }
    }

    /// The threads of a group, newest first.
    pub fn threads(&self) -> Result<Answer, Answer> {
        let top = odata::top(&self.call, 10, 1000)?;
        let skip: usize = self
            .call
            .option("$skip")
            .unwrap_or("0")
            .parse()
            .map_err(|_| Answer::bad_request("Invalid $skip"))?;
        let address = self.with_threads()?;
        let state = self.world.state();
        let page: Vec<Value> = state.store.threads(address).skip(skip).take(top).map(thread).collect();
        let id = self.route.whom.as_deref().unwrap_or_default();
        let mut reply = json!({ "@odata.context": self.context(&format!("groups('{id}')/threads")), "value": page });
        if state.store.threads(address).nth(skip.saturating_add(top)).is_some() {
            reply["@odata.nextLink"] = json!(self.link(&[("$skip", &(skip + top).to_string())]));
        }
        Ok(Answer::ok(reply))
    }

    /// One thread.
    pub fn thread(&self, id: &str) -> Result<Answer, Answer> {
        let address = self.with_threads()?;
        let state = self.world.state();
        let found = state
            .store
            .threads(address)
            .find(|thread| Ok(Id::Other { serial: thread.serial }) == Id::read(id, NUMBER));
        found.map(|found| Answer::ok(thread(found))).ok_or_else(Answer::no_item)
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

    /// The posts of a thread: the one that began it.
    pub fn posts(&self, id: &str) -> Result<Answer, Answer> {
        let address = self.with_threads()?;
        let state = self.world.state();
        let found = state
            .store
            .threads(address)
            .find(|thread| Ok(Id::Other { serial: thread.serial }) == Id::read(id, NUMBER));
        let post = found.map(post).ok_or_else(Answer::no_item)?;
        Ok(Answer::ok(json!({ "@odata.context": self.context("posts"), "value": [post] })))
    }
}

fn group(resident: &Resident) -> Value {
    let unified = resident.meaning.fate == Fate::Group;
    json!({
        "id": resident.object_id(),
        "displayName": resident.local(),
        "mail": resident.address,
        "mailNickname": resident.local(),
        "mailEnabled": true,
        "securityEnabled": false,
        "groupTypes": if unified { vec!["Unified"] } else { Vec::new() },
        "proxyAddresses": [format!("SMTP:{}", resident.address)],
    })
}

fn thread(thread: &Thread) -> Value {
    let parsed = parsed(thread);
    let preview: String = parsed.body_text(0).unwrap_or_default().chars().take(255).collect();
    let sender = parsed.from().and_then(|a| a.first()).and_then(|a| a.name().or(a.address()));
    json!({
        "id": Id::Other { serial: thread.serial }.write(NUMBER),
        "topic": parsed.subject().unwrap_or_default(),
        "hasAttachments": parsed.attachment_count() > 0,
        "lastDeliveredDateTime": time(thread.received),
        "uniqueSenders": [sender.unwrap_or_default()],
        "preview": preview,
        "isLocked": false,
    })
}

/// A post has neither headers nor a Message-ID.
fn post(thread: &Thread) -> Value {
    let parsed = parsed(thread);
    let from = parsed.from().and_then(|a| a.first());
    let address = from.and_then(|a| a.address()).unwrap_or_default();
    let from = json!({ "emailAddress": { "name": from.and_then(|a| a.name()).unwrap_or(address), "address": address } });
    json!({
        // Its own number: no thread has one as large.
        "id": Id::Other { serial: thread.serial | 1 << 63 }.write(NUMBER),
        "createdDateTime": time(thread.received),
        "lastModifiedDateTime": time(thread.received),
        "categories": [],
        "receivedDateTime": time(thread.received),
        "hasAttachments": parsed.attachment_count() > 0,
        "body": body(&parsed, false),
        "from": from,
        "sender": from,
    })
}

fn parsed(thread: &Thread) -> Message<'_> {
    MessageParser::default().parse(&*thread.raw).unwrap_or_default()
}
