//! policy.schema.json and the table of POLICY.md, from the [shape](super::shape).

use serde_json::{Map, Value, json};

use super::shape::{Field, POLICY, Shape, flatten};

/// The JSON Schema of policy.yaml, as text with a final newline.
pub fn json_schema() -> String {
    let mut schema = object(POLICY);
    if let Value::Object(map) = &mut schema {
        map.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".into(), json!("Portcullis policy, version 1"));
    }
    // Serialising a JSON value cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

// The shape is a constant of small depth.
fn object(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut value = shape(field.shape);
        if let Value::Object(map) = &mut value {
            let mut about = field.about.to_owned();
            if !field.default.is_empty() {
                about.push_str(&format!("; default: {}", field.default));
            }
            map.insert("description".into(), json!(about));
        }
        properties.insert(field.name.to_owned(), value);
    }
    let required: Vec<_> = fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    let mut schema = json!({
        "type": "object", "additionalProperties": false, "properties": properties,
    });
    if let Value::Object(map) = &mut schema {
        if !required.is_empty() {
            map.insert("required".into(), json!(required));
        }
        if fields.iter().any(|f| f.name == "operation_id") {
            let one = json!([{"required": ["match"]}, {"required": ["operation_id"]}]);
            map.insert("oneOf".into(), one);
        }
    }
    schema
}

fn shape(of: Shape) -> Value {
    match of {
        Shape::Version => json!({"const": 1}),
        Shape::Text => json!({"type": ["string", "number", "boolean"], "minLength": 1}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Size(max) => json!({
            "type": ["integer", "string"], "minimum": 1, "maximum": max,
            "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|kB|MB|GB)?$",
        }),
        Shape::Count(max) => json!({"type": "integer", "minimum": 1, "maximum": max}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::List(element, filled) => {
            let mut list = json!({"type": "array", "items": shape(*element)});
            if let (true, Value::Object(map)) = (filled, &mut list) {
                map.insert("minItems".into(), json!(1));
            }
            list
        }
        Shape::Object(fields) => object(fields),
        Shape::Named(fields) => json!({"type": "object", "additionalProperties": object(fields)}),
    }
}

/// The table of POLICY.md, one row a field.
pub fn markdown_table() -> String {
    let mut table = String::from("| field | value | default | meaning |\n|---|---|---|---|\n");
    for (path, field) in flatten() {
        let default = match (field.required, field.default) {
            (true, _) => "required".to_owned(),
            (false, "") => String::new(),
            (false, text) => text.to_owned(),
        };
        let row = format!("| `{path}` | {} | {default} | {} |\n", words(field.shape), field.about);
        table.push_str(&row);
    }
    table
}

fn words(shape: Shape) -> String {
    match shape {
        Shape::Version => "`1`".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Bool => "`true`, `false`".to_owned(),
        Shape::Size(max) => format!("size, at most {}", super::size::show(max)),
        Shape::Count(max) => format!("number, 1 to {max}"),
        Shape::Choice(words) => format!("`{}`", words.join("`, `")),
        Shape::List(element, _) => match element {
            Shape::Object(_) => "list of objects".to_owned(),
            element => format!("list of {}", words(*element)),
        },
        Shape::Object(_) => "object".to_owned(),
        Shape::Named(_) => "objects by name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test -p policy-compiler` rewrites what is made from the shape.
    fn compare(path: &str, expected: &str) {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap();
        assert!(found == expected, "{path} is not what the shape of the policy says");
    }

    #[test]
    fn the_schema_for_editors_is_up_to_date() {
        compare("policy.schema.json", &json_schema());
    }

    #[test]
    fn the_page_has_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/POLICY.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once("<!-- fields -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        let table = markdown_table();
        let expected = format!("{before}<!-- fields -->\n{table}<!-- end -->{after}");
        compare("POLICY.md", &expected);
    }
}
