//! Who is in the lab: every address, its password, and what becomes of mail for it.

/// The password of every mailbox.
pub const PASSWORD: &str = "correct horse battery";
/// The probe's own mailbox: envelope sender, login of the sending server, and where bounces and replies come back.
pub const SENDER: &str = "probe@sender.example";
/// A sender inside the organisation, who may write to `insiders-only@`; has a login at the sending server too.
pub const INSIDER: &str = "probe@contoso.example";
/// Where gateway A and B put what they hold.
pub const QUARANTINE: &str = "quarantine@contoso.example";
/// Where mail for any address at `catchall.example` lands.
pub const CATCH_ALL: &str = "catch-all@contoso.example";
/// Sees the mailbox of each `NAME@contoso.example` as `All/NAME`, with its folders below.
pub const OVERSEER: &str = "overseer@contoso.example";
/// The master user: signs in to any mailbox as `MAILBOX*watcher`, with [`WATCHER_PASSWORD`].
pub const WATCHER: &str = "watcher";
/// The password of [`WATCHER`].
pub const WATCHER_PASSWORD: &str = "who watches the watcher";

/// The domains whose recipients are those of [`MAILBOXES`] and [`WITHOUT_MAIL`], each with mailboxes of its own.
/// `first-down.example` and `nomx.example` differ in DNS only.
pub const DOMAINS: [&str; 4] = ["contoso.example", "fabrikam.example", "first-down.example", "nomx.example"];

/// Local parts whose mail the store takes, with its fate.
pub const MAILBOXES: [(&str, &str); 19] = [
    ("ok", "inbox"),
    ("junk", "junk folder, by Sieve; it is named Courrier indésirable"),
    ("held", "redirected into QUARANTINE by the gateway"),
    ("folder", "folder Alerts, by Sieve"),
    ("elsewhere", "redirected to someone-else by the gateway"),
    ("someone-else", "inbox"),
    ("member-1", "inbox"),
    ("member-2", "inbox"),
    ("full", "over quota: bounced with 5.2.2 by the gateway"),
    ("lost", "discarded by Sieve"),
    ("late-2s", "inbox, after an inner hop took two seconds to accept it"),
    ("late-6s", "inbox, after an inner hop took six seconds to accept it"),
    (
        "delayed",
        "inbox, after an inner hop deferred it for seven seconds; the gateway sends a delayed DSN meanwhile",
    ),
    ("twice", "inbox, two copies"),
    (
        "greylisted",
        "4xx at the first contact of HELO name, sender and recipient, inbox a second later",
    ),
    ("insiders-only", "550 5.7.1 at RCPT for senders outside contoso.example, else inbox"),
    (
        "vacation",
        "inbox, and a reply from Sieve each time (none to what is Auto-Submitted)",
    ),
    ("deleted", "folder Trash only, by Sieve"),
    (
        "moved",
        "inbox, and after four to five seconds moved into the junk folder by the store",
    ),
];

/// Local parts of `contoso.example` whose mail gateway B changes or judges on its way into the store.
pub const CHANGED: [(&str, &str); 5] = [
    ("scored", "SpamAssassin looks at it; what it marks goes into the junk folder"),
    (
        "guarded",
        "SpamAssassin looks at it; what it marks is held in the folder `Held for review`",
    ),
    ("bannered", "a banner is put above the text"),
    ("rewritten", "links to sender.example are wrapped as Safe Links wraps them"),
    ("readdressed", "the address in From is rewritten"),
];

/// Local parts who may sign in but get no mail of their own, with what becomes of it.
pub const WITHOUT_MAIL: [(&str, &str); 3] = [
    ("list", "to member-1, member-2 and full"),
    ("bounce-5.1.1", "taken by the gateways, refused by the store: bounced with 5.1.1"),
    ("reject-550", "550 5.1.1 at RCPT"),
];

/// A mailbox and how to sign in to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The address, which is the login too.
    pub address: String,
    /// The password.
    pub password: &'static str,
}

impl Account {
    /// The account of an address of this lab.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            password: PASSWORD,
        }
    }

    /// Its line in Dovecot's passwd-file (user, password, uid, gid, gecos, home, shell, further fields).
    pub(super) fn passwd_line(&self, fields: &str) -> String {
        format!("{}:{{PLAIN}}{}::::::{fields}\n", self.address, self.password)
    }
}

/// The text of `users-imap`, `users-lmtp` and `recipients`: who may sign in, whose mail the store takes, whom the gateways take.
pub(super) fn lists() -> [String; 3] {
    let (mut imap, mut lmtp, mut recipients) = (String::new(), String::new(), Vec::new());
    for domain in DOMAINS {
        for (local, _) in MAILBOXES {
            let line = Account::new(&format!("{local}@{domain}")).passwd_line(match local {
                "junk" => "userdb_namespace/inbox/disabled=yes userdb_namespace/french/disabled=no",
                // Dovecot 2.3 reads the first, 2.4 the second.
                "full" => "userdb_quota_rule=*:bytes=1 userdb_quota_storage_size=1B",
                _ => "",
            });
            imap += &line;
            lmtp += &line;
            recipients.push(format!("{local}@{domain}"));
        }
        for (local, _) in WITHOUT_MAIL {
            imap += &Account::new(&format!("{local}@{domain}")).passwd_line("");
            if local != "reject-550" {
                recipients.push(format!("{local}@{domain}"));
            }
        }
    }
    let changed: Vec<String> = CHANGED.iter().map(|(local, _)| format!("{local}@contoso.example")).collect();
    for address in [SENDER, INSIDER, QUARANTINE, CATCH_ALL]
        .into_iter()
        .chain(changed.iter().map(String::as_str))
    {
        let line = Account::new(address).passwd_line("");
        imap += &line;
        lmtp += &line;
        if address != SENDER {
            recipients.push(address.to_owned());
        }
    }
    imap += &Account::new(OVERSEER).passwd_line("userdb_namespace/everyone/disabled=no");
    // Read by Postfix (texthash) and Exim (lsearch): the key decides, its value is never looked at.
    [imap, lmtp, recipients.into_iter().map(|address| address + " yes\n").collect()]
}
