//! The positions of an operation's values: its parameters, the places of its bodies, and what it does not declare.

use crate::lower::rules::narrow::{self, Narrow, Records, Ways};
use portcullis_bundle::layout::{
    BODY_ALL, BODY_FIELD, BODY_JSON, BODY_TEXT, BODY_XML, BodyKind, CompositionKind, Location,
    MediaType, NONE, Naming, Operation, PARAMETER_UNENFORCED, PROPERTY_IMPLIED, SCHEMA_ANY,
    SCHEMA_NEVER, Schema, Selector, TYPE_FRACTION, TYPE_INTEGER, TYPE_STRING, Target, View,
};

/// Positions of one operation that are told, at most.
const MAX_POSITIONS: usize = 2000;

/// How deep a body's positions are told.
const MAX_DEPTH: usize = 16;

/// What the name of a place says whose schema is known at run time only.
const BY_BRANCH: &str = " (by branch)";

/// Where a value stands, and what is known of it.
#[derive(Clone, Debug)]
pub struct Position {
    /// As policies name it.
    pub name: String,
    /// What rules must look at to see it.
    pub target: Target,
    /// Its name or pointer within the target; none where it has none.
    own: Option<String>,
    /// The matchers that can match it: a set; none where all can.
    pub set: Option<u16>,
    /// The schema that judges it.
    pub schema: u32,
    /// The ways to be of it.
    pub ways: Ways,
    /// Of which kinds of body it is: `BODY_*` bits.
    bodies: u8,
}

impl Position {
    /// Whether a matcher's selectors mean it.
    pub fn is_meant(&self, view: &View<'_>, matcher: u32) -> bool {
        let Some(matcher) = view.matchers.get(matcher as usize) else { return false };
        let (wanted, except) =
            (usize::from(matcher.selector_count.get()), usize::from(matcher.except_count.get()));
        let own =
            view.selectors.iter().skip(matcher.selectors.get() as usize).take(wanted + except);
        let own: Vec<_> = own.collect();
        let of_target = |it: &&&Selector| it.target == self.target.code();
        let fits = |selectors: &[&Selector]| {
            selectors.iter().filter(of_target).any(|it| self.is_selected(view, it))
        };
        let (named, left_out) = own.split_at_checked(wanted).unwrap_or((&own, &[]));
        // Operators that count look at the request and name what they count.
        let counts = self.target == Target::Request;
        // An expression may or may not mean a name: what it leaves out is told all the same.
        let surely: Vec<&Selector> = left_out
            .iter()
            .copied()
            .filter(|it| Naming::from_code(it.naming) != Some(Naming::Regex))
            .collect();
        (counts || wanted == 0 || fits(named)) && (self.has_any_name() || !fits(&surely))
    }

    /// Whether a selector of its target can mean it.
    fn is_selected(&self, view: &View<'_>, selector: &Selector) -> bool {
        let name = view.text(selector.name);
        if selector.bodies & self.bodies == 0 && self.target == Target::Body {
            return false;
        }
        match Naming::from_code(selector.naming) {
            Some(Naming::Regex) => true,
            _ if name.is_empty() => true,
            Some(Naming::Argument) => match &self.own {
                Some(own) if self.target == Target::Body => {
                    is_argument(own, name, self.bodies == BODY_JSON)
                }
                Some(own) => own.eq_ignore_ascii_case(name),
                None => true,
            },
            _ => self.is_called(name),
        }
    }

    /// Whether it can be what a name or a pointer means, by more than being undeclared in a query.
    pub fn is_named(&self, name: &str) -> bool {
        self.own.is_some() && self.is_called(name)
    }

    /// Whether it is where a pointer into the body leads, by names that are declared: what is told at run time of others
    /// is that they are not. Which branch of a composed schema applies is not known here.
    pub fn declares(&self, pointer: &str) -> bool {
        let Some(own) = self.own.as_deref().filter(|_| self.target == Target::Body) else {
            return false;
        };
        let by_branch = self.name.contains(BY_BRANCH);
        let (mut wanted, mut found) = (pointer.split('/'), own.split('/'));
        loop {
            let is_item = |step: &str| step.bytes().all(|byte| byte.is_ascii_digit());
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(_), None) => return by_branch,
                (Some(one), Some(other)) if one == other => {}
                (Some(one), Some("*")) if by_branch || is_item(one) => {}
                _ => return false,
            }
        }
    }

    fn has_any_name(&self) -> bool {
        self.own.as_deref().is_none_or(|own| own.contains('*'))
    }

    /// Whether it can be what a name or a pointer means.
    fn is_called(&self, name: &str) -> bool {
        let Some(own) = &self.own else { return true };
        // Below what has any form there can be anything.
        let open = self.schema == SCHEMA_ANY && self.target == Target::Body;
        if name.is_empty() {
            return true;
        }
        let (mut wanted, mut found) = (name.split('/'), own.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some(_), None) => return open,
                (Some(one), Some(other)) if one == other || one == "*" || other == "*" => {}
                _ => return false,
            }
        }
    }
}

/// Whether a place of a body can be what SecLang calls an argument: `json.a.b` in JSON, else the field's name.
fn is_argument(pointer: &str, name: &str, json: bool) -> bool {
    let mut wanted = name.split('.');
    let mut found = pointer.trim_start_matches('/').split('/');
    if !json {
        return pointer.ends_with("/*")
            || pointer.trim_start_matches('/').eq_ignore_ascii_case(name);
    }
    if !wanted.next().is_some_and(|first| first.eq_ignore_ascii_case("json")) {
        return false;
    }
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(_) | None, Some("*")) => {}
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => {}
            _ => return false,
        }
    }
}

/// The positions of an operation.
pub fn positions(view: &View<'_>, of: &Operation) -> Vec<Position> {
    let mut all =
        Positions { view, records: Records::from(view), found: Vec::new(), bodies: BODY_ALL };
    all.parameters(of);
    for (target, name) in [
        (Target::QueryRaw, "query.raw"),
        (Target::Query, "query (undeclared)"),
        (Target::QueryName, "query.names (undeclared)"),
        (Target::Header, "headers (undeclared)"),
        (Target::HeaderName, "headers.names"),
        (Target::Cookie, "cookies (undeclared)"),
        (Target::CookieName, "cookies.names (undeclared)"),
        (Target::Method, "method"),
        (Target::Request, "request"),
        (Target::Uri, "REQUEST_URI"),
        (Target::Filename, "REQUEST_FILENAME"),
        (Target::Basename, "REQUEST_BASENAME"),
        (Target::RequestLine, "REQUEST_LINE"),
        (Target::Protocol, "REQUEST_PROTOCOL"),
        (Target::HeaderRest, "REQUEST_HEADERS (cookie, host)"),
        (Target::HeaderRestName, "REQUEST_HEADERS_NAMES (cookie, host)"),
        (Target::CookieRaw, "REQUEST_COOKIES"),
        (Target::CookieRawName, "REQUEST_COOKIES_NAMES"),
        (Target::QueryArgument, "ARGS_GET_NAMES"),
    ] {
        all.open(target, name);
    }
    let first = of.media_types.get() as usize;
    let media = view.media_types.iter().skip(first).take(of.media_type_count.get() as usize);
    for media in media {
        all.body(media);
    }
    all.bodies = BODY_ALL;
    all.open(Target::BodyName, "body.names (undeclared)");
    all.open(Target::BodyRaw, "body.raw");
    all.open(Target::File, "files");
    for (target, name) in [
        (Target::BodyArgument, "ARGS_POST_NAMES"),
        (Target::BodyPlain, "REQUEST_BODY"),
        (Target::BodyReader, "REQBODY_PROCESSOR"),
        (Target::BodyLength, "REQUEST_BODY_LENGTH"),
        (Target::FileField, "FILES_NAMES"),
        (Target::PartHeader, "MULTIPART_PART_HEADERS"),
        (Target::ArgumentsSize, "ARGS_COMBINED_SIZE"),
        (Target::FilesSize, "FILES_COMBINED_SIZE"),
    ] {
        all.open(target, name);
    }
    all.found
}

struct Positions<'a, 'v> {
    view: &'a View<'v>,
    records: Records<'a>,
    found: Vec<Position>,
    /// Of which kind the body is that is read.
    bodies: u8,
}

impl Positions<'_, '_> {
    fn add(
        &mut self,
        (name, target, own): (String, Target, Option<String>),
        set: Option<u16>,
        (schema, ways): (u32, Ways),
    ) {
        if self.found.len() < MAX_POSITIONS {
            let bodies = self.bodies;
            self.found.push(Position { name, target, own, set, schema, ways, bodies });
        }
    }

    /// What no schema says anything of.
    fn open(&mut self, target: Target, name: &str) {
        self.add((name.to_owned(), target, None), None, (SCHEMA_ANY, narrow::any()));
    }

    fn parameters(&mut self, of: &Operation) {
        let first = of.parameters.get() as usize;
        for at in first..first + of.parameter_count.get() as usize {
            let Some(parameter) = self.view.parameters.get(at) else { continue };
            let name = self.view.text(parameter.name).to_owned();
            if name.is_empty() && parameter.location == Location::Header.code() {
                continue; // an alternative without parameters
            }
            let (target, place) = match Location::from_code(parameter.location) {
                Some(Location::Path) => (Target::Path, "path"),
                Some(Location::Header) => (Target::Header, "headers"),
                Some(Location::Cookie) => (Target::Cookie, "cookies"),
                _ => (Target::Query, "query"),
            };
            let unenforced = parameter.flags & PARAMETER_UNENFORCED != 0;
            let set = self.view.parameter_rules.get(at).filter(|_| !unenforced);
            let ways =
                if unenforced { narrow::any() } else { self.records.of_parameter(parameter) };
            let set = set.map(|set| set.get());
            let own = Some(name.clone());
            self.add((format!("{place}.{name}"), target, own), set, (parameter.schema.get(), ways));
        }
    }

    fn body(&mut self, media: &MediaType) {
        let name = self.view.text(media.name);
        let name = if name.is_empty() { "*/*" } else { name };
        let kind = BodyKind::from_code(media.kind);
        self.bodies = match kind {
            Some(BodyKind::Form | BodyKind::Multipart) => BODY_FIELD,
            Some(BodyKind::Xml) => BODY_XML,
            Some(BodyKind::Text) => BODY_TEXT,
            Some(BodyKind::Json | BodyKind::JsonLines | BodyKind::JsonSeq | BodyKind::Jose) => {
                BODY_JSON
            }
            _ => BODY_ALL,
        };
        match kind {
            Some(BodyKind::Form | BodyKind::Multipart) => self.form(name, media),
            Some(
                BodyKind::Json
                | BodyKind::JsonLines
                | BodyKind::JsonSeq
                | BodyKind::Xml
                | BodyKind::Range
                | BodyKind::Jose,
            ) => self.walk(name, media.schema.get(), String::new(), &mut Vec::new()),
            _ => self.open(Target::Body, &format!("body ({name})")),
        }
    }

    fn form(&mut self, media_type: &str, media: &MediaType) {
        let Some(value) = self.view.text_values.get(media.value.get() as usize) else { return };
        let first = value.fields.get() as usize;
        for at in first..first + value.field_count.get() as usize {
            let Some(field) = self.view.text_fields.get(at) else { continue };
            let name = self.view.text(field.name);
            let schema = self.property(media.schema.get(), name);
            let ways =
                schema.map_or_else(narrow::any, |schema| self.records.of_field(schema, field));
            let set = self.view.field_rules.get(at).map(|set| set.get());
            let pointer = format!("/{}", crate::examples::token(name));
            let called = format!("body.{pointer} ({media_type})");
            let schema = schema.unwrap_or(SCHEMA_ANY);
            self.add((called, Target::Body, Some(pointer)), set, (schema, ways));
        }
        if self.is_closed(media.schema.get()) {
            return;
        }
        let called = format!("body./* ({media_type}, undeclared)");
        self.add((called, Target::Body, Some("/*".to_owned())), None, (SCHEMA_ANY, narrow::any()));
    }

    /// Whether an object takes no property that it does not declare.
    fn is_closed(&self, schema: u32) -> bool {
        let of = self.view.schemas.get(schema as usize);
        let object = of.and_then(|of| self.view.object_checks.get(of.object.get() as usize));
        object.is_some_and(|object| {
            object.additional.get() == SCHEMA_NEVER && object.pattern_property_count.get() == 0
        })
    }

    fn property(&self, schema: u32, name: &str) -> Option<u32> {
        let of = self.view.schemas.get(schema as usize)?;
        let object = self.view.object_checks.get(of.object.get() as usize)?;
        let first = object.properties.get() as usize;
        let own =
            self.view.properties.iter().skip(first).take(object.property_count.get() as usize);
        let declared = own.filter(|it| it.flags.get() & PROPERTY_IMPLIED == 0);
        let mut declared = declared.filter(|it| self.view.text(it.name) == name);
        declared.next().map(|property| property.schema.get())
    }

    /// The places of a body below a schema.
    fn walk(&mut self, media_type: &str, schema: u32, pointer: String, above: &mut Vec<u32>) {
        let Some(of) = self.view.schemas.get(schema as usize) else { return };
        if schema == SCHEMA_NEVER || self.found.len() >= MAX_POSITIONS {
            return;
        }
        let called = |what: &str| format!("body.{pointer}{what} ({media_type})");
        if schema == SCHEMA_ANY {
            // What stands there has any form: everything below is looked at.
            let own = Some(pointer.clone());
            self.add((called(""), Target::Body, own), None, (schema, narrow::any()));
            return;
        }
        if of.types & (TYPE_STRING | TYPE_INTEGER | TYPE_FRACTION) != 0 {
            let set = self.view.schema_rules.get(schema as usize).map(|set| set.get());
            let ways: Vec<Vec<Narrow>> = self.records.of_schema(schema);
            self.add((called(""), Target::Body, Some(pointer.clone())), set, (schema, ways));
        }
        if above.contains(&schema) || above.len() >= MAX_DEPTH {
            return;
        }
        above.push(schema);
        if self.branches(of) {
            // Which schema applies is known at run time: where several do, every rule looks.
            let own = Some(format!("{pointer}/*"));
            self.add(
                (called(&format!("/*{BY_BRANCH}")), Target::Body, own),
                None,
                (SCHEMA_ANY, narrow::any()),
            );
        } else {
            self.members(media_type, of, &pointer, above);
        }
        above.pop();
    }

    /// Whether schemas are put together that apply to one array or object.
    fn branches(&self, of: &Schema) -> bool {
        let first = of.compositions.get() as usize;
        let own = self.view.compositions.iter().skip(first).take(of.composition_count.get().into());
        let kinds = own.filter_map(|it| CompositionKind::from_code(it.kind));
        kinds.into_iter().any(|kind| !matches!(kind, CompositionKind::Content))
    }

    fn members(&mut self, media_type: &str, of: &Schema, pointer: &str, above: &mut Vec<u32>) {
        let view = self.view;
        if let Some(object) = view.object_checks.get(of.object.get() as usize) {
            let first = object.properties.get() as usize;
            let own = view.properties.iter().skip(first).take(object.property_count.get() as usize);
            for property in own.filter(|it| it.flags.get() & PROPERTY_IMPLIED == 0) {
                let name = crate::examples::token(view.text(property.name));
                self.walk(media_type, property.schema.get(), format!("{pointer}/{name}"), above);
            }
            let first = object.pattern_properties.get() as usize;
            let count = object.pattern_property_count.get() as usize;
            for property in view.pattern_properties.iter().skip(first).take(count) {
                self.walk(media_type, property.schema.get(), format!("{pointer}/*"), above);
            }
            self.walk(media_type, object.additional.get(), format!("{pointer}/*"), above);
        }
        if let Some(array) = view.array_checks.get(of.array.get() as usize) {
            let first = array.prefix.get() as usize;
            let own = view.lists.iter().skip(first).take(array.prefix_count.get() as usize);
            for (at, item) in own.enumerate() {
                self.walk(media_type, item.value.get(), format!("{pointer}/{at}"), above);
            }
            self.walk(media_type, array.items.get(), format!("{pointer}/*"), above);
        }
        let unsaid = |part: u32| part == NONE;
        let open = portcullis_bundle::layout::TYPE_OBJECT | portcullis_bundle::layout::TYPE_ARRAY;
        if of.types & open != 0 && unsaid(of.object.get()) && unsaid(of.array.get()) {
            self.walk(media_type, SCHEMA_ANY, format!("{pointer}/*"), above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_argument;

    #[test]
    fn arguments_are_called_as_rules_in_seclang_call_them() {
        let json = |pointer, name| is_argument(pointer, name, true);
        assert!(json("/a/b", "json.a.B") && json("/list/*/id", "json.list.0.id"));
        assert!(json("/map/*", "JSON.map.any"));
        assert!(!json("/a/b", "json.a") && !json("/a", "a") && !json("/a", "json.a.b"));
        let form = |pointer, name| is_argument(pointer, name, false);
        assert!(form("/a", "A") && form("/*", "any") && !form("/a", "json.a"));
    }
}
