//! `cargo xtask suite faults`: every fault of delivery, each on a gateway of its own under load.

use anyhow::{Result, bail};
use portcullis_integration::Artefacts;
use portcullis_integration::faults::{self, FAULTS};

use crate::process::say;
use crate::workspace::Workspace;
use crate::{build, envoy};

#[derive(clap::Args)]
pub struct Options {
    /// Only faults whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Take compiler and filter from target/dist as they are, without a build
    #[arg(long)]
    built: bool,
}

/// Runs the faults; fails where one was not survived, or a request was lost but by a trap.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let dist = workspace.target.join("dist");
    let (compiler, filter) = if options.built {
        (dist.join("portcullis"), dist.join("portcullis_filter.wasm"))
    } else {
        (build::compiler(workspace, "tools")?, build::filter(workspace)?)
    };
    let artefacts = Artefacts { compiler, filter, envoy: envoy::obtain(workspace)?.binary };
    let chosen: Vec<_> = FAULTS.iter().filter(|it| it.name.contains(&options.only)).collect();
    say(format!("{} faults, one after another", chosen.len()));
    println!("{:<24} {:>9} {:>5}  told by", "fault", "requests", "lost");
    let (mut survived, mut skipped, mut requests, mut lost) = (0, 0, 0, 0);
    for fault in &chosen {
        let Some(outcome) = faults::run(&artefacts, fault)? else {
            skipped += 1;
            continue;
        };
        let sent = outcome.sent.answered.len() + outcome.sent.lost;
        println!(
            "{:<24} {sent:>9} {:>5}  {}",
            fault.name,
            outcome.sent.lost,
            fault.told_by.join(" or ")
        );
        for loss in &outcome.sent.losses {
            println!("    lost: {loss}");
        }
        match &outcome.failure {
            None => survived += 1,
            Some(failure) => println!("    not survived: {failure}"),
        }
        requests += sent;
        lost += outcome.sent.lost;
    }
    let brought = chosen.len() - skipped;
    if skipped > 0 {
        println!("skipped {skipped}: this machine lacks what they need");
    }
    println!("faults survived {survived}/{brought}, requests lost {lost}/{requests}");
    if brought == 0 || skipped > 0 || survived < brought {
        bail!("not every fault was brought and survived");
    }
    Ok(())
}
