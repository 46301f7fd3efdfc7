//! `portcullis package`.

use super::files::{self, CliError, show_size};
use crate::oci::{self, OciError, Variant};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to package, and where to.
#[derive(Args, Clone, Debug)]
pub struct Package {
    /// The wasm filter
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// The directory of the image layout; an older layout there is replaced
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// The image's tag in the layout
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// The form of the image
    #[arg(long, value_enum, default_value_t)]
    variant: Variant,
}

/// Writes the layout beside and renames it into place, and prints the digest to pin.
pub fn run(options: &Package) -> Result<ExitCode, CliError> {
    let module = files::read(&options.wasm)?;
    let image = oci::package(&module, options.variant, &options.tag)
        .map_err(|error| told(&options.wasm, &error))?;
    refuse_strangers(&options.output)?;
    let name = options.output.file_name().unwrap_or_default().to_string_lossy();
    let beside = options.output.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let placed = write_all(&beside, &image.files).and_then(|()| replace(&beside, &options.output));
    if placed.is_err() {
        // The error that matters is the first.
        let _ = std::fs::remove_dir_all(&beside);
    }
    placed.map_err(|source| CliError::Write { path: options.output.clone(), source })?;
    let size: usize = image.files.iter().map(|(_, content)| content.len()).sum();
    println!("wrote {} ({})", options.output.display(), show_size(size));
    println!("tag:    {}", options.tag);
    println!("digest: {}", image.digest);
    Ok(ExitCode::SUCCESS)
}

fn told(wasm: &Path, error: &OciError) -> CliError {
    CliError::Other(match error {
        OciError::Tag(_) => error.to_string(),
        _ => format!("`{}` {error}", wasm.display()),
    })
}

/// What is there may be replaced only if it is a layout.
fn refuse_strangers(output: &Path) -> Result<(), CliError> {
    let empty = match std::fs::read_dir(output) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !output.exists(),
    };
    if empty || output.join("oci-layout").is_file() {
        return Ok(());
    }
    let text =
        format!("`{}` is there and is no image layout: nothing is written", output.display());
    Err(CliError::Other(text))
}

fn write_all(dir: &Path, files: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    for (name, content) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

/// Puts a folder in the place of another, which is moved aside first: whatever ends this in between, one of them is whole.
fn replace(beside: &Path, output: &Path) -> std::io::Result<()> {
    if !output.exists() {
        return std::fs::rename(beside, output);
    }
    let old = beside.with_extension("old");
    std::fs::rename(output, &old)?;
    if let Err(error) = std::fs::rename(beside, output) {
        // What was there is better than nothing.
        let _ = std::fs::rename(&old, output);
        return Err(error);
    }
    std::fs::remove_dir_all(old)
}
