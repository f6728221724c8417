//! The simulated Microsoft 365 tenant, asked over real HTTPS, and held against Microsoft's own description of the API.
//!
//! Each reply that a test gets passes the contract on its way (see `contract`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends"
)]

#[allow(dead_code, reason = "shared with the tests of our own client, which use all of it")]
mod contract;
mod tenant {
    mod client;
    mod defender;
    mod limits;
    mod mail;
    mod misspelt;
    mod refusals;
    mod rounds;
    mod send;
    mod sign_in;
    mod trace;
    mod witness;
}
