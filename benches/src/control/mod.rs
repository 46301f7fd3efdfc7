//! `bench control`: what a fleet costs the control service. Simulated gateways poll it over HTTP/1.1 with ETags, as the
//! filter does through Envoy, and hold xDS streams; bundles are published one after another.
//!
//! Everything runs on one machine: how long a publication takes to reach all is as much the fleet's time as the
//! service's. CPU and memory are the service's alone.

mod fleet;
mod poller;
mod stream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_integration::http1::{Body, Connection, Request};
use portcullis_integration::usage::Usage;
use portcullis_integration::{Control, envoy};
use serde_json::{Value, json};

use crate::Error;
use crate::report::{self, Figures};
use crate::update::Bundles;
use fleet::Fleet;

const MIB: f64 = 1_048_576.0;
/// How long a publication may take to reach every gateway.
const LIMIT: Duration = Duration::from_secs(300);

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The compiler, which runs the control service
    #[arg(long)]
    compiler: PathBuf,
    /// Gateways that poll
    #[arg(long, default_value_t = 2000)]
    pollers: usize,
    /// Gateways that hold an xDS stream
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// Milliseconds between two polls of a gateway, a quarter of it random
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(50..))]
    interval_ms: u64,
    /// Bytes of the bundle, about
    #[arg(long, default_value_t = 2 << 20)]
    bytes: usize,
    /// Bundles to publish
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    publications: u64,
    /// Seconds of steady polls that are measured
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    steady: u64,
    /// A PostgreSQL server for the service, instead of a file
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
}

/// Runs the benchmark and writes `target/bench/control.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let (mut bundles, mut figures) = (Bundles::of(options.bytes)?, Figures::default());
    let key = Bundles::public_key();
    let dir = envoy::fresh_dir()?;
    let mut more = vec!["--trusted-key", &key, "--filter", "portcullis=bench"];
    if let Some(url) = &options.postgres {
        more.extend(["--postgres", url]);
    }
    let control = Control::start(&options.compiler, &dir, &more)?;
    publish(&control, &bundles.next())?;
    let size = bundles.len() as f64 / MIB;
    println!("bundle of {size:.2} MiB, {} pollers, {} streams", options.pollers, options.streams);
    let empty = Usage::of(control.id())?;
    let fleet = Arc::new(Fleet::new(options.pollers, options.streams));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let interval = Duration::from_millis(options.interval_ms);
    fleet.start(&runtime, control.address(), interval);

    probe(&fleet, control.address());
    let mut reached = Vec::new();
    reached.push(follow(&control, &fleet, bundles.epoch(), Instant::now())?);
    let before = Usage::of(control.id())?;
    fleet.clear();
    std::thread::sleep(Duration::from_secs(options.steady));
    let (after, mut steady) = (Usage::of(control.id())?, fleet.take());
    let polls = fleet.rounds.swap(0, Ordering::Relaxed) as f64 / options.steady as f64;
    let cpu = (after.cpu - before.cpu).as_secs_f64() / options.steady as f64;
    println!(
        "steady: {polls:.0} polls/s, p50 {} µs, p99 {} µs, {:.1} % of a core",
        percentile(&mut steady, 0.5),
        percentile(&mut steady, 0.99),
        cpu * 100.0
    );
    for _ in 0..options.publications {
        let next = bundles.next();
        let began = Instant::now();
        publish(&control, &next)?;
        reached.push(follow(&control, &fleet, bundles.epoch(), began)?);
    }
    let last = Usage::of(control.id())?;
    let (failures, busy) = (fleet.errors(), fleet.busy.load(Ordering::Relaxed));
    let errors: u64 = failures.values().sum();
    figures.add("pollers", options.pollers as f64, 0);
    figures.add("streams", options.streams as f64, 0);
    figures.add("bundle_mib", size, 2);
    figures.add("polls_per_s", polls, 0);
    figures.add("poll_p99_us", percentile(&mut steady, 0.99) as f64, 0);
    figures.add("steady_core_percent", cpu * 100.0, 1);
    figures.add("mib_empty", empty.resident as f64 / MIB, 1);
    figures.add("mib_steady", after.resident as f64 / MIB, 1);
    figures.add("mib_peak", last.peak as f64 / MIB, 1);
    figures.add("busy", busy as f64, 0);
    figures.add("errors", errors as f64, 0);
    println!(
        "memory: {:.1} MiB with one bundle and no gateway, {:.1} MiB with all, {:.1} MiB at the peak; {busy} polls were told to wait; {errors} errors: {failures:?}",
        empty.resident as f64 / MIB,
        after.resident as f64 / MIB,
        last.peak as f64 / MIB
    );
    report::finish("control", &figures, &json!({ "publications": reached }))
}

/// Polls on a connection and a thread of its own, so that what it waits for is the service and not the fleet.
fn probe(fleet: &Arc<Fleet>, to: SocketAddr) {
    let fleet = Arc::clone(fleet);
    let request = Request::get("/v1/policies/bench/bundle").header("if-none-match", "*");
    std::thread::spawn(move || {
        let Ok(mut connection) = Connection::open(to) else { return };
        loop {
            let began = Instant::now();
            if let Err(error) = connection.exchange(&request) {
                fleet.failed(&format!("probe: {error}"));
                return;
            }
            fleet.polled(began.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

fn publish(control: &Control, bundle: &[u8]) -> Result<(), Error> {
    let request = Request::new("POST", "/v1/policies/bench/bundles")
        .body(Body::Sized(bundle.to_vec()))
        .header("authorization", format!("Bearer {}", control.publisher))
        .header("connection", "close");
    match request.send(control.address())?.status {
        201 => Ok(()),
        status => Err(Error::Unexpected(format!("published: {status}\n{}", control.log()))),
    }
}

/// Waits until an epoch has reached every gateway, and tells how long each share of them took.
fn follow(control: &Control, fleet: &Fleet, epoch: u64, began: Instant) -> Result<Value, Error> {
    let (all, before) = (fleet.len(), Usage::of(control.id())?);
    let shares = [0.5, 0.9, 0.99, 1.0];
    let mut times = Vec::new();
    while times.len() < shares.len() {
        let reached = fleet.reached(epoch);
        while shares.get(times.len()).is_some_and(|share| reached as f64 >= share * all as f64) {
            times.push(began.elapsed());
        }
        if began.elapsed() > LIMIT {
            let told = format!("epoch {epoch} has reached {reached} of {all}\n{}", control.log());
            return Err(Error::Unexpected(told));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let usage = Usage::of(control.id())?;
    let cpu = usage.cpu - before.cpu;
    let mut polls = fleet.take();
    let p99 = percentile(&mut polls, 0.99);
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    println!(
        "epoch {epoch}, {} told to wait and {} errors so far: 50 % after {:.2} s, 90 % {:.2} s, 99 % {:.2} s, all {:.2} s; service {:.2} s CPU, {:.1} MiB; \
         p99 of a probe {p99} µs",
        fleet.busy.load(Ordering::Relaxed),
        fleet.errors().values().sum::<u64>(),
        seconds[0],
        seconds[1],
        seconds[2],
        seconds[3],
        cpu.as_secs_f64(),
        usage.resident as f64 / MIB
    );
    Ok(json!({
        "epoch": epoch, "seconds": { "50": seconds[0], "90": seconds[1], "99": seconds[2], "100": seconds[3] },
        "cpu_seconds": cpu.as_secs_f64(), "resident_mib": usage.resident as f64 / MIB, "poll_p99_us": p99,
    }))
}

/// Of times in microseconds.
fn percentile(times: &mut [u64], share: f64) -> u64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}
