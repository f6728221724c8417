//! Whole messages: copies, bounces, reports, answers, in whatever state a server hands them out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailflow_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    WORLD.read(&WORLD.filled_in(data));
});
