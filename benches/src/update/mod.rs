//! `bench update`: what updates of a policy cost the requests that run meanwhile, by each path of delivery.
//!
//! One load runs while turns with updates and turns without them take each other's place; then updates come without load, so that the kernel's
//! accounting tells what each thread spent on one; then memory is looked at.

mod delivery;

pub(crate) use delivery::Bundles;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use portcullis_integration::load::{Load, Sent, Shape};
use portcullis_integration::releases;
use serde_json::{Value, json};

use crate::Error;
use crate::envoy::worker::{Worker, thread_ns};
use crate::report::{self, Figures};
use delivery::{Gateway, Path, Programs};

const MIB: f64 = 1_048_576.0;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Portcullis as a wasm module
    #[arg(long)]
    filter: PathBuf,
    /// Envoy's binary
    #[arg(long)]
    envoy: PathBuf,
    /// The compiler, whose control service sends what comes over xDS
    #[arg(long)]
    compiler: PathBuf,
    /// Updates under load
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    updates: u64,
    /// Updates while memory is looked at, from the first on
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    memory_updates: u64,
    /// Bytes of the bundle, about
    #[arg(long, default_value_t = 2 << 20)]
    bytes: usize,
    /// Milliseconds between two updates under load
    #[arg(long, default_value_t = 500)]
    pause_ms: u64,
    /// Clients, each with a connection of its own
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Paths to measure
    #[arg(long, value_delimiter = ',', default_value = "file,xds,poll")]
    paths: Vec<Path>,
}

/// Runs the benchmark and writes `target/bench/update.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let mut bundles = Bundles::of(options.bytes)?;
    let (mut figures, mut details) = (Figures::default(), json!({}));
    println!("bundle of {:.2} MiB, {} updates", bundles.len() as f64 / MIB, options.updates);
    println!(
        "{:<6} {:<8} {:>8} {:>5} {:>8} {:>8} {:>8}",
        "path", "load", "requests", "lost", "p50 µs", "p99 µs", "max µs"
    );
    figures.add("bundle_mib", bundles.len() as f64 / MIB, 2);
    for path in &options.paths {
        details[path.name()] = measure(options, *path, &mut bundles, &mut figures)?;
    }
    report::finish("update", &figures, &details)
}

fn measure(
    options: &Options,
    path: Path,
    bundles: &mut Bundles,
    figures: &mut Figures,
) -> Result<Value, Error> {
    let programs =
        Programs { filter: &options.filter, envoy: &options.envoy, compiler: &options.compiler };
    let mut gateway = Gateway::start(&programs, path, bundles)?;
    let Compared { without, with, lost, losses } = compared(options, &mut gateway, bundles)?;

    let cpu = cpu(&mut gateway, bundles, 20)?;
    let held_up = held_up(&mut gateway, bundles, 20)?;
    let memory = memory(&mut gateway, bundles, options.memory_updates)?;
    row(path, "without", &without, 0);
    row(path, "updates", &with, lost);
    for loss in &losses {
        println!("       lost: {loss}");
    }
    let name = |what: &str| format!("{}_{what}", path.name());
    let us = |sent: &Sent, share| sent.latency(share).as_secs_f64() * 1e6;
    let ratio = us(&with, 0.99) / us(&without, 0.99).max(1.0);
    for (what, value, decimals) in [
        ("lost", lost as f64, 0),
        ("p50_us", us(&with, 0.5), 0),
        ("p99_us", us(&with, 0.99), 0),
        ("max_us", us(&with, 1.0), 0),
        ("p99_ratio", ratio, 2),
        ("update_ms", held_up.slowest.as_secs_f64() * 1e3, 0),
        ("worker_stall_ms", held_up.usual, 1),
        ("worker_stall_most_ms", held_up.most, 1),
        ("worker_cpu_ms", cpu.worker, 1),
        ("main_stall_ms", cpu.main, 1),
        ("rss_first_mib", memory.first, 1),
        ("rss_last_mib", memory.last, 1),
        ("rss_peak_mib", memory.peak, 1),
    ] {
        figures.add(&name(what), value, decimals);
    }
    println!(
        "       p99 {ratio:.2} times, slowest update {:.0} ms; a worker holds up requests for {:.1} ms, {:.1} at most, and \
         spends at most {:.1} ms on an update, the main thread {:.1} ms",
        held_up.slowest.as_secs_f64() * 1e3,
        held_up.usual,
        held_up.most,
        cpu.worker,
        cpu.main
    );
    println!(
        "       memory after 10 updates {:.1} MiB, after {} {:.1} MiB, peak {:.1} MiB",
        memory.first, options.memory_updates, memory.last, memory.peak
    );
    Ok(json!({
        "requests_without": without.answered.len(),
        "requests_with": with.answered.len(),
        "p99_us_without": us(&without, 0.99),
        "max_us_without": us(&without, 1.0),
        "losses": losses,
    }))
}

/// Updates, and pauses without one, that follow each other before it is the other's turn: what else the machine does
/// meets both alike.
const TURN: u64 = 10;

/// What one load saw, apart for the time with and the time without updates.
struct Compared {
    without: Sent,
    with: Sent,
    /// Requests lost in all that time.
    lost: usize,
    losses: Vec<String>,
}

fn compared(
    options: &Options,
    gateway: &mut Gateway,
    bundles: &mut Bundles,
) -> Result<Compared, Error> {
    let shape = Shape { kept: options.clients, fresh: 1, pause: Duration::from_millis(5) };
    let load = || Load::start(gateway.envoy.address(), &releases::requests(), shape);
    // Before the first bundle is fetched every request is refused, and a worker has a gauge once it has served.
    let warm = load();
    gateway.await_served(bundles.epoch())?;
    warm.stop();
    let load = load();
    std::thread::sleep(Duration::from_millis(500));
    let pause = Duration::from_millis(options.pause_ms);
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for first in (0..options.updates).step_by(TURN as usize) {
        let turn = TURN.min(options.updates - first);
        for (windows, updates) in [(&mut quiet, false), (&mut busy, true)] {
            let began = Instant::now();
            for _ in 0..turn {
                let next = Instant::now() + pause;
                if updates {
                    gateway.publish(&bundles.next())?;
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                // One look, with updates or without: the page costs the main thread something too.
                gateway.await_served(bundles.epoch())?;
            }
            windows.push((began, began.elapsed()));
        }
    }
    let Sent { answered, lost, losses } = load.stop();
    let of = |windows: &[(Instant, Duration)]| {
        let is_in =
            |at: Instant| windows.iter().any(|(from, lasts)| (*from..*from + *lasts).contains(&at));
        let answered = answered.iter().filter(|(at, _)| is_in(*at)).copied().collect();
        Sent { answered, ..Sent::default() }
    };
    Ok(Compared { without: of(&quiet), with: of(&busy), lost, losses })
}

fn row(path: Path, load: &str, sent: &Sent, lost: usize) {
    let us = |share| sent.latency(share).as_micros();
    println!(
        "{:<6} {load:<8} {:>8} {lost:>5} {:>8} {:>8} {:>8}",
        path.name(),
        sent.answered.len(),
        us(0.5),
        us(0.99),
        us(1.0)
    );
}

/// Milliseconds of CPU that one update took at most: of one worker, in slices between which it serves, and of the main
/// thread.
struct Cpu {
    worker: f64,
    main: f64,
}

fn cpu(gateway: &mut Gateway, bundles: &mut Bundles, updates: u32) -> Result<Cpu, Error> {
    let worker = Worker::of(gateway.envoy.id())?;
    let mut most = Cpu { worker: 0.0, main: 0.0 };
    for _ in 0..updates {
        std::thread::sleep(Duration::from_millis(300));
        let (before, main) = (worker.each_ns()?, thread_ns(gateway.envoy.id())?);
        gateway.publish(&bundles.next())?;
        // No look at the statistics meanwhile: the main thread would be busy with that.
        std::thread::sleep(Duration::from_millis(1200));
        let (after, main_after) = (worker.each_ns()?, thread_ns(gateway.envoy.id())?);
        gateway.await_served(bundles.epoch())?;
        let spent = after.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before));
        most.worker = most.worker.max(spent.max().unwrap_or(0) as f64 / 1e6);
        most.main = most.main.max(main_after.saturating_sub(main) as f64 / 1e6);
    }
    Ok(most)
}

/// Milliseconds by which an update makes the longest of the requests meanwhile longer.
struct HeldUp {
    /// By the median of all updates.
    usual: f64,
    /// By the longest of all, which shows what else slows the machine down too.
    most: f64,
    /// From the publication until every worker serves it, at most.
    slowest: Duration,
}

/// Connections that next to nothing else uses are asked all the time, before each update for as long as during it.
fn held_up(gateway: &mut Gateway, bundles: &mut Bundles, updates: u32) -> Result<HeldUp, Error> {
    let shape = Shape { kept: 4, fresh: 0, pause: Duration::from_micros(500) };
    let load = Load::start(gateway.envoy.address(), &releases::requests(), shape);
    let mut windows = Vec::new();
    for _ in 0..updates {
        std::thread::sleep(Duration::from_millis(700));
        let published = Instant::now();
        gateway.publish(&bundles.next())?;
        gateway.await_served(bundles.epoch())?;
        windows.push((published, published.elapsed()));
    }
    let sent = load.stop();
    let longest = |from: Instant, lasts: Duration| {
        let meanwhile =
            sent.answered.iter().filter(|(at, took)| *at < from + lasts && *at + *took > from);
        meanwhile.map(|(_, took)| *took).max().unwrap_or_default()
    };
    let sorted = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all
    };
    let during = sorted(windows.iter().map(|(at, lasts)| longest(*at, *lasts)).collect());
    let before = sorted(windows.iter().map(|(at, lasts)| longest(*at - *lasts, *lasts)).collect());
    let longer = |place: usize| {
        let of = |all: &[Duration]| all.get(place).copied().unwrap_or_default();
        of(&during).saturating_sub(of(&before)).as_secs_f64() * 1e3
    };
    Ok(HeldUp {
        usual: longer(during.len() / 2),
        most: longer(during.len().saturating_sub(1)),
        slowest: windows.iter().map(|(_, lasts)| *lasts).max().unwrap_or_default(),
    })
}

/// Resident memory in MiB.
struct Memory {
    first: f64,
    last: f64,
    peak: f64,
}

fn memory(gateway: &mut Gateway, bundles: &mut Bundles, updates: u64) -> Result<Memory, Error> {
    let mut memory = Memory { first: 0.0, last: 0.0, peak: 0.0 };
    for update in 1..=updates.max(11) {
        gateway.publish(&bundles.next())?;
        gateway.await_served(bundles.epoch())?;
        let usage = gateway.envoy.usage()?;
        memory.last = usage.resident as f64 / MIB;
        memory.peak = usage.peak as f64 / MIB;
        if update == 10 {
            memory.first = memory.last;
        }
    }
    Ok(memory)
}
