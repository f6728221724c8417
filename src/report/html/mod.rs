//! Pages: the frame that all of them share.

mod escaper;
mod page;

pub use page::{Frame, Link, Page, Reach, page};
