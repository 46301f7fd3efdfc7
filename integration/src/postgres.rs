//! A PostgreSQL server of a test's own: in a directory of its own, on a loopback port, stopped when dropped.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::control::signal;
use crate::error::Error;

/// Servers of this process so far: tests run side by side.
static STARTED: AtomicU32 = AtomicU32::new(0);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// PostgreSQL does not run as root: `nobody` does then.
const NOBODY: u32 = 65_534;

/// A running server with a database `postgres`, and its superuser `portcullis` without a password.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    dir: PathBuf,
    port: u16,
    binaries: PathBuf,
}

impl Postgres {
    /// Starts one, or tells what this machine lacks for it.
    pub fn start() -> Option<Result<Postgres, Error>> {
        let binary = find()?;
        match Postgres::start_in(&binary) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                println!("skipped: `nobody` may not run {}", binary.display());
                None
            }
            started => Some(started),
        }
    }

    fn start_in(binary: &Path) -> Result<Postgres, Error> {
        // Not under the checkout: `nobody` may not be allowed to enter that.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-postgres-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).map_err(Error::io("make a directory for PostgreSQL"))?;
        let binaries = binary.parent().unwrap_or(Path::new("/")).to_path_buf();
        if is_root(&dir) {
            std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY))
                .map_err(Error::io("give the directory away"))?;
        }
        let made = as_nobody(&binaries.join("initdb"), &dir)
            .args(["-D", "data", "-U", "portcullis", "-A", "trust", "-E", "UTF8", "--no-sync"])
            .arg("--no-locale")
            .output()
            .map_err(Error::io("run initdb"))?;
        if !made.status.success() {
            let log = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(Error::Exited { status: made.status.to_string(), log });
        }
        let port = free_port()?;
        let child = spawn(&binaries, &dir, port)?;
        let mut postgres = Postgres { child, dir, port, binaries };
        postgres.await_ready()?;
        Ok(postgres)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A connection string.
    pub fn url(&self) -> String {
        format!("postgres://portcullis@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// A connection string that asks for nothing of TLS.
    pub fn url_by_address(&self) -> String {
        format!("postgres://portcullis@127.0.0.1:{}/postgres", self.port)
    }

    /// Has it speak TLS from now on, by a certificate and a key in PEM, and nothing else to whoever comes by network.
    pub fn speak_tls(&mut self, certificate: &str, key: &str) -> Result<(), Error> {
        self.stop();
        let data = self.dir.join("data");
        let files = [
            ("server.crt", certificate.to_owned()),
            ("server.key", key.to_owned()),
            ("pg_hba.conf", "hostssl all all all trust\n".to_owned()),
        ];
        let owner = is_root(Path::new("/proc/self"));
        for (name, text) in files {
            let path = data.join(name);
            fs::write(&path, text).map_err(Error::io("write PostgreSQL's files"))?;
            // PostgreSQL takes no key that others may read.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
                .map_err(Error::io("close PostgreSQL's files"))?;
            if owner {
                std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY))
                    .map_err(Error::io("give PostgreSQL's files away"))?;
            }
        }
        let settings = File::options().append(true).open(data.join("postgresql.conf"));
        settings
            .and_then(|mut file| file.write_all(b"ssl = on\n"))
            .map_err(Error::io("configure PostgreSQL"))?;
        self.restart()
    }

    /// Sends a signal to the server and to all that serve its clients: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) -> Result<(), Error> {
        for id in [self.child.id()].into_iter().chain(self.children()) {
            signal(id, name)?;
        }
        Ok(())
    }

    /// The processes that serve its clients, and that do its housekeeping.
    fn children(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = fs::read_to_string(children).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Ends it at once: its clients lose their connections.
    pub fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let children = self.children();
        let _ = self.child.kill();
        let _ = self.child.wait();
        // They end once they notice, and until then no other server may have their directory.
        let started = Instant::now();
        for id in children {
            let _ = signal(id, "KILL");
            while runs(id) && started.elapsed() < READY_WITHIN {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // What a killed server leaves keeps the next one from starting.
        let _ = fs::remove_file(self.dir.join("data/postmaster.pid"));
    }

    /// Starts it again.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.child = spawn(&self.binaries, &self.dir, self.port)?;
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            if log.contains("database system is ready to accept connections") {
                return Ok(());
            }
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended || started.elapsed() > READY_WITHIN {
                return Err(Error::Exited { status: "not ready".to_owned(), log });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// `PORTCULLIS_POSTGRES_SERVER`, or the one on PATH, or Debian's; its directory has `initdb` too.
fn find() -> Option<PathBuf> {
    let named = std::env::var_os("PORTCULLIS_POSTGRES_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("postgres"));
    let debian =
        (12..20).rev().map(|it| PathBuf::from(format!("/usr/lib/postgresql/{it}/bin/postgres")));
    let candidates = named.into_iter().chain(on_path).chain(debian);
    let found = candidates
        .filter_map(|it| it.canonicalize().ok())
        .find(|it| it.is_file() && it.with_file_name("initdb").is_file());
    if found.is_none() {
        println!("skipped: no PostgreSQL on this machine (Debian: postgresql-15)");
    }
    found
}

fn spawn(binaries: &Path, dir: &Path, port: u16) -> Result<Child, Error> {
    // A log of its own: what the one before wrote does not say that this one is ready.
    let log = File::create(dir.join("log")).map_err(Error::io("make PostgreSQL's log"))?;
    as_nobody(&binaries.join("postgres"), dir)
        .args(["-D", "data", "-k", "", "-h", "127.0.0.1", "-p", &port.to_string(), "-F"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(Error::io("start postgres"))
}

fn as_nobody(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("LC_ALL", "C");
    if let Some(libraries) = std::env::var_os("PORTCULLIS_POSTGRES_SERVER_LIBRARIES") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    if fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Whether a process is there and has not ended: who has may wait to be asked for.
fn runs(id: u32) -> bool {
    fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|it| !it.is_empty())
}

fn is_root(own: &Path) -> bool {
    fs::metadata(own).is_ok_and(|it| it.uid() == 0)
}

fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("find a port"))?;
    Ok(listener.local_addr().map_err(Error::io("find a port"))?.port())
}
