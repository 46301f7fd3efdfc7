//! `cargo xtask hostile`: the compiler on documents that are meant to break it, at full size.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use portcullis_integration::hostile;

use crate::build;
use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// Divide the sizes by this
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    scale: u32,
    /// Only inputs whose name contains this
    #[arg(long)]
    filter: Option<String>,
    /// Write the inputs below this directory, one directory each, and compile nothing
    #[arg(long)]
    write: Option<PathBuf>,
}

/// Compiles each input in a process of its own; fails where one crashes, hangs or eats the machine.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(dir) = &options.write {
        return write(dir, options);
    }
    let compiler = build::compiler(workspace, "tools")?;
    let (mut count, mut faults, mut slowest, mut largest) = (0, 0, 0.0_f64, 0);
    println!("{:<42} {:>10} {:>5} {:>8} {:>7}  says", "input", "bytes", "exit", "seconds", "MiB");
    for input in chosen(options) {
        let outcome = hostile::run(&compiler, &input)?;
        let exit = outcome.status.and_then(|status| status.code());
        let exit = exit.map_or_else(|| "-".to_owned(), |code| code.to_string());
        let (seconds, mib) = (outcome.elapsed.as_secs_f64(), outcome.peak >> 20);
        println!(
            "{:<42} {:>10} {exit:>5} {seconds:>8.2} {mib:>7}  {}",
            outcome.name, outcome.size, outcome.said
        );
        if let Some(fault) = &outcome.fault {
            println!("    ! {fault}");
            faults += 1;
        }
        count += 1;
        slowest = slowest.max(seconds);
        largest = largest.max(mib);
    }
    println!(
        "hostile: inputs={count} faults={faults} slowest_s={slowest:.1} largest_mib={largest}"
    );
    if faults > 0 {
        bail!("{faults} of {count} broke the compiler");
    }
    Ok(())
}

fn chosen(options: &Options) -> Vec<hostile::Input> {
    let mut inputs = hostile::inputs(options.scale as usize);
    inputs.retain(|input| options.filter.as_ref().is_none_or(|filter| input.name.contains(filter)));
    inputs
}

fn write(dir: &Path, options: &Options) -> Result<()> {
    for input in chosen(options) {
        let dir = dir.join(input.name.replace(' ', "-"));
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        for (name, content) in &input.files {
            std::fs::write(dir.join(name), content).with_context(|| name.clone())?;
        }
    }
    Ok(())
}
