//! A gateway whose policy comes by one path, and bundles of rising epochs for it.

use std::path::Path as FilePath;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use policy_compiler::source::Sources;
use portcullis_bundle::sign;
use portcullis_ecds::{Configuration, Filter as Resource};
use portcullis_integration::faults::stage::{self, WORKERS};
use portcullis_integration::releases;
use portcullis_integration::store::Store;
use portcullis_integration::{Bootstrap, Envoy, Filter, FilterDiscovery, Upstream};
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
    /// The filter fetches.
    Poll,
}

impl Path {
    /// The name in figures.
    pub fn name(self) -> &'static str {
        match self {
            Path::File => "file",
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

enum Way {
    File(FilterDiscovery),
    Poll(Store),
}

impl Gateway {
    /// Starts on the next bundle.
    pub fn start(
        filter: &FilePath,
        envoy: &FilePath,
        path: Path,
        bundles: &mut Bundles,
    ) -> Result<Self, Error> {
        let upstream = Upstream::start()?;
        let key = data_encoding::HEXLOWER
            .encode(SigningKey::from_bytes(&SEED).verifying_key().as_bytes());
        let base = Bootstrap::to(upstream.address()).guard().workers(WORKERS);
        let first = bundles.next();
        let wasm = filter.display().to_string();
        let (way, bootstrap) = match path {
            Path::File => {
                let discovery = FilterDiscovery::empty()?;
                discovery.publish_binary(&resource(&wasm, &first))?;
                let trust =
                    json!({ "portcullis": { "trusted_keys": [key], "hold_headers": true } });
                let bootstrap = base.filter_from_binary(discovery.dir()).node_metadata(trust);
                (Way::File(discovery), bootstrap)
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

fn resource(wasm: &str, bundle: &[u8]) -> Vec<u8> {
    let resource = portcullis_ecds::resource(&Resource::new(wasm), Configuration::Bundle(bundle));
    portcullis_ecds::file("bench", resource)
}
