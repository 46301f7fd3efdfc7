//! What text can be taken for: in parameters and forms, `5` is a number or a string as the schema has it.

use policy_compiler::examples::to_json;
use policy_compiler::ir::{Number, Value as Exact};
use serde_json::Value;

/// The values that a value can be taken for once it is written as text: itself, every leaf as a string, every leaf
/// that can be one as a number, boolean or null.
pub fn readings(value: &Value) -> Vec<Value> {
    let mut all = vec![value.clone()];
    for other in [leaves(value, &as_string), leaves(value, &as_other)] {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    // One piece of text is a list of one, and may be a list of what commas divide.
    let pieces =
        |text: &str| -> Value { text.split(',').map(|p| Value::String(p.to_owned())).collect() };
    match value {
        Value::String(text) => {
            for list in [Value::Array(vec![value.clone()]), pieces(text)] {
                let other = leaves(&list, &as_other);
                all.extend(
                    [list, other]
                        .into_iter()
                        .filter(|list| !all.contains(list))
                        .collect::<Vec<_>>(),
                );
            }
        }
        Value::Array(_) | Value::Object(_) => {}
        one => all.push(Value::Array(vec![one.clone()])),
    }
    all
}

fn leaves(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| leaves(item, change)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), leaves(value, change))).collect()
        }
        one => change(one),
    }
}

fn as_string(leaf: &Value) -> Value {
    match leaf {
        Value::String(_) => leaf.clone(),
        other => Value::String(other.to_string()),
    }
}

fn as_other(leaf: &Value) -> Value {
    match leaf {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => value,
            _ => leaf.clone(),
        },
        other => other.clone(),
    }
}

/// As [`readings`], of exact values.
pub fn exact_readings(value: &Exact) -> Vec<Exact> {
    fn leaves(value: &Exact, change: &dyn Fn(&Exact) -> Exact) -> Exact {
        match value {
            Exact::Array(items) => Exact::Array(items.iter().map(|i| leaves(i, change)).collect()),
            Exact::Object(members) => Exact::Object(
                members.iter().map(|(n, value)| (n.clone(), leaves(value, change))).collect(),
            ),
            one => change(one),
        }
    }
    let as_string = |leaf: &Exact| match leaf {
        Exact::String(_) => leaf.clone(),
        other => Exact::String(to_json(other)),
    };
    let as_other = |leaf: &Exact| match leaf {
        Exact::String(text) => match text.as_str() {
            "true" => Exact::Bool(true),
            "false" => Exact::Bool(false),
            "null" => Exact::Null,
            text => Number::parse(text).map_or_else(|| leaf.clone(), Exact::Number),
        },
        other => other.clone(),
    };
    vec![leaves(value, &as_string), leaves(value, &as_other)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_has_several_readings() {
        assert_eq!(readings(&json!([5, "x"])), [json!([5, "x"]), json!(["5", "x"])]);
        assert_eq!(readings(&json!("true"))[..2], [json!("true"), json!(true)]);
        assert!(readings(&json!("a,b")).contains(&json!(["a", "b"])));
        assert!(readings(&json!(5)).contains(&json!([5])));
    }
}
