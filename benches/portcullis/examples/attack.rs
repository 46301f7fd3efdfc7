//! Judges the requests of `bench attack` or `bench crs` natively, many times: what callgrind and perf look at.
//!
//! `attack INPUT_DIRECTORY VARIANT PASSES`, on what these have left under target/bench/attack or target/bench/crs.

use std::hint::black_box;
use std::time::Instant;

use portcullis_bench_engine::Gateway;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("attack INPUT_DIRECTORY VARIANT PASSES");
    let (directory, variant, passes) = (next(), next(), next().parse::<u32>().expect("a number"));
    let read = |name: &str| {
        std::fs::read(format!("{directory}/{name}")).expect("run `bench attack` first")
    };
    let mut gateway = Gateway::open(&read(&format!("{variant}.bundle"))).expect("a sound bundle");
    let bytes = read("messages");
    let input: serde_json::Value = serde_json::from_slice(&read("input.json")).expect("JSON");
    let mut rest = bytes.as_slice();
    let lengths = input["lengths"].as_array().expect("a list").iter();
    let messages: Vec<&[u8]> = lengths
        .map(|length| rest.split_off(..length.as_u64().expect("a length") as usize).expect("bytes"))
        .collect();
    let (mut best, mut first) = (f64::INFINITY, None);
    for _ in 0..passes {
        let started = Instant::now();
        let passed = messages.iter().filter(|message| gateway.passes(black_box(message))).count();
        assert_eq!(*first.get_or_insert(passed), passed);
        best = best.min(started.elapsed().as_nanos() as f64 / messages.len() as f64);
    }
    println!(
        "{variant}: {} messages, {} without findings, {best:.0} ns per message at best",
        messages.len(),
        first.unwrap_or_default()
    );
}
