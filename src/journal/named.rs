//! Which run somebody means: by its id or the beginning of it, `last`, `last~N`, or the name of a baseline.
//!
//! What it cannot know: which of two runs is meant whose ids begin alike. It says so, and takes neither.

use super::{Journal, JournalError};
use rusqlite::OptionalExtension;

/// An id is told by its first characters from this many on.
const SHORTEST: usize = 3;
/// Nearer than this and a name is a slip; farther and a guess would only mislead.
const SLIP: f64 = 0.8;

impl Journal {
    /// The id of the run that is called so.
    ///
    /// # Errors
    /// If there is no such run, or several, or the journal cannot be read.
    pub(super) fn named(&self, asked: &str) -> Result<String, JournalError> {
        let connection = self.connect()?;
        let stored: i64 = connection
            .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
            .map_err(|error| self.trouble(&error))?;
        if stored == 0 {
            return Err(JournalError::NoRun);
        }
        if let Some(run) = self.baseline(asked)? {
            return Ok(run);
        }
        let no_such = |hint: String| JournalError::NoSuchRun {
            asked: asked.to_owned(),
            hint,
        };
        let back = match asked.strip_prefix("last") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('~').and_then(|number| number.parse::<u32>().ok()),
            None => None,
        };
        if let Some(back) = back {
            let found = connection.query_row(
                "SELECT id FROM runs ORDER BY started_at DESC, id LIMIT 1 OFFSET ?1",
                [back],
                |row| row.get(0),
            );
            let found = found.optional().map_err(|error| self.trouble(&error))?;
            let noun = if stored == 1 { "run is" } else { "runs are" };
            return found.ok_or_else(|| no_such(format!(": {stored} {noun} stored")));
        }
        let mut found = Vec::new();
        if asked.len() >= SHORTEST && asked.chars().all(|character| character.is_ascii_alphanumeric()) {
            let read = || {
                let mut statement = connection.prepare("SELECT id FROM runs WHERE id LIKE ?1 || '%' ORDER BY started_at DESC LIMIT 2")?;
                let rows = statement.query_map([asked.to_ascii_lowercase()], |row| row.get::<_, String>(0))?;
                rows.collect::<Result<Vec<_>, _>>()
            };
            found = read().map_err(|error| self.trouble(&error))?;
        }
        match <[String; 2]>::try_from(found) {
            Ok([one, other]) => Err(no_such(format!(": {one} and {other} both begin so"))),
            Err(mut found) => match found.pop() {
                Some(id) => Ok(id),
                None => Err(no_such(self.nearest_baseline(asked)?)),
            },
        }
    }

    /// The name that may have been meant.
    fn nearest_baseline(&self, asked: &str) -> Result<String, JournalError> {
        let likeness = |name: &str| strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase());
        let nearest = self
            .baselines()?
            .into_iter()
            .map(|baseline| (likeness(&baseline.name), baseline.name))
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .filter(|(likeness, _)| *likeness >= SLIP);
        Ok(nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RunId, Time};

    #[test]
    fn a_name_finds_its_run_and_an_unclear_one_says_why_not() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        assert!(matches!(journal.named("last"), Err(JournalError::NoRun)));
        for (id, at) in [("abcde2345", "1"), ("abcde2346", "2"), ("mn2q2m4xa", "3")] {
            let insert = "INSERT INTO runs (id, started_at, site, plan) VALUES (?1, ?2, '', '')";
            journal.connect().unwrap().execute(insert, [id, at]).unwrap();
        }
        let run: RunId = "abcde2346".parse().unwrap();
        journal.set_baseline("before", &run, Time::UNIX_EPOCH).unwrap();
        for (asked, id) in [
            ("last", "mn2q2m4xa"),
            ("last~2", "abcde2345"),
            ("MN2", "mn2q2m4xa"),
            ("abcde2346", "abcde2346"),
            ("before", "abcde2346"),
        ] {
            assert_eq!(journal.named(asked).unwrap(), id, "{asked}");
        }
        for (asked, why) in [
            ("last~3", ": 3 runs are stored"),
            ("last~-1", "there is no run \"last~-1\"\n"),
            ("abc", ": abcde2346 and abcde2345 both begin so"),
            ("befor", "; did you mean before?"),
            ("mn", "there is no run \"mn\"\n"),
            ("%%%", "there is no run \"%%%\"\n"),
        ] {
            let said = journal.named(asked).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}
