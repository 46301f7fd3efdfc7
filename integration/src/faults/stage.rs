//! A gateway under load whose policy comes by polling or by a file, and what faults do to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::artefacts::Artefacts;
use crate::bootstrap::{Bootstrap, Filter};
use crate::envoy::{Envoy, fresh_dir};
use crate::error::Error;
use crate::http1::{Body, Request};
use crate::load::{Load, Sent, Shape};
use crate::releases::{self, Releases};
use crate::store::{Behaviour, Store};
use crate::trap;
use crate::upstream::Upstream;

/// The epoch that serves when a fault comes.
pub const EPOCH: u64 = 5;
/// Workers of the gateway.
pub const WORKERS: u32 = 2;
/// Bytes of the largest bundle that is fetched.
pub const MAX_BYTES: usize = 4_000_000;
/// How long a fault may take to show, or an update to reach every worker: longer than the gauge of a worker that has trapped
/// is left alone.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How the gateway comes by its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The filter polls a store.
    Poll,
    /// Envoy watches a file, as `portcullis render envoy` writes it.
    File,
}

/// A gateway, and everything around it.
#[derive(Debug)]
pub struct Stage {
    /// How the policy comes.
    pub way: Way,
    /// Releases of the policy.
    pub releases: Releases,
    /// The store; asked only by [`Way::Poll`].
    pub store: Store,
    artefacts: Artefacts,
    upstream: Upstream,
    gateway: PathBuf,
    trapping: Option<PathBuf>,
    envoy: Option<Envoy>,
    load: Option<Load>,
    sent: Sent,
}

impl Stage {
    /// Starts a gateway that serves [`EPOCH`], and load on it.
    pub fn start(artefacts: &Artefacts, way: Way) -> Result<Self, Error> {
        Self::of(artefacts, way, Releases::new(artefacts, 0)?)
    }

    /// The same for releases of any policy with the usual requests.
    pub fn of(artefacts: &Artefacts, way: Way, releases: Releases) -> Result<Self, Error> {
        let first = releases.release(EPOCH)?;
        let mut stage = Self {
            way,
            store: Store::start(&first)?,
            artefacts: artefacts.clone(),
            upstream: Upstream::start()?,
            gateway: fresh_dir()?,
            trapping: None,
            envoy: None,
            load: None,
            sent: Sent::default(),
            releases,
        };
        if way == Way::File {
            stage.render(&first, 0)?;
        }
        stage.boot()?;
        stage.await_epoch(EPOCH)?;
        // What was sent before anything served is not under test.
        stage.load.take().map(Load::stop);
        stage.load = Some(stage.start_load()?);
        Ok(stage)
    }

    /// The running Envoy.
    pub fn envoy(&self) -> Result<&Envoy, Error> {
        self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))
    }

    /// Ends the load.
    pub fn rest(&mut self) {
        if let Some(load) = self.load.take() {
            self.sent.add(load.stop());
        }
    }

    /// Kills Envoy by SIGKILL; the load ends before, as its clients would.
    pub fn kill(&mut self) {
        self.rest();
        self.envoy = None;
    }

    /// The next Envoy runs a module in which an exported function traps, or the filter itself.
    pub fn trap_in(&mut self, export: Option<&str>) -> Result<(), Error> {
        let path = self.gateway.join("trapping.wasm");
        if let Some(export) = export {
            trap::write(&self.artefacts.filter, export, &path)?;
        }
        self.trapping = export.map(|_| path);
        Ok(())
    }

    /// The next Envoy runs a module in which an exported function traps at that call in each VM.
    pub fn trap_at(&mut self, export: &str, call: u8) -> Result<(), Error> {
        let path = self.gateway.join("trapping.wasm");
        trap::write_at(&self.artefacts.filter, export, call, &path)?;
        self.trapping = Some(path);
        Ok(())
    }

    /// Lets the rendered gateway pass trailers on, which only [`Self::send_trailers`] sends.
    pub fn allow_trailers(&self) -> Result<(), Error> {
        let path = self.gateway.join("envoy.yaml");
        let text = fs::read_to_string(&path).map_err(Error::io("read the rendered envoy.yaml"))?;
        let (before, after) = text
            .split_once("stat_prefix:")
            .ok_or_else(|| Error::Case("no connection manager in envoy.yaml".to_owned()))?;
        let indent = " ".repeat(before.len() - before.trim_end_matches(' ').len());
        let option = format!("http_protocol_options: {{ enable_trailers: true }}\n{indent}");
        fs::write(&path, [before, &option, "stat_prefix:", after].concat())
            .map_err(Error::io("write envoy.yaml"))
    }

    /// Sends a request with trailers, whatever becomes of it.
    pub fn send_trailers(&self) -> Result<(), Error> {
        let trailers = vec![(b"x-sum".to_vec(), b"1".to_vec())];
        let body = Body::Chunked { content: b"{\"n\":1}".to_vec(), trailers };
        let request = Request::new("POST", "/users/42")
            .header("content-type", "application/json")
            .header("connection", "close")
            .body(body);
        let _ = request.send(self.envoy()?.address());
        Ok(())
    }

    /// Starts Envoy and load on it.
    pub fn boot(&mut self) -> Result<(), Error> {
        let envoy = match self.way {
            Way::Poll => Envoy::start(&self.artefacts.envoy, &self.polling()?)?,
            Way::File => {
                let text = fs::read_to_string(self.gateway.join("envoy.yaml"))
                    .map_err(Error::io("read the rendered envoy.yaml"))?;
                Envoy::start_text(&self.artefacts.envoy, &text, WORKERS)?
            }
        };
        self.envoy = Some(envoy);
        self.load = Some(self.start_load()?);
        Ok(())
    }

    /// Ends the load, and tells what all of it saw.
    pub fn finish(mut self) -> Sent {
        self.rest();
        self.sent
    }

    /// Publishes a bundle the way that this gateway takes it.
    pub fn publish(&self, bundle: &[u8]) -> Result<(), Error> {
        match self.way {
            Way::Poll => {
                self.store.publish(bundle);
                Ok(())
            }
            Way::File => {
                // Also what the compiler would not render.
                let filter = portcullis_ecds::Filter::new(self.wasm());
                let configuration = portcullis_ecds::Configuration::Bundle(bundle);
                let resource = portcullis_ecds::resource(&filter, configuration);
                self.publish_file(&portcullis_ecds::file("test", resource))
            }
        }
    }

    /// Renames any bytes over the file that Envoy watches.
    pub fn publish_file(&self, bytes: &[u8]) -> Result<(), Error> {
        let beside = self.gateway.join("new");
        fs::write(&beside, bytes).map_err(Error::io("write beside the file"))?;
        fs::rename(&beside, self.file()).map_err(Error::io("rename over the file"))
    }

    /// The file that Envoy watches.
    pub fn file(&self) -> PathBuf {
        self.gateway.join("filter/portcullis.pb")
    }

    /// Where a changed file is put for Envoy.
    pub fn gateway(&self) -> &Path {
        &self.gateway
    }

    /// Renders the configuration for a bundle; `key` says which key the gateway trusts.
    pub fn render(&self, bundle: &[u8], key: usize) -> Result<(), Error> {
        let path = self.releases.dir().join("to-render.bundle");
        fs::write(&path, bundle).map_err(Error::io("write the bundle"))?;
        let out = self.gateway.display().to_string();
        let upstream = self.upstream.address().to_string();
        let mut arguments = vec!["render", "envoy", "--bundle", "to-render.bundle", "--out", &out];
        let wasm = self.wasm();
        arguments.extend(["--wasm", &wasm, "--upstream", &upstream]);
        arguments.extend(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        arguments.extend(["--trusted-key", &self.releases.keys[key]]);
        self.releases.run(&arguments).map(drop)
    }

    /// The epochs that the workers serve.
    pub fn epochs(&self) -> Result<Vec<u64>, Error> {
        epochs(self.envoy()?)
    }

    /// Waits until every worker serves an epoch.
    pub fn await_epoch(&self, epoch: u64) -> Result<(), Error> {
        await_epoch(self.envoy()?, epoch)
    }

    /// Waits until as many workers as there are serve an epoch, whatever the gauges of others say that have trapped.
    pub fn await_workers(&self, epoch: u64) -> Result<(), Error> {
        self.envoy()?.wait_until(&format!("epoch {epoch}"), LIMIT, |envoy| {
            let stats = |name| envoy.stats(name).unwrap_or_default();
            let index = |name: &str| name.rsplit('.').next().map(str::to_owned);
            // A worker that lives sets the gauges of those that are no more as its own, but for what is alive there.
            let alive: Vec<_> = stats("portcullis.generations.worker.")
                .into_iter()
                .filter(|(_, bundles)| *bundles > 0)
                .map(|(name, _)| index(&name))
                .collect();
            let serves = stats("portcullis.epoch.portcullis.worker.")
                .into_iter()
                .filter(|(name, served)| *served == epoch && alive.contains(&index(name)));
            serves.count() >= WORKERS as usize
        })
    }

    /// The sum of the counters and gauges of the filter whose name ends so.
    pub fn count(&self, names: &[&str]) -> Result<u64, Error> {
        let all = self.envoy()?.stats("")?;
        let counted = all.iter().filter(|(name, _)| names.iter().any(|end| name.ends_with(end)));
        Ok(counted.map(|(_, count)| count).sum())
    }

    /// The sum of counters that does not grow any more.
    pub fn settled(&self, names: &[&str]) -> Result<u64, Error> {
        let mut counted = self.count(names)?;
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let before = std::mem::replace(&mut counted, self.count(names)?);
            if counted == before {
                return Ok(counted);
            }
        }
    }

    /// Waits until a sum of counters is above what it was.
    pub fn await_more(&self, names: &[&str], than: u64) -> Result<(), Error> {
        self.envoy()?.wait_until(&format!("{names:?} above {than}"), LIMIT, |_| {
            self.count(names).is_ok_and(|count| count > than)
        })
    }

    /// Behaves badly from now on, with something new that it would have to send.
    pub fn behave(&self, behaviour: Behaviour) {
        self.store.behave(behaviour);
    }

    fn start_load(&self) -> Result<Load, Error> {
        Ok(Load::start(self.envoy()?.address(), &releases::requests(), Shape::default()))
    }

    /// The module, as Envoy finds it.
    pub fn wasm(&self) -> String {
        self.trapping.as_ref().unwrap_or(&self.artefacts.filter).display().to_string()
    }

    fn polling(&self) -> Result<Bootstrap, Error> {
        let beside = self.releases.release(EPOCH)?;
        let configuration = polling(&self.releases.keys[0], Some(&beside));
        let module = self.trapping.as_ref().unwrap_or(&self.artefacts.filter);
        let filter = Filter::new(module, configuration.to_string());
        Ok(Bootstrap::to(self.upstream.address())
            .guard()
            .filter(&filter)
            .cluster("store", self.store.address())
            .workers(WORKERS))
    }
}

/// A plugin configuration that polls the cluster `store`, with a bundle beside.
pub fn polling(key: &str, beside: Option<&[u8]>) -> Value {
    let mut configuration = json!({
        "trusted_keys": [key],
        "audience": releases::AUDIENCE,
        "hold_headers": true,
        "source": {
            "cluster": "store", "path": "/bundle", "interval": "300ms", "timeout": "1s", "max_bytes": MAX_BYTES,
        },
    });
    if let Some(bundle) = beside {
        configuration["bundle"] = json!(data_encoding::BASE64.encode(bundle));
    }
    configuration
}

/// The epochs that the workers of an Envoy serve.
pub fn epochs(envoy: &Envoy) -> Result<Vec<u64>, Error> {
    let gauges = envoy.stats("portcullis.epoch.portcullis.worker.")?;
    Ok(gauges.into_iter().map(|(_, epoch)| epoch).collect())
}

/// Waits until every worker of an Envoy under load serves an epoch.
pub fn await_epoch(envoy: &Envoy, epoch: u64) -> Result<(), Error> {
    envoy.wait_until(&format!("epoch {epoch} on every worker"), LIMIT, |envoy| {
        epochs(envoy)
            .is_ok_and(|seen| seen.len() >= WORKERS as usize && seen.iter().all(|it| *it == epoch))
    })
}
