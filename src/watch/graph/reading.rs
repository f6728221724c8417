//! Reading what a look brought up: ours whole, in a sender's mailbox what may be a bounce, bounded; and where copies went that are no longer
//! where they were.
//!
//! Nothing of a foreign message is kept beyond its id. It cannot see a tag that stands in the text alone: Graph searches no bodies reliably.

use super::{
    ask::{self, Ask, Item},
    fault::Fault,
    folders::Folders,
    sight::Voice,
    state::{Lying, State, Wanted},
};
use crate::{
    evidence::{Finding, Recognizer, Spot},
    microsoft::{Answer, Error, Kind, Malformed},
    model::{AlterationKind, Copy, CopyId, Evidence, Mailbox, Placement, ProbeId, Survived, Time, What},
    watch::study::study,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::time::Instant;

/// So many messages are fetched in one batch: each is held in memory whole.
const PORTION: usize = 6;
/// What is unseen of a message of which only our field was seen.
const EVERYTHING: [AlterationKind; 5] = [
    AlterationKind::Subject,
    AlterationKind::Body,
    AlterationKind::Links,
    AlterationKind::Attachments,
    AlterationKind::Headers,
];

/// Tells what happens in one mailbox.
pub(super) struct Reader {
    pub(super) ask: Ask,
    pub(super) mailbox: Mailbox,
    pub(super) of_sender: bool,
    pub(super) voice: Voice,
    pub(super) recognizer: Arc<Recognizer>,
    /// How often each message was told to lie in each folder: one that comes back is a new copy there.
    pub(super) stays: HashMap<(String, String), u32>,
}

impl Reader {
    /// Reads what must be read, and asks after what may have moved. What cannot be done now stays to be done.
    pub(super) async fn settle(&mut self, folders: &mut Folders, state: &mut State, until: Instant) -> Result<(), Fault> {
        self.read_wanted(folders, state, until).await?;
        self.ask_after_doubts(folders, state, until).await
    }

    async fn ask_after_doubts(&mut self, folders: &mut Folders, state: &mut State, until: Instant) -> Result<(), Fault> {
        let doubts: Vec<(String, Time)> = state.doubts.iter().map(|(id, noticed)| (id.clone(), *noticed)).collect();
        if doubts.is_empty() {
            return Ok(());
        }
        let requests: Vec<_> = doubts.iter().map(|(id, _)| self.ask.place(id)).collect();
        let sent = self.voice.clock.now();
        let answers = self.ask.graph.batch(&requests, until).await;
        let read = self.voice.clock.now();
        for ((id, noticed), answer) in doubts.into_iter().zip(answers) {
            let folder = folder_of(answer)?;
            if let Some(folder) = &folder {
                folders.meet(&self.ask, &self.mailbox, folder, until).await?;
            }
            let Some(lying) = state.known.get_mut(&id) else {
                state.doubts.remove(&id);
                continue;
            };
            match folder {
                Some(folder) if folder == lying.folder => lying.present = lying.present.max(sent),
                Some(folder) => {
                    self.tell_gone(lying, noticed).await?;
                    lying.folder = folder;
                    let after = lying.present;
                    self.tell_seen(&id, lying, folders, after, read).await?;
                    lying.present = sent;
                }
                None => {
                    self.tell_gone(lying, noticed).await?;
                    state.known.remove(&id);
                    state.forget(&id);
                }
            }
            state.doubts.remove(&id);
        }
        Ok(())
    }

    /// Says that the copies no longer lie where they did, if that was told.
    async fn tell_gone(&self, lying: &mut Lying, noticed: Time) -> Result<(), Fault> {
        if std::mem::take(&mut lying.told) {
            for (probe, copy) in &lying.copies {
                let what = What::Gone {
                    probe: *probe,
                    copy: copy.id.clone(),
                    last_present: lying.present,
                    noticed,
                };
                self.voice.tell(what).await?;
            }
        }
        Ok(())
    }

    /// Says that the copies lie in their folder, if that is one in which a copy can lie.
    async fn tell_seen(&mut self, id: &str, lying: &mut Lying, folders: &Folders, after: Time, at: Time) -> Result<(), Fault> {
        let Some(place) = folders.place(&lying.folder) else {
            return Ok(());
        };
        let Some(placement) = place.placement else {
            return Ok(());
        };
        let stay = self.stays.entry((id.to_owned(), lying.folder.clone())).or_default();
        *stay += 1;
        let key = if *stay == 1 { id.to_owned() } else { format!("{id}#{stay}") };
        for (probe, copy) in &mut lying.copies {
            copy.id = CopyId {
                mailbox: self.mailbox.name.clone(),
                folder: place.name.clone(),
                key: key.clone(),
            };
            copy.placement = placement;
            (copy.after, copy.at) = (after, at);
            let copy = Box::new(copy.clone());
            self.voice.tell(What::Seen { probe: *probe, copy }).await?;
        }
        lying.told = true;
        Ok(())
    }

    async fn read_wanted(&mut self, folders: &mut Folders, state: &mut State, until: Instant) -> Result<(), Fault> {
        self.clear_up(state, until).await?;
        while !state.wanted.is_empty() {
            let portion: BTreeMap<String, Wanted> = state.wanted.iter().take(PORTION).map(|(id, w)| (id.clone(), w.clone())).collect();
            let limit = |wanted: &Wanted| if wanted.is_ours() { ask::WHOLE } else { ask::BOUNCE };
            let ids: Vec<(&str, usize)> = portion.iter().map(|(id, wanted)| (id.as_str(), limit(wanted))).collect();
            let answers = self.ask.mimes(&ids, until).await;
            for ((id, wanted), answer) in portion.into_iter().zip(answers) {
                self.read_one(folders, state, &id, wanted, answer, until).await?;
            }
        }
        Ok(())
    }

    /// Asks where the messages lie that the views showed in two folders at once.
    async fn clear_up(&self, state: &mut State, until: Instant) -> Result<(), Fault> {
        let unclear: Vec<String> = state.wanted.iter().filter(|(_, w)| w.unclear).map(|(id, _)| id.clone()).collect();
        let requests: Vec<_> = unclear.iter().map(|id| self.ask.place(id)).collect();
        for (id, answer) in unclear.iter().zip(self.ask.graph.batch(&requests, until).await) {
            let folder = folder_of(answer)?;
            if let (Some(wanted), Some(folder)) = (state.wanted.get_mut(id), folder) {
                wanted.folder = folder;
                wanted.unclear = false;
            }
        }
        Ok(())
    }

    async fn read_one(
        &mut self,
        folders: &mut Folders,
        state: &mut State,
        id: &str,
        wanted: Wanted,
        answer: Result<Answer, Error>,
        until: Instant,
    ) -> Result<(), Fault> {
        let name = self.mailbox.name.clone();
        let mut unseen = Vec::new();
        let findings = match answer {
            Ok(answer) => {
                // Its header held our tag a moment ago: exchanged, it must not be called lost.
                if let Some(probe) = wanted.probe
                    && self.recognizer.spot(&answer.body, self.of_sender) != Spot::Ours(probe)
                {
                    return Err(Fault::Odd("Graph showed the tag of a probe, and then another message in its place"));
                }
                let (message, mailbox, at) = (answer.body, name.clone(), wanted.interval.at);
                study(&self.recognizer, move |recognizer| recognizer.read(&message, &mailbox, at))
                    .await
                    .ok_or(Fault::Odd("Graph showed a message that cannot be read"))?
            }
            // Our field alone proves the copy; what became of the rest, nobody can say.
            Err(error) if wanted.probe.is_some() && is_of_the_message(&error) => {
                unseen = EVERYTHING.to_vec();
                let bare = wanted.probe.map(|probe| bare(probe, wanted.header.as_deref()));
                bare.into_iter().collect()
            }
            Err(error) if is_gone(&error) => {
                state.forget(id);
                return Ok(());
            }
            // Too large for a notification.
            Err(Error::Malformed(Malformed::TooLarge(_))) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut copies = Vec::new();
        for finding in findings {
            match finding {
                Finding::Copy { probe, evidence } => {
                    let copy = Copy {
                        id: CopyId {
                            mailbox: name.clone(),
                            folder: String::new(),
                            key: String::new(),
                        },
                        placement: Placement::Folder,
                        after: wanted.interval.after,
                        at: wanted.interval.at,
                        internal_date: wanted.received,
                        evidence: Evidence {
                            unseen: unseen.clone(),
                            ..*evidence
                        },
                    };
                    copies.push((probe, copy));
                }
                Finding::Dsn { probe, dsn } => self.voice.tell(What::Returned { probe, dsn: Box::new(dsn) }).await?,
                Finding::Answer { probe, automatic } => {
                    let mailbox = name.clone();
                    self.voice.tell(What::Answered { probe, automatic, mailbox }).await?;
                }
            }
        }
        if !copies.is_empty() {
            folders.meet(&self.ask, &self.mailbox, &wanted.folder, until).await?;
            let mut lying = Lying {
                folder: wanted.folder,
                told: false,
                present: wanted.sent,
                copies,
            };
            self.tell_seen(id, &mut lying, folders, wanted.interval.after, wanted.interval.at)
                .await?;
            state.known.insert(id.to_owned(), lying);
        }
        state.done(id);
        Ok(())
    }
}

impl Wanted {
    fn is_ours(&self) -> bool {
        self.probe.is_some() || self.named
    }
}

/// The folder that an answer about one message names; `None` if the message is gone.
fn folder_of(answer: Result<Answer, Error>) -> Result<Option<String>, Fault> {
    match answer {
        Ok(answer) => {
            let item: Item = answer.json()?;
            item.parent.map(Some).ok_or(Fault::Odd("Graph showed a message without its folder"))
        }
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_gone(error: &Error) -> bool {
    error.kind() == Some(Kind::NotFound)
}

/// Whether the error concerns this one message: it is gone, too large, or the service cannot write it as MIME.
fn is_of_the_message(error: &Error) -> bool {
    match error {
        Error::Malformed(Malformed::TooLarge(_)) | Error::Server(_) => true,
        error => matches!(error.kind(), Some(Kind::NotFound | Kind::Other)),
    }
}

/// A copy of which only our field was seen.
fn bare(probe: ProbeId, header: Option<&str>) -> Finding {
    Finding::Copy {
        probe,
        evidence: Box::new(Evidence {
            survived: vec![Survived::Header],
            header: header.unwrap_or_default().trim_end().to_owned(),
            ..Evidence::default()
        }),
    }
}
