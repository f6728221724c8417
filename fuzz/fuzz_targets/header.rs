//! Headers of arrived copies: hops, authentication results, filters, signatures. What is given stands above a probe's own header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailflow::compose::compose;
use mailflow_fuzz::WORLD;

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let probe = &world.plan.probes[data.len() % world.plan.probes.len()];
    let mut message = data.to_vec();
    // An empty line would end the header before ours begins; those are the target `message`'s business.
    message.retain(|byte| *byte != 0);
    if !message.ends_with(b"\n") {
        message.extend(b"\r\n");
    }
    message.extend(compose(&world.plan, probe));
    world.read(&message);
});
