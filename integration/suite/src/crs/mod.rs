//! `suite crs`: a folder of rules in SecLang against regression tests in the form of go-ftw, by the engine in process.
//!
//! Each test sends one request and names rules that must fire, or must not. The rules are compiled at paranoia level 4
//! with the limits that the Core Rule Set's own test environment sets, and only report.

mod case;
mod gateway;
mod message;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use case::Case;
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
    /// Show every finding of the tests that fail
    #[arg(long)]
    verbose: bool,
}

/// Runs the suite; the last line is `passed/total`.
pub fn run(options: &Options) -> ExitCode {
    let Some(gateway) = Gateway::open(&options.rules, options.setup.as_deref(), options.paranoia)
    else {
        return ExitCode::FAILURE;
    };
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
    let total = cases.len();
    let mut failed: BTreeMap<u32, Vec<(Case, String)>> = BTreeMap::new();
    let mut unjudged = 0;
    for case in cases {
        let fired = gateway.judge(&case.message);
        // That a number in front of a chain's own matters nothing: rules fire by their number.
        let wrong = case.wrong(&fired);
        let disagrees = gateway.judge_exhaustively(&case.message) != fired;
        unjudged += usize::from(disagrees);
        if let Some(wrong) = wrong {
            failed.entry(case.rule).or_default().push((case, wrong));
        }
    }
    let failures: usize = failed.values().map(Vec::len).sum();
    for (rule, cases) in &failed {
        let why = gateway.why_missing(*rule);
        for (case, wrong) in cases {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            println!("{rule}-{}: {wrong}{why}", case.test);
            if options.verbose {
                println!("    {:?}\n    {:?}", case.message, gateway.judge(&case.message));
            }
        }
    }
    println!("{failures} failures, of {} rules", failed.len());
    println!("{unjudged} messages on which trying every rule in turn finds other rules");
    println!("{}/{total}", total - failures);
    if unjudged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
