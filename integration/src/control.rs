//! A control service under test: `portcullis serve` on a free port, stopped when dropped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::Error;
use crate::http1::{Request, Response};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running service, and tokens for it.
#[derive(Debug)]
pub struct Control {
    child: Child,
    compiler: PathBuf,
    dir: PathBuf,
    address: SocketAddr,
    options: Vec<String>,
    /// Of a publisher for all policies.
    pub publisher: String,
    /// Of a reader.
    pub reader: String,
}

impl Control {
    /// Starts a service in a directory, which holds its database, credentials and log. The options say at least
    /// whose bundles are taken.
    pub fn start(compiler: &Path, dir: &Path, options: &[&str]) -> Result<Self, Error> {
        let mut credentials = String::new();
        let mut token = |name: &str, role: &str| {
            let made = Command::new(compiler)
                .args(["token", "--name", name, "--role", role])
                .output()
                .map_err(Error::io("make a token"))?;
            let text = String::from_utf8_lossy(&made.stdout).into_owned();
            let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            let (Some(token), Some(line)) = (line("token: "), line("credentials: ")) else {
                return Err(Error::Case(format!("no token: {text}")));
            };
            credentials.push_str(&format!("{line}\n"));
            Ok(token.to_owned())
        };
        let (publisher, reader) = (token("ci", "publisher")?, token("ops", "reader")?);
        fs::write(dir.join("credentials"), credentials).map_err(Error::io("write credentials"))?;
        Self::start_with(compiler, dir, options, publisher, reader)
    }

    /// Starts another service beside one: in a directory of its own, with the same options and credentials.
    pub fn beside(&self, dir: &Path) -> Result<Self, Error> {
        fs::copy(self.dir.join("credentials"), dir.join("credentials"))
            .map_err(Error::io("copy credentials"))?;
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let (publisher, reader) = (self.publisher.clone(), self.reader.clone());
        Self::start_with(&self.compiler, dir, &options, publisher, reader)
    }

    fn start_with(
        compiler: &Path,
        dir: &Path,
        options: &[&str],
        publisher: String,
        reader: String,
    ) -> Result<Self, Error> {
        let options: Vec<String> = options.iter().map(|it| (*it).to_owned()).collect();
        let (child, address) = spawn(compiler, dir, &options, "127.0.0.1:0")?;
        let (compiler, dir) = (compiler.to_path_buf(), dir.to_path_buf());
        Ok(Self { child, compiler, dir, address, options, publisher, reader })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.dir.join("serve.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits.
    pub fn terminate(&mut self) -> Result<bool, Error> {
        self.signal("TERM")?;
        let status = self.child.wait().map_err(Error::io("wait for the service"))?;
        Ok(status.success())
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) -> Result<(), Error> {
        signal(self.child.id(), name)
    }

    /// Starts it again as another program, such as one that nothing limits.
    pub fn restart_as(&mut self, compiler: &Path) -> Result<(), Error> {
        self.compiler = compiler.to_path_buf();
        self.restart()
    }

    /// Starts it again after an end, on the same port and with what it has stored.
    pub fn restart(&mut self) -> Result<(), Error> {
        let listen = self.address.to_string();
        (self.child, self.address) = spawn(&self.compiler, &self.dir, &self.options, &listen)?;
        Ok(())
    }

    /// Runs a command of `portcullis` against it, as the publisher.
    pub fn run(&self, arguments: &[&str]) -> Result<Output, Error> {
        Command::new(&self.compiler)
            .current_dir(&self.dir)
            .args(arguments)
            .env("PORTCULLIS_CONTROL", self.url())
            .env("PORTCULLIS_TOKEN", &self.publisher)
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .output()
            .map_err(Error::io("run portcullis"))
    }

    /// An answer to a GET, as the reader.
    pub fn get(&self, path: &str) -> Result<Response, Error> {
        let bearer = format!("Bearer {}", self.reader);
        let request = Request::get(path).header("authorization", bearer);
        request.header("connection", "close").send(self.address)
    }

    /// The status of a policy.
    pub fn status(&self, policy: &str) -> Result<Value, Error> {
        let answer = self.get(&format!("/v1/policies/{policy}/status"))?;
        serde_json::from_slice(&answer.body).map_err(|error| Error::Http(error.to_string()))
    }

    /// What the status says of a gateway; null where it is not known.
    pub fn gateway(&self, policy: &str, gateway: &str) -> Result<Value, Error> {
        let status = self.status(policy)?;
        let gateways = status["gateways"].as_array().cloned().unwrap_or_default();
        Ok(gateways.into_iter().find(|it| it["gateway"] == gateway).unwrap_or_default())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a process of ours a signal.
pub fn signal(id: u32, name: &str) -> Result<(), Error> {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
    match sent.map_err(Error::io("send a signal"))?.success() {
        true => Ok(()),
        false => Err(Error::Case(format!("SIG{name} was not sent"))),
    }
}

fn spawn(
    compiler: &Path,
    dir: &Path,
    options: &[String],
    listen: &str,
) -> Result<(Child, SocketAddr), Error> {
    let address_file = dir.join("address");
    let _ = fs::remove_file(&address_file);
    let log = File::options().create(true).append(true).open(dir.join("serve.log"));
    let log = log.map_err(Error::io("make serve.log"))?;
    let mut child = Command::new(compiler)
        .current_dir(dir)
        .args(["serve", "--listen", listen, "--credentials", "credentials"])
        .args(["--database", "control.db", "--address-file", "address"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(Error::io("start portcullis serve"))?;
    let started = Instant::now();
    loop {
        let address = fs::read_to_string(&address_file).unwrap_or_default();
        // In a second line it may say where monitors ask.
        if let Some(Ok(address)) = address.lines().next().map(str::parse) {
            return Ok((child, address));
        }
        let ended = matches!(child.try_wait(), Ok(Some(_)));
        if ended || started.elapsed() > READY_WITHIN {
            let _ = child.kill();
            let _ = child.wait();
            let log = fs::read_to_string(dir.join("serve.log")).unwrap_or_default();
            return Err(Error::Exited { status: "no address".to_owned(), log });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A cluster of Envoy's that leads to a service, by HTTP/2 as xDS wants it.
pub fn cluster(control: SocketAddr) -> Value {
    json!({
        "name": "control",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            },
        },
        "load_assignment": {
            "cluster_name": "control",
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": { "socket_address": {
                "address": control.ip().to_string(), "port_value": control.port(),
            } } } }] }],
        },
    })
}

/// Where Envoy gets the filter's configuration from a service: a stream of its own.
pub fn config_source() -> Value {
    json!({
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{ "envoy_grpc": { "cluster_name": "control" } }],
        },
        "resource_api_version": "V3",
        "initial_fetch_timeout": "2s",
    })
}
