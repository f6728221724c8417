//! The next step for each cause of a refusal: one that an administrator can take, and that opens nothing beyond this one address or rule.

use super::cause::Cause;
use super::vendor::Vendor;

/// Of whom a next step speaks.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The address that was refused.
    pub recipient: &'a str,
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// The host that refused.
    pub host: &'a str,
    /// The host that was refused, where it is another than the route's own.
    pub by: Option<&'a str>,
    /// The route.
    pub route: &'a str,
}

impl<'a> Names<'a> {
    /// The recipient's domain.
    pub fn domain(&self) -> &'a str {
        self.recipient.rsplit('@').next().unwrap_or(self.recipient)
    }

    /// The host that was refused, told from the route's own where it is another.
    pub fn sending_host(&self) -> String {
        self.by
            .map_or_else(|| format!("the host that sends by route {}", self.route), str::to_owned)
    }
}

/// The next step, in the words of the product that refused where it is known.
pub fn step(cause: Cause, vendor: Option<Vendor>, names: Names<'_>) -> String {
    if let Some(step) = vendor.and_then(|vendor| vendor.step(cause, names)) {
        return step;
    }
    let log = vendor.map_or_else(|| format!("the log of {}", names.host), |vendor| vendor.log(names.host));
    of_recipient(cause, names)
        .or_else(|| of_sender(cause, &log, names))
        .unwrap_or_else(|| of_message(cause, &log, names))
}

/// Steps at the recipient: its address, its mailbox, its domain.
fn of_recipient(cause: Cause, names: Names<'_>) -> Option<String> {
    let domain = names.domain();
    let Names {
        recipient,
        owner,
        host,
        by,
        route,
    } = names;
    Some(match cause {
        Cause::NoSuchMailbox | Cause::NotInDirectory => {
            format!("Create {recipient}, or fix the alias or list that should carry it; if it is gone on purpose, expect `returned`.")
        }
        Cause::NoSuchDomain => format!("Check the MX and address records of {domain}, and the spelling of {recipient} in the site."),
        Cause::NullMx => format!("If {domain} is to take mail, replace its null MX by its mail hosts; if not, expect `returned`."),
        Cause::Disabled => {
            format!("Have the mailbox of {recipient} enabled again, or let another address stand in for it (`covered_by`).")
        }
        Cause::Full => match owner {
            Some(owner) => format!("Ask {owner} to make room in the mailbox of {recipient}, or raise its quota."),
            None => format!("Have room made in the mailbox of {recipient}, or raise its quota."),
        },
        Cause::Relaying => {
            let right = by.map_or_else(
                || format!("the route {route} names the right host"),
                |by| format!("{by} hands this mail to the right host"),
            );
            format!("Check that {right}, and that {host} counts {domain} among the domains it takes mail for.")
        }
        Cause::Outsiders => {
            format!("If outsiders must reach {recipient}, let it take mail from outside, this one address only; if not, expect `returned`.")
        }
        Cause::Loop => format!(
            "Follow {recipient} through aliases, forwards and connectors: two of them send to each other, or the MX of {domain} leads to a host that does not count {domain} among its own."
        ),
        Cause::Forwarding => {
            format!("Find the forwarding of {recipient}: let it be read where it is, or allow the forwarding for this one address only.")
        }
        Cause::Unreachable => {
            format!("Find out on {host} why it cannot reach the next host for {domain}: DNS, firewall, or that host itself.")
        }
        Cause::Expired => {
            format!(
                "Find in the queue's log of {host} the last error before it gave up, and check that the mail hosts of {domain} answer it."
            )
        }
        Cause::Tls => {
            format!(
                "Fix what the words name at the mail hosts of {domain} (certificate, TLSA record, MTA-STS policy), rather than the check."
            )
        }
        _ => return None,
    })
}

/// Steps at the sending side: its address, its host, its login, its DNS.
fn of_sender(cause: Cause, log: &str, names: Names<'_>) -> Option<String> {
    let Names { host, by, route, .. } = names;
    let sending = names.sending_host();
    Some(match cause {
        Cause::Sender => format!(
            "Check that the envelope sender of route {route} exists, that its domain takes mail, and that the login there may send as it."
        ),
        Cause::SenderBanned => format!(
            "Find out what the account behind route {route} sent, secure it, then ask its provider to lift the ban; the recipient's side can do nothing."
        ),
        Cause::SenderBlocked => format!(
            "Find in {log} which entry blocks the sender of route {route}; remove that entry alone if it is there by mistake."
        ),
        Cause::SendingHost => format!(
            "{host} refuses {sending}, whoever the recipient: check its HELO name, its reverse DNS, and whether it may send there."
        ),
        Cause::Connector => format!("Check on {host} which addresses and certificates may bring mail in, and that {sending} is one of them."),
        Cause::Blocklist => {
            let sending = by.unwrap_or("the sending host");
            format!("Find out why {sending} is on the list that {host} names, fix that, then ask the list to take it off.")
        }
        Cause::Authentication => {
            "Make SPF or DKIM of the sending domain pass in alignment with its From: name the host that sends in its SPF record (this machine, where the route leads straight out), or sign with its DKIM key."
                .to_owned()
        }
        Cause::SignIn if by.is_some() => format!("Check the user and the secret with which {sending} signs in at {host}."),
        Cause::Encryption if by.is_some() => format!("Let {sending} use TLS towards {host}, which takes such mail over TLS only."),
        Cause::SignIn => format!("Check the user and the secret of route {route}, and prove them with `mailflow check`."),
        Cause::BasicSignIn => {
            format!("Let route {route} sign in by OAuth (`auth: xoauth2`) rather than have user and password switched on again.")
        }
        Cause::Encryption => format!("Set `tls: required` on route {route}: {host} takes such mail over TLS only."),
        Cause::Rate => format!("Lower `rate:` or `connections:` of route {route}, and run it again."),
        Cause::SendingLimit => {
            format!("Find out what else sends by the account behind route {route}, and run again when its limit is free.")
        }
        Cause::Greylisting => format!("Set `give_up_after` above the time for which {host} greylists first contacts, and run it again."),
        _ => return None,
    })
}

/// Steps at the message, and at the rule or filter that judged it.
fn of_message(cause: Cause, log: &str, names: Names<'_>) -> String {
    let Names { recipient, host, .. } = names;
    match cause {
        Cause::TooLarge => format!("Compare the size of the message with the limits of {host} and of the mailbox."),
        Cause::Spam => format!("Find in {log} the rule or score that refused it, and fix what that rule found rather than the rule."),
        Cause::Malware => {
            format!(
                "Find in {log} the name of what was found. Unless the run sent a test virus on purpose, have the sending host examined first."
            )
        }
        Cause::Attachment => {
            format!(
                "Send that kind of file in another way; if {recipient} must get it, find in {log} which rule refuses it, and except it alone."
            )
        }
        Cause::Malformed => {
            format!(
                "Compare the message as it was sent with what {host} names: a gateway on the way may have broken its header or line ends."
            )
        }
        Cause::MailRule => {
            format!("Find in {log} which rule refused it; if {recipient} should get this, add one exception to that rule.")
        }
        Cause::DataLoss => {
            format!(
                "Find in {log} which rule matched and what it found; if it matched wrongly, except this sender or {recipient} in that one rule."
            )
        }
        Cause::Resources => format!("Look at {host} itself: its disk, its load and its queue."),
        Cause::Policy => {
            format!("Find in {log} which policy refused it, and decide for {recipient} alone whether that is right.")
        }
        _ => format!("Look up {recipient} at this time in {log}."),
    }
}
