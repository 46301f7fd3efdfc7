//! The documents' schemas as plain JSON Schema 2020-12, for `jsonschema` to judge by.
//!
//! The translation walks the documents themselves. It knows the dialects of OpenAPI: what 3.0 ignores, `nullable`,
//! exclusive bounds as flags, formats of numbers, `readOnly` in requests, `discriminator`. What the compiler reports as
//! not enforced is left out: there the two are not meant to agree.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use jsonschema::{Registry, Validator};
use policy_compiler::ir::DocumentId;
use policy_compiler::source::{Kind, Library, Place};
use serde_json::{Map, Value, json};

use crate::content;

/// The name under which the translation is registered.
const URI: &str = "urn:portcullis:documents";

/// Whether schemas are those of OpenAPI 3.1 and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Swagger 2.0 and OpenAPI 3.0.
    Old,
    /// OpenAPI 3.1 and 3.2: JSON Schema 2020-12.
    New,
}

type Names = Rc<BTreeSet<String>>;
type Key = (DocumentId, policy_compiler::source::NodeId, Names);

/// What is not enforced: path of the file, pointer, keyword.
pub type Unenforced = HashSet<(String, String, String)>;

/// Translates schemas.
pub struct Translation<'l> {
    library: &'l Library<'l>,
    dialect: Dialect,
    unenforced: &'l Unenforced,
    numbers: HashMap<Key, usize>,
    queue: Vec<(Place<'l>, Names, usize)>,
    definitions: Vec<Value>,
}

impl<'l> Translation<'l> {
    /// A translation of what a library holds.
    pub fn new(library: &'l Library<'l>, dialect: Dialect, unenforced: &'l Unenforced) -> Self {
        Translation {
            library,
            dialect,
            unenforced,
            numbers: HashMap::new(),
            queue: Vec::new(),
            definitions: Vec::new(),
        }
    }

    /// Adds the schema at a pointer of a file; gives its number.
    pub fn add(&mut self, path: &str, pointer: &str) -> Option<usize> {
        let document = self.library.documents().find(|id| self.library.path(*id) == path)?;
        let mut node = self.library.tree(document).root();
        for token in pointer.split('/').skip(1) {
            node = node.child(&token.replace("~1", "/").replace("~0", "~"))?;
        }
        let number = self.definition(Place { document, node }, Names::default());
        while let Some((place, names, number)) = self.queue.pop() {
            self.definitions[number] = self.schema(place, &names);
        }
        Some(number)
    }

    /// Adds the object that a form is, of fields that are there by their numbers; gives its number.
    pub fn form(&mut self, fields: &[(String, usize)], required: Vec<String>) -> usize {
        let fields: Map<String, Value> = fields
            .iter()
            .map(|(name, number)| {
                (name.clone(), json!({ "$ref": format!("{URI}#/$defs/{number}") }))
            })
            .collect();
        self.definitions
            .push(json!({ "type": "object", "properties": fields, "required": required }));
        self.definitions.len() - 1
    }

    /// The finished schemas.
    pub fn finish(self) -> Value {
        let definitions: Map<String, Value> =
            self.definitions.into_iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect();
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions })
    }

    fn definition(&mut self, place: Place<'l>, names: Names) -> usize {
        let key = (place.document, place.node.id(), names.clone());
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        let number = self.definitions.len();
        self.numbers.insert(key, number);
        self.definitions.push(Value::Bool(true));
        self.queue.push((place, names, number));
        number
    }

    fn refer(&mut self, place: Place<'l>, names: Names) -> Value {
        let number = self.definition(place, names);
        json!({ "$ref": format!("{URI}#/$defs/{number}") })
    }

    fn enforced(&self, owner: Place<'l>, keyword: &str) -> bool {
        let Some(place) = owner.get(keyword) else { return true };
        let path = self.library.path(place.document).to_owned();
        let key = (path, place.node.pointer(), keyword.to_owned());
        !self.unenforced.contains(&key)
    }

    fn target(&self, place: Place<'l>) -> Option<Place<'l>> {
        let text = place.get("$ref")?.node.as_str()?;
        self.library.resolve(place, text).ok()
    }

    /// The place that references lead to from here.
    fn settled(&self, place: Place<'l>) -> Place<'l> {
        let mut at = place;
        for _ in 0..64 {
            let alone =
                self.dialect == Dialect::Old || at.node.members().is_some_and(|m| m.len() == 1);
            match self.target(at).filter(|_| alone) {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// Places that apply to the same value in every case: targets of references and members of `allOf`.
    fn always(&self, place: Place<'l>) -> Vec<Place<'l>> {
        let mut all: Vec<Place<'l>> = self.target(place).into_iter().collect();
        if all.is_empty() || self.dialect == Dialect::New {
            let list = place.get("allOf").and_then(|list| list.node.elements());
            all.extend(list.into_iter().flatten().map(|node| place.with(node)));
        }
        all
    }

    fn is_read_only(&self, place: Place<'l>) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![place];
        while let Some(at) = open.pop() {
            if !seen.insert(at.key()) {
                continue;
            }
            let ignored = self.dialect == Dialect::Old && at.get("$ref").is_some();
            let marked = at.get("readOnly").and_then(|r| r.node.as_bool()) == Some(true);
            if marked && !ignored && self.enforced(at, "readOnly") {
                return true;
            }
            open.extend(self.always(at));
        }
        false
    }

    /// Names of read-only properties of everything that applies in place.
    fn read_only_names(&self, place: Place<'l>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut seen = HashSet::new();
        let mut open = vec![place];
        while let Some(at) = open.pop() {
            if !seen.insert(at.key()) {
                continue;
            }
            if self.dialect == Dialect::New || at.get("$ref").is_none() {
                for (name, property) in self.properties(at) {
                    if self.is_read_only(property) {
                        names.insert(name);
                    }
                }
                for keyword in ["anyOf", "oneOf"] {
                    let list = at.get(keyword).and_then(|list| list.node.elements());
                    open.extend(list.into_iter().flatten().map(|node| at.with(node)));
                }
            }
            open.extend(self.always(at));
        }
        names
    }

    /// The members of `properties`, with those of a table that is referred to.
    fn properties(&self, owner: Place<'l>) -> Vec<(String, Place<'l>)> {
        let mut all: Vec<(String, Place<'l>)> = Vec::new();
        let mut table = owner.get("properties");
        for _ in 0..16 {
            let Some(at) = table.take() else { break };
            for (member, node) in at.node.members().into_iter().flatten() {
                let place = at.with(node);
                match node.as_str() {
                    Some(text) if &*member.key == "$ref" => {
                        table = self.library.resolve(at, text).ok();
                    }
                    _ if all.iter().any(|(name, _)| **name == *member.key) => {}
                    _ => all.push((member.key.to_string(), place)),
                }
            }
        }
        all
    }

    fn schema(&mut self, place: Place<'l>, inherited: &Names) -> Value {
        match place.node.kind() {
            Kind::Bool(value) => return Value::Bool(*value),
            Kind::Object(_) => {}
            _ => return Value::Bool(true),
        }
        let mut out = Map::new();
        if let Some(text) = place.get("$ref").and_then(|r| r.node.as_str()) {
            let target = self.library.resolve(place, text).ok();
            let referred = match target {
                Some(target) => self.refer(target, inherited.clone()),
                None => Value::Bool(true),
            };
            if self.dialect == Dialect::Old {
                return referred;
            }
            out.insert("allOf".to_owned(), json!([referred]));
        }
        let mut names = (**inherited).clone();
        names.extend(self.read_only_names(place));
        let names = Rc::new(names);
        self.assertions(place, &mut out, &names);
        self.children(place, &mut out, &names);
        self.compositions(place, &mut out, &names);
        Value::Object(out)
    }

    fn assertions(&mut self, place: Place<'l>, out: &mut Map<String, Value>, names: &Names) {
        let old = self.dialect == Dialect::Old;
        let types = self.types(place);
        if let Some(types) = &types {
            out.insert("type".to_owned(), json!(types));
        }
        let value = |keyword: &str| place.get(keyword).map(|at| at.node);
        if let Some(list) = value("enum").and_then(|node| node.elements()) {
            let strings = types.as_ref().is_some_and(|types| {
                types.iter().filter(|name| *name != "null").eq(["string"].iter())
                    && value("type").is_some_and(|node| node.as_str().is_some())
            });
            let values: Vec<Value> = list
                .map(|node| match node.kind() {
                    Kind::Number(text) if strings => Value::String(text.to_string()),
                    Kind::Bool(value) if strings => Value::String(value.to_string()),
                    _ => json_of(node),
                })
                .collect();
            let nothing = values.is_empty();
            let kept = if nothing { json!({ "not": {} }) } else { json!({ "enum": values }) };
            push_all_of(out, kept);
        }
        if let Some(node) = value("const").filter(|_| !old) {
            out.insert("const".to_owned(), json_of(node));
        }
        for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")]
        {
            let number = |keyword: &str| {
                value(keyword).filter(|node| node.as_number().is_some()).map(json_of)
            };
            let flag = value(exclusive).and_then(|node| node.as_bool()) == Some(true);
            match number(bound) {
                Some(number) if old && flag => drop(out.insert(exclusive.to_owned(), number)),
                Some(number) => drop(out.insert(bound.to_owned(), number)),
                None => {}
            }
            if let Some(number) = number(exclusive).filter(|_| !old) {
                out.insert(exclusive.to_owned(), number);
            }
        }
        let positive = |node: &policy_compiler::source::Node<'_>| {
            node.as_number().is_some_and(|number| {
                let of = number.decimal();
                !of.negative && !of.digits.is_empty()
            })
        };
        if let Some(node) = value("multipleOf").filter(positive) {
            out.insert("multipleOf".to_owned(), json_of(node));
        }
        let mut counts = vec![
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
        ];
        if !old {
            counts.extend(["minContains", "maxContains"]);
            for keyword in ["contentEncoding", "contentMediaType"] {
                if let Some(node) = value(keyword) {
                    out.insert(keyword.to_owned(), json_of(node));
                }
            }
        }
        for keyword in counts {
            let count = value(keyword).and_then(|node| node.as_number());
            if let Some(count) = count.and_then(|number| number.as_u64()) {
                out.insert(keyword.to_owned(), json!(count));
            }
        }
        if let Some(text) = value("pattern").and_then(|node| node.as_str())
            && self.enforced(place, "pattern")
        {
            out.insert("pattern".to_owned(), json!(text));
        }
        if let Some(unique) = value("uniqueItems").and_then(|node| node.as_bool()) {
            out.insert("uniqueItems".to_owned(), json!(unique));
        }
        if let Some(text) = value("format").and_then(|node| node.as_str())
            && self.enforced(place, "format")
        {
            self.format(text, out);
        }
        if let Some(list) = value("required").and_then(|node| node.elements()) {
            let required: BTreeSet<String> = list
                .filter_map(|node| node.as_text().map(str::to_owned))
                .filter(|name| !names.contains(name))
                .collect();
            out.insert("required".to_owned(), json!(required));
        }
    }

    fn types(&self, place: Place<'l>) -> Option<Vec<String>> {
        let node = place.get("type")?.node;
        let name = |node: policy_compiler::source::Node<'_>| match node.kind() {
            Kind::Null => Some("null".to_owned()),
            _ => node.as_text().map(str::to_owned),
        };
        let known = ["null", "boolean", "integer", "number", "string", "array", "object"];
        let mut types: Vec<String> = match node.elements() {
            Some(list) => list.filter_map(name).collect(),
            None => name(node).into_iter().collect(),
        };
        types.retain(|name| known.contains(&name.as_str()));
        let nullable = place.get("nullable").and_then(|n| n.node.as_bool()) == Some(true);
        if types.is_empty() {
            return None;
        }
        if nullable && self.dialect == Dialect::Old {
            types.push("null".to_owned());
        }
        types.sort();
        types.dedup();
        Some(types)
    }

    fn format(&self, name: &str, out: &mut Map<String, Value>) {
        let whole = match name {
            "int8" => Some(("-128", "127")),
            "int16" => Some(("-32768", "32767")),
            "int32" => Some(("-2147483648", "2147483647")),
            "int64" => Some(("-9223372036854775808", "9223372036854775807")),
            "uint8" => Some(("0", "255")),
            "uint16" => Some(("0", "65535")),
            "uint32" => Some(("0", "4294967295")),
            "uint64" => Some(("0", "18446744073709551615")),
            "double-int" => Some(("-9007199254740991", "9007199254740991")),
            "sf-integer" => Some(("-999999999999999", "999999999999999")),
            "float" => Some(("-3.4028235677973366e38", "3.4028235677973366e38")),
            _ => None,
        };
        match whole {
            Some((least, most)) => {
                let number = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
                let range = json!({ "minimum": number(least), "maximum": number(most) });
                push_all_of(out, range);
            }
            None => drop(out.insert("format".to_owned(), json!(name))),
        }
    }

    fn children(&mut self, place: Place<'l>, out: &mut Map<String, Value>, names: &Names) {
        let new = self.dialect == Dialect::New;
        let properties = self.properties(place);
        if !properties.is_empty() {
            let mut table = Map::new();
            for (name, child) in properties {
                let value = self.member(child);
                table.insert(name, value);
            }
            out.insert("properties".to_owned(), Value::Object(table));
        }
        if let Some(table) = place.get("patternProperties").filter(|_| new)
            && self.enforced(place, "patternProperties")
        {
            let mut patterns = Map::new();
            for (member, node) in table.node.members().into_iter().flatten() {
                let value = self.member(table.with(node));
                patterns.insert(member.key.to_string(), value);
            }
            out.insert("patternProperties".to_owned(), Value::Object(patterns));
        }
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            let known = new || keyword == "additionalProperties";
            if let Some(child) = place.get(keyword).filter(|_| known)
                && self.enforced(place, keyword)
            {
                let value = self.member(child);
                out.insert(keyword.to_owned(), value);
            }
        }
        let mut single = vec!["items"];
        if new {
            single.extend(["contains", "unevaluatedItems", "propertyNames"]);
        }
        for keyword in single {
            if let Some(child) = place.get(keyword)
                && matches!(child.node.kind(), Kind::Object(_) | Kind::Bool(_))
                && self.enforced(place, keyword)
            {
                let value = self.schema(child, &Names::default());
                out.insert(keyword.to_owned(), value);
            }
        }
        if !new {
            return;
        }
        if let Some(list) = place.get("prefixItems") {
            let children: Vec<_> = list.node.elements().into_iter().flatten().collect();
            let children: Vec<Value> = children
                .into_iter()
                .map(|node| self.schema(list.with(node), &Names::default()))
                .collect();
            if !children.is_empty() {
                out.insert("prefixItems".to_owned(), json!(children));
            }
        }
        if let Some(table) = place.get("dependentRequired") {
            out.insert("dependentRequired".to_owned(), json_of(table.node));
        }
        if let Some(table) = place.get("dependentSchemas") {
            let mut schemas = Map::new();
            for (member, node) in table.node.members().into_iter().flatten() {
                let value = self.schema(table.with(node), names);
                schemas.insert(member.key.to_string(), value);
            }
            out.insert("dependentSchemas".to_owned(), Value::Object(schemas));
        }
    }

    /// The schema of a property: none may be sent where it is read-only.
    fn member(&mut self, place: Place<'l>) -> Value {
        if self.is_read_only(place) {
            return Value::Bool(false);
        }
        self.schema(place, &Names::default())
    }

    fn compositions(&mut self, place: Place<'l>, out: &mut Map<String, Value>, names: &Names) {
        let list = |keyword: &str| -> Vec<Place<'l>> {
            let Some(list) = place.get(keyword) else { return Vec::new() };
            list.node.elements().into_iter().flatten().map(|node| list.with(node)).collect()
        };
        for child in list("allOf") {
            let schema = self.schema(child, names);
            push_all_of(out, schema);
        }
        if let Some(property) = place.get("discriminator").and_then(|d| d.node.as_str())
            && self.dialect == Dialect::Old
            && self.enforced(place, "discriminator")
        {
            let names = self.descendants(place);
            push_all_of(out, json!({ "properties": { property: { "enum": names } } }));
        }
        let tagged = self.discriminated(place);
        for keyword in ["oneOf", "anyOf"] {
            let branches = list(keyword);
            if branches.is_empty() {
                continue;
            }
            let schemas: Vec<Value> =
                branches.iter().map(|branch| self.schema(*branch, names)).collect();
            let plain = json!({ keyword: schemas });
            match &tagged {
                Some((of, name, tags)) if *of == keyword => {
                    let chosen: Vec<Value> = tags
                        .iter()
                        .map(|(value, branch)| {
                            json!({ "if": { "properties": { name: { "const": value } } }, "then": schemas[*branch] })
                        })
                        .collect();
                    let values: Vec<&String> = tags.keys().collect();
                    push_all_of(
                        out,
                        json!({
                            "if": { "type": "object" },
                            "then": {
                                "required": [name],
                                "properties": { name: { "enum": values } },
                                "allOf": chosen,
                            },
                            "else": plain,
                        }),
                    );
                }
                _ => push_all_of(out, plain),
            }
        }
        if let Some(child) = place.get("not") {
            let schema = self.schema(child, names);
            push_all_of(out, json!({ "not": schema }));
        }
        if self.dialect == Dialect::New
            && let Some(condition) = place.get("if")
        {
            let mut parts = Map::new();
            parts.insert("if".to_owned(), self.schema(condition, names));
            for keyword in ["then", "else"] {
                if let Some(child) = place.get(keyword) {
                    parts.insert(keyword.to_owned(), self.schema(child, names));
                }
            }
            // Beside the other keywords, for what they evaluate counts for `unevaluatedProperties`.
            out.extend(parts);
        }
    }

    /// Of Swagger 2.0: the names of the definitions from which `allOf` leads to a definition, its own included.
    fn descendants(&self, ancestor: Place<'l>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for document in self.library.documents() {
            let root = Place { document, node: self.library.tree(document).root() };
            let table = root.get("definitions").unwrap_or(root);
            for (member, node) in table.node.members().into_iter().flatten() {
                let (mut open, mut seen) = (vec![table.with(node)], HashSet::new());
                while let Some(at) = open.pop() {
                    if !seen.insert(at.key()) {
                        continue;
                    }
                    if at.key() == ancestor.key() {
                        names.insert(member.key.to_string());
                        let wire = self.settled(table.with(node)).get("x-ms-discriminator-value");
                        names.extend(wire.and_then(|at| at.node.as_str()).map(str::to_owned));
                    }
                    open.extend(self.always(at));
                }
            }
        }
        names
    }

    /// Which union a discriminator decides, its property, and the branch of each value; `None` where it does not
    /// name every branch.
    fn discriminated(
        &self,
        place: Place<'l>,
    ) -> Option<(&'static str, String, BTreeMap<String, usize>)> {
        let discriminator = place.get("discriminator")?;
        let name = discriminator.get("propertyName")?.node.as_str()?.to_owned();
        let keyword = ["oneOf", "anyOf"].into_iter().find(|k| place.get(k).is_some())?;
        let list = place.get(keyword)?;
        let branches: Vec<Place<'l>> = list.node.elements()?.map(|node| list.with(node)).collect();
        let settled: Vec<_> = branches.iter().map(|branch| self.settled(*branch).key()).collect();
        let mut tags: BTreeMap<String, usize> = BTreeMap::new();
        let mapping = discriminator.get("mapping");
        for (member, node) in mapping.and_then(|m| m.node.members()).into_iter().flatten() {
            let Some(text) = node.as_text() else { continue };
            let root =
                Place { document: place.document, node: self.library.tree(place.document).root() };
            let component =
                root.get("components").and_then(|c| c.get("schemas")).and_then(|s| s.get(text));
            let target = component.or_else(|| self.library.resolve(place, text).ok());
            let Some(target) = target.map(|target| self.settled(target).key()) else { continue };
            if let Some(branch) = settled.iter().position(|key| *key == target) {
                tags.entry(member.key.to_string()).or_insert(branch);
            }
        }
        for (i, branch) in branches.iter().enumerate() {
            let Some(text) = branch.get("$ref").and_then(|r| r.node.as_str()) else { continue };
            let Some(last) = text.rsplit(['/', '#']).next() else { continue };
            let file = last.split('.').next().unwrap_or(last);
            let implicit = if text.contains('#') { last } else { file };
            tags.entry(implicit.to_owned()).or_insert(i);
        }
        let named: BTreeSet<usize> = tags.values().copied().collect();
        (named.len() == branches.len()).then_some((keyword, name, tags))
    }
}

fn push_all_of(out: &mut Map<String, Value>, schema: Value) {
    match out.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(list) => list.push(schema),
        other => *other = json!([schema]),
    }
}

/// A node as JSON; numbers that no float holds become strings.
fn json_of(node: policy_compiler::source::Node<'_>) -> Value {
    let text = policy_compiler::examples::to_json(&node.to_value());
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Judges values by translated schemas.
pub struct Oracle {
    registry: Registry<'static>,
    validators: HashMap<usize, Result<Rc<Validator>, String>>,
}

impl Oracle {
    /// An oracle over a finished translation.
    ///
    /// # Errors
    /// Where `jsonschema` does not take the translation.
    pub fn new(schemas: Value) -> Result<Self, String> {
        let registry = Registry::new()
            .add(URI, schemas)
            .and_then(|builder| builder.prepare())
            .map_err(|error| error.to_string())?;
        Ok(Oracle { registry, validators: HashMap::new() })
    }

    /// The validator of a schema, by its number.
    ///
    /// # Errors
    /// Where `jsonschema` does not take the schema.
    pub fn validator(&mut self, number: usize) -> Result<Rc<Validator>, String> {
        if let Some(known) = self.validators.get(&number) {
            return known.clone();
        }
        // Keeping every validator of a large document would keep gigabytes.
        if self.validators.len() >= 16 {
            self.validators.clear();
        }
        let built = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_registry(&self.registry)
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_keyword("contentEncoding", content::encoding)
            .with_keyword("contentMediaType", content::media_type)
            .with_format("byte", is_base64)
            .with_format("decimal", is_decimal)
            .with_format("base64url", |text: &str| {
                text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
            })
            .with_format("date-time-local", |text: &str| is_local(text, 'T'))
            .with_format("time-local", |text: &str| is_local(text, ':'))
            .with_format("char", |text: &str| text.chars().count() == 1)
            .with_format("int64", |text: &str| is_whole(text) && text.parse::<i64>().is_ok())
            .with_format("uint64", |text: &str| is_whole(text) && text.parse::<u64>().is_ok())
            .build(&json!({ "$ref": format!("{URI}#/$defs/{number}") }))
            .map(Rc::new)
            .map_err(|error| error.to_string());
        self.validators.insert(number, built.clone());
        built
    }
}

/// A date and time, or a time, without an offset: what has one behind a `Z` is none of them.
fn is_local(text: &str, mark: char) -> bool {
    let of = if mark == 'T' { "date-time" } else { "time" };
    let whole = json!(format!("{text}Z"));
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&json!({ "format": of }))
        .is_ok_and(|validator| validator.is_valid(&whole))
}

/// RFC 4648 section 4, padded.
fn is_base64(text: &str) -> bool {
    let bytes = text.as_bytes();
    let body = text.trim_end_matches('=').as_bytes();
    bytes.len().is_multiple_of(4)
        && bytes.len() - body.len() <= 2
        && body.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// OpenAPI's format registry: a fixed-point decimal number of any precision; an exact numeric literal of SQL with an
/// optional sign, which may lack the digits before or behind its point.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
