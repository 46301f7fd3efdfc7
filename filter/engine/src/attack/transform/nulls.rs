//! Bytes 0.

use super::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"\0");

/// Bytes 0 go.
pub(super) fn remove_nulls(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().filter(|byte| **byte != 0));
}
