//! From the words of a timeline to a plan with one probe, and to events.

use super::form::{Given, Known, Line, OneOrMany, Path};
use chrono::{SubsecRound, TimeDelta};
use mailflow::model::{
    Alteration, AlterationKind, Attempt, Copy, CopyId, Dsn, DsnAction, Event, Evidence, Expectation, Hop, KEY_LENGTH, MailboxName,
    MessageKind, PathRule, Place, Placement, Plan, Probe, ProbeId, QuarantinePolicy, Recipient, Reply, RunId, RunInfo, Sender, TagKey,
    Time, TraceRow, TraceStatus, Waiver, What, time::milliseconds,
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// When the run started.
pub fn start() -> Time {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub fn at(seconds: f64) -> Time {
    let from_start = TimeDelta::from_std(Duration::from_secs_f64(seconds.abs())).unwrap();
    // To the microsecond: 1.1 has no exact form in binary.
    let time = if seconds < 0.0 {
        start() - from_start
    } else {
        start() + from_start
    };
    time.round_subsecs(6)
}

pub fn seconds(time: Time) -> f64 {
    milliseconds(start(), time) / 1000.0
}

/// The value that this word of the contract names.
pub fn word<T: DeserializeOwned>(word: &str) -> T {
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

fn path_rule((name, path): (&String, &Path)) -> PathRule {
    PathRule {
        name: name.clone(),
        via: path.via.clone(),
        not_via: path.not_via.clone(),
    }
}

pub fn plan(given: &Given) -> Plan {
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
        spacing: Duration::ZERO,
        paths: given.paths.iter().map(path_rule).collect(),
        templates: std::collections::BTreeMap::new(),
        recheck: Vec::new(),
        scope: None,
        traces: given
            .traces
            .iter()
            .map(|(name, delay)| (name.as_str().into(), Duration::from_secs_f64(*delay)))
            .collect(),
        run: RunInfo {
            id: run,
            scenario: "timeline".to_owned(),
            site: "site.yaml".to_owned(),
            started_at: start(),
            finished_at: None,
            version: "0".to_owned(),
            change: None,
            description: None,
            compare: None,
            origin: mailflow::model::Origin::default(),
        },
        recipients: vec![Recipient {
            address: if group { "all@contoso.example" } else { "admin@contoso.example" }.to_owned(),
            role: None,
            owner: None,
            backup: None,
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
            sending_addresses: vec![],
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
            internal: false,
        }],
    }
}

/// The events that a line stands for.
pub fn events(line: &Line, plan: &Plan) -> Vec<Event> {
    let mut events = of_sending(line, plan);
    events.extend(of_mailboxes(line, plan));
    events.extend(of_returns(line, plan));
    if line.halted == Some(true) {
        let probe = plan.probes[0].id;
        events.push(happened(line.at, What::Halted { probe }));
    }
    if line.taken_up == Some(true) {
        events.push(happened(line.at, What::TakenUp));
    }
    if let Some(how) = &line.stopped {
        let finished = how == "finished";
        events.push(happened(line.at, What::Stopped { finished }));
    }
    assert!(!events.is_empty(), "nothing happens at {}", line.at);
    events
}

fn happened(seconds: f64, what: What) -> Event {
    Event { at: at(seconds), what }
}

fn of_sending(line: &Line, plan: &Plan) -> Vec<Event> {
    let probe = plan.probes[0].id;
    let attempts = [
        (&line.sent, true, true, false),
        (&line.refused, true, true, false),
        (&line.deferred, true, false, false),
        (&line.unreachable, false, !line.again, false),
        (&line.cut_off, false, true, true),
    ];
    let mut events = Vec::new();
    if line.begun == Some(true) {
        events.push(happened(line.at, What::Began { probe }));
    }
    for (text, answered, last, in_doubt) in attempts {
        let Some(text) = text else { continue };
        let attempt = attempt(line, text, in_doubt);
        let attempted = What::Attempted {
            probe,
            attempt,
            answered,
            last,
        };
        events.push(happened(line.at, What::Began { probe }));
        events.push(happened(line.at + 0.2, attempted));
    }
    events
}

fn of_mailboxes(line: &Line, plan: &Plan) -> Vec<Event> {
    let probe = plan.probes[0].id;
    let which = |mailboxes: &Option<OneOrMany>| match mailboxes {
        None => Vec::new(),
        Some(OneOrMany::One(all)) if all == "everywhere" => plan.mailboxes.clone(),
        Some(some) => names(&some.all()),
    };
    let mut events = Vec::new();
    if let Some(place) = &line.seen {
        let copy = Box::new(copy(line, place, plan));
        events.push(happened(line.at, What::Seen { probe, copy }));
    }
    if let Some(place) = &line.gone {
        let gone = What::Gone {
            probe,
            copy: copy(line, place, plan).id,
            last_present: at(line.last_there.unwrap_or(line.at - 0.1)),
            noticed: at(line.at),
        };
        events.push(happened(line.at, gone));
    }
    events.extend(which(&line.looked).into_iter().map(|mailbox| {
        let since = at(line.at);
        happened(line.at + 0.05, What::Looked { mailbox, since })
    }));
    events.extend(which(&line.blind).into_iter().map(|mailbox| {
        let reason = "connection refused".to_owned();
        happened(line.at, What::Blind { mailbox, reason })
    }));
    events
}

fn of_returns(line: &Line, plan: &Plan) -> Vec<Event> {
    let probe = plan.probes[0].id;
    let notices = [
        (&line.bounced, DsnAction::Failed),
        (&line.delayed, DsnAction::Delayed),
        (&line.delivered, DsnAction::Delivered),
        (&line.relayed, DsnAction::Relayed),
        (&line.expanded, DsnAction::Expanded),
    ];
    let returned = notices.into_iter().filter_map(|(status, action)| {
        let dsn = Box::new(Dsn {
            action,
            status: Some(status.clone()?),
            recipient: line.names.clone(),
            original_recipient: line.originally.clone(),
            reporting_mta: Some(line.reporter.clone().unwrap_or_else(|| "store.contoso.example".to_owned())),
            remote_mta: None,
            diagnostic: None,
            bound_by: "tag in the returned header".to_owned(),
            guessed: false,
            mailbox: "returns".into(),
            at: at(line.at + 0.0004),
        });
        Some(happened(line.at, What::Returned { probe, dsn }))
    });
    let answered = line.answered.iter().map(|how| {
        let answered = What::Answered {
            probe,
            automatic: how == "automatically",
            mailbox: "returns".into(),
        };
        happened(line.at, answered)
    });
    let traced = line.traced.iter().map(|status| {
        let row = Box::new(TraceRow {
            place: "trace".into(),
            id: "7b1f2f0c".to_owned(),
            recipient: line.names.clone().unwrap_or_else(|| plan.recipients[0].address.clone()),
            status: TraceStatus::from(status.clone()),
            to_ip: line.to.clone(),
            received: None,
            cause: None,
            at: at(line.at + 0.0004),
        });
        happened(line.at, What::Traced { probe, row })
    });
    returned.chain(answered).chain(traced).collect()
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
    let altered = |kind: &AlterationKind| Alteration::new(*kind, "as sent", "as arrived");
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
        evidence: Evidence {
            alterations: line.altered.iter().map(altered).collect(),
            unseen: line.headless.then_some(AlterationKind::Headers).into_iter().collect(),
            authentication: line.says.clone(),
            hops: line.hops.iter().map(|words| hop(words)).collect(),
            ..Evidence::default()
        },
    }
}

/// A hop from such words as `smtp.sender.example to mx.contoso.example: tls`.
fn hop(words: &str) -> Hop {
    let parts = words
        .split_once(": ")
        .and_then(|(hosts, how)| Some((hosts.split_once(" to ")?, how)));
    let ((from, by), how) = parts.unwrap_or_else(|| panic!("{words:?} is not FROM to BY: HOW"));
    Hop {
        from: Some(from.to_owned()),
        by: Some(by.to_owned()),
        encryption: word(how),
        ..Hop::default()
    }
}
