//! What fuzzing starts from: the case suite, in the form that each target takes.
//!
//! Without it a fuzzer would have to guess a whole bundle before anything but the first checks is reached.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portcullis_integration::cases;

use crate::build;
use crate::workspace::Workspace;

/// Where a bundle's header says how long it is, and how many sections there are (FORMAT.md).
const HEADER_LEN: usize = 10;
const SECTION_COUNT: usize = 12;
const SIGNATURE: usize = 64;

/// Writes the seeds of a target, if the suite has any for it, and returns their directory.
pub fn write(workspace: &Workspace, target: &str) -> Result<Option<PathBuf>> {
    if !["open", "bundle", "request", "schema"].contains(&target) {
        return Ok(None);
    }
    let dir = workspace.target.join("fuzz/seeds").join(target);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let compiler = build::compiler(workspace, "dev")?;
    let compiled = workspace.target.join("fuzz/compiled");
    for suite in cases::all()? {
        let suite = suite.compile(&compiler, &compiled)?;
        let name = &suite.suite.name;
        match target {
            "open" | "bundle" => {
                std::fs::write(dir.join(name), content(&suite.bytes()?).context("no bundle")?)?;
            }
            _ => cases_of(target, &suite.suite, &dir)?,
        }
    }
    Ok(Some(dir))
}

/// A bundle as `framed` takes it: the number of sections, their table, and the sections.
fn content(bundle: &[u8]) -> Option<Vec<u8>> {
    let header = u16::from_le_bytes(bundle.get(HEADER_LEN..)?.first_chunk().copied()?);
    let count = *bundle.get(SECTION_COUNT)?;
    let content = bundle.get(usize::from(header)..bundle.len().checked_sub(SIGNATURE)?)?;
    Some([&[count], content].concat())
}

fn cases_of(target: &str, suite: &cases::Suite, dir: &Path) -> Result<()> {
    for (number, case) in suite.cases.iter().enumerate() {
        let file = dir.join(format!("{}-{number}", suite.name));
        let request = cases::wire_request(&case.request);
        let body = case.request.content();
        if target == "schema" {
            // The program and the cut, then the body.
            if let Some(body) = body {
                std::fs::write(file, [&[number as u8, 3], body.as_slice()].concat())?;
            }
            continue;
        }
        let head: Vec<u8> = request.head().into_iter().filter(|byte| *byte != b'\r').collect();
        let head = head.strip_suffix(b"\n").unwrap_or(&head);
        let body = body.map(|body| [b"\n", body.as_slice()].concat()).unwrap_or_default();
        std::fs::write(file, [head, &body].concat())?;
    }
    Ok(())
}
