//! Header fields as the proxy-wasm ABI serialises them: a count, the sizes, then NUL-ended names and
//! values. Numbers are little-endian u32.

/// Fields that are read without an allocation; Envoy's own limit is 100 by default.
const INLINE: usize = 64;

/// One header field: name and value as received, names in lower case.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// Header fields read in place.
pub struct Fields<'a> {
    inline: [Field<'a>; INLINE],
    len: usize,
    spilled: Vec<Field<'a>>,
}

impl<'a> Fields<'a> {
    /// Reads serialised fields. `None` where the bytes do not hold what their sizes say.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields { inline: [(&[], &[]); INLINE], len: 0, spilled: Vec::new() };
        if bytes.is_empty() {
            return Some(fields);
        }
        let count = number(bytes, 0)?;
        let sizes = bytes.get(4..)?;
        let mut rest = sizes.get(count.checked_mul(8)?..)?;
        for at in 0..count {
            let at = at.checked_mul(8)?;
            let (name, after) = text(rest, number(sizes, at)?)?;
            let (value, after) = text(after, number(sizes, at.checked_add(4)?)?)?;
            rest = after;
            fields.push((name, value));
        }
        Some(fields)
    }

    /// The fields in order.
    pub fn as_slice(&self) -> &[Field<'a>] {
        if self.spilled.is_empty() {
            self.inline.get(..self.len).unwrap_or_default()
        } else {
            &self.spilled
        }
    }

    fn push(&mut self, field: Field<'a>) {
        match self.inline.get_mut(self.len) {
            Some(slot) if self.spilled.is_empty() => {
                *slot = field;
                self.len = self.len.saturating_add(1);
            }
            _ => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(field);
            }
        }
    }
}

/// Serialises fields for an answer.
pub fn serialise(fields: &[(&str, &str)]) -> Vec<u8> {
    let size = |text: &str| u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
    let mut bytes = Vec::with_capacity(256);
    bytes.extend(u32::try_from(fields.len()).unwrap_or(0).to_le_bytes());
    for (name, value) in fields {
        bytes.extend(size(name));
        bytes.extend(size(value));
    }
    for (name, value) in fields {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let chunk = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*chunk)).ok()
}

/// Cuts a NUL-ended text of a size off the front.
fn text(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, after) = bytes.split_at_checked(size)?;
    Some((text, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::{Fields, INLINE, serialise};

    #[test]
    fn fields_come_back_as_written() {
        for count in [0, 1, INLINE - 1, INLINE, INLINE + 1, 3 * INLINE] {
            let names: Vec<String> = (0..count).map(|n| format!("x-{n}")).collect();
            let fields: Vec<(&str, &str)> = names
                .iter()
                .map(|name| (name.as_str(), if name.len() % 2 == 0 { "" } else { "v" }))
                .collect();
            let bytes = serialise(&fields);
            let read = Fields::parse(&bytes).unwrap();
            let expected: Vec<(&[u8], &[u8])> =
                fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
            assert_eq!(read.as_slice(), expected, "{count}");
        }
    }

    #[test]
    fn bytes_cut_short_are_refused() {
        let bytes = serialise(&[("a", "1"), ("bb", "22")]);
        for len in 1..bytes.len() {
            assert!(Fields::parse(&bytes[..len]).is_none(), "{len}");
        }
        assert!(Fields::parse(&[0xFF; 32]).is_none());
    }

    #[test]
    fn bytes_above_ascii_pass_through() {
        let mut bytes = serialise(&[("a", "1")]);
        let at = bytes.len() - 2;
        bytes[at] = 0xE9;
        assert_eq!(
            Fields::parse(&bytes).unwrap().as_slice(),
            [(b"a".as_slice(), b"\xE9".as_slice())]
        );
    }
}
