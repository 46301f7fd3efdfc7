//! Judges a corpus natively, many times: what callgrind and perf look at.
//!
//! `judge INPUT_DIRECTORY CORPUS PASSES`, on what `bench schema` has left under target/bench/schema.

use std::hint::black_box;
use std::time::Instant;

use portcullis_bench_engine::Engine;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("judge INPUT_DIRECTORY CORPUS PASSES");
    let (directory, corpus, passes) = (next(), next(), next().parse::<u32>().expect("a number"));
    let read = |suffix: &str| {
        std::fs::read(format!("{directory}/{corpus}.{suffix}")).expect("run `bench schema` first")
    };
    let mut engine = Engine::open(&read("bundle")).expect("a sound bundle");
    let bodies = read("bodies");
    let input = std::fs::read(format!("{directory}/input.json")).expect("run `bench schema` first");
    let input: serde_json::Value = serde_json::from_slice(&input).expect("a list of corpora");
    let mut corpora = input.as_array().expect("a list").iter();
    let own = corpora.find(|it| it["name"] == corpus.as_str()).expect("a corpus of the last run");
    let mut at = 0;
    let mut valid = Vec::new();
    for entry in own["index"].as_array().expect("a list") {
        let length = entry[0].as_u64().expect("a length") as usize;
        if entry[1] == true {
            valid.push(&bodies[at..at + length]);
        }
        at += length;
    }
    let mut best = f64::INFINITY;
    for _ in 0..passes {
        let started = Instant::now();
        assert!(valid.iter().all(|body| engine.accepts(black_box(body))));
        best = best.min(started.elapsed().as_nanos() as f64 / valid.len() as f64);
    }
    println!("{corpus}: {} bodies, {best:.0} ns per body at best", valid.len());
}
