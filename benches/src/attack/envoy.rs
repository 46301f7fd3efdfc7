//! What the rules add to a real Envoy's worker.

use portcullis_integration::{Bootstrap, Envoy, Filter};

use super::{Run, Variant};
use crate::envoy::load::Load;
use crate::envoy::requests::Requests;
use crate::envoy::upstream::Upstream;
use crate::envoy::worker::Worker;
use crate::traffic::Message;
use crate::{Error, bundle};

/// Keep-alive connections.
const CONNECTIONS: usize = 4;

/// The CPU µs per request of a worker in each round.
pub(crate) struct Sampled {
    pub name: &'static str,
    pub us: Vec<f64>,
    envoy: Envoy,
    worker: Worker,
}

impl Sampled {
    /// The fastest round.
    pub fn best(&self) -> f64 {
        self.us.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Resident MiB of its process.
    pub fn resident_mib(&self) -> Result<f64, Error> {
        Ok(self.envoy.usage()?.resident as f64 / f64::from(1 << 20))
    }
}

/// Sends the messages through one Envoy for each bundle, in interleaved rounds.
pub(crate) fn run<'b>(
    options: &Run,
    bundles: impl Iterator<Item = &'b (&'b Variant, Vec<u8>)>,
    messages: &[Message],
) -> Result<Vec<Sampled>, Error> {
    let upstream = Upstream::start()?;
    let requests = Requests::of(messages.iter().map(write).collect());
    let mut samples = Vec::new();
    for (variant, bytes) in bundles {
        let filter = Filter::new(&options.filter, bundle::plugin_configuration(bytes));
        let envoy =
            Envoy::start(&options.envoy, &Bootstrap::to(upstream.address()).filter(&filter))?;
        let worker = Worker::of(envoy.id())?;
        samples.push(Sampled { name: variant.name, us: Vec::new(), envoy, worker });
    }
    for round in 0..=options.rounds {
        for sample in &mut samples {
            let load = Load { to: sample.envoy.address(), connections: CONNECTIONS };
            let before = sample.worker.cpu_ns()?;
            load.run(&requests, options.requests)?;
            let spent = sample.worker.cpu_ns()? - before;
            // The first round warms up: connections, and V8's optimising compiler.
            if round > 0 {
                sample.us.push(spent as f64 / 1000.0 / f64::from(options.requests));
            }
        }
    }
    Ok(samples)
}

fn write(message: &Message) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", message.method, message.target);
    for (name, value) in &message.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !message.body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", message.body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), &message.body].concat()
}
