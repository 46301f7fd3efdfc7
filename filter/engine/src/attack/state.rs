//! What the form of a body departs in, for rules that ask.

use super::{Name, Scan, Scanner, Subject};
use crate::finding::Position;
use crate::schema::{
    FORM_BOUNDARY_QUOTED, FORM_BOUNDARY_SPACE, FORM_DATA_AFTER, FORM_DATA_BEFORE, FORM_ESCAPE,
    FORM_FOLDING, FORM_LF_LINE, FORM_MIXED_LINES, FORM_NO_SEMICOLON, FORM_PART, FORM_QUOTING,
    FORM_UNMATCHED,
};
use portcullis_bundle::layout::{SCHEMA_ANY, Target};

/// How a body was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    /// `FORM_*` bits.
    pub departs: u16,
    /// It cannot be read as what it says it is.
    pub failed: bool,
}

/// The flags of multipart bodies, by name.
const FLAGS: [(&str, u16); 14] = [
    ("multipart_boundary_quoted", FORM_BOUNDARY_QUOTED),
    ("multipart_boundary_whitespace", FORM_BOUNDARY_SPACE),
    ("multipart_crlf_lf_lines", FORM_MIXED_LINES),
    ("multipart_data_after", FORM_DATA_AFTER),
    ("multipart_data_before", FORM_DATA_BEFORE),
    ("multipart_header_folding", FORM_FOLDING),
    ("multipart_invalid_header_folding", FORM_FOLDING),
    ("multipart_invalid_part", FORM_PART),
    ("multipart_invalid_quoting", FORM_QUOTING),
    ("multipart_lf_line", FORM_LF_LINE),
    ("multipart_missing_semicolon", FORM_NO_SEMICOLON),
    ("multipart_strict_error", !(FORM_MIXED_LINES | FORM_UNMATCHED | FORM_ESCAPE)),
    ("multipart_unmatched_boundary", FORM_UNMATCHED),
    ("urlencoded_error", FORM_ESCAPE),
];

impl Scanner {
    /// Gives each flag, 1 or 0, to the rules that look at it.
    pub(super) fn body_state(&mut self, scan: &Scan<'_, '_>) {
        if !self.looks_at(scan, Target::BodyState) {
            return;
        }
        let State { departs, failed } = self.state;
        let flags = FLAGS.map(|(name, bits)| (name, departs & bits != 0));
        let others = [("reqbody_error", failed), ("reqbody_processor_error", failed)];
        for (name, is) in flags.into_iter().chain(others) {
            let name = Name::Text(name.as_bytes());
            let subject = Subject::new(Target::BodyState, name, &Position::Message);
            self.value(scan, subject, SCHEMA_ANY, if is { b"1" } else { b"0" });
        }
    }
}
