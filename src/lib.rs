//! mailflow: measures whether mail reaches the people and roles it is meant for.
pub mod clock;
pub mod config;
pub mod evidence;
pub mod model;
pub mod send;
pub mod watch;
