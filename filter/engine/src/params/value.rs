//! Arrays and objects written in a parameter, turned into JSON text.

use super::text::{self, Reading};
use crate::access::slice;
use crate::percent::{Plus, decode_into, is_encoded};
use portcullis_bundle::layout::{Parameter, View};

/// How the pieces of a parameter are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Percent-encoded.
    Percent(Plus),
    /// As they are; white space around the items of a list does not count (RFC 9110, 5.6.1).
    Header,
}

/// Why a value cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The text that a piece says, decoded into `buffer` where it has to be.
pub(super) fn decoded<'a>(
    piece: &'a [u8],
    encoding: Encoding,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unreadable> {
    let text = match encoding {
        Encoding::Percent(plus) if is_encoded(piece, plus) => {
            buffer.clear();
            decode_into(piece, plus, buffer).map_err(|_| Unreadable)?;
            buffer.as_slice()
        }
        Encoding::Percent(_) => piece,
        Encoding::Header => piece.trim_ascii(),
    };
    core::str::from_utf8(text).map(|_| text).map_err(|_| Unreadable)
}

/// Writes one array or object as JSON text.
pub(super) struct Writer<'w> {
    pub view: &'w View<'w>,
    pub parameter: &'w Parameter,
    pub encoding: Encoding,
    pub reading: Reading,
    /// Where a piece is decoded.
    pub buffer: &'w mut Vec<u8>,
    /// The JSON text.
    pub out: &'w mut Vec<u8>,
    /// Whether another reading would give another text.
    pub ambiguous: bool,
    /// Whether something stands in the container already.
    pub filled: bool,
}

impl Writer<'_> {
    pub(super) fn open(&mut self, mark: u8) {
        self.out.clear();
        self.out.push(mark);
        self.filled = false;
        self.ambiguous = false;
    }

    pub(super) fn close(&mut self, mark: u8) {
        self.out.push(mark);
    }

    /// Adds an item to an array.
    pub(super) fn item(&mut self, piece: &[u8]) -> Result<(), Unreadable> {
        self.comma();
        self.leaf(piece, self.parameter.types)
    }

    /// Adds a property to an object.
    pub(super) fn property(&mut self, name: &[u8], piece: &[u8]) -> Result<(), Unreadable> {
        self.comma();
        let name = decoded(name, self.encoding, self.buffer)?;
        let types = field_types(self.view, self.parameter, name);
        text::write_string(name, self.out);
        self.out.push(b':');
        self.leaf(piece, types)
    }

    /// Adds the pieces `name, value, name, value` to an object.
    pub(super) fn properties<'p>(
        &mut self,
        mut pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<(), Unreadable> {
        while let Some(name) = pieces.next() {
            self.property(name, pieces.next().ok_or(Unreadable)?)?;
        }
        Ok(())
    }

    /// Adds a piece `name=value` to an object.
    pub(super) fn assignment(&mut self, piece: &[u8]) -> Result<(), Unreadable> {
        let equals = piece.iter().position(|&byte| byte == b'=').ok_or(Unreadable)?;
        let (name, value) = piece.split_at_checked(equals).ok_or(Unreadable)?;
        self.property(name, value.get(1..).unwrap_or_default())
    }

    fn comma(&mut self) {
        if self.filled {
            self.out.push(b',');
        }
        self.filled = true;
    }

    fn leaf(&mut self, piece: &[u8], types: u8) -> Result<(), Unreadable> {
        let text = decoded(piece, self.encoding, self.buffer)?;
        self.ambiguous |= text::write(text, types, self.reading, self.out);
        Ok(())
    }
}

/// The types of a property: its own, or those of additional ones.
fn field_types(view: &View<'_>, parameter: &Parameter, name: &[u8]) -> u8 {
    slice(view.parameter_fields, parameter.fields.get(), parameter.field_count.get())
        .iter()
        .find(|field| view.bytes(field.name) == name)
        .and_then(|field| u8::try_from(field.types.get()).ok())
        .unwrap_or(parameter.types)
}

/// Cuts the pieces of a value at a mark.
pub(super) fn pieces(value: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> {
    value.split(move |&byte| byte == mark)
}

/// Cuts the pieces of a value at a mark that may be sent as itself or percent-encoded
/// (styles spaceDelimited and pipeDelimited).
pub(super) fn delimited<'a>(
    value: &'a [u8],
    plain: &'static [u8],
    encoded: &'static [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(value);
    core::iter::from_fn(move || {
        let text = rest?;
        let mark = |at: usize| {
            let tail = text.get(at..).unwrap_or_default();
            if tail.first().is_some_and(|byte| plain.contains(byte)) {
                return Some(1);
            }
            let head = tail.get(..encoded.len())?;
            head.eq_ignore_ascii_case(encoded).then_some(encoded.len())
        };
        let found = (0..text.len()).find_map(|at| Some((at, mark(at)?)));
        rest = found.and_then(|(at, len)| text.get(at + len..));
        Some(found.and_then(|(at, _)| text.get(..at)).unwrap_or(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_in_both_spellings() {
        let cut = |value: &'static str| -> Vec<String> {
            delimited(value.as_bytes(), b"|", b"%7C")
                .map(|piece| String::from_utf8_lossy(piece).into_owned())
                .collect()
        };
        assert_eq!(cut("a|b%7cc%7C"), ["a", "b", "c", ""]);
        assert_eq!(cut(""), [""]);
        assert_eq!(cut("a%2Cb"), ["a%2Cb"]);
    }
}
