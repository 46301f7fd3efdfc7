//! Arrays and objects written in one or several pieces of text, turned into JSON text.

use super::text;
use crate::access::slice;
use crate::percent::{Plus, decode_into, is_encoded};
use portcullis_bundle::layout::{
    Style, TEXT_LENIENT, TYPE_ARRAY, TYPE_OBJECT, TYPE_STRING, TextField, TextValue, View,
};

/// How pieces of text are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Percent-encoded.
    Percent(Plus),
    /// As they are.
    Plain,
    /// As they are; white space around the items of a list does not count (RFC 9110, 5.6.1).
    Header,
}

/// Why a value cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its encoding or its form is broken.
    Malformed,
    /// One value is sent twice.
    Repeated,
}

/// One way to read text whose types allow several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Which of the shapes that the text can have: scalar, array, object, in this order.
    pub shape: u8,
    /// Whether a scalar is read as a number, boolean or null rather than as a string.
    pub other: bool,
}

impl Reading {
    /// Every way, the plainest first.
    pub(crate) const ALL: [Reading; 8] = [
        Reading { shape: 0, other: false },
        Reading { shape: 0, other: true },
        Reading { shape: 1, other: false },
        Reading { shape: 1, other: true },
        Reading { shape: 2, other: false },
        Reading { shape: 2, other: true },
        Reading { shape: 3, other: false },
        Reading { shape: 3, other: true },
    ];
}

/// Which further readings a text has, by what was seen while it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doubts {
    /// How many shapes a piece of it can have, beyond one.
    pub shapes: u8,
    /// Whether a scalar can be a string and something else.
    pub scalars: bool,
}

impl Doubts {
    /// Whether a reading differs from those before it.
    pub(crate) fn allow(self, reading: Reading) -> bool {
        reading.shape <= self.shapes && (!reading.other || self.scalars)
    }
}

/// The text that a piece says, decoded into `buffer` where it has to be.
pub(super) fn decoded<'a>(
    piece: &'a [u8],
    encoding: Encoding,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unreadable> {
    let text = match encoding {
        Encoding::Percent(plus) if is_encoded(piece, plus) => {
            buffer.clear();
            decode_into(piece, plus, buffer).map_err(|_| Unreadable::Malformed)?;
            buffer.as_slice()
        }
        Encoding::Percent(_) | Encoding::Plain => piece,
        Encoding::Header => piece.trim_ascii(),
    };
    core::str::from_utf8(text).map(|_| text).map_err(|_| Unreadable::Malformed)
}

/// Writes values as JSON text.
pub(super) struct Writer<'w> {
    pub view: &'w View<'w>,
    pub encoding: Encoding,
    pub reading: Reading,
    /// Where a piece is decoded.
    pub buffer: &'w mut Vec<u8>,
    /// The JSON text.
    pub out: &'w mut Vec<u8>,
    /// What other readings there are.
    pub doubts: Doubts,
}

/// How the pieces of one value are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub style: Style,
    pub explode: bool,
    /// The style is not the document's word: JSON is taken as well.
    pub unsaid: bool,
}

/// A shape that pieces of text can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Scalar,
    Array,
    Object,
    Json,
}

impl Writer<'_> {
    /// Writes the value that pieces say; there is at least one. A piece that the style begins with a
    /// mark of its own has lost that.
    pub(super) fn value<'p>(
        &mut self,
        value: &TextValue,
        manner: Manner,
        pieces: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<(), Unreadable> {
        let mut each = pieces.clone();
        let Some(first) = each.next() else { return Err(Unreadable::Malformed) };
        let one = each.next().is_none();
        match self.shape(value, manner, first, one)? {
            Shape::Scalar => self.scalar(value, first),
            Shape::Json => self.json(first),
            Shape::Array => self.array(value, manner, pieces, one),
            Shape::Object => self.object(value, manner, pieces),
        }
    }

    /// Writes a piece that is JSON text itself.
    pub(super) fn json(&mut self, piece: &[u8]) -> Result<(), Unreadable> {
        let text = decoded(piece, self.encoding, self.buffer)?;
        if !is_one_value(text) {
            return Err(Unreadable::Malformed);
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// The shape that this reading gives the pieces.
    fn shape(
        &mut self,
        value: &TextValue,
        manner: Manner,
        first: &[u8],
        one: bool,
    ) -> Result<Shape, Unreadable> {
        let (array, object) = (value.types & TYPE_ARRAY != 0, value.types & TYPE_OBJECT != 0);
        if !array && !object {
            return if one { Ok(Shape::Scalar) } else { Err(Unreadable::Repeated) };
        }
        let lists = matches!(manner.style, Style::Simple) || manner.explode;
        if !one && !lists {
            return Err(Unreadable::Repeated);
        }
        let json = manner.unsaid && one && {
            let text = decoded(first, self.encoding, self.buffer)?;
            (object && text.first() == Some(&b'{')) || (array && text.first() == Some(&b'['))
        };
        // An exploded object of the query has names of its own, so no piece of text is one.
        let pairs = !(manner.explode && matches!(manner.style, Style::Form | Style::DeepObject));
        let scalar = one && (value.types & TYPE_STRING != 0 || self.says_other(value, first)?);
        let shapes = [
            (scalar, Shape::Scalar),
            (json, Shape::Json),
            (array, Shape::Array),
            (object && pairs, Shape::Object),
        ];
        let mut possible = shapes.into_iter().filter(|(can, _)| *can).map(|(_, shape)| shape);
        let count = possible.clone().count();
        let others = u8::try_from(count.saturating_sub(1)).unwrap_or(u8::MAX);
        self.doubts.shapes = self.doubts.shapes.max(others);
        let at = usize::from(self.reading.shape).min(usize::from(others));
        // What has no shape that the schema takes is written as what it looks like, and refused.
        let looks = if one { Shape::Scalar } else { Shape::Array };
        Ok(possible.nth(at).unwrap_or(looks))
    }

    fn says_other(&mut self, value: &TextValue, piece: &[u8]) -> Result<bool, Unreadable> {
        let text = decoded(piece, self.encoding, self.buffer)?;
        Ok(text::reads_as_other(text, value.types, value.flags & TEXT_LENIENT != 0))
    }

    /// Writes one scalar.
    pub(super) fn scalar(&mut self, value: &TextValue, piece: &[u8]) -> Result<(), Unreadable> {
        let lenient = value.flags & TEXT_LENIENT != 0;
        let text = decoded(piece, self.encoding, self.buffer)?;
        self.doubts.scalars |=
            text::write(text, value.types, self.reading.other, lenient, self.out);
        Ok(())
    }

    fn array<'p>(
        &mut self,
        value: &TextValue,
        manner: Manner,
        pieces: impl Iterator<Item = &'p [u8]> + Clone,
        one: bool,
    ) -> Result<(), Unreadable> {
        let items = text_value(self.view, value.items.get());
        let first = pieces.clone().next().unwrap_or_default();
        match (manner.style, manner.explode) {
            (Style::Simple, _) => self.items(items, pieces.flat_map(|piece| cut(piece, b','))),
            (Style::Label, true) => self.items(items, cut(first, b'.')),
            // OpenAPI before 3.0.4 shows dots here, RFC 6570 has commas.
            (Style::Label, false) if !first.contains(&b',') => self.items(items, cut(first, b'.')),
            (Style::SpaceDelimited, false) => self.items(items, delimited(first, b" +", b"%20")),
            (Style::PipeDelimited, false) => self.items(items, delimited(first, b"|", b"%7C")),
            (Style::TabDelimited, false) => self.items(items, delimited(first, b"\t", b"%09")),
            (_, true) => self.items(items, pieces),
            (Style::DeepObject, false) => self.items(items, pieces),
            _ if one => self.items(items, cut(first, b',')),
            _ => Err(Unreadable::Repeated),
        }
    }

    fn items<'p>(
        &mut self,
        items: &TextValue,
        mut pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<(), Unreadable> {
        self.out.push(b'[');
        let mut next = pieces.next();
        while let Some(piece) = next {
            self.scalar(items, piece)?;
            next = pieces.next();
            if next.is_some() {
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn object<'p>(
        &mut self,
        value: &TextValue,
        manner: Manner,
        pieces: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<(), Unreadable> {
        let first = pieces.clone().next().unwrap_or_default();
        match (manner.style, manner.explode) {
            (Style::Simple, true) => {
                self.assignments(value, pieces.flat_map(|piece| cut(piece, b',')))
            }
            (Style::Label, true) => self.assignments(value, cut(first, b'.')),
            (Style::Matrix, true) => self.assignments(value, cut(first, b';')),
            (Style::Label, false) if !first.contains(&b',') => {
                self.properties(value, cut(first, b'.'))
            }
            (Style::SpaceDelimited, _) => self.properties(value, delimited(first, b" +", b"%20")),
            (Style::PipeDelimited, _) => self.properties(value, delimited(first, b"|", b"%7C")),
            _ => self.properties(value, pieces.flat_map(|piece| cut(piece, b','))),
        }
    }

    /// Writes an object of pieces `name, value, name, value`; one empty piece is an empty object.
    fn properties<'p>(
        &mut self,
        value: &TextValue,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<(), Unreadable> {
        let mut pieces = pieces.peekable();
        self.out.push(b'{');
        let mut filled = false;
        while let Some(name) = pieces.next() {
            if !filled && name.is_empty() && pieces.peek().is_none() {
                break;
            }
            let piece = pieces.next().ok_or(Unreadable::Malformed)?;
            self.property(value, name, piece, filled)?;
            filled = true;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes an object of pieces `name=value`.
    fn assignments<'p>(
        &mut self,
        value: &TextValue,
        pieces: impl Iterator<Item = &'p [u8]>,
    ) -> Result<(), Unreadable> {
        self.out.push(b'{');
        let mut filled = false;
        for piece in pieces {
            let equals = piece.iter().position(|&byte| byte == b'=');
            let equals = equals.ok_or(Unreadable::Malformed)?;
            let (name, text) = piece.split_at_checked(equals).ok_or(Unreadable::Malformed)?;
            self.property(value, name, text.get(1..).unwrap_or_default(), filled)?;
            filled = true;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn property(
        &mut self,
        value: &TextValue,
        name: &[u8],
        piece: &[u8],
        filled: bool,
    ) -> Result<(), Unreadable> {
        if filled {
            self.out.push(b',');
        }
        let name = decoded(name, self.encoding, self.buffer)?;
        let of = property_value(self.view, value, name);
        text::write_string(name, self.out);
        self.out.push(b':');
        self.scalar(of, piece)
    }
}

/// The field of an object with a name.
pub(super) fn field<'b>(view: &View<'b>, value: &TextValue, name: &[u8]) -> Option<&'b TextField> {
    view.text_fields.get(field_index(view, value, name)?)
}

/// Its index into text_fields.
pub(super) fn field_index(view: &View<'_>, value: &TextValue, name: &[u8]) -> Option<usize> {
    let first = value.fields.get();
    let fields = slice(view.text_fields, first, value.field_count.get());
    let found = fields.binary_search_by(|field| view.bytes(field.name).cmp(name)).ok()?;
    found.checked_add(usize::try_from(first).ok()?)
}

/// What a property of an object says: its own record, or that of further ones.
pub(super) fn property_value<'b>(view: &View<'b>, value: &TextValue, name: &[u8]) -> &'b TextValue {
    let found = field(view, value, name).map_or(value.additional.get(), |field| field.value.get());
    text_value(view, found)
}

/// A record of text_values; a string's where there is none.
pub(super) fn text_value<'b>(view: &View<'b>, index: u32) -> &'b TextValue {
    view.text_values.get(index as usize).unwrap_or(&TEXT)
}

const TEXT: TextValue = TextValue {
    fields: zerocopy::little_endian::U32::ZERO,
    field_count: zerocopy::little_endian::U32::ZERO,
    items: zerocopy::little_endian::U32::ZERO,
    additional: zerocopy::little_endian::U32::ZERO,
    types: TYPE_STRING,
    flags: 0,
    reserved: zerocopy::little_endian::U16::ZERO,
};

/// Cuts a value at a mark.
pub(super) fn cut(value: &[u8], mark: u8) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(move |&byte| byte == mark)
}

/// Cuts a value at a mark that may be sent as itself or percent-encoded
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

/// Whether JSON text stays one value wherever it is put: it closes what it opens, and nothing before
/// that or beside it. Whether it is well-formed is the validator's to say.
fn is_one_value(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
    for (at, &byte) in text.iter().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' if depth == 0 => return false,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 && at + 1 < text.len() {
                    return false;
                }
            }
            b',' | b':' if depth == 0 => return false,
            _ => {}
        }
    }
    depth == 0 && !quoted && !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_that_stays_one_value() {
        for good in ["5", "\"a,}\\\"\"", "{\"a\":[1,2]}", " [] ", "nul"] {
            assert!(is_one_value(good.as_bytes()), "{good}");
        }
        for bad in ["", "1,2", "{},\"b\":{}", "{}}", "{", "\"a", "[1],[2]", "]"] {
            assert!(!is_one_value(bad.as_bytes()), "{bad}");
        }
    }

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
