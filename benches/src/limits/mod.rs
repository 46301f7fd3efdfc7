//! `bench limits`: what limits on callers cost, how exactly they hold under two workers, and that they take no memory.

mod accuracy;
mod cost;
mod count;
pub mod judge;
mod memory;

use std::path::PathBuf;

use policy_compiler::source::Sources;
use portcullis_integration::{Bootstrap, Envoy, Filter};
use serde_json::json;

use crate::Error;
use crate::bundle;
use crate::report::{self, Figures};

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Portcullis as a wasm module
    #[arg(long)]
    filter: PathBuf,
    /// Envoy's binary
    #[arg(long)]
    envoy: PathBuf,
    /// Rounds of the cost, in each of which every variant has its turn
    #[arg(long, default_value_t = 101)]
    rounds: u32,
    /// Requests per round and variant
    #[arg(long, default_value_t = 500)]
    requests: u32,
    /// Requests to each worker of each variant before the first round
    #[arg(long, default_value_t = 60_000)]
    warm_up: u32,
    /// Only these variants of the cost
    #[arg(long)]
    variants: Vec<String>,
    /// Keep-alive connections
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Seconds of each row of the table of accuracy
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Distinct callers whose memory is looked at
    #[arg(long, default_value_t = 10_000_000)]
    callers: u64,
    /// Only these parts: `count`, `cost`, `accuracy`, `memory`
    #[arg(long)]
    only: Vec<String>,
}

/// Runs the benchmark and writes `target/bench/limits.json`.
pub fn run(options: &Options) -> Result<(), Error> {
    let wanted = |part: &str| options.only.is_empty() || options.only.iter().any(|it| it == part);
    let mut figures = Figures::default();
    let mut details = json!({});
    if wanted("count") {
        details["count"] = count::run(options, &mut figures)?;
    }
    if wanted("cost") {
        details["cost"] = cost::run(options, &mut figures)?;
    }
    if wanted("accuracy") {
        details["accuracy"] = accuracy::run(options, &mut figures)?;
    }
    if wanted("memory") {
        details["memory"] = memory::run(options, &mut figures)?;
    }
    report::finish("limits", &figures, &details)
}

const DOCUMENT: &str = "openapi: 3.1.0\ninfo: { title: bench, version: '1' }\npaths:\n  /ping:\n    \
                        get: { responses: { '200': { description: ok } } }\n";

/// A policy and its document, in memory.
struct Memory(String);

impl Sources for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "policy.yaml" => Ok(self.0.clone().into_bytes()),
            "api.yaml" => Ok(DOCUMENT.as_bytes().to_vec()),
            _ => Err("there is no such file".to_owned()),
        }
    }
}

/// The filter under a policy with these members.
fn filter(options: &Options, members: &str) -> Result<Filter, Error> {
    Ok(Filter::new(&options.filter, configuration(members)?))
}

/// The plugin's configuration under a policy with these members.
fn configuration(members: &str) -> Result<String, Error> {
    let bundle = bundle::of_policy(&Memory(policy(members)), "policy.yaml")?;
    Ok(bundle::plugin_configuration(&bundle))
}

fn policy(members: &str) -> String {
    format!("version: 1\nname: bench\n{members}apis: [{{ name: api, documents: [api.yaml] }}]\n")
}

/// An Envoy that answers by itself, an empty 200.
fn bootstrap(workers: u32) -> Bootstrap {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    Bootstrap::to(nowhere).workers(workers).with_manager(|manager| {
        let host = &mut manager["route_config"]["virtual_hosts"][0];
        if let Some(host) = host.as_object_mut() {
            host.remove("response_headers_to_add");
        }
        host["routes"] =
            json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }]);
    })
}

fn start(options: &Options, bootstrap: &Bootstrap) -> Result<Envoy, Error> {
    Ok(Envoy::start(&options.envoy, bootstrap)?)
}

/// A request of a caller.
fn request(key: &str) -> Vec<u8> {
    format!(
        "GET /ping HTTP/1.1\r\nhost: bench.example\r\nx-key: {key}\r\nx-tenant: of-{key}\r\n\r\n"
    )
    .into_bytes()
}
