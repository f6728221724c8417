//! Looking at a user's mailbox: quick looks at the inbox and the junk folder by their changes, and at the whole mailbox for our subjects; sweeps of
//! all that came since the run began; complete looks, which ask after every copy that they do not show.
//!
//! A quick look is one batch of three calls, which is what one mailbox is asked at once. It cannot see a message that came and went between two
//! looks, nor, without its header field and its subject, one of ours at all.

use super::{
    ask::pages,
    fault::{Fault, Needs, Reason},
    folders::Folders,
    reading::Reader,
    sight::{Depth, Sight},
    state::State,
    views::{Shown, View},
};
use crate::{
    microsoft::{Answer, Error, Kind, Link, Request},
    model::{FolderMark, Time},
};
use async_trait::async_trait;
use tokio::time::Instant;

const QUICK: [View; 3] = [View::Round(0), View::Round(1), View::Named];
const SWEEP: [View; 3] = [View::Round(0), View::Round(1), View::All];
const COMPLETE: [View; 5] = [View::Round(0), View::Round(1), View::All, View::Named, View::Purged];

/// The watcher's eyes on one mailbox.
pub(super) struct Eyes {
    reader: Reader,
    folders: Folders,
    state: State,
    started_at: Time,
}

#[async_trait]
impl Sight for Eyes {
    async fn open(&mut self, until: Instant) -> Result<Time, Fault> {
        let folders = Folders::open(&self.reader.ask, &self.reader.mailbox, until).await?;
        let of = |names: &[&str]| -> Vec<String> { names.iter().filter_map(|name| folders.id(name).map(str::to_owned)).collect() };
        let (followed, left_out) = (of(&["inbox", "junkemail"]), of(&["drafts", "sentitems", "outbox"]));
        self.state = State::new(
            self.started_at,
            self.reader.of_sender,
            followed,
            folders.id("recoverableitemsdeletions"),
            left_out,
        );
        self.folders = folders;
        self.look(&COMPLETE, until).await
    }

    fn forget_what_is_old(&mut self) {
        self.state.forget_what_is_old();
    }

    fn marks(&self) -> Vec<FolderMark> {
        self.folders.marks()
    }

    async fn take_in(&mut self, depth: Depth, until: Instant) -> Result<Time, Fault> {
        let views: &[View] = match depth {
            Depth::Quick => &QUICK,
            Depth::Sweep => &SWEEP,
            Depth::Complete => &COMPLETE,
        };
        self.look(views, until).await
    }

    async fn settle(&mut self, until: Instant) -> Result<(), Fault> {
        self.reader.settle(&mut self.folders, &mut self.state, until).await
    }

    async fn reason(&self, fault: &Fault) -> Reason {
        let ask = &self.reader.ask;
        Reason::of(fault, &ask.graph, &ask.user, Needs::Read).await
    }
}

impl Eyes {
    /// Eyes that have seen nothing yet, of a run that started at this time.
    pub(super) fn new(reader: Reader, started_at: Time) -> Self {
        Self {
            state: State::new(started_at, reader.of_sender, Vec::new(), None, Vec::new()),
            folders: Folders::default(),
            started_at,
            reader,
        }
    }

    /// Asks for these views, and takes in what they show. Returns when the first call was sent.
    async fn look(&mut self, views: &[View], until: Instant) -> Result<Time, Fault> {
        let views: Vec<(View, Request)> = views.iter().filter_map(|view| Some((*view, self.request(*view)?))).collect();
        let requests: Vec<Request> = views.iter().map(|(_, request)| request.clone()).collect();
        let sent = self.reader.voice.clock.now();
        let answers = self.reader.ask.graph.batch(&requests, until).await;
        let mut looks = Vec::new();
        let mut links: Vec<(usize, Option<Link>)> = Vec::new();
        for ((view, request), answer) in views.into_iter().zip(answers) {
            let (items, link, whole) = self.shown(view, &request, answer, until).await?;
            if let View::Round(number) = view {
                links.push((number, link));
            }
            looks.push(Shown { view, items, whole });
        }
        let read = self.reader.voice.clock.now();
        self.state.take(&looks, sent, read, &self.reader.recognizer);
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
        view: View,
        request: &Request,
        answer: Result<Answer, Error>,
        until: Instant,
    ) -> Result<(Vec<super::ask::Item>, Option<Link>, bool), Fault> {
        let shown = match answer {
            Ok(answer) => pages(&self.reader.ask.graph, request, &answer, until).await,
            Err(error) => Err(error),
        };
        let View::Round(number) = view else {
            let (items, _) = shown?;
            return Ok((items, None, true));
        };
        let whole = self.state.rounds.get(number).is_some_and(|round| round.link.is_none());
        match shown {
            Ok((items, link)) => Ok((items, link, whole)),
            Err(error) if error.kind() == Some(Kind::SyncStateNotFound) => {
                self.state.restart(number);
                let request = self.request(view).ok_or(Fault::Odd("a folder is no longer followed"))?;
                let first = self.reader.ask.graph.call(&request, until).await?;
                let (items, link) = pages(&self.reader.ask.graph, &request, &first, until).await?;
                Ok((items, link, true))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What to ask for; `None` where the mailbox has no such folder.
    fn request(&self, view: View) -> Option<Request> {
        let ask = &self.reader.ask;
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
            View::Named => ask.named(self.reader.recognizer.search_prefix(), self.started_at),
            View::Purged => ask.list(Some(self.folders.id("recoverableitemsdeletions")?), self.started_at),
        })
    }
}
