//! `cargo xtask demo`: the bank behind Envoy with Portcullis, and a tour of good and bad requests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portcullis_cases::{Case, Observed, Verdict};
use portcullis_integration::cases::{Suite, wire_request};
use portcullis_integration::http1::{Connection, Request};
use portcullis_integration::{Bootstrap, Envoy};
use serde_json::Value;

use crate::process::{self, say};
use crate::workspace::Workspace;
use crate::{build, envoy};

/// How often each gateway is asked for the medians.
const SAMPLES: usize = 400;
/// A request of the tour that passes, cheap for the bank.
const SAMPLE_PATH: &str = "/open-banking/v3/accounts?type=Current,Savings&page-size=50";

#[derive(clap::Args)]
pub struct Options {
    /// Stay up after the tour, for curl, until interrupted
    #[arg(long)]
    keep: bool,
}

/// The bank's process, ended when dropped.
struct Bank {
    child: Child,
    address: SocketAddr,
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let compiler = build::compiler(workspace, "tools")?;
    let module = build::filter(workspace)?;
    let bank = build::bank(workspace)?;
    let binary = envoy::obtain(workspace)?.binary;

    let sources = workspace.root.join("envoy-config/demo");
    let dir = workspace.target.join("demo");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let (bundle, public_key) = compile(&compiler, &sources, &dir)?;
    let bank = start_bank(&bank)?;
    render(&compiler, &bundle, &public_key, &module, bank.address, &dir)?;
    let config =
        std::fs::read_to_string(dir.join("envoy.yaml")).context("the rendered envoy.yaml")?;
    let gateway = Envoy::start_text(&binary, &config, 1)?;
    say(format!("bank on {}, gateway on {}", bank.address, gateway.address()));

    let tour = Suite::read(&sources.join("tour.yaml"))?;
    let mut as_expected = 0;
    println!("{:<62} {:<32} {:<32} why", "request", "expected", "got");
    for case in &tour.cases {
        let seen = visit(&gateway, case)?;
        as_expected += usize::from(seen.differences.is_empty());
        seen.print(case);
    }
    latency(&binary, &gateway, bank.address)?;
    println!("tour {as_expected}/{} as expected", tour.cases.len());
    if options.keep {
        stay(&gateway);
    }
    if as_expected < tour.cases.len() {
        bail!("{} of the tour came out differently", tour.cases.len() - as_expected);
    }
    Ok(())
}

fn compile(compiler: &Path, sources: &Path, dir: &Path) -> Result<(PathBuf, String)> {
    let (key, bundle) = (dir.join("demo.key"), dir.join("bank.bundle"));
    let said = process::output(Command::new(compiler).args(["keygen", "-o"]).arg(&key))?;
    let public_key = said
        .lines()
        .find_map(|line| line.strip_prefix("public key:"))
        .context("keygen printed no public key")?
        .trim()
        .to_owned();
    say("compiling the bank's contract");
    process::run(
        Command::new(compiler)
            .args(["compile", "--policy"])
            .arg(sources.join("policy.yaml"))
            .arg("--key")
            .arg(&key)
            .arg("--report")
            .arg(dir.join("report.json"))
            .arg("-o")
            .arg(&bundle),
    )?;
    Ok((bundle, public_key))
}

fn start_bank(binary: &Path) -> Result<Bank> {
    let mut child = Command::new(binary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| binary.display().to_string())?;
    let stdout = child.stdout.take().context("the bank has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on ").and_then(|text| text.parse().ok());
    let Some(address) = address else {
        let _ = child.kill();
        let _ = child.wait();
        bail!("the bank said `{}`", line.trim());
    };
    Ok(Bank { child, address })
}

fn render(
    compiler: &Path,
    bundle: &Path,
    public_key: &str,
    module: &Path,
    upstream: SocketAddr,
    out: &Path,
) -> Result<()> {
    let mut command = Command::new(compiler);
    command.args(["render", "envoy", "--trusted-key", public_key, "--bundle"]).arg(bundle);
    command.arg("--wasm").arg(module).arg("--out").arg(out);
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream"]);
    process::output(command.arg(upstream.to_string())).map(drop)
}

/// What came of one request.
struct Seen {
    observed: Observed,
    differences: Vec<String>,
}

fn visit(gateway: &Envoy, case: &Case) -> Result<Seen> {
    let before = access_log(gateway).len();
    let response = wire_request(&case.request).send(gateway.address())?;
    gateway.wait_until("the access log's line", Duration::from_secs(5), |envoy| {
        access_log(envoy).len() > before
    })?;
    let log = gateway.log();
    let line = access_log(gateway).pop().context("no access log")?;
    let id = line["request_id"].as_str().unwrap_or_default();
    let finding = findings(&log).find(|f| f["request_id"] == id).unwrap_or_default();
    let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let traced = !finding.is_null();
    let observed = Observed {
        status: Some(response.status),
        detailed: traced,
        pointer: text("/pointer"),
        keyword: text("/keyword"),
        traced,
        at: text("/origin/document")
            .zip(text("/origin/pointer"))
            .map(|(document, pointer)| format!("{document}#{pointer}")),
        line: finding
            .pointer("/origin/line")
            .and_then(Value::as_u64)
            .and_then(|n| n.try_into().ok()),
        ..Observed::of_verdict(line["portcullis"].as_str().unwrap_or_default())
    };
    let differences = case.expect.differences(&observed);
    Ok(Seen { observed, differences })
}

impl Seen {
    fn print(&self, case: &Case) {
        let expected =
            summary(case.expect.status, Some(case.expect.verdict), case.expect.code.as_ref());
        let seen = &self.observed;
        let got = summary(seen.status, seen.verdict, seen.code.as_ref());
        let file = seen.at.as_ref().and_then(|at| at.split_once('#')).map(|(file, _)| file);
        let why = [
            seen.pointer.clone(),
            seen.keyword.clone(),
            file.zip(seen.line).map(|(file, line)| format!("{file}:{line}")),
        ];
        let why: Vec<String> = why.into_iter().flatten().collect();
        println!("{:<62} {expected:<32} {got:<32} {}", case.name, why.join(" "));
        for difference in &self.differences {
            println!("    ! {difference}");
        }
    }
}

fn summary(status: Option<u16>, verdict: Option<Verdict>, code: Option<&String>) -> String {
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    match (code, verdict) {
        (Some(code), Some(Verdict::Block)) => format!("{status} {code}"),
        (Some(code), Some(verdict)) => format!("{status} {verdict:?}: {code}").to_lowercase(),
        (_, Some(verdict)) => format!("{status} {verdict:?}").to_lowercase(),
        (_, None) => status,
    }
}

fn access_log(envoy: &Envoy) -> Vec<Value> {
    let log = envoy.log();
    // The last line may be half written.
    log.lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line.get("portcullis").is_some() && line.get("flags").is_some())
        .collect()
}

fn findings(log: &str) -> impl Iterator<Item = Value> {
    log.lines()
        .filter(|line| line.contains("\"event\":\"finding\""))
        .filter_map(|line| serde_json::from_str(line.get(line.find('{')?..=line.rfind('}')?)?).ok())
}

/// Prints the medians with and without the filter, asked in turns over kept connections.
fn latency(binary: &Path, gateway: &Envoy, upstream: SocketAddr) -> Result<()> {
    let plain = Envoy::start(binary, &Bootstrap::to(upstream))?;
    let request = Request::get(SAMPLE_PATH).header("authorization", "Bearer demo-access-token");
    let mut connections =
        [Connection::open(plain.address())?, Connection::open(gateway.address())?];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..SAMPLES {
        for (connection, times) in connections.iter_mut().zip(&mut times) {
            let started = Instant::now();
            let status = connection.exchange(&request)?.status;
            times.push(started.elapsed());
            if status != 200 {
                bail!("a request of the latency samples got {status}");
            }
        }
    }
    let [without, with] = times.map(|mut times| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e6
    });
    println!(
        "\nmedian latency of {SAMPLES}: {without:.0} µs without the filter, {with:.0} µs with it"
    );
    Ok(())
}

fn stay(gateway: &Envoy) {
    let token = "-H 'authorization: Bearer demo-access-token'";
    let address = gateway.address();
    println!("\nthe gateway stays up; try:");
    println!("  curl -i 'http://{address}/open-banking/v3/accounts' {token}");
    println!("  curl -i 'http://{address}/open-banking/v3/accounts?page-size=501' {token}");
    println!("  curl http://{}/stats?filter=portcullis", gateway.admin());
    println!("end it with Ctrl-C");
    loop {
        std::thread::park();
    }
}
