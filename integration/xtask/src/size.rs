//! `cargo xtask size`: what the wasm module spends its bytes on.
//!
//! Sections come from the module as shipped; the table by crate attributes each function body to the
//! crate in its name, which the module beside it (`.names.wasm`) keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub struct Options {
    /// A module with names; the filter of the last build by default
    module: Option<PathBuf>,
    /// How many crates and functions to list
    #[arg(long, default_value_t = 25)]
    top: usize,
}

pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let path = options.module.clone().unwrap_or_else(|| workspace.filter_wasm_with_names());
    let module = std::fs::read(&path)
        .with_context(|| format!("{}: run `cargo xtask build --filter` first", path.display()))?;
    print_sections(&without_custom_sections(&module)?)?;
    let functions = functions(&module)?;
    println!();
    print_largest("crate", &by_crate(&functions), options.top);
    println!();
    let by_function = functions.into_iter().fold(BTreeMap::new(), |mut sums, (name, bytes)| {
        *sums.entry(name).or_insert(0) += bytes;
        sums
    });
    print_largest("function", &by_function, options.top);
    Ok(())
}

/// Prints the size of the shipped module and its sections.
pub fn summary(workspace: &Workspace) -> Result<()> {
    print_sections(&std::fs::read(workspace.filter_wasm())?)
}

/// The module without its custom sections (names, producers, target features): what is shipped.
///
/// No engine reads them, and every other section stays byte for byte.
pub fn without_custom_sections(module: &[u8]) -> Result<Vec<u8>> {
    // Magic and version.
    let mut kept = module.get(..8).context("not a wasm module")?.to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if matches!(payload, Payload::CustomSection(_)) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            kept.push(id);
            let content = usize::try_from(range.start)?..usize::try_from(range.end)?;
            leb128(&mut kept, content.len());
            kept.extend_from_slice(module.get(content).context("section out of bounds")?);
        }
    }
    Ok(kept)
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn print_sections(module: &[u8]) -> Result<()> {
    println!("module {} bytes ({:.1} KB)", module.len(), module.len() as f64 / 1e3);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Some((id, range)) = payload.as_section() {
            println!("  {:<12} {:>9}", section_name(id), range.end - range.start);
        }
    }
    Ok(())
}

fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 13] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("other")
}

/// Every function with a body: its name and the bytes of the body.
fn functions(module: &[u8]) -> Result<Vec<(String, usize)>> {
    let mut imported = 0;
    let mut bodies = Vec::new();
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if matches!(import?.ty, wasmparser::TypeRef::Func(_)) {
                        imported += 1;
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                bodies.push(usize::try_from(body.range().end - body.range().start)?);
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(subsections) = section.as_known() else { continue };
                for subsection in subsections {
                    if let Name::Function(map) = subsection? {
                        for naming in map {
                            let naming = naming?;
                            let name = format!("{:#}", rustc_demangle::demangle(naming.name));
                            names.insert(naming.index as usize, name);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let name = |index: usize| names.get(&index).cloned().unwrap_or_else(|| "(unnamed)".to_owned());
    Ok(bodies.iter().enumerate().map(|(i, bytes)| (name(i + imported), *bytes)).collect())
}

fn by_crate(functions: &[(String, usize)]) -> BTreeMap<String, usize> {
    functions.iter().fold(BTreeMap::new(), |mut sums, (name, bytes)| {
        *sums.entry(crate_of(name)).or_insert(0) += bytes;
        sums
    })
}

/// The crate that a demangled name is for: one of ours if any takes part in it, else the first that
/// is not of the standard library, so that an instance of `Vec` counts for the type it holds.
fn crate_of(name: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let roots: Vec<&str> = name
        .match_indices("::")
        .filter_map(|(at, _)| {
            let before = name.get(..at)?;
            let start = before.rfind(|c| !is_name(c)).map_or(0, |i| i + 1);
            let root = before.get(start..)?;
            // A root follows no `::` of its own.
            (!root.is_empty() && !before.get(..start)?.ends_with(':')).then_some(root)
        })
        .collect();
    let ours = roots.iter().find(|root| root.starts_with("portcullis"));
    let theirs = roots.iter().find(|root| !matches!(**root, "core" | "alloc" | "std"));
    (*ours.or(theirs).or(roots.first()).unwrap_or(&"(other)")).to_owned()
}

fn print_largest(what: &str, sums: &BTreeMap<String, usize>, top: usize) {
    let total: usize = sums.values().sum();
    let mut rows: Vec<_> = sums.iter().collect();
    rows.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), *name));
    println!("code by {what} ({total} bytes in {} of them)", rows.len());
    for (name, bytes) in rows.into_iter().take(top) {
        let share = *bytes as f64 * 100.0 / total.max(1) as f64;
        println!("  {bytes:>9} {share:>5.1} %  {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_attributed_to_their_crate() {
        let instance = "<alloc::vec::Vec<serde_json::value::Value> as core::clone::Clone>::clone";
        assert_eq!(crate_of(instance), "serde_json");
        assert_eq!(
            crate_of("core::ptr::drop_in_place::<portcullis_engine::Exchange>"),
            "portcullis_engine"
        );
        assert_eq!(crate_of("<core::fmt::Formatter>::pad"), "core");
        assert_eq!(crate_of("memcpy"), "(other)");
    }

    #[test]
    fn stripping_keeps_every_other_section() {
        // A custom section `x` before, an empty type section after.
        let module = b"\0asm\x01\0\0\0\x00\x02\x01x\x01\x01\x00";
        assert_eq!(without_custom_sections(module).unwrap(), b"\0asm\x01\0\0\0\x01\x01\x00");
    }
}
