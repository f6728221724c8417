//! Microsoft 365: signing in, and the one client through which every call to Microsoft Graph goes.
//!
//! [`SignIn`] says who we are, [`Tokens`] keeps what that yields, [`Exchange`] hands it to IMAP and SMTP, [`Graph`] makes the calls: inside the service's limits ([`Turns`]), with a
//! bound on every reply and on every wait, and only to the host that the [`Cloud`] fixes. What it cannot see: what an answer means for a probe
//! (that is for `watch` and `send`), and whether a permission that was granted inside Exchange alone (RBAC for Applications) is there before a
//! call needs it.

mod aadsts;
mod batch;
mod client;
mod cloud;
mod error;
mod exchange;
mod http;
mod page;
pub mod permissions;
mod random;
mod request;
mod retry;
pub mod sign_in;
mod throttle;
mod tokens;
mod words;

pub use aadsts::{Advice, Then, advice};
pub use client::{Answer, Graph};
pub use cloud::{Cloud, Resource};
pub use error::{Error, Kind, Malformed, Refusal, Transport};
pub use exchange::{Exchange, meant_for_graph};
pub use http::{Http, HttpSettings};
pub use page::{Link, Page, Pages};
pub use random::Random;
pub use request::Request;
pub use sign_in::{SignIn, SignInError};
pub use throttle::{Limits, Toll, TooLate, Turn, Turns, Usage};
pub use tokens::{Token, Tokens};

/// Microsoft's own application behind the message trace; a tenant must know it before the trace answers.
pub const TRACE_APP: &str = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373";
