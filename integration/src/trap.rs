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

/// Writes a copy of a module in which an exported function traps when it is called for the so-manieth time, 63 at most. A VM
/// made anew counts anew.
pub fn write_at(module: &Path, export: &str, call: u8, to: &Path) -> Result<(), Error> {
    let bytes = fs::read(module).map_err(Error::io("read the module"))?;
    let counting = counting(&bytes, export, call.min(63))
        .ok_or_else(|| Error::Case(format!("the module exports no function `{export}`")))?;
    fs::write(to, counting).map_err(Error::io("write the trapping module"))
}

/// The module with a global of its own, which the exported function counts up first of all. Globals are never imported.
fn counting(module: &[u8], export: &str, call: u8) -> Option<Vec<u8>> {
    let (start, _) = body(module, export)?;
    let mut counting = module.get(..8)?.to_vec();
    let (mut at, mut counter) = (8, Vec::new());
    while at < module.len() {
        let (size, next) = number(module, at + 1)?;
        let content = module.get(next..next + size)?;
        let content = match module[at] {
            6 => {
                let (count, rest) = number(content, 0)?;
                counter = encoded(count);
                // A mutable i32 that is 0.
                [&encoded(count + 1), &content[rest..], &[0x7f, 0x01, 0x41, 0x00, 0x0b]].concat()
            }
            10 => with_prefix(content, start.checked_sub(next)?, &prefix(&counter, call))?,
            _ => content.to_vec(),
        };
        counting.push(module[at]);
        counting.extend(encoded(content.len()));
        counting.extend(content);
        at = next + size;
    }
    Some(counting)
}

/// `counter += 1; if counter == call { unreachable }`.
fn prefix(counter: &[u8], call: u8) -> Vec<u8> {
    let (get, set) = ([&[0x23], counter].concat(), [&[0x24], counter].concat());
    [&get[..], &[0x41, 1, 0x6a], &set, &get, &[0x41, call, 0x46, 0x04, 0x40, 0x00, 0x0b]].concat()
}

/// The code section with instructions put in where a body's own begin.
fn with_prefix(content: &[u8], start: usize, prefix: &[u8]) -> Option<Vec<u8>> {
    let (_, mut at) = number(content, 0)?;
    loop {
        let (size, next) = number(content, at)?;
        if next + size > start {
            let size = encoded(size + prefix.len());
            let parts = [&content[..at], &size, &content[next..start], prefix, &content[start..]];
            return Some(parts.concat());
        }
        at = next + size;
    }
}

/// An unsigned number in LEB128, and where it ends.
fn number(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = *bytes.get(at)?;
        number |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte < 0x80 {
            return Some((number, at));
        }
    }
}

fn encoded(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
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
