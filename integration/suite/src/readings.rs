//! What text can be taken for: in parameters and forms, `5` is a number or a string as the schema has it.

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
