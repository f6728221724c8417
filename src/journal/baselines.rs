//! Baselines: names for runs that later ones are compared with. What a name cannot keep: a run that is removed takes its names along.

use super::{Journal, JournalError};
use crate::model::{RunId, Time};
use rusqlite::{OptionalExtension, params};

/// A name that was given to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The name.
    pub name: String,
    /// The run.
    pub run: RunId,
    /// When it was given, in RFC 3339.
    pub set_at: String,
}

/// The longest name.
const LONGEST: usize = 64;

/// Why a word cannot name a run; `None` if it can.
pub fn fault(name: &str) -> Option<&'static str> {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() || name.chars().count() > LONGEST {
        return Some("a name has 1 to 64 characters");
    }
    // A name with a dot or a slash would be a file, and one with a dash before it an option.
    if !name.chars().all(is_plain) || name.starts_with('-') {
        return Some("a name is made of letters, digits, - and _, and does not begin with -");
    }
    if name == "last" {
        return Some("`last` is the latest run");
    }
    // Runs are called by nine of a-z and 2-7; a word of nine letters alone is rather a word.
    let of_runs = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
    if name.len() == 9 && name.bytes().all(of_runs) && name.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some("it looks like the id of a run");
    }
    None
}

impl Journal {
    /// Gives the run that name, which may have been another run's until now.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_baseline(&self, name: &str, run: &RunId, now: Time) -> Result<(), JournalError> {
        let connection = self.connect()?;
        connection
            .execute(
                "INSERT INTO baselines (name, run, set_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET run = excluded.run, set_at = excluded.set_at",
                params![name, run.as_str(), now.to_rfc3339()],
            )
            .map(drop)
            .map_err(|error| self.trouble(&error))
    }

    /// Calls a baseline something else; whether there was one. The new name must be nobody's.
    ///
    /// # Errors
    /// If the new name is another baseline's, or it cannot be written.
    pub fn rename_baseline(&self, name: &str, new: &str) -> Result<bool, JournalError> {
        let renamed = self
            .connect()?
            .execute("UPDATE baselines SET name = ?2 WHERE name = ?1", [name, new]);
        renamed.map(|count| count > 0).map_err(|error| self.trouble(&error))
    }

    /// Takes the name away; whether there was one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn remove_baseline(&self, name: &str) -> Result<bool, JournalError> {
        let removed = self.connect()?.execute("DELETE FROM baselines WHERE name = ?1", [name]);
        removed.map(|count| count > 0).map_err(|error| self.trouble(&error))
    }

    /// The run of that name.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn baseline(&self, name: &str) -> Result<Option<String>, JournalError> {
        let connection = self.connect()?;
        let found = connection.query_row("SELECT run FROM baselines WHERE name = ?1", [name], |row| row.get(0));
        found.optional().map_err(|error| self.trouble(&error))
    }

    /// Every name, in their order.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn baselines(&self) -> Result<Vec<Baseline>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare("SELECT name, run, set_at FROM baselines ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|error| self.trouble(&error))?;
        let one = |(name, run, set_at): (String, String, String)| {
            let run = run.parse().map_err(|reason| JournalError::Database {
                path: self.state.join("journal.db"),
                reason,
            })?;
            Ok(Baseline { name, run, set_at })
        };
        rows.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_that_would_be_taken_for_something_else_are_refused() {
        for good in ["before", "migration", "2026-03", "größer", "a_b", "before-the-cut-over"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "last",
            "last~1",
            "kf3q2m4xa",
            "-x",
            "a b",
            "a/b",
            "report.json",
            &"x".repeat(65),
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_given_moved_and_taken_away() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let [one, other] = [1, 2].map(|byte| RunId::from_random([byte; 6]));
        for run in [&one, &other] {
            let insert = "INSERT INTO runs (id, started_at, site, plan) VALUES (?1, '', '', '')";
            journal.connect().unwrap().execute(insert, [run.as_str()]).unwrap();
        }
        let later = |seconds| Time::UNIX_EPOCH + Duration::from_secs(seconds);
        journal.set_baseline("before", &one, later(1)).unwrap();
        journal.set_baseline("after", &other, later(2)).unwrap();
        journal.set_baseline("before", &other, later(3)).unwrap();
        let names: Vec<_> = journal.baselines().unwrap().into_iter().map(|one| (one.name, one.run)).collect();
        assert_eq!(names, [("after".to_owned(), other.clone()), ("before".to_owned(), other.clone())]);
        assert_eq!(journal.baseline("before").unwrap().as_deref(), Some(other.as_str()));
        assert!(journal.rename_baseline("after", "the-end").unwrap() && !journal.rename_baseline("after", "x").unwrap());
        assert!(journal.rename_baseline("the-end", "before").is_err(), "it is another run's");
        assert_eq!(journal.named("the-end").unwrap(), other.as_str());
        assert!(journal.remove_baseline("before").unwrap() && !journal.remove_baseline("before").unwrap());
        assert_eq!(journal.baseline("before").unwrap(), None);
    }
}
