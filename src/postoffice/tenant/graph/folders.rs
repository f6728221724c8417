//! Folders, inbox rules and mailbox settings.
//!
//! Cannot see messages but for counting them.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::call::encoded;
use super::super::fate::{Fate, Kind};
use super::super::ids::Id;
use super::super::mailbox::{Folder, Mailbox};
use super::Begun;
use super::messages::find_folder;
use super::odata;

const PROPERTIES: [&str; 7] = [
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "isHidden",
];

impl Begun {
    /// The folders in a folder; below the root where none is named.
    pub fn folders(&self, parent: Option<&str>) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &PROPERTIES, "mailFolder")?;
        let top = odata::top(&self.call, 10, 1000)?;
        let skip: usize = self
            .call
            .option("$skip")
            .unwrap_or("0")
            .parse()
            .map_err(|_| Answer::bad_request("Invalid $skip"))?;
        let hidden = self.call.option("includeHiddenFolders").is_some_and(|value| value == "true");
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let parent = find_folder(mailbox, parent.unwrap_or("msgfolderroot"))?;
        let all: Vec<Value> = mailbox
            .children(parent, hidden)
            .map(|f| render(mailbox, f, select.as_deref()))
            .collect();
        let more = all.len() > skip.saturating_add(top);
        let page: Vec<Value> = all.into_iter().skip(skip).take(top).collect();
        let whom = encoded(self.route.whom.as_deref().unwrap_or_default());
        let mut reply = json!({ "@odata.context": self.context(&format!("users('{whom}')/mailFolders")), "value": page });
        if more {
            reply["@odata.nextLink"] = json!(self.link(&[("$skip", &(skip + top).to_string())]));
        }
        Ok(Answer::ok(reply))
    }

    /// One folder.
    pub fn folder(&self, key: &str) -> Result<Answer, Answer> {
        let select = odata::select(&self.call, &PROPERTIES, "mailFolder")?;
        let mut state = self.world.state();
        let mailbox = state.store.open(self.mailbox()?);
        let number = find_folder(mailbox, key)?;
        let folder = mailbox.folder(number).ok_or_else(Answer::no_folder)?;
        Ok(Answer::ok(render(mailbox, folder, select.as_deref())))
    }

    /// The rules of the inbox: those that make the fates come true.
    pub fn rules(&self) -> Result<Answer, Answer> {
        let resident = self.mailbox()?;
        let mut state = self.world.state();
        let mailbox = state.store.open(resident);
        let actions = match &resident.meaning.fate {
            Fate::RuleMoved => mailbox.rule_folder().map(|f| {
                let id = Id::Folder { number: f.number }.write(mailbox.number);
                json!({ "moveToFolder": id, "stopProcessingRules": true })
            }),
            Fate::RuleDeleted => Some(json!({ "delete": true })),
            _ => None,
        };
        let rule = actions.map(|actions| {
            json!({
                "id": "AQAAAJ5dZqA=", "displayName": "Probes", "sequence": 1, "isEnabled": true, "hasError": false,
                "isReadOnly": false, "actions": actions,
            })
        });
        Ok(Answer::ok(json!({ "value": rule.into_iter().collect::<Vec<_>>() })))
    }

    /// The settings of the mailbox.
    pub fn settings(&self) -> Result<Answer, Answer> {
        let resident = self.mailbox()?;
        let (locale, language) = if resident.meaning.german {
            ("de-DE", "German (Germany)")
        } else {
            ("en-US", "English (United States)")
        };
        Ok(Answer::ok(json!({
            "timeZone": "UTC",
            "userPurpose": purpose(resident.meaning.kind),
            "automaticRepliesSetting": { "status": "disabled", "externalAudience": "none" },
            "language": { "locale": locale, "displayName": language },
        })))
    }

    /// What the mailbox is for.
    pub fn purpose(&self) -> Result<Answer, Answer> {
        let resident = self.mailbox()?;
        Ok(Answer::ok(json!({ "value": purpose(resident.meaning.kind) })))
    }
}

fn purpose(kind: Kind) -> &'static str {
    if kind == Kind::Shared { "shared" } else { "user" }
}

fn render(mailbox: &Mailbox, folder: &Folder, select: Option<&[&str]>) -> Value {
    let id = |number| Id::Folder { number }.write(mailbox.number);
    let all = mailbox.items(Some(folder.number)).count();
    let unread = mailbox.items(Some(folder.number)).filter(|item| !item.sent).count();
    let whole = json!({
        "id": id(folder.number),
        "displayName": folder.name,
        // What lies above the root cannot be opened, but has an id.
        "parentFolderId": id(folder.parent.unwrap_or(u32::MAX)),
        "childFolderCount": mailbox.children(folder.number, false).count(),
        "unreadItemCount": unread,
        "totalItemCount": all,
        "isHidden": folder.hidden,
    });
    picked(whole, select)
}

/// Only the properties selected, and the id.
pub fn picked(mut whole: Value, select: Option<&[&str]>) -> Value {
    if let (Some(select), Value::Object(all)) = (select, &mut whole) {
        all.retain(|name, _| name == "id" || name.contains('@') || select.contains(&name.as_str()));
    }
    whole
}
