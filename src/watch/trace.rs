//! Watching the message trace of a Microsoft 365 tenant: what the service says became of our probes, quarantine above all, and the fate of
//! mail for mailboxes that must not be read.
//!
//! One question by sender serves the whole run, however many probes it has; the answer is matched here. The trace shows an event minutes late,
//! and the tenant shares a hundred questions in five minutes (Graph, *throttling limits*): so it is asked rarely, and only while something is
//! missing. What it shows is believed of the time before its delay: a `Looked` says so. It cannot see folders: junked mail is `delivered`.

mod analyzed;
mod ask;
mod defender;
mod details;
mod hunting;
mod trouble;

use super::{Watcher, Watching, backoff::Backoff, wishes::Wishes};
use crate::{
    clock::Clock,
    evidence::Recognizer,
    explain::span,
    microsoft::Graph,
    model::{Event, MailboxName, ProbeId, Sender, Time, TraceAccess, TraceCause, TraceRow, TraceStatus, What, time},
};
use ask::Ask;
use async_trait::async_trait;
use defender::{Defender, NetworkId, Span};
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
/// So often Defender is asked about a row, and so long at one time: nobody waits for it.
const DEFENDER_TRIES: u8 = 5;
const DEFENDER_PATIENCE: Duration = Duration::from_secs(30);
/// For so long a passing trouble is not worth a word.
const FORBEARANCE: Duration = Duration::from_mins(2);
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);

/// Watches the trace of one tenant.
pub struct TraceWatcher {
    ask: Ask,
    defender: Option<Defender>,
    delay: Duration,
    itself: MailboxName,
    places: Vec<MailboxName>,
}

/// What is known of the watch itself.
struct Watch {
    ask: Ask,
    /// Asked for explanations, where the site wants them and it has not refused.
    defender: Option<Defender>,
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
#[derive(Clone)]
struct Known {
    status: TraceStatus,
    explained: bool,
    cause: Option<TraceCause>,
    /// How often Defender may yet be asked about it.
    tries: u8,
}

/// A row of ours that may have to be told.
struct Candidate {
    probe: ProbeId,
    row: ask::Row,
    key: Key,
    known: Known,
    /// Whether it says something that was not told yet.
    is_news: bool,
}

/// Nobody listens to our events any more.
struct Unheard;

impl TraceWatcher {
    /// A watcher of the trace of the tenant whose client `graph` is, for mail from `senders`. `places` are those for which
    /// `access` lets it speak: itself, and mailboxes that are not read.
    pub fn new(graph: Graph, senders: &[Sender], access: &TraceAccess, places: Vec<MailboxName>) -> Self {
        Self {
            defender: access.reading.explain.map(|way| Defender::new(graph.clone(), way)),
            ask: Ask::new(graph, senders),
            delay: access.reading.delay,
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
            defender: self.defender,
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
        let answers = outcome.is_ok();
        let mut outcomes: Vec<_> = self.places.iter().map(|place| (place.clone(), outcome.clone())).collect();
        // The trace answers for all of its places, Defender is told of once.
        let told_at = self.places.iter().position(|place| *place == self.itself).unwrap_or_default();
        if let (true, Some(defender), Some((_, outcome))) = (answers, &self.defender, outcomes.get_mut(told_at)) {
            let name = defender.name();
            match defender.try_it(Instant::now() + PATIENCE).await {
                Ok(()) => *outcome = outcome.clone().map(|said| format!("{said}; {name} answers too")),
                Err(error) => {
                    let (why, _) = defender.trouble(&error);
                    *outcome = Err(format!(
                        "the message trace answers, but {name}, by which it is to be explained, does not: {why}"
                    ));
                }
            }
        }
        outcomes
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
        let mut outstanding = false;
        let mut look_at: Option<Time> = None;
        for place in &self.places {
            let attention = self.wishes.of(place);
            outstanding |= attention.outstanding && attention.since.is_some();
            let unmet = attention.look_at.filter(|at| self.looked.is_none_or(|looked| looked < *at));
            look_at = [look_at, unmet].into_iter().flatten().min();
        }
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

    /// Asks, and tells what is new.
    async fn look(&mut self) -> Result<(), Unheard> {
        let sent = self.clock.now();
        self.asked = Some(Instant::now());
        let until = Instant::now() + PATIENCE;
        match self.ask.rows(self.started_at, sent, until).await {
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

    /// Tells the rows of our probes that are new, or have changed, each with its cause as far as the details and Defender tell.
    async fn tell_rows(&mut self, rows: Vec<ask::Row>, until: Instant) -> Result<(), Unheard> {
        let at = self.clock.now();
        let mut candidates = self.candidates(rows, until).await;
        self.ask_defender(&mut candidates, at, until).await;
        for Candidate {
            probe,
            row,
            key,
            known,
            is_news,
        } in candidates
        {
            let cause = known.cause.clone();
            self.rows.insert(key, known);
            if !is_news {
                continue;
            }
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
            self.tell(What::Traced { probe, row: Box::new(row) }).await?;
        }
        Ok(())
    }

    /// The rows of our probes of which not all is told, each with what its details say.
    async fn candidates(&mut self, rows: Vec<ask::Row>, until: Instant) -> Vec<Candidate> {
        let mut left = DETAILS_AT_ONCE;
        let mut candidates = Vec::new();
        for row in rows {
            let Some(probe) = self.probe_of(&row) else { continue };
            let key = (row.id.to_ascii_lowercase(), row.recipient.to_lowercase());
            let before = self.rows.get(&key).filter(|known| known.status == row.status);
            let to_explain = details::explain(&row.status);
            let mut is_news = before.is_none();
            let mut known = before.cloned().unwrap_or_else(|| Known {
                status: row.status.clone(),
                explained: !to_explain,
                cause: None,
                tries: if to_explain { DEFENDER_TRIES } else { 0 },
            });
            if !is_news && known.explained && (known.tries == 0 || self.defender.is_none()) {
                continue;
            }
            if !known.explained && left > 0 {
                left -= 1;
                // Without its details a row still says what it says; they are asked for again next time.
                if let Ok(found) = self.ask.details(&row, until).await {
                    known.explained = true;
                    if let Some(mut cause) = details::cause(&row.status, &found) {
                        cause.defender = known.cause.and_then(|before| before.defender);
                        known.cause = Some(cause);
                        is_news = true;
                    }
                }
            }
            candidates.push(Candidate {
                probe,
                row,
                key,
                known,
                is_news,
            });
        }
        candidates
    }

    /// Adds what Defender says of the rows, if it is to be asked. Where it refuses it is not asked again, and the trace goes on without it.
    async fn ask_defender(&mut self, candidates: &mut [Candidate], now: Time, until: Instant) {
        let Some(defender) = &self.defender else { return };
        let mut asked = Vec::new();
        for (index, candidate) in candidates.iter_mut().enumerate() {
            if candidate.known.tries == 0 || asked.len() >= defender.at_once() {
                continue;
            }
            match NetworkId::read(&candidate.row.id) {
                Some(id) => asked.push((index, (id, candidate.key.1.clone()))),
                None => candidate.known.tries = 0,
            }
        }
        if asked.is_empty() {
            return;
        }
        let questions: Vec<_> = asked.iter().map(|(_, of)| of.clone()).collect();
        let span = Span {
            from: self.started_at,
            to: now,
        };
        let until = until.min(Instant::now() + DEFENDER_PATIENCE);
        let (mut found, error) = defender.findings(&questions, span, until).await;
        let refused = error.is_some_and(|error| defender.trouble(&error).1);
        for (index, of) in asked {
            let candidate = &mut candidates[index];
            match found.remove(&of) {
                Some(finding) => {
                    candidate.known.tries = 0;
                    candidate.known.cause.get_or_insert_default().defender = Some(Box::new(finding));
                    candidate.is_news = true;
                }
                None => candidate.known.tries -= 1,
            }
        }
        if refused {
            self.defender = None;
        }
    }

    /// Whose row it is: by a tag that verifies, in the Message-ID or the subject, of a message from our sender.
    fn probe_of(&self, row: &ask::Row) -> Option<ProbeId> {
        if !self.ask.is_from_us(&row.sender) {
            return None;
        }
        let of = |text: &str| self.recognizer.peek(text.as_bytes());
        of(&row.message_id).or_else(|| of(&row.subject))
    }

    async fn tell(&mut self, what: What) -> Result<(), Unheard> {
        let event = Event {
            at: self.clock.now(),
            what,
        };
        self.events.send(event).await.map_err(|_| Unheard)
    }
}
