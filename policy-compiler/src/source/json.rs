//! JSON text (RFC 8259) into a [`Tree`].
//!
//! Not YAML's subset of it: YAML parsers refuse surrogate escapes, and count differently.

use super::Problem;
use super::tree::{Builder, Full, Kind, MAX_DEPTH, MAX_NODES, Position, Tree};
use crate::diag;

pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Tree> {
    let mut parser = Parser {
        bytes: text.as_bytes(),
        text,
        at: 0,
        line: 1,
        column: 1,
        counted: 0,
        builder: Builder::new(text.len() / 16),
        problems,
    };
    match parser.document() {
        Ok(()) => {
            let Parser { builder, .. } = parser;
            problems.extend(builder.duplicates.iter().map(Problem::duplicate));
            builder.finish()
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

struct Parser<'a, 'p> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    // Position of byte `counted`, advanced as positions are asked for.
    line: u32,
    column: u32,
    counted: usize,
    builder: Builder,
    problems: &'p mut Vec<Problem>,
}

impl Parser<'_, '_> {
    fn document(&mut self) -> Result<(), Problem> {
        loop {
            // A value stands here.
            self.space();
            let opened = self.value()?;
            if opened {
                self.space();
                if !self.closes() {
                    self.member()?;
                    continue;
                }
                self.at += 1;
                self.builder.close();
            }
            // After a value: a comma, or ends.
            loop {
                self.space();
                if self.builder.depth() == 0 {
                    return match self.bytes.get(self.at) {
                        None => Ok(()),
                        Some(_) => Err(self.unexpected("expected the end of the file")),
                    };
                }
                match self.bytes.get(self.at) {
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if self.closes() {
                            return Err(self.unexpected("a comma must be followed by a value"));
                        }
                        self.member()?;
                        break;
                    }
                    _ if self.closes() => {
                        self.at += 1;
                        self.builder.close();
                    }
                    _ => return Err(self.unexpected(self.expected_end())),
                }
            }
        }
    }

    fn expected_end(&self) -> &'static str {
        if self.builder.wants_key() { "expected `,` or `}`" } else { "expected `,` or `]`" }
    }

    /// Whether the innermost open array or object ends here.
    fn closes(&self) -> bool {
        let end = if self.builder.wants_key() { b'}' } else { b']' };
        self.builder.depth() > 0 && self.bytes.get(self.at) == Some(&end)
    }

    /// Reads a key and its colon, in an object.
    fn member(&mut self) -> Result<(), Problem> {
        if !self.builder.wants_key() {
            return Ok(());
        }
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.unexpected("expected a name in double quotes"));
        }
        let position = self.position();
        let key = self.string()?;
        self.space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.unexpected("expected `:`"));
        }
        self.at += 1;
        self.builder.key(key, position);
        Ok(())
    }

    /// Reads a scalar, or opens an array or object and says so.
    fn value(&mut self) -> Result<bool, Problem> {
        let position = self.position();
        let start = self.at;
        let kind = match self.bytes.get(self.at) {
            Some(b'{') => Kind::Object(Vec::new()),
            Some(b'[') => Kind::Array(Vec::new()),
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            _ if self.word("true") => Kind::Bool(true),
            _ if self.word("false") => Kind::Bool(false),
            _ if self.word("null") => Kind::Null,
            _ => return Err(self.unexpected("expected a value")),
        };
        let opens = matches!(kind, Kind::Array(_) | Kind::Object(_));
        if opens {
            self.at = start + 1;
        }
        self.builder.add(kind, position).map_err(|full| Problem::full(full, position))?;
        Ok(opens)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    fn number(&mut self) -> Result<Box<str>, Problem> {
        let start = self.at;
        let in_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
        while self.bytes.get(self.at).is_some_and(in_number) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if super::scalar::number(text).is_none_or(|n| n.as_str() != text) {
            self.at = start;
            return Err(self.unexpected("not a JSON number"));
        }
        Ok(text.into())
    }

    fn string(&mut self) -> Result<Box<str>, Problem> {
        let position = self.position();
        self.at += 1;
        let start = self.at;
        let special = |b: &u8| matches!(b, b'"' | b'\\') || *b < 0x20;
        let run = |from: usize| self.bytes[from..].iter().position(special);
        match run(self.at) {
            // The common case has no escapes.
            Some(n) if self.bytes[start + n] == b'"' => {
                self.at = start + n + 1;
                return Ok(self.text[start..start + n].into());
            }
            Some(_) => {}
            None => return Err(Problem::json(position, "a string is not closed")),
        }
        let mut out = String::new();
        loop {
            let rest = &self.bytes[self.at..];
            let Some(n) = rest.iter().position(special) else {
                return Err(Problem::json(position, "a string is not closed"));
            };
            out.push_str(&self.text[self.at..self.at + n]);
            self.at += n;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(out.into());
                }
                b'\\' => self.escape(&mut out)?,
                _ => return Err(self.unexpected("a control character must be escaped")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Problem> {
        let plain = match self.bytes.get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(out),
            _ => return Err(self.unexpected("not an escape that JSON knows")),
        };
        out.push(plain);
        self.at += 2;
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<(), Problem> {
        let Some(first) = self.hex(self.at) else {
            return Err(self.unexpected("`\\u` must be followed by four hexadecimal digits"));
        };
        let position = self.position();
        self.at += 6;
        if let Some(c) = char::from_u32(first) {
            out.push(c);
            return Ok(());
        }
        if (0xD800..0xDC00).contains(&first)
            && let Some(second @ 0xDC00..0xE000) = self.hex(self.at)
        {
            self.at += 6;
            let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            out.push(char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(());
        }
        self.problems.push(Problem::new(
            diag::LONE_SURROGATE,
            position,
            "half of a surrogate pair is no character; it is read as U+FFFD",
        ));
        out.push(char::REPLACEMENT_CHARACTER);
        Ok(())
    }

    /// The code of a `\uXXXX` at a place.
    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn position(&mut self) -> Position {
        for byte in &self.bytes[self.counted..self.at] {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 1;
            } else if byte & 0xC0 != 0x80 {
                self.column += 1;
            }
        }
        self.counted = self.at;
        Position { line: self.line, column: self.column }
    }

    fn unexpected(&mut self, what: &str) -> Problem {
        let found = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(c) => format!("found `{}`", c.escape_debug()),
            None => "found the end of the file".to_owned(),
        };
        Problem::json(self.position(), &format!("{what}, {found}"))
    }
}

impl Problem {
    fn json(position: Position, title: &str) -> Self {
        Problem::new(diag::JSON_SYNTAX, position, title)
    }

    pub(super) fn full(full: Full, position: Position) -> Self {
        match full {
            Full::Depth => Problem::new(
                diag::TOO_DEEP,
                position,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ),
            Full::Nodes => Problem::new(
                diag::TOO_LARGE,
                position,
                format!("more than {MAX_NODES} values in one file"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Value;

    fn parse_ok(text: &str) -> Tree {
        let mut problems = Vec::new();
        let tree = parse(text, &mut problems);
        assert!(problems.is_empty(), "{text}: {problems:?}");
        tree.unwrap()
    }

    fn problem(text: &str) -> (String, u32, u32) {
        let mut problems = Vec::new();
        parse(text, &mut problems);
        let p = problems.first().unwrap_or_else(|| panic!("{text} was accepted"));
        (p.title.clone(), p.position.line, p.position.column)
    }

    #[test]
    fn agrees_with_serde_json() {
        for text in [
            "null",
            " true ",
            "-1.50e+3",
            "\"\"",
            "[]",
            "{}",
            "[1,[2,[]],{}]",
            r#"{"a":{"b":[1,"x",null,false]},"c":"é\u00e9\ud83d\ude00\n\/"}"#,
        ] {
            let ours = parse_ok(text).root().to_value();
            let theirs: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(to_json(&ours), theirs, "{text}");
        }
        for text in [
            "",
            "[",
            "]",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "01",
            "1.",
            "+1",
            "nul",
            "[1 2]",
            "1 2",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"abc",
            "[}",
            "{]",
            "{\"a\":}",
            "{\"a\"}",
            ",",
            "[,1]",
            "\"\\u+123\"",
        ] {
            problem(text);
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    fn to_json(value: &Value) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(n) => serde_json::from_str(n.as_str()).unwrap(),
            Value::String(s) => s.as_str().into(),
            Value::Array(items) => items.iter().map(to_json).collect(),
            Value::Object(members) => {
                members.iter().map(|(k, v)| (k.clone(), to_json(v))).collect()
            }
        }
    }

    #[test]
    fn positions_count_code_points() {
        let tree = parse_ok("{\"é\": 1,\r\n \"b\": [true]}");
        let b = tree.root().get("b").unwrap();
        assert_eq!(b.anchor(), Position { line: 2, column: 2 });
        assert_eq!(b.position(), Position { line: 2, column: 7 });
        assert_eq!(b.child("0").unwrap().position().column, 8);
        assert_eq!(tree.root().get("é").unwrap().position().column, 7);
        assert_eq!(b.child("0").unwrap().pointer(), "/b/0");
    }

    #[test]
    fn problems_have_places() {
        assert_eq!(problem("{\n  \"a\": tru\n}"), ("expected a value, found `t`".into(), 2, 8));
        let deep = "[".repeat(100_000);
        assert_eq!(problem(&deep).2, MAX_DEPTH as u32 + 1);
        assert_eq!(problem("{\"a\":1,\"a\":2}"), ("`a` is named twice".into(), 1, 8));
        assert!(problem("\"\\ud800x\"").0.contains("surrogate"));
    }

    #[test]
    fn large_objects_notice_duplicates_too() {
        let mut text: String = (0..50).map(|i| format!("\"k{i}\":{i},")).collect();
        text.insert(0, '{');
        text.push_str("\"k7\":0}");
        assert_eq!(problem(&text).0, "`k7` is named twice");
    }
}
