//! The formats for machines as those machines read them: promtool, Prometheus and its push gateway, a JUnit schema and reader, the reader of
//! performance data, GitHub's Markdown, Python's CSV, the protobuf of OTLP. The reports are the real binary's, of the demo and of the stored run
//! that holds everything.
//!
//! Needs the packages in `tests/packages`, and the Python of `tests/formats/requirements.txt` in `formats` below the target folder, both of which
//! `tests/run` installs. What is missing fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "formats/gateway.rs"]
mod gateway;
#[path = "formats/read.rs"]
mod read;
#[path = "formats/sent.rs"]
mod sent;
#[path = "formats/world.rs"]
mod world;
