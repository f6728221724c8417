//! Why a mail system refused or returned a message, read from its codes and its words, and what to do about it.
//!
//! What it cannot see: the truth behind a reply. Servers answer `550 5.7.1` for very different reasons; where the words do not tell
//! them apart, the next step is to read that server's log.

use super::status;

/// The words in which a mail system refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The SMTP reply code.
    pub code: Option<u16>,
    /// The enhanced status code, with which a reply or a notification came.
    pub status: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// Whether the words are mailflow's own: the DNS spoke, not a server.
    pub ours: bool,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    NoSuchMailbox,
    NoSuchDomain,
    NullMx,
    Disabled,
    Full,
    TooLarge,
    Relaying,
    Outsiders,
    Sender,
    SendingHost,
    Spam,
    Blocklist,
    Authentication,
    SignIn,
    Encryption,
    Rate,
    Greylisting,
    Loop,
    Unreachable,
    Resources,
    Policy,
    Other,
}

/// Words by which a blocklist is named.
const LISTED: &[&str] = &[
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
];

/// Words, in lower case, that say of whom a refusal speaks, whatever its code: not of the recipient.
const BEFORE_CODES: &[(&[&str], Cause)] = &[
    (
        &["unverified address", "address verification", "recipient address verif"],
        Cause::Unreachable,
    ),
    (
        &[
            "client host rejected",
            "helo command rejected",
            "reverse hostname",
            "reverse dns",
            "banned sending ip",
            "5.7.606",
        ],
        Cause::SendingHost,
    ),
    (
        &["sender address", "sender rejected", "sender verify", "sender domain"],
        Cause::Sender,
    ),
    // Exchange Online's 5.1.10 is no null MX.
    (&["recipientnotfound", "recipient not found"], Cause::NoSuchMailbox),
    (
        &["must issue a starttls", "starttls first", "starttls is required"],
        Cause::Encryption,
    ),
    (&["sending quota", "sending limit", "sending rate"], Cause::Rate),
];

/// Words that tell a cause, in lower case; the first that fit win.
const BY_WORDS: &[(&[&str], Cause)] = &[
    (LISTED, Cause::Blocklist),
    (
        &["relaying", "relay access", "relay denied", "relay not", "to relay", "not relay"],
        Cause::Relaying,
    ),
    (&["dmarc", "spf", "dkim", "unauthenticated mail"], Cause::Authentication),
    (
        &[
            "spam",
            "gtube",
            "junk",
            "unsolicited",
            "virus",
            "malware",
            "phish",
            "content reject",
        ],
        Cause::Spam,
    ),
    (&["quota", "mailbox full", "mailbox is full", "over storage"], Cause::Full),
    (&["too large", "too big", "size limit", "exceeds"], Cause::TooLarge),
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
    (&["too many", "rate limit", "rate-limit", "throttl", "too fast"], Cause::Rate),
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
            "user not found",
            "recipient not found",
            "recipientnotfound",
            "mailbox not found",
            "address not found",
        ],
        Cause::NoSuchMailbox,
    ),
    (&["disabled", "inactive", "suspended"], Cause::Disabled),
    (&["too many hops", "loop"], Cause::Loop),
];

impl Refusal<'_> {
    /// Why it was refused. Words that say more than the code go first: spam filters, lists and greylisting share codes with all else.
    pub fn cause(&self) -> Cause {
        let text = self.text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let code = self
            .status
            .filter(|code| !code.ends_with(".0.0"))
            .or_else(|| status::find(self.text))
            .and_then(status::detail);
        if self.ours {
            if code == Some("1.10") || says(&["null mx"]) {
                return Cause::NullMx;
            }
            if code == Some("1.2") || says(&["no such domain", "nxdomain", "does not exist"]) {
                return Cause::NoSuchDomain;
            }
        }
        if says(&["greylist", "graylist", "grey-list", "greylisted"]) {
            return Cause::Greylisting;
        }
        let spoken_of = |table: &[(&[&str], Cause)]| table.iter().find(|(words, _)| says(words)).map(|(_, cause)| *cause);
        if let Some(cause) = spoken_of(BEFORE_CODES).filter(|cause| *cause != Cause::SendingHost || !says(LISTED)) {
            return cause;
        }
        if let Some(cause) = code.and_then(by_code) {
            return cause;
        }
        if let Some(cause) = spoken_of(BY_WORDS) {
            return cause;
        }
        match (code, self.code) {
            (Some(code), _) if code.starts_with("7.") => Cause::Policy,
            (_, Some(452)) => Cause::Resources,
            (_, Some(552)) => Cause::Full,
            (_, Some(530 | 534 | 535 | 538)) => Cause::SignIn,
            _ => Cause::Other,
        }
    }
}

/// Codes that mean one thing, whatever the words. `7.1`, `7.0` and `5.0` are not among them: their words say more.
fn by_code(code: &str) -> Option<Cause> {
    Some(match code {
        "1.1" | "1.3" | "1.4" | "1.6" => Cause::NoSuchMailbox,
        "1.2" => Cause::NoSuchDomain,
        "1.10" => Cause::NullMx,
        "1.7" | "1.8" | "7.27" => Cause::Sender,
        "2.1" | "7.13" | "7.17" => Cause::Disabled,
        "2.2" => Cause::Full,
        "2.3" | "3.4" => Cause::TooLarge,
        "3.1" | "3.2" | "4.5" => Cause::Resources,
        "4.1" | "4.2" | "4.3" | "4.4" | "4.7" => Cause::Unreachable,
        "4.6" => Cause::Loop,
        "7.8" | "7.9" => Cause::SignIn,
        "7.10" | "7.11" => Cause::Encryption,
        "7.20" | "7.21" | "7.22" | "7.23" | "7.24" | "7.25" | "7.26" | "7.29" => Cause::Authentication,
        "7.28" => Cause::Rate,
        // Beside the list that takes no outsiders' mail: Exchange Online's own numbers for recipients that take it from some senders only.
        "7.2" | "7.124" | "7.129" | "7.130" | "7.133" | "7.134" | "7.135" | "7.136" | "7.137" | "7.193" => Cause::Outsiders,
        _ => return None,
    })
}

/// Of whom a next step speaks.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The address that was refused.
    pub recipient: &'a str,
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// The host that refused.
    pub host: &'a str,
    /// The route.
    pub route: &'a str,
}

impl Cause {
    /// Whether the code alone, without the words beside it, tells this cause.
    pub fn is_in(self, code: Option<&str>) -> bool {
        code.and_then(status::detail).and_then(by_code) == Some(self)
    }

    /// The next step.
    pub fn remedy(self, names: Names<'_>) -> String {
        let Names {
            recipient,
            owner,
            host,
            route,
        } = names;

        let domain = recipient.rsplit('@').next().unwrap_or(recipient);
        match self {
            Self::NoSuchMailbox => {
                format!("Create {recipient}, or fix the alias or list that should carry it; if it is gone on purpose, expect `returned`.")
            }
            Self::NoSuchDomain => format!("Check the MX and address records of {domain}, and the spelling of {recipient} in the site."),
            Self::NullMx => format!("If {domain} is to take mail, replace its null MX by its mail hosts; if not, expect `returned`."),
            Self::Disabled => {
                format!("Have the mailbox of {recipient} enabled again, or let another address stand in for it (`covered_by`).")
            }
            Self::Full => match owner {
                Some(owner) => format!("Ask {owner} to make room in the mailbox of {recipient}, or raise its quota."),
                None => format!("Have room made in the mailbox of {recipient}, or raise its quota."),
            },
            Self::TooLarge => format!("Compare the size of the message with the limits of {host} and of the mailbox."),
            Self::Relaying => {
                format!(
                    "Check that the route {route} names the right host, and that {host} counts {domain} among the domains it takes mail for."
                )
            }
            Self::Outsiders => {
                format!(
                    "If outsiders must reach {recipient}, let it take mail from outside, this one address only; if not, expect `returned`."
                )
            }
            Self::Sender => format!(
                "Check that the envelope sender of route {route} exists, that its domain takes mail, and that the login there may send as it."
            ),
            Self::SendingHost => format!(
                "{host} refuses the host that sends by route {route}, whoever the recipient: check its HELO name, its reverse DNS, and whether it may send there."
            ),
            Self::Spam => {
                format!("Find in the log of {host} the rule or score that refused it, and fix what that rule found rather than the rule.")
            }
            Self::Blocklist => {
                format!("Find out why the sending host is on the list that {host} names, fix that, then ask the list to take it off.")
            }
            Self::Authentication => {
                "Fix SPF, DKIM or DMARC of the sending domain: its DNS records must name the host that sends, this one where the route leads straight out."
                    .to_owned()
            }
            Self::SignIn => format!("Check the user and the secret of route {route}, and prove them with `mailflow check`."),
            Self::Encryption => format!("Set `tls: required` on route {route}: {host} takes such mail over TLS only."),
            Self::Rate => format!("Lower `rate:` or `connections:` of route {route}, and run it again."),
            Self::Greylisting => format!("Set `give_up_after` above the time for which {host} greylists first contacts, and run it again."),
            Self::Loop => format!("Follow {recipient} through aliases, forwards and connectors: two of them send to each other."),
            Self::Unreachable => {
                format!("Find out on {host} why it cannot reach the next host for {domain}: DNS, firewall, or that host itself.")
            }
            Self::Resources => format!("Look at {host} itself: its disk, its load and its queue."),
            Self::Policy => {
                format!("Find in the log of {host} which policy refused it, and decide for {recipient} alone whether that is right.")
            }
            Self::Other => format!("Look up {recipient} at this time in the log of {host}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn causes_are_read_from_codes_and_words() {
        for (code, status, text, ours, cause) in [
            (550, Some("5.1.1"), "User unknown", false, Cause::NoSuchMailbox),
            (550, None, "#5.1.1 bad address", false, Cause::NoSuchMailbox),
            (550, None, "No such user here", false, Cause::NoSuchMailbox),
            (550, Some("5.7.1"), "Unable to relay", false, Cause::Relaying),
            (554, Some("5.7.1"), "<a@b>: Relay access denied", false, Cause::Relaying),
            (
                550,
                Some("5.7.1"),
                "Only senders inside the organisation may write here",
                false,
                Cause::Outsiders,
            ),
            (
                550,
                Some("5.7.1"),
                "This group only accepts mail from members",
                false,
                Cause::Outsiders,
            ),
            (
                550,
                Some("5.7.133"),
                "RESOLVER.RST.SenderNotAuthenticatedForGroup",
                false,
                Cause::Outsiders,
            ),
            (554, Some("5.7.1"), "Spam message rejected", false, Cause::Spam),
            (554, None, "Gtube pattern", false, Cause::Spam),
            (
                554,
                Some("5.7.1"),
                "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
                false,
                Cause::Blocklist,
            ),
            (
                550,
                Some("5.7.26"),
                "Unauthenticated email from a.example",
                false,
                Cause::Authentication,
            ),
            (
                550,
                Some("5.7.1"),
                "rejected by DMARC policy of a.example",
                false,
                Cause::Authentication,
            ),
            (550, Some("5.7.1"), "Message refused", false, Cause::Policy),
            (552, Some("5.2.2"), "Mailbox full", false, Cause::Full),
            (452, Some("4.2.2"), "over quota", false, Cause::Full),
            (550, Some("5.2.1"), "disabled", false, Cause::Disabled),
            (
                451,
                Some("4.7.1"),
                "Greylisted, try again in 300 seconds",
                false,
                Cause::Greylisting,
            ),
            (452, Some("4.3.1"), "Insufficient system storage", false, Cause::Resources),
            (421, Some("4.7.28"), "Too fast", false, Cause::Rate),
            (530, None, "Authentication needed", false, Cause::SignIn),
            (
                450,
                Some("4.7.1"),
                "<x>: Helo command rejected: Host not found",
                false,
                Cause::SendingHost,
            ),
            (
                550,
                Some("5.1.1"),
                "5.7.606 Access denied, banned sending IP [192.0.2.1]",
                false,
                Cause::SendingHost,
            ),
            (
                450,
                Some("4.1.8"),
                "<p@x>: Sender address rejected: Domain not found",
                false,
                Cause::Sender,
            ),
            (550, None, "Sender rejected: does not exist here", false, Cause::Sender),
            (
                550,
                Some("5.1.10"),
                "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
                false,
                Cause::NoSuchMailbox,
            ),
            (451, Some("4.3.0"), "content scanner gw.test not found", false, Cause::Other),
            (
                450,
                Some("4.1.1"),
                "unverified address: connect to store.test: Connection refused",
                false,
                Cause::Unreachable,
            ),
            (530, Some("5.7.0"), "Must issue a STARTTLS command first", false, Cause::Encryption),
            (450, None, "Daily user sending quota exceeded", false, Cause::Rate),
            (556, Some("5.1.10"), "x.example takes no mail (null MX)", true, Cause::NullMx),
            (550, Some("5.1.2"), "there is no such domain", true, Cause::NoSuchDomain),
            (554, Some("5.4.6"), "Hop count exceeded", false, Cause::Loop),
            (451, Some("4.3.0"), "Temporary lookup failure", false, Cause::Other),
            (550, Some("5.0.0"), "no", false, Cause::Other),
        ] {
            assert_eq!(
                Refusal {
                    code: Some(code),
                    status,
                    text,
                    ours
                }
                .cause(),
                cause,
                "{code} {status:?} {text}"
            );
        }
    }
}
