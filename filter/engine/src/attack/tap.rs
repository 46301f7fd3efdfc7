//! What reads a body's values in the pass that judges them.

use super::operator::token::Header;
use super::subject::{Name, Subject};
use super::{Names, Scan, Scanner};
use crate::finding::Position;
use crate::limits::Picks;
use crate::schema::{Field, Place, Scalar, ScalarKind, ScalarSink};
use portcullis_bundle::layout::{BODY_FIELD, BODY_TEXT, BODY_XML, SCHEMA_ANY, Target};

/// Reads the values of a text that is being judged. One type for all readers, so that the validator is
/// compiled once.
pub(crate) enum Tap<'a, 'v, 'b> {
    /// Nobody reads.
    Shut,
    /// The scanner for attacks.
    Scan(&'a mut Scanner, Scan<'v, 'b>),
    /// The scanner, of the body of an answer.
    Answer(&'a mut Scanner, Scan<'v, 'b>, &'a mut Names),
    /// Limits that ask for some of the values, and the scanner where there is one.
    Pick(&'a mut Picks, Option<(&'a mut Scanner, Scan<'v, 'b>)>),
    /// The header of a JSON Web Token.
    Token(&'a mut Header),
}

impl<'v, 'b> Tap<'_, 'v, 'b> {
    /// The scanner, where a request is scanned.
    fn scanning(&mut self) -> Option<(&mut Scanner, &Scan<'v, 'b>)> {
        match self {
            Tap::Scan(scanner, scan) | Tap::Pick(_, Some((scanner, scan))) => Some((scanner, scan)),
            _ => None,
        }
    }
}

impl ScalarSink for Tap<'_, '_, '_> {
    #[inline]
    fn scalar(&mut self, scalar: &Scalar<'_>, place: &Place<'_>) {
        match self {
            Tap::Shut => {}
            Tap::Scan(scanner, scan) => take(scanner, scan, scalar, place),
            Tap::Answer(scanner, scan, names) => names.scalar(scanner, scan, scalar, place),
            Tap::Pick(picks, scanning) => {
                picks.take(scalar, place);
                if let Some((scanner, scan)) = scanning {
                    take(scanner, scan, scalar, place);
                }
            }
            Tap::Token(header) => header.scalar(scalar),
        }
    }

    fn field(&mut self, field: &Field<'_>) {
        if let Tap::Pick(picks, _) = self
            && !field.is_file_name
        {
            picks.field(field.pointer.as_bytes(), field.text);
        }
        let Some((scanner, scan)) = self.scanning() else { return };
        let subject = Subject {
            target: if field.is_file_name { Target::File } else { Target::Body },
            name: match field.undeclared_name {
                Some(name) => Name::Field(name),
                None => Name::Pointer(field.pointer),
            },
            position: None,
            offset: 0,
            // A field of a form may have an empty name.
            bodies: match scanner.body {
                own @ (BODY_XML | BODY_FIELD) => own,
                _ if field.name.is_empty() => BODY_TEXT,
                _ => BODY_FIELD,
            },
            argument: field.name,
        };
        scanner.field(scan, subject, field.declared, field.text);
        if scanner.body != BODY_XML {
            scanner.add_argument(&subject, field.text);
        }
        let mut named = |target, name| {
            scanner.value(scan, Subject { target, ..subject }, SCHEMA_ANY, name);
        };
        match field.is_file_name {
            true => named(Target::FileField, field.name),
            false if !field.name.is_empty() => named(Target::BodyArgument, field.name),
            false => {}
        }
        if let Some(name) = field.undeclared_name {
            named(Target::BodyName, name);
        }
    }

    fn file(&mut self, bytes: u64) {
        if let Some((scanner, _)) = self.scanning() {
            scanner.add_file(bytes);
        }
    }

    fn wants_all(&self) -> bool {
        matches!(self, Tap::Scan(..) | Tap::Pick(_, Some(_)))
    }

    fn departs(&mut self, from: u16) {
        if let Some((scanner, _)) = self.scanning() {
            scanner.state.departs |= from;
        }
    }

    fn part_header(&mut self, part: &[u8], line: &[u8]) {
        let Some((scanner, scan)) = self.scanning() else { return };
        let position = Position::Body { pointer: String::new(), offset: 0 };
        let subject =
            Subject { argument: part, ..Subject::new(Target::PartHeader, Name::None, &position) };
        scanner.value(scan, subject, SCHEMA_ANY, line);
    }
}

#[inline(never)]
fn take(scanner: &mut Scanner, scan: &Scan<'_, '_>, scalar: &Scalar<'_>, place: &Place<'_>) {
    if scan.names_arguments() && scanner.body != BODY_XML {
        return take_named(scanner, scan, scalar, place);
    }
    let target = match scalar.kind {
        ScalarKind::Name => Target::BodyName,
        // The literals of JSON say nothing.
        ScalarKind::Null | ScalarKind::Boolean => return,
        ScalarKind::Number | ScalarKind::String => Target::Body,
    };
    let (offset, bodies) = (scalar.offset, scanner.body);
    let name = Name::Place(place);
    let mut subject = Subject { target, name, position: None, offset, bodies, argument: &[] };
    if !scan.names_values() {
        return scanner.value(scan, subject, scalar.schema, scalar.text);
    }
    let mut names = core::mem::take(&mut scanner.names);
    if scalar.kind == ScalarKind::Name {
        names.enter(place.depth(), scalar.text);
    }
    subject.name = Name::Named(place, &names);
    scanner.value(scan, subject, scalar.schema, scalar.text);
    scanner.names = names;
}

/// The same, where rules ask how the client calls arguments: `json.a.b`.
fn take_named(scanner: &mut Scanner, scan: &Scan<'_, '_>, scalar: &Scalar<'_>, place: &Place<'_>) {
    let mut names = core::mem::take(&mut scanner.names);
    let bodies = scanner.body;
    if scalar.kind == ScalarKind::Name {
        names.enter(place.depth(), scalar.text);
    } else {
        names.call(place);
    }
    let mut subject = Subject {
        target: Target::BodyName,
        name: Name::Named(place, &names),
        position: None,
        offset: scalar.offset,
        bodies,
        argument: &[],
    };
    if scalar.kind == ScalarKind::Name {
        scanner.value(scan, subject, scalar.schema, scalar.text);
    } else {
        subject.argument = names.called();
        subject.target = Target::Body;
        // The literals of JSON say nothing, but count.
        if matches!(scalar.kind, ScalarKind::Number | ScalarKind::String) {
            scanner.value(scan, subject, scalar.schema, scalar.text);
        }
        scanner.add_argument(&subject, scalar.text);
        subject.target = Target::BodyArgument;
        scanner.value(scan, subject, SCHEMA_ANY, names.called());
    }
    scanner.names = names;
}
