//! The loop of a run: probes go out, events come in, and it ends as soon as everything is decided.
//!
//! It owns the policy (when to try again, where to look and when, when to end); the traits of `send`, `watch` and `journal` own the I/O. It
//! reads no mail and gives no verdict: [`Ledger`] does. What it cannot see: whatever its watchers do not say.

mod again;
mod attention;
mod deliver;
mod progress;

use crate::{
    clock::Clock,
    evidence::Recognizer,
    journal::{JournalError, Log},
    judge::{Ledger, Stand, Wait},
    model::{CopyId, DomainFact, Event, FolderMark, MailboxName, Phase, Plan, Probe, ProbeId, Progress, Time, What},
    send::Sender,
    watch::{Watcher, Watching},
};
use attention::Lookout;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

pub use again::{Again, look_again};

/// How long the other mailboxes may take to open once no more of them do, before probes whose own mailboxes are open leave without them.
const OPENING_PATIENCE: Duration = Duration::from_secs(3);
/// How long a mailbox may take to open at all: above every time-out of a watcher. After that it counts as blind.
const OPENING_LIMIT: Duration = Duration::from_mins(2);
/// How long attempts that are under way may take to end when the run is stopped.
const STOPPING_PATIENCE: Duration = Duration::from_secs(5);
/// How often the view is told how things stand.
const VIEW_PERIOD: Duration = Duration::from_millis(100);

/// Composes the message of a probe.
pub type Composer = dyn Fn(&Plan, &Probe) -> Vec<u8> + Send + Sync;
/// Is told how the run stands.
pub type View = dyn FnMut(&Progress) + Send;

/// All that a run needs.
pub struct Setup {
    /// What goes out.
    pub plan: Arc<Plan>,
    /// What an earlier process noted, if this one takes up its run: then nothing is sent any more.
    pub taken_up: Option<Vec<Event>>,
    /// The clock.
    pub clock: Clock,
    /// The routes, by name.
    pub senders: HashMap<String, Arc<dyn Sender>>,
    /// The watchers; together they should cover [`Plan::mailboxes`].
    pub watchers: Vec<Box<dyn Watcher>>,
    /// Mailboxes that no watcher covers, with the reason.
    pub unwatched: BTreeMap<MailboxName, String>,
    /// What the DNS shows of the senders' domains.
    pub facts: Vec<DomainFact>,
    /// Tells our messages from all others.
    pub recognizer: Arc<Recognizer>,
    /// Composes a message.
    pub composer: Arc<Composer>,
    /// Where events are written.
    pub log: Arc<dyn Log>,
    /// Turns true when the run shall stop.
    pub stop: watch::Receiver<bool>,
    /// Is told how the run stands.
    pub view: Box<View>,
}

/// Runs to the end, or until stopped. The ledger then holds all that is known.
///
/// # Errors
/// If the journal cannot be written: nothing more is sent then.
pub async fn run(mut setup: Setup) -> Result<Ledger, JournalError> {
    let (events, mut inbox) = mpsc::channel(1024);
    let (ending, ended) = watch::channel(false);
    // What was sent may lie in the mailboxes by now if the run is taken up: then it is too late for a baseline that the journal does not hold.
    let began = setup.taken_up.is_some().then(|| setup.plan.run.started_at.min(setup.clock.now()));
    let sending = watch::Sender::new(began);
    let mut stop = setup.stop.clone();
    let view = std::mem::replace(&mut setup.view, Box::new(|_| {}));
    let mut course = Course::new(&setup, view);
    if setup.taken_up.is_some() {
        course.take_in(&Event {
            at: setup.clock.now(),
            what: What::TakenUp,
        });
    }
    let facts = std::mem::take(&mut setup.facts);
    if !facts.is_empty() {
        course.take_in(&Event {
            at: setup.clock.now(),
            what: What::Examined { facts },
        });
    }
    let _watching = start_watchers(&mut setup, &course, &sending, &events, &ended);
    for (mailbox, reason) in std::mem::take(&mut setup.unwatched) {
        course.take_in(&Event {
            at: setup.clock.now(),
            what: What::Blind { mailbox, reason },
        });
    }
    let mut deliveries = start_deliveries(&setup, &course, &events);
    drop(events);
    let mut listening = true;

    let finished = loop {
        course.refresh();
        if course.is_ready_to_send() {
            sending.send_if_modified(|since| since.replace(since.unwrap_or_else(|| setup.clock.now())).is_none());
        }
        if course.undecided.is_empty() {
            break true;
        }
        if !listening && course.wakes.is_empty() {
            break false;
        }
        tokio::select! {
            event = inbox.recv(), if listening => match event {
                Some(event) => {
                    course.take_in(&event);
                    while let Ok(event) = inbox.try_recv() {
                        course.take_in(&event);
                    }
                }
                // Every watcher and every delivery has ended: only time can decide now.
                None => listening = false,
            },
            Some(delivered) = deliveries.join_next() => match delivered {
                Ok(delivered) => delivered?,
                // It panicked: what became of its probe is for the next process to find out.
                Err(_) => break false,
            },
            () = tokio::time::sleep_until(course.wake_at()) => course.wake(),
            Ok(()) = stop.changed() => if *stop.borrow() { break false },
        }
    };

    if !finished && !deliveries.is_empty() {
        course.show(Phase::Stopping);
    }
    let grace = Instant::now() + STOPPING_PATIENCE;
    loop {
        tokio::select! {
            delivered = deliveries.join_next() => if delivered.is_none() { break },
            // An attempt ends by telling of itself: there must be room for that.
            Some(event) = inbox.recv() => course.take_in(&event),
            () = tokio::time::sleep_until(grace) => break,
        }
    }
    deliveries.abort_all();
    while let Ok(event) = inbox.try_recv() {
        course.take_in(&event);
    }
    course.end(finished).await?;
    let _ = ending.send(true);
    // Watchers may still be telling: let them, so that none waits for room while it should log out.
    let drained = async { while inbox.recv().await.is_some() {} };
    let _ = tokio::time::timeout(STOPPING_PATIENCE, drained).await;
    for sender in setup.senders.values() {
        let _ = tokio::time::timeout(STOPPING_PATIENCE, sender.close()).await;
    }
    Ok(course.ledger)
}

fn start_watchers(
    setup: &mut Setup,
    course: &Course,
    sending: &watch::Sender<Option<Time>>,
    events: &mpsc::Sender<Event>,
    ended: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    let baselines = setup.taken_up.as_deref().map(baselines_of).unwrap_or_default();
    for watcher in std::mem::take(&mut setup.watchers) {
        let names = watcher.mailboxes();
        watching.spawn(
            watcher.watch(Watching {
                clock: setup.clock,
                recognizer: setup.recognizer.clone(),
                baselines: names
                    .iter()
                    .filter_map(|name| Some((name.clone(), baselines.get(name)?.clone())))
                    .collect(),
                started_at: setup.plan.run.started_at,
                sending_since: sending.subscribe(),
                attention: names.iter().map(|name| (name.clone(), course.lookout.follow(name))).collect(),
                events: events.clone(),
                stop: ended.clone(),
            }),
        );
    }
    watching
}

fn start_deliveries(setup: &Setup, course: &Course, events: &mpsc::Sender<Event>) -> JoinSet<Result<(), JournalError>> {
    let mut deliveries = JoinSet::new();
    if setup.taken_up.is_some() {
        return deliveries;
    }
    let errand = Arc::new(deliver::Errand {
        plan: setup.plan.clone(),
        clock: setup.clock,
        log: setup.log.clone(),
        composer: setup.composer.clone(),
        events: events.clone(),
        stop: setup.stop.clone(),
        ready: course.ready.subscribe(),
        spacing: deliver::Spacing::new(setup.plan.spacing),
    });
    for (index, probe) in setup.plan.probes.iter().enumerate() {
        // The plan names only routes of the site, and every one of these has a sender.
        if let Some(sender) = setup.senders.get(&probe.route) {
            deliveries.spawn(deliver::deliver(errand.clone(), index, sender.clone()));
        }
    }
    deliveries
}

/// The folder states that an earlier process took.
fn baselines_of(events: &[Event]) -> HashMap<MailboxName, Vec<FolderMark>> {
    let baseline = |event: &Event| {
        if let What::Baseline { mailbox, folders } = &event.what {
            Some((mailbox.clone(), folders.clone()))
        } else {
            None
        }
    };
    events.iter().filter_map(baseline).collect()
}

/// How a run is going: the ledger, what each probe waits for, where to look.
struct Course {
    clock: Clock,
    log: Arc<dyn Log>,
    ledger: Ledger,
    stands: Vec<Stand>,
    undecided: BTreeSet<usize>,
    /// Probes to be asked again how they stand.
    dirty: BTreeSet<usize>,
    /// When to ask which probe again, without an event.
    wakes: BTreeSet<(Time, usize)>,
    lookout: Lookout,
    /// Which probes may leave, as far as their mailboxes are concerned.
    ready: watch::Sender<deliver::Ready>,
    opening: Option<Opening>,
    /// Copies that an earlier process saw and this one has not yet.
    unconfirmed: HashSet<(ProbeId, CopyId)>,
    view: progress::Viewer,
    taken_up: bool,
}

/// Mailboxes that are still being opened, and when the last one was.
struct Opening {
    waiting: HashSet<MailboxName>,
    last: Instant,
}

impl Course {
    fn new(setup: &Setup, view: Box<View>) -> Self {
        let plan = &setup.plan;
        let mut ledger = Ledger::new(plan.clone());
        let prior = setup.taken_up.as_deref().unwrap_or_default();
        for event in prior
            .iter()
            .filter(|event| !matches!(event.what, What::Stopped { .. } | What::Blind { .. }))
        {
            ledger.apply(event);
        }
        let unconfirmed = plan
            .mailboxes
            .iter()
            .flat_map(|name| ledger.copies_in(name))
            .map(|(probe, copy, _)| (probe, copy))
            .collect();
        let all: BTreeSet<usize> = (0..ledger.len()).collect();
        Self {
            clock: setup.clock,
            log: setup.log.clone(),
            lookout: Lookout::new(&ledger),
            stands: vec![Stand::Decided; ledger.len()],
            undecided: all.clone(),
            dirty: all,
            wakes: BTreeSet::new(),
            ready: watch::Sender::new(deliver::Ready::default()),
            // Nothing waits for the mailboxes to open if nothing is sent.
            opening: setup.taken_up.is_none().then(|| Opening {
                waiting: plan.mailboxes.iter().cloned().collect(),
                last: Instant::now(),
            }),
            unconfirmed,
            view: progress::Viewer::new(view),
            taken_up: setup.taken_up.is_some(),
            ledger,
        }
    }

    /// Takes one event in: into the journal, the ledger, and the list of probes to be asked again.
    fn take_in(&mut self, event: &Event) {
        match &event.what {
            What::Seen { probe, copy } => {
                self.unconfirmed.remove(&(*probe, copy.id.clone()));
            }
            What::Looked { mailbox, .. } => self.give_up_unconfirmed(mailbox, event.at),
            _ => {}
        }
        // A probe's beginning is written by its delivery, which waits for the disk.
        if !matches!(event.what, What::Began { .. }) {
            self.log.note(event);
        }
        if let Some(index) = self.ledger.apply(event) {
            self.dirty.insert(index);
            if matches!(event.what, What::Attempted { .. }) {
                self.lookout.sent(self.ledger.places(index), event.at);
            }
        }
        if let What::Baseline { mailbox, .. } | What::Looked { mailbox, .. } | What::Blind { mailbox, .. } = &event.what {
            if let Some(opening) = &mut self.opening
                && opening.waiting.remove(mailbox)
            {
                opening.last = Instant::now();
            }
            self.lookout.looked(mailbox);
            let now = self.clock.now();
            let last_look =
                |index: &usize| matches!(&self.stands[*index], Stand::Waiting(wait) if wait.look_at.is_some_and(|at| at <= now));
            self.dirty.extend(self.lookout.probes_to_ask(mailbox).filter(last_look));
        }
    }

    /// A complete look after the run was taken up did not show these copies: they were removed while nobody watched.
    fn give_up_unconfirmed(&mut self, mailbox: &MailboxName, noticed: Time) {
        let gone: Vec<_> = self
            .ledger
            .copies_in(mailbox)
            .into_iter()
            .filter(|(probe, copy, _)| self.unconfirmed.remove(&(*probe, copy.clone())))
            .collect();
        for (probe, copy, last_present) in gone {
            self.take_in(&Event {
                at: noticed,
                what: What::Gone {
                    probe,
                    copy,
                    last_present,
                    noticed,
                },
            });
        }
    }

    /// Asks the probes that something happened to how they stand, and directs the watchers accordingly.
    fn refresh(&mut self) {
        let now = self.clock.now();
        for index in std::mem::take(&mut self.dirty) {
            if !self.undecided.contains(&index) {
                continue;
            }
            let stand = self.ledger.stand(index, now);
            if let Stand::Waiting(Wait { wake: Some(wake), .. }) = &self.stands[index] {
                self.wakes.remove(&(*wake, index));
            }
            match &stand {
                Stand::Decided => {
                    self.undecided.remove(&index);
                    self.view.decided(&self.ledger, index, now);
                }
                Stand::Waiting(wait) => {
                    if let Some(wake) = wait.wake {
                        self.wakes.insert((wake, index));
                    }
                }
            }
            self.lookout.changed(&self.ledger, index, &stand);
            self.stands[index] = stand;
        }
        self.lookout.direct(&self.ledger, &self.stands);
        self.open_further();
        if self.view.is_due(now) {
            self.show(match self.opening {
                _ if self.taken_up => Phase::TakenUp,
                Some(_) => Phase::Opening,
                None => Phase::Running,
            });
        }
    }

    fn show(&mut self, phase: Phase) {
        self.view.show(&self.ledger, &self.stands, &self.undecided, phase, self.clock.now());
    }

    /// Lets those probes leave whose mailboxes are open: all of them at once if every mailbox is, or if the rest has become hopeless.
    fn open_further(&mut self) {
        let Some(opening) = &self.opening else { return };
        if opening.waiting.is_empty() {
            self.opening = None;
            self.ready.send_replace(deliver::Ready::All);
        } else if opening.last.elapsed() >= OPENING_PATIENCE {
            if opening.last.elapsed() >= OPENING_LIMIT {
                let reason = "it has not been opened within two minutes".to_owned();
                let blind = |mailbox: &MailboxName| Event {
                    at: self.clock.now(),
                    what: What::Blind {
                        mailbox: mailbox.clone(),
                        reason: reason.clone(),
                    },
                };
                let silent: Vec<Event> = opening.waiting.iter().map(blind).collect();
                for event in &silent {
                    self.take_in(event);
                }
            }
            let open = (0..self.ledger.len()).filter(|index| self.ledger.places(*index).into_iter().all(|name| self.ledger.is_ready(name)));
            self.ready.send_replace(deliver::Ready::These(open.collect()));
        }
    }

    fn is_ready_to_send(&self) -> bool {
        !matches!(*self.ready.borrow(), deliver::Ready::None)
    }

    /// When to go on without an event.
    fn wake_at(&self) -> Instant {
        let due = self.wakes.first().map(|(at, _)| self.clock.instant_of(*at));
        let opening = self
            .opening
            .as_ref()
            .map(|opening| (opening.last + OPENING_PATIENCE).max(Instant::now() + VIEW_PERIOD));
        let view = self.view.next_due(&self.clock);
        [due, opening, view]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + Duration::from_mins(1))
    }

    fn wake(&mut self) {
        let now = self.clock.now();
        while let Some((at, index)) = self.wakes.first().copied()
            && at <= now
        {
            self.wakes.remove(&(at, index));
            self.dirty.insert(index);
        }
    }

    async fn end(&mut self, finished: bool) -> Result<(), JournalError> {
        let stopped = Event {
            at: self.clock.now(),
            what: What::Stopped { finished },
        };
        self.ledger.apply(&stopped);
        self.show(Phase::Ended);
        self.log.write(&stopped).await
    }
}
