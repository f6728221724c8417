//! Delta queries on the messages of a folder: a first round with everything, then rounds with what changed.
//!
//! Tokens hold all that a round needs and are sealed against tampering, but nothing is remembered for them. Cannot see messages of other folders:
//! one that moved out shows as removed.

use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::ids::Id;
use super::super::mailbox::{Change, Mailbox, What};
use super::super::residents::guid;
use super::Begun;
use super::messages::{find_folder, value};
use super::odata::{Filter, Op};
use super::render::{self, PROPERTIES, View};

/// How many messages a page holds unless asked otherwise.
const PAGE: usize = 10;

/// What a link's token says.
#[derive(Serialize, Deserialize)]
struct Token {
    folder: u32,
    mailbox: u32,
    /// Rounds begin behind this place of the log; `None` in the first round.
    since: Option<u64>,
    /// And end here.
    until: u64,
    /// What of the round was given: items up to this number, or changes up to this place.
    given: u64,
    select: Option<String>,
    expand: Option<String>,
    filter: Option<String>,
    kinds: Option<String>,
    generation: u32,
    issued: i64,
}

impl Begun {
    /// `messages/delta`.
    pub fn delta(&self, key: &str) -> Result<Answer, Answer> {
        let call = &self.call;
        let (now, resident) = (self.world.now(), self.mailbox()?);
        let mut state = self.world.state();
        let generation = state.delta_generation;
        let mailbox = state.store.open(resident);
        let folder = find_folder(mailbox, key)?;
        let mut token = match call.option("$skiptoken").or(call.option("$deltatoken")) {
            Some(text) => self.reopened(text, folder, mailbox, generation, now)?,
            None => Token {
                folder,
                mailbox: mailbox.number,
                since: None,
                until: mailbox.sequence(),
                given: 0,
                select: call.option("$select").map(str::to_owned),
                expand: call.option("$expand").map(str::to_owned),
                filter: call.option("$filter").map(str::to_owned),
                kinds: call.option("changeType").map(str::to_owned),
                generation,
                issued: now.timestamp(),
            },
        };
        if call.option("$deltatoken").is_some() {
            // A new round: from where the last one ended to now.
            token = Token {
                since: Some(token.until),
                given: token.until,
                until: mailbox.sequence(),
                ..token
            };
        }
        let filter = token.filter.as_deref().map(filter).transpose()?;
        let view = self.delta_view(token.select.as_deref(), token.expand.as_deref())?;
        let size = self
            .call
            .preference("odata.maxpagesize")
            .and_then(|n| n.parse().ok())
            .unwrap_or(PAGE)
            .clamp(1, 1000);
        let wants = |kind: &str| {
            token
                .kinds
                .as_deref()
                .is_none_or(|kinds| kinds.split(',').any(|k| k.trim() == kind))
        };
        let mut page = Vec::new();
        let mut rest = false;
        for entry in entries(mailbox, &token) {
            if page.len() >= size {
                rest = true;
                break;
            }
            token.given = entry.place;
            let shown = match entry.shows(mailbox, view.immutable) {
                Shown::Item(item) if wants("created") => {
                    let passes = filter.as_ref().map_or(Ok(true), |f| f.passes(&|path| value(item, path)))?;
                    passes.then(|| render::message(mailbox, item, &view))
                }
                Shown::Removed(removed) if wants("deleted") => Some(removed),
                _ => None,
            };
            page.extend(shown);
        }
        token.generation = generation;
        token.issued = now.timestamp();
        let (link, name) = if rest {
            ("@odata.nextLink", "$skiptoken")
        } else {
            ("@odata.deltaLink", "$deltatoken")
        };
        let path = call.url.split('?').next().unwrap_or_default();
        let url = format!("{}{path}?{name}={}", self.world.root(), self.sealed(&token));
        let reply = json!({ "@odata.context": self.context("Collection(message)"), link: url, "value": page });
        Ok(self.preferred(Answer::ok(reply)))
    }

    /// The options are those of the first request: the link has them in its token.
    fn delta_view<'a>(&'a self, select: Option<&'a str>, expand: Option<&str>) -> Result<View<'a>, Answer> {
        let mut view = self.view_with(expand)?;
        let names = select.map(|s| s.split(',').map(str::trim).collect::<Vec<_>>());
        if names.iter().flatten().any(|name| !PROPERTIES.contains(name)) {
            return Err(Answer::bad_request(
                "Could not find a selected property on type 'microsoft.graph.message'.",
            ));
        }
        view.select = names;
        Ok(view)
    }

    fn sealed(&self, token: &Token) -> String {
        let text = json!(token).to_string();
        let seal = self.seal(&text);
        BASE64URL_NOPAD.encode(format!("{seal}{text}").as_bytes())
    }

    fn seal(&self, text: &str) -> String {
        guid(&["delta", &self.world.config.id, self.world.root(), text])
    }

    fn reopened(&self, text: &str, folder: u32, mailbox: &Mailbox, generation: u32, now: DateTime<Utc>) -> Result<Token, Answer> {
        let malformed = || Answer::error(400, "ErrorInvalidSyncStateData", "The sync state is invalid.");
        let octets = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| malformed())?;
        let text = String::from_utf8(octets).map_err(|_| malformed())?;
        let (seal, text) = text.split_at_checked(36).ok_or_else(malformed)?;
        if seal != self.seal(text) {
            return Err(malformed());
        }
        let token: Token = serde_json::from_str(text).map_err(|_| malformed())?;
        if token.folder != folder || token.mailbox != mailbox.number {
            return Err(malformed());
        }
        let age = now.timestamp().saturating_sub(token.issued);
        if token.generation != generation || age >= self.world.config.delta_life.num_seconds() {
            let restart = format!("{}{}", self.world.root(), self.call.url.split('?').next().unwrap_or_default());
            let message = "The sync state generation is not found; perform a full synchronization.";
            return Err(Answer::error(410, "SyncStateNotFound", message).with("Location", restart));
        }
        Ok(token)
    }
}

/// Something that a round tells.
struct Entry {
    /// Its place in the round.
    place: u64,
    serial: u64,
    what: What,
}

enum Shown<'a> {
    Item(&'a super::super::mailbox::Item),
    Removed(Value),
    Nothing,
}

impl Entry {
    fn shows<'a>(&self, mailbox: &'a Mailbox, immutable: bool) -> Shown<'a> {
        let (moves, reason) = match self.what {
            What::Came => return mailbox.item(self.serial).map_or(Shown::Nothing, Shown::Item),
            What::Moved(moves) => (moves, "changed"),
            What::Gone(moves) => (moves, "deleted"),
        };
        let serial = self.serial;
        let id = if immutable {
            Id::Immutable { serial }
        } else {
            Id::Item { serial, moves }
        };
        Shown::Removed(json!({ "id": id.write(mailbox.number), "@removed": { "reason": reason } }))
    }
}

/// What is left to tell of a round, in order.
fn entries(mailbox: &Mailbox, token: &Token) -> Vec<Entry> {
    let Some(since) = token.since else {
        let items = mailbox.items(Some(token.folder)).filter(|item| item.serial > token.given);
        let came = |item: &super::super::mailbox::Item| Entry {
            place: item.serial,
            serial: item.serial,
            what: What::Came,
        };
        return items.map(came).collect();
    };
    let changes = mailbox.changes(token.folder, since, token.until).into_iter();
    let entry = |change: Change| Entry {
        place: change.sequence,
        serial: change.serial,
        what: change.what,
    };
    changes.filter(|change| change.sequence > token.given).map(entry).collect()
}

/// Delta takes `receivedDateTime ge` or `gt` a time, and nothing else.
fn filter(text: &str) -> Result<Filter, Answer> {
    let filter = Filter::parse(text)?;
    match &filter {
        Filter::Compare(path, Op::Ge | Op::Gt, _) if path == "receivedDateTime" => Ok(filter),
        _ => Err(Answer::bad_request("The delta query takes receivedDateTime ge or gt only.")),
    }
}
