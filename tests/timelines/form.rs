//! The form of a timeline file.

use chrono::NaiveDate;
use mailflow::model::{AlterationKind, DsnAction, Requirement};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    pub story: String,
    #[serde(default)]
    pub given: Given,
    pub events: Vec<Line>,
    #[serde(default)]
    pub stands: Vec<Standing>,
    pub then: Then,
}

/// The set-up: by default a recipient with the mailbox `admin`, from whom nothing is expected but the inbox, and of whose quarantine nothing is
/// said; bounces come back to `returns`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    pub mailbox: String,
    pub reaches: Vec<String>,
    pub quarantine: OneOrMany,
    /// Addresses that are known to belong to mailboxes.
    pub addresses: BTreeMap<String, String>,
    pub expect: OneOrMany,
    pub known: Option<Known>,
    pub require: Vec<Requirement>,
    /// The site's paths, each told by patterns of hosts.
    pub paths: BTreeMap<String, Path>,
    pub within: f64,
    pub give_up_after: f64,
    pub settle: f64,
    pub returns: String,
    /// Further mailboxes that are watched.
    pub others: Vec<String>,
    /// Which of the places are message traces, with their delay in seconds.
    pub traces: BTreeMap<String, f64>,
    /// Mailboxes that are not open when the first probe leaves.
    pub closed: Vec<String>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            mailbox: "admin".to_owned(),
            reaches: Vec::new(),
            quarantine: OneOrMany::One("unsaid".to_owned()),
            addresses: BTreeMap::new(),
            expect: OneOrMany::One("inbox".to_owned()),
            known: None,
            require: Vec::new(),
            paths: BTreeMap::new(),
            within: 300.0,
            give_up_after: 1800.0,
            settle: 20.0,
            returns: "returns".to_owned(),
            others: Vec::new(),
            traces: BTreeMap::new(),
            closed: Vec::new(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Path {
    pub via: Vec<String>,
    pub not_via: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub verdict: OneOrMany,
    pub until: NaiveDate,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

/// One thing that happened, `at` so many seconds into the run.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    pub at: f64,
    /// Written down, about to leave.
    pub begun: Option<bool>,
    /// The final reply of an attempt that began `at`: taken, refused for good or at the give-up time, refused for now.
    pub sent: Option<String>,
    pub refused: Option<String>,
    pub deferred: Option<String>,
    /// mailflow itself says so, in place of the mail system.
    pub ours: bool,
    /// An attempt that reached nobody; the last one unless `again`.
    pub unreachable: Option<String>,
    pub again: bool,
    /// An attempt that was cut off after the final dot.
    pub cut_off: Option<String>,
    /// `MAILBOX/FOLDER`, the `copy`-th there; the last look that missed it was sent at `after`.
    pub seen: Option<String>,
    pub gone: Option<String>,
    pub copy: u32,
    pub after: Option<f64>,
    pub last_there: Option<f64>,
    pub altered: Vec<AlterationKind>,
    pub says: BTreeMap<String, String>,
    /// The hops of its header, such as `smtp.sender.example to mx.contoso.example: tls` (or `clear`, `local`, `unsaid`).
    pub hops: Vec<String>,
    /// The mailbox does not show its header.
    pub headless: bool,
    /// Notifications, with their status; whom they name.
    pub bounced: Option<String>,
    pub delayed: Option<String>,
    pub delivered: Option<String>,
    pub relayed: Option<String>,
    pub expanded: Option<String>,
    pub names: Option<String>,
    pub originally: Option<String>,
    /// The host that reports; the one that stores mail if it is not said.
    pub reporter: Option<String>,
    /// The message trace says so, of the address that it `names` (the recipient's, if none), which was handed `to` another system.
    pub traced: Option<String>,
    pub to: Option<String>,
    /// `automatically` or `by a person`.
    pub answered: Option<String>,
    /// Mailboxes; `everywhere` is all of them.
    pub looked: Option<OneOrMany>,
    pub blind: Option<OneOrMany>,
    /// The run was stopped between two attempts.
    pub halted: Option<bool>,
    /// The process stopped; `finished`, or `interrupted`.
    pub stopped: Option<String>,
    /// From here on another process works on the run.
    pub taken_up: Option<bool>,
}

/// How it stands at a time, such as `decided`, `settling until 24.2`, `arrival until 1800, everywhere`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    pub at: f64,
    pub is: String,
    /// When it is asked again at the latest.
    pub wake: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    pub verdict: String,
    pub outcome: String,
    #[serde(default)]
    pub basis: Option<String>,
    #[serde(default)]
    pub flags: Vec<String>,
    #[serde(default)]
    pub copies: u32,
    /// `MAILBOX/FOLDER`.
    #[serde(default, rename = "in")]
    pub place: Option<String>,
    /// After and at.
    #[serde(default)]
    pub arrived: Option<(f64, f64)>,
    #[serde(default)]
    pub dsn: Option<DsnAction>,
    /// The verdict of each member, then its flags.
    #[serde(default)]
    pub members: BTreeMap<String, String>,
    #[serde(default)]
    pub altered: Vec<AlterationKind>,
    /// Requirements that hold, those that do not, and those of which it cannot be told.
    #[serde(default)]
    pub held: Vec<String>,
    #[serde(default)]
    pub broken: Vec<String>,
    #[serde(default)]
    pub unseen: Vec<String>,
    /// Words of what speaks against the first requirement that does not hold.
    #[serde(default)]
    pub against: Option<String>,
    /// The path of the site that it took.
    #[serde(default)]
    pub path: Option<String>,
    /// Words of the reason.
    #[serde(default)]
    pub because: Option<String>,
    /// If `sent_at` is other than the time of the first attempt: null.
    #[serde(default)]
    pub never_left: bool,
}
