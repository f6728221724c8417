//! Watching the message trace of a Microsoft 365 tenant: what the service says became of our probes, quarantine above all, and the fate of
//! mail for mailboxes that must not be read.
//!
//! One question by sender serves the whole run, however many probes it has; the answer is matched here. The trace shows an event minutes late,
//! and the tenant shares a hundred questions in five minutes (Graph, *throttling limits*): so it is asked rarely, and only while something is
//! missing. What it shows is believed of the time before its delay: a `Looked` says so. It cannot see folders: junked mail is `delivered`.

mod analyzed;
mod ask;
mod book;
mod defender;
mod details;
mod hunting;
mod trouble;

use super::{Watcher, Watching, backoff::Backoff, wishes::Wishes};
use crate::{
    clock::Clock,
    evidence::Recognizer,
    explain::span,
    microsoft::{Error, Graph},
    model::{Event, MailboxName, Sender, Time, TraceAccess, TraceCause, TraceRow, What, time},
};
use ask::Ask;
use async_trait::async_trait;
use book::{Book, Own};
use chrono::TimeDelta;
use defender::{Defender, NetworkId, Span};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
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
/// So long it is waited for the details of a row, and for Defender: verdicts do not need them.
const DETAILS_PATIENCE: Duration = Duration::from_secs(10);
const DEFENDER_PATIENCE: Duration = Duration::from_secs(30);
/// More rows of our probes than a run can have.
const MOST_ROWS: usize = 20_000;
/// Clocks that differ by less need no correction.
const SAME_TIME: TimeDelta = TimeDelta::seconds(2);
/// Clocks that differ by more are worth a warning.
const APART: TimeDelta = TimeDelta::minutes(1);
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
    book: Book,
    /// By how much the service's clock is ahead of ours.
    skew: TimeDelta,
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
            book: Book::default(),
            skew: TimeDelta::zero(),
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
            Ok(skew) => Ok(format!(
                "the message trace answers; an event is taken to show within {}{}",
                span(self.delay.as_secs_f64() * 1000.0),
                said_of_clocks(skew)
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
        let first = self.asked.replace(Instant::now()).is_none();
        let until = Instant::now() + PATIENCE;
        match self.question(sent, first, until).await {
            Ok(own) if own.len() > MOST_ROWS => self.say_blind(Trouble::too_many_rows()).await,
            Ok(own) => {
                self.tell_news(&own).await?;
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
                self.explain(&own, until).await
            }
            Err(error) => self.say_blind(Trouble::of(&error)).await,
        }
    }

    /// The rows of our probes. The first answer tells how far the clocks are apart: the trace goes by its own.
    async fn question(&mut self, sent: Time, first: bool, until: Instant) -> Result<Vec<Own>, Error> {
        if first {
            self.skew = self
                .ask
                .try_it(until)
                .await?
                .filter(|skew| skew.abs() > SAME_TIME)
                .unwrap_or_default();
        }
        // Only before the worst is said is more asked than is needed to find what is there.
        let before_the_worst = self.unmet().is_some_and(|at| at <= time::earlier(sent, self.delay));
        let recognizer = self.recognizer.clone();
        let prefix = before_the_worst.then(|| recognizer.search_prefix());
        let (from, to) = (self.started_at + self.skew, sent + self.skew);
        let rows = self.ask.rows(from, to, prefix, until).await?;
        Ok(Book::ours(rows, &recognizer, |sender| self.ask.is_from_us(sender)))
    }

    /// Says that the trace cannot be asked: at once where that stays so or was never otherwise, else when it lasts.
    async fn say_blind(&mut self, trouble: Trouble) -> Result<(), Unheard> {
        let now = Instant::now();
        let since = self.trouble.map_or(now, |(_, since)| since);
        self.trouble = Some((now + self.backoff.pause(trouble.standing).max(trouble.wait), since));
        let passes = !trouble.standing && trouble.wait < FORBEARANCE;
        let forborne = self.looked.is_some() && passes && now < since + FORBEARANCE.min(self.delay);
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

    /// Tells the rows that are new, or say something else than before.
    async fn tell_news(&mut self, own: &[Own]) -> Result<(), Unheard> {
        for one in own {
            if self.book.is_news(one, details::explain(&one.row.status)) {
                self.tell_row(one, None).await?;
            }
        }
        Ok(())
    }

    /// Asks for the details of what was told, and Defender about it, and tells the rows again with their causes. What does not answer now is asked
    /// again with the next look, a few times: the rows say what they say without it.
    async fn explain(&mut self, own: &[Own], until: Instant) -> Result<(), Unheard> {
        let mut explained: Vec<bool> = vec![false; own.len()];
        self.ask_details(own, &mut explained, until).await;
        self.ask_defender(own, &mut explained, until).await;
        for (one, _) in own.iter().zip(explained).filter(|(_, explained)| *explained) {
            let cause = self.book.known(&one.key).and_then(|known| known.cause.clone());
            self.tell_row(one, cause).await?;
        }
        Ok(())
    }

    async fn ask_details(&mut self, own: &[Own], explained: &mut [bool], until: Instant) {
        let mut left = DETAILS_AT_ONCE;
        for (one, explained) in own.iter().zip(explained) {
            if left == 0 {
                return;
            }
            let Some(known) = self.book.known(&one.key) else { continue };
            if !known.details.take() {
                continue;
            }
            left -= 1;
            let until = until.min(Instant::now() + DETAILS_PATIENCE);
            // One that hangs or is refused would be followed by others.
            let Ok(found) = self.ask.details(&one.row, until).await else {
                return;
            };
            known.details.close();
            if let Some(mut cause) = details::cause(&one.row.status, &found) {
                cause.defender = known.cause.take().and_then(|before| before.defender);
                known.cause = Some(cause);
                *explained = true;
            }
        }
    }

    /// Adds what Defender says of the rows, if it is to be asked. Where it refuses it is not asked again, and the trace goes on without it.
    async fn ask_defender(&mut self, own: &[Own], explained: &mut [bool], until: Instant) {
        let Some(defender) = &self.defender else { return };
        let mut asked = Vec::new();
        for (index, one) in own.iter().enumerate() {
            if asked.len() >= defender.at_once() {
                break;
            }
            let Some(known) = self.book.known(&one.key) else { continue };
            if !known.defender.take() {
                continue;
            }
            match NetworkId::read(&one.row.id) {
                Some(id) => asked.push((index, (id, one.key.1.clone()))),
                None => known.defender.close(),
            }
        }
        if asked.is_empty() {
            return;
        }
        let questions: Vec<_> = asked.iter().map(|(_, of)| of.clone()).collect();
        let span = Span {
            from: self.started_at + self.skew,
            to: self.clock.now() + self.skew,
        };
        let until = until.min(Instant::now() + DEFENDER_PATIENCE);
        let (mut found, error) = defender.findings(&questions, span, until).await;
        let refused = error.is_some_and(|error| defender.trouble(&error).1);
        for (index, of) in asked {
            if let (Some(finding), Some(known)) = (found.remove(&of), self.book.known(&own[index].key)) {
                known.defender.close();
                known.cause.get_or_insert_default().defender = Some(Box::new(finding));
                explained[index] = true;
            }
        }
        if refused {
            self.defender = None;
        }
    }

    /// Tells a row. Nothing in it may hold a secret: a service could repeat what it was asked with.
    async fn tell_row(&mut self, own: &Own, cause: Option<TraceCause>) -> Result<(), Unheard> {
        let row = &own.row;
        let clean = |text: &str| self.recognizer.scrubbed(text);
        let cause = match cause {
            Some(cause) => Some(TraceCause {
                text: self.ask.without_token(&clean(&cause.text)).await,
                event: clean(&cause.event),
                ..cause
            }),
            None => None,
        };
        let row = Box::new(TraceRow {
            place: self.itself.clone(),
            id: clean(&row.id),
            recipient: clean(&row.recipient),
            status: row.status.clone(),
            to_ip: row.to_ip.as_deref().map(clean),
            received: row.received,
            cause,
            at: self.clock.now(),
        });
        self.tell(What::Traced { probe: own.probe, row }).await
    }

    async fn tell(&mut self, what: What) -> Result<(), Unheard> {
        let event = Event {
            at: self.clock.now(),
            what,
        };
        self.events.send(event).await.map_err(|_| Unheard)
    }
}

/// What `check` says where our clock and the service's differ.
fn said_of_clocks(skew: Option<TimeDelta>) -> String {
    let Some(skew) = skew.filter(|skew| skew.abs() > APART) else {
        return String::new();
    };
    let side = if skew > TimeDelta::zero() { "behind" } else { "ahead of" };
    format!(
        "; warning: this machine's clock is {} {side} Microsoft's: set it right (NTP), for every time in the report goes by it",
        span(skew.abs().to_std().unwrap_or_default().as_secs_f64() * 1000.0)
    )
}
