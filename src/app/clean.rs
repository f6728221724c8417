//! `mailflow clean`: removes our own probes, by verified tag; nothing else.

use super::{Code, Desk, Halt, identity_of, output::Output, run::recognizer, world::World};
use crate::{
    journal::Log,
    model::{Event, What},
    report::{counted, escape},
    scrub::Scrubber,
};
use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

impl Desk {
    pub(super) async fn clean(&mut self, runs: &[String], dry_run: bool, yes: bool) -> Result<Code, Halt> {
        let site = self.site()?;
        let key = self.tag_key(&site).await?;
        let journal = self.journal()?;
        let here = identity_of(&site);
        let plans = if runs.is_empty() {
            journal
                .runs()?
                .into_iter()
                .filter(|stored| stored.site == here)
                .map(|stored| stored.plan)
                .collect()
        } else {
            runs.iter()
                .map(|name| journal.load(name).map(|(plan, _)| plan))
                .collect::<Result<Vec<_>, _>>()?
        };
        if let Some(live) = plans.iter().find(|plan| journal.is_held(&plan.run.id)) {
            return Err(Halt::Sentence(format!(
                "run {} is still going; its probes cannot be removed yet",
                live.run.id
            )));
        }
        if plans.is_empty() {
            self.output.remark("No run of this site is stored, so there is nothing to remove.");
            return Ok(Code::Passed);
        }
        if !dry_run && !yes {
            let probes: usize = plans.iter().map(|plan| plan.probes.len()).sum();
            ask(&format!(
                "Remove the {} of {} from the mailboxes of {}? Other messages are not touched. [y/N] ",
                counted(probes, "probe", "probes"),
                counted(plans.len(), "run", "runs"),
                site.file
            ))?;
        }
        let mut removed: BTreeMap<String, u32> = BTreeMap::new();
        let mut trouble: BTreeMap<String, String> = BTreeMap::new();
        for plan in plans {
            // Held, so that nobody looks again while it is being cleaned; and a second look must know that it was.
            let log = if dry_run { None } else { Some(journal.take_up(&plan.run.id)?) };
            let plan = Arc::new(plan);
            let recognizer = recognizer(&key, &plan, Scrubber::default());
            let world = World::to_clean(&site, &plan, self.clock).await;
            let mut cleaning = tokio::task::JoinSet::new();
            for watcher in world.watchers {
                cleaning.spawn(watcher.clean(recognizer.clone(), dry_run));
            }
            trouble.extend(world.unwatched.into_iter().map(|(name, reason)| (name.to_string(), reason)));
            while let Some(Ok(cleaned)) = cleaning.join_next().await {
                for (mailbox, result) in cleaned {
                    if let (Ok(removed @ 1..), Some(log)) = (&result, &log) {
                        let (mailbox, removed) = (mailbox.clone(), *removed);
                        let cleaned = What::Cleaned { mailbox, removed };
                        let at = self.clock.now();
                        log.write(&Event { at, what: cleaned }).await?;
                    }
                    match result {
                        Ok(count) => *removed.entry(mailbox.to_string()).or_default() += count,
                        Err(reason) => drop(trouble.insert(mailbox.to_string(), reason)),
                    }
                }
            }
        }
        self.tell(&removed, &trouble, dry_run)
    }

    fn tell(&self, removed: &BTreeMap<String, u32>, trouble: &BTreeMap<String, String>, dry_run: bool) -> Result<Code, Halt> {
        let verb = if dry_run { "would be removed" } else { "removed" };
        let mut text = String::new();
        for (mailbox, count) in removed.iter().filter(|(_, count)| **count > 0) {
            text.push_str(&format!("{}: {count} {verb}\n", escape(mailbox)));
        }
        for (mailbox, reason) in trouble {
            text.push_str(&format!("{}: not cleaned: {}\n", escape(mailbox), escape(reason)));
        }
        let total: u32 = removed.values().sum();
        text.push_str(&format!(
            "{} {verb} from {}.\n",
            counted(usize::try_from(total).unwrap_or(usize::MAX), "probe", "probes"),
            counted(removed.values().filter(|count| **count > 0).count(), "mailbox", "mailboxes")
        ));
        self.output.print(text.as_bytes())?;
        Ok(if trouble.is_empty() { Code::Passed } else { Code::Failed })
    }
}

/// Asks on a terminal; without one, `--yes` must have been given.
fn ask(question: &str) -> Result<(), Halt> {
    if !Output::is_interactive() {
        return Err(Halt::Sentence(
            "nobody can be asked here\n  help: `--yes` removes without asking, `--dry-run` only counts".to_owned(),
        ));
    }
    write!(io::stderr(), "{question}")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Halt::Sentence("nothing was removed".to_owned()))
    }
}
