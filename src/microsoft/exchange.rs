//! Exchange Online by IMAP and SMTP: its tokens as a mail server's secret, and what its refusals mean.
//!
//! What it cannot see: whether the app's service principal is registered in Exchange, and which mailboxes it may open. Exchange refuses with the
//! same words whatever is missing, so the advice names what there is to check, the likeliest first. The words by which SMTP AUTH is refused where it is
//! switched off, and the hosts of the national clouds, are general knowledge that no source at hand confirms.

use super::{Graph, Resource, Token, tokens::audience};
use crate::{
    credentials::{Door, NoSecret, Supply},
    scrub::Scrubber,
};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The app id of Microsoft Graph, which may stand for its address in a token.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// The tokens of one tenant for Exchange Online, from the same cache as those for Graph.
#[derive(Debug)]
pub struct Exchange {
    graph: Graph,
    last: Mutex<Option<Token>>,
    scrubber: Scrubber,
}

impl Exchange {
    /// The tokens of the tenant behind `graph`.
    pub fn new(graph: Graph) -> Self {
        Self {
            graph,
            last: Mutex::default(),
            scrubber: Scrubber::default(),
        }
    }

    /// Takes the tokens given so far out of what a server says. Shared by all who sign in with them: the secret is one.
    pub fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }

    /// The token given last.
    fn last(&self) -> MutexGuard<'_, Option<Token>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, token: Token) -> SecretString {
        let bearer = token.bearer().clone();
        *self.last() = Some(token);
        bearer
    }

    /// Whether the last token can be read and lacks `role`.
    fn lacks(&self, role: &str) -> bool {
        let last = self.last();
        let roles = last.as_ref().and_then(Token::roles);
        roles.is_some_and(|roles| !roles.iter().any(|granted| granted.eq_ignore_ascii_case(role)))
    }
}

#[async_trait]
impl Supply for Exchange {
    async fn secret(&self, until: Instant) -> Result<SecretString, NoSecret> {
        match self.graph.tokens().token(Resource::Exchange, until).await {
            Ok(token) => Ok(self.give(token)),
            Err(error) => Err(NoSecret {
                passing: error.is_passing(),
                why: error.to_string().trim_end_matches('.').to_owned(),
            }),
        }
    }

    async fn another(&self, refused: &SecretString, until: Instant) -> Option<SecretString> {
        let last = self.last().clone()?;
        if last.bearer().expose_secret() != refused.expose_secret() {
            return Some(last.bearer().clone());
        }
        let token = self.graph.tokens().replace(Resource::Exchange, &last, until).await.ok()?;
        (!token.is(&last)).then(|| self.give(token))
    }

    fn advice(&self, door: Door, user: &str, words: &str) -> Option<String> {
        let person = self.graph.tokens().sign_in().is_person();
        let role = match (door, person) {
            (Door::Imap, false) => "IMAP.AccessAsApp",
            (Door::Imap, true) => "IMAP.AccessAsUser.All",
            (Door::Smtp, false) => "SMTP.SendAsApp",
            (Door::Smtp, true) => "SMTP.Send",
        };
        let lacking = self.lacks(role).then_some(role);
        advice(door, person, lacking, user, words)
    }
}

/// The sentence for a refusal. `lacking` is the permission that the token does not carry.
fn advice(door: Door, person: bool, lacking: Option<&str>, user: &str, words: &str) -> Option<String> {
    let words = words.to_ascii_lowercase();
    if words.contains("authenticated but not connected") {
        let who = if person {
            "the person who signed in has"
        } else {
            "the app's service principal has"
        };
        return Some(format!(
            "the token is good, but the mailbox does not open. See that {who} Full Access to {user} (Add-MailboxPermission), that {user} has a \
             mailbox, and that IMAP is on for it (Set-CASMailbox -ImapEnabled)"
        ));
    }
    if words.contains("smtpclientauthentication is disabled") {
        let where_ = if words.contains("for the mailbox") {
            "for this mailbox"
        } else {
            "for the whole tenant"
        };
        return Some(format!(
            "SMTP AUTH is switched off {where_}. An Exchange administrator switches it on for the one mailbox: Set-CASMailbox -Identity {user} \
             -SmtpClientAuthenticationDisabled $false; Entra's security defaults keep it off nevertheless"
        ));
    }
    if words.contains("5.7.139") {
        return Some(format!(
            "a policy of the tenant blocks this sign-in. The sign-in log of Entra ID names it: Conditional Access, security defaults, or SMTP AUTH \
             switched off for {user}"
        ));
    }
    let refused = match door {
        Door::Smtp => ["535", "5.7.3", "5.7.8"].iter().any(|code| words.contains(code)),
        // A refusal of a later command speaks of that command.
        Door::Imap => words.contains("authenticat") || words.contains("\"status\""),
    };
    if !refused {
        return None;
    }
    if let Some(role) = lacking {
        let kind = if person { "delegated" } else { "application" };
        return Some(format!(
            "the token carries no {role}. Grant the app this {kind} permission of Office 365 Exchange Online, with an administrator's consent"
        ));
    }
    Some(match (person, door) {
        (false, Door::Imap) => format!(
            "see that the app's service principal is registered in Exchange Online (New-ServicePrincipal, with the object id of the enterprise \
             application, not of the app registration), and has Full Access permission to {user} (Add-MailboxPermission)"
        ),
        (false, Door::Smtp) => format!(
            "see that the app's service principal is registered in Exchange Online (New-ServicePrincipal, with the object id of the enterprise \
             application, not of the app registration), has Full Access and Send As permission for {user} (Add-MailboxPermission, \
             Add-RecipientPermission), and that SMTP AUTH is on for that mailbox"
        ),
        (true, _) => format!("see that the person who signed in owns {user}, or has Full Access permission to it and may send as it"),
    })
}

/// The sentence for a token that was not got from here and is for Microsoft Graph, as one from a command easily is.
pub fn meant_for_graph(token: &SecretString) -> Option<String> {
    let audience = audience(token.expose_secret())?;
    let graph = audience == GRAPH_APP || audience.contains("graph.microsoft.") || audience.contains("microsoftgraph.");
    graph.then(|| {
        "the token is for Microsoft Graph. By IMAP and SMTP, Exchange Online takes only one for its own resource: ask for the scope \
         https://outlook.office365.com/.default"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(door: Door, lacking: Option<&str>, words: &str) -> String {
        advice(door, false, lacking, "billing@contoso.example", words).unwrap_or_default()
    }

    #[test]
    fn each_refusal_says_what_to_check() {
        for (door, lacking, words, expected) in [
            (Door::Imap, None, "AUTHENTICATE failed.", "New-ServicePrincipal"),
            (Door::Imap, None, "no ({\"status\":\"401\"})", "New-ServicePrincipal"),
            (
                Door::Imap,
                Some("IMAP.AccessAsApp"),
                "AUTHENTICATE failed.",
                "carries no IMAP.AccessAsApp",
            ),
            (
                Door::Imap,
                None,
                "User is authenticated but not connected.",
                "Full Access to billing@contoso.example",
            ),
            (
                Door::Smtp,
                None,
                "535 5.7.3 Authentication unsuccessful [x]",
                "Add-RecipientPermission",
            ),
            (
                Door::Smtp,
                None,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
                "for the whole tenant",
            ),
            (
                Door::Smtp,
                Some("SMTP.SendAsApp"),
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
                "for this mailbox",
            ),
            (
                Door::Smtp,
                None,
                "535 5.7.139 Authentication unsuccessful, blocked",
                "a policy of the tenant",
            ),
        ] {
            let told = told(door, lacking, words);
            assert!(told.contains(expected), "{words}: {told}");
        }
        let person = advice(Door::Imap, true, None, "a@contoso.example", "AUTHENTICATE failed.").unwrap();
        assert!(person.contains("the person who signed in") && !person.contains("service principal"));
    }

    #[test]
    fn what_is_no_refusal_of_the_token_gets_no_advice() {
        assert_eq!(told(Door::Imap, None, "no such folder"), "");
        assert_eq!(told(Door::Smtp, None, "554 5.3.2 going down"), "");
    }
}
