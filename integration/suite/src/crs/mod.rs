//! `suite crs`: a folder of rules in SecLang against regression tests in the form of go-ftw, by the engine in process or, with `--via envoy`, by the filter in a
//! real Envoy.
//!
//! Each test sends one request and names rules that must fire, or must not. The rules are compiled at paranoia level 4
//! with the limits that the Core Rule Set's own test environment sets, and only report.

mod case;
mod differential;
mod envoy;
mod explained;
mod gateway;
mod message;
mod probes;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use case::{Case, Told};
use envoy::Via;
use gateway::Gateway;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of rules: its `*.conf`
    #[arg(long)]
    rules: PathBuf,
    /// The set-up, read before them
    #[arg(long)]
    setup: Option<PathBuf>,
    /// Folder of regression tests: every `*.yaml` in it and below; without it the rules are only compiled
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Only tests whose rule's number begins so
    #[arg(long)]
    only: Option<String>,
    /// The paranoia level
    #[arg(long, default_value_t = 4)]
    paranoia: u8,
    /// Fail where more tests than these fail
    #[arg(long)]
    failures: Option<usize>,
    /// Send the tests through something instead of judging them in process
    #[arg(long, requires = "envoy", requires = "filter")]
    via: Option<Way>,
    /// Envoy's binary
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Portcullis as a wasm module
    #[arg(long)]
    filter: Option<PathBuf>,
    /// Compare with ModSecurity instead, by a Python that has `libmodsecurity`
    #[arg(long)]
    python: Option<PathBuf>,
    /// Compare by this many requests made of the tests' payloads too
    #[arg(long, default_value_t = 0)]
    probes: u64,
    /// Compare by these alone
    #[arg(long)]
    probes_only: bool,
    /// What they are derived from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Show so many requests of each difference
    #[arg(long, default_value_t = 2)]
    show: usize,
    /// Show every finding of the tests that fail
    #[arg(long)]
    verbose: bool,
}

/// What tests are sent through.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Way {
    /// A real Envoy with the filter
    Envoy,
}

/// Runs the suite; the last line is `passed/total`.
pub fn run(options: &Options) -> ExitCode {
    let Some(gateway) = Gateway::open(&options.rules, options.setup.as_deref(), options.paranoia)
    else {
        return ExitCode::FAILURE;
    };
    if let Some(python) = &options.python {
        return differential::run(options, python, &gateway).unwrap_or_else(|why| {
            eprintln!("{why}");
            ExitCode::FAILURE
        });
    }
    let Some(tests) = &options.tests else {
        println!("{} rules compiled", gateway.rules());
        return ExitCode::SUCCESS;
    };
    let mut cases = match case::read(tests) {
        Ok(cases) => cases,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(only) = &options.only {
        cases.retain(|case| case.rule.to_string().starts_with(only.as_str()));
    }
    let outcome = match (&options.via, &options.envoy, &options.filter) {
        (Some(Way::Envoy), Some(envoy), Some(filter)) => Via::start(&gateway, envoy, filter)
            .and_then(|via| through(via, (&gateway, options.verbose), &cases)),
        _ => Ok(in_process(&gateway, &cases)),
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let rules: BTreeSet<u32> = outcome.failed.iter().map(|(case, _)| case.rule).collect();
    for (case, wrong) in &outcome.failed {
        let why = gateway.why_missing(case.rule);
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        println!("{}-{}: {wrong}{why}", case.rule, case.test);
        if options.verbose {
            println!("    {:?}\n    {:?}", case.message, gateway.judge(&case.message));
        }
    }
    println!("{} failures, of {} rules", outcome.failed.len(), rules.len());
    println!("{} {}", outcome.differing, outcome.differ);
    println!("{}/{}", cases.len() - outcome.failed.len(), cases.len());
    let few = options.failures.is_none_or(|most| outcome.failed.len() <= most);
    if outcome.sound && few { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came of all tests.
struct Outcome<'c> {
    failed: Vec<(&'c Case, String)>,
    /// Tests on which another way finds other rules.
    differing: usize,
    /// What these are.
    differ: &'static str,
    /// Whether none may be.
    sound: bool,
}

/// Judges the tests by the engine, and once more by trying every rule in turn.
fn in_process<'c>(gateway: &Gateway, cases: &'c [Case]) -> Outcome<'c> {
    let (mut failed, mut differing) = (Vec::new(), 0);
    for case in cases {
        let told = Told { fired: gateway.judge(&case.message), status: None };
        differing += usize::from(gateway.judge_exhaustively(&case.message) != told.fired);
        failed.extend(case.wrong(&told).map(|wrong| (case, wrong)));
    }
    let differ = "messages on which trying every rule in turn finds other rules";
    Outcome { failed, differing, differ, sound: differing == 0 }
}

/// Sends the tests through Envoy, one after the other.
fn through<'c>(
    mut via: Via,
    (gateway, verbose): (&Gateway, bool),
    cases: &'c [Case],
) -> Result<Outcome<'c>, String> {
    let (mut failed, mut differing) = (Vec::new(), 0);
    for case in cases {
        let told = via.send(case)?;
        let in_process = gateway.judge(&case.message);
        if in_process != told.fired {
            differing += 1;
            if verbose {
                let differ: Vec<_> = in_process.symmetric_difference(&told.fired).collect();
                println!(
                    "{}-{}: either in process or through Envoy: {differ:?}",
                    case.rule, case.test
                );
            }
        }
        let Some(mut wrong) = case.wrong(&told) else { continue };
        let process = Told { fired: in_process, status: told.status };
        if case.wrong(&process).is_none() {
            wrong = format!("{wrong}; passes in process; Envoy: {}", via.why(case)?);
        }
        failed.push((case, wrong));
    }
    let differ = "tests on which other rules fire in process";
    Ok(Outcome { failed, differing, differ, sound: true })
}
