//! `cargo xtask test --compose`: the docker-compose stack as users run it, attacked, updated and broken.
//!
//! Where a Docker daemon runs already, it is used, and pulls the base images. Elsewhere one is started for the test and stopped
//! after it, on a socket and a directory of its own, without touching the firewall; since no image can be relied on to be pulled then,
//! base images of the same names are made of this machine's own programs and libraries.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portcullis_cases::{Case, Verdict};
use portcullis_integration::cases::{Suite, wire_request};
use portcullis_integration::http1::Request;

use crate::process::{self, say};
use crate::test::Counts;
use crate::workspace::Workspace;
use crate::{build, envoy};

const PROJECT: &str = "portcullis-test";
/// The images that the compose file and its Dockerfile ask for.
const ENVOY_IMAGE: &str = "envoyproxy/envoy:v1.40.0";
const BASE_IMAGE: &str = "debian:trixie-slim";
/// What the scripts in the containers run, and this test in them.
const PROGRAMS: [&str; 13] = [
    "sh", "bash", "cat", "chown", "cp", "getent", "ls", "mkdir", "mv", "rm", "sed", "sleep",
    "timeout",
];
const PACKAGES: [&str; 2] = ["docker.io", "docker-compose"];
const LIMIT: Duration = Duration::from_secs(60);

/// Runs every step; a step that fails ends the run.
pub fn run(workspace: &Workspace) -> Result<Counts> {
    if let Some(reason) = missing()? {
        return Ok(Counts::skip(format!("docker-compose: {reason}")));
    }
    build::compiler(workspace, "dev")?;
    build::filter(workspace)?;
    build::bank(workspace)?;
    let docker = Docker::start(workspace)?;
    docker.base_images(workspace)?;
    let stack = Stack::new(workspace, docker)?;
    let mut counts = Counts::default();
    for (what, step) in STEPS {
        let began = Instant::now();
        match step(&stack) {
            Ok(()) => {
                say(format!("{what}: as expected ({:.1?})", began.elapsed()));
                counts.add(Counts::success());
            }
            Err(error) => {
                println!("{what}: {error:#}");
                stack.show_logs();
                counts.add(Counts::failure());
                break;
            }
        }
    }
    stack.down()?;
    let left = stack.docker.output(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("label=com.docker.compose.project={PROJECT}"),
    ])?;
    if !left.is_empty() {
        println!("containers are left: {left}");
        counts.add(Counts::failure());
    }
    Ok(counts)
}

type Step = fn(&Stack) -> Result<()>;

const STEPS: [(&str, Step); 9] = [
    ("the stack comes up", Stack::comes_up),
    (
        "the bank reaches the gateway, and neither its admin interface nor the control service",
        Stack::keeps_the_bank_apart,
    ),
    ("what runs has no privileges", Stack::is_confined),
    ("requests of the tour, good and bad", Stack::is_attacked),
    ("a new policy is published and enforced", Stack::is_updated),
    ("the control service stops, and the policy holds", Stack::loses_control),
    ("Envoy is killed without the control service, and starts from disk", Stack::loses_gateway),
    ("the control service comes back, and a newer policy arrives", Stack::regains_control),
    ("the bank stops and comes back", Stack::loses_bank),
];

/// What is missing on this machine; says what it installs.
fn missing() -> Result<Option<String>> {
    if !cfg!(target_os = "linux") {
        return Ok(Some("no Linux".to_owned()));
    }
    let usable = process::find("docker-compose").is_some() && reachable(&[]);
    if usable {
        return Ok(None);
    }
    if process::output(Command::new("id").arg("-u"))? != "0" {
        return Ok(Some("no Docker daemon is reachable, and starting one needs root".to_owned()));
    }
    if process::find("dockerd").is_none() || process::find("docker-compose").is_none() {
        let Some(apt) = process::find("apt-get") else {
            return Ok(Some(
                "no `dockerd` and `docker-compose`, and no apt-get to install them".to_owned(),
            ));
        };
        say(format!("installing Debian's {}", PACKAGES.join(" and ")));
        let mut install = Command::new(apt);
        install.env("DEBIAN_FRONTEND", "noninteractive");
        install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(PACKAGES);
        process::output(&mut install)?;
    }
    Ok(None)
}

fn reachable(environment: &[(String, String)]) -> bool {
    let mut info = Command::new("docker");
    info.arg("info").envs(environment.iter().cloned());
    process::succeeds_within(&mut info, Duration::from_secs(10))
}

/// What goes between containers passes the firewall's FORWARD chain. An earlier Docker leaves it closed.
fn forwards() -> Result<()> {
    let rules = process::output(Command::new("iptables").args(["--list-rules", "FORWARD"]));
    if rules.is_ok_and(|rules| rules.starts_with("-P FORWARD DROP")) {
        bail!(
            "the firewall drops what goes between containers: `iptables --policy FORWARD ACCEPT`"
        );
    }
    Ok(())
}

/// A Docker daemon: the machine's, or one of the test's own.
struct Docker {
    /// The test's own: its process, its folder, and whether the bridge `docker0` came with it.
    own: Option<(Child, PathBuf, bool)>,
    environment: Vec<(String, String)>,
}

impl Docker {
    fn start(workspace: &Workspace) -> Result<Self> {
        if reachable(&[]) {
            say("using the Docker daemon that runs here");
            return Ok(Self { own: None, environment: Vec::new() });
        }
        forwards()?;
        let dir = workspace.target.join("compose/docker");
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
        }
        std::fs::create_dir_all(&dir)?;
        say(format!("starting a Docker daemon of the test's own in {}", dir.display()));
        let socket = format!("unix://{}", dir.join("docker.sock").display());
        let log = std::fs::File::create(dir.join("dockerd.log"))?;
        let mut command = Command::new("dockerd");
        for (option, file) in
            [("--data-root", "data"), ("--exec-root", "run"), ("--pidfile", "pid")]
        {
            command.arg(option).arg(dir.join(file));
        }
        // Published ports go by Docker's proxy process: no rules of the firewall are made.
        command.args([
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--host",
            &socket,
        ]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let made_bridge = !Path::new("/sys/class/net/docker0").exists();
        let child = command.spawn().context("cannot start `dockerd`")?;
        let docker = Self {
            own: Some((child, dir.clone(), made_bridge)),
            environment: vec![("DOCKER_HOST".to_owned(), socket)],
        };
        let started = Instant::now();
        while !reachable(&docker.environment) {
            if started.elapsed() > LIMIT {
                let log = std::fs::read_to_string(dir.join("dockerd.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                bail!("the Docker daemon did not start:\n{}", tail.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(docker)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.envs(self.environment.iter().cloned()).args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(arguments))
    }

    /// Pulls the base images, or makes images of the same names.
    fn base_images(&self, workspace: &Workspace) -> Result<()> {
        let pulled = |image: &str| {
            process::succeeds_within(
                &mut self.command(&["pull", "--quiet", image]),
                Duration::from_secs(300),
            )
        };
        if self.own.is_none() && pulled(BASE_IMAGE) && pulled(ENVOY_IMAGE) {
            return Ok(());
        }
        say(format!("making {BASE_IMAGE} and {ENVOY_IMAGE} of this machine's own programs"));
        let dir = workspace.target.join("compose/base");
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        for program in PROGRAMS {
            let program = process::find(program).with_context(|| format!("no `{program}`"))?;
            place(&program, &dir.join("bin"))?;
            libraries(&program, &dir)?;
        }
        std::fs::create_dir_all(dir.join("tmp"))?;
        // What our own programs need of a base.
        for program in [workspace.compiler(), workspace.dist().join("demo-bank")] {
            libraries(&program, &dir)?;
        }
        self.import(&dir, BASE_IMAGE)?;
        let envoy = envoy::obtain(workspace)?.binary;
        place(&envoy, &dir.join("usr/local/bin"))?;
        libraries(&envoy, &dir)?;
        self.import(&dir, ENVOY_IMAGE)?;
        std::fs::remove_dir_all(&dir)?;
        Ok(())
    }

    fn import(&self, dir: &Path, image: &str) -> Result<()> {
        let tar = dir.with_extension("tar");
        process::output(Command::new("tar").arg("-C").arg(dir).arg("-cf").arg(&tar).arg("."))?;
        let path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let tar_text = tar.display().to_string();
        self.output(&["import", "--change", path, &tar_text, image])?;
        std::fs::remove_file(tar)?;
        Ok(())
    }
}

impl Drop for Docker {
    /// Ends the daemon that the test started, and removes what it kept.
    fn drop(&mut self) {
        let Some((child, dir, made_bridge)) = &mut self.own else { return };
        // SIGTERM lets it end its containers and unmount what it mounted.
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let started = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && started.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(200));
        }
        let _ = child.kill();
        let _ = child.wait();
        if *made_bridge {
            let mut delete = Command::new("ip");
            let _ = delete.args(["link", "delete", "docker0"]).stderr(Stdio::null()).status();
        }
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            say(format!("{} is left: {error}", dir.display()));
        }
    }
}

fn place(file: &Path, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let name = file.file_name().context("a file has a name")?;
    std::fs::copy(file, dir.join(name)).with_context(|| file.display().to_string())?;
    Ok(())
}

/// Copies the libraries that a program names, its loader too, to where it looks for them.
fn libraries(program: &Path, root: &Path) -> Result<()> {
    let said = process::output(Command::new("ldd").arg(program))?;
    let paths: BTreeSet<&str> =
        said.split_whitespace().filter(|word| word.starts_with('/')).collect();
    for path in paths {
        let dir = Path::new(path.trim_start_matches('/')).parent().unwrap_or(Path::new(""));
        place(Path::new(path), &root.join(dir))?;
    }
    Ok(())
}

/// The compose file's services under a project of the test's own.
struct Stack {
    docker: Docker,
    root: PathBuf,
    policies: PathBuf,
    gateway: SocketAddr,
    admin: SocketAddr,
    tour: Vec<Case>,
}

impl Stack {
    fn new(workspace: &Workspace, docker: Docker) -> Result<Self> {
        let demo = workspace.root.join("envoy-config/demo");
        let policies = workspace.target.join("compose/policies");
        std::fs::create_dir_all(&policies)?;
        for name in ["policy.yaml", "accounts.yaml", "payments.yaml", "common.yaml"] {
            std::fs::copy(demo.join(name), policies.join(name)).with_context(|| name.to_owned())?;
        }
        let stack = Self {
            docker,
            root: workspace.root.clone(),
            policies,
            gateway: free_port()?,
            admin: free_port()?,
            tour: Suite::read(&demo.join("tour.yaml"))?.cases,
        };
        stack.down()?;
        Ok(stack)
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command.current_dir(&self.root).envs(self.docker.environment.iter().cloned());
        command.env("POLICIES", &self.policies);
        command.env("GATEWAY_PORT", self.gateway.port().to_string());
        command.env("ADMIN_PORT", self.admin.port().to_string());
        command.args(["--project-name", PROJECT, "--file", "envoy-config/docker-compose.yaml"]);
        command.args(arguments);
        command
    }

    fn does(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.compose(arguments))
    }

    fn down(&self) -> Result<()> {
        self.does(&["down", "--volumes", "--timeout", "5"]).map(drop)
    }

    fn show_logs(&self) {
        println!("{}", self.does(&["logs", "--no-color", "--tail", "12"]).unwrap_or_default());
    }

    fn status(&self, request: &Request) -> Option<u16> {
        request.send(self.gateway).ok().map(|answer| answer.status)
    }

    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<()> {
        let started = Instant::now();
        while !condition(self) {
            if started.elapsed() > LIMIT {
                bail!("waited {} s for {what}", LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// The probe passes by the shipped policy, and not by the changed one.
    fn probe(&self) -> Option<u16> {
        self.status(&Request::get("/healthz"))
    }

    fn good(&self) -> Option<u16> {
        let of_tour = self.tour.iter().find(|case| case.expect.verdict == Verdict::Allow)?;
        self.status(&wire_request(&of_tour.request))
    }

    fn publish(&self, epoch: &str) -> Result<()> {
        self.does(&["run", "--rm", "-e", &format!("EPOCH={epoch}"), "publish"]).map(drop)
    }

    fn comes_up(&self) -> Result<()> {
        process::run(&mut self.compose(&["up", "--detach", "--build"]))?;
        self.until("a request that passes", |it| it.good() == Some(200))
    }

    /// The bank tries every address of the others, as somebody who has broken into it would.
    fn keeps_the_bank_apart(&self) -> Result<()> {
        let mut reached = Vec::new();
        for (service, port) in [("gateway", "9901"), ("control", "18000")] {
            for address in self.addresses(service)? {
                if self.bank_reaches(&address, port)? {
                    reached.push(format!("{service} at {address}:{port}"));
                }
            }
        }
        if !reached.is_empty() {
            bail!("the bank reaches {}", reached.join(", "));
        }
        // Lest everything fails for another reason.
        if !self.bank_reaches("gateway", "8080")? {
            bail!("the bank does not reach the gateway either");
        }
        Ok(())
    }

    fn bank_reaches(&self, address: &str, port: &str) -> Result<bool> {
        let tried = format!("timeout 2 bash -c '</dev/tcp/{address}/{port}' && echo reached || :");
        Ok(self.does(&["exec", "-T", "bank", "bash", "-c", &tried])?.contains("reached"))
    }

    /// A service's name and its addresses in every network.
    fn addresses(&self, service: &str) -> Result<Vec<String>> {
        let id = self.does(&["ps", "--quiet", service])?;
        let each = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        let inspected = self.docker.output(&["inspect", "--format", each, &id])?;
        let mut addresses: Vec<String> = inspected.split_whitespace().map(str::to_owned).collect();
        if addresses.is_empty() {
            bail!("`{service}` has no address");
        }
        addresses.push(service.to_owned());
        Ok(addresses)
    }

    fn is_confined(&self) -> Result<()> {
        for service in ["control", "sync", "gateway", "bank"] {
            let told = self.does(&["exec", "-T", service, "cat", "/proc/1/status"])?;
            let value = |name: &str| {
                let line = told.lines().find(|line| line.starts_with(name));
                line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default()
            };
            let found = (value("Uid:") != "0", value("CapBnd:"), value("NoNewPrivs:"));
            if found != (true, "0000000000000000", "1") {
                bail!("{service}: expected no root, no capabilities, no new privileges: {found:?}");
            }
            let write =
                self.does(&["exec", "-T", service, "sh", "-c", "echo > /written || echo refused"])?;
            if !write.contains("refused") {
                bail!("{service}: its root is writable");
            }
        }
        Ok(())
    }

    fn is_attacked(&self) -> Result<()> {
        let mut wrong = Vec::new();
        for case in &self.tour {
            let expected = case.expect.status;
            let status = self.status(&wire_request(&case.request));
            if expected.is_some() && status != expected {
                wrong.push(format!("{}: expected {expected:?}, got {status:?}", case.name));
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
    }

    fn is_updated(&self) -> Result<()> {
        if self.probe() != Some(200) {
            bail!("the health probe does not pass: {:?}", self.probe());
        }
        let path = self.policies.join("policy.yaml");
        let policy = std::fs::read_to_string(&path)?;
        let changed = policy
            .replace("{ path: /healthz, methods: [GET] }", "{ path: /readyz, methods: [GET] }");
        if changed == policy {
            bail!("the demo's policy has no health probe to change");
        }
        std::fs::write(&path, changed)?;
        self.publish("2")?;
        self.until("the changed policy", |it| it.probe() == Some(404))?;
        self.epoch_is("2")
    }

    /// Every worker that has a gauge says so.
    fn epoch_is(&self, epoch: &str) -> Result<()> {
        let served = |it: &Self| {
            let Ok(page) = Request::get("/stats?filter=portcullis.epoch").send(it.admin) else {
                return false;
            };
            let text = page.text();
            let mut epochs = text.lines().filter_map(|line| line.split_once(": "));
            epochs.clone().next().is_some() && epochs.all(|(_, value)| value.trim() == epoch)
        };
        self.until("the epoch in the metrics of every worker", |it| {
            // A worker takes the new policy at once, and its gauge is there from its first request on.
            it.good();
            served(it)
        })
    }

    fn loses_control(&self) -> Result<()> {
        self.does(&["stop", "--timeout", "5", "control"])?;
        self.holds()
    }

    fn loses_gateway(&self) -> Result<()> {
        self.does(&["kill", "-s", "KILL", "gateway"])?;
        self.does(&["start", "gateway"])?;
        self.until("the gateway", |it| it.good() == Some(200))?;
        self.holds()
    }

    /// The second policy, whole.
    fn holds(&self) -> Result<()> {
        let seen = (self.good(), self.probe());
        if seen != (Some(200), Some(404)) {
            bail!("expected 200 and 404, got {seen:?}");
        }
        self.is_attacked_but_for_the_probe()
    }

    fn is_attacked_but_for_the_probe(&self) -> Result<()> {
        let blocked = self.tour.iter().filter(|case| case.expect.verdict == Verdict::Block);
        for case in blocked {
            let status = self.status(&wire_request(&case.request));
            if case.expect.status.is_some() && status != case.expect.status {
                bail!("{}: expected {:?}, got {status:?}", case.name, case.expect.status);
            }
        }
        Ok(())
    }

    fn regains_control(&self) -> Result<()> {
        self.does(&["start", "control"])?;
        let shipped = self.root.join("envoy-config/demo/policy.yaml");
        std::fs::copy(shipped, self.policies.join("policy.yaml"))?;
        self.publish("3")?;
        self.until("the policy as it was", |it| it.probe() == Some(200))?;
        self.epoch_is("3")
    }

    fn loses_bank(&self) -> Result<()> {
        self.does(&["stop", "--timeout", "5", "bank"])?;
        self.until("503 without the bank", |it| it.good() == Some(503))?;
        self.is_attacked_but_for_the_probe()?;
        self.does(&["start", "bank"])?;
        self.until("the bank", |it| it.good() == Some(200))?;
        self.is_attacked()
    }
}

/// A port of the loopback that nobody listens on now.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
