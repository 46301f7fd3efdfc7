//! JSON (RFC 8259) written member by member, for lines that are too many kinds of object to derive: derived code is large.

use std::fmt::Write;

/// A text of JSON in the making.
#[derive(Debug, Default)]
pub(super) struct Json(String);

impl Json {
    /// Begins an object or list, as a member where it has a name.
    #[inline(never)]
    pub(super) fn open(&mut self, name: &str, bracket: char) {
        self.name(name);
        self.0.push(bracket);
    }

    /// Ends it.
    #[inline(never)]
    pub(super) fn close(&mut self, bracket: char) {
        self.0.push(bracket);
    }

    /// A member, or element where it has no name, that is a text.
    #[inline(never)]
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.quote(value);
    }

    /// A member that is a number.
    #[inline(never)]
    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        // Writing to a text does not fail.
        let _ = write!(self.0, "{value}");
    }

    /// A member that is true or false.
    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() && !self.0.ends_with(['{', '[']) {
            self.0.push(',');
        }
        if !name.is_empty() {
            self.quote(name);
            self.0.push(':');
        }
    }

    #[inline(never)]
    fn quote(&mut self, text: &str) {
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\0'..='\x1f' => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(character));
                }
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::Json;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_is_read_again() {
        let odd = "a\"b\\c\n\u{1}\u{e9}\u{1f600}{[";
        let mut written = Json::default();
        written.open("", '{');
        written.text(odd, odd);
        written.open("list", '[');
        written.text("", "[");
        written.text("", odd);
        written.open("", '{');
        written.close('}');
        written.close(']');
        written.truth("is", true);
        written.number("count", u64::MAX);
        written.close('}');
        let expected = json!({ odd: odd, "list": ["[", odd, {}], "is": true, "count": u64::MAX });
        assert_eq!(serde_json::from_str::<Value>(&written.finish()).unwrap(), expected);
    }
}
