//! mailflow: measures whether mail reaches the people and roles it is meant for.
pub mod clock;
pub mod evidence;
pub mod explain;
pub mod model;
pub mod report;
pub mod send;
pub mod watch;
