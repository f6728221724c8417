//! Whose product refused a message, as its host name or its words show it, and where that product keeps its records.
//!
//! What it cannot see: a gateway that hides both. Its step then names the host's log, as for any system.

use super::cause::Cause;
use super::remedy::Names;

/// A product whose places an administrator knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    ExchangeOnline,
    ExchangeServer,
    Proofpoint,
    Mimecast,
    Barracuda,
    Cisco,
    Google,
    Symantec,
    Sophos,
}

/// Ends of host names, in lower case.
const BY_HOST: &[(&str, Vendor)] = &[
    (".outlook.com", Vendor::ExchangeOnline),
    (".office365.com", Vendor::ExchangeOnline),
    (".mx.microsoft", Vendor::ExchangeOnline),
    (".pphosted.com", Vendor::Proofpoint),
    (".ppe-hosted.com", Vendor::Proofpoint),
    (".mimecast.com", Vendor::Mimecast),
    (".barracudanetworks.com", Vendor::Barracuda),
    (".iphmx.com", Vendor::Cisco),
    (".google.com", Vendor::Google),
    (".googlemail.com", Vendor::Google),
    (".messagelabs.com", Vendor::Symantec),
    (".sophos.com", Vendor::Sophos),
];

/// Words of a product, in lower case. Lists that anybody may ask (barracudacentral.org) tell nothing of who asked.
const BY_WORDS: &[(&str, Vendor)] = &[
    // Exchange Online signs its refusals with the server that refused; the names of its outbound hosts stand in others' words.
    (".prod.outlook.com", Vendor::ExchangeOnline),
    (".prod.protection.outlook.com", Vendor::ExchangeOnline),
    ("resolver.", Vendor::ExchangeServer),
    ("storedrv.", Vendor::ExchangeServer),
    ("transport.rules", Vendor::ExchangeServer),
    ("queue.expired", Vendor::ExchangeServer),
    ("smtpsend.", Vendor::ExchangeServer),
    ("routing.loopdetected", Vendor::ExchangeServer),
    ("mimecast.com/", Vendor::Mimecast),
    ("proofpoint.com", Vendor::Proofpoint),
    ("barracuda networks", Vendor::Barracuda),
    ("barracudanetworks.com", Vendor::Barracuda),
    ("sending mta's poor reputation", Vendor::Cisco),
    ("ironport", Vendor::Cisco),
    (" gsmtp", Vendor::Google),
];

/// What products say in words of their own, in lower case.
const CAUSES: &[(Vendor, &str, Cause)] = &[
    (Vendor::Mimecast, "internal resource", Cause::Greylisting),
    (Vendor::Mimecast, "anti-spoofing policy", Cause::Policy),
    (Vendor::Mimecast, "security policies", Cause::Policy),
    (Vendor::Proofpoint, "ipcheck.proofpoint.com", Cause::Blocklist),
    (Vendor::Barracuda, ":blocked)", Cause::Policy),
    (Vendor::Cisco, "#5.1.0 address rejected", Cause::NoSuchMailbox),
    (Vendor::Cisco, "access to submit messages", Cause::SendingHost),
];

impl Vendor {
    /// The product that speaks: by the host's name, or else by the words, both in lower case.
    pub fn of(host: &str, text: &str) -> Option<Self> {
        let host = host.trim_end_matches('.');
        if host == "exchange online" {
            return Some(Self::ExchangeOnline);
        }
        // Outlook.com, the consumers' service, shares the domain; none of Exchange Online's portals shows its mail.
        if host.ends_with(".olc.protection.outlook.com") {
            return None;
        }
        let named = BY_HOST.iter().find(|(end, _)| host.ends_with(end));
        let speaks = || BY_WORDS.iter().find(|(words, _)| text.contains(words));
        named.or_else(speaks).map(|(_, vendor)| *vendor)
    }

    /// Whether codes and words are Exchange's.
    pub fn is_exchange(self) -> bool {
        matches!(self, Self::ExchangeOnline | Self::ExchangeServer)
    }

    /// The cause that the product's own words tell.
    pub fn cause(self, text: &str) -> Option<Cause> {
        CAUSES
            .iter()
            .find(|(vendor, words, _)| *vendor == self && text.contains(words))
            .map(|(.., cause)| *cause)
    }

    /// Where the product shows what it did with a message.
    pub fn log(self, host: &str) -> String {
        match self {
            Self::ExchangeOnline => "the message trace (Exchange admin center > Mail flow > Message trace)".to_owned(),
            Self::ExchangeServer => format!("the message tracking log of {host} (Get-MessageTrackingLog)"),
            Self::Proofpoint => "Proofpoint's Smart Search (Essentials: Logs)".to_owned(),
            Self::Mimecast => "Mimecast's Message Center > Rejected and Deferred Messages".to_owned(),
            Self::Barracuda => "Barracuda's Message Log".to_owned(),
            Self::Cisco => "the Message Tracking of Cisco Secure Email".to_owned(),
            Self::Google => "the Google Admin console's Email Log Search".to_owned(),
            Self::Symantec => "the Email Track and Trace of Email Security.cloud".to_owned(),
            Self::Sophos => "Sophos Central's Message History".to_owned(),
        }
    }

    /// The step that only this product asks for; `None` where the common one serves.
    pub fn step(self, cause: Cause, names: Names<'_>) -> Option<String> {
        let Names {
            recipient, route, host, ..
        } = names;
        let log = self.log(host);
        let sending = names.sending_host();
        Some(match (self, cause) {
            (Self::ExchangeOnline, _) => return super::exchange::step(cause, names),
            (Self::ExchangeServer, Cause::Outsiders) => format!(
                "If outsiders must reach {recipient}, open this one address in the Exchange admin center and let it take mail from outside, or from this sender (message delivery restrictions); if not, expect `returned`."
            ),
            (Self::Proofpoint, Cause::Blocklist) => format!(
                "Look up {sending} at https://ipcheck.proofpoint.com, fix what gave it that reputation, then ask for its removal there."
            ),
            (Self::Mimecast, Cause::SenderBlocked) => format!(
                "Look it up in {log}: it names the Blocked Senders policy or the person's own entry that fits the sender of route {route}; remove that entry alone if it is there by mistake."
            ),
            (Self::Cisco, Cause::Blocklist | Cause::SendingHost) => format!(
                "Look up the reputation of {sending} at https://talosintelligence.com and fix what lowered it; {log} shows which sender group of the Host Access Table it fell into."
            ),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_told_by_host_then_by_words_and_never_by_whom_they_speak_of() {
        for (host, text, vendor) in [
            ("am0pr05.eurprd05.prod.outlook.com", "", Some(Vendor::ExchangeOnline)),
            ("contoso-example.mail.protection.outlook.com.", "", Some(Vendor::ExchangeOnline)),
            ("hotmail-com.olc.protection.outlook.com", "", None),
            ("outlook.com.attacker.example", "", None),
            (
                "mx.contoso.example",
                "550 5.1.1 resolver.adr.recipnotfound; not found",
                Some(Vendor::ExchangeServer),
            ),
            (
                "mx.contoso.example",
                "client host [mail-db8eur05on2.outbound.protection.outlook.com] blocked using zen",
                None,
            ),
            (
                "eu-smtp-inbound-1.mimecast.com",
                "550 resolver. is our word too",
                Some(Vendor::Mimecast),
            ),
            ("mx.contoso.example", "listed at barracudacentral.org", None),
            ("", "", None),
        ] {
            assert_eq!(Vendor::of(host, text), vendor, "{host} {text}");
        }
    }
}
