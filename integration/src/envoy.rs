//! An Envoy process: started on free ports, ready when returned, stopped when dropped.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bootstrap::Bootstrap;
use crate::error::Error;
use crate::http1::Request;
use crate::usage::Usage;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running Envoy. Its configuration and log stay in [`Envoy::dir`] when it is dropped.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    dir: PathBuf,
    admin: SocketAddr,
    main: SocketAddr,
}

impl Envoy {
    /// Starts the binary on the configuration and waits until every listener serves.
    pub fn start(binary: &Path, bootstrap: &Bootstrap) -> Result<Self, Error> {
        Self::start_text(binary, &bootstrap.text(), bootstrap.concurrency())
    }

    /// The same for a configuration as users write it. Its first listener is [`Envoy::address`].
    pub fn start_text(binary: &Path, config: &str, workers: u32) -> Result<Self, Error> {
        let dir = fresh_dir()?;
        let path = dir.join("envoy.yaml");
        fs::write(&path, config).map_err(Error::io("write envoy.yaml"))?;
        let mut child = spawn(binary, &path, &dir, workers)?;
        match await_ready(&mut child, &dir) {
            Ok((admin, main)) => Ok(Self { child, dir, admin, main }),
            Err(error) => {
                stop(&mut child);
                Err(error)
            }
        }
    }

    /// Checks a configuration with `--mode validate`.
    pub fn validate(binary: &Path, config: &Path) -> Result<(), Error> {
        let output = Command::new(binary)
            .args(["--mode", "validate", "--disable-hot-restart", "-l", "warning", "-c"])
            .arg(config)
            .output()
            .map_err(Error::io("start envoy"))?;
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Invalid { path: config.to_path_buf(), log })
    }

    /// Where the listener `main` (or the first one) listens.
    pub fn address(&self) -> SocketAddr {
        self.main
    }

    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The directory of the configuration and the log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the process has used so far.
    pub fn usage(&self) -> Result<Usage, Error> {
        Usage::of(self.id())
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        read_log(&self.dir)
    }

    /// What was logged from that byte on, and where it ends.
    pub fn log_from(&self, start: u64) -> Result<(String, u64), Error> {
        let read = || {
            let mut file = fs::File::open(self.dir.join("envoy.log"))?;
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            // The last line may be half written.
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
            Ok(bytes)
        };
        let bytes = read().map_err(Error::io("read envoy.log"))?;
        let end = start + bytes.len() as u64;
        Ok((String::from_utf8_lossy(&bytes).into_owned(), end))
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The major and the minor version.
    pub fn version(&self) -> Result<(u32, u32), Error> {
        let page: Value =
            serde_json::from_str(&self.admin_page("/server_info")?).unwrap_or_default();
        // HASH/1.40.0/Clean/RELEASE/BoringSSL
        let text = page["version"].as_str().and_then(|text| text.split('/').nth(1));
        Ok(parse_version(text.unwrap_or_default()))
    }

    /// An admin page.
    pub fn admin_page(&self, path: &str) -> Result<String, Error> {
        admin_page(self.admin, path)
    }

    /// A counter or gauge; 0 where Envoy does not know the name yet.
    pub fn stat(&self, name: &str) -> Result<u64, Error> {
        let page = self.admin_page("/stats")?;
        Ok(page
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0))
    }

    /// Every counter and gauge whose name contains the text, as `name: value` lines.
    pub fn stats(&self, containing: &str) -> Result<Vec<(String, u64)>, Error> {
        let page = self.admin_page("/stats")?;
        Ok(page
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(key, _)| key.contains(containing))
            .filter_map(|(key, value)| Some((key.to_owned(), value.trim().parse().ok()?)))
            .collect())
    }

    /// Waits until the condition holds, asking every 20 ms.
    pub fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> Result<(), Error> {
        let started = Instant::now();
        while !condition(self) {
            if started.elapsed() > limit {
                return Err(Error::Deadline { what: what.to_owned(), seconds: limit.as_secs() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// The first two numbers of a version; 0 for what is none.
pub(crate) fn parse_version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// A new directory under target/integration, for one Envoy or one test.
pub fn fresh_dir() -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = crate::artefacts::target().join("integration").join(name);
    if dir.exists() {
        // Process ids come again; what an older run left is not ours.
        fs::remove_dir_all(&dir).map_err(Error::io("clear the directory of an older run"))?;
    }
    fs::create_dir_all(&dir).map_err(Error::io(format!("make {}", dir.display())))?;
    Ok(dir)
}

fn spawn(binary: &Path, config: &Path, dir: &Path, workers: u32) -> Result<Child, Error> {
    let log = fs::File::create(dir.join("envoy.log")).map_err(Error::io("make envoy.log"))?;
    let out = log.try_clone().map_err(Error::io("share envoy.log"))?;
    Command::new(binary)
        .arg("-c")
        .arg(config)
        .args(["--disable-hot-restart", "--use-dynamic-base-id", "--concurrency"])
        .arg(workers.to_string())
        .args(["--drain-time-s", "1", "--file-flush-interval-msec", "50", "-l", "info"])
        .arg("--admin-address-path")
        .arg(dir.join("admin"))
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(log)
        .spawn()
        .map_err(Error::io(format!("start {}", binary.display())))
}

fn await_ready(child: &mut Child, dir: &Path) -> Result<(SocketAddr, SocketAddr), Error> {
    let started = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            let log = read_log(dir);
            let from = log.char_indices().rev().nth(4000).map_or(0, |(at, _)| at);
            let log = log.get(from..).unwrap_or_default().to_owned();
            return Err(Error::Exited { status: status.to_string(), log });
        }
        if let Some(addresses) = try_ready(dir) {
            return Ok(addresses);
        }
        if started.elapsed() > READY_WITHIN {
            let what = format!("envoy's readiness ({})", dir.display());
            return Err(Error::Deadline { what, seconds: READY_WITHIN.as_secs() });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_ready(dir: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let admin: SocketAddr = fs::read_to_string(dir.join("admin")).ok()?.trim().parse().ok()?;
    if admin_page(admin, "/ready").ok()?.trim() != "LIVE" {
        return None;
    }
    let listeners: Value =
        serde_json::from_str(&admin_page(admin, "/listeners?format=json").ok()?).ok()?;
    let listeners = listeners.get("listener_statuses")?.as_array()?;
    let main = listeners
        .iter()
        .find(|listener| listener.get("name").and_then(Value::as_str) == Some("main"))
        .or(listeners.first())?;
    let socket = main.pointer("/local_address/socket_address")?;
    let (host, port) = (socket.get("address")?.as_str()?, socket.get("port_value")?.as_u64()?);
    let host = if host == "0.0.0.0" { "127.0.0.1" } else { host };
    Some((admin, SocketAddr::new(host.parse().ok()?, u16::try_from(port).ok()?)))
}

fn admin_page(admin: SocketAddr, path: &str) -> Result<String, Error> {
    let answer = Request::get(path).header("connection", "close").send(admin)?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

fn read_log(dir: &Path) -> String {
    let bytes = fs::read(dir.join("envoy.log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ends a process that this harness started.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
