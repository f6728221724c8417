//! The watch over one mailbox of Graph, a user's or a group's: when to look and how deeply, what to say of it, and how to go on after a fault.
//!
//! It cannot see the mailbox itself: that is what its [`Sight`] is for.

use super::{
    fault::{Fault, Reason},
    pace,
    sight::{Depth, Sight, Voice},
};
use crate::{
    model::{Time, What},
    watch::{Attention, Watching, backoff::Backoff, wishes::Wishes},
};
use futures::FutureExt;
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Among so many quick looks, one is a sweep.
const SWEEP_EVERY: u32 = 4;
/// How long one look may take, waits for the service's limits included; then the mailbox is blind.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same for opening a mailbox and for a complete look.
const LONG_PATIENCE: Duration = Duration::from_mins(2);

/// What is known of the watch itself.
struct Vigil {
    sight: Box<dyn Sight>,
    voice: Voice,
    wishes: Wishes,
    /// Whether a baseline is to be told.
    fresh: bool,
    stage: Stage,
    looks: u32,
    last_look: Instant,
    /// When the newest probe left that the last look knew of.
    newest: Option<Time>,
    /// Since when a probe has been leaving.
    leaving: Option<Time>,
    /// When the last complete look was sent.
    looked: Option<Time>,
    /// Whether a complete look is owed, whatever the loop wants.
    owes_look: bool,
    backoff: Backoff,
    blind: Option<Reason>,
    /// The look that was answered with `Blind`.
    refused_look: Option<Time>,
}

/// How far the opening of the mailbox has come.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Closed,
    /// Everything there was taken in by calls from `since` on; whether it was too `late` for a baseline.
    TakenIn {
        since: Time,
        late: bool,
    },
    Open,
}

/// Watches until told to stop or nobody listens.
pub(super) async fn keep(sight: Box<dyn Sight>, voice: Voice, watching: Watching) {
    let mut stop = watching.stop.clone();
    let mut vigil = Vigil {
        sight,
        wishes: Wishes::new(watching.attention, watching.sending_since, watching.stop),
        fresh: !watching.baselines.contains_key(&voice.mailbox),
        stage: Stage::Closed,
        looks: 0,
        last_look: Instant::now(),
        newest: None,
        leaving: None,
        looked: None,
        owes_look: false,
        backoff: Backoff::new(voice.mailbox.as_str(), pace::FIRST_ATTEMPT),
        blind: None,
        refused_look: None,
        voice,
    };
    // Whatever is going on when the order to stop comes has a second to end well.
    let order = async {
        let _ = stop.wait_for(|stop| *stop).await;
        sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        () = vigil.go_on() => {}
        () = order => {}
    }
}

impl Vigil {
    /// One spell of seeing after the other, until told to stop or nobody listens.
    async fn go_on(&mut self) {
        while !self.wishes.stopped() {
            let looked = self.looked;
            // A parser that panics on what a server sends must not take the run's knowledge of all other mailboxes with it.
            let outcome = AssertUnwindSafe(Box::pin(self.see())).catch_unwind().await;
            let fault = match outcome {
                Ok(Ok(()) | Err(Fault::Unheard)) => return,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Odd("Graph showed what cannot be read"),
            };
            if self.looked > looked {
                self.sees_again();
            }
            let reason = self.sight.reason(&fault).await;
            let until = Instant::now() + self.backoff.pause(reason.standing).max(reason.wait);
            if self.say_blind(reason).await.is_err() || self.wait_blind(until).await.is_err() {
                return;
            }
        }
    }

    /// Opens the mailbox, if that was not done yet, and watches. Ends well only when told to stop.
    async fn see(&mut self) -> Result<(), Fault> {
        if matches!(self.stage, Stage::Open) {
            // What is known outlives every fault.
            self.owes_look = true;
        } else {
            self.open().await?;
            self.sees_again();
        }
        self.watch().await
    }

    /// Takes in everything that is there. Says `Baseline` if one is to be taken; otherwise, and if probes have left already, `Looked`.
    async fn open(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + LONG_PATIENCE;
        let (since, late) = if let Stage::TakenIn { since, late } = self.stage {
            // What has happened since then was not looked for.
            self.owes_look = true;
            (since, late)
        } else {
            let since = self.sight.open(until).await?;
            let left = *self.wishes.sending_since.borrow();
            let late = left.is_some_and(|left| left <= self.voice.clock.now());
            if self.fresh && !late {
                self.sight.forget_what_is_old();
            }
            self.stage = Stage::TakenIn { since, late };
            (since, late)
        };
        self.sight.settle(until).await?;
        let mailbox = self.voice.mailbox.clone();
        if self.fresh {
            let folders = self.sight.marks();
            self.voice
                .tell(What::Baseline {
                    mailbox: mailbox.clone(),
                    folders,
                })
                .await?;
        }
        if late || !self.fresh {
            self.looked = Some(since);
            self.voice.tell(What::Looked { mailbox, since }).await?;
        }
        self.fresh = false;
        self.stage = Stage::Open;
        self.last_look = Instant::now();
        Ok(())
    }

    /// Watches until told to stop.
    async fn watch(&mut self) -> Result<(), Fault> {
        while !self.wishes.stopped() {
            let now = self.voice.clock.now();
            let wanted = self
                .wishes
                .of(&self.voice.mailbox)
                .look_at
                .filter(|at| self.looked.is_none_or(|since| since < *at));
            if self.owes_look || wanted.is_some_and(|at| at <= now) {
                self.complete_look().await?;
                continue;
            }
            let (pause, newest) = self.pause(self.wishes.of(&self.voice.mailbox), now);
            let mut next = self.last_look + pause;
            if newest > self.newest {
                // A probe has just left: the sooner a look still misses it, the narrower its interval.
                next = self.last_look + pace::QUICKEST;
            }
            if next <= Instant::now() {
                self.newest = newest;
                self.last_look = Instant::now();
                self.looks = self.looks.wrapping_add(1);
                let sweep = pause >= pace::AT_REST || self.looks.is_multiple_of(SWEEP_EVERY);
                let until = Instant::now() + PATIENCE;
                self.sight.take_in(if sweep { Depth::Sweep } else { Depth::Quick }, until).await?;
                self.sight.settle(until).await?;
                continue;
            }
            let until = wanted.map_or(next, |at| next.min(self.voice.clock.instant_of(at)));
            tokio::select! {
                () = self.wishes.change() => {}
                () = sleep_until(until) => {}
            }
        }
        Ok(())
    }

    /// Every folder, and every copy known. Says `Looked`.
    async fn complete_look(&mut self) -> Result<(), Fault> {
        let until = Instant::now() + LONG_PATIENCE;
        self.last_look = Instant::now();
        let since = self.sight.take_in(Depth::Complete, until).await?;
        self.sight.settle(until).await?;
        self.owes_look = false;
        self.looked = Some(since);
        let mailbox = self.voice.mailbox.clone();
        self.voice.tell(What::Looked { mailbox, since }).await
    }

    /// The pause between two looks just now, and when the newest probe left.
    fn pause(&mut self, attention: Attention, now: Time) -> (Duration, Option<Time>) {
        if !attention.outstanding {
            self.leaving = None;
            return (pace::AT_REST, None);
        }
        // A probe that is only just leaving has no time yet: it counts from when it was first heard of.
        self.leaving = attention.since.is_none().then(|| self.leaving.unwrap_or(now));
        let since = attention.since.or(self.leaving).unwrap_or(now);
        (pace::pause((now - since).to_std().unwrap_or_default()), Some(since))
    }

    fn sees_again(&mut self) {
        self.backoff.restart();
        self.blind = None;
    }

    /// Says that the mailbox cannot be looked at, unless that was just said.
    async fn say_blind(&mut self, reason: Reason) -> Result<(), Fault> {
        let news = self.blind.as_ref().is_none_or(|blind| blind.plain != reason.plain);
        self.blind = Some(reason);
        if news { self.tell_blind().await } else { Ok(()) }
    }

    async fn tell_blind(&mut self) -> Result<(), Fault> {
        let mailbox = self.voice.mailbox.clone();
        let reason = self.blind.as_ref().map(Reason::sentence).unwrap_or_default();
        self.voice.tell(What::Blind { mailbox, reason }).await
    }

    /// Waits until it may look again. Each look that becomes due in the meantime is answered: it cannot be made now.
    async fn wait_blind(&mut self, until: Instant) -> Result<(), Fault> {
        while !self.wishes.stopped() && Instant::now() < until {
            let now = self.voice.clock.now();
            let mut next = until;
            if let Some(at) = self
                .wishes
                .of(&self.voice.mailbox)
                .look_at
                .filter(|at| self.refused_look != Some(*at))
            {
                if at <= now {
                    self.refused_look = Some(at);
                    if self.looked.is_none_or(|since| since < at) {
                        self.tell_blind().await?;
                    }
                } else {
                    next = next.min(self.voice.clock.instant_of(at));
                }
            }
            tokio::select! {
                () = self.wishes.change() => {}
                () = sleep_until(next) => {}
            }
        }
        Ok(())
    }
}
