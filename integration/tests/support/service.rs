//! A rate-limit service, and the Redis that it counts in: processes of their own, stopped when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_integration::{artefacts, envoy};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running Redis that keeps nothing on disk.
pub struct Redis {
    child: Child,
    pub address: SocketAddr,
}

impl Redis {
    /// Starts one on a free port; nothing where there is none on this machine, and a line that says so.
    pub fn start() -> Option<Self> {
        Self::start_at(free_port())
    }

    /// The same on a port.
    pub fn start_at(address: SocketAddr) -> Option<Self> {
        let Some((binary, libraries)) = redis() else {
            println!(
                "skipped: no redis-server (install it, set PORTCULLIS_REDIS, or run `cargo xtask suite limits`)"
            );
            return None;
        };
        let mut command = Command::new(binary);
        if let Some(libraries) = libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let child = command
            .current_dir(envoy::fresh_dir().unwrap())
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(address.port().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let redis = Redis { child, address };
        let started = Instant::now();
        while redis.ask("*1\r\n$4\r\nPING\r\n").as_deref() != Some("+PONG\r\n") {
            assert!(started.elapsed() < READY_WITHIN, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(redis)
    }

    /// What lies in it, as Redis writes lists.
    pub fn keys(&self) -> String {
        self.ask("*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n").unwrap()
    }

    fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.write_all(command.as_bytes()).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match stream.read(&mut piece) {
                Ok(count) if count > 0 => text.extend_from_slice(&piece[..count]),
                _ => return String::from_utf8(text).ok(),
            }
            if text.starts_with(b"+") && text.ends_with(b"\r\n") {
                return String::from_utf8(text).ok();
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// A running rate-limit service.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
}

impl Service {
    /// Starts one that counts in Redis by rules, and behaves as it should, or otherwise.
    pub fn start(redis: SocketAddr, behaviour: &str, rules: &[&str]) -> Self {
        Self::start_at(free_port(), redis, behaviour, rules)
    }

    /// The same on a port.
    pub fn start_at(
        address: SocketAddr,
        redis: SocketAddr,
        behaviour: &str,
        rules: &[&str],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rate-limit-service"))
            .args(["--listen", &address.to_string(), "--redis", &redis.to_string()])
            .args(["--behaviour", behaviour])
            .args(rules)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), address.to_string());
        Service { child, address }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// An address of the loopback at which nothing listens.
pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn stop(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Redis's binary, and where its libraries lie if the system has them not.
fn redis() -> Option<(PathBuf, Option<PathBuf>)> {
    if let Some(binary) = std::env::var_os("PORTCULLIS_REDIS") {
        let libraries = std::env::var_os("PORTCULLIS_REDIS_LIBRARIES").map(PathBuf::from);
        return Some((binary.into(), libraries));
    }
    let path = std::env::var_os("PATH")?;
    let mut installed = std::env::split_paths(&path).map(|dir| dir.join("redis-server"));
    if let Some(binary) = installed.find(|binary| binary.is_file()) {
        return Some((binary, None));
    }
    let unpacked = artefacts::target().join("tools/debian/redis-server");
    let libraries = unpacked.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let binary = unpacked.join("usr/bin/redis-server");
    binary.is_file().then(|| (binary, libraries.is_dir().then_some(libraries)))
}
