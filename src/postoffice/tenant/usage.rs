//! What a client asked of the tenant, in numbers: for tests, and for the closing note of a large run.
//!
//! Values only; `throttle` counts.

/// What a client asked of the tenant so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests to Graph, those in a batch each by itself.
    pub requests: u64,
    /// Requests for tokens.
    pub token_requests: u64,
    /// Requests to the message trace.
    pub trace_requests: u64,
    /// `$batch` requests.
    pub batches: u64,
    /// Requests that were answered with 429.
    pub throttled: u64,
    /// Of these, those that a stormy mailbox turned away although no limit was broken.
    pub storms: u64,
    /// Requests that came back before `Retry-After` was over.
    pub early: u64,
    /// The most requests in any second.
    pub peak_per_second: usize,
    /// The most requests in flight at once, all mailboxes together.
    pub peak_in_flight: usize,
    /// The most requests of an app to one mailbox in ten minutes.
    pub peak_mailbox: usize,
    /// The most requests of an app to one mailbox at the same time, those turned away included.
    pub peak_concurrency: usize,
    /// The most requests to the trace in five minutes, those turned away included.
    pub peak_trace: usize,
    /// How many requests broke a limit.
    pub violations: u64,
    /// The first of them, in words.
    pub described: Vec<String>,
}
