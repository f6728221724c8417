//! Handing one probe over: begun in the journal, tried, and tried again as RFC 5321 section 4.5.4.1 asks, until it is taken, refused for good
//! or given up. After the final dot without a reply nothing is sent again.

use super::Composer;
use crate::{
    clock::Clock,
    journal::{JournalError, Log},
    model::{Event, Plan, Time, What, time},
    send::{Answer, Parcel, Permit, Sender, Trouble},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause. RFC 5321 lets MTAs wait 30 minutes; a measurement wants to know sooner.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// What all deliveries of a run share.
pub(super) struct Errand {
    pub plan: Arc<Plan>,
    pub clock: Clock,
    pub log: Arc<dyn Log>,
    pub composer: Arc<Composer>,
    pub events: mpsc::Sender<Event>,
    pub stop: watch::Receiver<bool>,
    pub ready: watch::Receiver<Ready>,
    pub spacing: Spacing,
}

/// Keeps the least distance between two probes to one recipient, however late the first of them left.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    least: Duration,
    next: Mutex<HashMap<usize, Instant>>,
}

impl Spacing {
    pub(super) fn new(least: Duration) -> Self {
        Self { least, ..Self::default() }
    }

    /// Until when a probe to this recipient must wait; with `None` it may leave, and is taken to do so now.
    fn wait(&self, recipient: usize) -> Option<Instant> {
        if self.least.is_zero() {
            return None;
        }
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let until = next.get(&recipient).copied().filter(|next| *next > now);
        if until.is_none() {
            next.insert(recipient, now + self.least);
        }
        until
    }

    /// A probe to this recipient leaves in this moment.
    fn left(&self, recipient: usize) {
        if !self.least.is_zero() {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.insert(recipient, Instant::now() + self.least);
        }
    }
}

/// Which probes may leave, as far as their mailboxes are concerned.
#[derive(Debug, Clone, Default)]
pub(super) enum Ready {
    #[default]
    None,
    These(HashSet<usize>),
    All,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    End,
    AtOnce,
    After(Duration),
}

/// Hands one probe over. Ends early, with the probe as it then is, when the run is stopped.
pub(super) async fn deliver(errand: Arc<Errand>, index: usize, sender: Arc<dyn Sender>) -> Result<(), JournalError> {
    let mut stop = errand.stop.clone();
    tokio::select! {
        // Only between attempts: one that is under way ends by itself, within its time-outs.
        biased;
        () = stopped(&mut stop) => Ok(()),
        () = may_leave(&errand, index) => attempts(&errand, index, &*sender).await,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn may_leave(errand: &Errand, index: usize) {
    let mut ready = errand.ready.clone();
    let open = |ready: &Ready| match ready {
        Ready::None => false,
        Ready::These(open) => open.contains(&index),
        Ready::All => true,
    };
    if ready.wait_for(open).await.is_err() {
        std::future::pending::<()>().await;
    }
    let not_before = time::later(errand.plan.run.started_at, errand.plan.probes[index].not_before);
    tokio::time::sleep_until(errand.clock.instant_of(not_before)).await;
}

async fn attempts(errand: &Errand, index: usize, sender: &dyn Sender) -> Result<(), JournalError> {
    let probe = &errand.plan.probes[index];
    let mut stop = errand.stop.clone();
    let mut parcel = None;
    let mut give_up = None;
    let mut pause = FIRST_PAUSE;
    for tries in 0.. {
        let permit = tokio::select! {
            biased;
            () = stopped(&mut stop) => {
                if parcel.is_some() {
                    halt(errand, index).await;
                }
                return Ok(());
            }
            permit = next_turn(errand, index, sender, parcel.is_none()) => permit,
        };
        if parcel.is_none() {
            // Written before sent: from here on a crash leaves a trace.
            let began = Event {
                at: errand.clock.now(),
                what: What::Began { probe: probe.id },
            };
            errand.log.write(&began).await?;
            let _ = errand.events.send(began).await;
            errand.spacing.left(probe.recipient);
        }
        let parcel = parcel.get_or_insert_with(|| pack(errand, index));
        let result = sender.send(&permit, parcel, tries).await;
        drop(permit);
        let answered = result.is_ok();
        let now = errand.clock.now();
        let first_at = match &result {
            Ok(Answer { attempt, .. }) | Err(Trouble { attempt, .. }) => attempt.at,
        };
        let give_up = *give_up.get_or_insert(time::later(first_at, probe.give_up_after));
        let next = next_step(&result, now, give_up, pause);
        let (Ok(Answer { attempt, .. }) | Err(Trouble { attempt, .. })) = result;
        let attempted = What::Attempted {
            probe: probe.id,
            attempt,
            answered,
            last: next == Next::End,
        };
        let _ = errand.events.send(Event { at: now, what: attempted }).await;
        match next {
            Next::End => return Ok(()),
            Next::AtOnce => {}
            Next::After(wait) => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                tokio::select! {
                    () = stopped(&mut stop) => {
                        halt(errand, index).await;
                        return Ok(());
                    }
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
    Ok(())
}

/// The run was stopped between two attempts: whoever takes it up need not look for this probe.
async fn halt(errand: &Errand, index: usize) {
    let probe = errand.plan.probes[index].id;
    let halted = Event {
        at: errand.clock.now(),
        what: What::Halted { probe },
    };
    let _ = errand.events.send(halted).await;
}

/// A turn on the route; for the `first` attempt, one that keeps the distance to the recipient's probe before.
async fn next_turn(errand: &Errand, index: usize, sender: &dyn Sender, first: bool) -> Permit {
    loop {
        let permit = sender.ready().await;
        match errand.spacing.wait(errand.plan.probes[index].recipient).filter(|_| first) {
            None => return permit,
            Some(until) => {
                drop(permit);
                tokio::time::sleep_until(until).await;
            }
        }
    }
}

fn pack(errand: &Errand, index: usize) -> Parcel {
    let probe = &errand.plan.probes[index];
    Parcel {
        probe: probe.id,
        tag: probe.tag.clone(),
        envelope_sender: errand.plan.sender(probe).envelope_for(&probe.tag),
        recipient: errand.plan.recipient(probe).address.clone(),
        hop: probe.hop.clone(),
        message: (errand.composer)(&errand.plan, probe).into(),
    }
}

/// A refused 4xx is tried again, by the next host at once where there is one; so is a cut connection, but only before the final dot.
fn next_step(result: &Result<Answer, Trouble>, now: Time, give_up: Time, pause: Duration) -> Next {
    let more_hosts = match result {
        Ok(answer) if answer.attempt.reply.is_transient() => answer.more_hosts,
        Ok(_) => return Next::End,
        Err(trouble) if trouble.attempt.in_doubt => return Next::End,
        Err(trouble) if trouble.hopeless && !trouble.more_hosts => return Next::End,
        Err(trouble) => trouble.more_hosts,
    };
    let left = (give_up - now).to_std().unwrap_or_default();
    if left.is_zero() {
        Next::End
    } else if more_hosts {
        Next::AtOnce
    } else {
        // The last attempt is made at the give-up time itself.
        Next::After(pause.min(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attempt, Reply};

    fn attempt(code: Option<u16>, in_doubt: bool) -> Attempt {
        let reply = Reply {
            code,
            enhanced: None,
            text: String::new(),
            ours: code.is_none(),
        };
        Attempt {
            at: Time::UNIX_EPOCH,
            ended_at: Time::UNIX_EPOCH,
            host: String::new(),
            tls: None,
            reply,
            stage: String::new(),
            in_doubt,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn probes_to_one_recipient_keep_their_distance_however_late_the_first_one_left() {
        let spacing = Spacing::new(Duration::from_secs(2));
        assert_eq!(spacing.wait(1), None);
        tokio::time::sleep(Duration::from_millis(700)).await;
        spacing.left(1);
        assert_eq!(spacing.wait(2), None, "another recipient");
        let until = spacing.wait(1).unwrap();
        assert_eq!((until - Instant::now()).as_secs(), 2);
        tokio::time::sleep_until(until).await;
        assert_eq!(spacing.wait(1), None);
        assert_eq!(Spacing::new(Duration::ZERO).wait(1), None);
    }

    #[test]
    fn what_follows_an_attempt() {
        let answer = |code, more_hosts| {
            Ok(Answer {
                attempt: attempt(Some(code), false),
                more_hosts,
            })
        };
        let trouble = |in_doubt, more_hosts, hopeless| {
            Err(Trouble {
                attempt: attempt(None, in_doubt),
                more_hosts,
                hopeless,
            })
        };
        let give_up = Time::UNIX_EPOCH + Duration::from_secs(10);
        let next = |result: &Result<Answer, Trouble>, seconds| {
            next_step(
                result,
                Time::UNIX_EPOCH + Duration::from_secs(seconds),
                give_up,
                Duration::from_secs(4),
            )
        };
        let four = Next::After(Duration::from_secs(4));
        for (what, result, seconds, expected) in [
            ("taken", answer(250, false), 0, Next::End),
            ("refused for good, whatever other hosts there are", answer(550, true), 0, Next::End),
            ("refused for now", answer(451, false), 0, four),
            (
                "refused for now, near the end",
                answer(451, false),
                8,
                Next::After(Duration::from_secs(2)),
            ),
            ("refused for now, at the end", answer(451, false), 10, Next::End),
            ("refused for now, with another host", answer(451, true), 0, Next::AtOnce),
            ("cut before the final dot", trouble(false, false, false), 0, four),
            ("cut after the final dot", trouble(true, true, false), 0, Next::End),
            ("a refused login", trouble(false, false, true), 0, Next::End),
            (
                "hopeless here, but there is another host",
                trouble(false, true, true),
                0,
                Next::AtOnce,
            ),
        ] {
            assert_eq!(next(&result, seconds), expected, "{what}");
        }
    }
}
