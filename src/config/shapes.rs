//! The shape of a site file: which keys it knows, and what each is for. Descriptions here are what editors show.

use super::{
    mistakes::{Mistakes, nearest},
    read::{At, Named, OneOrMany, Read, described, mapping, unexpected},
    tree::{Kind, Node},
    words::{Address, AuthWord, Connections, Expected, Port, TlsWord},
};
use crate::model::{Placement, Rate, SecretSource};
use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

mapping! {
    /// A mail world: who sends, by which routes, which mailboxes can be read, which addresses matter and who owns them.
    SiteShape, "a site", one_of ["sender", "senders"] {
        /// Who sends the probes, where there is only one.
        sender: SenderShape;
        /// Who sends the probes, by name; the first is the default.
        senders: Named<SenderShape>;
        /// Values for `{domain.NAME}` in routes, by the recipient's domain.
        domains: Named<Named<String>>;
        /// The ways a probe enters the mail system, by name.
        routes: Named<RouteShape>, needs;
        /// Microsoft 365 tenants, by name. Not yet built.
        tenants: Named<TenantShape>;
        /// What a recipient that says nothing itself gets.
        defaults: DefaultsShape;
        /// Where mailflow can look, by name.
        mailboxes: Named<MailboxShape>;
        /// The addresses that matter.
        recipients: Vec<At<RecipientShape>>, needs;
        /// The key of the tags, which machines that share probes must share: any text of at least 32 characters, such as `openssl rand -base64 32` prints.
        tag_key: Secret;
    }
}

mapping! {
    /// Who sends the probes.
    SenderShape, "a sender" {
        /// The address in `From`, and the envelope sender unless `envelope` sets that apart.
        address: Address, needs;
        /// The envelope sender.
        envelope: Address;
        /// The name shown to people.
        name: String;
        /// Whom the message says to ask.
        contact: String;
        /// The mailbox to which bounces and replies come back: a name, a mailbox in place, or `none`.
        mailbox: MailboxRef;
        /// VERP: what separates the local part of the envelope sender from the tag, such as `+`. Bounces are named surely, but greylists begin anew each time.
        subaddress: String;
    }
}

mapping! {
    /// A way by which a probe enters the mail system.
    RouteShape, "a route", one_of ["smtp", "mx", "graph"] {
        /// To a named host: submission, or a gateway.
        smtp: SmtpShape;
        /// Straight to the MX hosts of the recipient's domain.
        mx: MxShape;
        /// By Microsoft Graph. Not yet built.
        graph: GraphShape;
        /// The sender that uses this route; the site's first by default.
        sender: String;
        /// Whether scenarios that name no route use this one.
        default: bool;
        /// How many connections it may hold at once (`mx`: to each host); 4 by default.
        connections: Connections;
        /// How quickly messages may leave.
        rate: Rate;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// A named SMTP server.
    SmtpShape, "an SMTP server" {
        /// `smtp://HOST[:PORT]` (STARTTLS; port 25, or 587 with a sign-in) or `smtps://HOST[:PORT]` (TLS at once; port 465). The host may hold `{domain.NAME}`.
        url: String, needs;
        /// Who signs in.
        user: String;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant that gives the token. Not yet built.
        tenant: String;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected: by default `required`, to port 25 `opportunistic`.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// Delivery by DNS.
    MxShape, "an MX route" {
        /// The DNS server to ask (`ADDRESS[:PORT]`); the system's by default.
        resolver: String;
        /// The port of the MX hosts; 25 by default.
        port: Port;
        /// How the connections are protected; `opportunistic` by default.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// A mailbox of Microsoft Graph. Not yet built.
    GraphShape, "a Graph mailbox", one_of ["user", "group"] {
        /// The tenant's name under `tenants`.
        tenant: String, needs;
        /// The user.
        user: String;
        /// The group.
        group: String;
    }
}

mapping! {
    /// A Microsoft 365 tenant. Not yet built.
    TenantShape, "a tenant", one_of ["certificate", "secret"] {
        /// The directory (tenant) ID.
        tenant_id: String, needs;
        /// The application (client) ID.
        client_id: String, needs;
        /// The application's certificate.
        certificate: Secret;
        /// The application's secret.
        secret: Secret;
        /// Whether the message trace may be read.
        trace: bool;
    }
}

mapping! {
    /// What a recipient that says nothing itself gets.
    DefaultsShape, "defaults" {
        /// The mailbox. In one written in place, `{address}`, `{local}` and `{domain}` are the recipient's.
        mailbox: MailboxRef;
        /// Where a quarantine would hold mail.
        quarantine: Quarantine;
    }
}

mapping! {
    /// A mailbox and the way into it.
    MailboxShape, "a mailbox", one_of ["imap", "graph", "trace"] {
        /// By IMAP.
        imap: ImapShape;
        /// By Microsoft Graph. Not yet built.
        graph: GraphShape;
        /// Not read; only the trace of this tenant may speak. Not yet built.
        trace: String;
        /// Names of folders, where special-use attributes (RFC 6154) do not tell.
        folders: FoldersShape;
        /// What every folder of this mailbox means, such as `quarantine`.
        placement: Placement;
        /// Whether the bodies of new messages without a tag in their header may be peeked at, bounded, where the server cannot search them. By default only in senders' mailboxes.
        peek: bool;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// An IMAP mailbox.
    ImapShape, "an IMAP mailbox" {
        /// `imaps://HOST[:PORT]` (TLS at once; port 993) or `imap://HOST[:PORT]` (STARTTLS; port 143).
        url: String, needs;
        /// The mailbox's user.
        user: String, needs;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant that gives the token. Not yet built.
        tenant: String;
        /// Another login that may read this mailbox, so that one connection serves many.
        watch_as: WatchAsShape;
        /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name the URL's host.
        connect: String;
        /// How the connection is protected; `required` by default.
        tls: TlsWord;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// The login that reads a mailbox in its user's stead. `{user}` is the mailbox's user.
    WatchAsShape, "`watch_as`" {
        /// Who signs in; a master user may be written as `{user}*watcher`.
        user: String, needs;
        /// That user's password.
        password: Secret;
        /// `xoauth2`, together with `token`.
        auth: AuthWord;
        /// An OAuth 2.0 bearer token.
        token: Secret;
        /// A Microsoft 365 tenant that gives the token. Not yet built.
        tenant: String;
        /// The path of the mailbox's folders in the shared namespace, such as `All/{user}`.
        root: String;
    }
}

mapping! {
    /// Names of folders.
    FoldersShape, "`folders`" {
        /// The inbox, where it is not `INBOX`.
        inbox: String;
        /// The junk folder.
        junk: String;
        /// The folder that holds quarantined mail.
        quarantine: String;
        /// The deleted items.
        deleted: String;
    }
}

mapping! {
    /// A private CA.
    CaShape, "`ca`" {
        /// Its certificates in PEM; a relative path begins at the site's folder.
        file: String, needs;
    }
}

mapping! {
    /// An address that must receive mail, or must refuse it.
    RecipientShape, "a recipient" {
        /// The address.
        address: Address, needs;
        /// The role it holds.
        role: String;
        /// Who answers for it.
        owner: OwnerShape;
        /// Words by which scenarios may choose it.
        tags: OneOrMany<String>;
        /// Its mailbox: a name, a mailbox in place, or `none`.
        mailbox: MailboxRef;
        /// For a list: the mailboxes that it reaches, by name or address. Each gets a verdict.
        reaches: OneOrMany<MailboxRef>;
        /// Where a quarantine would hold its mail.
        quarantine: Quarantine;
        /// What its probes are expected to come to.
        expect: OneOrMany<Expected>;
        /// The recipient that receives in its stead.
        covered_by: Address;
        /// A failure that is accepted until a date.
        known: KnownShape;
    }
}

mapping! {
    /// A person.
    OwnerShape, "an owner" {
        /// The name.
        name: String;
        /// The address.
        email: Address;
    }
}

mapping! {
    /// A failure that somebody accepted for a time.
    KnownShape, "a waiver (`known`)" {
        /// What is accepted.
        verdict: OneOrMany<Expected>, needs;
        /// The last day (UTC) on which it is.
        until: NaiveDate, needs;
        /// The change or incident.
        ticket: String;
        /// Who accepted it.
        approved_by: String;
    }
}

/// A mailbox where one is needed.
#[derive(Debug)]
pub(super) enum MailboxRef {
    /// There is none.
    None,
    /// The one of this name.
    Name(String),
    /// This one.
    Here(Box<MailboxShape>),
}

impl Read for MailboxRef {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => Box::read(node, mistakes).map(Self::Here),
            Kind::Text(text) if text == "none" => Some(Self::None),
            Kind::Text(_) => String::read(node, mistakes).map(Self::Name),
            _ => unexpected(node, "the name of a mailbox, or a mailbox in place", mistakes),
        }
    }
}

impl JsonSchema for MailboxRef {
    fn schema_name() -> Cow<'static, str> {
        "MailboxOrName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let here = described(generator.subschema_for::<MailboxShape>(), "");
        json_schema!({ "description": "The name of a mailbox, a mailbox in place, or none.", "anyOf": [{ "type": "string" }, here] })
    }
}

/// Where a quarantine would hold mail.
#[derive(Debug)]
pub(super) enum Quarantine {
    /// There is none.
    None,
    /// There is one that nobody can read.
    Unreadable,
    /// The provider's trace tells.
    Trace,
    /// In these mailboxes.
    In(Vec<At<MailboxRef>>),
}

impl Read for Quarantine {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "a list of mailboxes, `none`, `unreadable` or `trace`";
        match &node.kind {
            Kind::List(list) if list.is_empty() => {
                mistakes
                    .note(node.caret(), "an empty list")
                    .help("`none` says that there is no quarantine");
                None
            }
            Kind::List(_) => Vec::read(node, mistakes).map(Self::In),
            Kind::Text(text) if text == "none" => Some(Self::None),
            Kind::Text(text) if text == "unreadable" => Some(Self::Unreadable),
            Kind::Text(text) if text == "trace" => Some(Self::Trace),
            Kind::Text(text) => {
                let help = match nearest(text, &["none", "unreadable", "trace"]) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("mailboxes stand in a list: `[{}]`", super::mistakes::shown(text)),
                };
                mistakes.note(node.caret(), format!("expected {FORM}")).help(help);
                None
            }
            _ => unexpected(node, FORM, mistakes),
        }
    }
}

impl JsonSchema for Quarantine {
    fn schema_name() -> Cow<'static, str> {
        "Quarantine".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mailbox = generator.subschema_for::<MailboxRef>();
        json_schema!({
            "description": "The mailboxes that hold mail in quarantine; `none` if there are none, `unreadable` if nobody can read them. `trace` is not yet built.",
            "anyOf": [{ "enum": ["none", "unreadable", "trace"] }, { "type": "array", "items": mailbox, "minItems": 1 }]
        })
    }
}

/// Where a secret comes from. No message repeats what was written here.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretSource);

/// The ways of giving a secret.
const SECRET_FORMS: &str = "take it from elsewhere: `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ...] }`";

impl Read for Secret {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let title = match node.kind {
                Kind::Nothing => "expected the source of a secret, found nothing",
                _ => "a secret stands literally in this file",
            };
            mistakes.note(node.caret(), title).help(SECRET_FORMS);
            return None;
        };
        let [(key, value)] = entries.as_slice() else {
            mistakes.note(node.caret(), "expected one source of a secret").help(SECRET_FORMS);
            return None;
        };
        let mut wrong = |span, title: &str| {
            mistakes.note(span, title).help(SECRET_FORMS);
            None
        };
        match (key.text.as_str(), &value.kind) {
            ("env", Kind::Text(name)) if is_variable(name) => Some(Self(SecretSource::Env(name.clone()))),
            ("env", _) => wrong(value.caret(), "expected the name of an environment variable"),
            ("file", Kind::Text(path)) if !path.trim().is_empty() => Some(Self(SecretSource::File(path.into()))),
            ("file", _) => wrong(value.caret(), "expected the path of a file"),
            ("command", Kind::List(words)) => {
                let texts = words.iter().map(|word| match &word.kind {
                    Kind::Text(text) => Some(text.clone()),
                    _ => None,
                });
                match texts.collect::<Option<Vec<_>>>() {
                    Some(words) if words.first().is_some_and(|program| !program.is_empty()) => Some(Self(SecretSource::Command(words))),
                    _ => wrong(value.caret(), "expected a program and its arguments, each as text"),
                }
            }
            ("command", _) => wrong(value.caret(), "expected a list: the program and its arguments (there is no shell)"),
            _ => wrong(key.span.clone(), "a secret has no such source"),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let source = |key: &str, value: serde_json::Value| serde_json::json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
        json_schema!({
            "description": "Where a secret comes from; never the secret itself.",
            "anyOf": [
                source("env", serde_json::json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "An environment variable." })),
                source("file", serde_json::json!({ "type": "string", "description": "The first line of this file; a relative path begins at the site's folder." })),
                source("command", serde_json::json!({ "type": "array", "items": { "type": "string" }, "minItems": 1,
                    "description": "The first line that this program prints; it is run without a shell, in the site's folder." })),
            ]
        })
    }
}

fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}
