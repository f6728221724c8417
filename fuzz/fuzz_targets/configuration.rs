//! Sites and scenarios: whatever the text, the answer is values or mistakes with their places, and rendering those ends too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailflow::config::{read_scenario, read_site};
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(mistakes) = read_site(Path::new("mailflow.yaml"), text) {
        assert!(!mistakes.render(true).is_empty());
    }
    if let Err(mistakes) = read_scenario(Path::new("scenario.yaml"), text) {
        assert!(!mistakes.render(false).is_empty());
    }
});
