//! Watching the mailboxes of a simulated Microsoft 365 tenant over real HTTPS: what lies where and since when, what moved or went, what is wrong
//! when nothing can be seen, and that of other people's mail nothing is asked for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

#[allow(dead_code, reason = "shared with the tests of the tenant, which use all of it")]
#[expect(clippy::disallowed_methods, reason = "the environment says where Microsoft's description lies")]
mod contract;
#[allow(dead_code, reason = "shared with the tests of the client, which use all of it")]
#[path = "microsoft/server.rs"]
mod server;
mod watch;
mod watch_graph {
    pub mod asked;
    pub mod blind;
    pub mod group;
    pub mod hostile;
    pub mod moves;
    pub mod places;
    pub mod trace;
    pub mod trouble;
    pub mod world;
}
