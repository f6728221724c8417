//! Looking: quick looks at the inbox and the junk folder by their changes, and at the whole mailbox for our subjects; sweeps of all that came
//! since the run began; complete looks, which ask after every copy that they do not show.
//!
//! A quick look is one batch of three calls, which is what one mailbox is asked at once. It cannot see a message that came and went between two
//! looks, nor, without its header field and its subject, one of ours at all.

use super::{
    fault::Fault,
    folders::Folders,
    pace,
    reading::Reader,
    state::State,
    views::{Shown, View},
};
use crate::{
    microsoft::{Answer, Error, Kind, Link, Request},
    model::{Time, What},
    watch::{Attention, wishes::Wishes},
};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Among so many quick looks, one is a sweep.
const SWEEP_EVERY: u32 = 4;
/// How long one look may take, waits for the service's limits included; then the mailbox is blind.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same for opening a mailbox and for a complete look.
const LONG_PATIENCE: Duration = Duration::from_mins(2);

const QUICK: [View; 3] = [View::Round(0), View::Round(1), View::Named];
const SWEEP: [View; 3] = [View::Round(0), View::Round(1), View::All];
const COMPLETE: [View; 5] = [View::Round(0), View::Round(1), View::All, View::Named, View::Purged];

/// The watcher's eyes on one open mailbox.
pub(super) struct Eyes {
    folders: Folders,
    pub(super) state: State,
    started_at: Time,
    looks: u32,
    last_look: Instant,
    /// When the newest probe left that the last look knew of.
    newest: Option<Time>,
    /// Since when a probe has been leaving.
    leaving: Option<Time>,
    /// When the last complete look was sent.
    pub(super) looked: Option<Time>,
    /// Whether a complete look is owed, whatever the loop wants.
    pub(super) owes_look: bool,
}

impl Eyes {
    /// Finds the folders of the mailbox, and takes everything in that is there. Says `Baseline` if one is to be taken; otherwise, and if probes
    /// have left already, `Looked`.
    pub(super) async fn open(
        reader: &mut Reader,
        started_at: Time,
        fresh: bool,
        sending_since: &watch::Receiver<Option<Time>>,
    ) -> Result<Self, Fault> {
        let until = Instant::now() + LONG_PATIENCE;
        let folders = Folders::open(&reader.ask, &reader.mailbox, until).await?;
        let followed: Vec<&str> = ["inbox", "junkemail"].iter().filter_map(|name| folders.id(name)).collect();
        let left_out: Vec<&str> = ["drafts", "sentitems", "outbox"]
            .iter()
            .filter_map(|name| folders.id(name))
            .collect();
        let state = State::new(
            started_at,
            reader.of_sender,
            &followed,
            folders.id("recoverableitemsdeletions"),
            &left_out,
        );
        let mut eyes = Self {
            folders,
            state,
            started_at,
            looks: 0,
            last_look: Instant::now(),
            newest: None,
            leaving: None,
            looked: None,
            owes_look: false,
        };
        let since = eyes.take_in(reader, &COMPLETE, until).await?;
        let late = sending_since.borrow().is_some_and(|since| since <= reader.clock.now());
        if fresh && !late {
            eyes.state.forget_what_is_old();
        }
        reader.settle(&mut eyes.folders, &mut eyes.state, until).await?;
        let mailbox = reader.mailbox.name.clone();
        if fresh {
            let folders = eyes.folders.marks();
            reader
                .tell(What::Baseline {
                    mailbox: mailbox.clone(),
                    folders,
                })
                .await?;
        }
        if late || !fresh {
            eyes.looked = Some(since);
            reader.tell(What::Looked { mailbox, since }).await?;
        }
        Ok(eyes)
    }

    /// Watches until told to stop.
    pub(super) async fn watch(&mut self, reader: &mut Reader, wishes: &mut Wishes) -> Result<(), Fault> {
        while !wishes.stopped() {
            let now = reader.clock.now();
            let wanted = wishes
                .of(&reader.mailbox.name)
                .look_at
                .filter(|at| self.looked.is_none_or(|since| since < *at));
            if self.owes_look || wanted.is_some_and(|at| at <= now) {
                self.complete_look(reader).await?;
                continue;
            }
            let (pause, newest) = self.pause(wishes.of(&reader.mailbox.name), now);
            let mut next = self.last_look + pause;
            if newest > self.newest {
                // A probe has just left: the sooner a look still misses it, the narrower its interval.
                next = self.last_look + pace::QUICKEST;
            }
            if next <= Instant::now() {
                self.newest = newest;
                self.last_look = Instant::now();
                self.looks = self.looks.wrapping_add(1);
                let sweep = pause >= pace::AT_REST || self.looks.is_multiple_of(SWEEP_EVERY);
                let until = Instant::now() + PATIENCE;
                self.take_in(reader, if sweep { &SWEEP } else { &QUICK }, until).await?;
                reader.settle(&mut self.folders, &mut self.state, until).await?;
                continue;
            }
            let until = wanted.map_or(next, |at| next.min(reader.clock.instant_of(at)));
            tokio::select! {
                () = wishes.change() => {}
                () = sleep_until(until) => {}
            }
        }
        Ok(())
    }

    /// Every folder, and every copy known. Says `Looked`.
    async fn complete_look(&mut self, reader: &mut Reader) -> Result<(), Fault> {
        let until = Instant::now() + LONG_PATIENCE;
        self.last_look = Instant::now();
        let since = self.take_in(reader, &COMPLETE, until).await?;
        reader.settle(&mut self.folders, &mut self.state, until).await?;
        self.owes_look = false;
        self.looked = Some(since);
        let mailbox = reader.mailbox.name.clone();
        reader.tell(What::Looked { mailbox, since }).await
    }

    /// The pause between two looks just now, and when the newest probe left.
    fn pause(&mut self, attention: Attention, now: Time) -> (Duration, Option<Time>) {
        if !attention.outstanding {
            self.leaving = None;
            return (pace::AT_REST, None);
        }
        // A probe that is only just leaving has no time yet: it counts from when it was first heard of.
        self.leaving = attention.since.is_none().then(|| self.leaving.unwrap_or(now));
        let since = attention.since.or(self.leaving).unwrap_or(now);
        (pace::pause((now - since).to_std().unwrap_or_default()), Some(since))
    }

    /// Asks for these views, and takes in what they show. Returns when the first call was sent.
    async fn take_in(&mut self, reader: &Reader, views: &[View], until: Instant) -> Result<Time, Fault> {
        let views: Vec<(View, Request)> = views
            .iter()
            .filter_map(|view| Some((*view, self.request(reader, *view)?)))
            .collect();
        let requests: Vec<Request> = views.iter().map(|(_, request)| request.clone()).collect();
        let sent = reader.clock.now();
        let answers = reader.ask.graph.batch(&requests, until).await;
        let mut looks = Vec::new();
        let mut links: Vec<(usize, Option<Link>)> = Vec::new();
        for ((view, request), answer) in views.into_iter().zip(answers) {
            let (items, link, whole) = self.shown(reader, view, &request, answer, until).await?;
            if let View::Round(number) = view {
                links.push((number, link));
            }
            looks.push(Shown { view, items, whole });
        }
        self.state.take(&looks, sent, reader.clock.now(), &reader.recognizer);
        // Only now: what a round has told once, it does not tell again.
        for (number, link) in links {
            if let Some(round) = self.state.rounds.get_mut(number) {
                round.link = link;
            }
        }
        Ok(sent)
    }

    /// All pages of a view, the link to its next round, and whether it shows all there is. A round whose link has lapsed begins anew.
    async fn shown(
        &mut self,
        reader: &Reader,
        view: View,
        request: &Request,
        answer: Result<Answer, Error>,
        until: Instant,
    ) -> Result<(Vec<super::ask::Item>, Option<Link>, bool), Fault> {
        let pages = match answer {
            Ok(answer) => reader.ask.pages(request, &answer, until).await,
            Err(error) => Err(error),
        };
        let View::Round(number) = view else {
            let (items, _) = pages?;
            return Ok((items, None, true));
        };
        let whole = self.state.rounds.get(number).is_some_and(|round| round.link.is_none());
        match pages {
            Ok((items, link)) => Ok((items, link, whole)),
            Err(error) if error.kind() == Some(Kind::SyncStateNotFound) => {
                self.state.restart(number);
                let request = self.request(reader, view).ok_or(Fault::Odd("a folder is no longer followed"))?;
                let first = reader.ask.graph.call(&request, until).await?;
                let (items, link) = reader.ask.pages(&request, &first, until).await?;
                Ok((items, link, true))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What to ask for; `None` where the mailbox has no such folder.
    fn request(&self, reader: &Reader, view: View) -> Option<Request> {
        let ask = &reader.ask;
        Some(match view {
            View::Round(number) => {
                let round = self.state.rounds.get(number)?;
                let first = ask.delta(&round.folder, self.started_at);
                match &round.link {
                    Some(link) => first.follow(link.clone()),
                    None => first,
                }
            }
            View::All => ask.list(None, self.started_at),
            View::Named => ask.named(reader.recognizer.search_prefix(), self.started_at),
            View::Purged => ask.list(Some(self.folders.id("recoverableitemsdeletions")?), self.started_at),
        })
    }
}
