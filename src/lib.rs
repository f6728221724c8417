//! mailflow: measures whether mail reaches the people and roles it is meant for.
pub mod app;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod evidence;
pub mod explain;
pub mod journal;
pub mod judge;
pub mod model;
pub mod plan;
pub mod postoffice;
pub mod report;
pub mod run;
pub mod send;
pub mod tls;
pub mod watch;
