//! Opens a bundle in steps, so that who opens it can serve between them.

use crate::error::OpenError;
use crate::layout::{Header, Run, SECTION_SLOTS, SIGNATURE_LEN};
use crate::read::{Bundle, Trust, check_signature, read_header, read_table, view};
use crate::verify::{self, Walk};
use core::ops::ControlFlow;

/// Bytes that are hashed in the time of one unit.
const HASHED: usize = 8;
/// Hashing goes by pieces of this many bytes, with which BLAKE3 can use vectors.
const PIECE: usize = 1 << 14;

/// A bundle whose verification has begun. [`Bundle::open`] is this in one go: what is found is the same.
#[derive(Debug)]
pub struct Opening {
    bytes: Vec<u8>,
    header: Header,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The content is hashed; so many bytes of the bundle are.
    Content(Box<blake3::Hasher>, usize),
    /// The records are checked.
    Records([Run; SECTION_SLOTS], Walk),
}

impl Opening {
    /// Units that [`Opening::begin`] takes: it verifies a signature.
    pub const BEGIN: usize = 1 << 15;

    /// Checks length, format and signature.
    ///
    /// # Errors
    /// The first check that fails, with what was found.
    pub fn begin(bytes: Vec<u8>, trust: &Trust) -> Result<Opening, OpenError> {
        let header = read_header(&bytes)?;
        check_signature(&header, &bytes, trust)?;
        let stage = Stage::Content(Box::default(), size_of::<Header>());
        Ok(Opening { bytes, header, stage })
    }

    /// Goes on for about so many units of work: a record, an entry of a list or eight hashed bytes each. Gives the bundle once
    /// all is verified. What cannot be divided (an automaton, the tables of an object, the order of all schemas) may
    /// take more.
    ///
    /// # Errors
    /// The first check that fails, with what was found.
    pub fn go_on(mut self, units: usize) -> Result<ControlFlow<Bundle, Opening>, OpenError> {
        let sections = match &mut self.stage {
            Stage::Content(hasher, at) => {
                let end = self.bytes.len().saturating_sub(SIGNATURE_LEN);
                let len = units.saturating_mul(HASHED).max(PIECE) / PIECE * PIECE;
                let to = at.saturating_add(len).min(end);
                hasher.update(self.bytes.get(*at..to).unwrap_or_default());
                *at = to;
                if to < end {
                    return Ok(ControlFlow::Continue(self));
                }
                if hasher.finalize() != self.header.content_hash {
                    return Err(OpenError::ContentHash);
                }
                let sections = read_table(&self.header, &self.bytes)?;
                self.stage = Stage::Records(sections, Walk::default());
                return Ok(ControlFlow::Continue(self));
            }
            Stage::Records(sections, walk) => {
                let view = view(&self.bytes, &self.header, sections);
                if !verify::verify(&view, walk, units.max(1))? {
                    return Ok(ControlFlow::Continue(self));
                }
                *sections
            }
        };
        Ok(ControlFlow::Break(Bundle { bytes: self.bytes, header: self.header, sections }))
    }
}
