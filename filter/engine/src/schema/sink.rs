//! What else reads a body in the same pass: the scanner for attacks, the redactor.

use super::frame::{Frame, Step, pointer};
use portcullis_bundle::layout::View;

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// The name of a property that no schema declares.
    Name,
}

/// A value that is neither array nor object, or an undeclared name.
#[derive(Clone, Copy, Debug)]
pub struct Scalar<'a> {
    /// Its type.
    pub kind: ScalarKind,
    /// The bytes as sent; of a string without its quotes.
    pub raw: &'a [u8],
    /// What they say: of a string unescaped, else the same bytes.
    pub text: &'a [u8],
    /// The schema that it satisfied; the any schema where none or several applied.
    pub schema: u32,
    /// Bytes from the start of the body to the scalar.
    pub offset: u64,
}

/// Where in a body a scalar stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) frames: &'a [Frame],
    pub(super) top: &'a Frame,
}

impl Place<'_> {
    /// The JSON pointer to the scalar; undeclared names are shown as `*`.
    pub fn pointer(&self) -> String {
        pointer(self.view, self.frames, Some(self.top))
    }

    /// The steps of the pointer from the root, as the body says them.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let frames = self.frames.iter().chain(Some(self.top));
        frames.filter_map(|frame| Step::of(self.view, frame))
    }

    /// Steps of the pointer.
    pub(crate) fn depth(&self) -> usize {
        self.frames.len()
    }
}

/// A field of a form or a text, as it was sent and decoded: what it says by its schema is not known yet.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// JSON pointer to it; `*` for names that no schema declares.
    pub pointer: &'a str,
    /// Where a schema declares it and judges its text: index into text_fields.
    pub declared: Option<usize>,
    /// Its name, declared or not; empty for a text that is the whole body.
    pub name: &'a [u8],
    /// Its name, if no schema declares it.
    pub undeclared_name: Option<&'a [u8]>,
    /// What it says.
    pub text: &'a [u8],
    /// Whether the text is the name of an uploaded file, not the field's content.
    pub is_file_name: bool,
}

/// Receives every scalar of a body in order, as it is judged.
pub trait ScalarSink {
    /// Whether the sink wants anything; where it does not, no code is made for it.
    const ACTIVE: bool = true;

    /// Takes the next scalar.
    fn scalar(&mut self, scalar: &Scalar<'_>, place: &Place<'_>);

    /// Takes the next field of a form.
    fn field(&mut self, _field: &Field<'_>) {}

    /// Takes how many bytes an uploaded file has.
    fn file(&mut self, _bytes: u64) {}

    /// Takes a header field of a part of a multipart body, and the part's name.
    fn part_header(&mut self, _part: &[u8], _line: &[u8]) {}

    /// Whether the values of a body are wanted that is refused for its form.
    fn wants_all(&self) -> bool {
        false
    }

    /// Takes what a form or a multipart body departs in: `FORM_*` bits.
    fn departs(&mut self, _from: u16) {}
}

/// The boundary stands between quotes.
pub const FORM_BOUNDARY_QUOTED: u16 = 1;
/// White space stands behind a boundary.
pub const FORM_BOUNDARY_SPACE: u16 = 1 << 1;
/// Something stands before the first boundary.
pub const FORM_DATA_BEFORE: u16 = 1 << 2;
/// Something stands after the last boundary.
pub const FORM_DATA_AFTER: u16 = 1 << 3;
/// A header field of a part is folded.
pub const FORM_FOLDING: u16 = 1 << 4;
/// A lone LF ends a line.
pub const FORM_LF_LINE: u16 = 1 << 5;
/// No semicolon stands between parameters.
pub const FORM_NO_SEMICOLON: u16 = 1 << 6;
/// A parameter stands between other quotes, or breaks them.
pub const FORM_QUOTING: u16 = 1 << 7;
/// A part has no name, a field twice, or what is none.
pub const FORM_PART: u16 = 1 << 8;
/// A line begins as a boundary and is none, or the last boundary is missing.
pub const FORM_UNMATCHED: u16 = 1 << 9;
/// Lines end in both ways.
pub const FORM_MIXED_LINES: u16 = 1 << 10;
/// An escape of a form is broken.
pub const FORM_ESCAPE: u16 = 1 << 11;

/// A sink that takes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl ScalarSink for NoSink {
    const ACTIVE: bool = false;

    fn scalar(&mut self, _scalar: &Scalar<'_>, _place: &Place<'_>) {}
}
