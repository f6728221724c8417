//! Why a mailbox cannot be looked at, in a sentence that says what to do.
//!
//! It cannot see whether a 403 means a missing permission or a mailbox outside the app's scope: Graph says the same of both, and only the
//! permissions in the token make one of them likelier.

use crate::microsoft::{Error, Graph, Kind, Resource, SignInError};
use std::time::Duration;
use tokio::time::Instant;

/// What ends a look.
#[derive(Debug)]
pub(super) enum Fault {
    /// Graph brought nothing.
    Graph(Error),
    /// The same of a call that needs another permission than most.
    Needing(Needs, Error),
    /// There is no such mailbox to watch: a whole sentence.
    Unfit(String),
    /// Graph showed what cannot be.
    Odd(&'static str),
    /// Nobody listens to our events any more: the end.
    Unheard,
}

/// Why a mailbox is blind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::watch) struct Reason {
    /// What is wrong and what to do; the same for as long as it is the same.
    pub(super) plain: String,
    /// What Graph said, with ids that change from call to call.
    said: String,
    /// Whether it stays so until somebody has changed something.
    pub(in crate::watch) standing: bool,
    /// No use in asking again sooner.
    pub(in crate::watch) wait: Duration,
}

/// Which permission a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// To read a user's mail.
    Read,
    /// To delete a user's mail.
    Write,
    /// To find a group.
    Groups,
    /// To read a group's conversations.
    Threads,
    /// To delete them.
    WriteThreads,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Graph(error)
    }
}

impl Needs {
    fn role(self) -> &'static str {
        match self {
            Self::Read => "Mail.Read",
            Self::Write => "Mail.ReadWrite",
            Self::Groups => "GroupMember.Read.All",
            Self::Threads => "Group-Conversation.Read.All",
            Self::WriteThreads => "Group-Conversation.ReadWrite.All",
        }
    }

    /// The permissions of which one will do.
    fn any_of(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["Mail.Read", "Mail.ReadWrite"],
            Self::Write => &["Mail.ReadWrite"],
            Self::Groups => &[
                "GroupMember.Read.All",
                "GroupMember.ReadBasic.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
            ],
            Self::Threads => &[
                "Group-Conversation.Read.All",
                "Group-Conversation.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
            ],
            Self::WriteThreads => &["Group-Conversation.ReadWrite.All", "Group.ReadWrite.All"],
        }
    }

    fn suffice(self, roles: &[String]) -> bool {
        self.any_of()
            .iter()
            .any(|wanted| roles.iter().any(|has| has.eq_ignore_ascii_case(wanted)))
    }

    fn of_group(self) -> bool {
        !matches!(self, Self::Read | Self::Write)
    }
}

impl Reason {
    /// What `fault` means for the mailbox of `whom`. A refused access is explained by the permissions in the token.
    pub(super) async fn of(fault: &Fault, graph: &Graph, whom: &str, needs: Needs) -> Self {
        let needs = if let Fault::Needing(needs, _) = fault { *needs } else { needs };
        match fault {
            Fault::Graph(error) | Fault::Needing(_, error) => {
                let roles = if error.kind() == Some(Kind::AccessDenied) {
                    let until = Instant::now() + Duration::from_secs(5);
                    let token = graph.tokens().token(Resource::Graph, until).await.ok();
                    token.and_then(|token| token.roles().map(<[String]>::to_vec))
                } else {
                    None
                };
                Self::of_error(error, whom, needs, roles.as_deref())
            }
            Fault::Unfit(sentence) => Self {
                standing: true,
                ..Self::passing(sentence.clone(), String::new())
            },
            Fault::Odd(what) => Self::passing((*what).to_owned(), String::new()),
            Fault::Unheard => Self::passing("nobody listens".to_owned(), String::new()),
        }
    }

    fn of_error(error: &Error, user: &str, needs: Needs, roles: Option<&[String]>) -> Self {
        Self::of_refusal(error, |kind| of_refusal(kind, user, needs, roles))
    }

    /// What `error` means; `refusal` says it of a refusal, and whether that stays so.
    pub(in crate::watch) fn of_refusal(error: &Error, refusal: impl FnOnce(Kind) -> (String, bool)) -> Self {
        let said = error.to_string();
        match error {
            Error::SignIn(error) => {
                let stands = !error.is_passing();
                let plain = match error {
                    SignInError::Refused(refused) => match refused.advice() {
                        Some(advice) => format!("the sign-in to the tenant was refused: {}", advice.sentence),
                        None => "the sign-in to the tenant was refused".to_owned(),
                    },
                    _ => "there is no sign-in to the tenant".to_owned(),
                };
                Self {
                    standing: stands,
                    ..Self::passing(plain, said)
                }
            }
            Error::Throttled { wait, .. } => Self {
                wait: wait.unwrap_or_default(),
                ..Self::passing(
                    "Microsoft's limits leave no room for another look just now: mailflow goes on by itself; if it lasts, see what else asks \
                     with the same app"
                        .to_owned(),
                    said,
                )
            },
            Error::Server(_) => Self::passing("Microsoft Graph is busy or broken: mailflow tries again".to_owned(), said),
            Error::Transport(_) => Self::passing(
                "Microsoft Graph cannot be reached: mailflow tries again; if it lasts, check the network and the proxy".to_owned(),
                said,
            ),
            Error::Malformed(_) => Self::passing("Microsoft Graph gave an answer that cannot be used: mailflow tries again".to_owned(), said),
            Error::Refused(refused) => {
                let (plain, standing) = refusal(refused.kind);
                Self {
                    standing,
                    ..Self::passing(plain, said)
                }
            }
        }
    }

    fn passing(plain: String, said: String) -> Self {
        Self {
            plain,
            said,
            standing: false,
            wait: Duration::ZERO,
        }
    }

    /// The whole sentence.
    pub(in crate::watch) fn sentence(&self) -> String {
        if self.said.is_empty() {
            self.plain.clone()
        } else {
            format!("{} ({})", self.plain, self.said)
        }
    }
}

fn of_refusal(kind: Kind, user: &str, needs: Needs, roles: Option<&[String]>) -> (String, bool) {
    match kind {
        Kind::MailboxNotEnabled if needs.of_group() => (
            format!("the group {user} has no mailbox in Exchange Online: see in the admin centre whether it is being set up or was deleted"),
            true,
        ),
        Kind::NotFound if needs.of_group() => (format!("the tenant has no such group: check {user} and its tenant"), true),
        Kind::AccessDenied if needs.of_group() => (of_denied_group(user, needs, roles), true),
        Kind::MailboxNotEnabled => (
            format!(
                "{user} has no mailbox in Exchange Online: give the account a licence with Exchange Online, correct the address, or read the \
                 mailbox where it lives if that is on premises"
            ),
            true,
        ),
        Kind::NotFound => (format!("the tenant has no such user or folder: check the address {user} and its tenant"), true),
        Kind::AccessDenied => {
            let role = needs.role();
            let second = if needs == Needs::Write {
                "; or let a second app delete, by `clean: { with: TENANT }` at the tenant"
            } else {
                ""
            };
            let plain = match roles {
                Some(roles) if needs.suffice(roles) => format!(
                    "the app may read mail, but not that of {user}: add the mailbox to the app's scope (application access policy, or RBAC for \
                     Applications in Exchange)"
                ),
                Some(_) => format!(
                    "the app has no consent for {role}: add the application permission {role}, and let an administrator of the tenant consent to \
                     it; if it was granted inside Exchange alone (RBAC for Applications), add {user} to its scope{second}"
                ),
                None => format!("the app may not read {user}: it needs {role}, with an administrator's consent, and the mailbox within its scope"),
            };
            (plain, true)
        }
        Kind::TokenRefused => (
            "Microsoft Graph refuses the app's token: check the tenant and the cloud, and whether a policy (Conditional Access) blocks the app".to_owned(),
            true,
        ),
        Kind::Redirected => (
            "Microsoft Graph points to another host, where mailflow does not follow: choose the cloud in which the tenant lives".to_owned(),
            true,
        ),
        Kind::Throttled | Kind::Unavailable => ("Microsoft Graph is busy: mailflow tries again".to_owned(), false),
        Kind::SyncStateNotFound => ("Microsoft Graph has lost where we were: mailflow starts anew".to_owned(), false),
        Kind::TraceNotProvisioned | Kind::Other => (format!("Microsoft Graph refuses to show the mailbox {user}"), true),
    }
}

/// What it means that a group is not shown.
fn of_denied_group(group: &str, needs: Needs, roles: Option<&[String]>) -> String {
    let role = needs.role();
    if roles.is_some_and(|roles| needs.suffice(roles)) {
        format!(
            "the app's token holds the permission, and yet the tenant does not show the group {group} to it: see whether a policy keeps the app \
             from this group"
        )
    } else if needs == Needs::Groups {
        format!(
            "the app may not look up the group {group}: add the application permission {role}, and let an administrator of the tenant consent to \
             it"
        )
    } else {
        format!(
            "the app may not touch the conversations of {group} as it must: add the application permission {role}, and let an administrator of \
             the tenant consent to it"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_access_names_the_role_or_the_scope() {
        let read = ["Mail.Read".to_owned()];
        let told = |needs, roles: Option<&[String]>| of_refusal(Kind::AccessDenied, "kim@contoso.example", needs, roles).0;
        assert!(told(Needs::Read, Some(&read)).contains("scope (application access policy"));
        assert!(told(Needs::Write, Some(&read)).contains("no consent for Mail.ReadWrite"));
        assert!(told(Needs::Read, Some(&[])).contains("no consent for Mail.Read:"));
        assert!(told(Needs::Read, None).contains("needs Mail.Read"));
    }

    #[test]
    fn every_refusal_says_what_to_do_in_one_line() {
        for kind in [
            Kind::NotFound,
            Kind::MailboxNotEnabled,
            Kind::TokenRefused,
            Kind::SyncStateNotFound,
            Kind::Throttled,
            Kind::Unavailable,
            Kind::Redirected,
            Kind::Other,
        ] {
            let (plain, _) = of_refusal(kind, "kim@contoso.example", Needs::Read, None);
            assert!(!plain.contains('\n') && plain.len() > 30, "{plain}");
        }
    }
}
