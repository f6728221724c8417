//! The loop on a paused clock, with a scripted mail world in place of senders and watchers: policy only, no I/O.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(clippy::too_many_lines, reason = "a site has many fields")]

use async_trait::async_trait;
use mailflow::{
    clock::Clock,
    evidence::Recognizer,
    journal::{JournalError, Log},
    judge::{judge, summarize},
    model::*,
    plan::{Start, plan},
    run::{Setup, run},
    send::{Answer, Parcel, Permit, Trouble},
    watch::{Watcher, Watching},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// What the scripted world does with a message, by the recipient's local part.
#[derive(Clone)]
enum Fate {
    /// Into this folder of its own mailbox, after this time.
    Lands(&'static str, Placement, Duration),
    /// These reply codes, one an attempt; the last one for all further ones. 2xx lands at once.
    Replies(&'static [u16]),
    /// Taken, then never seen.
    Vanishes,
    /// The connection is cut before the final dot, always.
    Cut,
    /// The connection is cut after the final dot, and the message is not taken.
    Doubt,
}

/// The world: what arrived where, for the watchers to see.
#[derive(Default)]
struct World {
    arrivals: Mutex<Vec<(ProbeId, Copy)>>,
    tries: Mutex<HashMap<ProbeId, usize>>,
}

struct Post {
    world: Arc<World>,
    clock: Clock,
    fates: HashMap<&'static str, Fate>,
}

#[async_trait]
impl mailflow::send::Sender for Post {
    async fn ready(&self) -> Permit {
        Permit(None)
    }

    async fn send(&self, _: &Permit, parcel: &Parcel, tries: u32) -> Result<Answer, Trouble> {
        let at = self.clock.now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let ended_at = self.clock.now();
        *self.world.tries.lock().unwrap().entry(parcel.probe).or_default() += 1;
        let attempt = |code: Option<u16>, in_doubt| Attempt {
            at,
            ended_at,
            host: "mx.test".into(),
            tls: None,
            reply: Reply {
                code,
                enhanced: None,
                text: "scripted".into(),
                ours: code.is_none(),
            },
            stage: "body".into(),
            in_doubt,
        };
        let local = parcel.recipient.split('@').next().unwrap();
        let land = |folder: &str, placement, after: Duration| {
            let at = time::later(ended_at, after);
            let id = CopyId {
                mailbox: MailboxName::from(parcel.recipient.as_str()),
                folder: folder.into(),
                key: format!("1:{}", parcel.probe),
            };
            self.world.arrivals.lock().unwrap().push((
                parcel.probe,
                Copy {
                    id,
                    placement,
                    after: at,
                    at,
                    internal_date: None,
                    evidence: Evidence::default(),
                },
            ));
        };
        match &self.fates[local] {
            Fate::Lands(folder, placement, after) => land(folder, *placement, *after),
            Fate::Replies(codes) => {
                let code = codes[(tries as usize).min(codes.len() - 1)];
                if code < 300 {
                    land("INBOX", Placement::Inbox, Duration::ZERO);
                }
                return Ok(Answer {
                    attempt: attempt(Some(code), false),
                    more_hosts: false,
                });
            }
            Fate::Vanishes => {}
            Fate::Cut => {
                return Err(Trouble {
                    attempt: attempt(None, false),
                    more_hosts: false,
                    hopeless: false,
                });
            }
            Fate::Doubt => {
                return Err(Trouble {
                    attempt: attempt(None, true),
                    more_hosts: false,
                    hopeless: false,
                });
            }
        }
        Ok(Answer {
            attempt: attempt(Some(250), false),
            more_hosts: false,
        })
    }

    async fn check(&self, _: Option<&(String, Option<String>)>, _: &str) -> Result<String, String> {
        Ok(String::new())
    }

    async fn close(&self) {}
}

/// Watches the scripted world: tells each arrival when its time has come, and answers each wanted look.
struct Eye {
    mailbox: MailboxName,
    world: Arc<World>,
    /// Says this instead of a baseline, and never looks.
    blind: Option<&'static str>,
    /// Says nothing at all.
    mute: bool,
}

#[async_trait]
impl Watcher for Eye {
    fn mailboxes(&self) -> Vec<MailboxName> {
        vec![self.mailbox.clone()]
    }

    async fn watch(self: Box<Self>, mut watching: Watching) {
        let clock = watching.clock;
        let tell = async |what| drop(watching.events.send(Event { at: clock.now(), what }).await);
        let mailbox = self.mailbox.clone();
        if self.mute {
            return drop(watching.stop.wait_for(|stop| *stop).await);
        }
        match self.blind {
            Some(reason) => {
                tell(What::Blind {
                    mailbox: mailbox.clone(),
                    reason: reason.into(),
                })
                .await;
            }
            None if watching.baselines.is_empty() => {
                tell(What::Baseline {
                    mailbox: mailbox.clone(),
                    folders: vec![],
                })
                .await;
            }
            None => {}
        }
        let mut attention = watching.attention.remove(&mailbox).unwrap();
        let mut told = Vec::new();
        let mut looked = None;
        while !*watching.stop.borrow() {
            tokio::select! {
                _ = watching.stop.changed() => return,
                _ = attention.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            if self.blind.is_some() {
                continue;
            }
            let now = clock.now();
            let arrived: Vec<_> = self
                .world
                .arrivals
                .lock()
                .unwrap()
                .iter()
                .filter(|(_, copy)| copy.id.mailbox == mailbox && copy.at <= now)
                .cloned()
                .collect();
            for (probe, copy) in arrived {
                if !told.contains(&copy.id) {
                    told.push(copy.id.clone());
                    tell(What::Seen {
                        probe,
                        copy: Box::new(Copy { at: now, ..copy }),
                    })
                    .await;
                }
            }
            let wanted = attention.borrow().look_at;
            if let Some(at) = wanted.filter(|at| *at <= now && looked < Some(*at)) {
                looked = Some(at);
                tell(What::Looked {
                    mailbox: mailbox.clone(),
                    since: now,
                })
                .await;
            }
        }
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        vec![]
    }

    async fn clean(self: Box<Self>, _: Arc<Recognizer>, _: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        vec![]
    }
}

/// Keeps what was noted, in order.
#[derive(Default)]
struct Memory {
    events: Mutex<Vec<Event>>,
    broken: bool,
}

#[async_trait]
impl Log for Memory {
    async fn write(&self, event: &Event) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Stopped);
        }
        self.note(event);
        Ok(())
    }

    fn note(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }
}

const RETURNS: &str = "returns@sender.test";

/// A site with these recipients, each with a mailbox of its own, and a scenario with one plain probe to each.
fn planned(locals: &[&str]) -> Arc<Plan> {
    let access = || {
        MailboxAccess::Imap(ImapAccess {
            endpoint: Endpoint {
                host: "imap.test".into(),
                port: 993,
                connect: None,
                tls: TlsMode::Implicit,
                ca: None,
            },
            sign_in: SignIn::Password {
                user: "u".into(),
                password: SecretSource::Env("X".into()),
            },
            root: None,
        })
    };
    let mailbox = |name: &str| Mailbox {
        name: name.into(),
        access: access(),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies: false,
        place: Place::default(),
    };
    let address = |local: &str| format!("{local}@contoso.test");
    let recipient = |local: &&str| Recipient {
        address: address(local),
        role: None,
        owner: None,
        backup: None,
        tags: vec![],
        meant: vec![address(local).as_str().into()],
        group: false,
        quarantine: QuarantinePolicy::None,
        expect: None,
        covered_by: None,
        known: None,
        place: Place::default(),
    };
    let site = Site {
        file: "site.yaml".into(),
        senders: vec![Sender {
            name: "default".into(),
            address: "probe@sender.test".into(),
            envelope: "probe@sender.test".into(),
            display_name: None,
            contact: None,
            mailbox: Some(RETURNS.into()),
            subaddress: None,
            sending_addresses: vec![],
        }],
        domains: BTreeMap::new(),
        paths: Vec::new(),
        own_domains: vec![],
        dkim: BTreeMap::new(),
        alerts: vec![],
        schedules: vec![],
        serve_token: None,
        tenants: vec![],
        routes: vec![Route {
            name: "mx".into(),
            kind: RouteKind::Mx(MxRoute {
                resolver: None,
                port: 25,
                tls: TlsMode::Opportunistic,
                ca: None,
            }),
            sender: "default".into(),
            default: true,
            connections: 1,
            rate: None,
            place: Place::default(),
        }],
        mailboxes: locals
            .iter()
            .map(|local| mailbox(&address(local)))
            .chain([mailbox(RETURNS)])
            .collect(),
        recipients: locals.iter().map(recipient).collect(),
        tag_key: None,
        resolver: None,
    };
    let case = Case {
        name: None,
        routes: vec![],
        recipients: RecipientFilter::default(),
        messages: vec![MessageKind::Plain],
        messages_place: Place::default(),
        expect: None,
        within: Duration::from_mins(1),
        give_up_after: Duration::from_mins(5),
        settle: Duration::from_secs(20),
        require: vec![],
        place: Place::default(),
    };
    let scenario = Scenario {
        file: "scenario.yaml".into(),
        name: "test".into(),
        description: None,
        rounds: vec![case],
        expect: vec![Expectation::Verdict(Verdict::Inbox)],
        expect_place: Place::default(),
        limits: Limits::default(),
        compare: None,
        templates: std::collections::BTreeMap::new(),
        recheck: Vec::new(),
        site: None,
    };
    let mut count = 0_u8;
    let key = TagKey::new(&[7; KEY_LENGTH]);
    let start = Start {
        run: RunId::from_random([1; 6]),
        at: Time::UNIX_EPOCH,
        key: &key,
        version: "0",
        change: None,
        origin: mailflow::model::Origin::default(),
        only: &[],
    };
    Arc::new(
        plan(&site, &scenario, &start, &mut || {
            count += 1;
            [count; 16]
        })
        .unwrap(),
    )
}

/// One run of the scripted world.
struct Trial {
    plan: Arc<Plan>,
    world: Arc<World>,
    log: Arc<Memory>,
    blind: HashMap<String, &'static str>,
    mute: Vec<String>,
    fates: HashMap<&'static str, Fate>,
    taken_up: Option<Vec<Event>>,
    stop_after: Option<Duration>,
}

impl Trial {
    fn new(fates: &[(&'static str, Fate)]) -> Self {
        Self {
            plan: planned(&fates.iter().map(|(local, _)| *local).collect::<Vec<_>>()),
            world: Arc::default(),
            log: Arc::default(),
            blind: HashMap::new(),
            mute: vec![],
            fates: fates.iter().cloned().collect(),
            taken_up: None,
            stop_after: None,
        }
    }

    /// The judged run, and how long it took on its own clock.
    async fn go(&self) -> (Result<Judged, JournalError>, Duration) {
        let started = self
            .taken_up
            .iter()
            .flatten()
            .map(|event| event.at)
            .max()
            .unwrap_or(Time::UNIX_EPOCH);
        let clock = Clock::starting_at(started);
        let post = Post {
            world: self.world.clone(),
            clock,
            fates: self.fates.clone(),
        };
        let eye = |name: &MailboxName| {
            Box::new(Eye {
                mailbox: name.clone(),
                world: self.world.clone(),
                blind: self.blind.get(name.as_str()).copied(),
                mute: self.mute.iter().any(|mute| mute == name.as_str()),
            }) as Box<dyn Watcher>
        };
        let (stopper, stop) = watch::channel(false);
        if let Some(after) = self.stop_after {
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let _ = stopper.send(true);
                std::future::pending::<()>().await;
            });
        } else {
            tokio::spawn(async move { stopper.closed().await });
        }
        let result = run(Setup {
            plan: self.plan.clone(),
            taken_up: self.taken_up.clone(),
            clock,
            senders: HashMap::from([("mx".to_owned(), Arc::new(post) as Arc<dyn mailflow::send::Sender>)]),
            watchers: self.plan.mailboxes.iter().map(eye).collect(),
            unwatched: BTreeMap::new(),
            facts: Vec::new(),
            recognizer: Arc::new(Recognizer::new(
                TagKey::new(&[7; KEY_LENGTH]),
                self.plan.clone(),
                Box::new(|_| None),
                mailflow::scrub::Scrubber::default(),
            )),
            composer: Arc::new(|_, _| b"Subject: x\r\n\r\nx\r\n".to_vec()),
            log: self.log.clone(),
            stop,
            view: Box::new(|_| {}),
        })
        .await;
        let took = (clock.now() - started).to_std().unwrap();
        (result.map(|ledger| summarize(&ledger, clock.now())), took)
    }

    fn events(&self) -> Vec<Event> {
        self.log.events.lock().unwrap().clone()
    }
}

fn verdicts(judged: &Judged) -> Vec<(String, Verdict)> {
    let mut verdicts: Vec<_> = judged
        .probes
        .iter()
        .map(|probe| (probe.recipient.split('@').next().unwrap().to_owned(), probe.verdict))
        .collect();
    verdicts.sort();
    verdicts
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[tokio::test(start_paused = true)]
async fn the_run_ends_as_soon_as_everything_is_decided() {
    let trial = Trial::new(&[
        ("ok", Fate::Lands("INBOX", Placement::Inbox, seconds(3))),
        ("junk", Fate::Lands("Spam", Placement::Junk, seconds(1))),
    ]);
    let (judged, took) = trial.go().await;
    assert_eq!(
        verdicts(&judged.unwrap()),
        [("junk".into(), Verdict::Junk), ("ok".into(), Verdict::Inbox)]
    );
    assert!(
        (seconds(23)..seconds(25)).contains(&took),
        "three seconds to arrive, twenty to settle: {took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn refused_is_decided_at_once_and_greylisted_is_tried_again() {
    let trial = Trial::new(&[("refused", Fate::Replies(&[550])), ("greylisted", Fate::Replies(&[451, 451, 250]))]);
    let (judged, _) = trial.go().await;
    let judged = judged.unwrap();
    assert_eq!(
        verdicts(&judged),
        [("greylisted".into(), Verdict::Inbox), ("refused".into(), Verdict::Rejected)]
    );
    let greylisted = judged
        .probes
        .iter()
        .find(|probe| probe.recipient.starts_with("greylisted"))
        .unwrap();
    assert_eq!(
        (greylisted.attempts.len(), greylisted.flags.as_slice()),
        (3, [Flag::Delayed].as_slice())
    );
}

#[tokio::test(start_paused = true)]
async fn deferred_to_the_end_is_rejected_and_cut_to_the_end_is_unknown() {
    let trial = Trial::new(&[("deferred", Fate::Replies(&[450])), ("cut", Fate::Cut), ("doubt", Fate::Doubt)]);
    let (judged, took) = trial.go().await;
    let judged = judged.unwrap();
    assert_eq!(
        verdicts(&judged),
        [
            ("cut".into(), Verdict::Unknown),
            ("deferred".into(), Verdict::Rejected),
            ("doubt".into(), Verdict::Unknown)
        ]
    );
    let tries = |local: &str| {
        judged
            .probes
            .iter()
            .find(|probe| probe.recipient.starts_with(local))
            .unwrap()
            .attempts
            .len()
    };
    assert_eq!(tries("doubt"), 1, "after the final dot nothing is sent again");
    // Pauses of 1, 2, 4 … 128 seconds, and the last attempt at the give-up time.
    assert_eq!((tries("deferred"), tries("cut")), (10, 10));
    assert!(took >= seconds(300), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn lost_needs_a_look_everywhere_after_the_give_up_time() {
    let trial = Trial::new(&[("gone", Fate::Vanishes)]);
    let (judged, took) = trial.go().await;
    assert_eq!(verdicts(&judged.unwrap()), [("gone".into(), Verdict::Lost)]);
    assert!((seconds(300)..seconds(302)).contains(&took), "{took:?}");
    for unseen in ["gone@contoso.test", RETURNS] {
        let mut trial = Trial::new(&[("gone", Fate::Vanishes)]);
        trial.blind.insert(unseen.to_owned(), "login refused");
        let (judged, took) = trial.go().await;
        let judged = judged.unwrap();
        assert_eq!(verdicts(&judged), [("gone".into(), Verdict::Unknown)], "{unseen}");
        assert!(
            judged.probes[0].reason.as_ref().unwrap().contains("login refused"),
            "{:?}",
            judged.probes[0].reason
        );
        assert!(
            (seconds(320)..seconds(325)).contains(&took),
            "one `settle` for sight to come back: {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_says_nothing_stops_nobody_else() {
    let mut trial = Trial::new(&[("ok", Fate::Lands("INBOX", Placement::Inbox, seconds(1))), ("mute", Fate::Vanishes)]);
    trial.mute.push("mute@contoso.test".into());
    let (judged, _) = trial.go().await;
    let judged = judged.unwrap();
    let ok = judged.probes.iter().find(|probe| probe.recipient.starts_with("ok")).unwrap();
    assert_eq!(ok.verdict, Verdict::Inbox);
    assert!(ok.sent_at.unwrap() < Time::UNIX_EPOCH + seconds(5), "{:?}", ok.sent_at);
}

#[tokio::test(start_paused = true)]
async fn every_probe_is_in_the_journal_before_it_leaves_and_a_broken_journal_sends_nothing() {
    let trial = Trial::new(&[("ok", Fate::Lands("INBOX", Placement::Inbox, seconds(1)))]);
    trial.go().await.0.unwrap();
    let position = |wanted: fn(&What) -> bool| trial.events().iter().position(|event| wanted(&event.what)).unwrap();
    assert!(position(|what| matches!(what, What::Began { .. })) < position(|what| matches!(what, What::Attempted { .. })));
    let mut broken = Trial::new(&[("ok", Fate::Lands("INBOX", Placement::Inbox, seconds(1)))]);
    broken.log = Arc::new(Memory {
        broken: true,
        ..Memory::default()
    });
    assert!(broken.go().await.0.is_err());
    assert!(broken.world.tries.lock().unwrap().is_empty(), "nothing left");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_is_pending_and_watch_finishes_it_without_sending() {
    let mut trial = Trial::new(&[
        ("ok", Fate::Lands("INBOX", Placement::Inbox, seconds(1))),
        ("slow", Fate::Lands("INBOX", Placement::Inbox, seconds(90))),
    ]);
    trial.stop_after = Some(seconds(10));
    let (judged, _) = trial.go().await;
    assert_eq!(
        verdicts(&judged.unwrap()),
        [("ok".into(), Verdict::Pending), ("slow".into(), Verdict::Pending)]
    );
    let sent: usize = trial.world.tries.lock().unwrap().values().sum();
    trial.taken_up = Some(trial.events());
    trial.stop_after = None;
    let (judged, _) = trial.go().await;
    let judged = judged.unwrap();
    assert_eq!(verdicts(&judged), [("ok".into(), Verdict::Inbox), ("slow".into(), Verdict::Inbox)]);
    assert_eq!(
        trial.world.tries.lock().unwrap().values().sum::<usize>(),
        sent,
        "watch sends nothing"
    );
    let stored = judge(trial.plan.clone(), &trial.events());
    assert_eq!(stored, judged, "the journal tells the same story");
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_run_had_put_off_never_left_and_is_not_waited_for() {
    let mut trial = Trial::new(&[("grey", Fate::Replies(&[451]))]);
    trial.stop_after = Some(seconds(10));
    let (judged, _) = trial.go().await;
    assert_eq!(verdicts(&judged.unwrap()), [("grey".into(), Verdict::Pending)]);
    trial.taken_up = Some(trial.events());
    trial.stop_after = None;
    let (judged, took) = trial.go().await;
    let judged = judged.unwrap();
    assert_eq!(verdicts(&judged), [("grey".into(), Verdict::Unknown)]);
    assert!(judged.probes[0].flags.contains(&Flag::NotSent), "{:?}", judged.probes[0].flags);
    assert!(took < seconds(1), "{took:?} by the paused clock");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_left_is_looked_for_and_never_sent_again() {
    let trial = Trial::new(&[("begun", Fate::Vanishes), ("never", Fate::Vanishes)]);
    let id = |local: &str| {
        trial
            .plan
            .probes
            .iter()
            .find(|probe| trial.plan.recipient(probe).address.starts_with(local))
            .unwrap()
            .id
    };
    let began = Event {
        at: Time::UNIX_EPOCH + seconds(1),
        what: What::Began { probe: id("begun") },
    };
    let baselines = trial.plan.mailboxes.iter().map(|name| Event {
        at: Time::UNIX_EPOCH,
        what: What::Baseline {
            mailbox: name.clone(),
            folders: vec![],
        },
    });
    let trial = Trial {
        taken_up: Some(baselines.chain([began]).collect()),
        ..trial
    };
    let (judged, _) = trial.go().await;
    let judged = judged.unwrap();
    assert_eq!(
        verdicts(&judged),
        [("begun".into(), Verdict::Unknown), ("never".into(), Verdict::Unknown)]
    );
    let flags = |local: &str| {
        judged
            .probes
            .iter()
            .find(|probe| probe.recipient.starts_with(local))
            .unwrap()
            .flags
            .clone()
    };
    assert_eq!((flags("begun"), flags("never")), (vec![], vec![Flag::NotSent]));
    let blind: Vec<_> = trial
        .events()
        .into_iter()
        .filter(|event| matches!(event.what, What::Blind { .. }))
        .collect();
    assert!(
        blind.is_empty(),
        "no mailbox was called blind because it has no baseline to tell: {blind:?}"
    );
    assert!(trial.world.tries.lock().unwrap().is_empty());
}
