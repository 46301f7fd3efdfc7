//! Case of ASCII letters.

use super::ByteSet;

pub(super) const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
pub(super) const LOWER: ByteSet = ByteSet::range(b'a', b'z');

/// ASCII letters become lower case.
pub(super) fn lowercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(input);
    out.make_ascii_lowercase();
}

/// ASCII letters become upper case.
pub(super) fn uppercase(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(input);
    out.make_ascii_uppercase();
}
