//! Searching and comparing bytes. No function panics: what lies past the end is empty.

/// What follows the first `from` bytes.
pub fn after(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}

/// The first `length` bytes, or all where there are fewer.
pub fn first(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or(bytes)
}

/// Where a byte is first.
#[inline(never)]
pub fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

/// Where two bytes first follow each other.
pub fn find_pair(bytes: &[u8], pair: [u8; 2]) -> Option<usize> {
    bytes.windows(2).position(|window| *window == pair)
}

/// Where a sequence of bytes is first.
pub fn find_all(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

/// How many bytes at the front satisfy a condition.
pub fn span(bytes: &[u8], condition: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !condition(*byte)).unwrap_or(bytes.len())
}

/// Whether `bytes` begin with `upper`, whatever the case of their ASCII letters.
#[inline(never)]
pub fn begins_with(bytes: &[u8], upper: &[u8]) -> bool {
    bytes.get(..upper.len()).is_some_and(|head| head.eq_ignore_ascii_case(upper))
}
