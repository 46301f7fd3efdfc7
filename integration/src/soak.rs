//! Load on a gateway while its policy changes under it.
//!
//! Signed bundles of rising epochs replace each other by ECDS, one of them corrupt, while clients on kept and on new
//! connections send requests whose answers are known. Nothing else may come back, and nothing may be reset.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::json;

use crate::Artefacts;
use crate::artefacts;
use crate::bootstrap::{Bootstrap, Filter};
use crate::cases::Suite;
use crate::discovery::FilterDiscovery;
use crate::envoy::{Envoy, fresh_dir};
use crate::error::Error;
use crate::http1::{Connection, Request};
use crate::upstream::Upstream;

const KEPT_CONNECTIONS: usize = 3;
const WORKERS: u32 = 2;
/// How long an update may take to reach every worker.
const UPDATE_LIMIT: Duration = Duration::from_secs(10);

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How long requests were sent.
    pub elapsed: Duration,
    /// Updates that every worker served.
    pub updates: u32,
    /// Corrupt updates that were refused and counted.
    pub refused: u32,
    /// Requests answered.
    pub requests: usize,
    /// Requests answered otherwise than they must, or not at all.
    pub failed: usize,
    /// The first few of those.
    pub failures: Vec<String>,
    /// Medians and the like, ascending.
    latencies: Vec<Duration>,
    /// From the file's rename to the last worker's first answer by the new epoch, the longest.
    pub slowest_update: Duration,
}

impl Figures {
    /// The latency that this share of the requests did not exceed.
    pub fn latency(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let at = (share * last as f64).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seconds={:.1} requests={} failed={} updates={} refused={} slowest_update_ms={} p50_us={} p99_us={} max_us={}",
            self.elapsed.as_secs_f64(),
            self.requests,
            self.failed,
            self.updates,
            self.refused,
            self.slowest_update.as_millis(),
            self.latency(0.5).as_micros(),
            self.latency(0.99).as_micros(),
            self.latency(1.0).as_micros(),
        )
    }
}

/// Sends load for that long, with so many updates spread over it and a corrupt one in the middle.
pub fn run(artefacts: &Artefacts, duration: Duration, updates: u32) -> Result<Figures, Error> {
    let policy = Policy::new(artefacts)?;
    let upstream = Upstream::start()?;
    let first = policy.filter(&policy.compile(1)?);
    let mut discovery = FilterDiscovery::new(&first)?;
    // All are made before, so that the machine serves and does not compile.
    let bundles = (2..updates + 2).map(|epoch| policy.compile(epoch));
    let bundles = bundles.collect::<Result<Vec<_>, _>>()?;
    let bootstrap = Bootstrap::to(upstream.address()).guard();
    let bootstrap = bootstrap.filter_from(discovery.dir(), None).workers(WORKERS);
    let envoy = Envoy::start(&artefacts.envoy, &bootstrap)?;

    let (stop, started) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..=KEPT_CONNECTIONS)
            .map(|client| {
                scope.spawn({
                    let (stop, envoy) = (&stop, &envoy);
                    move || send(envoy, client < KEPT_CONNECTIONS, stop)
                })
            })
            .collect();
        let mut update = || -> Result<Figures, Error> {
            let mut figures = Figures::default();
            for (number, bundle) in bundles.iter().enumerate() {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                if number == updates / 2 {
                    figures.refused += corrupt(&envoy, &mut discovery, &policy, bundle)?;
                }
                let published = Instant::now();
                discovery.publish(&policy.filter(bundle))?;
                await_epoch(&envoy, u64::from(number) + 2)?;
                figures.slowest_update = figures.slowest_update.max(published.elapsed());
                figures.updates += 1;
                let due = duration * (number + 1) / updates.max(1);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
            std::thread::sleep(duration.saturating_sub(started.elapsed()));
            Ok(figures)
        };
        let updated = update();
        stop.store(true, Ordering::Relaxed);
        let sent: Vec<Sent> = clients.into_iter().filter_map(|client| client.join().ok()).collect();
        let mut figures = updated?;
        figures.elapsed = started.elapsed();
        if sent.len() <= KEPT_CONNECTIONS {
            figures.failures.push("a client panicked".to_owned());
            figures.failed += 1;
        }
        for sent in sent {
            figures.requests += sent.latencies.len();
            figures.failed += sent.failed;
            figures.latencies.extend(sent.latencies);
            figures.failures.extend(sent.failures);
        }
        figures.failures.truncate(5);
        figures.latencies.sort_unstable();
        Ok(figures)
    })
}

/// Publishes a bundle with one bit flipped; 1 where it was refused, counted, and changed nothing.
fn corrupt(
    envoy: &Envoy,
    discovery: &mut FilterDiscovery,
    policy: &Policy,
    bundle: &[u8],
) -> Result<u32, Error> {
    const REFUSED: &str = "wasmcustom.portcullis.configuration.refused.bundle-corrupt";
    let (before, epochs) = (envoy.stat(REFUSED)?, epochs(envoy)?);
    let mut bytes = bundle.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    discovery.publish(&policy.filter(&bytes))?;
    envoy.wait_until("the refusal of a corrupt update", UPDATE_LIMIT, |envoy| {
        envoy.stat(REFUSED).is_ok_and(|count| count > before)
    })?;
    let rejected: u64 = envoy.stats("config_fail")?.into_iter().map(|(_, count)| count).sum();
    Ok(u32::from(rejected > 0 && self::epochs(envoy)? == epochs))
}

fn epochs(envoy: &Envoy) -> Result<Vec<u64>, Error> {
    let gauges = envoy.stats("portcullis.epoch.portcullis.worker.")?;
    Ok(gauges.into_iter().map(|(_, epoch)| epoch).collect())
}

fn await_epoch(envoy: &Envoy, epoch: u64) -> Result<(), Error> {
    envoy.wait_until(&format!("epoch {epoch} on every worker"), UPDATE_LIMIT, |envoy| {
        epochs(envoy)
            .is_ok_and(|seen| seen.len() >= WORKERS as usize && seen.iter().all(|it| *it == epoch))
    })
}

/// What one client did.
#[derive(Default)]
struct Sent {
    latencies: Vec<Duration>,
    failed: usize,
    failures: Vec<String>,
}

fn send(envoy: &Envoy, keeps: bool, stop: &AtomicBool) -> Sent {
    let requests = [
        (Request::get("/v1/users/42?fields=a,c&limit=7"), 200),
        (Request::post_json("/v1/users/42", "{\"n\":12345}"), 200),
        (Request::get("/v1/users/abc"), 400),
        (Request::post_json("/v1/users/42", "{\"n\":\"x\"}"), 400),
        (Request::get("/v1/nowhere"), 404),
    ];
    let (mut sent, mut kept) = (Sent::default(), None);
    for (request, expected) in requests.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let started = Instant::now();
        let outcome = exchange(envoy, &mut kept, request);
        let failure = match outcome {
            Ok(status) if status == *expected => {
                sent.latencies.push(started.elapsed());
                None
            }
            Ok(status) => Some(format!("{status} instead of {expected}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(failure) = failure {
            kept = None;
            sent.failed += 1;
            sent.failures.push(failure);
            sent.failures.truncate(5);
        }
        if !keeps {
            kept = None;
            // Closed connections stay with the kernel for a while.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    sent
}

fn exchange(envoy: &Envoy, kept: &mut Option<Connection>, request: &Request) -> Result<u16, Error> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(envoy.address())?,
    };
    let answer = connection.exchange(request)?;
    // Envoy may close behind an answer that came before the end of the body, and says so.
    if answer.header("connection").is_none_or(|value| value != "close") {
        *kept = Some(connection);
    }
    Ok(answer.status)
}

/// The suite `traffic`, compiled and signed anew for each epoch.
struct Policy<'a> {
    artefacts: &'a Artefacts,
    policy: PathBuf,
    dir: PathBuf,
    public_key: String,
}

impl<'a> Policy<'a> {
    fn new(artefacts: &'a Artefacts) -> Result<Self, Error> {
        let suite = Suite::read(&artefacts::root().join("integration/cases/traffic.yaml"))?;
        let dir = fresh_dir()?;
        let said = run_compiler(artefacts, &dir, &["keygen", "-o", "soak.key"])?;
        let key = said.lines().find_map(|line| line.strip_prefix("public key:"));
        let public_key = key.unwrap_or_default().trim().to_owned();
        Ok(Self { artefacts, policy: suite.policy, dir, public_key })
    }

    fn compile(&self, epoch: u32) -> Result<Vec<u8>, Error> {
        let policy = self.policy.display().to_string();
        let epoch = epoch.to_string();
        let arguments =
            ["compile", "-p", &policy, "-k", "soak.key", "-o", "soak.bundle", "-e", &epoch];
        run_compiler(self.artefacts, &self.dir, &arguments)?;
        fs::read(self.dir.join("soak.bundle")).map_err(Error::io("read the bundle"))
    }

    fn filter(&self, bundle: &[u8]) -> Filter {
        let configuration = json!({
            "bundle": BASE64.encode(bundle),
            "trusted_keys": [self.public_key],
            "hold_headers": true,
        });
        Filter::new(&self.artefacts.filter, configuration.to_string())
    }
}

fn run_compiler(artefacts: &Artefacts, dir: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(&artefacts.compiler)
        .current_dir(dir)
        .args(arguments)
        .output()
        .map_err(Error::io(artefacts.compiler.display().to_string()))?;
    if !output.status.success() {
        return Err(Error::Case(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
