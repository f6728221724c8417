//! Watching the message trace of a Microsoft 365 tenant: what the service says became of our probes, quarantine above all, and the fate of
//! mail for mailboxes that must not be read.
//!
//! One question by sender serves the whole run, however many probes it has; the answer is matched here. The trace shows an event minutes late,
//! and the tenant shares a hundred questions in five minutes (Graph, *throttling limits*): so it is asked rarely, and only while something is
//! missing. What it shows is believed of the time before its delay: a `Looked` says so. It cannot see folders: junked mail is `delivered`.

mod ask;
mod details;
mod trouble;

use super::{Watcher, Watching, backoff::Backoff, wishes::Wishes};
use crate::{
    clock::Clock,
    evidence::Recognizer,
    explain::span,
    microsoft::Graph,
    model::{Event, MailboxName, ProbeId, Sender, Time, TraceAccess, TraceRow, TraceStatus, What, time},
};
use ask::Ask;
use async_trait::async_trait;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use trouble::Trouble;

/// How long one question may take, waits for the service's limits included.
const PATIENCE: Duration = Duration::from_mins(2);
/// The pauses between two questions: what is asked sooner shows nothing new.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
const MOST_PAUSE: Duration = Duration::from_mins(1);
/// So many rows are explained by their details at one time: the details share the trace's limit.
const DETAILS_AT_ONCE: usize = 20;
/// For so long a passing trouble is not worth a word.
const FORBEARANCE: Duration = Duration::from_mins(2);
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);

/// Watches the trace of one tenant.
pub struct TraceWatcher {
    ask: Ask,
    delay: Duration,
    itself: MailboxName,
    places: Vec<MailboxName>,
}

/// What is known of the watch itself.
struct Watch {
    ask: Ask,
    delay: Duration,
    itself: MailboxName,
    places: Vec<MailboxName>,
    clock: Clock,
    recognizer: Arc<Recognizer>,
    events: mpsc::Sender<Event>,
    wishes: Wishes,
    started_at: Time,
    /// The places of which a baseline is to be told.
    fresh: BTreeSet<MailboxName>,
    rows: HashMap<Key, Known>,
    /// All that happened until then has shown.
    looked: Option<Time>,
    /// When the last question was asked.
    asked: Option<Instant>,
    /// When a probe first left, as far as the attention told.
    outstanding_since: Option<Instant>,
    backoff: Backoff,
    /// When to ask again after a trouble, and since when there is one.
    trouble: Option<(Instant, Instant)>,
    blind: Option<String>,
}

/// A message and a recipient, in lower case.
type Key = (String, String);

/// A row as it was told.
struct Known {
    status: TraceStatus,
    explained: bool,
}

/// Nobody listens to our events any more.
struct Unheard;

impl TraceWatcher {
    /// A watcher of the trace of the tenant whose client `graph` is, for mail from `senders`. `places` are those for which
    /// `access` lets it speak: itself, and mailboxes that are not read.
    pub fn new(graph: Graph, senders: &[Sender], access: &TraceAccess, places: Vec<MailboxName>) -> Self {
        Self {
            ask: Ask::new(graph, senders),
            delay: access.delay,
            itself: access.place(),
            places,
        }
    }
}

#[async_trait]
impl Watcher for TraceWatcher {
    fn mailboxes(&self) -> Vec<MailboxName> {
        self.places.clone()
    }

    async fn watch(self: Box<Self>, watching: Watching) {
        let mut stop = watching.stop.clone();
        let mut watch = Watch {
            wishes: Wishes::new(watching.attention, watching.sending_since, watching.stop),
            fresh: self
                .places
                .iter()
                .filter(|place| !watching.baselines.contains_key(*place))
                .cloned()
                .collect(),
            backoff: Backoff::new(self.itself.as_str(), FIRST_ATTEMPT),
            ask: self.ask,
            delay: self.delay,
            itself: self.itself,
            places: self.places,
            clock: watching.clock,
            recognizer: watching.recognizer,
            events: watching.events,
            started_at: watching.started_at,
            rows: HashMap::new(),
            looked: None,
            asked: None,
            outstanding_since: None,
            trouble: None,
            blind: None,
        };
        // Whatever is going on when the order to stop comes has a second to end well.
        let order = async {
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            _ = watch.go_on() => {}
            () = order => {}
        }
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        let outcome = match self.ask.try_it(Instant::now() + PATIENCE).await {
            Ok(()) => Ok(format!(
                "the message trace answers; an event is taken to show within {}",
                span(self.delay.as_secs_f64() * 1000.0)
            )),
            Err(error) => Err(Trouble::of(&error).sentence),
        };
        self.places.into_iter().map(|place| (place, outcome.clone())).collect()
    }

    /// There is nothing in a trace that could be deleted.
    async fn clean(self: Box<Self>, _: Arc<Recognizer>, _: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        Vec::new()
    }
}

impl Watch {
    /// Asks whenever something is wanted, until told to stop or nobody listens.
    async fn go_on(&mut self) -> Result<(), Unheard> {
        while !self.wishes.stopped() {
            let next = self.next();
            if next.is_some_and(|next| next <= Instant::now()) {
                self.look().await?;
                continue;
            }
            tokio::select! {
                () = self.wishes.change() => {}
                () = sleep_until(next.unwrap_or_else(|| Instant::now() + MOST_PAUSE)) => {}
            }
        }
        Ok(())
    }

    /// The pause between two questions, and between the first probe and the first question: the longer the trace takes, the rarer.
    fn pause(&self) -> Duration {
        let senders = u32::try_from(self.ask.questions()).unwrap_or(u32::MAX);
        (self.delay / 5).clamp(LEAST_PAUSE, MOST_PAUSE).saturating_mul(senders.max(1))
    }

    /// When to ask next, if anything is wanted.
    fn next(&mut self) -> Option<Instant> {
        if let Some((again, _)) = self.trouble {
            return Some(again);
        }
        let Some(asked) = self.asked else { return Some(Instant::now()) };
        let look_at = self.unmet();
        let mut attentions = self.places.iter().map(|place| self.wishes.of(place));
        let outstanding = attentions.any(|attention| attention.outstanding && attention.since.is_some());
        let since = if outstanding {
            Some(*self.outstanding_since.get_or_insert_with(Instant::now))
        } else {
            self.outstanding_since = None;
            None
        };
        // What must show by then shows by then; and what shows earlier is found earlier.
        let due = look_at.map(|at| self.clock.instant_of(at) + self.delay);
        let early = since.map(|since| since + self.delay / 3);
        let wanted = [due, early].into_iter().flatten().min()?;
        Some(wanted.max(asked + self.pause()))
    }

    /// The first look that is wanted and was not had yet.
    fn unmet(&self) -> Option<Time> {
        let unmet = |place| {
            self.wishes
                .of(place)
                .look_at
                .filter(|at| self.looked.is_none_or(|looked| looked < *at))
        };
        self.places.iter().filter_map(unmet).min()
    }

    /// Asks, and tells what is new.
    async fn look(&mut self) -> Result<(), Unheard> {
        let sent = self.clock.now();
        self.asked = Some(Instant::now());
        let until = Instant::now() + PATIENCE;
        // Only before the worst is said is more asked than is needed to find what is there.
        let before_the_worst = self.unmet().is_some_and(|at| at <= time::earlier(sent, self.delay));
        let recognizer = self.recognizer.clone();
        let prefix = before_the_worst.then(|| recognizer.search_prefix());
        match self.ask.rows(self.started_at, sent, prefix, until).await {
            Ok(rows) => {
                self.tell_rows(rows, until).await?;
                self.trouble = None;
                self.blind = None;
                self.backoff.restart();
                let since = time::earlier(sent, self.delay);
                self.looked = Some(since);
                for mailbox in self.places.clone() {
                    if self.fresh.remove(&mailbox) {
                        self.tell(What::Baseline {
                            mailbox: mailbox.clone(),
                            folders: Vec::new(),
                        })
                        .await?;
                    }
                    self.tell(What::Looked { mailbox, since }).await?;
                }
                Ok(())
            }
            Err(error) => self.say_blind(Trouble::of(&error)).await,
        }
    }

    /// Says that the trace cannot be asked: at once where that stays so or was never otherwise, else when it lasts.
    async fn say_blind(&mut self, trouble: Trouble) -> Result<(), Unheard> {
        let now = Instant::now();
        let since = self.trouble.map_or(now, |(_, since)| since);
        self.trouble = Some((now + self.backoff.pause(trouble.standing).max(trouble.wait), since));
        let forborne = self.looked.is_some() && !trouble.standing && now < since + FORBEARANCE.min(self.delay);
        if forborne || self.blind.as_ref() == Some(&trouble.sentence) {
            return Ok(());
        }
        self.blind = Some(trouble.sentence.clone());
        for mailbox in self.places.clone() {
            let reason = trouble.sentence.clone();
            self.tell(What::Blind { mailbox, reason }).await?;
        }
        Ok(())
    }

    /// Tells the rows of our probes that are new, or have changed, each with its cause as far as the details tell.
    async fn tell_rows(&mut self, rows: Vec<ask::Row>, until: Instant) -> Result<(), Unheard> {
        let mut left = DETAILS_AT_ONCE;
        let at = self.clock.now();
        for row in rows {
            let Some(probe) = self.probe_of(&row) else { continue };
            let key = (row.id.to_ascii_lowercase(), row.recipient.to_lowercase());
            let known = self.rows.get(&key).filter(|known| known.status == row.status);
            if known.is_some_and(|known| known.explained) {
                continue;
            }
            let mut explained = !details::explain(&row.status);
            let mut cause = None;
            if !explained && left > 0 {
                left -= 1;
                // Without its details a row still says what it says; they are asked for again next time.
                if let Ok(found) = self.ask.details(&row, until).await {
                    explained = true;
                    cause = details::cause(&row.status, &found);
                }
            }
            if known.is_some() && cause.is_none() {
                continue;
            }
            let status = row.status.clone();
            let row = TraceRow {
                place: self.itself.clone(),
                id: row.id,
                recipient: row.recipient,
                status: row.status,
                to_ip: row.to_ip,
                received: row.received,
                cause,
                at,
            };
            self.rows.insert(key, Known { status, explained });
            self.tell(What::Traced { probe, row: Box::new(row) }).await?;
        }
        Ok(())
    }

    /// Whose row it is: by a tag that verifies in the Message-ID, which answers and bounces have of their own, or in the subject of a message from
    /// our sender.
    fn probe_of(&self, row: &ask::Row) -> Option<ProbeId> {
        let of = |text: &str| self.recognizer.peek(text.as_bytes());
        let by_subject = || of(&row.subject).filter(|_| self.ask.is_from_us(&row.sender));
        of(&row.message_id).or_else(by_subject)
    }

    async fn tell(&mut self, what: What) -> Result<(), Unheard> {
        let event = Event {
            at: self.clock.now(),
            what,
        };
        self.events.send(event).await.map_err(|_| Unheard)
    }
}
