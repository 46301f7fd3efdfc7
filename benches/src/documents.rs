//! `bench documents`: what real OpenAPI documents cost: time to compile, bundle size, time to load, and the
//! memory of an Envoy that serves one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_integration::{Bootstrap, Envoy, Filter, FilterDiscovery};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::envoy::worker::Worker;
use crate::report::{self, Figures};
use crate::{Error, bundle};

/// The document whose figures the last line gives.
const MAIN: &str = "stripe-api.yaml";
const MIB: f64 = 1024.0 * 1024.0;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The schema engine as a wasm module
    #[arg(long)]
    engine: PathBuf,
    /// Portcullis as a wasm module
    #[arg(long)]
    filter: PathBuf,
    /// Envoy's binary
    #[arg(long)]
    envoy: PathBuf,
    /// Compilations of each document, of which the fastest counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// One document's figures.
#[derive(Debug, Serialize)]
struct Document {
    name: String,
    /// It has references that lead nowhere, and compiles where the policy allows that.
    unresolved: bool,
    document_bytes: u64,
    compile_ms: f64,
    bundle_bytes: usize,
    load: Load,
}

/// CPU milliseconds to verify a bundle in wasm under Node.
#[derive(Debug, Deserialize, Serialize)]
struct Load {
    /// The first bundle of a fresh module.
    first: f64,
    /// The fastest of the next ones.
    warm: f64,
}

/// What an Envoy that serves the main document uses.
#[derive(Debug, Serialize)]
pub(crate) struct Served {
    /// CPU ms of a fresh worker thread until it serves: its VM is made and configured.
    pub worker_start_ms: f64,
    /// The same with a bundle of next to nothing.
    pub worker_start_small_ms: f64,
    /// CPU ms of the worker for an update to the next bundle.
    swap_ms: f64,
    /// Resident MiB for each worker more, all that belongs to it.
    pub worker_mib: f64,
    /// The same with a bundle of next to nothing.
    worker_small_mib: f64,
    /// Resident MiB of an Envoy of one worker.
    resident_mib: f64,
    /// How far the update rose above it, MiB: main thread and one worker.
    swap_peak_mib: f64,
}

/// Runs the benchmark and writes `target/bench/documents.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let Some(folder) = folder() else { return Ok(()) };
    let directory = report::directory()?.join("documents");
    fs::create_dir_all(&directory)?;
    let (mut compiled, mut refused, mut served) = (Vec::new(), Vec::new(), None);
    for path in documents(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
        match measure(&path, name.clone(), &directory, options) {
            Ok((document, bundle)) => {
                if document.name == MAIN {
                    let serving = Serving { envoy: &options.envoy, filter: &options.filter };
                    served = Some(serve(&bundle, serving)?);
                }
                compiled.push(document);
            }
            Err(Error::Bundle(why)) => refused.push((name, first_error(&why))),
            Err(error) => return Err(error),
        }
    }
    println!("{}", table(&compiled, &refused, served.as_ref()));
    let figures = figures(&compiled, served.as_ref(), refused.len());
    let refused: Vec<_> =
        refused.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect();
    let details = json!({ "documents": compiled, "refused": refused, "served": served });
    report::finish("documents", &figures, &details)
}

/// `PORTCULLIS_DATA/specs`, or nothing and a line that says so.
fn folder() -> Option<PathBuf> {
    let root = portcullis_integration::artefacts::root();
    let data = std::env::var_os("PORTCULLIS_DATA")
        .map_or_else(|| root.join("../shared/data"), |data| root.join(data));
    let folder = data.join("specs");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no {} (set PORTCULLIS_DATA)", folder.display());
    None
}

/// The documents of a folder, and `openapi.json` of the folders in it.
fn documents(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let within = path.join("openapi.json");
        let is_document =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "json");
        if within.is_file() {
            paths.push(within);
        } else if is_document {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn measure(
    path: &Path,
    name: String,
    directory: &Path,
    options: &Options,
) -> Result<(Document, Vec<u8>), Error> {
    let (mut best, mut bundle) = (f64::INFINITY, Vec::new());
    let unresolved = matches!(bundle::of(path), Err(Error::Bundle(why)) if leads_nowhere(&why));
    let compile = if unresolved { bundle::of_unresolved } else { bundle::of };
    for _ in 0..options.rounds.max(1) {
        let started = Instant::now();
        bundle = compile(path)?;
        best = best.min(milliseconds(started.elapsed()));
    }
    let file = directory.join(format!("{}.bundle", name.replace('/', "-")));
    fs::write(&file, &bundle)?;
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("driver/load.mjs");
    let output = Command::new("node")
        .args([&driver, &options.engine, &file])
        .output()
        .map_err(|error| Error::Program { program: "node", reason: error.to_string() })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Program { program: "node", reason });
    }
    let document = Document {
        name,
        unresolved,
        document_bytes: fs::metadata(path)?.len(),
        compile_ms: best,
        bundle_bytes: bundle.len(),
        load: serde_json::from_slice(&output.stdout)?,
    };
    Ok((document, bundle))
}

/// What a bundle is served by.
#[derive(Clone, Copy)]
pub(crate) struct Serving<'a> {
    /// Envoy's binary.
    pub envoy: &'a Path,
    /// Portcullis as a wasm module.
    pub filter: &'a Path,
}

/// Serves a bundle, with one worker and with three.
pub(crate) fn serve(bundle: &[u8], options: Serving<'_>) -> Result<Served, Error> {
    let small = bundle::of_benchmark_document()?;
    let start = |bundle: &[u8], workers| start(bundle, workers, options);
    let (_, three, _) = start(bundle, 3)?;
    let (_, three_small, _) = start(&small, 3)?;
    let (_, one_small, small_start) = start(&small, 1)?;
    let (mut running, one, worker_start_ms) = start(bundle, 1)?;
    let worker = Worker::of(running.envoy.id())?;
    // From here on the highest resident memory is that of the update.
    fs::write(format!("/proc/{}/clear_refs", running.envoy.id()), "5")?;
    let (resident, before) = (running.envoy.usage()?.resident, worker.cpu_ns()?);
    running.discovery.publish(&filter(bundle, options, "2"))?;
    running.envoy.wait_until("the update", Duration::from_secs(30), |envoy| {
        envoy.stats("config_reload").is_ok_and(|all| {
            all.iter()
                .any(|(name, value)| name.ends_with("portcullis.config_reload") && *value >= 2)
        })
    })?;
    // The main thread counts the update before the worker has taken it.
    std::thread::sleep(Duration::from_millis(500));
    let after = running.envoy.usage()?;
    Ok(Served {
        worker_start_ms,
        worker_start_small_ms: small_start,
        swap_ms: (worker.cpu_ns()? - before) as f64 / 1e6,
        worker_mib: (three - one) / 2.0,
        worker_small_mib: (three_small - one_small) / 2.0,
        resident_mib: resident as f64 / MIB,
        swap_peak_mib: after.peak.saturating_sub(resident) as f64 / MIB,
    })
}

/// An Envoy and the folder that its filter's configuration comes from.
struct Running {
    envoy: Envoy,
    discovery: FilterDiscovery,
}

/// Starts an Envoy on a bundle: with its resident MiB and the CPU ms of its workers until they serve.
fn start(bundle: &[u8], workers: u32, options: Serving<'_>) -> Result<(Running, f64, f64), Error> {
    let discovery = FilterDiscovery::new(&filter(bundle, options, "1"))?;
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let bootstrap = Bootstrap::to(nowhere).filter_from(discovery.dir(), None).workers(workers);
    let envoy = Envoy::start(options.envoy, &bootstrap)?;
    let started = Worker::of(envoy.id())?.cpu_ns()? as f64 / 1e6 / f64::from(workers);
    let resident = envoy.usage()?.resident as f64 / MIB;
    Ok((Running { envoy, discovery }, resident, started))
}

/// The filter with a bundle; `marker` makes one configuration differ from the next.
fn filter(bundle: &[u8], options: Serving<'_>, marker: &str) -> Filter {
    let configuration = bundle::plugin_configuration(bundle);
    // White space after the JSON changes nothing but the text.
    let configuration = format!("{configuration}{}", " ".repeat(marker.parse().unwrap_or(1)));
    Filter::new(options.filter, configuration)
}

fn figures(documents: &[Document], served: Option<&Served>, refused: usize) -> Figures {
    let mut figures = Figures::default();
    if let Some(main) = documents.iter().find(|document| document.name == MAIN) {
        figures.add("compile_ms", main.compile_ms, 0);
        figures.add("bundle_kib", main.bundle_bytes as f64 / 1024.0, 0);
        figures.add("node_load_ms", main.load.first, 1);
        figures.add("node_load_warm_ms", main.load.warm, 1);
    }
    if let Some(served) = served {
        figures.add("load_ms", served.worker_start_ms, 1);
        figures.add("load_small_ms", served.worker_start_small_ms, 1);
        figures.add("swap_ms", served.swap_ms, 1);
        figures.add("worker_mib", served.worker_mib, 1);
        figures.add("worker_small_mib", served.worker_small_mib, 1);
        figures.add("swap_peak_mib", served.swap_peak_mib, 1);
    }
    figures.add("documents", documents.len() as f64, 0);
    figures.add("refused", refused as f64, 0);
    figures
}

fn table(documents: &[Document], refused: &[(String, String)], served: Option<&Served>) -> String {
    let mut text = format!(
        "{:<36}{:>9}{:>12}{:>12}{:>10}{:>10}\n",
        "document", "KiB", "compile ms", "bundle KiB", "load ms", "warm ms"
    );
    for document in documents {
        let _ = writeln!(
            text,
            "{:<36}{:>9}{:>12.0}{:>12}{:>10.1}{:>10.1}",
            document.name,
            document.document_bytes / 1024,
            document.compile_ms,
            document.bundle_bytes / 1024,
            document.load.first,
            document.load.warm,
        );
    }
    for document in documents.iter().filter(|document| document.unresolved) {
        let _ = writeln!(
            text,
            "{}: references lead nowhere: an error, unless the policy says `unresolved_refs: not_enforced`, as here",
            document.name
        );
    }
    for (name, why) in refused {
        let _ = writeln!(text, "{name:<36} does not compile: {why}");
    }
    if let Some(served) = served {
        let _ = writeln!(
            text,
            "Envoy with {MAIN}: a worker's start {:.1} ms of CPU (a small bundle {:.1}), an update {:.1} ms;\n\
             a worker {:.1} MiB (a small bundle {:.1}); an Envoy of one worker {:.1} MiB, {:.1} more at the \
             peak of an update",
            served.worker_start_ms,
            served.worker_start_small_ms,
            served.swap_ms,
            served.worker_mib,
            served.worker_small_mib,
            served.resident_mib,
            served.swap_peak_mib,
        );
    }
    text.push_str("compile: wall time, the fastest; load: CPU in a fresh module under Node");
    text
}

/// Whether references that lead nowhere are all that is wrong.
fn leads_nowhere(text: &str) -> bool {
    let mut errors = text.lines().filter(|line| line.starts_with("error")).peekable();
    errors.peek().is_some() && errors.all(|line| line.starts_with("error[PC0201]"))
}

/// The first error among diagnostics, without where it stands.
fn first_error(text: &str) -> String {
    let error = text.lines().find(|line| line.starts_with("error"));
    error.or(text.lines().next()).unwrap_or_default().to_owned()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
