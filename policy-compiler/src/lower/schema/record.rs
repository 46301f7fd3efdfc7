//! What becomes of each keyword, for the report.

use super::Lowering;
use super::content::content_outcome;
use super::goal::Goal;
use super::keywords::{children, keywords};
use super::node::Branches;
use super::number::number_format;
use super::unevaluated::Members;
use super::union::Union;
use crate::ir::{Action, Formats, Origin, Schema, SchemaId, Unsupported};
use crate::lower::pattern::Pattern;
use crate::report::Status;
use portcullis_bundle::layout::{CompositionKind, Format};
use std::borrow::Cow;
use std::collections::HashSet;

pub(super) type Outcome = (Status, Cow<'static, str>);

pub(super) const ENFORCED: Outcome = (Status::Enforced, Cow::Borrowed(""));

pub(super) fn not_enforced(reason: impl Into<Cow<'static, str>>) -> Outcome {
    (Status::NotEnforced, reason.into())
}

fn approximated(reason: impl Into<Cow<'static, str>>) -> Outcome {
    (Status::Approximated, reason.into())
}

/// The code of a format that is asserted on strings.
pub(super) fn string_format(name: &str) -> Option<Format> {
    Some(match name {
        "date" => Format::Date,
        "date-time" => Format::DateTime,
        "time" => Format::Time,
        "duration" => Format::Duration,
        "uuid" => Format::Uuid,
        "email" => Format::Email,
        "uri" => Format::Uri,
        "uri-reference" => Format::UriReference,
        "hostname" => Format::Hostname,
        "ipv4" => Format::Ipv4,
        "ipv6" => Format::Ipv6,
        "byte" => Format::Byte,
        "json-pointer" => Format::JsonPointer,
        "idn-email" => Format::IdnEmail,
        "idn-hostname" => Format::IdnHostname,
        "iri" => Format::Iri,
        "iri-reference" => Format::IriReference,
        "uri-template" => Format::UriTemplate,
        "relative-json-pointer" => Format::RelativeJsonPointer,
        "regex" => Format::Regex,
        "base64url" => Format::Base64Url,
        "date-time-local" => Format::DateTimeLocal,
        "time-local" => Format::TimeLocal,
        "http-date" => Format::HttpDate,
        "char" => Format::Char,
        "media-range" => Format::MediaRange,
        "decimal" => Format::Decimal,
        "decimal128" => Format::Decimal128,
        "int64" => Format::Int64,
        "uint64" => Format::Uint64,
        "sf-string" => Format::SfString,
        "sf-token" => Format::SfToken,
        "sf-binary" => Format::SfBinary,
        "sf-boolean" => Format::SfBoolean,
        _ => return None,
    })
}

/// What the policy adds to the documents' objects.
const CLOSED: &str = "strictness.additional_properties";

impl Lowering<'_> {
    /// Records what becomes of the keywords of schemas, unions aside.
    pub(super) fn record_flat(&mut self, goal: &Goal, flat: &[SchemaId]) {
        for id in flat {
            if !self.recorded.insert((goal.profile, *id)) {
                continue;
            }
            let schema = &self.model.schemas[*id];
            for (keyword, origin) in keywords(schema) {
                let (status, reason) = match keyword {
                    "unevaluatedProperties" if origin == schema.origin => {
                        let (status, reason) = self.unevaluated_outcome(
                            goal,
                            *id,
                            Members::Properties,
                            CLOSED,
                            origin,
                        );
                        let reason = match status {
                            Status::Enforced => {
                                "the policy refuses properties that no schema names"
                            }
                            _ => &reason,
                        };
                        self.recorder.record(origin, CLOSED, status, reason.to_owned());
                        continue;
                    }
                    "anyOf" | "oneOf" => continue,
                    "discriminator" if !schema.inherited => continue,
                    _ => self.outcome(goal, *id, schema, keyword, origin),
                };
                self.recorder.record(origin, keyword, status, reason);
            }
            for unknown in &schema.unknown {
                let reason = "not a keyword that is known";
                self.recorder.not_enforced(unknown.origin, unknown.value.clone(), reason);
            }
            if let Some(discriminator) = &schema.applied.discriminator
                && schema.applied.any_of.is_none()
                && schema.applied.one_of.is_none()
                && !schema.dialect.is_swagger()
            {
                let reason = "no `oneOf` or `anyOf` beside it: only the schema itself is checked";
                self.recorder.not_enforced(discriminator.origin, "discriminator", reason);
            }
        }
    }

    fn outcome(
        &mut self,
        goal: &Goal,
        id: SchemaId,
        schema: &Schema,
        keyword: &'static str,
        origin: Origin,
    ) -> Outcome {
        let settings = self.settings(goal);
        match keyword {
            "$ref" if schema.unresolved.is_some() => not_enforced("the reference leads nowhere"),
            "$dynamicRef" => match &schema.dynamic_reference {
                Some(at) if at.value.anchor.is_some() => {
                    not_enforced("it would need more dynamic scopes than are followed")
                }
                _ => ENFORCED,
            },
            "pattern" => {
                let text = schema.string.pattern.as_ref().map_or("", |p| p.value.as_str());
                self.pattern_outcome(settings.patterns, text, origin)
            }
            "patternProperties" => self.pattern_properties(settings.patterns, schema),
            "additionalProperties"
                if settings.open_objects
                    && schema
                        .object
                        .additional_properties
                        .is_some_and(|at| self.model.schemas[at.value].boolean == Some(false)) =>
            {
                not_enforced("the policy lets further properties pass")
            }
            "additionalProperties" => {
                let (status, reason) = self.pattern_properties(settings.patterns, schema);
                if status == Status::Enforced { ENFORCED } else { (status, reason) }
            }
            "format" => {
                let written = schema.string.format.as_ref().map_or("", |format| &format.value);
                if settings.refuse_formats && !is_known_format(written) {
                    self.refused_formats.push((origin, written.to_owned()));
                }
                format_outcome(settings.formats, schema)
            }
            "contentEncoding" | "contentMediaType" | "contentSchema" => {
                content_outcome(settings.content, schema, keyword)
            }
            "unevaluatedItems" => {
                self.unevaluated_outcome(goal, id, Members::Items, keyword, origin)
            }
            "unevaluatedProperties" => {
                self.unevaluated_outcome(goal, id, Members::Properties, keyword, origin)
            }
            "multipleOf"
                if schema.number.multiple_of.as_ref().is_some_and(|at| at.value.is_long()) =>
            {
                not_enforced("it has more digits than the engine divides by")
            }
            "readOnly" if schema.read_only.is_some_and(|marked| marked.value) => {
                match settings.read_only {
                    Action::Block => ENFORCED,
                    _ => not_enforced("the policy lets read-only properties pass in requests"),
                }
            }
            "then" | "else" if schema.applied.if_.is_none() => not_enforced("no `if` beside it"),
            "minContains" | "maxContains" if schema.array.contains.is_none() => {
                not_enforced("no `contains` beside it")
            }
            _ => ENFORCED,
        }
    }

    fn unevaluated_outcome(
        &mut self,
        goal: &Goal,
        id: SchemaId,
        members: Members,
        keyword: &'static str,
        origin: Origin,
    ) -> Outcome {
        match self.evaluators(goal, &[], id, members) {
            Ok(_) => ENFORCED,
            Err(reason) => {
                self.left_out_unevaluated.push((origin, keyword, reason.clone()));
                not_enforced(reason)
            }
        }
    }

    fn leave_out_pattern(&mut self, policy: Unsupported, origin: Origin, reason: &str) {
        let list = match policy {
            Unsupported::Error => &mut self.refused_patterns,
            Unsupported::NotEnforced => &mut self.left_out_patterns,
        };
        list.push((origin, reason.to_owned()));
    }

    fn pattern_outcome(&mut self, policy: Unsupported, text: &str, origin: Origin) -> Outcome {
        let Pattern::Unsupported(reason) = self.patterns.get(text) else { return ENFORCED };
        let reason = reason.clone();
        self.leave_out_pattern(policy, origin, &reason);
        not_enforced(reason)
    }

    fn pattern_properties(&mut self, policy: Unsupported, schema: &Schema) -> Outcome {
        for property in schema.object.pattern_properties.iter().flat_map(|list| &list.value) {
            if let Err(reason) = self.patterns.automaton_or_reason(&property.name) {
                self.leave_out_pattern(policy, property.origin, &reason);
                return not_enforced(reason);
            }
        }
        ENFORCED
    }

    /// Records what becomes of a union, by how it was lowered.
    pub(super) fn record_union(&mut self, union: &Union<'_>, branches: &Branches) {
        let keyword = match union.kind {
            super::goal::UnionKind::Any => "anyOf",
            super::goal::UnionKind::One => "oneOf",
        };
        // Branches that were folded away, or can never accept, have no node of their own.
        if self.unions_seen.insert((union.owner, union.kind)) {
            self.refused.extend(union.branches);
        }
        let lenient = union.kind == super::goal::UnionKind::One
            && !union.exclusive
            && matches!(branches, Branches::Plain(CompositionKind::AnyOf, _));
        if lenient {
            let reason = "the policy takes `oneOf` as `anyOf`";
            self.recorder.approximated(union.origin, keyword, reason);
        } else {
            self.recorder.enforced(union.origin, keyword);
        }
        if let Some(discriminator) = union.discriminator {
            match branches {
                Branches::Plain(..) if union.live.len() > 1 => self.recorder.approximated(
                    discriminator.origin,
                    "discriminator",
                    "its values do not tell the alternatives apart: they are all tried",
                ),
                _ => self.recorder.enforced(discriminator.origin, "discriminator"),
            }
        }
    }

    /// A union that was settled without a node of its own.
    pub(super) fn record_settled(&mut self, union: &Union<'_>) {
        self.record_union(union, &Branches::Types([super::ANY; 6]));
    }

    /// Notes that nothing below schemas is enforced here, with the reason.
    pub fn unjudged(&mut self, roots: impl IntoIterator<Item = SchemaId>, reason: &'static str) {
        self.unjudged.extend(roots.into_iter().map(|root| (root, reason)));
    }

    /// Records what stands only where a request is not judged; what is judged elsewhere is enforced
    /// in part.
    pub(super) fn record_unjudged(&mut self) {
        let judged: HashSet<SchemaId> = self.recorded.iter().map(|(_, id)| *id).collect();
        let mut seen: HashSet<(SchemaId, &'static str)> = HashSet::new();
        let mut open = std::mem::take(&mut self.unjudged);
        while let Some((id, reason)) = open.pop() {
            if !seen.insert((id, reason)) {
                continue;
            }
            let schema = &self.model.schemas[id];
            for (keyword, origin) in keywords(schema) {
                if judged.contains(&id) {
                    let reason = format!("enforced in one place, in another not: {reason}");
                    self.recorder.approximated(origin, keyword, reason);
                } else {
                    self.recorder.not_enforced(origin, keyword, reason);
                }
            }
            open.extend(children(schema).into_iter().map(|child| (child, reason)));
        }
    }

    /// Records schemas of what is always refused.
    pub(super) fn record_refused(&mut self) {
        let judged: HashSet<SchemaId> = self.recorded.iter().map(|(_, id)| *id).collect();
        let mut seen: HashSet<SchemaId> = HashSet::new();
        let mut open = std::mem::take(&mut self.refused);
        while let Some(id) = open.pop() {
            if !seen.insert(id) || judged.contains(&id) {
                continue;
            }
            let schema = &self.model.schemas[id];
            for (keyword, origin) in keywords(schema) {
                self.recorder.enforced(origin, keyword);
            }
            open.extend(children(schema));
        }
    }
}

fn is_known_format(name: &str) -> bool {
    number_format(name).is_some()
        || string_format(name).is_some()
        || matches!(name, "decimal" | "decimal128" | "password" | "binary" | "html" | "commonmark")
}

fn format_outcome(policy: Formats, schema: &Schema) -> Outcome {
    let Some(format) = &schema.string.format else { return ENFORCED };
    let name = format.value.as_str();
    let declares = |kind| schema.types.is_some_and(|types| types.value.admits(kind));
    let numeric = declares(crate::ir::Type::Integer) || declares(crate::ir::Type::Number);
    let textual = schema.types.is_none() || declares(crate::ir::Type::String);
    if policy == Formats::Annotate {
        return not_enforced("the policy takes formats as annotations");
    }
    match name {
        // These annotate: there is no value that they forbid.
        "password" | "binary" | "html" | "commonmark" => ENFORCED,
        "decimal" if numeric && !textual => ENFORCED,
        "decimal128" if numeric || schema.types.is_none() => {
            approximated("numbers are accepted whatever their precision")
        }
        "idn-hostname" if textual => {
            approximated("that names are in Unicode's normalisation form C is not checked")
        }
        "regex" if textual => approximated("the names of Unicode properties are not checked"),
        _ => {
            let on_numbers = number_format(name).is_some();
            let on_strings = string_format(name).is_some();
            match (on_numbers, on_strings) {
                (false, false) => not_enforced(format!("format `{name}` is not known")),
                (true, _) if numeric || schema.types.is_none() => ENFORCED,
                (_, true) if textual => ENFORCED,
                (true, true) => {
                    not_enforced(format!("`{name}` is a format of numbers and strings"))
                }
                (true, false) => not_enforced(format!("`{name}` is a format of numbers")),
                (false, true) => not_enforced(format!("`{name}` is a format of strings")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_format() {
        let page = include_str!("../../../POLICY.md");
        let (_, table) = page.split_once("## Formats and the content of strings").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
        let named: HashSet<&str> = cells.flat_map(|cell| cell.split('`')).collect();
        let names: Vec<&str> = named.into_iter().filter(|name| !name.trim().is_empty()).collect();
        let known = |name: &&str| string_format(name).is_some() || number_format(name).is_some();
        let annotations = ["binary", "password", "html", "commonmark"];
        for name in names.iter().filter(|name| !name.starts_with(',')) {
            assert!(known(name) || annotations.contains(name), "{name}");
        }
        let strings = names.iter().filter_map(|name| string_format(name));
        let codes: HashSet<u8> = strings.map(Format::code).collect();
        // Every code but the one for no format.
        assert_eq!(codes.len(), Format::ALL.len() - 1);
    }

    struct Two(&'static str);

    impl crate::source::Sources for Two {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            let policy = "{version: 1, name: t, apis: [{name: a, documents: [d.yaml]}]}";
            Ok(if path == "policy.yaml" { policy } else { self.0 }.as_bytes().to_vec())
        }
    }

    #[test]
    fn what_no_value_gets_to_is_accounted_for() {
        let document = "{openapi: 3.0.3, info: {title: t, version: '1'}, paths: {/a: {post: {requestBody: {content: \
            {application/json: {schema: {allOf: [{type: object, additionalProperties: false, properties: {a: {type: string}}}, \
            {type: object, properties: {b: {type: integer, minimum: 1}}}, \
            {properties: {a: {items: {type: integer, maximum: 3}}}}]}}}}, responses: {'204': {description: d}}}}}}";
        let input = crate::Input::Policy("policy.yaml".to_owned());
        let compiled = crate::compile(&Two(document), &input, &crate::Release::default());
        let report = compiled.report.unwrap();
        let left: Vec<_> = report
            .constructs
            .iter()
            .filter(|line| line.pointer.contains("/schema/") && line.status != Status::Enforced)
            .map(|line| (&line.pointer, &line.reason))
            .collect();
        assert_eq!(left, []);
        let below = |end: &str| report.constructs.iter().any(|line| line.pointer.ends_with(end));
        assert!(below("/properties/b/minimum"));
    }
}
