//! mailflow measures whether mail really reaches the people and roles it is meant for.
//!
//! It sends uniquely tagged probe messages, watches the receiving mailboxes, and reports for each recipient where the message landed, how long
//! it took, and what to do about it. Its promise: it never calls delivered what it did not see, nor lost what it did not look for.
//!
//! # The house
//!
//! Who may know whom, only downwards; siblings on a floor never, but [`run`] knows the traits of [`send`], [`watch`] and [`journal`].
//! `tests/walls.rs` reads the `crate::` paths of every file and holds this picture to be true.
//!
//! ```text
//! main ── cli         arguments; no behaviour
//!  └─ app             one file a verb: the only place that knows everybody, reads the environment, writes the bytes
//!      ├─ run         the loop: when to send, where to look, when to end
//!      │   ├─ send    trait Sender:  smtp (a named host), mx (by DNS), graph (from inside a tenant)
//!      │   ├─ watch   trait Watcher: imap, graph
//!      │   └─ journal trait Log:     events of each run in SQLite, the tag key, the lock of a live run
//!      ├─ alert       what changed and who is told; one file a service: webhook, Slack, Teams, PagerDuty, Opsgenie, ntfy, mail
//!      ├─ web         the pages of `serve`: who may see them, and the HTTP around them
//!      ├─ report      one file a format: a judged run becomes bytes
//!      ├─ config      site and scenario: text becomes values, every mistake with its place; the sources of secrets
//!      ├─ posture     what the DNS and the mail hosts show of a domain: MX, SPF, DKIM, DMARC, TLS; one file a check
//!      └─ postoffice  the embedded mail world of the demo and of the fast tests; knows nobody
//!      microsoft      Microsoft 365: signing in, and the one client for all calls to Graph; for send and watch
//!  ─────────────────────────────────────────────────────────────── below: pure, values in, values out
//!      plan           site x scenario x start: every probe with its deadlines
//!      compose        a probe becomes an RFC 5322 message, one file a kind
//!      evidence       bytes become findings: whose tag, a copy or a notification or an answer, what was altered
//!      schedule       cron expressions and time zones: what is due, what was missed
//!      judge          plan x events x now: verdicts
//!      explain        a judged probe: one sentence, one next step
//!      history        the outcomes of many runs: success, latency, flapping, since when
//!      compare        two judged runs, or two routes of one: what is different
//!  ─────────────────────────────────────────────────────────────── ground
//!      model          the nouns
//!      clock, tls     one monotonic UTC clock; one way of opening TLS
//!      dns            one way of asking the DNS
//!      scrub          takes secrets out of what servers say
//!      credentials    who signs in at a mail server, with a secret that is asked for each time
//! ```
//!
//! # The data
//!
//! It goes through once and never turns back. The journal is the only meeting place: senders and watchers say what happened, as
//! [`model::Event`]s; judging and reporting read them. A stored run is judged again from the same events, so every report can be made later.
//!
//! ```text
//! site, scenario ─▶ plan ─▶ run ──send──▶ the world ──watch──▶ run ─▶ journal ─▶ judge ─▶ explain ─▶ report
//! ```
//!
//! # Rules that carry the weight
//!
//! - A refusal is an answer of the mail system ([`send::Answer`]); no connection or a refused login is our trouble ([`send::Trouble`]).
//! - A probe stands in the journal, flushed to disk, before its first byte leaves; after the final dot nothing is sent again.
//! - `lost` needs proof: a [`model::What::Looked`] from every place after the give-up time. Without it the verdict is `unknown`.
//! - A [`model::Tag`] exists only if it was made or verified with the site's key; only messages with one are fetched whole, kept, or deleted.
//! - Time, randomness and the environment come in as arguments; `clippy.toml` names what is forbidden elsewhere.
//! - A mail server, a message and a header are hostile: bounded reads, no panics, escaped wherever they are shown.

pub mod alert;
pub mod app;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod compose;
pub mod config;
pub mod credentials;
pub mod dns;
pub mod evidence;
pub mod explain;
pub mod history;
pub mod journal;
pub mod judge;
pub mod microsoft;
pub mod model;
pub mod plan;
pub mod postoffice;
pub mod posture;
pub mod report;
pub mod run;
pub mod schedule;
pub mod scrub;
pub mod send;
pub mod tls;
pub mod watch;
pub mod web;
