//! Watching the mailbox of a Microsoft 365 group: threads, the one with the newest post first, and the posts in those whose topic carries a tag of
//! ours. A group has no folders, so a post in it lies in what counts as its inbox.
//!
//! Of foreign threads the id, the topic and the time of the last post are asked for, nothing else, and nothing of them is kept. Where the site
//! allows peeking, the posts of the threads with new ones are read too, since a gateway may have changed a subject. It cannot see what a post's
//! header said, nor whether a member got a copy of their own; bounces that come to a group are not read.

mod ask;
mod check;
mod clean;
mod state;

use super::{
    fault::{Fault, Needs, Reason},
    sight::{Depth, Sight, Voice},
    vigil,
};
use crate::{
    evidence::{PostCopy, Recognizer},
    microsoft::{Error, Graph, Kind},
    model::{Copy, CopyId, Evidence, FolderMark, GroupAccess, Mailbox, MailboxName, Placement, Time, What},
    watch::{Watcher, Watching},
};
use ask::{Ask, Post};
use async_trait::async_trait;
use state::{Arrival, State};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::time::Instant;

/// What the place is called in which a group keeps its mail.
const CONVERSATIONS: &str = "group conversations";
/// So many threads are read in one batch: their posts are held in memory whole.
const PORTION: usize = 6;

/// Watches the mailbox of one group.
pub struct GroupWatcher {
    ask: Ask,
    mailbox: Mailbox,
}

impl GroupWatcher {
    /// A watcher of `mailbox`, which `graph`, the client of its tenant, shows as `access` says.
    pub fn new(graph: Graph, mailbox: Mailbox, access: GroupAccess) -> Self {
        Self {
            ask: Ask::new(graph, access.group),
            mailbox,
        }
    }
}

#[async_trait]
impl Watcher for GroupWatcher {
    fn mailboxes(&self) -> Vec<MailboxName> {
        vec![self.mailbox.name.clone()]
    }

    async fn watch(self: Box<Self>, watching: Watching) {
        let voice = Voice {
            mailbox: self.mailbox.name.clone(),
            clock: watching.clock,
            events: watching.events.clone(),
        };
        let eyes = Eyes {
            ask: self.ask,
            id: None,
            placement: self.mailbox.placement.unwrap_or(Placement::Inbox),
            state: State::new(watching.started_at, self.mailbox.peek_bodies),
            recognizer: Arc::clone(&watching.recognizer),
            voice: voice.clone(),
            stays: HashMap::new(),
        };
        vigil::keep(Box::new(eyes), voice, watching).await;
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        let outcome = match check::check(&self.ask, &self.mailbox).await {
            Ok(sentence) => Ok(sentence),
            Err(fault) => Err(self.ask.reason(&fault).await.sentence()),
        };
        vec![(self.mailbox.name, outcome)]
    }

    async fn clean(self: Box<Self>, recognizer: Arc<Recognizer>, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        let outcome = clean::clean(&self.ask, &recognizer, dry_run).await;
        vec![(self.mailbox.name, outcome)]
    }
}

/// The watcher's eyes on one group.
struct Eyes {
    ask: Ask,
    /// The group's object id, once it was found.
    id: Option<String>,
    placement: Placement,
    state: State,
    recognizer: Arc<Recognizer>,
    voice: Voice,
    /// How often each post was told to be there: one that comes back is a new copy.
    stays: HashMap<String, u32>,
}

#[async_trait]
impl Sight for Eyes {
    async fn open(&mut self, until: Instant) -> Result<Time, Fault> {
        self.id = Some(self.ask.find(until).await?.id);
        self.state.restart();
        self.take_in(Depth::Sweep, until).await
    }

    fn forget_what_is_old(&mut self) {
        self.state.forget_what_is_old();
    }

    fn marks(&self) -> Vec<FolderMark> {
        // The time of the last post tells new threads from old ones.
        vec![FolderMark {
            folder: CONVERSATIONS.to_owned(),
            uid_validity: 0,
            uid_next: 0,
        }]
    }

    async fn take_in(&mut self, depth: Depth, until: Instant) -> Result<Time, Fault> {
        let id = self.id.as_deref().ok_or(Fault::Odd("the group was not found yet"))?;
        let sent = self.voice.clock.now();
        let whole = depth != Depth::Quick;
        let listed = self.ask.threads(id, self.state.since(), whole, until).await?;
        let recognizer = &self.recognizer;
        self.state.take(&listed, sent, |topic| recognizer.in_topic(topic).is_some());
        if depth == Depth::Complete {
            self.state.doubt_everything();
        }
        Ok(sent)
    }

    async fn settle(&mut self, until: Instant) -> Result<(), Fault> {
        let due = self.state.due();
        for portion in due.chunks(PORTION) {
            self.read(portion, until).await?;
        }
        Ok(())
    }

    async fn reason(&self, fault: &Fault) -> Reason {
        self.ask.reason(fault).await
    }
}

impl Eyes {
    /// Reads the posts of these threads, and tells which copies came and which went.
    async fn read(&mut self, threads: &[String], until: Instant) -> Result<(), Fault> {
        let id = self.id.as_deref().ok_or(Fault::Odd("the group was not found yet"))?;
        let requests: Vec<_> = threads.iter().map(|thread| self.ask.posts(id, thread)).collect();
        let sent = self.voice.clock.now();
        let answers = self.ask.graph.batch(&requests, until).await;
        for ((thread, request), answer) in threads.iter().zip(requests).zip(answers) {
            let bare = self.ask.bare_posts(self.id.as_deref().unwrap_or_default(), thread);
            let posts = match self.ask.all_posts((&request, &bare), answer, until).await {
                Ok(posts) => posts,
                Err(error) if is_gone(&error) => Vec::new(),
                Err(error) => return Err(Fault::Needing(Needs::Threads, error)),
            };
            self.compare(thread, &posts, sent).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, thread: &str, posts: &[Post], sent: Time) -> Result<(), Fault> {
        let read = self.voice.clock.now();
        let topic = self.state.topic(thread);
        let copies: BTreeMap<&str, (&Post, PostCopy)> = posts
            .iter()
            .filter_map(|post| Some((post.id.as_str(), (post, self.recognizer.post(&post.shown(&topic).as_evidence())?))))
            .collect();
        let known: Vec<String> = self.state.known_in(thread);
        for post in known.iter().filter(|post| !copies.contains_key(post.as_str())) {
            let Some(lying) = self.state.forget(post) else { continue };
            let what = What::Gone {
                probe: lying.probe,
                copy: lying.copy,
                last_present: lying.present,
                noticed: read,
            };
            self.voice.tell(what).await?;
        }
        let after = self.state.missed(thread);
        for (key, (post, copy)) in copies {
            if known.iter().any(|known| known == key) {
                self.state.confirm(key, sent);
                continue;
            }
            let probe = copy.probe;
            let copy = self.copy(key, post, copy, (after, read));
            let arrival = Arrival {
                thread: thread.to_owned(),
                probe,
                copy: copy.id.clone(),
                present: sent,
            };
            self.voice
                .tell(What::Seen {
                    probe,
                    copy: Box::new(copy),
                })
                .await?;
            self.state.keep(key, arrival);
        }
        self.state.was_read(thread, sent, posts.is_empty());
        Ok(())
    }

    fn copy(&mut self, key: &str, post: &Post, copy: PostCopy, (after, at): (Time, Time)) -> Copy {
        let stay = self.stays.entry(key.to_owned()).or_default();
        *stay += 1;
        Copy {
            id: CopyId {
                mailbox: self.voice.mailbox.clone(),
                folder: CONVERSATIONS.to_owned(),
                key: if *stay == 1 { key.to_owned() } else { format!("{key}#{stay}") },
            },
            placement: self.placement,
            after,
            at,
            internal_date: post.received(),
            evidence: Evidence {
                survived: copy.survived,
                alterations: copy.alterations,
                unseen: copy.unseen,
                ..Evidence::default()
            },
        }
    }
}

fn is_gone(error: &Error) -> bool {
    error.kind() == Some(Kind::NotFound)
}
