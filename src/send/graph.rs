//! The route from inside a tenant: Microsoft Graph's `sendMail`, with the message as MIME, so that it leaves as it was composed.
//!
//! 202 means that the message was handed to transport; what becomes of it there comes back to the sender's own mailbox. What it cannot show: the
//! inbound edge. Mail from inside passes no gateway, no filter for strangers and no restriction on outside senders.

use super::{Answer, Parcel, Permit, Sender, Trouble};
use super::{failure::Stage, pace::Pace, settings::Conduct};
use crate::{
    clock::Clock,
    microsoft::{Error, Graph, Kind, Request, Resource, Toll},
    model::{Attempt, GraphAccess, Reply, Time},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::Instant};

/// How long one call may take, waits for the service's limits included.
const PATIENCE: Duration = Duration::from_secs(90);

/// Sends as one mailbox of a tenant.
pub struct GraphSender {
    graph: Graph,
    user: String,
    pace: Pace,
    places: Arc<Semaphore>,
    clock: Clock,
}

impl GraphSender {
    /// A sender that sends as `access` says, over `graph`, which is signed in to that tenant.
    pub fn new(graph: Graph, access: &GraphAccess, conduct: &Conduct) -> Self {
        Self {
            graph,
            user: access.user.clone(),
            pace: Pace::new(conduct.rate),
            places: Arc::new(Semaphore::new(usize::from(conduct.connections.max(1)))),
            clock: conduct.clock,
        }
    }

    fn attempt(&self, at: Time, reply: Reply, in_doubt: bool) -> Attempt {
        Attempt {
            at,
            ended_at: self.clock.now(),
            host: format!("Microsoft Graph, as {}", self.user),
            tls: None,
            reply,
            stage: Stage::Body.word().to_owned(),
            in_doubt,
        }
    }
}

#[async_trait]
impl Sender for GraphSender {
    async fn ready(&self) -> Permit {
        // Closed never, so it gives a permit always.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        self.pace.turn().await;
        Permit(place)
    }

    async fn send(&self, _permit: &Permit, parcel: &Parcel, _tries: u32) -> Result<Answer, Trouble> {
        let at = self.clock.now();
        let request = Request::post(&["users", &self.user, "sendMail"], Toll::Mailbox(self.user.clone())).mime(&parcel.message);
        match self.graph.call(&request, Instant::now() + PATIENCE).await {
            Ok(answer) => {
                let id = answer.request_id.map(|id| format!(" (request {id})")).unwrap_or_default();
                let reply = Reply {
                    code: Some(answer.status),
                    enhanced: None,
                    text: format!("handed to transport{id}"),
                    ours: false,
                };
                Ok(Answer {
                    attempt: self.attempt(at, reply, false),
                    more_hosts: false,
                })
            }
            Err(error) => self.failed(at, &error),
        }
    }

    async fn check(&self, _hop: Option<&(String, Option<String>)>, _recipient: &str) -> Result<String, String> {
        // Whether the app may send, its permissions tell: only sending would try.
        let token = self.graph.tokens().token(Resource::Graph, Instant::now() + PATIENCE).await;
        token.map_err(|error| error.to_string())?;
        Ok(format!(
            "signed in to {}; would send as {}",
            self.graph.tokens().sign_in().tenant(),
            self.user
        ))
    }

    async fn close(&self) {}
}

impl GraphSender {
    /// A refusal of this message is the mail system's answer; everything else is trouble of ours with the service.
    fn failed(&self, at: Time, error: &Error) -> Result<Answer, Trouble> {
        let is_answer = matches!(error, Error::Refused(refusal) if refusal.kind == Kind::Other && refusal.status < 500);
        let reply = Reply {
            code: None,
            enhanced: None,
            text: error.to_string(),
            ours: !is_answer,
        };
        let attempt = self.attempt(at, reply, error.in_doubt());
        if is_answer {
            return Ok(Answer {
                attempt,
                more_hosts: false,
            });
        }
        let hopeless = match error {
            Error::SignIn(error) => !error.is_passing(),
            Error::Refused(_) | Error::Malformed(_) => true,
            Error::Throttled { .. } | Error::Server(_) | Error::Transport(_) => false,
        };
        Err(Trouble {
            attempt,
            more_hosts: false,
            hopeless,
        })
    }
}
