//! What Exchange means by its codes and by the words of its components: of Exchange Online's own numbers few are in the registry of RFC 5248.
//!
//! Source: “Email non-delivery reports and SMTP errors in Exchange Online” (Microsoft), and what administrators report of the numbers that it
//! leaves out (5.7.171, 5.7.232 to 5.7.236). Only what Exchange itself says is read so: other systems use the same numbers for other things.

use super::cause::Cause;
use super::remedy::Names;

/// What a refusal means.
type Meaning = (Cause, &'static str);

/// Words in lower case, of which all must be there, and what they mean whatever the code.
const BY_WORDS: &[(&[&str], Cause, &str)] = &[
    (
        &["bad outbound sender"],
        Cause::SenderBanned,
        "the sender is a restricted entity: blocked because it sent spam",
    ),
    (
        &["submission quota"],
        Cause::SendingLimit,
        "the sender has used up its recipient rate limit",
    ),
    (
        &["thread limit exceeded"],
        Cause::Rate,
        "the mailbox gets more at once than its store takes",
    ),
    (&["mailbox full"], Cause::Full, "the mailbox is full"),
    (&["quotaexceeded"], Cause::Full, "the mailbox is full"),
    (&["recipsizelimit"], Cause::TooLarge, "larger than this recipient takes"),
    (&["sendsizelimit"], Cause::TooLarge, "larger than this sender may send"),
    (&["loopdetected"], Cause::Loop, "a routing loop"),
    (&["hop count exceeded"], Cause::Loop, "a routing loop"),
    (&["transport.rules"], Cause::MailRule, "a mail flow rule rejected it"),
    (&["7.1_etr"], Cause::MailRule, "a mail flow rule rejected it"),
    (&["mta-sts"], Cause::Tls, "the destination fails its own MTA-STS policy"),
    (
        &["tenantattribution"],
        Cause::Connector,
        "no inbound connector matches the sending host",
    ),
    (
        &["5.4.1", "relay access denied"],
        Cause::Relaying,
        "the domain is none of its accepted domains",
    ),
    (
        &["5.4.1", "access denied"],
        Cause::NotInDirectory,
        "Directory-Based Edge Blocking: no such recipient in the directory",
    ),
    (
        &["smtpclientauthentication is disabled"],
        Cause::BasicSignIn,
        "SMTP AUTH is switched off for the mailbox or the tenant",
    ),
    (
        &["permissions to send as"],
        Cause::Sender,
        "the account that signed in has no Send As permission for this sender",
    ),
    (
        &["resolver.rst.notauthorized"],
        Cause::Outsiders,
        "the recipient takes mail from chosen senders only",
    ),
    (
        &["resolver.rst.authrequired"],
        Cause::Outsiders,
        "the recipient takes mail from authenticated senders only",
    ),
    (
        &["resolver.adr"],
        Cause::NoSuchMailbox,
        "no recipient of the organization has this address",
    ),
    (
        &["recipient not found"],
        Cause::NoSuchMailbox,
        "no recipient of the organization has this address",
    ),
];

/// Subject, first and last detail of the codes, and what they mean; the first that fits wins.
const BY_CODE: &[(u16, u16, u16, Cause, &str)] = &[
    (1, 10, 10, Cause::NoSuchMailbox, "no recipient of the organization has this address"),
    (1, 90, 90, Cause::SendingLimit, "the sender has used up its recipients of the day"),
    (1, 351, 351, Cause::NoSuchMailbox, "the next system knows no such recipient"),
    (
        2,
        121,
        121,
        Cause::Rate,
        "this sender writes to the mailbox too often within an hour",
    ),
    (2, 122, 122, Cause::Rate, "the mailbox gets too much within an hour"),
    (4, 6, 6, Cause::Loop, "a routing loop on premises"),
    (4, 7, 7, Cause::Expired, "no server of the recipient took it in time"),
    (4, 14, 14, Cause::Loop, "a routing loop"),
    (4, 300, 300, Cause::Expired, "no server of the recipient took it in time"),
    (4, 310, 310, Cause::NoSuchDomain, "the DNS has no such domain"),
    (4, 312, 312, Cause::Unreachable, "the DNS of the destination cannot be asked"),
    (4, 316, 317, Cause::Unreachable, "the destination's host takes no connection"),
    (6, 11, 11, Cause::Malformed, "bare line feeds in the message"),
    (
        7,
        12,
        12,
        Cause::Outsiders,
        "the recipient takes mail from inside its organization only",
    ),
    (
        7,
        13,
        13,
        Cause::Outsiders,
        "the public folder takes mail from authenticated senders only",
    ),
    (7, 23, 23, Cause::Authentication, "SPF fails"),
    (7, 25, 25, Cause::SendingHost, "the sending IPv6 address has no reverse DNS"),
    (
        7,
        30,
        30,
        Cause::BasicSignIn,
        "basic authentication is switched off for client submission",
    ),
    (7, 57, 57, Cause::SignIn, "it takes submissions from signed-in clients only"),
    (7, 64, 64, Cause::Connector, "no inbound connector matches the sending host"),
    (
        7,
        124,
        124,
        Cause::Outsiders,
        "the sender is not in the group's list of allowed senders",
    ),
    (7, 129, 130, Cause::Outsiders, "the recipient takes mail from chosen senders only"),
    (
        7,
        133,
        133,
        Cause::Outsiders,
        "the group takes mail from authenticated senders only",
    ),
    (
        7,
        134,
        134,
        Cause::Outsiders,
        "the mailbox takes mail from authenticated senders only",
    ),
    (
        7,
        135,
        135,
        Cause::Outsiders,
        "the public folder takes mail from authenticated senders only",
    ),
    (
        7,
        136,
        137,
        Cause::Outsiders,
        "the mail user takes mail from authenticated senders only",
    ),
    (7, 171, 171, Cause::DataLoss, "a data loss prevention policy blocked it"),
    (
        7,
        193,
        193,
        Cause::Outsiders,
        "the Microsoft 365 group takes mail from its members or insiders only",
    ),
    (
        7,
        232,
        236,
        Cause::SendingLimit,
        "the tenant has reached its limit of recipients outside",
    ),
    (7, 321, 321, Cause::Tls, "the destination offers no STARTTLS, which it must"),
    (7, 322, 322, Cause::Tls, "the destination's certificate has expired"),
    (7, 323, 323, Cause::Tls, "the destination's TLSA record (DANE) is not valid"),
    (7, 324, 324, Cause::Tls, "the destination's DNSSEC is broken"),
    (7, 325, 325, Cause::Tls, "the destination's certificate is for another name"),
    (7, 501, 503, Cause::SenderBanned, "the sender is banned, for spam"),
    (7, 504, 505, Cause::NoSuchMailbox, "not a valid recipient"),
    (7, 506, 506, Cause::SendingHost, "the sending host says HELO with another's name"),
    (
        7,
        507,
        507,
        Cause::SenderBlocked,
        "the recipient's organization has blocked the sending host",
    ),
    (7, 508, 508, Cause::Rate, "too much from this IPv6 range"),
    (
        7,
        509,
        509,
        Cause::Authentication,
        "the sending domain fails DMARC, whose policy is to reject",
    ),
    (7, 510, 510, Cause::SendingHost, "the recipient's domain takes no mail over IPv6"),
    (7, 511, 511, Cause::SenderBanned, "the sender is banned, for spam"),
    (7, 512, 512, Cause::Malformed, "no valid address in From"),
    (
        7,
        513,
        513,
        Cause::SenderBlocked,
        "the sending host is on the recipient's own block list",
    ),
    (
        7,
        520,
        520,
        Cause::Forwarding,
        "the outbound spam policy forbids automatic forwarding to the outside",
    ),
    (7, 606, 649, Cause::Blocklist, "Microsoft has banned the sending IP address"),
    (7, 500, 699, Cause::Rate, "the sending host is throttled for now"),
    (
        7,
        703,
        703,
        Cause::SenderBlocked,
        "an entry of the Tenant Allow/Block List blocks mail to this recipient",
    ),
    (
        7,
        700,
        749,
        Cause::SendingLimit,
        "Microsoft has blocked what the sending tenant, or its IP address, sends",
    ),
    (
        7,
        750,
        750,
        Cause::Sender,
        "the sender's domain is not registered in the sending tenant",
    ),
    (7, 850, 899, Cause::Rate, "the sending host is throttled for now"),
    (7, 900, 999, Cause::MailRule, "a mail flow rule rejected it"),
];

/// What Exchange means: `code` is subject and detail (`7.133`), `text` its words in lower case. `None` where neither says more than elsewhere.
pub fn meaning(code: Option<&str>, text: &str) -> Option<Meaning> {
    let by_words = BY_WORDS
        .iter()
        .find(|(words, ..)| words.iter().all(|word| text.contains(word)))
        .map(|(_, cause, meaning)| (*cause, *meaning));
    let by_code = || {
        let (subject, detail) = code?.split_once('.')?;
        let (subject, detail): (u16, u16) = (subject.parse().ok()?, detail.parse().ok()?);
        BY_CODE
            .iter()
            .find(|(of, first, last, ..)| *of == subject && (*first..=*last).contains(&detail))
            .map(|(.., cause, meaning)| (*cause, *meaning))
    };
    // A number beyond the registry's says more than the words beside it, which an administrator may have written.
    let own = code
        .and_then(|code| code.split_once('.'))
        .is_some_and(|(_, detail)| detail.len() == 3);
    if own { by_code().or(by_words) } else { by_words.or_else(by_code) }
}

/// The step that leads to the right place in Exchange Online's portals; `None` where there is no better one than for any system.
pub fn step(cause: Cause, names: Names<'_>) -> Option<String> {
    let Names { recipient, route, .. } = names;
    let (domain, sending) = (names.domain(), names.sending_host());
    Some(match cause {
        Cause::NoSuchMailbox => format!(
            "Look for {recipient} in Exchange admin center > Recipients: create it, or add it as an alias of what should carry it; if it is gone on purpose, expect `returned`."
        ),
        Cause::NotInDirectory => format!(
            "Look for {recipient} in Exchange admin center > Recipients; if its mailbox is on premises, check that directory synchronization brings it. If it is gone on purpose, expect `returned`."
        ),
        Cause::Relaying => format!(
            "Check in Exchange admin center > Mail flow > Accepted domains that {domain} is there, and that {sending} hands this mail to the right host."
        ),
        Cause::Outsiders => format!(
            "If outsiders must reach {recipient}, open this one address: in Exchange admin center > Recipients switch off for it that all senders must be authenticated (group: delivery management; mailbox: mail flow settings > message delivery restriction), or, where it takes chosen senders only, add this one as a mail contact; if not, expect `returned`."
        ),
        Cause::Connector => format!(
            "Compare the inbound connector (Exchange admin center > Mail flow > Connectors) with the certificate name or IP address of {sending}, and correct the one that is out of date."
        ),
        Cause::Loop => format!(
            "Compare the forwarding of {recipient}, the type of the accepted domain {domain} and the connectors (Exchange admin center > Mail flow): two of them send to each other."
        ),
        Cause::MailRule => format!(
            "Search the message trace (Exchange admin center > Mail flow > Message trace) for the Message-ID: it names the rule. If {recipient} should get this, add one exception to that rule under Mail flow > Rules."
        ),
        Cause::DataLoss => format!(
            "Search the message trace for the Message-ID: it names the policy. Under Microsoft Purview > Data loss prevention > Policies see what matched; except this sender or {recipient} in that one rule if it matched wrongly."
        ),
        Cause::Forwarding => format!(
            "Let {recipient} be read where it is instead of forwarding it; if it must be forwarded, allow that for this one mailbox by an outbound spam policy of its own (Microsoft Defender > Policies & rules > Threat policies > Anti-spam)."
        ),
        Cause::SenderBlocked => format!(
            "Look under Microsoft Defender > Policies & rules > Threat policies for the entry that fits {recipient} or the sender of route {route} (Tenant Allow/Block Lists) or its host (connection filter policy); remove that entry alone if it is there by mistake."
        ),
        Cause::SenderBanned => format!(
            "Find out what the sender of route {route} sent (a compromised account is the usual cause) and secure it; then unblock it under Microsoft Defender > Email & collaboration > Review > Restricted entities."
        ),
        Cause::SendingLimit => "Find out in the message trace what sends so much (a compromised account, or a server that relays), and stop it: a used-up limit frees itself within a day, a block is lifted by Microsoft Support.".to_owned(),
        Cause::Blocklist => format!("Find out why {sending} was banned and fix that; then ask for its delisting at https://sender.office.com."),
        Cause::BasicSignIn => format!(
            "Let route {route} sign in by OAuth (`auth: xoauth2`) or send through Microsoft Graph, rather than switch basic authentication on again."
        ),
        Cause::SignIn => format!("Give route {route} a user and a secret that may submit mail, and prove them with `mailflow check`."),
        Cause::Unreachable | Cause::Expired => format!(
            "Search the message trace for the Message-ID: its last deferral names the host and the error. Check that this host answers Exchange Online on port 25, and the MX records of {domain}."
        ),
        Cause::Tls => format!(
            "Fix what the words name at the mail hosts of {domain} (certificate, TLSA record, DNSSEC or MTA-STS policy), rather than the check that found it."
        ),
        Cause::Spam | Cause::Malware | Cause::Attachment | Cause::Policy | Cause::Other => format!(
            "Search the message trace (Exchange admin center > Mail flow > Message trace) for the Message-ID: its events name what refused it. Decide for {recipient} alone whether that is right."
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_can_be_reached_and_every_word_is_in_lower_case() {
        for (subject, first, last, cause, words) in BY_CODE {
            assert!(
                (*first..=*last).any(|detail| meaning(Some(&format!("{subject}.{detail}")), "") == Some((*cause, *words))),
                "{subject}.{first}"
            );
        }
        for (words, ..) in BY_WORDS {
            for word in *words {
                assert_eq!(*word, word.to_lowercase());
            }
        }
    }

    #[test]
    fn an_own_number_outranks_the_words_that_an_administrator_wrote() {
        let text = "550 5.7.930 this mailbox full of surprises takes nothing";
        assert_eq!(meaning(Some("7.930"), text).map(|(cause, _)| cause), Some(Cause::MailRule));
        let text = "550 5.7.1 resolver.rst.authrequired; authentication required";
        assert_eq!(meaning(Some("7.1"), text).map(|(cause, _)| cause), Some(Cause::Outsiders));
        let text = "550 5.1.10 resolver.adr.recipientnotfound; not found";
        assert_eq!(meaning(Some("1.10"), text).map(|(cause, _)| cause), Some(Cause::NoSuchMailbox));
        assert_eq!(meaning(Some("7.1"), "no"), None);
        assert_eq!(meaning(Some("7.999999"), "no"), None);
    }

    #[test]
    fn what_is_said_at_submission_or_in_passing_is_told_apart() {
        for (code, text, cause) in [
            ("1.90", "", Cause::SendingLimit),
            ("2.2", "submission quota exceeded", Cause::SendingLimit),
            ("2.2", "storedrv.deliver; mailbox full", Cause::Full),
            ("3.2", "storedrv.deliver; recipient thread limit exceeded", Cause::Rate),
            ("4.1", "550 5.4.1 relay access denied", Cause::Relaying),
            ("4.1", "550 5.4.1 recipient address rejected: access denied", Cause::NotInDirectory),
            ("4.8", "451 4.4.8 mx hosts of 'x.example' failed mta-sts validation", Cause::Tls),
            ("6.11", "", Cause::Malformed),
            ("7.1", "status code: 550 5.7.1_etr", Cause::MailRule),
            ("7.30", "", Cause::BasicSignIn),
            ("7.139", "smtpclientauthentication is disabled for the tenant", Cause::BasicSignIn),
            ("7.57", "", Cause::SignIn),
            ("7.60", "client does not have permissions to send as this sender", Cause::Sender),
            ("7.234", "", Cause::SendingLimit),
            ("7.322", "", Cause::Tls),
            ("7.501", "", Cause::SenderBanned),
            ("7.507", "", Cause::SenderBlocked),
            ("7.512", "", Cause::Malformed),
            ("7.550", "", Cause::Rate),
            ("7.606", "", Cause::Blocklist),
            ("7.649", "", Cause::Blocklist),
            ("7.650", "", Cause::Rate),
            ("7.708", "", Cause::SendingLimit),
            ("7.750", "", Cause::Sender),
            ("7.899", "", Cause::Rate),
            ("7.999", "", Cause::MailRule),
        ] {
            assert_eq!(meaning(Some(code), text).map(|(cause, _)| cause), Some(cause), "{code} {text}");
        }
    }
}
