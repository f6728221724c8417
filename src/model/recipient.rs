//! Recipients: the addresses that matter, who owns them, and where their mail should be seen.

use super::{Expectation, MailboxName, Place, QuarantinePolicy};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An address that must receive mail, or must refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The address, as the site writes it.
    pub address: String,
    /// The role it holds.
    pub role: Option<String>,
    /// Who answers for it.
    pub owner: Option<Owner>,
    /// Who answers for it where the owner cannot.
    #[serde(default)]
    pub backup: Option<Owner>,
    /// Words by which scenarios may choose it.
    pub tags: Vec<String>,
    /// The mailboxes meant: its own, or those that a list reaches. Empty: there is nowhere to look.
    pub meant: Vec<MailboxName>,
    /// Whether it is a group (`reaches`): a verdict for each member.
    pub group: bool,
    /// Where a quarantine would hold its mail.
    pub quarantine: QuarantinePolicy,
    /// What the site expects of it.
    pub expect: Option<Vec<Expectation>>,
    /// The address that receives in its stead, where it has no mailbox on purpose.
    pub covered_by: Option<String>,
    /// A failure that is known and accepted until a date.
    pub known: Option<Waiver>,
    /// Where the site describes it.
    pub place: Place,
}

impl Recipient {
    /// The domain of the address, in lower case.
    pub fn domain(&self) -> String {
        self.address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
    }
}

/// A person who answers for an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The person's name.
    pub name: Option<String>,
    /// How to reach that person.
    pub email: Option<String>,
}

/// A failure that somebody accepted for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// What is accepted.
    pub verdicts: Vec<Expectation>,
    /// The last day (UTC) on which it is.
    pub until: NaiveDate,
    /// The change or incident.
    pub ticket: Option<String>,
    /// Who accepted it.
    pub approved_by: Option<String>,
}

impl fmt::Display for Waiver {
    /// `for junk until 2027-01-31, CHG-4711, approved by Kim`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdicts: Vec<String> = self.verdicts.iter().map(ToString::to_string).collect();
        write!(f, "for {} until {}", verdicts.join(" or "), self.until)?;
        if let Some(ticket) = &self.ticket {
            write!(f, ", {ticket}")?;
        }
        if let Some(approved_by) = &self.approved_by {
            write!(f, ", approved by {approved_by}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.email) {
            (Some(name), Some(email)) => write!(f, "{name} <{email}>"),
            (Some(only), None) | (None, Some(only)) => f.write_str(only),
            (None, None) => Ok(()),
        }
    }
}
