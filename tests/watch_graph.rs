//! Watching the mailboxes of a simulated Microsoft 365 tenant over real HTTPS: what lies where and since when, what moved or went, what is wrong
//! when nothing can be seen, and that of other people's mail nothing is asked for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails, and says why"
)]

mod watch;
mod watch_graph {
    pub mod asked;
    pub mod blind;
    pub mod moves;
    pub mod places;
    pub mod trouble;
    pub mod world;
}
