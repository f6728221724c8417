//! Which permissions an app needs for what a site asks of its tenant, which it lacks, and which it holds beyond that.
//!
//! The names, their ids and what is the least for each call are Microsoft's: the permission catalogue of Microsoft Graph (2026-08-07). What it
//! cannot see: rights that Exchange itself granted to the app (RBAC for Applications) stand in no token, so a permission that seems to be missing
//! may be there; and whether a right reaches a certain mailbox, which only trying tells.

use crate::model::{MailboxAccess, Proof, RouteKind, Site, TraceExplainer};
use std::collections::BTreeSet;

/// What a site asks of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Reading mailboxes of users: folders, headers, and our own messages whole.
    Read,
    /// Sending by a route.
    Send,
    /// Reading mailboxes of groups.
    Group,
    /// Finding groups by their address.
    FindGroup,
    /// The message trace.
    Trace,
    /// Advanced hunting, which explains the trace.
    Hunt,
    /// Defender's list of analysed messages, which explains the trace.
    Analyzed,
    /// Deleting our own probes.
    Clean,
    /// Deleting them from the mailboxes of groups.
    CleanGroup,
}

impl Need {
    /// The least permission that suffices.
    pub fn permission(self) -> &'static str {
        Missing(self).permission()
    }
}

/// A row of the table: what is needed, and what suffices for it.
struct Row {
    need: Need,
    /// Any one of these, the least first. A person's bear the same names, some with `.Shared` behind them.
    suffice: &'static [&'static str],
    /// The id of the first as an app role of Microsoft Graph, by which a managed identity is given it, where our sources name it.
    role_id: Option<&'static str>,
    /// What does not work without.
    otherwise: &'static str,
    /// The role by which Exchange itself can grant it (RBAC for Applications), to be seen in no token.
    in_exchange: Option<&'static str>,
}

const TABLE: [Row; 9] = [
    Row {
        need: Need::Read,
        suffice: &["Mail.Read", "Mail.ReadWrite"],
        role_id: Some("810c84a8-4a9e-49e6-bf7d-12d183f40d01"),
        otherwise: "no mailbox of this tenant can be read over Graph",
        in_exchange: Some("Application Mail.Read"),
    },
    Row {
        need: Need::Send,
        suffice: &["Mail.Send"],
        role_id: Some("b633e1c5-b582-4048-a93e-9f11b44c7e96"),
        otherwise: "the site's Graph routes send nothing",
        in_exchange: Some("Application Mail.Send"),
    },
    Row {
        need: Need::Group,
        suffice: &[
            "Group-Conversation.Read.All",
            "Group-Conversation.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
        ],
        role_id: Some("4f0a8235-6f6f-4ec7-9500-34b452a4a0c3"),
        otherwise: "no mailbox of a group can be read",
        in_exchange: None,
    },
    Row {
        need: Need::FindGroup,
        suffice: &[
            "GroupMember.Read.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
        ],
        role_id: Some("98830695-27a2-44f7-8c18-0c3ebc9698f6"),
        otherwise: "no group is found by its address; its object id would do without",
        in_exchange: None,
    },
    Row {
        need: Need::Trace,
        suffice: &["ExchangeMessageTrace.Read.All"],
        role_id: Some("89b20d8a-76e2-4057-867b-9961f800b9a4"),
        otherwise: "the message trace says nothing, and a quarantined message looks lost",
        in_exchange: None,
    },
    Row {
        need: Need::Hunt,
        suffice: &["ThreatHunting.Read.All"],
        role_id: None,
        otherwise: "advanced hunting, which `explain` names, explains nothing, and verdicts stay as they are",
        in_exchange: None,
    },
    Row {
        need: Need::Analyzed,
        suffice: &["SecurityAnalyzedMessage.Read.All"],
        role_id: None,
        otherwise: "Defender's list of analysed messages, which `explain` names, explains nothing, and verdicts stay as they are",
        in_exchange: None,
    },
    Row {
        need: Need::Clean,
        suffice: &["Mail.ReadWrite"],
        role_id: Some("e2a3a72e-5f79-4c64-b1b1-878b674786c9"),
        otherwise: "`mailflow clean` deletes nothing",
        in_exchange: Some("Application Mail.ReadWrite"),
    },
    Row {
        need: Need::CleanGroup,
        suffice: &["Group-Conversation.ReadWrite.All", "Group.ReadWrite.All"],
        role_id: None,
        otherwise: "`mailflow clean` deletes nothing from the mailboxes of groups",
        in_exchange: None,
    },
];

/// What a permission lets an app do besides, so that holding both is no more than holding the one.
const INCLUDED: [(&str, &[&str]); 4] = [
    ("Mail.ReadWrite", &["Mail.Read", "Mail.ReadBasic", "Mail.ReadBasic.All"]),
    ("Mail.Read", &["Mail.ReadBasic", "Mail.ReadBasic.All"]),
    ("Group-Conversation.ReadWrite.All", &["Group-Conversation.Read.All"]),
    ("Group.ReadWrite.All", &["Group.Read.All", "Group-Conversation.Read.All"]),
];

/// What every sign-in of a person brings along; it opens nothing but the person's own profile.
const OF_A_SIGN_IN: [&str; 5] = ["openid", "profile", "email", "offline_access", "User.Read"];

/// What certain permissions let an app do that the site does not ask for, and how to go without. The first that fits counts; `*` fits anything.
const BEYOND: [(&str, &str); 12] = [
    (
        "Mail.ReadWrite",
        "lets the app change and delete every message that it reaches, and a run only reads: take it away; for `mailflow clean`, give it to a \
         second app, and name that one in `clean: { with: TENANT }`",
    ),
    (
        "Mail.Send",
        "lets the app send in anybody's name, and no route of the site sends by this tenant: take it away",
    ),
    (
        "Mail.Read*",
        "lets the app read everybody's mail, and the site reads none by this tenant: take it away",
    ),
    (
        "Group-Conversation.*",
        "lets the app into the mailboxes of all groups, beyond what the site asks: take it away",
    ),
    (
        "ExchangeMessageTrace.*",
        "lets the app see who writes to whom, and the site does not use the message trace: take it away",
    ),
    (
        "ThreatHunting.*",
        "lets the app query what Defender collects of the whole tenant, and the site does not hunt: take it away",
    ),
    (
        "SecurityAnalyzedMessage.*",
        "lets the app see what Defender found in everybody's mail, and the site does not ask for that: take it away",
    ),
    ("Directory.ReadWrite.*", RULES_THE_TENANT),
    ("RoleManagement.ReadWrite.*", RULES_THE_TENANT),
    ("AppRoleAssignment.ReadWrite.*", RULES_THE_TENANT),
    ("Application.ReadWrite.*", RULES_THE_TENANT),
    (
        "*ReadWrite*",
        "lets the app change what mailflow never touches: take it away, or give mailflow an app of its own if another program needs it",
    ),
];
const RULES_THE_TENANT: &str = "lets the app change the directory, and so become whatever it likes: whoever gets hold of its secret owns the tenant; take it away at once";
const NEVER_USED: &str =
    "lets the app see what mailflow never asks for: take it away, or give mailflow an app of its own if another program needs it";

/// What `site` asks of the app of its tenant entry `tenant`.
pub fn needs(site: &Site, tenant: &str) -> BTreeSet<Need> {
    let mailboxes = site.mailboxes.iter().filter_map(|mailbox| match &mailbox.access {
        MailboxAccess::Graph(access) => (access.tenant == tenant).then_some(Need::Read),
        MailboxAccess::Group(access) => (access.tenant == tenant).then_some(Need::Group),
        MailboxAccess::Trace(access) => (access.tenant == tenant).then_some(Need::Trace),
        MailboxAccess::Imap(_) => None,
    });
    let found = site.mailboxes.iter().filter_map(|mailbox| match &mailbox.access {
        MailboxAccess::Group(access) => (access.tenant == tenant && access.group.contains('@')).then_some(Need::FindGroup),
        MailboxAccess::Graph(_) | MailboxAccess::Trace(_) | MailboxAccess::Imap(_) => None,
    });
    let reading = site.tenant(tenant).and_then(|tenant| tenant.trace);
    let explain = reading.and_then(|reading| reading.explain).map(|explain| match explain {
        TraceExplainer::Hunting => Need::Hunt,
        TraceExplainer::AnalyzedEmails => Need::Analyzed,
    });
    let trace = reading.map(|_| Need::Trace).into_iter().chain(explain);
    let routes = site.routes.iter().filter_map(|route| match &route.kind {
        RouteKind::Graph(access) => (access.tenant == tenant).then_some(Need::Send),
        RouteKind::Smtp(_) | RouteKind::Mx(_) => None,
    });
    // For which entries it deletes, and of what kind their mailboxes are.
    let cleaned = site.mailboxes.iter().filter_map(|mailbox| {
        let (read_by, need) = match &mailbox.access {
            MailboxAccess::Graph(access) => (&access.tenant, Need::Clean),
            MailboxAccess::Group(access) => (&access.tenant, Need::CleanGroup),
            MailboxAccess::Trace(_) | MailboxAccess::Imap(_) => return None,
        };
        (site.tenant(read_by)?.clean_with.as_deref() == Some(tenant)).then_some(need)
    });
    mailboxes.chain(found).chain(routes).chain(cleaned).chain(trace).collect()
}

/// A permission that the app's token does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing(pub Need);

/// A permission that the app holds and the site does not need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superfluous {
    /// As the token calls it.
    pub permission: String,
    /// What would do in its place, where it serves a need.
    pub instead: Option<&'static str>,
}

/// Compares what an app `holds`, by its token, with what is needed of it.
pub fn review(needs: &BTreeSet<Need>, holds: &[String]) -> (Vec<Missing>, Vec<Superfluous>) {
    let held = |name: &str| holds.iter().any(|holds| plain(holds).eq_ignore_ascii_case(name));
    let wanted: Vec<&Row> = TABLE.iter().filter(|row| needs.contains(&row.need)).collect();
    let missing = wanted.iter().filter(|row| !row.suffice.iter().any(|name| held(name)));
    let missing = missing.map(|row| Missing(row.need)).collect();
    let is_enough = |name: &str| {
        wanted.iter().map(|row| row.suffice[0]).any(|least| {
            let included = INCLUDED
                .iter()
                .find(|(all, _)| *all == least)
                .map_or(&[][..], |(_, included)| included);
            least.eq_ignore_ascii_case(name) || included.iter().any(|part| part.eq_ignore_ascii_case(name))
        })
    };
    let mut superfluous = Vec::new();
    for permission in holds {
        let name = plain(permission);
        if is_enough(name) || OF_A_SIGN_IN.iter().any(|always| always.eq_ignore_ascii_case(name)) {
            continue;
        }
        let serves = |row: &&&Row| row.suffice.iter().any(|enough| enough.eq_ignore_ascii_case(name));
        let instead = wanted.iter().find(serves).map(|row| row.suffice[0]).filter(|least| !held(least));
        superfluous.push(Superfluous {
            permission: permission.clone(),
            instead,
        });
    }
    (missing, superfluous)
}

/// A person's permission for mailboxes shared with them is as good as that for their own.
fn plain(permission: &str) -> &str {
    permission.strip_suffix(".Shared").unwrap_or(permission)
}

impl Missing {
    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.need == self.0).unwrap_or(&TABLE[0])
    }

    /// The least permission that would do.
    pub fn permission(self) -> &'static str {
        self.row().suffice[0]
    }

    /// Whether Exchange itself may have granted it, unseen.
    pub fn may_be_hidden(self) -> bool {
        self.row().in_exchange.is_some()
    }

    /// What follows and what to do, for an app that signs in by `proof`.
    pub fn sentence(self, proof: &Proof) -> String {
        let row = self.row();
        let permission = self.permission();
        let step = match proof {
            Proof::DeviceCode => format!("add the delegated permission {permission} to the app, and sign in anew"),
            Proof::Managed => format!(
                "assign Microsoft Graph's app role {permission}{} to the managed identity, which no page of the portal does",
                row.role_id.map(|id| format!(" ({id})")).unwrap_or_default()
            ),
            _ => format!("add the application permission {permission} to the app, and let an administrator of the tenant consent to it"),
        };
        let hidden = match row.in_exchange {
            Some(role) if !matches!(proof, Proof::DeviceCode) => format!(
                ". If Exchange grants it instead (RBAC for Applications, the role “{role}”), no token shows that: \
                 `Test-ServicePrincipalAuthorization` in Exchange Online PowerShell does"
            ),
            _ => String::new(),
        };
        format!("without it, {}: {step}{hidden}", row.otherwise)
    }

    /// What to say where the app is known to have rights that no token shows.
    pub fn sentence_if_hidden(self) -> String {
        format!(
            "Exchange itself grants this app its rights (RBAC for Applications), for it could read without a permission in its token, and so \
             perhaps this one too; without it, {}. `Test-ServicePrincipalAuthorization` in Exchange Online PowerShell tells whether the role “{}” \
             is there",
            self.row().otherwise,
            self.row().in_exchange.unwrap_or_default()
        )
    }
}

impl Superfluous {
    /// What follows and what to do.
    pub fn sentence(&self) -> String {
        let name = plain(&self.permission);
        let said = BEYOND
            .iter()
            .find(|(pattern, _)| fits(pattern, name))
            .map_or(NEVER_USED, |(_, sentence)| *sentence);
        match self.instead {
            Some(least) => format!("it {said}; {least} is enough for what the site asks, and must be there first"),
            None => format!("it {said}"),
        }
    }
}

/// Whether a pattern with `*` at its ends fits, whatever the case.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => name.contains(rest.trim_end_matches('*')),
        (None, Some(start)) => name.starts_with(start),
        (Some(end), None) => name.ends_with(end),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewed(needs: &[Need], holds: &[&str]) -> (Vec<&'static str>, Vec<(String, Option<&'static str>)>) {
        let holds: Vec<String> = holds.iter().map(|&name| name.to_owned()).collect();
        let (missing, superfluous) = review(&needs.iter().copied().collect(), &holds);
        (
            missing.into_iter().map(Missing::permission).collect(),
            superfluous.into_iter().map(|s| (s.permission, s.instead)).collect(),
        )
    }

    fn beyond(names: &[(&str, Option<&'static str>)]) -> Vec<(String, Option<&'static str>)> {
        names.iter().map(|(name, instead)| ((*name).to_owned(), *instead)).collect()
    }

    #[test]
    fn the_least_is_neither_missing_nor_too_much() {
        for (needs, least) in [
            (&[Need::Read][..], &["Mail.Read"][..]),
            (&[Need::Read, Need::Send], &["Mail.Read", "Mail.Send"]),
            (&[Need::Clean], &["Mail.ReadWrite"]),
            (&[Need::Clean], &["Mail.ReadWrite", "Mail.Read"]),
            (&[Need::Read], &["Mail.Read", "Mail.ReadBasic.All"]),
            (
                &[Need::Hunt, Need::Analyzed],
                &["ThreatHunting.Read.All", "SecurityAnalyzedMessage.Read.All"],
            ),
            (
                &[Need::Group, Need::Trace],
                &["Group-Conversation.Read.All", "ExchangeMessageTrace.Read.All"],
            ),
            (&[Need::Read, Need::Send], &["Mail.Read.Shared", "Mail.Send", "User.Read", "openid"]),
            (&[Need::Read], &["mail.read"]),
            (&[], &[]),
        ] {
            assert_eq!(reviewed(needs, least), (vec![], vec![]), "{needs:?} {least:?}");
        }
    }

    #[test]
    fn what_is_missing_is_the_least_that_would_do() {
        assert_eq!(reviewed(&[Need::Read, Need::Send], &[]), (vec!["Mail.Read", "Mail.Send"], vec![]));
        assert_eq!(
            reviewed(&[Need::Read], &["Mail.ReadBasic.All"]),
            (vec!["Mail.Read"], vec![]),
            "too little, and a part of what is needed"
        );
        assert_eq!(
            reviewed(&[Need::Clean], &["Mail.Read"]),
            (vec!["Mail.ReadWrite"], vec![]),
            "reading is a part of deleting"
        );
    }

    #[test]
    fn what_is_too_much_says_what_would_do() {
        assert_eq!(
            reviewed(&[Need::Read], &["Mail.ReadWrite"]),
            (vec![], beyond(&[("Mail.ReadWrite", Some("Mail.Read"))]))
        );
        assert_eq!(
            reviewed(
                &[Need::Read],
                &["Mail.Read", "Mail.ReadWrite", "Mail.Send", "Directory.ReadWrite.All"]
            ),
            (
                vec![],
                beyond(&[("Mail.ReadWrite", None), ("Mail.Send", None), ("Directory.ReadWrite.All", None)])
            )
        );
        assert_eq!(
            reviewed(&[Need::Group], &["Group.Read.All"]),
            (vec![], beyond(&[("Group.Read.All", Some("Group-Conversation.Read.All"))]))
        );
    }

    #[test]
    fn each_sentence_says_what_follows_and_the_step() {
        for row in &TABLE {
            for proof in [Proof::DeviceCode, Proof::Managed, Proof::GitHub] {
                let sentence = Missing(row.need).sentence(&proof);
                assert!(sentence.contains(row.suffice[0]) && sentence.contains(row.otherwise), "{sentence}");
            }
            assert!(
                Missing(row.need)
                    .sentence(&Proof::Managed)
                    .contains(row.role_id.unwrap_or_default())
            );
        }
        let said = |name: &str| {
            let superfluous = Superfluous {
                permission: name.to_owned(),
                instead: None,
            };
            superfluous.sentence()
        };
        assert!(said("Mail.ReadWrite").contains("clean: { with: TENANT }"));
        assert!(said("Mail.ReadWrite.Shared").contains("clean: { with: TENANT }"));
        assert!(said("Mail.ReadBasic.All").contains("the site reads none"));
        assert!(said("Directory.ReadWrite.All").contains("at once"));
        assert!(said("Sites.ReadWrite.All").contains("change what mailflow never touches"));
        assert!(said("Calendars.Read").contains("see what mailflow never asks for"));
    }
}
