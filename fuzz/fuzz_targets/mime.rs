//! Bodies: MIME trees, encodings, HTML, links, attachments, below the header of a probe that is compared with what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailflow::compose::compose;
use mailflow_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let probe = &world.plan.probes[data.len() % world.plan.probes.len()];
    let original = compose(&world.plan, probe);
    let text = String::from_utf8_lossy(&original);
    let header = text.split("\r\n\r\n").next().unwrap_or_default();
    // Its own MIME fields give way to those that are given.
    let own: Vec<&str> = header
        .split("\r\n")
        .filter(|line| !line.starts_with("Content-") && !line.starts_with([' ', '\t']))
        .collect();
    let mut message = own.join("\r\n").into_bytes();
    message.extend(b"\r\n");
    message.extend(world.filled_in(data));
    world.read(&message);
});
