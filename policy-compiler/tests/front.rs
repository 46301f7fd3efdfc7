//! Golden cases of the front end: each file of `tests/cases/front` holds input files and the whole
//! output, diagnostics and model. `UPDATE=1 cargo test -p policy-compiler --test front` rewrites
//! the outputs; look at the difference before committing it.
//!
//! A case is text: `--- PATH` starts an input file, `=== diagnostics`, `=== model` and
//! `=== report` the outputs (the report only where the case has that section). `=== lowering` is there
//! instead of the model and the report where the case is about what compiling tells beyond the front end.
//! The first input file is the policy if it is named `policy.yaml`, otherwise the document.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use policy_compiler::diag::{Diagnostics, render_text};
use policy_compiler::ir::{
    Model, Operation, ParameterValue, Schema, SchemaId, Template, TypeSet, Usage, Value,
};
use policy_compiler::load::{Loaded, load_documents, load_policy};
use policy_compiler::report::Recorder;
use policy_compiler::source::Memory;
use policy_compiler::{Input, Release, compile};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/front");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "the cases are gone");
    let failed: Vec<String> = paths.iter().filter_map(|path| run(path)).collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// Cut and damaged input is refused or read, but never makes anything panic.
#[test]
fn damaged_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/front");
    let mut seen = 0;
    for name in ["schema-3.0.case", "composition.case", "policy.case", "texts.case"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let case = Case::parse(&text);
        for (i, (_, content)) in case.inputs.iter().enumerate() {
            for at in (0..content.len()).step_by(11).filter(|at| content.is_char_boundary(*at)) {
                let rest = content[at..].chars().skip(1).collect::<String>();
                for damaged in [
                    content[..at].to_owned(),
                    format!("{}{rest}", &content[..at]),
                    format!("{}[{rest}", &content[..at]),
                    format!("{}: &a *a{rest}", &content[..at]),
                ] {
                    let mut inputs = case.inputs.clone();
                    inputs[i].1 = damaged;
                    let sources = Memory::new(inputs.iter().map(|(p, t)| (p.as_str(), t.as_str())));
                    let first = inputs[0].0.as_str();
                    let loaded = match first {
                        "policy.yaml" => load_policy(&sources, first),
                        _ => load_documents(&sources, &[first.to_owned()]),
                    };
                    render_text(&loaded.diagnostics, &loaded.files, false);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

/// Runs one case; what is wrong, if anything.
fn run(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let case = Case::parse(&text);
    let first = case.inputs[0].0.as_str();
    let sources = Memory::new(case.inputs.iter().map(|(p, t)| (p.as_str(), t.as_str())));
    let loaded = match first {
        "policy.yaml" => load_policy(&sources, first),
        _ => load_documents(&sources, &[first.to_owned()]),
    };
    let mut outputs = BTreeMap::new();
    outputs.insert("1 diagnostics", render_text(&loaded.diagnostics, &loaded.files, false));
    if case.lowering {
        outputs.insert("4 lowering", lowering(&sources, first, &loaded));
    } else {
        outputs.insert("2 model", model(&loaded.model));
    }
    if case.report {
        outputs.insert("3 report", report(&loaded));
    }
    let mut expected = case.head.clone();
    for (name, output) in outputs {
        let _ = write!(expected, "=== {}\n{}", &name[2..], output);
        if !output.is_empty() && !output.ends_with('\n') {
            expected.push('\n');
        }
    }
    if expected == text {
        return None;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, expected).unwrap();
        return None;
    }
    let line = expected.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = line.unwrap_or(expected.lines().count().min(text.lines().count()));
    Some(format!(
        "{}:{}: expected\n  {}\nbut the compiler says\n  {}",
        path.display(),
        line + 1,
        text.lines().nth(line).unwrap_or("(the end)"),
        expected.lines().nth(line).unwrap_or("(the end)"),
    ))
}

struct Case {
    inputs: Vec<(String, String)>,
    /// Everything before the outputs.
    head: String,
    report: bool,
    lowering: bool,
}

/// What the whole compiler tells that the front end does not.
fn lowering(sources: &Memory, first: &str, loaded: &Loaded) -> String {
    let input = match first {
        "policy.yaml" => Input::Policy(first.to_owned()),
        _ => Input::Documents(vec![first.to_owned()]),
    };
    let output = compile(sources, &input, &Release::default());
    let mut later = Diagnostics::default();
    let known: Vec<String> =
        loaded.diagnostics.sorted().iter().map(|it| format!("{it:?}")).collect();
    for diagnostic in output.diagnostics.sorted() {
        if !known.contains(&format!("{diagnostic:?}")) {
            later.push(diagnostic.clone());
        }
    }
    render_text(&later, &output.files, false)
}

impl Case {
    fn parse(text: &str) -> Self {
        let end = text.find("=== diagnostics").unwrap_or(text.len());
        let (head, outputs) = text.split_at(end);
        let mut inputs: Vec<(String, String)> = Vec::new();
        for line in head.split_inclusive('\n') {
            match (line.strip_prefix("--- "), inputs.last_mut()) {
                (Some(path), _) => inputs.push((path.trim().to_owned(), String::new())),
                (None, Some((_, content))) => content.push_str(line),
                (None, None) => {}
            }
        }
        assert!(!inputs.is_empty(), "a case without input");
        let (report, lowering) = (outputs.contains("=== report"), outputs.contains("=== lowering"));
        Self { inputs, head: head.to_owned(), report, lowering }
    }
}

fn model(model: &Model) -> String {
    let mut out = String::new();
    for api in &model.apis {
        let _ =
            writeln!(out, "api {} hosts {:?} mode {:?}", api.name, api.hosts, api.settings.mode);
        for op in &api.operations {
            operation(&mut out, op);
        }
        for webhook in &api.webhooks {
            let _ = writeln!(out, "  webhook {}", webhook.name);
        }
        for scheme in &api.security_schemes {
            let _ = writeln!(out, "  scheme {} {:?}", scheme.name, scheme.kind);
        }
    }
    for (id, s) in model.schemas.iter() {
        let at = model.locate(s.origin);
        let _ = writeln!(out, "#{} {}{} {}", id.0, at.path, at.pointer, schema(s));
    }
    for ignored in &model.ignored {
        let at = model.locate(ignored.origin);
        let _ = writeln!(out, "ignored {} {}: {}", ignored.construct, at.pointer, ignored.reason);
    }
    out
}

fn operation(out: &mut String, op: &Operation) {
    let bases: Vec<&str> = op.base_paths.iter().map(|b| b.value.path.as_str()).collect();
    let id = op.id.as_ref().map_or("-", |id| id.value.as_str());
    let _ =
        writeln!(out, "  {} {} id {id} bases {bases:?}", op.method.name(), segments(&op.template));
    if let Some(sent) = &op.sent {
        let _ = writeln!(out, "    sent by {} to {:?}", sent.value, op.hosts);
    }
    if op.settings != Default::default() {
        let s = &op.settings;
        let _ =
            writeln!(out, "    mode {:?} body {} depth {}", s.mode, s.limits.body, s.limits.depth);
    }
    for p in &op.parameters {
        let required = if p.required.value { " required" } else { "" };
        let explode = if p.explode.value { " explode" } else { "" };
        let _ = writeln!(
            out,
            "    {} {} {}{explode}{required} {}",
            p.location.name(),
            p.name,
            p.style.value.name(),
            value(&p.value)
        );
    }
    if let Some(body) = &op.request_body {
        let required = if body.required.value { " required" } else { "" };
        let media: Vec<_> = body.content.iter().map(|m| media(&m.text, m.schema)).collect();
        let _ = writeln!(out, "    body{required} {}", media.join(" "));
    }
    for r in &op.responses {
        let media: Vec<_> = r.content.iter().map(|m| media(&m.text, m.schema)).collect();
        let headers: Vec<_> = r.headers.iter().map(|h| h.name.as_str()).collect();
        let _ = writeln!(out, "    {:?} headers {headers:?} {}", r.status, media.join(" "));
    }
    for s in &op.security {
        let names: Vec<_> = s.schemes.iter().map(|(name, _)| name.as_str()).collect();
        let _ = writeln!(out, "    security {names:?}");
    }
    for c in &op.callbacks {
        let _ = writeln!(out, "    callback {}", c.value);
    }
}

fn segments(template: &Template) -> String {
    format!("{} {:?}", template.text, template.shape())
}

fn media(text: &str, schema: Option<policy_compiler::ir::At<SchemaId>>) -> String {
    format!("{text}:{}", schema.map_or("-".to_owned(), |s| format!("#{}", s.value.0)))
}

fn value(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Schema(id) => format!("#{}", id.0),
        ParameterValue::Content(m) => media(&m.text, m.schema),
        ParameterValue::Any => "any".to_owned(),
    }
}

fn schema(s: &Schema) -> String {
    let mut w: Vec<String> = Vec::new();
    let one = |name: &str, id: Option<policy_compiler::ir::At<SchemaId>>| {
        id.map(|id| format!("{name}:#{}", id.value.0))
    };
    let many = |name: &str, ids: &Option<policy_compiler::ir::At<Vec<SchemaId>>>| {
        let list =
            |ids: &Vec<SchemaId>| ids.iter().map(|id| format!("#{}", id.0)).collect::<Vec<_>>();
        ids.as_ref().map(|ids| format!("{name}:[{}]", list(&ids.value).join(" ")))
    };
    w.extend(s.boolean.map(|b| b.to_string()));
    w.extend(one("$ref", s.reference));
    w.extend(s.unresolved.as_ref().map(|u| format!("unresolved {}", u.value)));
    w.extend(s.dynamic_reference.as_ref().map(|d| {
        format!("$dynamicRef:#{}/{}", d.value.schema.0, d.value.anchor.as_deref().unwrap_or("-"))
    }));
    w.extend(s.types.map(|t| types(t.value)));
    w.extend(
        s.enumeration.as_ref().map(|e| format!("enum{}", json(&Value::Array(e.value.clone())))),
    );
    w.extend(s.constant.as_ref().map(|c| format!("const={}", json(&c.value))));
    let (n, t, a, o, p) = (&*s.number, &*s.string, &*s.array, &*s.object, &*s.applied);
    for (name, bound) in [
        (">=", &n.minimum),
        (">", &n.exclusive_minimum),
        ("<=", &n.maximum),
        ("<", &n.exclusive_maximum),
        ("multipleOf=", &n.multiple_of),
    ] {
        w.extend(bound.as_ref().map(|b| format!("{name}{}", b.value.as_str())));
    }
    for (name, count) in [
        ("minLength", t.min_length),
        ("maxLength", t.max_length),
        ("minItems", a.min_items),
        ("maxItems", a.max_items),
        ("minContains", a.min_contains),
        ("maxContains", a.max_contains),
        ("minProperties", o.min_properties),
        ("maxProperties", o.max_properties),
    ] {
        w.extend(count.map(|c| format!("{name}={}", c.value)));
    }
    for (name, text) in
        [("pattern", &t.pattern), ("format", &t.format), ("contentEncoding", &t.content_encoding)]
    {
        w.extend(text.as_ref().map(|t| format!("{name}={}", t.value)));
    }
    w.extend(a.unique_items.map(|u| format!("uniqueItems={}", u.value)));
    w.extend(one("items", a.items));
    w.extend(many("prefixItems", &a.prefix_items));
    w.extend(one("contains", a.contains));
    w.extend(one("unevaluatedItems", a.unevaluated_items));
    for (name, table) in [
        ("properties", &o.properties),
        ("patternProperties", &o.pattern_properties),
        ("dependentSchemas", &o.dependent_schemas),
    ] {
        w.extend(table.as_ref().map(|table| {
            let entry = |p: &policy_compiler::ir::Property| format!("{}:#{}", p.name, p.schema.0);
            let entries: Vec<_> = table.value.iter().map(entry).collect();
            format!("{name}{{{}}}", entries.join(" "))
        }));
    }
    w.extend(o.required.as_ref().map(|r| {
        let names: Vec<_> = r.value.iter().map(|n| n.value.as_str()).collect();
        format!("required[{}]", names.join(" "))
    }));
    w.extend(o.dependent_required.as_ref().map(|d| {
        let entries: Vec<_> =
            d.value.iter().map(|e| format!("{}:{:?}", e.name, e.required)).collect();
        format!("dependentRequired{{{}}}", entries.join(" "))
    }));
    w.extend(one("additionalProperties", o.additional_properties));
    w.extend(one("propertyNames", o.property_names));
    w.extend(one("unevaluatedProperties", o.unevaluated_properties));
    w.extend(many("allOf", &p.all_of));
    w.extend(many("anyOf", &p.any_of));
    w.extend(many("oneOf", &p.one_of));
    for (name, id) in [("not", p.not), ("if", p.if_), ("then", p.then), ("else", p.else_)] {
        w.extend(one(name, id));
    }
    w.extend(p.discriminator.as_ref().map(|d| {
        let entries: Vec<_> = d
            .value
            .mapping
            .iter()
            .map(|m| {
                let how = if m.explicit { "" } else { " implicit" };
                format!("{}:#{}@{:?}{how}", m.value, m.schema.0, m.branch)
            })
            .collect();
        format!("discriminator {}{{{}}}", d.value.property.value, entries.join(", "))
    }));
    for (name, flag) in [("readOnly", s.read_only), ("writeOnly", s.write_only)] {
        w.extend(flag.filter(|f| f.value).map(|_| name.to_owned()));
    }
    for unknown in &s.unknown {
        w.push(format!("unknown {}", unknown.value));
    }
    for (usage, name) in [
        (Usage::REQUEST_BODY, "body"),
        (Usage::PARAMETER, "parameter"),
        (Usage::RESPONSE, "response"),
        (Usage::CALLBACK, "callback"),
    ] {
        if s.usage.intersects(usage) {
            w.push(format!("@{name}"));
        }
    }
    w.join(" ")
}

fn types(set: TypeSet) -> String {
    set.iter().map(|t| t.name()).collect::<Vec<_>>().join("|")
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.as_str().to_owned(),
        Value::String(s) => format!("{s:?}"),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let entries: Vec<_> =
                members.iter().map(|(k, v)| format!("{k:?}:{}", json(v))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// What the report says when nobody records anything.
fn report(loaded: &Loaded) -> String {
    let report = Recorder::default().finish(&loaded.model, &loaded.inventory);
    let mut out = String::new();
    for line in &report.constructs {
        let _ = writeln!(
            out,
            "{}:{} {} {}: {}",
            line.document, line.line, line.pointer, line.construct, line.reason
        );
    }
    let _ = writeln!(out, "unreferenced {}", report.summary.unreferenced);
    out
}
