//! Bundles built by hand, for tests that want one behaviour and no compiler.
#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests that each use a part")]

pub mod bodies;
pub mod everything;

use portcullis_bundle::layout::*;
use portcullis_bundle::{Bundle, Identity, Trust, name_hash, property_key, write};
use std::collections::BTreeMap;
use zerocopy::FromZeros;

/// Records under construction. Everything is enforced and everything undeclared is refused, until
/// a test says otherwise.
pub struct Builder {
    /// The records, to be changed as a test needs.
    pub sections: Sections,
    root: Branch,
    hosts: BTreeMap<String, Branch>,
    operations: Vec<(String, String, Operation)>,
}

/// What a parameter's value is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Scalar,
    Array,
    Object,
}

/// A parameter to be declared.
#[derive(Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub location: Location,
    pub style: Style,
    pub shape: Shape,
    pub flags: u8,
    pub types: u8,
    pub schema: u32,
    pub fields: &'static [(&'static str, u8)],
}

impl Param {
    /// A scalar in its location's usual style.
    pub fn new(location: Location, name: &'static str, schema: u32, types: u8) -> Self {
        let style = match location {
            Location::Path | Location::Header => Style::Simple,
            Location::Query | Location::Cookie | Location::Querystring => Style::Form,
        };
        Param { name, location, style, shape: Shape::Scalar, flags: 0, types, schema, fields: &[] }
    }

    pub fn flags(self, flags: u8) -> Self {
        Param { flags: self.flags | flags, ..self }
    }

    pub fn shape(self, shape: Shape) -> Self {
        Param { shape, ..self }
    }

    pub fn style(self, style: Style) -> Self {
        Param { style, ..self }
    }

    pub fn fields(self, fields: &'static [(&'static str, u8)]) -> Self {
        Param { fields, ..self }
    }
}

#[derive(Default)]
struct Branch {
    edges: BTreeMap<String, Branch>,
    partials: Vec<(Vec<String>, Branch)>,
    wildcard: Option<Box<Branch>>,
    operations: Vec<usize>,
    api: Option<u32>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    pub fn new() -> Self {
        let mut builder = Builder {
            sections: Sections::default(),
            root: Branch::default(),
            hosts: BTreeMap::new(),
            operations: Vec::new(),
        };
        let mut policy = Policy::new_zeroed();
        policy.name = builder.text("test");
        policy.mode = Mode::Enforce.code();
        let block = Action::Block.code();
        (policy.undeclared_operations, policy.undeclared_methods) = (block, block);
        policy.ambiguous_paths = block;
        policy.break_glass = 1;
        (policy.max_path, policy.max_parameters) = (1024.into(), 16.into());
        builder.sections.policy.push(policy);
        builder.api("test");
        let name = builder.text("test.yaml");
        builder.sections.documents.push(Document { name, ..Document::new_zeroed() });
        for types in [TYPE_ALL, 0] {
            builder.schema(types, |_| {});
        }
        builder.sections.schemas[0].flags = SCHEMA_ACCEPTS_ALL;
        builder
    }

    pub fn policy(&mut self) -> &mut Policy {
        &mut self.sections.policy[0]
    }

    /// Another API, after the one called `test`.
    pub fn api(&mut self, name: &str) -> u32 {
        let block = Action::Block.code();
        let name = self.text(name);
        self.sections.apis.push(Api {
            name,
            mode: Mode::Enforce.code(),
            undeclared_operations: block,
            undeclared_methods: block,
            reserved: 0,
        });
        self.sections.apis.len() as u32 - 1
    }

    pub fn text(&mut self, text: &str) -> Text {
        let offset = self.sections.strings.len() as u32;
        self.sections.strings.extend_from_slice(text.as_bytes());
        Text { offset: offset.into(), len: (text.len() as u32).into() }
    }

    /// A place on a line of the only document.
    pub fn origin(&mut self, line: u32) -> u32 {
        let lines = self.sections.pointers.len() as u32;
        for (parent, token) in [(NONE, "line".to_owned()), (lines, line.to_string())] {
            let token = self.text(&token);
            self.sections.pointers.push(Pointer { parent: parent.into(), token });
        }
        let pointer = (lines + 1).into();
        self.sections.origins.push(Origin {
            document: 0.into(),
            line: line.into(),
            column: 1.into(),
            pointer,
        });
        self.sections.origins.len() as u32 - 1
    }

    pub fn schema(&mut self, types: u8, set: impl FnOnce(&mut Schema)) -> u32 {
        let mut schema = Schema::new_zeroed();
        schema.types = types;
        for part in [
            &mut schema.string,
            &mut schema.number,
            &mut schema.array,
            &mut schema.object,
            &mut schema.literals,
            &mut schema.origin,
        ] {
            *part = NONE.into();
        }
        set(&mut schema);
        self.sections.schemas.push(schema);
        self.sections.schemas.len() as u32 - 1
    }

    /// A string of `min` to `max` code points.
    pub fn string(&mut self, min: u32, max: u32) -> u32 {
        let mut check = StringCheck { stencil: NONE.into(), ..StringCheck::new_zeroed() };
        (check.min_length, check.max_length) = (min.into(), max.into());
        self.sections.string_checks.push(check);
        let check = self.sections.string_checks.len() as u32 - 1;
        self.schema(TYPE_STRING, |schema| schema.string = check.into())
    }

    /// An integer from `min` to `max`.
    pub fn integer(&mut self, min: i64, max: i64) -> u32 {
        let (low, high) = (self.decimal(min), self.decimal(max));
        self.sections.number_checks.push(NumberCheck {
            integer_min: min.into(),
            integer_max: max.into(),
            min: low.into(),
            max: high.into(),
            flags: (NUMBER_MIN | NUMBER_MAX | NUMBER_INTEGER_BOUNDS).into(),
            ..NumberCheck::new_zeroed()
        });
        let check = self.sections.number_checks.len() as u32 - 1;
        self.schema(TYPE_INTEGER, |schema| schema.number = check.into())
    }

    fn decimal(&mut self, value: i64) -> u32 {
        let digits = value.unsigned_abs().to_string();
        let trimmed = digits.trim_end_matches('0');
        let exponent = if trimmed.is_empty() { 0 } else { digits.len() - trimmed.len() };
        let digits = self.text(trimmed);
        self.sections.decimals.push(Decimal {
            digits,
            exponent: (exponent as i32).into(),
            negative: u32::from(value < 0).into(),
        });
        self.sections.decimals.len() as u32 - 1
    }

    /// An array of at most `max` items.
    pub fn array(&mut self, items: u32, max: u32) -> u32 {
        self.sections.array_checks.push(ArrayCheck {
            unevaluated: NONE.into(),
            items: items.into(),
            max_items: max.into(),
            contains: NONE.into(),
            max_contains: NONE.into(),
            ..ArrayCheck::new_zeroed()
        });
        let check = self.sections.array_checks.len() as u32 - 1;
        self.schema(TYPE_ARRAY, |schema| schema.array = check.into())
    }

    /// An object of these properties: name, schema, required.
    pub fn object(&mut self, properties: &[(&str, u32, bool)], additional: u32) -> u32 {
        let first = self.sections.properties.len() as u32;
        let slot_count = (properties.len() as u32 + 1).next_power_of_two();
        let slots = self.sections.slots.len();
        self.sections.slots.extend((0..slot_count).map(|_| Index { value: NONE.into() }));
        let mut required = 0u64;
        for (at, (name, schema, is_required)) in properties.iter().enumerate() {
            let text = self.text(name);
            let (key, key_mask) = property_key(name.as_bytes());
            let hash = name_hash(name.as_bytes());
            let mut flags = 0;
            if *is_required {
                flags |= PROPERTY_REQUIRED;
                required |= 1 << at;
            }
            self.sections.properties.push(Property {
                key,
                key_mask: key_mask.into(),
                name: text,
                hash: hash.into(),
                schema: (*schema).into(),
                flags: flags.into(),
            });
            let mut slot = hash & (slot_count - 1);
            while self.sections.slots[slots + slot as usize].value.get() != NONE {
                slot = (slot + 1) & (slot_count - 1);
            }
            self.sections.slots[slots + slot as usize].value = (at as u32).into();
        }
        self.sections.object_checks.push(ObjectCheck {
            unevaluated: NONE.into(),
            properties: first.into(),
            property_count: (properties.len() as u32).into(),
            required: required.into(),
            required_count: required.count_ones().into(),
            slots: (slots as u32).into(),
            slot_mask: (slot_count - 1).into(),
            max_properties: NONE.into(),
            additional: additional.into(),
            names: NONE.into(),
            ..ObjectCheck::new_zeroed()
        });
        let check = self.sections.object_checks.len() as u32 - 1;
        self.schema(TYPE_OBJECT, |schema| schema.object = check.into())
    }

    /// Traces a schema's keyword to a line.
    pub fn trace(&mut self, schema: u32, keyword: Keyword, line: u32) {
        let origin = self.origin(line);
        self.sections.traces.push(Trace {
            schema: schema.into(),
            origin: origin.into(),
            keyword: keyword.code(),
            reserved: 0,
            member: 0.into(),
        });
    }

    /// A record of text_values.
    pub fn text_value(&mut self, types: u8, set: impl FnOnce(&mut TextValue)) -> u32 {
        let mut value = TextValue::new_zeroed();
        value.types = types;
        set(&mut value);
        self.sections.text_values.push(value);
        self.sections.text_values.len() as u32 - 1
    }

    /// The fields of an object, written in a style of forms.
    pub fn text_fields(&mut self, fields: &[(&str, u32, Style, u8)]) -> (u32, u32) {
        let first = self.sections.text_fields.len() as u32;
        let mut fields = fields.to_vec();
        fields.sort_by_key(|(name, ..)| *name);
        for (name, value, style, flags) in &fields {
            let (name, value) = (self.text(name), (*value).into());
            let (style, flags, reserved) = (style.code(), *flags, 0.into());
            self.sections.text_fields.push(TextField { name, value, style, flags, reserved });
        }
        (first, fields.len() as u32)
    }

    /// What the text of a parameter says.
    fn value(&mut self, param: &Param) -> u32 {
        let plain = self.text_value(param.types, |_| {});
        match param.shape {
            Shape::Scalar => plain,
            Shape::Array => self.text_value(TYPE_ARRAY, |value| value.items = plain.into()),
            Shape::Object => {
                let fields: Vec<_> = param
                    .fields
                    .iter()
                    .map(|(name, types)| (*name, self.text_value(*types, |_| {}), Style::Form, 0))
                    .collect();
                let (first, count) = self.text_fields(&fields);
                self.text_value(TYPE_OBJECT, |value| {
                    (value.fields, value.field_count) = (first.into(), count.into());
                    value.additional = plain.into();
                })
            }
        }
    }

    /// An operation of the first API. `media_types` are name, schema and kind.
    pub fn operation(
        &mut self,
        method: &str,
        template: &str,
        parameters: &[Param],
        media_types: &[(&str, u32, BodyKind)],
        set: impl FnOnce(&mut Operation),
    ) {
        let first_parameter = self.sections.parameters.len() as u32;
        let mut capture = 0;
        for param in parameters {
            let value = self.value(param);
            let name = self.text(param.name);
            let line = 100 + self.sections.parameters.len() as u32;
            let origin = self.origin(line);
            self.sections.parameters.push(Parameter {
                name,
                schema: param.schema.into(),
                value: value.into(),
                origin: origin.into(),
                location: param.location.code(),
                style: param.style.code(),
                flags: param.flags,
                capture,
            });
            capture += u8::from(param.location == Location::Path);
        }
        let first_media_type = self.sections.media_types.len() as u32;
        for (name, schema, kind) in media_types {
            let (name, parameters) = name.split_once("; ").unwrap_or((name, ""));
            let (name, parameters) = (self.text(name), self.text(&parameters.replace("; ", "\n")));
            let origin = self.origin(200).into();
            self.sections.media_types.push(MediaType {
                name,
                parameters,
                schema: (*schema).into(),
                origin,
                value: NONE.into(),
                parts: 0.into(),
                part_count: 0.into(),
                xml: NONE.into(),
                kind: kind.code(),
                flags: 0,
                reserved: [0; 2],
            });
        }
        let mut operation = Operation::new_zeroed();
        operation.method = self.text(method);
        operation.template = self.text(template);
        operation.parameters = first_parameter.into();
        operation.parameter_count = (parameters.len() as u32).into();
        operation.media_types = first_media_type.into();
        operation.media_type_count = (media_types.len() as u32).into();
        operation.origin = self.origin(10).into();
        operation.body_origin = self.origin(20).into();
        operation.limits = BodyLimits {
            max_bytes: 4096.into(),
            max_string: 1024.into(),
            max_properties: 64.into(),
            max_items: 64.into(),
            max_depth: 8.into(),
            max_digits: 64.into(),
        };
        operation.mode = Mode::Enforce.code();
        operation.undeclared_query = Action::Block.code();
        operation.undeclared_media_types = Action::Block.code();
        set(&mut operation);
        self.operations.push((String::new(), template.to_owned(), operation));
    }

    /// Moves the operation declared last to a host of its own.
    pub fn on_host(&mut self, host: &str) {
        self.operations.last_mut().unwrap().0 = host.to_owned();
    }

    /// Sets the API whose base path this is.
    pub fn base_path(&mut self, path: &str, api: u32) {
        self.root.at(path).api = Some(api);
    }

    /// The bundle, written, opened and verified.
    pub fn build(mut self) -> Bundle {
        self.sections.traces.sort_by_key(|trace| (trace.schema.get(), trace.keyword));
        let operations = core::mem::take(&mut self.operations);
        for (at, (host, template, _)) in operations.iter().enumerate() {
            let root = match host.as_str() {
                "" => &mut self.root,
                host => self.hosts.entry(host.to_owned()).or_default(),
            };
            root.at(template).operations.push(at);
        }
        let root = core::mem::take(&mut self.root);
        let root = self.lay(&root, &operations);
        self.policy().root = root.into();
        for (host, branch) in core::mem::take(&mut self.hosts) {
            let root = self.lay(&branch, &operations);
            let name = self.text(&host);
            self.sections.hosts.push(Host { name, root: root.into() });
        }
        let bytes = write(&self.sections, &Identity::default()).unwrap();
        Bundle::open(bytes, &Trust { allow_unsigned: true, ..Trust::default() }).unwrap()
    }

    /// Writes a branch and what hangs on it, the parents first.
    fn lay(&mut self, branch: &Branch, operations: &[(String, String, Operation)]) -> u32 {
        let node = self.sections.nodes.len();
        let first_operation = self.sections.operations.len() as u32;
        for at in &branch.operations {
            self.sections.operations.push(operations[*at].2);
        }
        let (edges, partials) = (self.sections.edges.len(), self.sections.partials.len());
        for segment in branch.edges.keys() {
            let segment = self.text(segment);
            self.sections.edges.push(Edge { segment, node: 0.into() });
        }
        for (literals, _) in &branch.partials {
            let first = self.sections.partial_literals.len() as u32;
            for literal in literals {
                let literal = self.text(literal);
                self.sections.partial_literals.push(literal);
            }
            self.sections.partials.push(Partial {
                literals: first.into(),
                literal_count: (literals.len() as u32).into(),
                node: 0.into(),
            });
        }
        self.sections.nodes.push(Node {
            edges: (edges as u32).into(),
            edge_count: (branch.edges.len() as u32).into(),
            partials: (partials as u32).into(),
            partial_count: (branch.partials.len() as u32).into(),
            wildcard: NONE.into(),
            operations: first_operation.into(),
            operation_count: (branch.operations.len() as u32).into(),
            api: branch.api.unwrap_or(NONE).into(),
        });
        for (at, child) in branch.edges.values().enumerate() {
            let child = self.lay(child, operations);
            self.sections.edges[edges + at].node = child.into();
        }
        for (at, (_, child)) in branch.partials.iter().enumerate() {
            let child = self.lay(child, operations);
            self.sections.partials[partials + at].node = child.into();
        }
        if let Some(child) = &branch.wildcard {
            let child = self.lay(child, operations);
            self.sections.nodes[node].wildcard = child.into();
        }
        node as u32
    }
}

impl Branch {
    /// The branch at the end of a template.
    fn at(&mut self, template: &str) -> &mut Branch {
        template.split('/').skip(1).fold(self, |branch, segment| {
            let literals: Vec<String> = segment
                .split('{')
                .enumerate()
                .map(|(at, part)| match (at, part.split_once('}')) {
                    (0, _) => part.to_owned(),
                    (_, Some((_, literal))) => literal.to_owned(),
                    (_, None) => panic!("`{template}` does not close a brace"),
                })
                .collect();
            match literals.as_slice() {
                [literal] => branch.edges.entry(literal.clone()).or_default(),
                [before, after] if before.is_empty() && after.is_empty() => {
                    branch.wildcard.get_or_insert_default()
                }
                _ => {
                    let known = branch.partials.iter().position(|(found, _)| *found == literals);
                    let at = known.unwrap_or_else(|| {
                        branch.partials.push((literals, Branch::default()));
                        branch.partials.len() - 1
                    });
                    &mut branch.partials[at].1
                }
            }
        })
    }
}
