//! The engine on this machine, without wasm.

use std::hint::black_box;

use portcullis_bench_engine::Gateway;

use super::modsecurity::cpu_ns;
use crate::Error;
use crate::attack::node;
use crate::traffic::Message;

/// CPU µs a message, all of it, in the fastest round.
pub(super) fn run(bundle: &[u8], rounds: u32, messages: &[&Message]) -> Result<f64, Error> {
    let mut gateway = Gateway::open(&[&[0], bundle].concat())
        .ok_or_else(|| Error::Bundle("it does not open".to_owned()))?;
    let written: Vec<Vec<u8>> = messages.iter().map(|message| node::write(message)).collect();
    let mut best = u64::MAX;
    // The first round warms up.
    for _ in 0..=rounds {
        let before = cpu_ns()?;
        for message in &written {
            black_box(gateway.passes(black_box(message)));
        }
        best = best.min(cpu_ns()? - before);
    }
    Ok(best as f64 / 1000.0 / messages.len() as f64)
}
