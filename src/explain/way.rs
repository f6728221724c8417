//! Where on its way a message waited, and whose clock is wrong.

use super::{quote, span};
use crate::model::{HopRecord, JudgedProbe};

/// So much of the whole way must one hop have taken before it is named as the place where it waited.
const MOST_OF_IT: f64 = 0.5;

/// The hop at which it stayed longest, if that was most of the way, and how long.
pub fn longest(probe: &JudgedProbe) -> Option<(&HopRecord, f64)> {
    let whole = probe.latency_ms?;
    let longest = probe.hops.iter().filter_map(|hop| Some((hop, hop.spent_ms?)));
    longest
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .filter(|(_, spent)| *spent >= whole * MOST_OF_IT)
}

/// The host that took a hop.
pub fn host(hop: &HopRecord) -> String {
    hop.hop
        .by
        .as_deref()
        .map_or_else(|| "a host without a name".to_owned(), quote::bounded)
}

/// How far a clock is off: `2:00 h ahead`.
pub fn off(skew_ms: f64) -> String {
    let direction = if skew_ms < 0.0 { "behind" } else { "ahead" };
    format!("{} {direction}", span(skew_ms.abs()))
}
