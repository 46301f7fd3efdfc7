//! YAML 1.2 text into a [`Tree`], by the core schema.
//!
//! Aliases are expanded, within [`MAX_NODES`](super::MAX_NODES); the merge key `<<`, which 1.2
//! dropped but documents use, merges when it is plain and names mappings.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::Problem;
use super::scalar;
use super::tree::{Builder, Full, Kind, NodeId, Position, Tree};
use crate::diag;

pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Tree> {
    let mut reader = Reader {
        builder: Builder::new(text.len() / 16),
        anchors: HashMap::new(),
        merges: Vec::new(),
        merge_key: false,
        merge_list: false,
        skipping: 0,
        documents: 0,
        problems,
    };
    let result = reader.read(text);
    let Reader { builder, documents, .. } = reader;
    if let Err(problem) = result {
        problems.push(problem);
        return None;
    }
    problems.extend(builder.duplicates.iter().map(Problem::duplicate));
    let tree = builder.finish();
    if documents == 0 || tree.is_none() {
        let place = Position { line: 1, column: 1 };
        problems.push(Problem::new(diag::YAML_DOCUMENTS, place, "the file is empty"));
        return None;
    }
    tree
}

struct Reader<'p> {
    builder: Builder,
    anchors: HashMap<usize, NodeId>,
    // Sources of `<<`, by depth of the object that they are merged into.
    merges: Vec<(usize, NodeId)>,
    // Whether the key just read is a plain `<<`, and whether its value is a list being read.
    merge_key: bool,
    merge_list: bool,
    // Depth inside a key that is a collection.
    skipping: usize,
    documents: usize,
    problems: &'p mut Vec<Problem>,
}

fn position(mark: Marker) -> Position {
    Position { line: mark.line() as u32, column: mark.col() as u32 + 1 }
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<(), Problem> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let title = format!("not valid YAML: {}", error.info());
                Problem::new(diag::YAML_SYNTAX, position(*error.marker()), title)
            })?;
            let place = position(span.start);
            if self.skip(&event) {
                continue;
            }
            if self.merge_list {
                self.merge_element(&event, place)?;
                continue;
            }
            match event {
                Event::DocumentStart(_) => {
                    self.documents += 1;
                    if self.documents > 1 {
                        return Err(Problem::new(
                            diag::YAML_DOCUMENTS,
                            place,
                            "a second YAML document starts here",
                        ));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(&text, style, anchor, tag.as_deref(), place)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(Kind::Array(Vec::new()), anchor, tag.as_deref(), place)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.open(Kind::Object(Vec::new()), anchor, tag.as_deref(), place)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(place)?,
                Event::Alias(anchor) => self.alias(anchor, place)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Passes over a key that is a collection, once it has been reported.
    fn skip(&mut self, event: &Event<'_>) -> bool {
        if self.skipping == 0 {
            return false;
        }
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => self.skipping += 1,
            Event::SequenceEnd | Event::MappingEnd => {
                self.skipping -= 1;
                if self.skipping == 0 {
                    self.builder.key("".into(), Position::default());
                }
            }
            _ => {}
        }
        true
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        place: Position,
    ) -> Result<(), Problem> {
        if self.builder.wants_key() {
            // Keys are text whatever they look like: `200`, `true`, `on`.
            self.builder.key(text.into(), place);
            self.merge_key = style == ScalarStyle::Plain && text == "<<";
            return Ok(());
        }
        let kind = self.resolve(text, style, tag, place);
        let id = self.builder.add(kind, place).map_err(|full| Problem::full(full, place))?;
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        place: Position,
    ) -> Kind {
        let Some(tag) = tag else {
            return match style {
                ScalarStyle::Plain => scalar::plain(text),
                _ => Kind::String(text.into()),
            };
        };
        match tag.suffix.as_str() {
            "str" if tag.is_yaml_core_schema() => return Kind::String(text.into()),
            "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => {
                return scalar::plain(text);
            }
            "" | "!" if tag.handle.is_empty() || tag.handle == "!" => {
                return Kind::String(text.into());
            }
            _ => self.unknown_tag(tag, place),
        }
        if style == ScalarStyle::Plain { scalar::plain(text) } else { Kind::String(text.into()) }
    }

    fn unknown_tag(&mut self, tag: &Tag, place: Position) {
        let title = format!("the tag `{tag}` has no meaning here and is ignored");
        self.problems.push(Problem::new(diag::YAML_TAG, place, title));
    }

    fn open(
        &mut self,
        kind: Kind,
        anchor: usize,
        tag: Option<&Tag>,
        place: Position,
    ) -> Result<(), Problem> {
        if self.builder.wants_key() {
            self.problems.push(Problem::new(
                diag::YAML_KEY,
                place,
                "a key must be a scalar, not a collection",
            ));
            self.skipping = 1;
            return Ok(());
        }
        if std::mem::take(&mut self.merge_key) && matches!(kind, Kind::Array(_)) {
            self.builder.take_key();
            self.merge_list = true;
            return Ok(());
        }
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "map" | "seq"))
        {
            self.unknown_tag(tag, place);
        }
        let id = self.builder.add(kind, place).map_err(|full| Problem::full(full, place))?;
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(())
    }

    fn close(&mut self, place: Position) -> Result<(), Problem> {
        let depth = self.builder.depth();
        if let Some(first) = self.merges.iter().position(|(d, _)| *d == depth) {
            for (_, source) in self.merges.split_off(first) {
                self.merge(source).map_err(|full| Problem::full(full, place))?;
            }
        }
        self.builder.close();
        Ok(())
    }

    /// Adds the members of `source` that the open object lacks.
    fn merge(&mut self, source: NodeId) -> Result<(), Full> {
        let Kind::Object(members) = self.builder.kind(source).clone() else { return Ok(()) };
        for member in members {
            if !self.builder.has_key(&member.key) {
                self.builder.key(member.key, member.position);
                self.builder.copy(member.node)?;
            }
        }
        Ok(())
    }

    /// An event inside `<<: [*a, *b]`.
    fn merge_element(&mut self, event: &Event<'_>, place: Position) -> Result<(), Problem> {
        match event {
            Event::SequenceEnd => self.merge_list = false,
            Event::Alias(anchor) => match self.anchors.get(anchor) {
                Some(id) if self.is_mergeable(*id) => {
                    self.merges.push((self.builder.depth(), *id));
                }
                _ => return Err(not_mergeable(place)),
            },
            _ => return Err(not_mergeable(place)),
        }
        Ok(())
    }

    fn is_mergeable(&self, id: NodeId) -> bool {
        matches!(self.builder.kind(id), Kind::Object(_)) && !self.builder.is_open(id)
    }

    fn alias(&mut self, anchor: usize, place: Position) -> Result<(), Problem> {
        let Some(&target) = self.anchors.get(&anchor) else {
            return Err(Problem::new(diag::YAML_SYNTAX, place, "an alias of an unknown anchor"));
        };
        if self.builder.is_open(target) {
            return Err(Problem::new(
                diag::YAML_SYNTAX,
                place,
                "an alias stands inside the node that it refers to",
            ));
        }
        if self.builder.wants_key() {
            match self.builder.kind(target) {
                Kind::String(text) | Kind::Number(text) => {
                    let key = text.clone();
                    self.builder.key(key, place);
                }
                _ => {
                    let title = "a key must be a scalar, not a collection";
                    self.problems.push(Problem::new(diag::YAML_KEY, place, title));
                    self.builder.key("".into(), place);
                }
            }
            return Ok(());
        }
        if self.merge_key && self.is_mergeable(target) {
            self.merge_key = false;
            self.builder.take_key();
            self.merges.push((self.builder.depth(), target));
            return Ok(());
        }
        self.builder.copy(target).map_err(|full| Problem::full(full, place))
    }
}

fn not_mergeable(place: Position) -> Problem {
    Problem::new(diag::YAML_SYNTAX, place, "`<<` merges only aliases of mappings")
}

#[cfg(test)]
mod tests {
    use super::super::tree::MAX_DEPTH;
    use super::*;

    fn parse_ok(text: &str) -> Tree {
        let mut problems = Vec::new();
        let tree = parse(text, &mut problems);
        assert!(problems.is_empty(), "{text}: {problems:?}");
        tree.unwrap()
    }

    fn problem(text: &str) -> (&'static str, u32, u32) {
        let mut problems = Vec::new();
        parse(text, &mut problems);
        let p = problems.first().unwrap_or_else(|| panic!("{text} was accepted"));
        (p.code.id, p.position.line, p.position.column)
    }

    #[test]
    fn scalars_and_keys() {
        let tree = parse_ok("200: NO\non: 011000138\nq: '12'\nb: |\n  x\n  y\nt: !!str 5\n");
        let root = tree.root();
        assert_eq!(root.get("200").unwrap().as_str(), Some("NO"));
        assert_eq!(root.get("on").unwrap().as_str(), Some("011000138"));
        assert_eq!(root.get("q").unwrap().as_str(), Some("12"));
        assert_eq!(root.get("b").unwrap().as_str(), Some("x\ny\n"));
        assert_eq!(root.get("t").unwrap().as_str(), Some("5"));
        assert_eq!(root.get("b").unwrap().anchor(), Position { line: 4, column: 1 });
    }

    #[test]
    fn aliases_and_merges() {
        let tree = parse_ok(
            "a: &a {x: 1, y: [2]}\nb: *a\nc:\n  <<: *a\n  x: 3\nd: &d {z: 4}\n\
             e:\n  <<: [*d, *a]\n",
        );
        let root = tree.root();
        assert_eq!(root.get("b").unwrap().to_value(), root.get("a").unwrap().to_value());
        assert_eq!(root.get("b").unwrap().get("y").unwrap().pointer(), "/b/y");
        let c = root.get("c").unwrap();
        assert_eq!(c.get("x").unwrap().as_text(), Some("3"));
        assert_eq!(c.get("y").unwrap().position().line, 1);
        assert_eq!(root.get("e").unwrap().members().unwrap().len(), 3);
    }

    #[test]
    fn problems() {
        assert_eq!(problem("a: 1\na: 2\n"), ("PC0005", 2, 1));
        assert_eq!(problem("a: [1\nb: 2\n").0, "PC0003");
        assert_eq!(problem("").0, "PC0009");
        assert_eq!(problem("# nothing\n").0, "PC0009");
        assert_eq!(problem("a: 1\n---\nb: 2\n").0, "PC0009");
        assert_eq!(problem("? [1, 2]\n: x\n"), ("PC0008", 1, 3));
        assert_eq!(problem("a: &a [*a]\n").0, "PC0003");
        assert_eq!(problem("a: !foo 1\n").0, "PC0011");
        assert_eq!(problem("a: &x {b: 1}\nc:\n  <<: [1]\n").0, "PC0003");
    }

    #[test]
    fn bombs_are_bounded() {
        let deep = format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        assert_eq!(problem(&deep).0, "PC0006");
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let aliases = vec![format!("*a{}", i - 1); 10].join(", ");
            laughs.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        assert_eq!(problem(&laughs).0, "PC0007");
    }
}
