//! The view of a run while it goes.
