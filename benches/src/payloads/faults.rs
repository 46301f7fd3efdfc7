//! What makes a body invalid: one fault each, of a kind that rotates through the corpus.

use super::json::{Json, Shape};

/// Writes `tree` with the fault number `kind` in it.
pub fn write_broken(tree: &mut Json, kind: usize, shape: Shape) -> Vec<u8> {
    const SYNTAX: [fn(&mut Vec<u8>); 4] = [
        |text| text.truncate(text.len() - 1),
        |text| text.extend_from_slice(b" ,"),
        |text| replace_last(text, b'"', b'\''),
        |text| replace_last(text, b':', b';'),
    ];
    const FAULTS: [fn(&mut Json); 10] = [
        |object| remove_member(object, 1),
        |object| add_member(object, "unknownField", Json::text("x")),
        |object| *last_text(object) = Json::raw(17),
        |object| *last_text(object) = Json::raw("true"),
        |object| *last_text(object) = Json::List(vec![]),
        |object| {
            break_field(object, &["amount", "creationDateTime", "created"], Json::text("1,00"))
        },
        |object| break_field(object, &["messageId", "id", "transactionId"], Json::text("no id!")),
        |object| break_field(object, &["debtor", "holder", "status"], Json::raw("null")),
        |object| break_field(object, &["endToEndId", "created", "bookingDateTime"], Json::text("")),
        |object| {
            break_field(
                object,
                &["requestedExecutionDate", "id", "creditDebitIndicator"],
                Json::text("2026-13-41"),
            )
        },
    ];
    let (rounds, index) =
        (kind / (FAULTS.len() + SYNTAX.len()), kind % (FAULTS.len() + SYNTAX.len()));
    if let Some(fault) = FAULTS.get(index) {
        fault(target(tree, rounds));
        return tree.write(shape);
    }
    let mut text = tree.write(shape);
    SYNTAX[index - FAULTS.len()](&mut text);
    text
}

/// The object to break: the body itself, or in a list one of its transactions.
fn target(tree: &mut Json, rounds: usize) -> &mut Json {
    if tree.member("data").is_none() {
        return tree;
    }
    let list = tree.member("data").and_then(|data| data.member("transaction"));
    let Some(Json::List(items)) = list else { unreachable!("a list of transactions") };
    let at = (items.len() * 2 / 3 + rounds) % items.len();
    &mut items[at]
}

fn remove_member(object: &mut Json, at: usize) {
    if let Some(members) = object.members() {
        members.remove(at);
    }
}

fn add_member(object: &mut Json, name: &str, value: Json) {
    if let Some(members) = object.members() {
        members.push((name.to_owned(), value));
    }
}

/// The last string of an object that is not free to be null: its own or a nested one's.
fn last_text(object: &mut Json) -> &mut Json {
    let Json::Object(members) = object else { unreachable!("an object") };
    let found = members.iter_mut().rev().map(|(_, value)| value);
    let mut found = found.filter(|value| matches!(value, Json::Text(_)));
    found.next().unwrap_or_else(|| unreachable!("every object has a string"))
}

fn break_field(object: &mut Json, names: &[&str], value: Json) {
    for name in names {
        if let Some(field) = object.member(name) {
            *field = value;
            return;
        }
    }
}

fn replace_last(text: &mut [u8], from: u8, to: u8) {
    if let Some(at) = text.iter().rposition(|&byte| byte == from) {
        text[at] = to;
    }
}
