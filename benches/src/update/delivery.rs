//! A gateway whose policy comes by one path, and bundles of rising epochs for it.

use std::path::Path as FilePath;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use policy_compiler::source::Sources;
use portcullis_bundle::sign;
use portcullis_ecds::{Configuration, Filter as Resource};
use portcullis_integration::faults::stage::{self, WORKERS};
use portcullis_integration::http1::{Body, Request};
use portcullis_integration::releases;
use portcullis_integration::store::Store;
use portcullis_integration::{
    Bootstrap, Control, Envoy, Filter, FilterDiscovery, Upstream, control, envoy,
};
use serde_json::json;

use crate::Error;
use crate::bundle;

const SEED: [u8; 32] = [7; 32];
/// Where the header holds the epoch (FORMAT.md).
const EPOCH: std::ops::Range<usize> = 24..32;
const POLICY: &str = "version: 1\nname: bench\naudience: gate\nmode: enforce\napis: [{ name: api, documents: [api.yaml] }]\n";

/// A way that policies come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// A file in binary that Envoy watches.
    File,
    /// The control service pushes over gRPC.
    Xds,
    /// The filter fetches.
    Poll,
}

impl Path {
    /// The name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Path::File => "file",
            Path::Xds => "xds",
            Path::Poll => "poll",
        }
    }
}

/// One policy under rising epochs.
pub struct Bundles {
    bytes: Vec<u8>,
    epoch: u64,
}

struct Memory(usize);

impl Sources for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "policy.yaml" => Ok(POLICY.into()),
            "api.yaml" => Ok(releases::document(self.0).into_bytes()),
            _ => Err("there is no such file".to_owned()),
        }
    }
}

impl Bundles {
    /// A bundle of about so many bytes.
    pub fn of(bytes: usize) -> Result<Self, Error> {
        const PROBE: usize = 50;
        let compiled = |resources| bundle::of_policy(&Memory(resources), "policy.yaml");
        let (none, some) = (compiled(0)?.len(), compiled(PROBE)?.len());
        let resources = bytes.saturating_sub(none) * PROBE / (some - none).max(1);
        let mut bundles = Self { bytes: compiled(resources)?, epoch: 0 };
        bundles.next();
        Ok(bundles)
    }

    /// The key that signs them, in hexadecimal.
    pub fn public_key() -> String {
        let key = SigningKey::from_bytes(&SEED).verifying_key();
        data_encoding::HEXLOWER.encode(key.as_bytes())
    }

    /// Bytes of a bundle.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The epoch of the last one given out.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The next one, signed.
    pub fn next(&mut self) -> Vec<u8> {
        self.epoch += 1;
        let mut bytes = self.bytes.clone();
        bytes[EPOCH].copy_from_slice(&self.epoch.to_le_bytes());
        sign(&mut bytes, &SEED).expect("a bundle that was just compiled can be signed");
        bytes
    }
}

/// A gateway of two workers.
pub struct Gateway {
    pub envoy: Envoy,
    wasm: String,
    way: Way,
    _upstream: Upstream,
}

/// What runs.
pub struct Programs<'a> {
    pub filter: &'a FilePath,
    pub envoy: &'a FilePath,
    pub compiler: &'a FilePath,
}

enum Way {
    File(FilterDiscovery),
    Xds(Control),
    Poll(Store),
}

impl Gateway {
    /// Starts on the next bundle.
    pub fn start(
        programs: &Programs<'_>,
        path: Path,
        bundles: &mut Bundles,
    ) -> Result<Self, Error> {
        let Programs { filter, envoy, compiler } = *programs;
        let upstream = Upstream::start()?;
        let key = Bundles::public_key();
        let base = Bootstrap::to(upstream.address()).guard().workers(WORKERS);
        let first = bundles.next();
        let wasm = filter.display().to_string();
        let trust = json!({ "portcullis": { "trusted_keys": [key], "hold_headers": true } });
        let (way, bootstrap) = match path {
            Path::File => {
                let discovery = FilterDiscovery::empty()?;
                discovery.publish_binary(&resource(&wasm, &first))?;
                let bootstrap = base.filter_from_binary(discovery.dir()).node_metadata(trust);
                (Way::File(discovery), bootstrap)
            }
            Path::Xds => {
                let options =
                    ["--trusted-key", &key, "--wasm", &wasm, "--filter", "portcullis=bench"];
                let control = Control::start(compiler, &envoy::fresh_dir()?, &options)?;
                send(&control, &first)?;
                let discovery = json!({
                    "name": "portcullis",
                    "config_discovery": {
                        "config_source": control::config_source(),
                        "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                        "default_config": Filter::new(filter, "{}").typed_config(),
                    },
                });
                let cluster = control::cluster(control.address());
                let bootstrap = base.http_filter(discovery).node_metadata(trust).with(|config| {
                    if let Some(all) = config["static_resources"]["clusters"].as_array_mut() {
                        all.push(cluster);
                    }
                });
                (Way::Xds(control), bootstrap)
            }
            Path::Poll => {
                let store = Store::start(&first)?;
                let mut configuration = stage::polling(&key, None);
                configuration["source"] = json!({
                    "cluster": "store", "path": "/bundle", "interval": "200ms", "timeout": "10s",
                });
                let filter = Filter::new(filter, configuration.to_string());
                let bootstrap = base.filter(&filter).cluster("store", store.address());
                (Way::Poll(store), bootstrap)
            }
        };
        let envoy = Envoy::start(envoy, &bootstrap)?;
        Ok(Self { envoy, wasm, way, _upstream: upstream })
    }

    /// Publishes a bundle.
    pub fn publish(&mut self, bundle: &[u8]) -> Result<(), Error> {
        match &self.way {
            Way::File(discovery) => discovery.publish_binary(&resource(&self.wasm, bundle))?,
            Way::Xds(control) => send(control, bundle)?,
            Way::Poll(store) => store.publish(bundle),
        }
        Ok(())
    }

    /// Waits until every worker serves an epoch.
    pub fn await_served(&self, epoch: u64) -> Result<(), Error> {
        let what = format!("epoch {epoch} on every worker");
        self.envoy.wait_until(&what, Duration::from_secs(30), |envoy| {
            stage::epochs(envoy).is_ok_and(|seen| {
                seen.len() >= WORKERS as usize && seen.iter().all(|served| *served == epoch)
            })
        })?;
        Ok(())
    }
}

/// Publishes as `portcullis publish` does, without a process for each.
fn send(control: &Control, bundle: &[u8]) -> Result<(), Error> {
    let answer = Request::new("POST", "/v1/policies/bench/bundles?channel=stable")
        .header("authorization", format!("Bearer {}", control.publisher))
        .body(Body::Sized(bundle.to_vec()))
        .send(control.address())?;
    match answer.status {
        200 | 201 => Ok(()),
        status => {
            let told = format!("the control service answers {status}: {}", answer.text());
            Err(Error::Unexpected(told))
        }
    }
}

fn resource(wasm: &str, bundle: &[u8]) -> Vec<u8> {
    let resource = portcullis_ecds::resource(&Resource::new(wasm), Configuration::Bundle(bundle));
    portcullis_ecds::file("bench", resource)
}
