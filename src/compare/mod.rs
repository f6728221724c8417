//! Comparing: two judged runs become what changed between them, and one run by two routes becomes a parity table. Pure: values in, values out.
//!
//! Probes are matched by recipient, route, message and case (without the route where routes are compared). Whatever is different between
//! the two of a pair is named, one file a kind of thing; what differs with every message anyway (queue ids, times, hosts of a cluster, a
//! filter's score that wobbles) is no difference. A pair of which one side is unknown is neither better nor worse: it could not be compared.
//!
//! What it cannot see: why. It compares what was measured; that a change of policy and a change of verdict belong together is for people to say.

mod alterations;
mod authentication;
mod filters;
mod latency;
mod later;
mod matching;
mod members;
mod pair;
mod parity;
mod placement;
mod requirements;
mod roles;
mod runs;
mod way;

pub use latency::{FEWEST_PAIRS, interval_of_median};
pub use parity::parity;
pub use runs::runs;

#[cfg(test)]
mod fixture;
