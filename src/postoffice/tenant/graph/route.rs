//! From a path to what it asks for, and which permission that takes.
//!
//! Pure. Cannot see whether anything of the name exists.

use super::super::answer::Answer;
use super::super::call::Call;

/// What a request asks for, and of whom.
#[derive(Debug)]
pub struct Route {
    /// The user or group that the path names.
    pub whom: Option<String>,
    /// What.
    pub op: Op,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Op {
    /// `POST sendMail`
    SendMail,
    /// A list of messages, of a folder or of the whole mailbox.
    Messages {
        /// The folder, by id or well-known name.
        folder: Option<String>,
    },
    /// A message.
    Message {
        /// Its id.
        id: String,
    },
    /// A message as MIME.
    Mime {
        /// Its id.
        id: String,
    },
    /// A message into the deleted items.
    Delete {
        /// Its id.
        id: String,
    },
    /// A message out of sight.
    PermanentDelete {
        /// Its id.
        id: String,
    },
    /// A message into another folder.
    Move {
        /// Its id.
        id: String,
    },
    /// What changed in a folder.
    Delta {
        /// The folder.
        folder: String,
    },
    /// The folders below the root.
    Folders,
    /// The folders in a folder.
    ChildFolders {
        /// The folder.
        folder: String,
    },
    /// A folder.
    Folder {
        /// The folder.
        folder: String,
    },
    /// The inbox rules.
    Rules,
    /// The mailbox settings.
    Settings,
    /// One of them: what the mailbox is for.
    Purpose,
    /// People.
    Users,
    /// A person.
    User,
    /// Groups.
    Groups,
    /// A group.
    Group,
    /// Who is in a group.
    Members,
    /// The threads of a group.
    Threads,
    /// A thread.
    Thread {
        /// Its id.
        thread: String,
    },
    /// A thread, away with it.
    DeleteThread {
        /// Its id.
        thread: String,
    },
    /// The posts of a thread.
    Posts {
        /// Its id.
        thread: String,
    },
    /// The message trace.
    Traces,
    /// What happened to a message on its way to a recipient.
    TraceDetails {
        /// The trace's id.
        id: String,
        /// The recipient.
        recipient: String,
    },
    /// A query of advanced hunting.
    Hunt,
    /// Defender's list of analysed messages.
    AnalyzedEmails,
    /// Service principals.
    ServicePrincipals,
    /// The tenant.
    Organization,
}

/// Whose limits and refusals apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Exchange: a user's mailbox.
    Mailbox,
    /// Exchange: a group's mailbox.
    Group,
    /// The message trace.
    Trace,
    /// Advanced hunting.
    Hunting,
    /// The rest of Defender.
    Defender,
    /// The directory, at a cost in resource units.
    Directory(usize),
}

const READ_BASIC: &[&str] = &["Mail.ReadBasic.All", "Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite"];
/// Reading bodies, MIME and extended properties.
pub const READ: &[&str] = &["Mail.Read", "Mail.ReadWrite"];
const WRITE: &[&str] = &["Mail.ReadWrite"];
const SETTINGS: &[&str] = &["MailboxSettings.Read", "MailboxSettings.ReadWrite"];
const USERS: &[&str] = &["User.ReadBasic.All", "User.Read.All", "Directory.Read.All"];
const GROUPS: &[&str] = &[
    "GroupMember.ReadBasic.All",
    "GroupMember.Read.All",
    "Group.Read.All",
    "Directory.Read.All",
];
const THREADS: &[&str] = &["Group-Conversation.Read.All", "Group-Conversation.ReadWrite.All", "Group.Read.All"];
const ORGANIZATION: &[&str] = &["Organization.Read.All", "User.Read.All", "Directory.Read.All"];

impl Op {
    /// The application permissions of which one is needed.
    pub fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::SendMail => &["Mail.Send"],
            Self::Mime { .. } => READ,
            Self::Delete { .. } | Self::PermanentDelete { .. } | Self::Move { .. } => WRITE,
            Self::Rules | Self::Settings | Self::Purpose => SETTINGS,
            Self::Users | Self::User => USERS,
            Self::Groups | Self::Group | Self::Members => GROUPS,
            Self::Threads | Self::Thread { .. } | Self::Posts { .. } => THREADS,
            Self::DeleteThread { .. } => &["Group-Conversation.ReadWrite.All"],
            Self::Traces | Self::TraceDetails { .. } => &["ExchangeMessageTrace.Read.All"],
            Self::Hunt => &["ThreatHunting.Read.All"],
            Self::AnalyzedEmails => &["SecurityAnalyzedMessage.Read.All"],
            Self::ServicePrincipals => &["Application.Read.All", "Directory.Read.All"],
            Self::Organization => ORGANIZATION,
            _ => READ_BASIC,
        }
    }

    /// Whose limits apply.
    pub fn area(&self) -> Area {
        match self {
            Self::Traces | Self::TraceDetails { .. } => Area::Trace,
            Self::Hunt => Area::Hunting,
            Self::AnalyzedEmails => Area::Defender,
            Self::Users => Area::Directory(2),
            Self::Members => Area::Directory(3),
            Self::User | Self::Groups | Self::Group | Self::ServicePrincipals | Self::Organization => Area::Directory(1),
            Self::Threads | Self::Thread { .. } | Self::Posts { .. } | Self::DeleteThread { .. } => Area::Group,
            _ => Area::Mailbox,
        }
    }
}

impl Route {
    /// What a request asks for; `me` is the address of who signed in.
    ///
    /// # Errors
    /// When the path or the method leads nowhere.
    pub fn of(call: &Call, me: Option<&str>) -> Result<Self, Answer> {
        let segments: Vec<&str> = call.segments.iter().skip(1).map(String::as_str).collect();
        let method = call.method.as_str();
        let lost = || Answer::no_such_segment(segments.last().copied().unwrap_or_default());
        let (whom, op) = match segments.as_slice() {
            ["me", rest @ ..] => {
                let message = "/me request is only valid with delegated authentication flow.";
                let me = me.ok_or_else(|| Answer::bad_request(message))?;
                (Some(me), of_user(method, rest))
            }
            ["users"] => (None, (method == "GET").then_some(Op::Users)),
            ["users", whom, rest @ ..] => (Some(*whom), of_user(method, rest)),
            ["groups"] => (None, (method == "GET").then_some(Op::Groups)),
            ["groups", whom, rest @ ..] => (Some(*whom), of_group(method, rest)),
            ["admin", "exchange", "tracing", "messageTraces", rest @ ..] => (None, of_trace(method, rest)),
            ["security", "runHuntingQuery"] => (None, (method == "POST").then_some(Op::Hunt)),
            ["security", "collaboration", "analyzedEmails"] => (None, (method == "GET").then_some(Op::AnalyzedEmails)),
            ["servicePrincipals"] => (None, (method == "GET").then_some(Op::ServicePrincipals)),
            ["organization"] => (None, (method == "GET").then_some(Op::Organization)),
            _ => (None, None),
        };
        Ok(Self {
            op: op.ok_or_else(lost)?,
            whom: whom.map(str::to_owned),
        })
    }
}

fn of_user(method: &str, rest: &[&str]) -> Option<Op> {
    let text = |text: &str| text.to_owned();
    Some(match (method, rest) {
        ("GET", []) => Op::User,
        ("POST", ["sendMail"]) => Op::SendMail,
        ("GET", ["messages"]) => Op::Messages { folder: None },
        ("GET", ["messages", id] | ["mailFolders", _, "messages", id]) if *id != "delta" => Op::Message { id: text(id) },
        ("GET", ["messages", id, "$value"] | ["mailFolders", _, "messages", id, "$value"]) => Op::Mime { id: text(id) },
        ("DELETE", ["messages", id] | ["mailFolders", _, "messages", id]) => Op::Delete { id: text(id) },
        ("POST", ["messages", id, "permanentDelete"]) => Op::PermanentDelete { id: text(id) },
        ("POST", ["messages", id, "move"]) => Op::Move { id: text(id) },
        ("GET", ["mailFolders"]) => Op::Folders,
        ("GET", ["mailFolders", folder]) => Op::Folder { folder: text(folder) },
        ("GET", ["mailFolders", folder, "childFolders"]) => Op::ChildFolders { folder: text(folder) },
        ("GET", ["mailFolders", folder, "messages"]) => Op::Messages {
            folder: Some(text(folder)),
        },
        ("GET", ["mailFolders", folder, "messages", "delta"]) => Op::Delta { folder: text(folder) },
        ("GET", ["mailFolders", "inbox", "messageRules"]) => Op::Rules,
        ("GET", ["mailboxSettings"]) => Op::Settings,
        ("GET", ["mailboxSettings", "userPurpose"]) => Op::Purpose,
        _ => return None,
    })
}

fn of_group(method: &str, rest: &[&str]) -> Option<Op> {
    Some(match (method, rest) {
        ("GET", []) => Op::Group,
        ("GET", ["members" | "transitiveMembers"]) => Op::Members,
        ("GET", ["threads"]) => Op::Threads,
        ("GET", ["threads", thread]) => Op::Thread {
            thread: (*thread).to_owned(),
        },
        ("DELETE", ["threads", thread]) => Op::DeleteThread {
            thread: (*thread).to_owned(),
        },
        ("GET", ["threads", thread, "posts"]) => Op::Posts {
            thread: (*thread).to_owned(),
        },
        _ => return None,
    })
}

fn of_trace(method: &str, rest: &[&str]) -> Option<Op> {
    match (method, rest) {
        ("GET", []) => Some(Op::Traces),
        (
            "GET",
            [
                id,
                "getDetailsByRecipient" | "exchangeMessageTrace.getDetailsByRecipient",
                recipient,
            ],
        ) => Some(Op::TraceDetails {
            id: (*id).to_owned(),
            recipient: (*recipient).to_owned(),
        }),
        _ => None,
    }
}
