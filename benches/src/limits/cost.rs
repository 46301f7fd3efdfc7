//! CPU per request of a real Envoy's workers: without a filter, with Portcullis without limits, with 1, 4 and 8 on one
//! caller, with another caller's, and with Envoy's own `local_ratelimit`.

use portcullis_integration::Envoy;
use serde_json::{Value, json};

use super::{Options, bootstrap, filter, request, start};
use crate::Error;
use crate::envoy::load::Load;
use crate::envoy::requests::Requests;
use crate::envoy::worker::Worker;
use crate::report::Figures;

/// One Envoy, and the CPU µs per request of its workers in each round.
struct Variant {
    name: &'static str,
    envoy: Envoy,
    worker: Worker,
    cpu: Vec<f64>,
}

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let mut details = json!({});
    for workers in [1, 2] {
        let mut variants = variants(options, workers)?;
        measure(options, &mut variants)?;
        let best = |name: &str| {
            let variant = variants.iter().find(|it| it.name == name);
            variant.map_or(f64::NAN, |it| it.cpu.iter().copied().fold(f64::INFINITY, f64::min))
        };
        let of = |name: &str| format!("{name}_us_{workers}w");
        figures.add(&of("none"), best("none"), 2);
        figures.add(&of("filter"), best("filter"), 2);
        figures.add(&of("first"), best("one") - best("filter"), 2);
        figures.add(&of("further"), (best("eight") - best("one")) / 7.0, 2);
        figures.add(&of("further4"), (best("four") - best("one")) / 3.0, 2);
        figures.add(&of("other_caller"), best("two_callers") - best("one"), 2);
        figures.add(&of("local_ratelimit"), best("local") - best("none"), 2);
        println!("{:<14}{:>10}  CPU µs a request, {workers} worker(s), the fastest round", "", "");
        for variant in &variants {
            println!("{:<14}{:>10.2}", variant.name, best(variant.name));
        }
        let rounds: Vec<_> =
            variants.iter().map(|it| json!({ "variant": it.name, "us": it.cpu })).collect();
        details[format!("{workers}")] = json!(rounds);
    }
    Ok(details)
}

fn variants(options: &Options, workers: u32) -> Result<Vec<Variant>, Error> {
    let plain = || bootstrap(workers);
    let with = |members: &str| Ok::<_, Error>(plain().filter(&filter(options, members)?));
    let all = [
        ("none", plain()),
        ("filter", with("")?),
        ("one", with(&limits(1, ""))?),
        ("four", with(&limits(4, ""))?),
        ("eight", with(&limits(8, ""))?),
        ("two_callers", with(&limits(1, "  other: { caller: host, rates: [RATE] }\n"))?),
        ("local", plain().http_filter(local_ratelimit())),
    ];
    let start = |(name, bootstrap)| {
        let envoy = start(options, &bootstrap)?;
        let worker = Worker::of(envoy.id())?;
        Ok(Variant { name, envoy, worker, cpu: Vec::new() })
    };
    all.into_iter().map(start).collect()
}

/// So many limits on one caller that nobody reaches, and others.
fn limits(count: usize, more: &str) -> String {
    let mut text =
        "callers: { key: { by: [header.x-key] }, host: { by: [header.x-host, header.x-key] } }\n\
                    rate_limits:\n"
            .to_owned();
    for number in 0..count {
        text.push_str(&format!("  limit-{number}: {{ caller: key, rates: [RATE] }}\n"));
    }
    text.push_str(more);
    text.replace("RATE", "{ requests: 1000000000, per: second }")
}

fn local_ratelimit() -> Value {
    json!({
        "name": "local",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "local",
            "token_bucket": { "max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s" },
            "filter_enabled": { "default_value": { "numerator": 100, "denominator": "HUNDRED" } },
            "filter_enforced": { "default_value": { "numerator": 100, "denominator": "HUNDRED" } },
        },
    })
}

fn measure(options: &Options, variants: &mut [Variant]) -> Result<(), Error> {
    let requests = Requests::of((0..64).map(|n| request(&format!("caller-{n}"))).collect());
    for round in 0..=options.rounds {
        for variant in &mut *variants {
            let load = Load { to: variant.envoy.address(), connections: options.connections };
            let before = variant.worker.cpu_ns()?;
            load.run(&requests, options.requests)?;
            let spent = variant.worker.cpu_ns()? - before;
            // The first round warms up.
            if round > 0 {
                variant.cpu.push(spent as f64 / 1000.0 / f64::from(options.requests));
            }
        }
    }
    Ok(())
}
