//! The one client through which every call to Graph goes: with a token, in its turn, asked again where that is safe, answered within bounds.
//!
//! What it cannot see: whether a request whose answer got lost was carried out; [`Error::in_doubt`] says where that is so.

use super::{
    Cloud, Http, Random, Resource,
    error::{Error, Kind, Malformed, Refusal},
    http::{NoReply, Reply},
    page::{Link, Pages},
    request::Request,
    retry,
    throttle::{TooLate, Turns},
    tokens::{Token, Tokens},
};
use crate::{clock::Clock, model::Time, scrub::Scrubber};
use reqwest::{Url, header::HeaderValue};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// The client of one app in one tenant. Cheap to clone; clones share tokens, connections and budget.
#[derive(Debug, Clone)]
pub struct Graph(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    cloud: Cloud,
    http: Http,
    tokens: Arc<Tokens>,
    turns: Arc<Turns>,
    clock: Clock,
    random: Random,
}

/// A success, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The bytes, unpacked.
    pub body: Vec<u8>,
    /// The id under which Microsoft finds the request again.
    pub request_id: Option<String>,
    /// How often it was asked for.
    pub tries: u32,
    /// When the service answered, by its own clock, in whole seconds.
    pub date: Option<Time>,
}

impl Answer {
    /// The body as JSON; fields that `T` does not know are passed over.
    ///
    /// # Errors
    /// [`Malformed::Json`] with the place; never with what stands there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Error::Malformed(Malformed::Json {
                line: error.line(),
                column: error.column(),
            })
        })
    }
}

/// What one try brought, if no answer.
enum Setback {
    /// Ask again, at the earliest then; or this is the error.
    Again { at: Instant, or: Error },
    /// The token was refused.
    Token(Refusal),
    /// No use in asking again.
    End(Error),
}

impl Graph {
    /// A client for `cloud` that signs in through `tokens` and keeps to `turns`.
    pub fn new(cloud: Cloud, http: Http, tokens: Arc<Tokens>, turns: Arc<Turns>, clock: Clock, random: Random) -> Self {
        Self(Arc::new(Parts {
            cloud,
            http,
            tokens,
            turns,
            clock,
            random,
        }))
    }

    /// The cloud it speaks to.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Its tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// Its budget.
    pub fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Makes the call; everything, waits included, ends at `until`.
    ///
    /// A 429 is waited out as long as the deadline allows. Other setbacks (5xx, a broken connection) are tried again a few times, if the call
    /// may be repeated. A refused token is replaced once.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn call(&self, request: &Request, until: Instant) -> Result<Answer, Error> {
        self.call_within(request, until, true).await
    }

    /// Makes the call and reads its JSON.
    ///
    /// # Errors
    /// As [`Graph::call`] and [`Answer::json`].
    pub async fn fetch<T: DeserializeOwned>(&self, request: &Request, until: Instant) -> Result<T, Error> {
        self.call(request, until).await?.json()
    }

    /// Reads a list page by page, at most `limit` of them.
    pub fn pages<T: DeserializeOwned>(&self, first: Request, limit: u32) -> Pages<T> {
        Pages::new(self.clone(), first, limit)
    }

    /// Takes a link that the service gave, if it leads to this cloud's Graph.
    ///
    /// # Errors
    /// [`Malformed::ForeignLink`].
    pub fn link(&self, text: &str) -> Result<Link, Error> {
        Link::read(text, &self.0.cloud).map_err(Error::Malformed)
    }

    /// As [`Graph::call`]; a batch has waited for the turns of its requests already.
    pub(super) async fn call_within(&self, request: &Request, until: Instant, take_turn: bool) -> Result<Answer, Error> {
        let url = self.url(request)?;
        let mut token = self.token(until).await?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_once(request, &url, &token, tries, until, take_turn).await {
                Ok(answer) => return Ok(answer),
                Err(Setback::Token(refusal)) => match self.another_token(&token, until).await? {
                    Some(fresh) => token = fresh,
                    None => return Err(refusal.into_error()),
                },
                Err(Setback::Again { at, or }) => {
                    if at >= until {
                        return Err(beyond(at, or));
                    }
                    sleep_until(at).await;
                    token = self.token(until).await?;
                }
                Err(Setback::End(error)) => return Err(error),
            }
        }
    }

    async fn try_once(
        &self,
        request: &Request,
        url: &Url,
        token: &Token,
        tries: u32,
        until: Instant,
        take_turn: bool,
    ) -> Result<Answer, Setback> {
        let content = request.content();
        let turn = if take_turn {
            let bytes = content.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
            Some(
                self.0
                    .turns
                    .turn(&request.toll, bytes, until)
                    .await
                    .map_err(|late| Setback::End(late.into()))?,
            )
        } else {
            None
        };
        let mut outgoing = self
            .0
            .http
            .to(request.verb.method(), url.clone())
            .header("authorization", bearer(token).map_err(Setback::End)?)
            .header("accept", "application/json")
            .header("prefer", request.preferences())
            .header("client-request-id", self.0.random.uuid());
        if let Some((kind, bytes)) = content {
            outgoing = outgoing.header("content-type", kind).body(bytes);
        }
        let outcome = self.0.http.send(outgoing, request.limit, until).await;
        drop(turn);
        match outcome {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(Answer {
                status: reply.status,
                request_id: reply.header("request-id").map(super::words::word),
                date: reply
                    .header("date")
                    .and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok())
                    .map(|date| date.to_utc()),
                body: reply.body,
                tries,
            }),
            Ok(reply) => Err(self.setback(request, token, &reply, tries)),
            Err(NoReply::TooLarge { limit, status }) if status < 300 => Err(Setback::End(Error::Malformed(Malformed::TooLarge(limit)))),
            Err(NoReply::TooLarge { status, .. }) => {
                // Too long to be read, but its status says enough.
                let refusal = Refusal::of_parts(status, &serde_json::Value::Null, None);
                Err(self.weigh(request, refusal, None, tries))
            }
            Err(NoReply::Transport(transport)) => {
                let error = Error::Transport(transport.clone());
                if tries < retry::TRIES && (request.again || !transport.in_doubt) {
                    let at = self.later(tries, None);
                    Err(Setback::Again { at, or: error })
                } else {
                    Err(Setback::End(error))
                }
            }
        }
    }

    fn setback(&self, request: &Request, token: &Token, reply: &Reply, tries: u32) -> Setback {
        let mut refusal = Refusal::of(reply);
        clean(&mut refusal, token);
        let asked = reply
            .header("retry-after")
            .and_then(|value| retry::retry_after(value, self.0.clock.now()));
        self.weigh(request, refusal, asked, tries)
    }

    /// What a refusal means for the next try.
    fn weigh(&self, request: &Request, refusal: Refusal, asked: Option<Duration>, tries: u32) -> Setback {
        match self.next_try(request, &refusal, asked, tries) {
            Some(at) => Setback::Again {
                at,
                or: refusal.into_error(),
            },
            None if refusal.kind == Kind::TokenRefused => Setback::Token(refusal),
            None => Setback::End(refusal.into_error()),
        }
    }

    /// When to ask again after `refusal`, if that makes sense. A 429 holds back everybody who would ask at the same place.
    pub(super) fn next_try(&self, request: &Request, refusal: &Refusal, asked: Option<Duration>, tries: u32) -> Option<Instant> {
        match refusal.kind {
            Kind::Throttled => {
                let at = self.later(tries, asked);
                self.0.turns.hold(&request.toll, at);
                Some(at)
            }
            // 501 and 505 are said of the request, not of the moment.
            Kind::Unavailable if request.again && tries < retry::TRIES && !matches!(refusal.status, 501 | 505) => {
                Some(self.later(tries, asked))
            }
            _ => None,
        }
    }

    fn later(&self, tries: u32, asked: Option<Duration>) -> Instant {
        Instant::now() + retry::wait(tries, asked, self.0.random.fraction())
    }

    pub(super) async fn token(&self, until: Instant) -> Result<Token, Error> {
        Ok(self.0.tokens.token(Resource::Graph, until).await?)
    }

    /// A token in place of a refused one; `None` if a fresh one was refused as well.
    pub(super) async fn another_token(&self, refused: &Token, until: Instant) -> Result<Option<Token>, Error> {
        let fresh = self.0.tokens.replace(Resource::Graph, refused, until).await?;
        Ok((!fresh.is(refused)).then_some(fresh))
    }

    fn url(&self, request: &Request) -> Result<Url, Error> {
        let root = self.0.cloud.graph_root();
        let relative = request.relative(&root).map_err(Error::Malformed)?;
        Url::parse(&format!("{root}{relative}"))
            .ok()
            .filter(|url| self.0.cloud.owns(url))
            .ok_or(Error::Malformed(Malformed::Request))
    }
}

impl From<TooLate> for Error {
    fn from(late: TooLate) -> Self {
        Self::Throttled {
            wait: late.at.map(|at| at.saturating_duration_since(Instant::now())),
            refusal: None,
        }
    }
}

/// The error where asking again would come after the deadline.
pub(super) fn beyond(at: Instant, error: Error) -> Error {
    match error {
        Error::Refused(refusal) if refusal.kind == Kind::Throttled => Error::Throttled {
            wait: Some(at.saturating_duration_since(Instant::now())),
            refusal: Some(refusal),
        },
        error => error,
    }
}

/// Takes our token out of what the service said: some quote what they refuse.
pub(super) fn clean(refusal: &mut Refusal, token: &Token) {
    if !refusal.code.is_empty() || !refusal.message.is_empty() {
        let scrubber = Scrubber::new("", token.bearer());
        refusal.code = scrubber.scrub(&refusal.code);
        refusal.message = scrubber.scrub(&refusal.message);
    }
}

fn bearer(token: &Token) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.bearer().expose_secret()))
        .map_err(|_| super::sign_in::SignInError::Malformed("the token cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
