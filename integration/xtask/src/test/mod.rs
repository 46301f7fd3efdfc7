//! `cargo xtask test`: everything that must hold, stage by stage, in one final line.

mod compose;
mod counts;
mod packaging;
mod space;
mod stages;
mod tidy;

use std::time::Instant;

use anyhow::Result;

use crate::process::say;
use crate::workspace::Workspace;
pub use counts::{Counts, of as counted};
pub use stages::with_databases;

#[derive(clap::Args)]
pub struct Options {
    /// Run only these stages
    #[arg(long, value_enum)]
    only: Vec<Stage>,
    /// Run only the docker-compose stack: needs root and installs Debian's docker.io and docker-compose where no Docker
    /// daemon runs
    #[arg(long, conflicts_with = "only")]
    compose: bool,
    /// Pass this filter on to the test binaries
    #[arg(long)]
    filter: Option<String>,
}

/// The stages, in the order in which they run: the cheap ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    /// Formatting
    Fmt,
    /// Links, file sizes, and which crate may depend on which
    Tidy,
    /// Clippy on every target, warnings denied
    Clippy,
    /// Unit, golden, property and engine tests on this machine
    Native,
    /// The JSON Schema test suite of both drafts, where PORTCULLIS_DATA has it
    Suites,
    /// Engine tests and the case suite in wasm, under Node
    Wasm,
    /// The module, the case suite and the traps in a real Envoy
    Envoy,
    /// The filter's image, Istio's manifests and alert rules, by the tools that read them
    Packaging,
    /// Licences, advisories and sources of the dependencies
    Deny,
}

impl Stage {
    const ALL: [Self; 9] = [
        Self::Fmt,
        Self::Tidy,
        Self::Clippy,
        Self::Native,
        Self::Suites,
        Self::Wasm,
        Self::Envoy,
        Self::Packaging,
        Self::Deny,
    ];

    fn run(self, workspace: &Workspace, filter: Option<&str>) -> Result<Counts> {
        match self {
            Self::Fmt => stages::fmt(workspace),
            Self::Tidy => tidy::run(workspace),
            Self::Clippy => stages::clippy(workspace),
            Self::Native => stages::native(workspace, filter),
            Self::Suites => stages::suites(workspace),
            Self::Wasm => stages::wasm(workspace, filter),
            Self::Envoy => stages::envoy(workspace, filter),
            Self::Packaging => packaging::run(workspace),
            Self::Deny => stages::deny(workspace),
        }
    }
}

/// Runs the stages. A stage that cannot run to its end counts as one failure, and the others go on.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.only.is_empty() && !options.compose {
        space::check(workspace)?;
    }
    let started = Instant::now();
    let mut total = Counts::default();
    let mut table = Vec::new();
    if options.compose {
        total = compose::run(workspace).unwrap_or_else(|error| {
            println!("compose: {error:#}");
            Counts::failure()
        });
    }
    for stage in Stage::ALL.into_iter().filter(|_| !options.compose) {
        if !options.only.is_empty() && !options.only.contains(&stage) {
            continue;
        }
        let name = format!("{stage:?}").to_lowercase();
        say(format!("stage {name}"));
        let began = Instant::now();
        let counts = stage.run(workspace, options.filter.as_deref()).unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Counts::failure()
        });
        let row = format!("{name:<9} {counts}  ({:.1?})", began.elapsed());
        say(&row);
        table.push(row);
        total.add(counts);
    }
    println!();
    for row in table {
        println!("{row}");
    }
    for reason in &total.reasons {
        println!("skipped: {reason}");
    }
    println!("took {:.0?}", started.elapsed());
    println!("{total}");
    if total.failed > 0 {
        // The line above is the last one; the exit status says the rest.
        std::process::exit(1);
    }
    Ok(())
}
