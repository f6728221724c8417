//! The folders that every mailbox is born with: their well-known names (the same in every language) and their display names.
//!
//! Pure. Cannot see messages.

/// A folder of a new mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Born {
    /// The well-known name.
    pub well_known: &'static str,
    english: &'static str,
    german: &'static str,
    /// Whether it lies outside the visible tree.
    pub hidden: bool,
}

impl Born {
    /// What Outlook calls it.
    pub fn display(&self, german: bool) -> &'static str {
        if german { self.german } else { self.english }
    }
}

const fn born(well_known: &'static str, english: &'static str, german: &'static str, hidden: bool) -> Born {
    Born {
        well_known,
        english,
        german,
        hidden,
    }
}

/// The root and what lies in it, the root first.
pub const BORN: [Born; 9] = [
    born(
        "msgfolderroot",
        "Top of Information Store",
        "Oberste Ebene des Informationsspeichers",
        false,
    ),
    born("inbox", "Inbox", "Posteingang", false),
    born("junkemail", "Junk Email", "Junk-E-Mail", false),
    born("deleteditems", "Deleted Items", "Gelöschte Elemente", false),
    born("drafts", "Drafts", "Entwürfe", false),
    born("sentitems", "Sent Items", "Gesendete Elemente", false),
    born("outbox", "Outbox", "Postausgang", false),
    born("archive", "Archive", "Archiv", false),
    born("recoverableitemsdeletions", "Deletions", "Deletions", true),
];

/// The folder that an inbox rule moves to.
pub fn rule_folder(german: bool) -> &'static str {
    if german { "Warnungen" } else { "Alerts" }
}
