//! Kill, take up, compare with the mailboxes themselves; again and again.

use crate::{
    process::{Desk, Process},
    random::Random,
    world::{Copies, RECIPIENTS, World},
};
use mailflow::model::{Event, Flag, Judged, JudgedProbe, Outcome, Plan, ProbeId, Verdict, What};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// When a run is killed: so long after this.
#[derive(Debug)]
struct Moment {
    after: After,
    pause: Duration,
}

#[derive(Debug)]
enum After {
    Start,
    /// It says that it opens the mailboxes.
    Opening,
    /// So many probes stand in the journal as begun.
    Begun(usize),
    /// All are handed over.
    Sent,
}

/// A run that was killed, or was quicker.
struct Killed {
    moment: Moment,
    left: Left,
}

/// What a killed run left behind.
enum Left {
    Nothing,
    /// Everything was decided before the kill came.
    Finished,
    Open(Box<Plan>, Vec<Event>),
}

/// What the rounds came to.
#[derive(Default)]
struct Tally {
    kills: BTreeMap<&'static str, usize>,
    verdicts: BTreeMap<&'static str, usize>,
    watches_killed: usize,
    /// Message-IDs of probes that were called not sent.
    never_sent: BTreeSet<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<&str, usize>| {
            counts
                .iter()
                .map(|(what, count)| format!("{count} {what}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        write!(
            f,
            "killed {}; probes of these runs: {}; `watch` was killed {} times",
            list(&self.kills),
            list(&self.verdicts),
            self.watches_killed
        )
    }
}

/// Kills `rounds` runs of 50 recipients at moments drawn from `seed`, each time finishes with `watch`, and compares with the mailboxes.
pub fn kill_and_take_up(world: &dyn World, rounds: usize, seed: u64) {
    let desk = world.desk();
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut round = 0;
    while round < rounds {
        // Every other time two runs are left open before anybody takes them up.
        let together = (1 + random.index(2)).min(rounds - round);
        let killed: Vec<Killed> = (0..together).map(|_| kill_one(&desk, world, &mut random)).collect();
        round += together;
        let moments: Vec<&Moment> = killed.iter().map(|killed| &killed.moment).collect();
        let context = format!("seed {seed}, round {round} of {rounds}, killed {moments:?}");
        take_up(&desk, world, &killed, &mut random, &mut tally, &context);
    }
    let plans: Vec<Plan> = desk.runs().into_iter().map(|(plan, _)| plan).collect();
    let copies = world.copies(&plans);
    let twice: Vec<_> = copies.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(twice.is_empty(), "seed {seed}: arrived twice in the end: {twice:?}");
    let after_all: Vec<_> = tally
        .never_sent
        .iter()
        .filter(|id| copies.get(*id).is_some_and(|places| !places.is_empty()))
        .collect();
    assert!(
        after_all.is_empty(),
        "seed {seed}: called not sent, and arrived after all: {after_all:?}"
    );
    let known: BTreeSet<&String> = plans.iter().flat_map(|plan| &plan.probes).map(|probe| &probe.message_id).collect();
    let strange: Vec<_> = copies.iter().filter(|(id, _)| !known.contains(id)).collect();
    assert!(strange.is_empty(), "seed {seed}: no run knows of {strange:?}");
    eprintln!("{rounds} rounds, seed {seed}: {tally}");
}

fn kill_one(desk: &Desk, world: &dyn World, random: &mut Random) -> Killed {
    let before = desk.runs().len();
    let older = desk.newest().map(|(plan, _)| plan.run.id);
    let route = world.routes()[random.index(world.routes().len())];
    let moment = moment(random);
    let mut process: Process = desk.start(&["run", &format!("{route}.yaml")]);
    let begun = || match desk.newest() {
        Some((plan, events)) if Some(&plan.run.id) != older.as_ref() => Begun::of(&events),
        _ => Begun::default(),
    };
    let reached = match moment.after {
        After::Start => true,
        After::Opening => process.says("opening "),
        After::Begun(number) => process.comes_to(|| begun().all.len() >= number),
        After::Sent => process.comes_to(|| begun().over.len() >= RECIPIENTS),
    };
    if reached {
        process.linger(moment.pause);
    }
    let ended = process.kill();
    assert!(
        ended.was_killed() || ended.code() == Some(0),
        "{moment:?}: it ended by itself: {ended:?}"
    );
    let left = match desk.runs().into_iter().nth(before) {
        None => Left::Nothing,
        Some((_, true)) => Left::Finished,
        Some((plan, false)) => {
            let events = desk.events(&plan);
            Left::Open(Box::new(plan), events)
        }
    };
    Killed { moment, left }
}

/// A moment of the start, of opening the mailboxes, of sending, or of what comes after.
fn moment(random: &mut Random) -> Moment {
    let (after, longest) = match random.below(10) {
        0 => (After::Start, 300),
        1 | 2 => (After::Opening, 1_000),
        3..=7 => (After::Begun(1 + random.index(RECIPIENTS)), 60),
        _ => (After::Sent, 2_000),
    };
    let pause = Duration::from_millis(random.below(longest));
    Moment { after, pause }
}

/// Finishes what was left, and compares.
fn take_up(desk: &Desk, world: &dyn World, killed: &[Killed], random: &mut Random, tally: &mut Tally, context: &str) {
    if random.below(4) == 0 {
        let mut watch = desk.start(&["watch"]);
        watch.linger(Duration::from_millis(random.below(3_000)));
        tally.watches_killed += usize::from(watch.kill().was_killed());
    }
    let open: Vec<(&Plan, &[Event])> = killed.iter().filter_map(Killed::open).collect();
    let unfinished: BTreeSet<String> = desk
        .runs()
        .into_iter()
        .filter(|(_, finished)| !finished)
        .map(|(plan, _)| plan.run.id.to_string())
        .collect();
    let (judged, ended) = desk.report(&["watch"]);
    let taken_up: BTreeSet<String> = judged.runs.iter().map(|run| run.id.to_string()).collect();
    assert_eq!(taken_up, unfinished, "{context}: runs taken up\n{ended:?}");
    let plans: Vec<Plan> = open.iter().map(|(plan, _)| (*plan).clone()).collect();
    let copies = world.copies(&plans);
    for (plan, events) in &open {
        // A watch that was killed may have finished it before.
        let (stored, told) = desk.report(&["report", plan.run.id.as_str()]);
        let context = format!("{context}, run {}", plan.run.id);
        assert_eq!(stored.probes.len(), RECIPIENTS, "{context}");
        let fresh: Vec<&JudgedProbe> = judged.probes.iter().filter(|probe| probe.run == plan.run.id).collect();
        assert!(
            fresh.is_empty() || fresh.iter().copied().eq(&stored.probes),
            "{context}: the stored run is judged otherwise"
        );
        compare(&stored, &Begun::of(events), &copies, &context);
        assert_eq!(told.code(), Some(code(&stored)), "{context}: exit code of `report`");
        let sent = |events: &[Event]| {
            events
                .iter()
                .filter(|event| matches!(event.what, What::Began { .. } | What::Attempted { .. }))
                .count()
        };
        assert_eq!(
            sent(&desk.events(plan)),
            sent(events),
            "{context}: something was sent after the kill"
        );
        for probe in &stored.probes {
            let verdict = if probe.flags.contains(&Flag::NotSent) {
                "unknown and not sent"
            } else {
                probe.verdict.word()
            };
            if probe.flags.contains(&Flag::NotSent) {
                tally.never_sent.insert(probe.message_id.clone());
            }
            *tally.verdicts.entry(verdict).or_default() += 1;
        }
    }
    assert_eq!(ended.code(), Some(code(&judged)), "{context}: exit code of `watch`\n{ended:?}");
    for killed in killed {
        *tally.kills.entry(killed.phase()).or_default() += 1;
    }
    let (nothing, ended) = desk.report(&["watch"]);
    assert!(
        nothing.probes.is_empty() && nothing.runs.is_empty(),
        "{context}: left for a second watch: {:?}",
        nothing.runs
    );
    assert_eq!(ended.code(), Some(0), "{context}: {ended:?}");
}

/// 0 if all passed, 3 if something is unknown: nothing else may come out here.
pub fn code(judged: &Judged) -> i32 {
    if judged.probes.iter().all(|probe| probe.outcome == Outcome::Passed) {
        0
    } else {
        3
    }
}

impl Killed {
    fn open(&self) -> Option<(&Plan, &[Event])> {
        match &self.left {
            Left::Open(plan, events) => Some((plan, events)),
            _ => None,
        }
    }

    /// What was going on, as the journal tells.
    fn phase(&self) -> &'static str {
        match &self.left {
            Left::Nothing => "before the plan was stored",
            Left::Finished => "after the end",
            Left::Open(_, events) => {
                let begun = Begun::of(events);
                match (begun.all.len(), begun.over.len()) {
                    (0, _) => "while opening mailboxes",
                    (_, RECIPIENTS) => "while settling",
                    _ => "while sending",
                }
            }
        }
    }
}

/// Which probes the journal knows as begun, and which as handed over.
#[derive(Default)]
pub struct Begun {
    pub all: BTreeSet<ProbeId>,
    pub over: BTreeSet<ProbeId>,
}

impl Begun {
    pub fn of(events: &[Event]) -> Self {
        let all = events.iter().filter_map(|event| {
            if let What::Began { probe } = event.what {
                Some(probe)
            } else {
                None
            }
        });
        let over = events.iter().filter_map(|event| {
            if let What::Attempted { probe, last: true, .. } = event.what {
                Some(probe)
            } else {
                None
            }
        });
        Self {
            all: all.collect(),
            over: over.collect(),
        }
    }
}

/// Every probe of a run against what the journal held at the kill and what lies in the mailboxes.
pub fn compare(judged: &Judged, begun: &Begun, copies: &Copies, context: &str) {
    for probe in &judged.probes {
        let places = copies.get(&probe.message_id).map(Vec::as_slice).unwrap_or_default();
        let own = [format!("{} INBOX", probe.recipient)];
        let not_sent = probe.flags.contains(&Flag::NotSent);
        let right = match probe.verdict {
            Verdict::Inbox => places == own && !not_sent && probe.outcome == Outcome::Passed && probe.copies == 1,
            Verdict::Unknown => {
                places.is_empty() && probe.reason.is_some() && !probe.explanation.is_empty() && probe.outcome == Outcome::Unknown
            }
            _ => false,
        };
        let begun_right = not_sent != begun.all.contains(&probe.id) && (!begun.over.contains(&probe.id) || probe.verdict == Verdict::Inbox);
        assert!(
            right && begun_right,
            "{context}: begun {}, handed over {}, lies in {places:?}, but judged {} {:?}: {probe:#?}",
            begun.all.contains(&probe.id),
            begun.over.contains(&probe.id),
            probe.verdict,
            probe.flags,
        );
    }
}
