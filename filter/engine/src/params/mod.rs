//! Parameters in path, query, header and cookie.
//!
//! In: an operation and the head of a request. Out: findings. A value is cut into pieces as its style says
//! (OpenAPI 3.1.1, section 4.8.12), the pieces are decoded and typed by what the schema allows, and the
//! whole is judged as JSON by the same validator as bodies.

pub(crate) mod cookie;
mod form;
mod query;
pub(crate) mod text;
mod tree;
mod value;

use crate::access::slice;
use crate::exchange::{Findings, KEPT};
use crate::finding::{Finding, FindingCode, Position};
use crate::percent::Plus;
use crate::route::Span;
use crate::schema::{Fault, FaultKind, Limits, NoSink, Validator};
use crate::security::is_query_key;
pub(crate) use cookie::all as cookies;
pub(crate) use form::{Form, FormFault, declared_field, declares, property_types};
use portcullis_bundle::layout::{
    Action, FIELD_UNSAID, Location, MAX_ALTERNATIVES, NONE, Operation, PARAMETER_ALTERNATIVE,
    PARAMETER_EMPTY_ALLOWED, PARAMETER_EXPLODE, PARAMETER_OPEN_OBJECT, PARAMETER_REQUIRED,
    PARAMETER_UNENFORCED, Parameter, SecurityScheme, Style, TEXT_LENIENT, TYPE_ARRAY, TYPE_OBJECT,
    TextValue, View,
};
use query::{Pair, brackets, is_named, pairs};
pub(crate) use query::{beyond_pairs, cut_pairs};
use tree::Tree;
use value::{Doubts, Manner, Reading, Writer, cut, decoded, field, text_value};
pub(crate) use value::{Encoding, Unreadable};

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
    /// The operation's security schemes: a key in the query is declared by them.
    pub keys: &'a [SecurityScheme],
    /// Pairs of a query, at most.
    pub max_parameters: u32,
}

/// The buffers in which parameters and forms are judged, kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pairs: Vec<Pair>,
    buffer: Vec<u8>,
    json: Vec<u8>,
    tree: Tree,
}

/// What is wrong with one parameter.
enum Fail {
    Missing,
    Repeated,
    Malformed,
    Invalid(Fault),
}

impl From<Unreadable> for Fail {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed => Fail::Malformed,
            Unreadable::Repeated => Fail::Repeated,
        }
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
        self.tree.trim(KEPT);
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
        let mut rest = slice(call.view.parameters, first, count);
        let (mut own, mut first) = (alternative(rest), first);
        if own.len() == rest.len() {
            return self.judge_alternative(call, validator, findings, (first, own));
        }
        // What is found is of the alternative that the request comes nearest to.
        let mut least: Option<Findings> = None;
        for _ in 0..MAX_ALTERNATIVES {
            let mut found = findings.apart();
            self.judge_alternative(call, validator, &mut found, (first, own));
            if found.is_empty() {
                return;
            }
            if least.as_ref().is_none_or(|least| found.len() < least.len()) {
                least = Some(found);
            }
            rest = rest.get(own.len()..).unwrap_or_default();
            first = first.saturating_add(u32::try_from(own.len()).unwrap_or(u32::MAX));
            own = alternative(rest);
            if own.is_empty() {
                break;
            }
        }
        if let Some(least) = least {
            findings.extend(least);
        }
    }

    /// Judges the parameters of one alternative, the first of which has the index `first`.
    fn judge_alternative(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        findings: &mut Findings,
        (first, declared): (u32, &[Parameter]),
    ) {
        let max = call.max_parameters as usize;
        let complete = pairs(call.query, max, &mut self.pairs);
        if !complete {
            findings.refuse(Finding::new(FindingCode::ParametersTooMany, Position::Message));
        }
        for key in call.keys.iter().filter(|key| is_query_key(key)) {
            let name = call.view.bytes(key.name);
            self.pairs.iter_mut().for_each(|pair| pair.taken |= is_named(call.query, pair, name));
        }
        // An object that takes any further name comes after all that have names of their own.
        let mut open = false;
        for (parameter, index) in declared.iter().zip(first..) {
            if is_open(parameter) {
                open = true;
            } else {
                self.judge_one(call, validator, findings, (index, parameter), complete);
            }
        }
        if open {
            for (parameter, index) in declared.iter().zip(first..).filter(|(it, _)| is_open(it)) {
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
                let value = capture.map(|capture| capture.of(call.path));
                self.judge_segment(call, validator, parameter, value.unwrap_or_default())
            }
            Location::Header => {
                let found = call.headers.iter().filter(|(field, _)| *field == name);
                let values = found.map(|(_, value)| *value);
                self.judge_values(call, validator, parameter, Encoding::Header, values)
            }
            Location::Cookie => self.judge_cookie(call, validator, parameter),
            Location::Query => {
                let mut taken = core::mem::take(&mut self.pairs);
                let outcome = self.judge_query(call, validator, parameter, &mut taken);
                self.pairs = taken;
                outcome
            }
            Location::Querystring => {
                let outcome = self.judge_querystring(call, validator, parameter);
                // The form has cut the same query into the same pairs.
                self.pairs.iter_mut().for_each(|pair| pair.taken = true);
                outcome
            }
        }
    }

    /// Judges a variable of the path, in the styles simple, label and matrix.
    fn judge_segment(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        segment: &[u8],
    ) -> Result<(), Fail> {
        let enforced = parameter.flags & PARAMETER_UNENFORCED == 0;
        match Style::from_code(parameter.style) {
            // .value (RFC 6570, section 3.2.5)
            Some(Style::Label) if enforced => {
                let value = segment.strip_prefix(b".").ok_or(Fail::Malformed)?;
                self.judge_values(call, validator, parameter, PATH, core::iter::once(value))
            }
            // ;name=value (RFC 6570, section 3.2.7)
            Some(Style::Matrix) if enforced => {
                let text = segment.strip_prefix(b";").ok_or(Fail::Malformed)?;
                let name = call.view.bytes(parameter.name);
                let named = |piece| matrix_value(piece, name);
                if cut(text, b';').all(|piece| named(piece).is_some()) {
                    let values = cut(text, b';').filter_map(named);
                    return self.judge_values(call, validator, parameter, PATH, values);
                }
                let value = text_value(call.view, parameter.value.get());
                let object = value.types & TYPE_OBJECT != 0;
                if !object || parameter.flags & PARAMETER_EXPLODE == 0 {
                    return Err(Fail::Malformed);
                }
                self.judge_values(call, validator, parameter, PATH, core::iter::once(text))
            }
            _ => self.judge_values(call, validator, parameter, PATH, core::iter::once(segment)),
        }
    }

    /// Judges a cookie; an exploded object has a cookie for each of its properties.
    fn judge_cookie(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
    ) -> Result<(), Fail> {
        let name = call.view.bytes(parameter.name);
        // The style cookie of OpenAPI 3.2 knows no percent-encoding.
        let raw = parameter.style == Style::Cookie.code();
        let encoding = if raw { Encoding::Header } else { PATH };
        let value = text_value(call.view, parameter.value.get());
        if value.types & TYPE_OBJECT == 0 || !is_exploded_object(parameter, value) {
            let values = cookie::values(call.headers, name);
            return self.judge_values(call, validator, parameter, encoding, values);
        }
        let own = || {
            let fields = slice(call.view.text_fields, value.fields.get(), value.field_count.get());
            fields.iter().flat_map(|field| {
                let name = call.view.bytes(field.name);
                cookie::values(call.headers, name).map(move |text| (name, field, text))
            })
        };
        if own().next().is_none() {
            return absent(parameter);
        }
        if parameter.flags & PARAMETER_UNENFORCED != 0 {
            return Ok(());
        }
        self.judge_json(call, validator, parameter, encoding, &mut |writer| {
            let mut mark = b'{';
            for (name, field, text) in own() {
                writer.out.push(mark);
                mark = b',';
                text::write_string(name, writer.out);
                writer.out.push(b':');
                writer.scalar(text_value(writer.view, field.value.get()), text)?;
            }
            writer.out.push(b'}');
            Ok(())
        })
    }

    /// Judges a parameter of the query, and takes its pairs.
    fn judge_query(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        query_pairs: &mut [Pair],
    ) -> Result<(), Fail> {
        let name = call.view.bytes(parameter.name);
        let query = call.query;
        let value = text_value(call.view, parameter.value.get());
        if parameter.style == Style::DeepObject.code() {
            return self.judge_brackets(call, validator, parameter, query_pairs);
        }
        let scatters = is_exploded_object(parameter, value);
        // Of several shapes, an exploded object is the one that does not use the name.
        let own = value.types & !TYPE_OBJECT != 0 && field(call.view, value, name).is_none();
        let mut named = false;
        if !scatters || own {
            for pair in query_pairs.iter_mut().filter(|pair| is_named(query, pair, name)) {
                (named, pair.taken) = (true, true);
            }
        }
        if scatters && !named {
            return self.judge_named_pairs(call, validator, parameter, query_pairs);
        }
        let found = query_pairs.iter().filter(|pair| is_named(query, pair, name));
        let values = found.map(|pair| pair.value.of(query));
        self.judge_values(call, validator, parameter, QUERY, values)
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
        let one = each.next().is_none();
        if first.is_empty() && one && parameter.flags & PARAMETER_EMPTY_ALLOWED != 0 {
            return Ok(());
        }
        let style = Style::from_code(parameter.style).unwrap_or(Style::Form);
        let value = text_value(call.view, parameter.value.get());
        if style == Style::Json || value.types & (TYPE_ARRAY | TYPE_OBJECT) == 0 {
            if !one {
                return Err(Fail::Repeated);
            }
            return self.judge_text(call, validator, parameter, value, encoding, first);
        }
        // A header that comes twice is one list (RFC 9110, section 5.3), and so is an exploded array.
        if !one && style == Style::Simple && encoding != Encoding::Header {
            return Err(Fail::Repeated);
        }
        let manner = manner(parameter, style);
        self.judge_json(call, validator, parameter, encoding, &mut |writer| {
            writer.value(value, manner, values.clone())
        })
    }

    /// Judges a value whose pairs are named in brackets.
    fn judge_brackets(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        query_pairs: &mut [Pair],
    ) -> Result<(), Fail> {
        let name = call.view.bytes(parameter.name);
        let value = text_value(call.view, parameter.value.get());
        let enforced = parameter.flags & PARAMETER_UNENFORCED == 0;
        // `a=1` by itself is no object.
        let plain = value.types & !TYPE_OBJECT != 0 && enforced;
        self.tree.clear();
        let mut present = false;
        for pair in query_pairs.iter_mut() {
            let Some(brackets) = brackets(call.query, pair, name) else { continue };
            if brackets.is_empty() && !plain {
                continue;
            }
            if enforced {
                // What is no chain of brackets belongs to nobody, and is judged as undeclared.
                match decoded(brackets, QUERY, &mut self.buffer) {
                    Ok(text) if tree::well_formed(text) => {}
                    Ok(_) => continue,
                    Err(_) => return Err(Fail::Malformed),
                }
                self.tree.add_brackets(brackets, QUERY, &mut self.buffer, pair.value)?;
            }
            (present, pair.taken) = (true, true);
        }
        if !present {
            return absent(parameter);
        }
        if !enforced {
            return Ok(());
        }
        self.judge_tree(call, validator, parameter, false)
    }

    /// Judges an object whose properties are pairs of the query by themselves.
    fn judge_named_pairs(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        query_pairs: &mut [Pair],
    ) -> Result<(), Fail> {
        let open = is_open(parameter);
        let value = text_value(call.view, parameter.value.get());
        let fields = slice(call.view.text_fields, value.fields.get(), value.field_count.get());
        self.tree.clear();
        let mut present = false;
        for pair in query_pairs.iter_mut() {
            let is = |name| is_named(call.query, pair, name);
            let mine = (open && !pair.taken)
                || fields.iter().any(|field| {
                    let name = call.view.bytes(field.name);
                    // A property that the style has no way to write comes in brackets, or as JSON.
                    let nests = field.flags & FIELD_UNSAID != 0;
                    is(name) || nests && brackets(call.query, pair, name).is_some()
                });
            if !mine {
                continue;
            }
            (present, pair.taken) = (true, true);
            if parameter.flags & PARAMETER_UNENFORCED == 0 {
                let name = pair.name.of(call.query);
                let buffer = &mut self.buffer;
                self.tree.add_field(call.view, value, name, QUERY, buffer, pair.value)?;
            }
        }
        if !present {
            return absent(parameter);
        }
        if parameter.flags & PARAMETER_UNENFORCED != 0 {
            return Ok(());
        }
        self.judge_tree(call, validator, parameter, true)
    }

    /// Judges what the tree's pairs say; `form` says that they are properties by themselves.
    fn judge_tree(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        form: bool,
    ) -> Result<(), Fail> {
        let mut tree = core::mem::take(&mut self.tree);
        tree.sort();
        let outcome = self.judge_json(call, validator, parameter, QUERY, &mut |writer| {
            tree.write(writer, call.query, parameter.value.get(), form)
        });
        self.tree = tree;
        outcome
    }

    /// Judges a value that is one piece of text.
    fn judge_text(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        value: &TextValue,
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
        let lenient = value.flags & TEXT_LENIENT != 0;
        let mut outcome = Ok(());
        for other in [false, true] {
            self.json.clear();
            let ambiguous = text::write(text, value.types, other, lenient, &mut self.json);
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

    /// Judges the JSON text that `write` writes, in each reading that its pieces allow.
    fn judge_json(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
        encoding: Encoding,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Fail> {
        let limits = Limits::from(&call.operation.limits);
        let schema = parameter.schema.get();
        self.each_reading(call.view, encoding, write, &mut |json| {
            validator.validate(call.view, schema, limits, json, &mut NoSink)
        })
    }

    /// Hands each reading's JSON text to `judge`, until one is good; otherwise gives what was wrong
    /// with the plainest.
    fn each_reading(
        &mut self,
        view: &View<'_>,
        encoding: Encoding,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), Unreadable>,
        judge: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fail> {
        let mut doubts = Doubts::default();
        let mut outcome: Result<(), Fail> = Ok(());
        for reading in Reading::ALL {
            if !doubts.allow(reading) {
                continue;
            }
            self.json.clear();
            let (buffer, out) = (&mut self.buffer, &mut self.json);
            let mut writer = Writer { view, encoding, reading, buffer, out, doubts };
            let written = write(&mut writer);
            doubts = writer.doubts;
            let judged = match written {
                Ok(()) => judge(&self.json).map_err(Fail::Invalid),
                Err(unreadable) => Err(unreadable.into()),
            };
            if judged.is_ok() {
                return Ok(());
            }
            outcome = outcome.and(judged);
        }
        outcome
    }
}

const PATH: Encoding = Encoding::Percent(Plus::Literal);
const QUERY: Encoding = Encoding::Percent(Plus::Space);

/// The parameters of the first alternative.
fn alternative(parameters: &[Parameter]) -> &[Parameter] {
    let begins = |parameter: &Parameter| parameter.flags & PARAMETER_ALTERNATIVE != 0;
    let next = parameters.iter().skip(1).position(begins);
    next.and_then(|at| parameters.get(..=at)).unwrap_or(parameters)
}

fn absent(parameter: &Parameter) -> Result<(), Fail> {
    if parameter.flags & PARAMETER_REQUIRED != 0 { Err(Fail::Missing) } else { Ok(()) }
}

/// How a parameter's pieces are written.
fn manner(parameter: &Parameter, style: Style) -> Manner {
    Manner { style, explode: parameter.flags & PARAMETER_EXPLODE != 0, unsaid: false }
}

/// Whether the value can be an object whose properties are pairs or cookies by themselves.
fn is_exploded_object(parameter: &Parameter, value: &TextValue) -> bool {
    let scatters = [Style::Form.code(), Style::Cookie.code()].contains(&parameter.style);
    scatters && value.types & TYPE_OBJECT != 0 && parameter.flags & PARAMETER_EXPLODE != 0
}

/// Whether it takes pairs of any name.
fn is_open(parameter: &Parameter) -> bool {
    parameter.flags & PARAMETER_OPEN_OBJECT != 0
}

/// Of `name=value`, or `name` alone, the value, if the name is this one.
fn matrix_value<'p>(piece: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    let equals = piece.iter().position(|&byte| byte == b'=').unwrap_or(piece.len());
    let (found, value) = piece.split_at_checked(equals)?;
    crate::percent::equals(found, Plus::Literal, name).then(|| value.get(1..).unwrap_or_default())
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
