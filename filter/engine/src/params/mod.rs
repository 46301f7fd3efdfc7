//! Parameters in path, query, header and cookie.
//!
//! In: an operation and the head of a request. Out: findings. A value is cut into pieces as its style says
//! (OpenAPI 3.1.1, section 4.8.12), the pieces are decoded and typed by what the schema allows, and the
//! whole is judged as JSON by the same validator as bodies.

mod cookie;
mod query;
pub(crate) mod text;
mod value;

use crate::access::slice;
use crate::exchange::{Findings, KEPT};
use crate::finding::{Finding, FindingCode, Position};
use crate::percent::Plus;
use crate::route::Span;
use crate::schema::{Fault, FaultKind, Limits, NoSink, Validator};
use portcullis_bundle::layout::{
    Action, Location, NONE, Operation, PARAMETER_EMPTY_ALLOWED, PARAMETER_EXPLODE,
    PARAMETER_OPEN_OBJECT, PARAMETER_REQUIRED, PARAMETER_UNENFORCED, Parameter, Shape, Style, View,
};
use query::{Pair, deep_key, is_named, pairs};
use text::Reading;
use value::{Encoding, Unreadable, Writer, decoded, delimited, pieces};

/// A request's head, and the operation that it is judged by.
pub(crate) struct Call<'a, 'b> {
    pub view: &'a View<'b>,
    pub operation: &'a Operation,
    /// The path as sent, without query.
    pub path: &'a [u8],
    /// The query as sent, without `?`.
    pub query: &'a [u8],
    /// What the path's variables take.
    pub captures: &'a [Span],
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Pairs of a query, at most.
    pub max_parameters: u32,
}

/// The buffers in which parameters are judged, kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pairs: Vec<Pair>,
    buffer: Vec<u8>,
    json: Vec<u8>,
    /// Which pairs of the query belong to the object being judged.
    mine: Vec<bool>,
}

/// What is wrong with one parameter.
enum Fail {
    Missing,
    Repeated,
    Malformed,
    Invalid(Fault),
}

impl From<Unreadable> for Fail {
    fn from(_: Unreadable) -> Self {
        Fail::Malformed
    }
}

impl Parameters {
    /// Forgets what a large request has left behind.
    pub(crate) fn reset(&mut self) {
        for buffer in [&mut self.buffer, &mut self.json] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        self.pairs.clear();
        self.pairs.shrink_to(KEPT / size_of::<Pair>());
    }

    /// Judges all parameters of a request.
    pub(crate) fn judge(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        findings: &mut Findings,
    ) {
        let (first, count) =
            (call.operation.parameters.get(), call.operation.parameter_count.get());
        let declared = slice(call.view.parameters, first, count);
        let max = call.max_parameters as usize;
        let complete = pairs(call.query, max, &mut self.pairs);
        if !complete {
            findings.refuse(Finding::new(FindingCode::ParametersTooMany, Position::Message));
        }
        // An object that takes any further name comes after all that have names of their own.
        let mut open = false;
        for (index, parameter) in (first..).zip(declared) {
            if is_open(parameter) {
                open = true;
            } else {
                self.judge_one(call, validator, findings, (index, parameter), complete);
            }
        }
        if open {
            for (index, parameter) in (first..).zip(declared).filter(|(_, found)| is_open(found)) {
                self.judge_one(call, validator, findings, (index, parameter), complete);
            }
        }
        if complete && self.pairs.iter().any(|pair| !pair.taken) {
            let action =
                Action::from_code(call.operation.undeclared_query).unwrap_or(Action::Block);
            let finding =
                Finding::new(FindingCode::ParameterUndeclared, Position::UndeclaredParameter);
            findings.act(action, finding.at(call.operation.origin.get()));
        }
    }

    /// Judges one parameter; those in an incomplete query are left out.
    fn judge_one(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        findings: &mut Findings,
        (index, parameter): (u32, &Parameter),
        complete: bool,
    ) {
        let Some(location) = Location::from_code(parameter.location) else { return };
        if location == Location::Query && !complete {
            return;
        }
        if let Err(fail) = self.parameter(call, validator, parameter, location) {
            findings.refuse(finding(call.view, index, parameter, location, fail));
        }
    }

    fn parameter(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        location: Location,
    ) -> Result<(), Fail> {
        let name = call.view.bytes(parameter.name);
        match location {
            Location::Path => {
                let capture = call.captures.get(usize::from(parameter.capture));
                let value = capture.map(|capture| capture.of(call.path)).into_iter();
                self.judge_values(call, validator, parameter, PATH, value)
            }
            Location::Header => {
                let found = call.headers.iter().filter(|(field, _)| *field == name);
                let values = found.map(|(_, value)| *value);
                self.judge_values(call, validator, parameter, Encoding::Header, values)
            }
            Location::Cookie => {
                let values = cookie::values(call.headers, name);
                self.judge_values(call, validator, parameter, PATH, values)
            }
            Location::Query => {
                let query = call.query;
                let mut taken = core::mem::take(&mut self.pairs);
                let outcome = if names_its_own_pairs(parameter) {
                    self.judge_named_pairs(call, validator, parameter, &mut taken)
                } else {
                    taken.iter_mut().for_each(|pair| pair.taken |= is_named(query, pair, name));
                    let found = taken.iter().filter(|pair| is_named(query, pair, name));
                    let values = found.map(|pair| pair.value.of(query));
                    self.judge_values(call, validator, parameter, QUERY, values)
                };
                self.pairs = taken;
                outcome
            }
        }
    }

    /// Judges a parameter whose values come one by one: mostly one, several where it is repeated.
    fn judge_values<'v>(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        encoding: Encoding,
        values: impl Iterator<Item = &'v [u8]> + Clone,
    ) -> Result<(), Fail> {
        let mut each = values.clone();
        let Some(first) = each.next() else { return absent(parameter) };
        if parameter.flags & PARAMETER_UNENFORCED != 0 {
            return Ok(());
        }
        let empty_allowed = parameter.flags & PARAMETER_EMPTY_ALLOWED != 0;
        let shape = Shape::from_code(parameter.shape).unwrap_or(Shape::Scalar);
        let style = Style::from_code(parameter.style).unwrap_or(Style::Form);
        // A header that comes twice is one list (RFC 9110, section 5.3), and so is an exploded array.
        let repeats = (encoding == Encoding::Header && style == Style::Simple)
            || (style != Style::Simple && parameter.flags & PARAMETER_EXPLODE != 0);
        let second = each.next();
        if second.is_some() && (shape == Shape::Scalar || !repeats || style == Style::Json) {
            return Err(Fail::Repeated);
        }
        if first.is_empty() && second.is_none() && empty_allowed {
            return Ok(());
        }
        if shape == Shape::Scalar || style == Style::Json {
            return self.judge_text(call, validator, parameter, encoding, first);
        }
        let all = || values.clone();
        self.judge_json(call, validator, parameter, encoding, &mut |writer| match (shape, style) {
            (Shape::Object, Style::Simple) if parameter.flags & PARAMETER_EXPLODE != 0 => {
                all().flat_map(|value| pieces(value, b',')).try_for_each(|p| writer.assignment(p))
            }
            (Shape::Object, Style::SpaceDelimited) => {
                writer.properties(delimited(first, b" +", b"%20"))
            }
            (Shape::Object, Style::PipeDelimited) => {
                writer.properties(delimited(first, b"|", b"%7C"))
            }
            (Shape::Object, _) => writer.properties(all().flat_map(|value| pieces(value, b','))),
            (_, Style::Simple) => {
                all().flat_map(|value| pieces(value, b',')).try_for_each(|p| writer.item(p))
            }
            _ if parameter.flags & PARAMETER_EXPLODE != 0 => all().try_for_each(|p| writer.item(p)),
            (_, Style::SpaceDelimited) => {
                delimited(first, b" +", b"%20").try_for_each(|p| writer.item(p))
            }
            (_, Style::PipeDelimited) => {
                delimited(first, b"|", b"%7C").try_for_each(|p| writer.item(p))
            }
            _ => pieces(first, b',').try_for_each(|p| writer.item(p)),
        })
    }

    /// Judges an object whose properties are pairs of the query by themselves.
    fn judge_named_pairs(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        query_pairs: &mut [Pair],
    ) -> Result<(), Fail> {
        let name = call.view.bytes(parameter.name);
        let deep = parameter.style == Style::DeepObject.code();
        let open = is_open(parameter);
        let fields =
            slice(call.view.parameter_fields, parameter.fields.get(), parameter.field_count.get());
        let belongs = |pair: &Pair| {
            if deep {
                // Unenforced ones may nest further, as in `name[a][b]`: they are claimed by prefix.
                return deep_key(call.query, pair, name).is_some();
            }
            (open && !pair.taken)
                || fields
                    .iter()
                    .any(|field| is_named(call.query, pair, call.view.bytes(field.name)))
        };
        // Marked first and written from the marks, as an open object takes what no other has.
        let mut present = false;
        let mut mine = core::mem::take(&mut self.mine);
        mine.clear();
        for pair in query_pairs.iter_mut() {
            let is_mine = belongs(pair);
            present |= is_mine;
            pair.taken |= is_mine;
            mine.push(is_mine);
        }
        let outcome = if !present {
            absent(parameter)
        } else if parameter.flags & PARAMETER_UNENFORCED != 0 {
            Ok(())
        } else {
            let own = || query_pairs.iter().zip(&mine).filter(|(_, mine)| **mine).map(|(p, _)| p);
            self.judge_json(call, validator, parameter, QUERY, &mut |writer| {
                own().try_for_each(|pair| {
                    let key = if deep { deep_key(call.query, pair, name) } else { None };
                    let key = key.unwrap_or(pair.name.of(call.query));
                    writer.property(key, pair.value.of(call.query))
                })
            })
        };
        self.mine = mine;
        outcome
    }

    /// Judges a value that is one piece of text.
    fn judge_text(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        encoding: Encoding,
        piece: &[u8],
    ) -> Result<(), Fail> {
        let text = decoded(piece, encoding, &mut self.buffer)?;
        let (schema, limits) = (parameter.schema.get(), Limits::from(&call.operation.limits));
        if parameter.style == Style::Json.code() {
            return validator
                .validate(call.view, schema, limits, text, &mut NoSink)
                .map_err(Fail::Invalid);
        }
        let mut outcome = Ok(());
        for reading in [Reading::AsString, Reading::AsOther] {
            self.json.clear();
            let ambiguous = text::write(text, parameter.types, reading, &mut self.json);
            let judged = validator.validate(call.view, schema, limits, &self.json, &mut NoSink);
            if judged.is_ok() {
                return Ok(());
            }
            outcome = outcome.and(judged);
            if !ambiguous {
                break;
            }
        }
        outcome.map_err(Fail::Invalid)
    }

    /// Judges an array or object that `write` writes.
    fn judge_json(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        encoding: Encoding,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Fail> {
        let object = parameter.shape == Shape::Object.code();
        let (open, close) = if object { (b'{', b'}') } else { (b'[', b']') };
        let mut outcome = Ok(());
        for reading in [Reading::AsString, Reading::AsOther] {
            let mut writer = Writer {
                view: call.view,
                parameter,
                encoding,
                reading,
                buffer: &mut self.buffer,
                out: &mut self.json,
                ambiguous: false,
                filled: false,
            };
            writer.open(open);
            write(&mut writer)?;
            writer.close(close);
            let ambiguous = writer.ambiguous;
            let limits = Limits::from(&call.operation.limits);
            let schema = parameter.schema.get();
            let judged = validator.validate(call.view, schema, limits, &self.json, &mut NoSink);
            if judged.is_ok() {
                return Ok(());
            }
            outcome = outcome.and(judged);
            if !ambiguous {
                break;
            }
        }
        outcome.map_err(Fail::Invalid)
    }
}

const PATH: Encoding = Encoding::Percent(Plus::Literal);
const QUERY: Encoding = Encoding::Percent(Plus::Space);

fn absent(parameter: &Parameter) -> Result<(), Fail> {
    if parameter.flags & PARAMETER_REQUIRED != 0 { Err(Fail::Missing) } else { Ok(()) }
}

/// Whether the parameter's own name is not what its pairs are named by.
fn names_its_own_pairs(parameter: &Parameter) -> bool {
    parameter.style == Style::DeepObject.code()
        || (parameter.shape == Shape::Object.code()
            && parameter.style == Style::Form.code()
            && parameter.flags & PARAMETER_EXPLODE != 0)
}

/// Whether it takes pairs of any name.
fn is_open(parameter: &Parameter) -> bool {
    parameter.flags & PARAMETER_OPEN_OBJECT != 0
        && parameter.style == Style::Form.code()
        && names_its_own_pairs(parameter)
}

/// The finding that a failed parameter is.
fn finding(
    view: &View<'_>,
    index: u32,
    parameter: &Parameter,
    location: Location,
    fail: Fail,
) -> Finding {
    let position = Position::Parameter { location, parameter: index };
    let at = |code| Finding::new(code, position.clone()).at(parameter.origin.get());
    let fault = match fail {
        Fail::Missing => return at(FindingCode::ParameterMissing),
        Fail::Repeated => return at(FindingCode::ParameterRepeated),
        Fail::Malformed => return at(FindingCode::ParameterMalformed),
        Fail::Invalid(fault) => fault,
    };
    match fault.kind {
        FaultKind::Malformed(_) => at(FindingCode::ParameterMalformed),
        FaultKind::DuplicateName => at(FindingCode::ParameterRepeated),
        FaultKind::TooDeep | FaultKind::TooLarge(_) | FaultKind::Budget => {
            at(FindingCode::ParameterInvalid)
        }
        FaultKind::Invalid => {
            let origin = fault.origin(view);
            let origin = if origin == NONE { parameter.origin.get() } else { origin };
            let finding = Finding::new(FindingCode::ParameterInvalid, position).at(origin);
            Finding { keyword: Some(fault.written_keyword(view)), ..finding }
        }
    }
}
