//! What reads a body's values in the pass that judges them.

use super::operator::token::Header;
use super::subject::{Name, Subject};
use super::{Names, Scan, Scanner};
use crate::schema::{Field, Place, Scalar, ScalarKind, ScalarSink};
use portcullis_bundle::layout::{SCHEMA_ANY, Target};

/// Reads the values of a text that is being judged. One type for all readers, so that the validator is
/// compiled once.
pub(crate) enum Tap<'a, 'v, 'b> {
    /// Nobody reads.
    Shut,
    /// The scanner for attacks.
    Scan(&'a mut Scanner, Scan<'v, 'b>),
    /// The scanner, of the body of an answer.
    Answer(&'a mut Scanner, Scan<'v, 'b>, &'a mut Names),
    /// The header of a JSON Web Token.
    Token(&'a mut Header),
}

impl ScalarSink for Tap<'_, '_, '_> {
    #[inline]
    fn scalar(&mut self, scalar: &Scalar<'_>, place: &Place<'_>) {
        match self {
            Tap::Shut => {}
            Tap::Scan(scanner, scan) => take(scanner, scan, scalar, place),
            Tap::Answer(scanner, scan, names) => names.scalar(scanner, scan, scalar, place),
            Tap::Token(header) => header.scalar(scalar),
        }
    }

    fn field(&mut self, field: &Field<'_>) {
        let Tap::Scan(scanner, scan) = self else { return };
        let subject = Subject {
            target: if field.is_file_name { Target::File } else { Target::Body },
            name: Name::Pointer(field.pointer),
            position: None,
            offset: 0,
        };
        scanner.field(scan, subject, field.declared, field.text);
        if let Some(name) = field.undeclared_name {
            scanner.value(scan, Subject { target: Target::BodyName, ..subject }, SCHEMA_ANY, name);
        }
    }
}

#[inline(never)]
fn take(scanner: &mut Scanner, scan: &Scan<'_, '_>, scalar: &Scalar<'_>, place: &Place<'_>) {
    let target = match scalar.kind {
        ScalarKind::Name => Target::BodyName,
        // The literals of JSON say nothing.
        ScalarKind::Null | ScalarKind::Boolean => return,
        ScalarKind::Number | ScalarKind::String => Target::Body,
    };
    let name = Name::Place(place);
    let subject = Subject { target, name, position: None, offset: scalar.offset };
    scanner.value(scan, subject, scalar.schema, scalar.text);
}
