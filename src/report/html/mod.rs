//! Pages: the report of runs, and the frame that all pages share.
//!
//! A page is one file: it works from an attachment, and shows everything without script and on paper. The script only filters.
//!
//! What pages cannot show: what somebody's mail program leaves of them. Some show attachments without styles; the words then still say it all.

mod charts;
pub(super) mod escaper;
mod findings;
mod hero;
mod matrix;
mod page;
mod probes;
mod report;
#[cfg(test)]
mod tests;
mod view;

pub use charts::Undrawn;
pub use page::{Frame, Link, Page, Reach, page};
pub(super) use report::render;
