//! Timelines: what happened to one probe, second by second, and what must be said of it. Each file in `tests/timelines/` is one; adding a
//! case is adding a file. Every timeline is judged twice: as its events come, and again from the journal's form of them.
//!
//! A file has a `story`, what is `given` (see [`Given`]), its `events` (see [`Line`]), what it `stands` at on the way, and `then` the verdict
//! with everything that goes with it: what is not written there must not be so.

use chrono::{NaiveDate, TimeDelta};
use mailflow::{
    judge::{Ledger, Stand, judge, summarize},
    model::{
        Alteration, AlterationKind, Attempt, Copy, CopyId, Dsn, DsnAction, Event, Expectation, FolderMark, JudgedProbe, KEY_LENGTH,
        MailboxName, MessageKind, Place, Placement, Plan, Probe, ProbeId, QuarantinePolicy, Recipient, Reply, Requirement, RunId, RunInfo,
        Sender, TagKey, Time, Verdict, Waiver, What,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path, sync::Arc, time::Duration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Timeline {
    story: String,
    #[serde(default)]
    given: Given,
    events: Vec<Line>,
    #[serde(default)]
    stands: Vec<Standing>,
    then: Then,
}

/// The set-up: by default a recipient with the mailbox `admin`, from whom nothing is expected but the inbox, and of whose quarantine nothing is
/// said; bounces come back to `returns`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    mailbox: String,
    reaches: Vec<String>,
    quarantine: OneOrMany,
    /// Addresses that are known to belong to mailboxes.
    addresses: BTreeMap<String, String>,
    expect: OneOrMany,
    known: Option<Known>,
    require: Vec<Requirement>,
    within: f64,
    give_up_after: f64,
    settle: f64,
    returns: String,
    /// Further mailboxes that are watched.
    others: Vec<String>,
    /// Mailboxes that are not open when the first probe leaves.
    closed: Vec<String>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            mailbox: "admin".to_owned(),
            reaches: Vec::new(),
            quarantine: OneOrMany::One("unsaid".to_owned()),
            addresses: BTreeMap::new(),
            expect: OneOrMany::One("inbox".to_owned()),
            known: None,
            require: Vec::new(),
            within: 300.0,
            give_up_after: 1800.0,
            settle: 20.0,
            returns: "returns".to_owned(),
            others: Vec::new(),
            closed: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    verdict: OneOrMany,
    until: NaiveDate,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

/// One thing that happened, `at` so many seconds into the run.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Line {
    at: f64,
    /// Written down, about to leave.
    begun: Option<bool>,
    /// The final reply of an attempt that began `at`: taken, refused for good or at the give-up time, refused for now.
    sent: Option<String>,
    refused: Option<String>,
    deferred: Option<String>,
    /// mailflow itself says so, in place of the mail system.
    ours: bool,
    /// An attempt that reached nobody; the last one unless `again`.
    unreachable: Option<String>,
    again: bool,
    /// An attempt that was cut off after the final dot.
    cut_off: Option<String>,
    /// `MAILBOX/FOLDER`, the `copy`-th there; the last look that missed it was sent at `after`.
    seen: Option<String>,
    gone: Option<String>,
    copy: u32,
    after: Option<f64>,
    last_there: Option<f64>,
    altered: Vec<AlterationKind>,
    says: BTreeMap<String, String>,
    /// Notifications, with their status; whom they name.
    bounced: Option<String>,
    delayed: Option<String>,
    delivered: Option<String>,
    relayed: Option<String>,
    expanded: Option<String>,
    names: Option<String>,
    originally: Option<String>,
    /// `automatically` or `by a person`.
    answered: Option<String>,
    /// Mailboxes; `everywhere` is all of them.
    looked: Option<OneOrMany>,
    blind: Option<OneOrMany>,
    opened: Option<OneOrMany>,
    /// The process stopped; `finished`, or `interrupted`.
    stopped: Option<String>,
    /// From here on another process works on the run.
    taken_up: Option<bool>,
}

/// How it stands at a time, such as `decided`, `settling until 24.2`, `arrival until 1800, everywhere`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Standing {
    at: f64,
    is: String,
    /// When it is asked again at the latest.
    wake: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Then {
    verdict: String,
    outcome: String,
    #[serde(default)]
    basis: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    copies: u32,
    /// `MAILBOX/FOLDER`.
    #[serde(default, rename = "in")]
    place: Option<String>,
    /// After and at.
    #[serde(default)]
    arrived: Option<(f64, f64)>,
    #[serde(default)]
    dsn: Option<DsnAction>,
    /// The verdict of each member, then its flags.
    #[serde(default)]
    members: BTreeMap<String, String>,
    #[serde(default)]
    altered: Vec<AlterationKind>,
    /// Requirements that hold, and those that do not.
    #[serde(default)]
    held: Vec<String>,
    #[serde(default)]
    broken: Vec<String>,
    /// Words of the reason.
    #[serde(default)]
    because: Option<String>,
    /// If `sent_at` is other than the time of the first attempt: null.
    #[serde(default)]
    never_left: bool,
}

/// When the run started.
fn start() -> Time {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn at(seconds: f64) -> Time {
    start() + TimeDelta::microseconds((seconds * 1e6).round() as i64)
}

fn seconds(time: Time) -> f64 {
    (time - start()).num_milliseconds() as f64 / 1000.0
}

/// The value that this word of the contract names.
fn word<T: DeserializeOwned>(word: &str) -> T {
    serde_json::from_value(word.into()).unwrap_or_else(|error| panic!("{word:?}: {error}"))
}

fn expectations(words: &OneOrMany) -> Vec<Expectation> {
    let expectation = |text: &String| match text.strip_prefix("folder ") {
        Some(folder) => Expectation::Folder(folder.to_owned()),
        None if text == "returned" => Expectation::Returned,
        None => Expectation::Verdict(word(text)),
    };
    words.all().iter().map(expectation).collect()
}

fn names(names: &[String]) -> Vec<MailboxName> {
    names
        .iter()
        .filter(|name| *name != "none")
        .map(|name| name.as_str().into())
        .collect()
}

fn plan(given: &Given) -> Plan {
    let run = RunId::from_random([1; 6]);
    let id = ProbeId::new(&run, [2; 16]);
    let tag = TagKey::new(&[3; KEY_LENGTH]).tag(id);
    let group = !given.reaches.is_empty();
    let meant = if group {
        names(&given.reaches)
    } else {
        names(std::slice::from_ref(&given.mailbox))
    };
    let quarantine = match &given.quarantine {
        OneOrMany::One(policy) => word(policy),
        OneOrMany::Many(mailboxes) => QuarantinePolicy::Mailboxes(names(mailboxes)),
    };
    let returns = names(std::slice::from_ref(&given.returns)).pop();
    let mailboxes = meant
        .iter()
        .chain(quarantine.mailboxes())
        .chain(&returns)
        .cloned()
        .chain(names(&given.others))
        .collect();
    let waiver = |known: &Known| Waiver {
        verdicts: expectations(&known.verdict),
        until: known.until,
        ticket: None,
        approved_by: None,
    };
    Plan {
        run: RunInfo {
            id: run,
            scenario: "timeline".to_owned(),
            site: "site.yaml".to_owned(),
            started_at: start(),
            finished_at: None,
            version: "0".to_owned(),
            change: None,
            description: None,
        },
        recipients: vec![Recipient {
            address: if group { "all@contoso.example" } else { "admin@contoso.example" }.to_owned(),
            role: None,
            owner: None,
            tags: Vec::new(),
            meant,
            group,
            quarantine,
            expect: None,
            covered_by: None,
            known: given.known.as_ref().map(waiver),
            place: Place::default(),
        }],
        senders: vec![Sender {
            name: "default".to_owned(),
            address: "probe@sender.example".to_owned(),
            envelope: "probe@sender.example".to_owned(),
            display_name: None,
            contact: None,
            mailbox: returns,
            subaddress: None,
        }],
        mailboxes,
        addresses: given
            .addresses
            .iter()
            .map(|(address, name)| (address.clone(), name.as_str().into()))
            .collect(),
        probes: vec![Probe {
            id,
            message_id: format!("<{tag}@sender.example>"),
            tag,
            recipient: 0,
            sender: 0,
            route: "internet".to_owned(),
            hop: None,
            message: MessageKind::Plain,
            case: None,
            expected: expectations(&given.expect),
            expected_at: Place::default(),
            within: Duration::from_secs_f64(given.within),
            give_up_after: Duration::from_secs_f64(given.give_up_after),
            settle: Duration::from_secs_f64(given.settle),
            require: given.require.clone(),
            not_before: Duration::ZERO,
        }],
    }
}

/// The events that a line stands for.
fn events(line: &Line, plan: &Plan) -> Vec<Event> {
    let probe = plan.probes[0].id;
    let mut events = Vec::new();
    let mut happened = |seconds: f64, what: What| events.push(Event { at: at(seconds), what });
    let which = |mailboxes: &OneOrMany| match mailboxes {
        OneOrMany::One(all) if all == "everywhere" => plan.mailboxes.clone(),
        some => names(&some.all()),
    };
    if line.begun == Some(true) {
        happened(line.at, What::Began { probe });
    }
    let attempts = [
        (&line.sent, true, true, false),
        (&line.refused, true, true, false),
        (&line.deferred, true, false, false),
        (&line.unreachable, false, !line.again, false),
        (&line.cut_off, false, true, true),
    ];
    for (text, answered, last, in_doubt) in attempts {
        let Some(text) = text else { continue };
        let attempt = attempt(line, text, in_doubt);
        happened(line.at, What::Began { probe });
        happened(
            line.at + 0.2,
            What::Attempted {
                probe,
                attempt,
                answered,
                last,
            },
        );
    }
    if let Some(place) = &line.seen {
        let copy = Box::new(copy(line, place, plan));
        happened(line.at, What::Seen { probe, copy });
    }
    if let Some(place) = &line.gone {
        let last_present = at(line.last_there.unwrap_or(line.at - 0.1));
        let (copy, noticed) = (copy(line, place, plan).id, at(line.at));
        happened(
            line.at,
            What::Gone {
                probe,
                copy,
                last_present,
                noticed,
            },
        );
    }
    let notices = [
        (&line.bounced, DsnAction::Failed),
        (&line.delayed, DsnAction::Delayed),
        (&line.delivered, DsnAction::Delivered),
        (&line.relayed, DsnAction::Relayed),
        (&line.expanded, DsnAction::Expanded),
    ];
    for (status, action) in notices {
        let Some(status) = status else { continue };
        let dsn = Box::new(Dsn {
            action,
            status: Some(status.clone()),
            recipient: line.names.clone(),
            original_recipient: line.originally.clone(),
            reporting_mta: None,
            remote_mta: None,
            diagnostic: None,
            bound_by: "tag in the returned header".to_owned(),
            guessed: false,
            mailbox: "returns".into(),
            at: at(line.at + 0.0004),
        });
        happened(line.at, What::Returned { probe, dsn });
    }
    if let Some(how) = &line.answered {
        let automatic = how == "automatically";
        happened(
            line.at,
            What::Answered {
                probe,
                automatic,
                mailbox: "returns".into(),
            },
        );
    }
    for mailbox in line.looked.as_ref().map(which).unwrap_or_default() {
        happened(
            line.at + 0.05,
            What::Looked {
                mailbox,
                since: at(line.at),
            },
        );
    }
    for mailbox in line.blind.as_ref().map(which).unwrap_or_default() {
        happened(
            line.at,
            What::Blind {
                mailbox,
                reason: "connection refused".to_owned(),
            },
        );
    }
    for mailbox in line.opened.as_ref().map(which).unwrap_or_default() {
        happened(
            line.at,
            What::Baseline {
                mailbox,
                folders: Vec::<FolderMark>::new(),
            },
        );
    }
    if let Some(how) = &line.stopped {
        let finished = how == "finished";
        happened(line.at, What::Stopped { finished });
    }
    assert!(!events.is_empty() || line.taken_up.is_some(), "nothing happens at {}", line.at);
    events
}

fn attempt(line: &Line, text: &str, in_doubt: bool) -> Attempt {
    let mut words = text.splitn(2, ' ');
    let code = words.next().and_then(|word| word.parse().ok());
    let text = if code.is_some() { words.next().unwrap_or_default() } else { text };
    Attempt {
        // Below the millisecond, where the journal keeps less than the clock tells.
        at: at(line.at + 0.0004),
        ended_at: at(line.at + 0.2004),
        host: "mx.contoso.example".to_owned(),
        tls: None,
        reply: Reply {
            code,
            enhanced: None,
            text: text.to_owned(),
            ours: line.ours || code.is_none(),
        },
        stage: "body".to_owned(),
        in_doubt,
    }
}

fn copy(line: &Line, place: &str, plan: &Plan) -> Copy {
    let (mailbox, folder) = place.split_once('/').unwrap_or_else(|| panic!("{place:?} is not MAILBOX/FOLDER"));
    let mailbox = MailboxName::from(mailbox);
    let placement = match folder {
        _ if plan.recipients[0].quarantine.mailboxes().contains(&mailbox) => Placement::Quarantine,
        "INBOX" => Placement::Inbox,
        "Junk" => Placement::Junk,
        "Quarantine" => Placement::Quarantine,
        "Trash" => Placement::Deleted,
        _ => Placement::Folder,
    };
    let altered = |kind: &AlterationKind| Alteration {
        kind: *kind,
        sent: "as sent".to_owned(),
        arrived: "as arrived".to_owned(),
    };
    Copy {
        id: CopyId {
            mailbox,
            folder: folder.to_owned(),
            key: format!("1:{}", line.copy.max(1)),
        },
        placement,
        after: at(line.after.unwrap_or(line.at - 0.1)),
        at: at(line.at),
        internal_date: None,
        survived: Vec::new(),
        alterations: line.altered.iter().map(altered).collect(),
        authentication: line.says.clone(),
        header: String::new(),
    }
}

/// What is said of a probe, in lines: `expected` so that a difference is seen at once.
struct Said(String);

impl Said {
    fn of(judged: &JudgedProbe, then: &Then) -> Self {
        let place = judged.mailbox.as_ref().zip(judged.folder.as_ref());
        let members = judged.members.iter().map(|member| {
            let flags: Vec<&str> = member.flags.iter().map(|flag| flag.word()).collect();
            (member.mailbox.to_string(), [vec![member.verdict.word()], flags].concat().join(" "))
        });
        let required = |holds: bool| {
            let such = judged.requirements.iter().filter(move |requirement| requirement.holds == holds);
            such.map(|requirement| requirement.name.clone()).collect()
        };
        let reason = judged.reason.as_deref();
        let because = match (&then.because, reason) {
            (Some(words), Some(reason)) if reason.contains(words) => Some(words.clone()),
            (_, reason) => reason.map(str::to_owned),
        };
        Self::lines(&Then {
            verdict: judged.verdict.to_string(),
            outcome: judged.outcome.to_string(),
            basis: judged
                .basis
                .map(|basis| serde_json::to_value(basis).unwrap().as_str().unwrap().to_owned()),
            flags: judged.flags.iter().map(ToString::to_string).collect(),
            copies: judged.copies,
            place: place.map(|(mailbox, folder)| format!("{mailbox}/{folder}")),
            arrived: judged
                .arrived_after
                .zip(judged.arrived_at)
                .map(|(after, at)| (seconds(after), seconds(at))),
            dsn: judged.dsn.as_ref().map(|dsn| dsn.action),
            members: members.collect(),
            altered: judged.alterations.iter().map(|alteration| alteration.kind).collect(),
            held: required(true),
            broken: required(false),
            because,
            never_left: judged.sent_at.is_none(),
        })
    }

    fn lines(then: &Then) -> Self {
        let mut text = format!("verdict {} on {:?}, {}\n", then.verdict, then.basis, then.outcome);
        let mut flags = then.flags.clone();
        flags.sort_unstable();
        let _ = writeln!(
            text,
            "flags {flags:?}, copies {}, in {:?}, arrived {:?}",
            then.copies, then.place, then.arrived
        );
        let _ = writeln!(text, "dsn {:?}, members {:?}", then.dsn, then.members);
        let _ = writeln!(text, "altered {:?}, held {:?}, broken {:?}", then.altered, then.held, then.broken);
        let _ = writeln!(text, "because {:?}, never left: {}", then.because, then.never_left);
        Self(text)
    }
}

fn stands(ledger: &Ledger, standing: &Standing) -> Result<(), String> {
    let stand = ledger.stand(0, at(standing.at));
    let (mut is, mut wake) = ("decided".to_owned(), None);
    if let Stand::Waiting(wait) = stand {
        wait.state.clone_into(&mut is);
        if let Some(until) = wait.until {
            let _ = write!(is, " until {}", seconds(until));
        }
        is.push_str(if wait.look_everywhere { ", everywhere" } else { "" });
        wake = wait.wake.map(seconds);
    }
    let as_said = is == standing.is && (standing.wake.is_none() || standing.wake == wake);
    let said = (&standing.is, standing.wake);
    as_said
        .then_some(())
        .ok_or_else(|| format!("at {}: expected {said:?}, measured {:?}", standing.at, (is, wake)))
}

/// Plays a timeline; what differs, if anything.
fn play(timeline: &Timeline) -> Result<(), String> {
    let plan = Arc::new(plan(&timeline.given));
    let mut ledger = Ledger::new(plan.clone(), false);
    let open = plan
        .mailboxes
        .iter()
        .filter(|name| !timeline.given.closed.iter().any(|closed| closed == name.as_str()));
    let mut all: Vec<Event> = open
        .map(|mailbox| {
            let (mailbox, folders) = (mailbox.clone(), Vec::new());
            Event {
                at: start(),
                what: What::Baseline { mailbox, folders },
            }
        })
        .collect();
    for event in &all {
        ledger.apply(event);
    }
    let mut standings = timeline.stands.iter().peekable();
    let mut resumed = false;
    for line in &timeline.events {
        while let Some(standing) = standings.next_if(|standing| standing.at < line.at) {
            stands(&ledger, standing)?;
        }
        if line.taken_up == Some(true) {
            resumed = true;
            ledger.take_up(at(line.at));
        }
        for event in events(line, &plan) {
            ledger.apply(&event);
            all.push(event);
        }
    }
    let last = timeline.events.last().map_or(0.0, |line| line.at);
    let mut now = at(last + 0.3);
    for standing in standings {
        stands(&ledger, standing)?;
        now = now.max(at(standing.at));
    }
    let judged = &summarize(&ledger, now).probes[0];
    let (expected, measured) = (Said::lines(&timeline.then), Said::of(judged, &timeline.then));
    if expected.0 != measured.0 {
        return Err(format!("expected:\n{}measured:\n{}", expected.0, measured.0));
    }
    if judged.verdict != Verdict::Pending {
        let finished = What::Stopped { finished: true };
        all.push(Event { at: now, what: finished });
        let lines: Vec<String> = all.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let again = &judge(plan, &read, resumed).probes[0];
        if again != judged {
            return Err(format!("from the journal:\n{again:#?}\nwhile it went:\n{judged:#?}"));
        }
    }
    Ok(())
}

#[test]
fn every_timeline_ends_in_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timelines");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no timelines");
    let mut failures = String::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let played = match serde_yaml::from_str::<Timeline>(&fs::read_to_string(file).unwrap()) {
            Ok(timeline) => play(&timeline).map_err(|difference| format!("{}\n{difference}", timeline.story)),
            Err(error) => Err(error.to_string()),
        };
        if let Err(difference) = played {
            let _ = writeln!(failures, "--- {name}: {difference}");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn what_comes_after_an_interruption_counts() {
    let plan = Arc::new(plan(&Given::default()));
    let line = |line: Line| events(&line, &plan);
    let sent = line(Line {
        sent: Some("250 Ok".to_owned()),
        ..Line::default()
    });
    let seen = line(Line {
        at: 2.0,
        seen: Some("admin/INBOX".to_owned()),
        ..Line::default()
    });
    let stopped = line(Line {
        at: 5.0,
        stopped: Some("interrupted".to_owned()),
        ..Line::default()
    });
    let looked = line(Line {
        at: 22.0,
        looked: Some(OneOrMany::One("everywhere".to_owned())),
        ..Line::default()
    });
    let verdict = |events: &[Event]| judge(plan.clone(), events, true).probes[0].verdict;
    assert_eq!(verdict(&[sent.clone(), seen.clone(), stopped.clone()].concat()), Verdict::Pending);
    assert_eq!(verdict(&[sent, seen, stopped, looked].concat()), Verdict::Inbox);
}
