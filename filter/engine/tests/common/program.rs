//! A small compiler from JSON Schema to the schema program, for tests: it lowers keyword by keyword, merges
//! nothing, and so uses every part of the layout, also those that the real compiler avoids.
#![allow(dead_code)]

use portcullis_bundle::layout::*;
use portcullis_bundle::{name_hash, property_key};
use serde_json::{Map, Value};
use std::collections::HashMap;
use zerocopy::FromZeros;

/// Sections under construction, and what was compiled already.
pub struct Program {
    pub sections: Sections,
    root: Value,
    done: HashMap<String, u32>,
    /// Keywords that the program does not express.
    pub unsupported: Vec<String>,
    /// Whether `format` is asserted.
    pub formats: bool,
}

impl Program {
    /// Compiles a schema; gives the program and the index of its schema.
    pub fn new(schema: &Value) -> (Program, u32) {
        Self::with_formats(schema, true)
    }

    pub fn with_formats(schema: &Value, formats: bool) -> (Program, u32) {
        let mut program = Program {
            sections: Sections::default(),
            root: schema.clone(),
            done: HashMap::new(),
            unsupported: Vec::new(),
            formats,
        };
        program.sections.schemas.push(blank(TYPE_ALL, SCHEMA_ACCEPTS_ALL));
        program.sections.schemas.push(blank(0, 0));
        let index = program.schema("#", schema);
        (program, index)
    }

    pub fn view(&self) -> View<'_> {
        let s = &self.sections;
        View {
            strings: &s.strings,
            schemas: &s.schemas,
            string_checks: &s.string_checks,
            number_checks: &s.number_checks,
            array_checks: &s.array_checks,
            object_checks: &s.object_checks,
            properties: &s.properties,
            slots: &s.slots,
            lists: &s.lists,
            literal_sets: &s.literal_sets,
            literal_strings: &s.literal_strings,
            decimals: &s.decimals,
            compositions: &s.compositions,
            tags: &s.tags,
            type_switches: &s.type_switches,
            pattern_properties: &s.pattern_properties,
            dependents: &s.dependents,
            automata: &s.automata,
            transitions: &s.transitions,
            byte_classes: &s.byte_classes,
            char_classes: &s.char_classes,
            char_ranges: &s.char_ranges,
            traces: &s.traces,
            idn: &s.idn,
            contents: &s.contents,
            ..View::default()
        }
    }

    fn schema(&mut self, at: &str, schema: &Value) -> u32 {
        if let Some(index) = self.done.get(at) {
            return *index;
        }
        let map = match schema {
            Value::Bool(true) => return SCHEMA_ANY,
            Value::Bool(false) => return SCHEMA_NEVER,
            Value::Object(map) => map,
            _ => panic!("{at} is no schema: {schema}"),
        };
        if map.is_empty() {
            return SCHEMA_ANY;
        }
        let index = self.sections.schemas.len() as u32;
        self.sections.schemas.push(blank(TYPE_ALL, 0));
        self.done.insert(at.to_owned(), index);
        let known = [
            "type",
            "enum",
            "const",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "format",
            "contentEncoding",
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "propertyNames",
            "dependentRequired",
            "dependentSchemas",
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "minContains",
            "maxContains",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "$ref",
            "$defs",
            "definitions",
            "$schema",
            "title",
            "description",
            "$comment",
            "x-tagged",
            "x-switch",
            "x-pattern-properties",
            "x-pattern",
            "default",
            "examples",
            "deprecated",
        ];
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            self.unsupported.push(key.clone());
        }
        let mut record = blank(types(map), 0);
        record.string = self.string(map).into();
        record.number = self.number(map).into();
        record.array = self.array(at, map).into();
        record.object = self.object(at, map).into();
        record.literals = self.literals(map, &mut record.types).into();
        let compositions = self.compositions(at, map);
        record.composition_count = (compositions.len() as u16).into();
        record.compositions = (self.sections.compositions.len() as u32).into();
        self.sections.compositions.extend(compositions);
        self.sections.schemas[index as usize] = record;
        index
    }

    fn child(&mut self, at: &str, key: &str, schema: &Value) -> u32 {
        self.schema(&format!("{at}/{key}"), schema)
    }

    fn text(&mut self, text: &str) -> Text {
        let offset = self.sections.strings.len() as u32;
        self.sections.strings.extend_from_slice(text.as_bytes());
        Text { offset: offset.into(), len: (text.len() as u32).into() }
    }

    fn list(&mut self, indexes: &[u32]) -> u32 {
        let first = self.sections.lists.len() as u32;
        self.sections.lists.extend(indexes.iter().map(|&value| Index { value: value.into() }));
        first
    }

    fn string(&mut self, map: &Map<String, Value>) -> u32 {
        let keys = ["minLength", "maxLength", "format", "contentEncoding", "x-pattern"];
        if !keys.iter().any(|key| map.contains_key(*key)) {
            return NONE;
        }
        let format = match map.get("format").and_then(Value::as_str).filter(|_| self.formats) {
            Some(name) => Format::ALL.iter().copied().find(|f| format_name(*f) == name),
            None => Some(Format::None),
        };
        let format = format.unwrap_or_else(|| {
            self.unsupported.push(format!("format {}", map["format"]));
            Format::None
        });
        let encoding = match map.get("contentEncoding").and_then(Value::as_str) {
            Some("base64") if self.formats => ContentEncoding::Base64,
            Some("base64url") if self.formats => ContentEncoding::Base64Url,
            Some("base32") if self.formats => ContentEncoding::Base32,
            Some("base32hex") if self.formats => ContentEncoding::Base32Hex,
            Some("base16") if self.formats => ContentEncoding::Base16,
            Some("quoted-printable") if self.formats => ContentEncoding::QuotedPrintable,
            _ => ContentEncoding::None,
        };
        let automata: Vec<u32> = map
            .get("x-pattern")
            .into_iter()
            .map(|text| self.prefix_automaton(text.as_str().unwrap()))
            .collect();
        let check = StringCheck {
            min_length: count(map, "minLength", 0).into(),
            max_length: count(map, "maxLength", NONE).into(),
            patterns: self.list(&automata).into(),
            classes: 0.into(),
            pattern_count: (automata.len() as u16).into(),
            class_count: 0.into(),
            format: format.code(),
            encoding: encoding.code(),
            reserved: [0; 2],
            stencil: NONE.into(),
        };
        self.sections.string_checks.push(check);
        self.sections.string_checks.len() as u32 - 1
    }

    /// An automaton that accepts what begins with a text.
    pub fn prefix_automaton(&mut self, prefix: &str) -> u32 {
        let bytes = prefix.as_bytes();
        let mut map = [0_u8; 256];
        let mut stride = 1;
        for &byte in bytes {
            if map[byte as usize] == 0 {
                map[byte as usize] = stride;
                stride += 1;
            }
        }
        let stride = u16::from(stride);
        // State 0 is dead, state i + 1 has read i bytes of the prefix.
        let table = self.sections.transitions.len() as u32;
        for state in 0..bytes.len() as u16 + 2 {
            for class in 0..stride {
                let next = match state.checked_sub(1) {
                    None => 0,
                    Some(read) if usize::from(read) == bytes.len() => state,
                    Some(read) if map[bytes[usize::from(read)] as usize] == class as u8 => {
                        state + 1
                    }
                    Some(_) => 0,
                };
                self.sections.transitions.push((next * stride).into());
            }
        }
        let classes = self.sections.byte_classes.len() as u32;
        self.sections.byte_classes.push(ByteClassMap { class: map });
        let last = (bytes.len() as u16 + 1) * stride;
        self.sections.automata.push(Automaton {
            table: table.into(),
            table_len: (self.sections.transitions.len() as u32 - table).into(),
            classes: classes.into(),
            stride: stride.into(),
            start: stride.into(),
            accept: last.into(),
            accept_always: last.into(),
        });
        self.sections.automata.len() as u32 - 1
    }

    fn number(&mut self, map: &Map<String, Value>) -> u32 {
        let keys = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
        let formats = ["int32", "int64"];
        let format = map.get("format").and_then(Value::as_str).filter(|f| formats.contains(f));
        if format.is_none() && !keys.iter().any(|key| map.contains_key(*key)) {
            return NONE;
        }
        let mut flags = 0;
        let mut bound = |program: &mut Self, keys: [&str; 2], inclusive: u16, exclusive: u16| {
            let wide = |key: &str| map.get(key).map(|v| v.as_f64().unwrap());
            let take_exclusive = match (wide(keys[0]), wide(keys[1])) {
                (Some(a), Some(b)) => {
                    if inclusive == NUMBER_MIN {
                        b >= a
                    } else {
                        b <= a
                    }
                }
                (None, None) => return None,
                (a, _) => a.is_none(),
            };
            flags |= inclusive | if take_exclusive { exclusive } else { 0 };
            let value = &map[keys[usize::from(take_exclusive)]];
            Some((program.decimal(value), value.as_i64(), take_exclusive))
        };
        let min = bound(self, ["minimum", "exclusiveMinimum"], NUMBER_MIN, NUMBER_MIN_EXCLUSIVE);
        let max = bound(self, ["maximum", "exclusiveMaximum"], NUMBER_MAX, NUMBER_MAX_EXCLUSIVE);
        let integer = |bound: &Option<(u32, Option<i64>, bool)>, none: i64, step: i64| match bound {
            None => Some(none),
            Some((_, value, exclusive)) => value.map(|v| if *exclusive { v + step } else { v }),
        };
        let (low, high) = (integer(&min, i64::MIN, 1), integer(&max, i64::MAX, -1));
        if low.is_some() && high.is_some() {
            flags |= NUMBER_INTEGER_BOUNDS;
        }
        let multiple = map.get("multipleOf");
        let multiples: Vec<u32> = multiple.into_iter().map(|value| self.decimal(value)).collect();
        let check = NumberCheck {
            integer_min: low.unwrap_or(0).into(),
            integer_max: high.unwrap_or(0).into(),
            min: min.map_or(NONE, |bound| bound.0).into(),
            max: max.map_or(NONE, |bound| bound.0).into(),
            multiples: self.list(&multiples).into(),
            multiple_count: (multiples.len() as u16).into(),
            flags: flags.into(),
            integer_multiple: multiple.and_then(Value::as_u64).unwrap_or(0).into(),
        };
        self.sections.number_checks.push(check);
        self.sections.number_checks.len() as u32 - 1
    }

    fn decimal(&mut self, value: &Value) -> u32 {
        let decimal = self.decimal_of(&value.to_string());
        self.sections.decimals.push(decimal);
        self.sections.decimals.len() as u32 - 1
    }

    fn decimal_of(&mut self, text: &str) -> Decimal {
        let negative = text.starts_with('-');
        let text = text.trim_start_matches('-').to_lowercase();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut exponent: i32 = exponent.parse().unwrap();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        exponent -= fraction.len() as i32;
        let digits = format!("{whole}{fraction}");
        let stripped = digits.trim_end_matches('0');
        exponent += (digits.len() - stripped.len()) as i32;
        let stripped = stripped.trim_start_matches('0').to_owned();
        let zero = stripped.is_empty();
        Decimal {
            digits: self.text(&stripped),
            exponent: if zero { 0 } else { exponent }.into(),
            negative: u32::from(negative && !zero).into(),
        }
    }

    fn array(&mut self, at: &str, map: &Map<String, Value>) -> u32 {
        let keys = ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"];
        if !keys.iter().any(|key| map.contains_key(*key)) {
            return NONE;
        }
        let prefix: Vec<u32> = match map.get("prefixItems") {
            Some(Value::Array(items)) => {
                let each = items.iter().enumerate();
                each.map(|(i, item)| self.child(at, &format!("prefixItems/{i}"), item)).collect()
            }
            _ => Vec::new(),
        };
        let items = map.get("items").map_or(SCHEMA_ANY, |items| self.child(at, "items", items));
        let contains = map.get("contains").map_or(NONE, |item| self.child(at, "contains", item));
        let check = ArrayCheck {
            unevaluated: NONE.into(),
            prefix: self.list(&prefix).into(),
            prefix_count: (prefix.len() as u32).into(),
            items: items.into(),
            min_items: count(map, "minItems", 0).into(),
            max_items: count(map, "maxItems", NONE).into(),
            contains: contains.into(),
            min_contains: count(map, "minContains", 1).into(),
            max_contains: count(map, "maxContains", NONE).into(),
            flags: u32::from(map.get("uniqueItems") == Some(&Value::Bool(true))).into(),
        };
        self.sections.array_checks.push(check);
        self.sections.array_checks.len() as u32 - 1
    }

    fn object(&mut self, at: &str, map: &Map<String, Value>) -> u32 {
        let keys = [
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "propertyNames",
            "dependentRequired",
            "dependentSchemas",
            "x-pattern-properties",
        ];
        if !keys.iter().any(|key| map.contains_key(*key)) {
            return NONE;
        }
        let empty = Map::new();
        let of = |key: &str| map.get(key).and_then(Value::as_object).unwrap_or(&empty);
        // Names, and for each its schema if it is declared.
        let mut names: Vec<(String, Option<u32>)> = Vec::new();
        for (name, schema) in of("properties") {
            let child = self.child(at, &format!("properties/{name}"), schema);
            names.push((name.clone(), Some(child)));
        }
        let required: Vec<&str> = map
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap())
            .collect();
        let mut implied: Vec<String> = required.iter().map(|name| (*name).to_owned()).collect();
        for (name, names) in of("dependentRequired") {
            implied.push(name.clone());
            implied.extend(
                names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()),
            );
        }
        implied.extend(of("dependentSchemas").keys().cloned());
        for name in implied {
            if !names.iter().any(|(known, _)| *known == name) {
                names.push((name, None));
            }
        }
        let mut dependents = Vec::new();
        let place = |names: &[(String, Option<u32>)], name: &str| {
            names.iter().position(|(known, _)| known == name).unwrap() as u32
        };
        for (name, others) in of("dependentRequired") {
            for other in others.as_array().unwrap() {
                dependents.push(Dependent {
                    property: place(&names, name).into(),
                    required: place(&names, other.as_str().unwrap()).into(),
                    schema: NONE.into(),
                });
            }
        }
        for (name, schema) in of("dependentSchemas") {
            dependents.push(Dependent {
                property: place(&names, name).into(),
                required: NONE.into(),
                schema: self.child(at, &format!("dependentSchemas/{name}"), schema).into(),
            });
        }
        let mut patterns = Vec::new();
        for (prefix, schema) in of("x-pattern-properties") {
            let child = self.child(at, &format!("x-pattern-properties/{prefix}"), schema);
            patterns.push(PatternProperty {
                automaton: self.prefix_automaton(prefix).into(),
                schema: child.into(),
            });
        }
        let additional = map
            .get("additionalProperties")
            .map_or(SCHEMA_ANY, |schema| self.child(at, "additionalProperties", schema));
        let name_schema =
            map.get("propertyNames").map_or(NONE, |schema| self.child(at, "propertyNames", schema));
        let mut bits = 0_u64;
        let first = self.sections.properties.len() as u32;
        for (index, (name, schema)) in names.iter().enumerate() {
            let needed = required.contains(&name.as_str());
            if needed && index < 64 {
                bits |= 1 << index;
            }
            let (key, key_mask) =
                if schema.is_none() { ([0; 32], 0) } else { property_key(name.as_bytes()) };
            let flags = if needed { PROPERTY_REQUIRED } else { 0 }
                | if schema.is_none() { PROPERTY_IMPLIED } else { 0 };
            let text = self.text(name);
            self.sections.properties.push(Property {
                key,
                key_mask: key_mask.into(),
                name: text,
                hash: name_hash(name.as_bytes()).into(),
                schema: schema.unwrap_or(SCHEMA_ANY).into(),
                flags: flags.into(),
            });
        }
        let hashes: Vec<u32> = names.iter().map(|(name, _)| name_hash(name.as_bytes())).collect();
        let (slots, slot_mask) = self.table(&hashes);
        let check = ObjectCheck {
            unevaluated: NONE.into(),
            properties: first.into(),
            property_count: (names.len() as u32).into(),
            required: bits.into(),
            required_count: (required.len() as u32).into(),
            slots: slots.into(),
            slot_mask: slot_mask.into(),
            min_properties: count(map, "minProperties", 0).into(),
            max_properties: count(map, "maxProperties", NONE).into(),
            additional: additional.into(),
            pattern_properties: (self.sections.pattern_properties.len() as u32).into(),
            pattern_property_count: (patterns.len() as u32).into(),
            names: name_schema.into(),
            dependents: (self.sections.dependents.len() as u32).into(),
            dependent_count: (dependents.len() as u32).into(),
        };
        self.sections.pattern_properties.extend(patterns);
        self.sections.dependents.extend(dependents);
        self.sections.object_checks.push(check);
        self.sections.object_checks.len() as u32 - 1
    }

    fn table(&mut self, hashes: &[u32]) -> (u32, u32) {
        let len = (hashes.len() + 1).next_power_of_two().max(2);
        let mut table = vec![NONE; len];
        for (index, hash) in hashes.iter().enumerate() {
            let mut slot = *hash as usize & (len - 1);
            while table[slot] != NONE {
                slot = (slot + 1) & (len - 1);
            }
            table[slot] = index as u32;
        }
        let first = self.sections.slots.len() as u32;
        self.sections.slots.extend(table.iter().map(|&value| Index { value: value.into() }));
        (first, len as u32 - 1)
    }

    fn literals(&mut self, map: &Map<String, Value>, types: &mut u8) -> u32 {
        let values: Vec<&Value> = match (map.get("enum"), map.get("const")) {
            (Some(Value::Array(values)), None) => values.iter().collect(),
            (None, Some(value)) => vec![value],
            (None, None) => return NONE,
            _ => {
                self.unsupported.push("enum with const".to_owned());
                return NONE;
            }
        };
        let (mut scalars, mut strings, mut numbers) = (0, Vec::new(), Vec::new());
        for value in values {
            match value {
                Value::Null => scalars |= LITERAL_NULL,
                Value::Bool(true) => scalars |= LITERAL_TRUE,
                Value::Bool(false) => scalars |= LITERAL_FALSE,
                Value::String(text) => strings.push(text.clone()),
                Value::Number(number) => numbers.push(number.to_string()),
                _ => self.unsupported.push("enum of containers".to_owned()),
            }
        }
        *types &= !(TYPE_ARRAY | TYPE_OBJECT);
        let hashes: Vec<u32> = strings.iter().map(|text| name_hash(text.as_bytes())).collect();
        let (slots, slot_mask) = self.table(&hashes);
        let first = self.sections.literal_strings.len() as u32;
        for (text, hash) in strings.iter().zip(&hashes) {
            let text = self.text(text);
            self.sections.literal_strings.push(LiteralString { text, hash: (*hash).into() });
        }
        let first_number = self.sections.decimals.len() as u32;
        for text in &numbers {
            let decimal = self.decimal_of(text);
            self.sections.decimals.push(decimal);
        }
        self.sections.literal_sets.push(LiteralSet {
            scalars: scalars.into(),
            slots: slots.into(),
            slot_mask: slot_mask.into(),
            strings: first.into(),
            string_count: (strings.len() as u32).into(),
            numbers: first_number.into(),
            number_count: (numbers.len() as u32).into(),
        });
        self.sections.literal_sets.len() as u32 - 1
    }

    fn compositions(&mut self, at: &str, map: &Map<String, Value>) -> Vec<Composition> {
        let mut compositions = Vec::new();
        let none = Text { offset: 0.into(), len: 0.into() };
        let mut add =
            |tag: Text, branches: u32, count: usize, kind: CompositionKind, keyword: Keyword| {
                compositions.push(Composition {
                    tag,
                    branches: branches.into(),
                    branch_count: (count as u16).into(),
                    kind: kind.code(),
                    keyword: keyword.code(),
                    ..Composition::new_zeroed()
                });
            };
        if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
            let target = match reference.strip_prefix('#') {
                Some(pointer) => {
                    let pointer = pointer.replace("%25", "%").replace("%22", "\"");
                    self.root.pointer(&pointer).cloned()
                }
                None => None,
            };
            match target {
                Some(target) => {
                    let index = self.schema(reference, &target);
                    let branches = self.list(&[index]);
                    add(none, branches, 1, CompositionKind::AllOf, Keyword::Schema);
                }
                None => self.unsupported.push(format!("$ref {reference}")),
            }
        }
        for (key, kind, keyword) in [
            ("allOf", CompositionKind::AllOf, Keyword::AllOf),
            ("anyOf", CompositionKind::AnyOf, Keyword::AnyOf),
            ("oneOf", CompositionKind::OneOf, Keyword::OneOf),
        ] {
            let Some(Value::Array(branches)) = map.get(key) else { continue };
            let each = branches.iter().enumerate();
            let branches: Vec<u32> =
                each.map(|(i, s)| self.child(at, &format!("{key}/{i}"), s)).collect();
            let first = self.list(&branches);
            add(none, first, branches.len(), kind, keyword);
        }
        if let Some(schema) = map.get("not") {
            let branch = self.child(at, "not", schema);
            let first = self.list(&[branch]);
            add(none, first, 1, CompositionKind::Not, Keyword::Not);
        }
        if let Some(schema) = map.get("if") {
            let condition = self.child(at, "if", schema);
            let then = map.get("then").map_or(SCHEMA_ANY, |schema| self.child(at, "then", schema));
            let other = map.get("else").map_or(SCHEMA_ANY, |schema| self.child(at, "else", schema));
            let first = self.list(&[condition, then, other]);
            add(none, first, 3, CompositionKind::If, Keyword::If);
        }
        if let Some(tagged) = map.get("x-tagged").and_then(Value::as_object) {
            let mut branches: Vec<(String, u32)> = Vec::new();
            for (value, schema) in tagged["branches"].as_object().unwrap() {
                branches.push((
                    value.clone(),
                    self.child(at, &format!("x-tagged/branches/{value}"), schema),
                ));
            }
            branches.sort();
            let tag = self.text(tagged["tag"].as_str().unwrap());
            let first = self.sections.tags.len() as u32;
            for (value, schema) in &branches {
                let value = self.text(value);
                self.sections.tags.push(Tag { value, schema: (*schema).into() });
            }
            add(tag, first, branches.len(), CompositionKind::Tagged, Keyword::Discriminator);
        }
        if let Some(switch) = map.get("x-switch").and_then(Value::as_object) {
            let mut of = |key: &str| {
                let schema = switch
                    .get(key)
                    .map(|schema| self.child(at, &format!("x-switch/{key}"), schema));
                schema.unwrap_or(SCHEMA_NEVER).into()
            };
            let record = TypeSwitch {
                null: of("null"),
                boolean: of("boolean"),
                number: of("number"),
                string: of("string"),
                array: of("array"),
                object: of("object"),
            };
            self.sections.type_switches.push(record);
            add(
                none,
                self.sections.type_switches.len() as u32 - 1,
                1,
                CompositionKind::TypeSwitch,
                Keyword::OneOf,
            );
        }
        compositions
    }
}

/// A format's name in documents: its code's name in kebab case.
fn format_name(format: Format) -> String {
    let mut name = String::new();
    for c in format!("{format:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() && format != Format::Base64Url {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn blank(types: u8, flags: u8) -> Schema {
    Schema {
        types,
        flags,
        composition_count: 0.into(),
        compositions: 0.into(),
        string: NONE.into(),
        number: NONE.into(),
        array: NONE.into(),
        object: NONE.into(),
        literals: NONE.into(),
        origin: NONE.into(),
    }
}

fn types(map: &Map<String, Value>) -> u8 {
    let bit = |name: &Value| match name.as_str().unwrap() {
        "null" => TYPE_NULL,
        "boolean" => TYPE_BOOLEAN,
        "integer" => TYPE_INTEGER,
        "number" => TYPE_INTEGER | TYPE_FRACTION,
        "string" => TYPE_STRING,
        "array" => TYPE_ARRAY,
        "object" => TYPE_OBJECT,
        other => panic!("no type {other}"),
    };
    match map.get("type") {
        None => TYPE_ALL,
        Some(Value::Array(names)) => names.iter().map(bit).fold(0, |all, bit| all | bit),
        Some(name) => bit(name),
    }
}

fn count(map: &Map<String, Value>, key: &str, none: u32) -> u32 {
    map.get(key).map_or(none, |value| value.as_f64().unwrap() as u32)
}
