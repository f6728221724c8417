//! The client for Microsoft 365 against a scripted server on loopback: each request as it goes over the wire, and what comes of each answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(clippy::disallowed_methods, reason = "tests hand in the time")]

mod batches;
mod calls;
mod certificates;
mod hostile;
mod keeping;
mod pages;
mod server;
mod signing_in;
mod world;
