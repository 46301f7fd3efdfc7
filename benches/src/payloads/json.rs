//! A JSON tree that keeps key order and can be written in several hostile shapes.

/// A JSON value; numbers and literals are kept as their text.
#[derive(Clone, Debug)]
pub enum Json {
    /// A number, `true`, `false` or `null`, verbatim.
    Raw(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in writing order.
    Object(Vec<(String, Json)>),
}

/// How a tree is written out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Spaces per nesting level; none writes everything on one line.
    pub indent: Option<usize>,
    /// Write object members last to first.
    pub reversed: bool,
    /// Write every character of every string value as `\uXXXX`.
    pub escaped: bool,
}

impl Json {
    /// A string value.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// A number, `true`, `false` or `null`.
    pub fn raw(value: impl ToString) -> Self {
        Self::Raw(value.to_string())
    }

    /// An object of those members that are present.
    pub fn object<const N: usize>(members: [(&str, Option<Json>); N]) -> Self {
        let present =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self::Object(present.collect())
    }

    /// The member `name`, where this is an object that has it.
    pub fn member(&mut self, name: &str) -> Option<&mut Json> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object; empty for anything else.
    pub fn members(&mut self) -> Option<&mut Vec<(String, Json)>> {
        let Self::Object(members) = self else { return None };
        Some(members)
    }

    /// The text in `shape`.
    pub fn write(&self, shape: Shape) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(shape, 0, &mut out);
        out
    }

    fn write_to(&self, shape: Shape, level: usize, out: &mut Vec<u8>) {
        match self {
            Self::Raw(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) => write_string(text, shape.escaped, out),
            Self::List(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    separate(index, shape, level + 1, out);
                    item.write_to(shape, level + 1, out);
                }
                close(items.is_empty(), shape, level, out);
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for index in 0..members.len() {
                    let at = if shape.reversed { members.len() - 1 - index } else { index };
                    let (name, value) = &members[at];
                    separate(index, shape, level + 1, out);
                    write_string(name, false, out);
                    out.push(b':');
                    if shape.indent.is_some() {
                        out.push(b' ');
                    }
                    value.write_to(shape, level + 1, out);
                }
                close(members.is_empty(), shape, level, out);
                out.push(b'}');
            }
        }
    }
}

fn separate(index: usize, shape: Shape, level: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    break_line(shape, level, out);
}

fn close(empty: bool, shape: Shape, level: usize, out: &mut Vec<u8>) {
    if !empty {
        break_line(shape, level, out);
    }
}

fn break_line(shape: Shape, level: usize, out: &mut Vec<u8>) {
    if let Some(indent) = shape.indent {
        out.push(b'\n');
        out.resize(out.len() + indent * level, b' ');
    }
}

fn write_string(text: &str, escaped: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        if escaped {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
            continue;
        }
        match character {
            '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_parses_to_the_same_value() {
        let tree = Json::object([
            ("a", Some(Json::List(vec![Json::raw(1), Json::text("é\"\\\n😀")]))),
            ("none", None),
            ("b", Some(Json::Object(Vec::new()))),
        ]);
        let expected = serde_json::json!({"a": [1, "é\"\\\n😀"], "b": {}});
        for (indent, reversed, escaped) in [
            (None, false, false),
            (Some(3), false, false),
            (None, true, false),
            (Some(1), true, true),
        ] {
            let text = tree.write(Shape { indent, reversed, escaped });
            let value: serde_json::Value = serde_json::from_slice(&text).expect("valid JSON");
            assert_eq!(value, expected);
        }
    }
}
