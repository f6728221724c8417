//! The causes for which mail systems refuse or return a message, as their codes and words tell them, whatever the product.
//!
//! What one product alone means by a code is not here: see [`super::exchange`].

/// Why a message was refused or returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The address does not exist there.
    NoSuchMailbox,
    /// The edge found no such address in the directory (Exchange Online's Directory-Based Edge Blocking).
    NotInDirectory,
    /// The domain does not exist.
    NoSuchDomain,
    /// The domain says by its null MX that it takes no mail (RFC 7505).
    NullMx,
    /// The mailbox exists, but takes nothing.
    Disabled,
    /// The mailbox is over its quota.
    Full,
    /// The message is larger than a limit.
    TooLarge,
    /// The host does not take mail for this domain.
    Relaying,
    /// The connection matched no connector that may bring this mail.
    Connector,
    /// The recipient takes mail from some senders only, mostly those of its own organisation.
    Outsiders,
    /// The sender's address is refused as such: it does not exist, or may not be used.
    Sender,
    /// The sending account or its domain is banned at its own provider.
    SenderBanned,
    /// The recipient, or its organisation, has blocked this sender.
    SenderBlocked,
    /// The host that sends is refused as such, whatever it sends.
    SendingHost,
    /// The host that sends is on a blocklist, or has a bad reputation.
    Blocklist,
    /// Taken for spam or phishing.
    Spam,
    /// Taken for malware.
    Malware,
    /// A kind of attachment that is not taken.
    Attachment,
    /// SPF, DKIM or DMARC failed.
    Authentication,
    /// The sending side did not sign in, or could not.
    SignIn,
    /// Sign-in with user and password is switched off.
    BasicSignIn,
    /// Mail is taken over TLS only.
    Encryption,
    /// TLS was tried and failed: certificate, DANE, MTA-STS.
    Tls,
    /// Too much, too fast.
    Rate,
    /// The sender's own account or tenant has used up what it may send.
    SendingLimit,
    /// Put off on first contact.
    Greylisting,
    /// It went round in circles.
    Loop,
    /// The next host could not be reached.
    Unreachable,
    /// It waited in a queue until its time was up.
    Expired,
    /// The system lacks disk or is overloaded.
    Resources,
    /// A rule that an administrator wrote.
    MailRule,
    /// A rule against the loss of data.
    DataLoss,
    /// The mailbox forwards to the outside, which its organisation forbids.
    Forwarding,
    /// The message is not well formed.
    Malformed,
    /// Some policy; the words do not tell which.
    Policy,
    /// The words do not tell.
    Other,
}

impl Cause {
    /// The word for it, in kebab-case.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoSuchMailbox => "no-such-mailbox",
            Self::NotInDirectory => "not-in-directory",
            Self::NoSuchDomain => "no-such-domain",
            Self::NullMx => "null-mx",
            Self::Disabled => "disabled",
            Self::Full => "full",
            Self::TooLarge => "too-large",
            Self::Relaying => "relaying",
            Self::Connector => "connector",
            Self::Outsiders => "outsiders",
            Self::Sender => "sender",
            Self::SenderBanned => "sender-banned",
            Self::SenderBlocked => "sender-blocked",
            Self::SendingHost => "sending-host",
            Self::Blocklist => "blocklist",
            Self::Spam => "spam",
            Self::Malware => "malware",
            Self::Attachment => "attachment",
            Self::Authentication => "authentication",
            Self::SignIn => "sign-in",
            Self::BasicSignIn => "basic-sign-in",
            Self::Encryption => "encryption",
            Self::Tls => "tls",
            Self::Rate => "rate",
            Self::SendingLimit => "sending-limit",
            Self::Greylisting => "greylisting",
            Self::Loop => "loop",
            Self::Unreachable => "unreachable",
            Self::Expired => "expired",
            Self::Resources => "resources",
            Self::MailRule => "mail-rule",
            Self::DataLoss => "data-loss",
            Self::Forwarding => "forwarding",
            Self::Malformed => "malformed",
            Self::Policy => "policy",
            Self::Other => "other",
        }
    }
}

/// Words in lower case, and the cause that they tell; in a table of them the first that fits wins.
pub(super) type Words = (&'static [&'static str], Cause);

/// Words by which a blocklist is named, or a reputation.
pub(super) const LISTED: &[&str] = &[
    "blocklist",
    "block list",
    "blacklist",
    "spamhaus",
    "dnsbl",
    "barracudacentral",
    "listed by",
    "listed at",
    "listed in",
    "blocked using",
    "reputation",
    "senderbase",
];

/// Words that say of whom a refusal speaks, whatever its code: not of the recipient.
pub(super) const BEFORE_CODES: &[Words] = &[
    (
        &["unverified address", "address verification", "recipient address verif"],
        Cause::Unreachable,
    ),
    (
        &["client host rejected", "helo command rejected", "reverse hostname", "reverse dns"],
        Cause::SendingHost,
    ),
    (
        &[
            "envelope blocked",
            "blocked senders",
            "blocked sender",
            "sender is blocked",
            "sender blocked",
        ],
        Cause::SenderBlocked,
    ),
    (&["banned sending ip"], Cause::Blocklist),
    // Postfix says "Sender address rejected" of whoever a restriction class keeps out.
    (&["only insiders", "insiders only", "inside the organi"], Cause::Outsiders),
    (
        &["sender address", "sender rejected", "sender verify", "sender domain"],
        Cause::Sender,
    ),
    // Exchange's 5.1.10 is no null MX, and Domino's directory no blocklist.
    (&["recipientnotfound", "recipient not found", "not listed in"], Cause::NoSuchMailbox),
    (
        &["must issue a starttls", "starttls first", "starttls is required"],
        Cause::Encryption,
    ),
    (
        &[
            "certificate",
            "tlsa",
            "mta-sts",
            "tls is required, but",
            "cannot start tls",
            "tls handshake",
        ],
        Cause::Tls,
    ),
    // Gmail says it with 5.2.1 and 4.2.1, the codes of disabled mailboxes.
    (
        &["receiving mail at a rate", "receiving mail too quickly", "unexpected volume"],
        Cause::Rate,
    ),
    (&["submission quota"], Cause::SendingLimit),
    (&["sending quota", "sending limit", "sending rate"], Cause::Rate),
    (
        &["external forwarding", "forwarding is not allowed", "automatic forwarding"],
        Cause::Forwarding,
    ),
];

/// Words that tell a cause where the code does not.
pub(super) const BY_WORDS: &[Words] = &[
    (LISTED, Cause::Blocklist),
    (
        &["relaying", "relay access", "relay denied", "relay not", "to relay", "not relay"],
        Cause::Relaying,
    ),
    (
        &["dmarc", "spf", "dkim", "unauthenticated mail", "sender is unauthenticated"],
        Cause::Authentication,
    ),
    (&["data loss", "loss prevention", "dlp policy", "dlp rule"], Cause::DataLoss),
    (&["mail flow rule", "transport rule"], Cause::MailRule),
    (&["virus", "malware", "infected", "eicar"], Cause::Malware),
    (
        &[
            "banned",
            "attachment type",
            "file type",
            "file extension",
            "attachments are not",
            "attachment is not",
            "prohibited attachment",
            "potential security issue",
        ],
        Cause::Attachment,
    ),
    (
        &[
            "5322 compliant",
            "2822 compliant",
            "invalid header",
            "duplicate header",
            "bare line feed",
            "bare lf",
            "malformed",
        ],
        Cause::Malformed,
    ),
    (
        &[
            "spam",
            "gtube",
            "junk",
            "unsolicited",
            "bulk email",
            ", ube",
            "phish",
            "content reject",
        ],
        Cause::Spam,
    ),
    (&["quota", "mailbox full", "mailbox is full", "over storage"], Cause::Full),
    (&["too large", "too big", "size limit", "size exceeded", "exceeds"], Cause::TooLarge),
    (
        &[
            "not allowed to send",
            "not authorized to send",
            "only accepts",
            "authenticated senders",
            "internal senders",
            "outside senders",
            "restricted",
            "not permitted to send",
            "permission to send",
            "only senders",
            "only members",
            "inside the organi",
            "from outside",
        ],
        Cause::Outsiders,
    ),
    (
        &[
            "too many",
            "rate limit",
            "rate-limit",
            "throttl",
            "too fast",
            "temporarily deferred",
        ],
        Cause::Rate,
    ),
    (
        &[
            "user unknown",
            "unknown user",
            "no such user",
            "no such mailbox",
            "no such recipient",
            "does not exist",
            "mailbox unavailable",
            "recipient rejected",
            "unknown recipient",
            "invalid recipient",
            "user not found",
            "recipient not found",
            "recipientnotfound",
            "mailbox not found",
            "address not found",
            "no mailbox here",
            "unbekannt",
        ],
        Cause::NoSuchMailbox,
    ),
    (&["disabled", "inactive", "suspended"], Cause::Disabled),
    (&["too many hops", "hop count", "loop"], Cause::Loop),
    (&["message expired", "queue.expired", "too long in"], Cause::Expired),
    (
        &[
            "connection refused",
            "connection timed out",
            "could not connect",
            "unable to connect",
            "no route to host",
        ],
        Cause::Unreachable,
    ),
];

/// Codes that mean one thing, whatever the words. `7.1`, `7.0` and `5.0` are not among them: their words say more.
pub(super) fn by_code(code: &str) -> Option<Cause> {
    Some(match code {
        "1.1" | "1.3" | "1.4" | "1.6" => Cause::NoSuchMailbox,
        "1.2" => Cause::NoSuchDomain,
        "1.10" => Cause::NullMx,
        "1.7" | "1.8" | "7.27" => Cause::Sender,
        "2.1" | "7.13" | "7.17" => Cause::Disabled,
        "2.2" => Cause::Full,
        "2.3" | "3.4" => Cause::TooLarge,
        "3.1" | "3.2" | "4.5" => Cause::Resources,
        "4.1" | "4.2" | "4.3" | "4.4" => Cause::Unreachable,
        "4.6" => Cause::Loop,
        "4.7" => Cause::Expired,
        "7.8" | "7.9" => Cause::SignIn,
        "7.10" | "7.11" => Cause::Encryption,
        "7.20" | "7.21" | "7.22" | "7.23" | "7.24" | "7.26" | "7.29" => Cause::Authentication,
        "7.25" => Cause::SendingHost,
        "7.28" => Cause::Rate,
        "7.2" => Cause::Outsiders,
        _ => return None,
    })
}
