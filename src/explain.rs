//! What happened to a probe, in one plain sentence for the administrator who is woken by it, and one next step.
mod span;
pub use span::{interval, span};
