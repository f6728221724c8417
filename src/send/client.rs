//! One attempt at one host: a session from the pool or a new one, a transaction, and the record of how it went.

use super::{
    Answer, Parcel, Trouble,
    failure::{Failure, Stage},
    opening::open,
    pool::Pool,
    reply::RawReply,
    session::{Access, Session, Target},
    settings::Conduct,
    transaction::hand_over,
};
use crate::{
    clock::Clock,
    credentials::Credentials,
    model::{Attempt, Time, Tls, TlsMode},
    scrub::Scrubber,
    tls::{Verify, connector},
};
use std::path::Path;

/// What the senders share.
pub(super) struct Client {
    access: Access,
    pool: Pool,
    clock: Clock,
    scrubber: Scrubber,
}

impl Client {
    /// A client that holds at most `connections`.
    ///
    /// # Errors
    /// A sentence, if TLS cannot be set up.
    pub fn new(
        mode: TlsMode,
        ca: Option<&Path>,
        credentials: Option<Credentials>,
        conduct: &Conduct,
        connections: usize,
    ) -> Result<Self, String> {
        let connector = match mode {
            TlsMode::None => None,
            TlsMode::Opportunistic => Some(connector(ca, Verify::Record)?),
            TlsMode::Implicit | TlsMode::Required => Some(connector(ca, Verify::Strict)?),
        };
        let scrubber = credentials
            .as_ref()
            .map(|credentials| credentials.scrubber().clone())
            .unwrap_or_default();
        let access = Access {
            mode,
            connector,
            credentials,
            host_name: conduct.host_name.clone(),
            timeouts: conduct.timeouts,
        };
        Ok(Self {
            access,
            pool: Pool::new(connections),
            clock: conduct.clock,
            scrubber,
        })
    }

    /// Tries to hand `parcel` to the host at `target`, in an attempt that began at `began`.
    ///
    /// A session from the pool whose connection turns out to be gone before the server answered MAIL is replaced by a new one, once and without a
    /// word: the server closed it between two messages, as it may, and nothing was tried by then.
    pub async fn deliver(&self, target: &Target, parcel: &Parcel, began: Time, more_hosts: bool) -> Result<Answer, Trouble> {
        let outcome = match self.on_an_idle_session(target, parcel).await {
            Some(outcome) => outcome,
            None => self.on_a_new_session(target, parcel).await,
        };
        let (reply, host, tls) = match outcome {
            Ok(taken) => taken,
            Err(failure) => return self.ended(*failure, began, &target.name, more_hosts),
        };
        let mut attempt = Attempt {
            at: began,
            ended_at: self.clock.now(),
            host: self.scrubbed(&host),
            tls,
            reply: reply.kept(),
            stage: Stage::Body.word().to_owned(),
            in_doubt: false,
        };
        attempt.reply.text = self.scrubbed(&attempt.reply.text);
        Ok(Answer { attempt, more_hosts })
    }

    /// The record of a failure; `host` stands for the host if none was connected to.
    pub fn ended(&self, mut failure: Failure, began: Time, host: &str, more_hosts: bool) -> Result<Answer, Trouble> {
        failure.reply.text = self.scrubbed(&failure.reply.text);
        failure.host = failure.host.map(|host| self.scrubbed(&host));
        failure.into_outcome((began, self.clock.now()), host, more_hosts)
    }

    /// Opens a session with the host and ends it; a sentence that says what was found.
    pub async fn check(&self, target: &Target) -> Result<String, String> {
        let session = match open(&self.access, target).await {
            Ok(session) => session,
            Err(failure) => {
                let host = failure.host.as_deref().unwrap_or(&target.name);
                let text = format!("{host}, at {}: {}", failure.stage.word(), failure.reply);
                return Err(self.scrubbed(&text));
            }
        };
        let tls = match session.tls() {
            None => "in the clear".to_owned(),
            Some(Tls {
                version,
                certificate: Ok(()),
                ..
            }) => format!("{version}, the certificate holds"),
            Some(Tls {
                version,
                certificate: Err(reason),
                ..
            }) => format!("{version}, {reason}"),
        };
        let signed_in = session
            .signed_in()
            .map_or_else(String::new, |mechanism| format!("; signed in by {mechanism}"));
        let found = format!("{} answers, {tls}{signed_in}; offers {}", session.host(), session.offers().told());
        session.quit().await;
        Ok(self.scrubbed(&found))
    }

    /// Ends the idle sessions.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn on_an_idle_session(&self, target: &Target, parcel: &Parcel) -> Option<Result<Taken, Box<Failure>>> {
        let (mut session, place) = self.pool.take(target)?;
        let outcome = self.on(&mut session, parcel).await;
        let stale = matches!(&outcome, Err(failure) if failure.stage == Stage::Mail && failure.is_of_the_connection());
        self.pool.give(target, session, place);
        (!stale).then_some(outcome)
    }

    async fn on_a_new_session(&self, target: &Target, parcel: &Parcel) -> Result<Taken, Box<Failure>> {
        let place = self.pool.place().await;
        let mut session = open(&self.access, target).await?;
        let outcome = self.on(&mut session, parcel).await;
        self.pool.give(target, session, place);
        outcome
    }

    async fn on(&self, session: &mut Session, parcel: &Parcel) -> Result<Taken, Box<Failure>> {
        let outcome = hand_over(session, parcel, &self.access.timeouts).await;
        let (host, tls) = (session.host().to_owned(), session.tls().cloned());
        match outcome {
            Ok(reply) => Ok((reply, host, tls)),
            Err(failure) => Err(Box::new(Failure {
                host: Some(host),
                tls,
                ..*failure
            })),
        }
    }

    fn scrubbed(&self, text: &str) -> String {
        self.scrubber.scrub(text)
    }
}

/// The positive reply, the host as connected to, and the TLS.
type Taken = (RawReply, String, Option<Tls>);
