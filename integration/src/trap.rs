//! The filter's module with a trap in place of one exported function, as if that had panicked.

use std::fs;
use std::path::Path;

use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use crate::error::Error;

/// Writes a copy of a module in which an exported function traps.
pub fn write(module: &Path, export: &str, to: &Path) -> Result<(), Error> {
    let mut bytes = fs::read(module).map_err(Error::io("read the module"))?;
    let (start, end) = body(&bytes, export)
        .ok_or_else(|| Error::Case(format!("the module exports no function `{export}`")))?;
    // unreachable, then nops up to the function's end
    bytes[start..end - 1].fill(0x01);
    bytes[start] = 0x00;
    fs::write(to, bytes).map_err(Error::io("write the trapping module"))
}

/// Where the instructions of an exported function stand.
fn body(module: &[u8], export: &str) -> Option<(usize, usize)> {
    let (mut imported, mut index, mut bodies) = (0, None, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                let imports = section.into_imports().filter_map(Result::ok);
                imported = imports.filter(|it| matches!(it.ty, TypeRef::Func(_))).count();
            }
            Payload::ExportSection(section) => {
                let mut exports = section.into_iter().filter_map(Result::ok);
                let found = exports.find(|it| it.name == export && it.kind == ExternalKind::Func);
                index = found.map(|it| it.index as usize);
            }
            Payload::CodeSectionEntry(body) => {
                let start = body.get_operators_reader().ok()?.original_position();
                let end = body.range().end;
                bodies.push((usize::try_from(start).ok()?, usize::try_from(end).ok()?));
            }
            _ => {}
        }
    }
    bodies.get(index?.checked_sub(imported)?).copied()
}
