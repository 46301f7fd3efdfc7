//! Faults of the control service: a gateway of two workers under load whose policy it pushes, serves to a poll, or
//! writes to a file by `portcullis sync`.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::stage::{self, EPOCH, LIMIT, WORKERS};
use super::{Outcome, time};
use crate::artefacts::Artefacts;
use crate::bootstrap::{Bootstrap, Filter};
use crate::control::{self, Control};
use crate::envoy::{Envoy, fresh_dir};
use crate::error::Error;
use crate::http1::{Body, Request};
use crate::load::{Load, Sent, Shape};
use crate::postgres::Postgres;
use crate::releases::{self, Releases};
use crate::upstream::Upstream;

/// How the policy comes from the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// By xDS.
    Push,
    /// By the filter's own poll.
    Poll,
    /// By a file that `portcullis sync` keeps.
    Sync,
}

/// What the service needs before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A file of its own.
    Sqlite,
    /// A file that cannot grow beyond 256 KiB, as if the disk had no more room.
    FullDisk,
    /// A PostgreSQL server.
    Postgres,
}

/// The service, the gateway, and everything around them.
#[derive(Debug)]
pub struct Service {
    /// The service.
    pub control: Control,
    /// Its database server, if it has one.
    pub postgres: Option<Postgres>,
    /// Releases of the policy.
    pub releases: Releases,
    artefacts: Artefacts,
    from: From,
    upstream: Upstream,
    file: PathBuf,
    sync: Option<Ended>,
    envoy: Option<Envoy>,
    load: Option<Load>,
    sent: Sent,
}

/// A process that ends with its handle.
#[derive(Debug)]
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A course: what happens, which counters must tell of it, and the epoch that serves at its end.
pub type Course = fn(&mut Service, &[&str]) -> Result<u64, Error>;

/// Brings a fault on a service and a gateway of their own. None where this machine lacks what it needs.
pub fn run(
    artefacts: &Artefacts,
    (from, needs): (From, Needs),
    releases: Releases,
    told_by: &[&str],
    course: Course,
) -> Result<Option<Outcome>, Error> {
    let Some(mut service) = Service::start(artefacts, from, needs, releases)? else {
        return Ok(None);
    };
    let survived = course(&mut service, told_by).and_then(|epoch| {
        service.await_epoch(epoch)?;
        // The next good release is taken.
        service.publish(&service.releases.release(epoch + 10)?)?;
        service.await_epoch(epoch + 10)
    });
    let failure = survived.err().map(|error| error.to_string());
    service.stop_load();
    Ok(Some(Outcome { failure, sent: std::mem::take(&mut service.sent) }))
}

impl Service {
    fn start(
        artefacts: &Artefacts,
        from: From,
        needs: Needs,
        releases: Releases,
    ) -> Result<Option<Self>, Error> {
        let postgres = match needs {
            Needs::Postgres => match Postgres::start() {
                Some(started) => Some(started?),
                None => return Ok(None),
            },
            _ => None,
        };
        let dir = fresh_dir()?;
        let wasm = artefacts.filter.display().to_string();
        // Of a key that gateways do not trust, too: nothing that it signs may serve.
        let keys = [&releases.keys[0], &releases.keys[1]];
        let mut options = vec!["--trusted-key", keys[0], "--trusted-key", keys[1], "--wasm", &wasm];
        let url = postgres.as_ref().map(Postgres::url).unwrap_or_default();
        if postgres.is_some() {
            options.extend(["--postgres", &url]);
        }
        let program = match needs {
            Needs::FullDisk => limited(&artefacts.compiler, &dir)?,
            _ => artefacts.compiler.clone(),
        };
        let mut service = Self {
            control: Control::start(&program, &dir, &options)?,
            postgres,
            artefacts: artefacts.clone(),
            from,
            upstream: Upstream::start()?,
            file: fresh_dir()?.join("portcullis.pb"),
            sync: None,
            envoy: None,
            load: None,
            sent: Sent::default(),
            releases,
        };
        service.publish(&service.releases.release(EPOCH)?)?;
        service.boot()?;
        service.load_again()?;
        service.await_epoch(EPOCH)?;
        Ok(Some(service))
    }

    /// Kills Envoy by SIGKILL; the load ends before, as its clients would.
    pub fn kill_gateway(&mut self) {
        self.stop_load();
        self.envoy = None;
    }

    /// Starts Envoy, without load.
    pub fn boot(&mut self) -> Result<(), Error> {
        if self.from == From::Sync && self.sync.is_none() {
            self.sync = Some(self.start_sync()?);
        }
        self.envoy = Some(Envoy::start(&self.artefacts.envoy, &self.bootstrap())?);
        Ok(())
    }

    /// Starts the load again on a gateway that was started anew.
    pub fn load_again(&mut self) -> Result<(), Error> {
        self.await_all_answered()?;
        self.load = Some(self.start_load()?);
        Ok(())
    }

    /// Publishes by HTTP, and must succeed.
    pub fn publish(&self, bundle: &[u8]) -> Result<(), Error> {
        match self.try_publish(bundle)? {
            200 | 201 => Ok(()),
            status => Err(Error::Case(format!("published: {status}\n{}", self.control.log()))),
        }
    }

    /// Publishes by HTTP, and gives the status.
    pub fn try_publish(&self, bundle: &[u8]) -> Result<u16, Error> {
        post(self.control.address(), &self.control.publisher, bundle)
    }

    /// Publishes what must not be taken now.
    pub fn refused(&self, bundle: &[u8], status: u16) -> Result<(), Error> {
        match self.try_publish(bundle)? {
            found if found == status => Ok(()),
            found => Err(Error::Case(format!("published: {found} instead of {status}"))),
        }
    }

    /// Publishes, and breaks off in the middle of the bundle.
    pub fn publish_half(&self, bundle: &[u8]) -> Result<TcpStream, Error> {
        let mut stream =
            TcpStream::connect(self.control.address()).map_err(Error::io("reach the service"))?;
        let head = format!(
            "POST /v1/policies/pay/bundles HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-length: {}\r\n\r\n",
            self.control.publisher,
            bundle.len()
        );
        stream.write_all(head.as_bytes()).map_err(Error::io("publish"))?;
        stream.write_all(&bundle[..bundle.len() / 2]).map_err(Error::io("publish"))?;
        thread::sleep(Duration::from_millis(100));
        Ok(stream)
    }

    /// Sends the service a signal.
    pub fn signal(&self, name: &str) -> Result<(), Error> {
        self.control.signal(name)
    }

    /// The sum of counters: those of the service by their whole name, those of the gateway by their end.
    pub fn count(&self, names: &[&str]) -> Result<u64, Error> {
        let envoy = self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))?;
        let all = envoy.stats("")?;
        let of_envoy = all.iter().filter(|(name, _)| names.iter().any(|end| name.ends_with(end)));
        let of_envoy: u64 = of_envoy.map(|(_, count)| count).sum();
        if !names.iter().any(|name| name.starts_with("portcullis_control_")) {
            return Ok(of_envoy);
        }
        let page = self.control.get("/metrics")?.text();
        let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
        let samples = samples.filter(|(name, _)| names.contains(name));
        Ok(of_envoy + samples.filter_map(|(_, count)| count.parse::<u64>().ok()).sum::<u64>())
    }

    /// Waits until a sum of counters is above what it was.
    pub fn await_more(&self, names: &[&str], than: u64) -> Result<(), Error> {
        let started = Instant::now();
        while self.count(names).is_ok_and(|count| count <= than) || self.count(names).is_err() {
            if started.elapsed() > LIMIT {
                return Err(Error::Case(format!("{names:?} above {than}: not within {LIMIT:?}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits until every worker serves an epoch.
    pub fn await_epoch(&self, epoch: u64) -> Result<(), Error> {
        let envoy = self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))?;
        stage::await_epoch(envoy, epoch)
    }

    /// Every worker serves an epoch now, and for a moment more.
    pub fn still(&self, epoch: u64) -> Result<(), Error> {
        thread::sleep(Duration::from_millis(700));
        let envoy = self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))?;
        let served = stage::epochs(envoy)?;
        if served.iter().any(|it| *it != epoch) {
            return Err(Error::Case(format!("the workers serve {served:?}")));
        }
        Ok(())
    }

    fn stop_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.sent.add(load.stop());
        }
    }

    fn start_load(&self) -> Result<Load, Error> {
        let envoy = self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))?;
        Ok(Load::start(envoy.address(), &releases::requests(), Shape::default()))
    }

    /// Waits until a gateway that has just started answers as it must.
    fn await_all_answered(&self) -> Result<(), Error> {
        let envoy = self.envoy.as_ref().ok_or_else(|| Error::Case("no Envoy runs".to_owned()))?;
        envoy.wait_until("every request is answered", LIMIT, |envoy| {
            let right = |(request, status): &(Request, u16)| {
                request.send(envoy.address()).is_ok_and(|it| it.status == *status)
            };
            (0..4).all(|_| releases::requests().iter().all(right))
        })
    }

    fn start_sync(&self) -> Result<Ended, Error> {
        let (file, url) = (self.file.display().to_string(), self.control.url());
        let wasm = self.artefacts.filter.display().to_string();
        let child = Command::new(&self.artefacts.compiler)
            .args(["sync", "--from", &url, "--policy", "pay", "-o", &file, "--wasm", &wasm])
            .args(["--gateway", "gw-1", "--interval", "1", "--audience", releases::AUDIENCE])
            .args(["--trusted-key", &self.releases.keys[0]])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("start portcullis sync"))?;
        let (child, started) = (Ended(child), Instant::now());
        while !self.file.exists() {
            if started.elapsed() > LIMIT {
                return Err(Error::Case("portcullis sync writes nothing".to_owned()));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(child)
    }

    fn bootstrap(&self) -> Bootstrap {
        let address = self.control.address();
        let base = Bootstrap::to(self.upstream.address()).guard().workers(WORKERS);
        let base = base.with(|config| config["node"]["id"] = json!("gw-1"));
        let trust = json!({
            "trusted_keys": [self.releases.keys[0]], "audience": releases::AUDIENCE,
            "hold_headers": true, "allow_unsigned": false,
        });
        if self.from == From::Poll {
            let mut configuration = trust;
            configuration["source"] = json!({
                "cluster": "control", "path": "/v1/policies/pay/bundle",
                "interval": "300ms", "timeout": "1s",
            });
            let filter = Filter::new(&self.artefacts.filter, configuration.to_string());
            return base
                .filter(&filter)
                .with(|config| add_cluster(config, control::cluster(address)));
        }
        let source = match self.from {
            From::Push => control::config_source(),
            _ => json!({
                "path_config_source": {
                    "path": self.file,
                    "watched_directory": { "path": self.file.parent().unwrap_or(Path::new("/")) },
                },
                "resource_api_version": "V3",
            }),
        };
        let nothing = Filter::new(&self.artefacts.filter, "{}");
        base.http_filter(json!({
            "name": "portcullis",
            "config_discovery": {
                "config_source": source,
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                "default_config": nothing.typed_config(),
            },
        }))
        .node_metadata(json!({ "portcullis": trust }))
        .with(|config| add_cluster(config, control::cluster(address)))
    }
}

fn add_cluster(config: &mut serde_json::Value, cluster: serde_json::Value) {
    if let Some(clusters) = config["static_resources"]["clusters"].as_array_mut() {
        clusters.push(cluster);
    }
}

fn post(to: std::net::SocketAddr, token: &str, bundle: &[u8]) -> Result<u16, Error> {
    let request = Request::new("POST", "/v1/policies/pay/bundles")
        .body(Body::Sized(bundle.to_vec()))
        .header("authorization", format!("Bearer {token}"))
        .header("connection", "close");
    Ok(request.send(to)?.status)
}

/// The program, none of whose files may grow beyond 256 KiB.
fn limited(program: &Path, dir: &Path) -> Result<PathBuf, Error> {
    let script = dir.join("limited");
    let text =
        format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 512\nexec {} \"$@\"\n", program.display());
    fs::write(&script, text).map_err(Error::io("write a script"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        .map_err(Error::io("make a script executable"))?;
    Ok(script)
}

pub(super) fn database_locked(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let path = it.control.dir().join("control.db");
    let failed = |error: rusqlite::Error| Error::Case(format!("lock the database: {error}"));
    let other = rusqlite::Connection::open(path).map_err(failed)?;
    other.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    it.refused(&it.releases.release(6)?, 503)?;
    it.await_more(told_by, before)?;
    it.still(EPOCH)?;
    other.execute_batch("ROLLBACK").map_err(failed)?;
    Ok(EPOCH)
}

pub(super) fn disk_full(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let mut epoch = EPOCH;
    let before = it.count(told_by)?;
    loop {
        match it.try_publish(&it.releases.release(epoch + 1)?)? {
            201 => epoch += 1,
            503 => break,
            status => return Err(Error::Case(format!("published: {status}"))),
        }
        if epoch > 200 {
            return Err(Error::Case("the disk is never full".to_owned()));
        }
    }
    it.await_more(told_by, before)?;
    it.await_epoch(epoch)?;
    it.still(epoch)?;
    // With room again, what was confirmed is there, and the next is taken.
    it.control.kill();
    it.control.restart_as(&it.artefacts.compiler.clone())?;
    Ok(epoch)
}

pub(super) fn killed_amid_publication(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let half = it.publish_half(&it.releases.release(6)?)?;
    it.control.kill();
    drop(half);
    it.await_more(told_by, before)?;
    it.still(EPOCH)?;
    it.control.restart()?;
    if it.control.status("pay")?["highest"] != EPOCH {
        return Err(Error::Case("half a publication was taken".to_owned()));
    }
    Ok(EPOCH)
}

pub(super) fn killed_after_publication(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    it.publish(&it.releases.release(7)?)?;
    // The push is under way.
    it.control.kill();
    it.await_more(told_by, before)?;
    it.control.restart()?;
    it.await_epoch(7)?;
    it.still(7)?;
    Ok(7)
}

pub(super) fn hangs(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    it.signal("STOP")?;
    let told = it.await_more(told_by, before).and_then(|()| it.still(EPOCH));
    it.signal("CONT")?;
    told.map(|()| EPOCH)
}

pub(super) fn two_publishers(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let bundles = [it.releases.release(7)?, it.releases.twin(7)?];
    let (address, token) = (it.control.address(), it.control.publisher.clone());
    let outcomes = thread::scope(|scope| {
        let started = bundles.each_ref().map(|it| scope.spawn(|| post(address, &token, it)));
        started.map(|it| it.join().map_err(|_| Error::Case("a publisher panicked".to_owned()))?)
    });
    let mut statuses = Vec::new();
    for outcome in outcomes {
        statuses.push(outcome?);
    }
    statuses.sort_unstable();
    if statuses != [201, 409] {
        return Err(Error::Case(format!("two publishers got {statuses:?}")));
    }
    it.await_more(told_by, before)?;
    it.await_epoch(7)?;
    it.still(7)?;
    Ok(7)
}

pub(super) fn postgres_gone(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let missing = || Error::Case("there is no PostgreSQL".to_owned());
    it.postgres.as_mut().ok_or_else(missing)?.stop();
    it.await_more(told_by, before)?;
    it.refused(&it.releases.release(6)?, 503)?;
    it.still(EPOCH)?;
    it.postgres.as_mut().ok_or_else(missing)?.restart()?;
    await_status(it, "store up")?;
    Ok(EPOCH)
}

pub(super) fn postgres_hangs(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let missing = || Error::Case("there is no PostgreSQL".to_owned());
    it.postgres.as_ref().ok_or_else(missing)?.signal("STOP")?;
    let told = it.await_more(told_by, before).and_then(|()| it.still(EPOCH));
    it.postgres.as_ref().ok_or_else(missing)?.signal("CONT")?;
    told?;
    await_status(it, "store up")?;
    Ok(EPOCH)
}

pub(super) fn behind_the_clock(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    let soon = time(SystemTime::now() + Duration::from_secs(4));
    it.publish(&it.releases.release_with(7, &["--not-before", &soon])?)?;
    it.await_more(told_by, before)?;
    Ok(7)
}

pub(super) fn both_killed(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    it.publish(&it.releases.release(6)?)?;
    it.await_epoch(6)?;
    it.kill_gateway();
    it.control.kill();
    it.boot()?;
    it.await_more(told_by, 0)?;
    it.load_again()?;
    it.await_epoch(6)?;
    it.still(6)?;
    it.control.restart()?;
    Ok(6)
}

fn await_status(it: &Service, store: &str) -> Result<(), Error> {
    let started = Instant::now();
    while !it.control.get("/readyz")?.text().contains(store) {
        if started.elapsed() > LIMIT {
            return Err(Error::Case(format!("never `{store}`")));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
