//! What text can say: a piece of text has no type of its own.

use jsonschema::Validator;
use policy_compiler::examples::to_json;
use policy_compiler::ir::{Number, Value as Exact};
use serde_json::Value;

/// Whether the place at a pointer is written as text.
type IsText<'t> = &'t dyn Fn(&str) -> bool;

/// A value written as text, read back in every plain way: as it was, every scalar of text as a string, every one as what
/// it looks like, and, where text is the whole, as a list of one or of what commas divide.
pub fn readings(value: &Value, is_text: IsText<'_>) -> Vec<Value> {
    let mut all = vec![value.clone()];
    for other in [leaves(value, "", is_text, &as_string), leaves(value, "", is_text, &as_other)] {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    if !is_text("") {
        return all;
    }
    // One piece of text is a list of one, and may be a list of what commas divide.
    let pieces =
        |text: &str| -> Value { text.split(',').map(|p| Value::String(p.to_owned())).collect() };
    match value {
        Value::String(text) => {
            for list in [Value::Array(vec![value.clone()]), pieces(text)] {
                let other = leaves(&list, "", &|_| true, &as_other);
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

/// Whether text can be read so that it is valid: each place as a string, as what it looks like, or as a list of one, by
/// what leaves the fewest errors.
pub fn best_reading(validator: &Validator, value: &Value, is_text: IsText<'_>) -> bool {
    let errors = |value: &Value| validator.iter_errors(value).take(200).count();
    let mut best = value.clone();
    let mut least = errors(&best);
    let mut places = Vec::new();
    scalars(value, "", is_text, &mut places);
    for place in places.iter().take(60) {
        if least == 0 {
            break;
        }
        let Some(leaf) = value.pointer(place) else { continue };
        let mut ways = vec![as_string(leaf), as_other(leaf)];
        ways.extend(ways.clone().into_iter().map(|one| Value::Array(vec![one])));
        for way in ways {
            let mut with = best.clone();
            if let Some(there) = with.pointer_mut(place) {
                *there = way;
            }
            let left = errors(&with);
            if left < least {
                (least, best) = (left, with);
            }
        }
    }
    least == 0
}

/// The pointers of all scalars of text.
fn scalars(value: &Value, at: &str, is_text: IsText<'_>, all: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                scalars(item, &format!("{at}/{i}"), is_text, all);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                scalars(value, &format!("{at}/{token}"), is_text, all);
            }
        }
        _ if is_text(at) => all.push(at.to_owned()),
        _ => {}
    }
}

fn leaves(value: &Value, at: &str, is_text: IsText<'_>, change: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(i, item)| leaves(item, &format!("{at}/{i}"), is_text, change)).collect()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let token = name.replace('~', "~0").replace('/', "~1");
                (name.clone(), leaves(value, &format!("{at}/{token}"), is_text, change))
            })
            .collect(),
        one if is_text(at) => change(one),
        one => one.clone(),
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

/// As [`readings`], of exact values: every scalar of text as a string, and every one as what it looks like.
pub fn exact_readings(value: &Exact, is_text: IsText<'_>) -> Vec<Exact> {
    fn leaves(
        value: &Exact,
        at: &str,
        is_text: IsText<'_>,
        change: &dyn Fn(&Exact) -> Exact,
    ) -> Exact {
        match value {
            Exact::Array(items) => {
                let items = items.iter().enumerate();
                let item = |(i, item)| leaves(item, &format!("{at}/{i}"), is_text, change);
                Exact::Array(items.map(item).collect())
            }
            Exact::Object(members) => {
                let member = |(name, value): &(String, Exact)| {
                    let token = name.replace('~', "~0").replace('/', "~1");
                    (name.clone(), leaves(value, &format!("{at}/{token}"), is_text, change))
                };
                Exact::Object(members.iter().map(member).collect())
            }
            one if is_text(at) => change(one),
            one => one.clone(),
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
    vec![leaves(value, "", is_text, &as_string), leaves(value, "", is_text, &as_other)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_has_several_readings() {
        let all = |value: Value| readings(&value, &|_| true);
        assert_eq!(all(json!([5, "x"])), [json!([5, "x"]), json!(["5", "x"])]);
        assert_eq!(all(json!("true"))[..2], [json!("true"), json!(true)]);
        assert!(all(json!("a,b")).contains(&json!(["a", "b"])));
        assert!(all(json!(5)).contains(&json!([5])));
    }

    #[test]
    fn json_within_text_tells_its_types() {
        let value = json!({ "a": { "b": 5 }, "c": 5 });
        let all = readings(&value, &|at| !at.starts_with("/a/"));
        assert_eq!(all, [value, json!({ "a": { "b": 5 }, "c": "5" })]);
    }

    #[test]
    fn fields_are_read_one_by_one() {
        let schema = json!({ "properties": {
            "list": { "type": "array", "items": { "type": "integer" } },
            "flag": { "type": "string" },
        } });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let good = json!({ "list": "5", "flag": true });
        assert!(best_reading(&validator, &good, &|_| true));
        let bad = json!({ "list": "five", "flag": true });
        assert!(!best_reading(&validator, &bad, &|_| true));
    }
}
