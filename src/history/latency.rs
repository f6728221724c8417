//! How long messages took, over many runs.

use crate::model::{Latencies, Past};

/// From so many arrivals on, a 95th percentile says more than the longest does.
pub const ENOUGH: usize = 20;

/// The latencies of those that arrived; `None` if none did.
pub(super) fn of(past: &[Past]) -> Option<Latencies> {
    let mut sorted: Vec<f64> = past
        .iter()
        .filter_map(|past| past.latency_ms)
        .filter(|latency| latency.is_finite())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(Latencies {
        arrived: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        median_ms: rank(&sorted, 50)?,
        p95_ms: rank(&sorted, 95).filter(|_| sorted.len() >= ENOUGH),
        longest_ms: *sorted.last()?,
    })
}

/// The nearest rank: the smallest of them that at least so many of a hundred do not exceed.
fn rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let index = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(index).copied()
}
