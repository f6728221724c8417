//! Why a mail system refused or returned a message, read from its codes and its words.
//!
//! What it cannot see: the truth behind a reply. Servers answer `550 5.7.1` for very different reasons; where the words do not tell
//! them apart, the next step is to read that server's log.

use super::cause::{self, BEFORE_CODES, BY_WORDS, Cause, LISTED, Words};
use super::remedy::{self, Names};
use super::vendor::Vendor;
use super::{exchange, quote, status};
use crate::model::{Attempt, Dsn};

/// The words in which a mail system refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refusal<'a> {
    /// The SMTP reply code.
    pub code: Option<u16>,
    /// The enhanced status code, with which a reply or a notification came.
    pub status: Option<&'a str>,
    /// The text.
    pub text: &'a str,
    /// The host whose words they are, where it is known.
    pub host: &'a str,
    /// The host that wrote the notification, where it quotes another's words.
    pub reporter: Option<&'a str>,
    /// Whether the words are mailflow's own: the DNS spoke, not a server.
    pub ours: bool,
}

impl<'a> Refusal<'a> {
    /// The refusal with which an attempt ended.
    pub fn of_attempt(attempt: &'a Attempt) -> Self {
        Self {
            code: attempt.reply.code,
            status: attempt.reply.enhanced.as_deref(),
            text: &attempt.reply.text,
            host: quote::host(attempt),
            reporter: None,
            ours: attempt.reply.ours,
        }
    }

    /// The refusal that a notification tells of.
    pub fn of_notice(dsn: &'a Dsn) -> Self {
        let reporter = dsn.reporting_mta.as_deref();
        Self {
            status: dsn.status.as_deref(),
            text: dsn.diagnostic.as_deref().unwrap_or_default(),
            host: dsn.remote_mta.as_deref().or(reporter).unwrap_or_default(),
            reporter,
            ..Self::default()
        }
    }

    /// Subject and detail of its enhanced status code, where that says more than a class.
    fn detail(&self) -> Option<&'a str> {
        self.status
            .filter(|code| !code.ends_with(".0.0"))
            .or_else(|| status::find(self.text))
            .and_then(status::detail)
    }

    /// The product that speaks. A number beyond the registry's is Exchange Online's own where that wrote the notification, whomever it had asked.
    fn vendor(&self) -> Option<Vendor> {
        let text = self.text.to_lowercase();
        let reporter = || self.reporter.and_then(|host| Vendor::of(&host.to_lowercase(), ""));
        let own = self
            .detail()
            .and_then(|code| code.split_once('.'))
            .is_some_and(|(_, detail)| detail.len() == 3);
        if own && reporter() == Some(Vendor::ExchangeOnline) {
            return Some(Vendor::ExchangeOnline);
        }
        Vendor::of(&self.host.to_lowercase(), &text)
    }

    /// What Exchange means by its code and words, where it is Exchange that speaks.
    fn of_exchange(&self) -> Option<(Cause, &'static str)> {
        self.vendor().filter(|vendor| vendor.is_exchange())?;
        exchange::meaning(self.detail(), &self.text.to_lowercase())
    }

    /// Why it was refused. Words that say more than the code go first: spam filters, lists and greylisting share codes with all else.
    pub fn cause(&self) -> Cause {
        let text = self.text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let code = self.detail();
        if self.ours {
            if code == Some("1.10") || says(&["null mx"]) {
                return Cause::NullMx;
            }
            if code == Some("1.2") || says(&["no such domain", "nxdomain", "does not exist"]) {
                return Cause::NoSuchDomain;
            }
        }
        if let Some((cause, _)) = self.of_exchange() {
            return cause;
        }
        if says(&["greylist", "graylist", "grey-list"]) {
            return Cause::Greylisting;
        }
        if let Some(cause) = self.vendor().and_then(|vendor| vendor.cause(&text)) {
            return cause;
        }
        let spoken_of = |table: &[Words]| table.iter().find(|(words, _)| says(words)).map(|(_, cause)| *cause);
        if let Some(cause) = spoken_of(BEFORE_CODES).filter(|cause| *cause != Cause::SendingHost || !says(LISTED)) {
            return cause;
        }
        if let Some(cause) = code.and_then(cause::by_code) {
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

    /// `text`, which holds its words, in quotation marks, with the meaning of the code where that says more than the words do.
    pub fn quoted(&self, text: &str) -> String {
        if let Some((_, meaning)) = self.of_exchange() {
            return format!("{} ({meaning})", quote::quoted(text));
        }
        let cause = self.cause();
        let code = self.status.or_else(|| status::find(text));
        if matches!(cause, Cause::Policy | Cause::Other) || code.and_then(status::detail).and_then(cause::by_code) == Some(cause) {
            quote::with_meaning(text, self.status)
        } else {
            quote::quoted(text)
        }
    }

    /// The next step.
    pub fn remedy(&self, names: Names<'_>) -> String {
        // 5.1.351: Exchange Online repeats that another system does not know the recipient, so its own directory is not the place to look.
        let vendor = self.vendor().filter(|_| self.detail() != Some("1.351"));
        remedy::step(self.cause(), vendor, names)
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
                Cause::Blocklist,
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
                    ours,
                    ..Refusal::default()
                }
                .cause(),
                cause,
                "{code} {status:?} {text}"
            );
        }
    }
}
