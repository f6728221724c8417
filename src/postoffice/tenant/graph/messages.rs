//! Messages: listed, read, moved and deleted.
//!
//! Cannot see other mailboxes than the one that the path names.

use std::cmp::Reverse;

use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::super::super::headers;
use super::super::answer::Answer;
use super::super::call::encoded;
use super::super::ids::{Id, NoId};
use super::super::mailbox::{Item, Mailbox};
use super::Begun;
use super::odata::{self, Filter};
use super::render::{self, OF_THE_BODY, PROPERTIES, View};
use super::route::READ;

/// How many messages a page holds unless asked otherwise.
const PAGE: usize = 10;
/// The most messages of a page.
const LARGEST_PAGE: usize = 1000;

impl Begun {
    /// How the messages of this request are shown, if the app may see them so.
    pub fn view(&self) -> Result<View<'_>, Answer> {
        self.view_with(self.call.option("$expand"))
    }

    /// The same, with `$expand` as a link remembers it.
    pub fn view_with(&self, expand: Option<&str>) -> Result<View<'_>, Answer> {
        let call = &self.call;
        let all = READ.iter().any(|role| self.grant.roles.contains(*role));
        let select = odata::select(call, &PROPERTIES, "message")?;
        let body = select.iter().flatten().any(|name| OF_THE_BODY.contains(name));
        let extended = extended(expand.unwrap_or_default())?;
        if (body || !extended.is_empty()) && !all {
            return Err(Answer::access_denied());
        }
        Ok(View {
            select,
            immutable: call.wants_immutable_ids(),
            text: call.preference("outlook.body-content-type").is_some_and(|kind| kind == "text"),
            bodies: all,
            extended,
        })
    }

    /// `messages`, of a folder or of the whole mailbox.
    pub fn messages(&self, folder: Option<&str>) -> Result<Answer, Answer> {
        let (view, call) = (self.view()?, &self.call);
        if call.option("$search").is_some() {
            return Err(Answer::error(400, "SearchNotSupported", "This tenant has no content index."));
        }
        let filter = call.option("$filter").map(Filter::parse).transpose()?;
        let order = order(call.option("$orderby"), filter.as_ref())?;
        let top = odata::top(call, PAGE, LARGEST_PAGE)?;
        let skip: usize = call
            .option("$skip")
            .unwrap_or("0")
            .parse()
            .map_err(|_| Answer::bad_request("Invalid $skip"))?;
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let number = folder.map(|key| find_folder(mailbox, key)).transpose()?;
        let mut found = Vec::new();
        for item in mailbox.items(number) {
            if filter.as_ref().map_or(Ok(true), |f| f.passes(&|path| value(item, path)))? {
                found.push(item);
            }
        }
        match order {
            Order::Newest => found.sort_by_key(|item| Reverse((item.received, item.serial))),
            Order::Oldest => found.sort_by_key(|item| (item.received, item.serial)),
        }
        let page: Vec<Value> = found
            .iter()
            .skip(skip)
            .take(top)
            .map(|item| render::message(mailbox, item, &view))
            .collect();
        let place = folder.map_or_else(String::new, |key| format!("/mailFolders('{}')", encoded(key)));
        let whom = encoded(self.route.whom.as_deref().unwrap_or_default());
        let mut reply = json!({ "@odata.context": self.context(&format!("users('{whom}'){place}/messages")), "value": page });
        if found.len() > skip.saturating_add(top) {
            reply["@odata.nextLink"] = json!(self.link(&[("$skip", &(skip + top).to_string())]));
        }
        Ok(self.preferred(Answer::ok(reply)))
    }

    /// One message.
    pub fn message(&self, id: &str) -> Result<Answer, Answer> {
        let view = self.view()?;
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let item = find_item(mailbox, id)?;
        let mut reply = render::message(mailbox, item, &view);
        let whom = encoded(self.route.whom.as_deref().unwrap_or_default());
        reply["@odata.context"] = json!(self.context(&format!("users('{whom}')/messages/$entity")));
        Ok(self.preferred(Answer::ok(reply)))
    }

    /// One message as MIME.
    pub fn mime(&self, id: &str) -> Result<Answer, Answer> {
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        find_item(mailbox, id).map(|item| Answer::mime(&item.raw))
    }

    /// Into the deleted items; from there, out of the visible folders.
    pub fn delete(&self, id: &str) -> Result<Answer, Answer> {
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let (serial, from) = find_item(mailbox, id).map(|item| (item.serial, item.folder))?;
        let deleted = find_folder(mailbox, "deleteditems")?;
        let to = if from == deleted {
            find_folder(mailbox, "recoverableitemsdeletions")?
        } else {
            deleted
        };
        mailbox.shift(serial, to, self.world.now()).ok_or_else(Answer::no_item)?;
        Ok(Answer::empty(204))
    }

    /// Out of every client's sight.
    pub fn permanent_delete(&self, id: &str) -> Result<Answer, Answer> {
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let serial = find_item(mailbox, id)?.serial;
        mailbox.remove(serial).ok_or_else(Answer::no_item)?;
        Ok(Answer::empty(204))
    }

    /// Into another folder: 201 with the message as it is there.
    pub fn move_to(&self, id: &str) -> Result<Answer, Answer> {
        let body: Value = serde_json::from_slice(&self.call.body).unwrap_or_default();
        let destination = body["destinationId"].as_str().or(body["DestinationId"].as_str());
        let destination = destination.ok_or_else(|| Answer::bad_request("The destinationId is missing."))?;
        let view = self.view()?;
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let to = find_folder(mailbox, destination)?;
        let serial = find_item(mailbox, id)?.serial;
        let moved = mailbox.shift(serial, to, self.world.now()).ok_or_else(Answer::no_item)?;
        Ok(Answer::json(201, render::message(mailbox, &moved, &view)))
    }

    /// The URL of this request with some options replaced, for the next page.
    pub fn link(&self, replaced: &[(&str, &str)]) -> String {
        let path = self.call.url.split('?').next().unwrap_or_default();
        let kept = self
            .call
            .query
            .iter()
            .filter(|(n, _)| !replaced.iter().any(|(r, _)| r.eq_ignore_ascii_case(n)));
        let query = kept.map(|(n, v)| (n.as_str(), v.as_str())).chain(replaced.iter().copied());
        let query: Vec<String> = query.map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
        format!("{}{path}?{}", self.world.root(), query.join("&"))
    }

    /// With the preferences that were applied (RFC 7240, section 3).
    pub fn preferred(&self, answer: Answer) -> Answer {
        let kind = self.call.preference("outlook.body-content-type").filter(|kind| kind == "text");
        let applied = [
            self.call.wants_immutable_ids().then(|| "IdType=\"ImmutableId\"".to_owned()),
            kind.map(|kind| format!("outlook.body-content-type=\"{kind}\"")),
        ];
        let applied: Vec<String> = applied.into_iter().flatten().collect();
        if applied.is_empty() {
            answer
        } else {
            answer.with("Preference-Applied", applied.join(", "))
        }
    }
}

/// A folder by its id or its well-known name.
pub fn find_folder(mailbox: &Mailbox, key: &str) -> Result<u32, Answer> {
    if let Some(folder) = mailbox.well_known(key) {
        return Ok(folder.number);
    }
    match Id::read(key, mailbox.number) {
        Ok(Id::Folder { number }) => mailbox.folder(number).map(|f| f.number).ok_or_else(Answer::no_folder),
        _ => Err(Answer::error(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
    }
}

/// A message by its id of either kind; an ordinary one leads nowhere once the message has moved.
pub fn find_item<'a>(mailbox: &'a Mailbox, id: &str) -> Result<&'a Item, Answer> {
    let found = match Id::read(id, mailbox.number) {
        Ok(Id::Immutable { serial }) => mailbox.item(serial),
        Ok(Id::Item { serial, moves }) => mailbox.item(serial).filter(|item| item.moves == moves),
        Err(NoId::Foreign) => {
            let message = "Item Id doesn't belong to the current mailbox.";
            return Err(Answer::error(400, "ErrorInvalidMailboxItemId", message));
        }
        _ => return Err(Answer::error(400, "ErrorInvalidIdMalformed", "Id is malformed.")),
    };
    found.ok_or_else(Answer::no_item)
}

/// What a filter may ask of a message.
pub fn value(item: &Item, path: &str) -> Option<odata::Value> {
    let text = |name: &str| headers::first(&item.raw, name).unwrap_or_default();
    let parsed = || MessageParser::default().parse_headers(&*item.raw).unwrap_or_default();
    Some(match path {
        "receivedDateTime" | "createdDateTime" => odata::Value::Time(item.received),
        "lastModifiedDateTime" => odata::Value::Time(item.modified),
        "internetMessageId" => odata::Value::Text(text("Message-ID")),
        "subject" => odata::Value::Text(parsed().subject().unwrap_or_default().to_owned()),
        "isRead" => odata::Value::Bool(item.sent),
        "isDraft" => odata::Value::Bool(false),
        "from/emailAddress/address" => {
            let parsed = parsed();
            let from = parsed.from().and_then(|a| a.first()).and_then(|a| a.address());
            odata::Value::Text(from.unwrap_or_default().to_owned())
        }
        _ => return None,
    })
}

enum Order {
    Newest,
    Oldest,
}

/// `$orderby` takes `receivedDateTime`; with a filter, that property must come first in the filter too.
fn order(order: Option<&str>, filter: Option<&Filter>) -> Result<Order, Answer> {
    let Some(order) = order else {
        return Ok(Order::Newest);
    };
    let mut words = order.split_whitespace();
    let (property, direction) = (words.next().unwrap_or_default(), words.next());
    if property != "receivedDateTime" {
        return Err(Answer::bad_request("This tenant sorts by receivedDateTime only."));
    }
    if filter.is_some_and(|f| f.paths().first() != Some(&property)) {
        let message = "The restriction or sort order is too complex for this operation.";
        return Err(Answer::error(400, "InefficientFilter", message));
    }
    Ok(if direction == Some("desc") { Order::Newest } else { Order::Oldest })
}

/// The ids in `singleValueExtendedProperties($filter=id eq 'String 0x001A' or id eq '…')`.
fn extended(expand: &str) -> Result<Vec<String>, Answer> {
    if expand.is_empty() {
        return Ok(Vec::new());
    }
    let inner = expand
        .strip_prefix("singleValueExtendedProperties($filter=")
        .and_then(|e| e.strip_suffix(')'));
    let inner = inner.ok_or_else(|| Answer::bad_request("This tenant expands singleValueExtendedProperties only."))?;
    let ids = inner
        .split(" or ")
        .filter_map(|one| one.trim().strip_prefix("id eq '")?.strip_suffix('\''));
    Ok(ids.map(str::to_owned).collect())
}
