//! `bench envoy`: CPU per request of a real Envoy's worker without a filter, with an empty one and
//! with Portcullis, on the same requests, in interleaved rounds.

pub(crate) mod load;
pub(crate) mod requests;
pub(crate) mod upstream;
pub mod worker;

use std::path::PathBuf;

use portcullis_integration::{Bootstrap, Envoy, Filter};
use serde_json::json;

use crate::report::{self, Figures};
use crate::{Error, bundle};
use load::Load;
use requests::Requests;
use upstream::Upstream;
use worker::Worker;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The empty filter as a wasm module
    #[arg(long)]
    empty: PathBuf,
    /// Portcullis as a wasm module; without it only the floor is measured
    #[arg(long)]
    filter: Option<PathBuf>,
    /// Envoy's binary
    #[arg(long)]
    envoy: PathBuf,
    /// Rounds, of which the fastest counts
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Requests per round and variant
    #[arg(long, default_value_t = 2000)]
    requests: u32,
    /// Keep-alive connections
    #[arg(long, default_value_t = 4)]
    connections: usize,
}

/// One Envoy, and the CPU µs per request of its worker in each round.
struct Variant {
    name: &'static str,
    envoy: Envoy,
    worker: Worker,
    get: Vec<f64>,
    post: Vec<f64>,
}

/// Runs the benchmark and writes `target/bench/envoy.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let upstream = Upstream::start()?;
    let (gets, posts) = (Requests::gets(), Requests::posts());
    let mut variants = start_variants(options, &upstream)?;
    check_that_it_judges(&variants)?;
    for round in 0..=options.rounds {
        for variant in &mut variants {
            let load = Load { to: variant.envoy.address(), connections: options.connections };
            for (requests, cpu) in [(&gets, &mut variant.get), (&posts, &mut variant.post)] {
                let before = variant.worker.cpu_ns()?;
                load.run(requests, options.requests)?;
                let spent = variant.worker.cpu_ns()? - before;
                // The first round warms up: connections, and V8's optimising compiler.
                if round > 0 {
                    cpu.push(spent as f64 / 1000.0 / f64::from(options.requests));
                }
            }
        }
    }
    let figures = figures(&variants);
    println!("{}", table(&variants));
    let rounds: Vec<_> = variants
        .iter()
        .map(|v| json!({ "variant": v.name, "get_us": v.get, "post1k_us": v.post }))
        .collect();
    let sizes = json!({ "get_bytes": gets.mean_bytes(), "post1k_bytes": posts.mean_bytes() });
    report::finish("envoy", &figures, &json!({ "rounds": rounds, "requests": sizes }))
}

fn start_variants(options: &Options, upstream: &Upstream) -> Result<Vec<Variant>, Error> {
    let plain = || {
        // What the harness adds for tests costs something in each request.
        let base = Bootstrap::to(upstream.address());
        base.with_manager(|manager| {
            if let Some(host) = manager["route_config"]["virtual_hosts"][0].as_object_mut() {
                host.remove("response_headers_to_add");
            }
        })
    };
    let mut filters = vec![("none", None), ("empty", Some(Filter::new(&options.empty, "")))];
    if let Some(module) = &options.filter {
        let bundle = bundle::of_benchmark_document()?;
        let filter = Filter::new(module, bundle::plugin_configuration(&bundle));
        filters.push(("portcullis", Some(filter)));
    }
    let start = |(name, filter): (&'static str, Option<Filter>)| {
        let bootstrap = match &filter {
            Some(filter) => plain().filter(filter),
            None => plain(),
        };
        let envoy = Envoy::start(&options.envoy, &bootstrap)?;
        let worker = Worker::of(envoy.id())?;
        Ok(Variant { name, envoy, worker, get: Vec::new(), post: Vec::new() })
    };
    filters.into_iter().map(start).collect()
}

/// A filter that lets everything pass would look fast.
fn check_that_it_judges(variants: &[Variant]) -> Result<(), Error> {
    for variant in variants {
        let refuses = variant.name == "portcullis";
        for (what, request) in requests::bad() {
            let status = request.send(variant.envoy.address())?.status;
            if (400..500).contains(&status) != refuses {
                let variant = variant.name;
                return Err(Error::Unexpected(format!("{variant} answers {status} to {what}")));
            }
        }
    }
    Ok(())
}

fn best(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::INFINITY, f64::min)
}

fn figures(variants: &[Variant]) -> Figures {
    let mut figures = Figures::default();
    for variant in variants {
        figures.add(&format!("{}_get", variant.name), best(&variant.get), 1);
    }
    for variant in variants {
        figures.add(&format!("{}_post1k", variant.name), best(&variant.post), 1);
    }
    if let [_, empty, portcullis] = variants {
        figures.add("over_empty_get", best(&portcullis.get) - best(&empty.get), 1);
        figures.add("over_empty_post1k", best(&portcullis.post) - best(&empty.post), 1);
    }
    figures
}

fn table(variants: &[Variant]) -> String {
    let mut text = format!("{:<12}{:>12}{:>12}\n", "CPU µs", "GET", "POST 1 KB");
    for variant in variants {
        let (get, post) = (best(&variant.get), best(&variant.post));
        text.push_str(&format!("{:<12}{get:>12.1}{post:>12.1}\n", variant.name));
    }
    text.push_str("of Envoy's one worker thread, per request, the fastest round");
    text
}
