//! Reading a view without panics: an index that does not hold reads as nothing.
//!
//! The reader has verified every index; these functions keep the engine total all the same.

use portcullis_bundle::layout::NONE;

/// `count` records from `first` on; none where they do not all exist.
#[inline]
pub(crate) fn slice<T>(records: &[T], first: u32, count: u32) -> &[T] {
    let first = first as usize;
    first.checked_add(count as usize).and_then(|end| records.get(first..end)).unwrap_or_default()
}

/// An index that may be absent.
#[inline]
pub(crate) const fn present(index: u32) -> Option<u32> {
    if index == NONE { None } else { Some(index) }
}
