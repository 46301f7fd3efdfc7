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

/// What one variant costs more than another, in µs a request: the rounds' differences in order.
struct Difference(Vec<f64>);

impl Difference {
    /// Of rounds that ran one after the other, so that what slows the machine down slows both.
    fn between(variants: &[Variant], more: &str, less: &str, share: f64) -> Self {
        let of =
            |name: &str| variants.iter().find(|it| it.name == name).map_or(&[][..], |it| &it.cpu);
        let pairs = of(more).iter().zip(of(less));
        let mut all: Vec<f64> = pairs.map(|(more, less)| (more - less) / share).collect();
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    /// The value below which so many quarters of the rounds lie.
    fn quartile(&self, quarters: usize) -> f64 {
        let at = self.0.len().saturating_sub(1) * quarters / 4;
        self.0.get(at).copied().unwrap_or(f64::NAN)
    }
}

/// Figure, variant, the variant that it is compared with, and by how many limits they differ.
const DIFFERENCES: [(&str, &str, &str, f64); 7] = [
    ("filter", "filter", "none", 1.0),
    ("first", "one", "filter", 1.0),
    ("further", "eight", "one", 7.0),
    ("further4", "four", "one", 3.0),
    ("other_caller", "two_callers", "one", 1.0),
    ("address", "address", "filter", 1.0),
    ("local_ratelimit", "local", "none", 1.0),
];

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let mut details = json!({});
    for workers in [1, 2] {
        let mut variants = variants(options, workers)?;
        measure(options, workers, &mut variants)?;
        println!(
            "CPU µs a request, {workers} worker(s){:>23}{:>9}{:>9}{:>9}",
            "fastest", "1/4", "1/2", "3/4"
        );
        for variant in &variants {
            let mut cpu = variant.cpu.clone();
            cpu.sort_by(f64::total_cmp);
            row(variant.name, &Difference(cpu));
        }
        println!("differences of rounds side by side");
        for (figure, more, less, share) in DIFFERENCES {
            let difference = Difference::between(&variants, more, less, share);
            row(figure, &difference);
            figures.add(&format!("{figure}_us_{workers}w"), difference.quartile(2), 2);
        }
        let rounds: Vec<_> =
            variants.iter().map(|it| json!({ "variant": it.name, "us": it.cpu })).collect();
        details[format!("{workers}")] = json!(rounds);
    }
    Ok(details)
}

fn row(name: &str, samples: &Difference) {
    let [least, first, median, third] = [0, 1, 2, 3].map(|quarters| samples.quartile(quarters));
    println!("{name:<46}{least:>9.2}{first:>9.2}{median:>9.2}{third:>9.2}");
}

/// A policy by name, as members of a policy file.
type Policy = (&'static str, fn() -> String);

/// The policies that are compared.
pub(super) const POLICIES: [Policy; 6] = [
    ("filter", String::new),
    ("one", || limits(1, "")),
    ("four", || limits(4, "")),
    ("eight", || limits(8, "")),
    ("two_callers", || limits(1, "  other: { caller: tenant, rates: [RATE] }\n")),
    ("address", || limits(0, "  other: { caller: network, rates: [RATE] }\n")),
];

fn variants(options: &Options, workers: u32) -> Result<Vec<Variant>, Error> {
    let mut all = vec![("none", bootstrap(workers))];
    for (name, members) in POLICIES {
        all.push((name, bootstrap(workers).filter(&filter(options, &members())?)));
    }
    all.push(("local", bootstrap(workers).http_filter(local_ratelimit())));
    all.retain(|(name, _)| {
        options.variants.is_empty() || options.variants.iter().any(|it| it == name)
    });
    let start = |(name, bootstrap)| {
        let envoy = start(options, &bootstrap)?;
        let worker = Worker::of(envoy.id())?;
        Ok(Variant { name, envoy, worker, cpu: Vec::new() })
    };
    all.into_iter().map(start).collect()
}

/// So many limits on one caller that nobody reaches, and others.
fn limits(count: usize, more: &str) -> String {
    let mut text = "callers:\n  key: { by: [header.x-key] }\n  \
                    tenant: { by: [header.x-tenant] }\n  network: { by: [address/24/64] }\nrate_limits:\n"
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

fn measure(options: &Options, workers: u32, variants: &mut [Variant]) -> Result<(), Error> {
    let requests = Requests::of((0..64).map(|n| request(&format!("caller-{n}"))).collect());
    for variant in &*variants {
        // V8 compiles a function well when it has run some thousands of times, in each worker by itself.
        let load = Load { to: variant.envoy.address(), connections: options.connections };
        load.run(&requests, options.warm_up * workers)?;
    }
    for _ in 0..options.rounds {
        for variant in &mut *variants {
            let load = Load { to: variant.envoy.address(), connections: options.connections };
            let before = variant.worker.cpu_ns()?;
            load.run(&requests, options.requests)?;
            let spent = variant.worker.cpu_ns()? - before;
            variant.cpu.push(spent as f64 / 1000.0 / f64::from(options.requests));
        }
    }
    Ok(())
}
