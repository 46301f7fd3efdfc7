//! Opens a bundle in steps, so that who opens it can serve between them.

use crate::error::OpenError;
use crate::layout::{Header, Run, SECTION_SLOTS, SIGNATURE_LEN, View};
use crate::read::{Bundle, Trust, check_signature, read_header, read_table};
use crate::verify::{self, Walk};
use core::ops::ControlFlow;

/// Bytes that are hashed in the time of one unit.
const HASHED: usize = 8;
/// Hashing goes by pieces of this many bytes, with which BLAKE3 can use vectors.
const PIECE: usize = 1 << 14;

/// A bundle whose verification has begun. [`Bundle::open`] is this in one go: what is found is the same.
#[derive(Debug)]
pub struct Opening {
    bundle: Bundle,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The content is hashed; so many bytes of the bundle are.
    Content(Box<blake3::Hasher>, usize),
    /// The records are checked.
    Records(Walk),
}

impl Opening {
    /// Checks length, format and signature.
    ///
    /// # Errors
    /// The first check that fails, with what was found.
    pub fn begin(bytes: Vec<u8>, trust: &Trust) -> Result<Opening, OpenError> {
        let header = read_header(&bytes)?;
        check_signature(&header, &bytes, trust)?;
        let sections = [Run::default(); SECTION_SLOTS];
        let stage = Stage::Content(Box::default(), size_of::<Header>());
        Ok(Opening { bundle: Bundle { bytes, header, sections }, stage })
    }

    /// The epoch that the bundle says, under its signature.
    pub fn epoch(&self) -> u64 {
        self.bundle.header.epoch.get()
    }

    /// Whether the bundle says that it is of a policy: it is not verified yet, so that this serves to choose by alone.
    pub fn names(&self, policy: &str) -> bool {
        let Ok(sections) = read_table(&self.bundle.header, &self.bundle.bytes) else {
            return false;
        };
        let view = View::from_runs(&self.bundle.bytes, &sections, 0);
        view.policy.first().is_some_and(|own| view.text(own.name) == policy)
    }

    /// Goes on for about so many units of work: a record, an entry of a list or eight hashed bytes each. Gives the
    /// bundle once all is verified. What cannot be divided (an automaton, the tables of an object, the order of all
    /// schemas) may take more.
    ///
    /// # Errors
    /// The first check that fails, with what was found.
    pub fn go_on(mut self, units: usize) -> Result<ControlFlow<Bundle, Opening>, OpenError> {
        let bundle = &mut self.bundle;
        let mut left = units;
        if let Stage::Content(hasher, at) = &mut self.stage {
            let end = bundle.bytes.len().saturating_sub(SIGNATURE_LEN);
            let len = units.saturating_mul(HASHED).max(PIECE) / PIECE * PIECE;
            let piece = *at..at.saturating_add(len).min(end);
            left = left.saturating_sub(piece.len() / HASHED);
            *at = piece.end;
            hasher.update(bundle.bytes.get(piece).unwrap_or_default());
            if *at < end {
                return Ok(ControlFlow::Continue(self));
            }
            if hasher.finalize() != bundle.header.content_hash {
                return Err(OpenError::ContentHash);
            }
            bundle.sections = read_table(&bundle.header, &bundle.bytes)?;
            self.stage = Stage::Records(Walk::default());
        }
        let Stage::Records(walk) = &self.stage else { return Ok(ControlFlow::Continue(self)) };
        if verify::verify(&self.bundle.view(), walk, left.max(1))? {
            Ok(ControlFlow::Break(self.bundle))
        } else {
            Ok(ControlFlow::Continue(self))
        }
    }
}
