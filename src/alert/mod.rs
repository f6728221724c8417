//! Alerts: what changed, who is told, and how each service likes to be told.
//!
//! [`decide()`] is pure: a judged run and how its subjects stood before become what a target is told. Each service has its file, which makes a message
//! into a [`Request`] by that service's documentation; `mail` makes one into a message for a server of its own. [`Courier`] carries a request, and
//! says whether it arrived, may later, or never will. What it cannot see: whether anybody reads an alert.

mod carry;
mod decide;
mod mail;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod slack;
mod teams;
mod webhook;
mod words;

pub use carry::{Courier, Outcome, Request, pause};
pub use decide::{About, Decision, decide, missed, trial};
pub use mail::compose as compose_mail;
pub use webhook::check as check_template;

use crate::model::{AlertMessage, AlertService, SecretSource};
use secrecy::SecretString;

/// What a service is entered with.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The address, or the integration's key.
    pub main: SecretString,
    /// A token beside it.
    pub token: Option<SecretString>,
}

/// Where the keys of a service come from; a message by mail has none here.
pub fn sources(service: &AlertService) -> Option<(&SecretSource, Option<&SecretSource>)> {
    match service {
        AlertService::Webhook { url, token, .. } | AlertService::Ntfy { url, token } => Some((url, token.as_ref())),
        AlertService::Slack { url } | AlertService::Teams { url } => Some((url, None)),
        AlertService::PagerDuty { key, .. } | AlertService::Opsgenie { key, .. } => Some((key, None)),
        AlertService::Mail { .. } => None,
    }
}

/// The request that tells a service of a message.
///
/// # Errors
/// A sentence: an address that is none, or a template that comes to nothing. It holds no secret.
pub fn request(service: &AlertService, keys: &Keys, message: &AlertMessage) -> Result<Request, String> {
    match service {
        AlertService::Webhook { template, .. } => webhook::request(keys, template.as_ref(), message),
        AlertService::Slack { .. } => Request::json(keys.main.clone(), &slack::body(message)),
        AlertService::Teams { .. } => Request::json(keys.main.clone(), &teams::body(message)),
        AlertService::PagerDuty { url, .. } => pagerduty::request(keys, url.as_deref(), message),
        AlertService::Opsgenie { url, .. } => opsgenie::request(keys, url.as_deref(), message),
        AlertService::Ntfy { .. } => ntfy::request(keys, message),
        AlertService::Mail { .. } => Err("an alert by mail is no request".to_owned()),
    }
}

#[cfg(test)]
mod tests;
