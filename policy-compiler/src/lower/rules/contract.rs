//! Which matchers can match a value that has passed its schema.
//!
//! In: the schema programs of a bundle, and what each matcher asks. Out: for each schema the matchers that some valid
//! value could meet. The texts of a schema are taken as a regular language that holds at least all of them: patterns,
//! classes of characters, formats, and the lexemes of numbers; `enum` is judged value by value. A matcher is left
//! out only where the intersection with its automaton, after its transformations, is empty.

use super::literals::{Bytes, has};
use super::{Lowered, triggers};
use crate::lower::pattern::{Table, Verdict};
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{
    CharClass, Format, Operator as Code, SCHEMA_ANY, Schema, StringCheck, Style, TYPE_ARRAY,
    TYPE_FRACTION, TYPE_INTEGER, TYPE_NULL, TYPE_OBJECT, TYPE_STRING, Transformation,
};
use portcullis_engine::attack::transform::Transform;
use std::collections::HashMap;

/// Pairs of states that an intersection looks at; beyond, it counts as not empty.
const MAX_PAIRS: usize = 1 << 18;

/// Strings of an `enum` that are judged one by one; beyond, it counts as any text.
const MAX_VALUES: usize = 4096;

/// A language that holds every text of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Language {
    /// Any text.
    Any,
    /// What an automaton accepts.
    Regular(Table),
    /// These texts alone.
    Values(Vec<Vec<u8>>),
}

/// Decides which matchers can match what.
pub struct Contract<'l> {
    matchers: &'l [Lowered<'l>],
    /// By matcher: the automaton of what it asks, where that is one.
    asked: Vec<Option<Table>>,
    known: HashMap<Language, Vec<bool>>,
}

impl<'l> Contract<'l> {
    /// Of these matchers, whose automata are given.
    pub fn new(matchers: &'l [Lowered<'l>], asked: Vec<Option<Table>>) -> Self {
        Contract { matchers, asked, known: HashMap::new() }
    }

    /// By schema: which matchers can match its values.
    pub fn by_schema(&mut self, tables: &Tables<'_>, patterns: &[Table]) -> Vec<Vec<bool>> {
        let schemas = tables.sections.schemas.iter().enumerate();
        let all = vec![true; self.matchers.len()];
        schemas
            .map(|(index, schema)| {
                if index == SCHEMA_ANY as usize {
                    return all.clone();
                }
                self.of_all(languages(tables, schema, patterns))
            })
            .collect()
    }

    /// By parameter: which matchers can match its text, as far as one scalar makes it.
    pub fn by_parameter(&mut self, tables: &Tables<'_>, patterns: &[Table]) -> Vec<Vec<bool>> {
        let all = vec![true; self.matchers.len()];
        let parameters = tables.sections.parameters.iter();
        parameters
            .map(|parameter| {
                let schema = tables.sections.schemas.get(parameter.schema.get() as usize);
                let value = tables.sections.text_values.get(parameter.value.get() as usize);
                let (Some(schema), Some(value)) = (schema, value) else { return all.clone() };
                let scalar = value.types & (TYPE_ARRAY | TYPE_OBJECT) == 0;
                if !scalar
                    || parameter.schema.get() == SCHEMA_ANY
                    || parameter.style == Style::Json.code()
                {
                    return all.clone();
                }
                let mut own = languages(tables, schema, patterns);
                // In parameters numbers may have notations of their own, and words stand for truth.
                own.push(Language::Regular(star(&super::literals::folded(*b"+-.0123456789e"))));
                own.push(Language::Regular(star(&super::literals::folded(b'a'..=b'z'))));
                let types = schema.types;
                if types & TYPE_STRING != 0 && types & !(TYPE_STRING | TYPE_NULL) == 0 {
                    own.truncate(own.len() - 2);
                }
                self.of_all(own)
            })
            .collect()
    }

    fn of_all(&mut self, languages: Vec<Language>) -> Vec<bool> {
        let mut union = vec![false; self.matchers.len()];
        for language in languages {
            let set = self.of(language);
            union.iter_mut().zip(set).for_each(|(one, other)| *one |= other);
        }
        union
    }

    fn of(&mut self, language: Language) -> Vec<bool> {
        if let Some(known) = self.known.get(&language) {
            return known.clone();
        }
        let can = |index: usize| self.can_match(index, &language);
        let set: Vec<bool> = (0..self.matchers.len()).map(can).collect();
        self.known.insert(language, set.clone());
        set
    }

    fn can_match(&self, index: usize, language: &Language) -> bool {
        let matcher = &self.matchers[index];
        if matcher.of.negated || matches!(language, Language::Any) {
            return true;
        }
        let table = match language {
            Language::Any => return true,
            Language::Values(values) => {
                return values.iter().any(|value| self.matches_value(index, value));
            }
            Language::Regular(table) => table,
        };
        let Some(seen) = transformed(table, &matcher.of.transform) else { return true };
        match matcher.code {
            Code::Automaton | Code::AnyOf => {
                self.asked[index].as_ref().is_none_or(|asked| intersects(&seen, asked))
            }
            Code::Sql | Code::Xss => !is_word_or_number(&seen.charset()),
            Code::Jwt => has(&seen.charset(), b'.'),
            Code::GraphQl => has(&seen.charset(), b'{'),
            Code::InvalidPercent => has(&seen.charset(), b'%'),
            Code::InvalidUtf8 => false,
            _ => true,
        }
    }

    /// Whether a matcher matches a value, or may: what is no automaton counts as matching.
    fn matches_value(&self, index: usize, value: &[u8]) -> bool {
        let matcher = &self.matchers[index];
        let Some(asked) = &self.asked[index] else {
            let charset = super::literals::folded(value.iter().copied());
            return !(matches!(matcher.code, Code::Sql | Code::Xss) && is_word_or_number(&charset));
        };
        let mut text = value.to_vec();
        for step in &matcher.of.transform {
            let mut out = Vec::new();
            step.apply(&text, &mut out);
            text = out;
        }
        asked.matches(&text)
    }
}

/// Letters, digits and `_` alone make a word, a number, or nothing: neither SQL nor HTML.
fn is_word_or_number(charset: &Bytes) -> bool {
    (0..=255u8)
        .filter(|byte| has(charset, *byte))
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The languages that the texts of a schema's values are in, by type.
fn languages(tables: &Tables<'_>, schema: &Schema, patterns: &[Table]) -> Vec<Language> {
    let mut found = Vec::new();
    if schema.types & (TYPE_INTEGER | TYPE_FRACTION) != 0 {
        found.push(number());
    }
    if schema.types & TYPE_STRING != 0 {
        found.push(literals(tables, schema).unwrap_or_else(|| strings(tables, schema, patterns)));
    }
    found
}

fn number() -> Language {
    regular(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
}

/// The whole texts that a regular expression matches.
fn regular(pattern: &str) -> Language {
    let hir = super::regex::parse(&format!("^(?:{pattern})$"));
    match hir.and_then(|hir| Table::search(&hir)) {
        Ok(table) => Language::Regular(table),
        Err(_) => Language::Any,
    }
}

fn literals(tables: &Tables<'_>, schema: &Schema) -> Option<Language> {
    let set = tables.sections.literal_sets.get(schema.literals.get() as usize)?;
    let (first, count) = (set.strings.get() as usize, set.string_count.get() as usize);
    if count > MAX_VALUES {
        return None;
    }
    let strings = tables.sections.literal_strings.get(first..first + count)?;
    Some(Language::Values(strings.iter().map(|it| tables.read(it.text).to_vec()).collect()))
}

fn strings(tables: &Tables<'_>, schema: &Schema, patterns: &[Table]) -> Language {
    let sections = &tables.sections;
    let Some(check) = sections.string_checks.get(schema.string.get() as usize) else {
        return Language::Any;
    };
    let list = |first: u32, count: u16| {
        let lists = sections.lists.iter().skip(first as usize).take(usize::from(count));
        lists.map(|index| index.value.get() as usize)
    };
    // Each narrows by itself; the narrowest is told by its alphabet.
    let mut candidates: Vec<Table> = Vec::new();
    candidates.extend(
        list(check.patterns.get(), check.pattern_count.get())
            .filter_map(|at| patterns.get(at).cloned()),
    );
    let classes = list(check.classes.get(), check.class_count.get());
    candidates
        .extend(classes.filter_map(|at| Some(star(&charset_of(sections.char_classes.get(at)?)))));
    candidates.extend(format_table(check));
    let size = |table: &Table| table.charset().iter().map(|word| word.count_ones()).sum::<u32>();
    match candidates.into_iter().min_by_key(size) {
        Some(table) if table.next.len() < MAX_PAIRS => Language::Regular(table),
        _ => Language::Any,
    }
}

/// A language that holds every text of a format, where it has a small alphabet.
fn format_table(check: &StringCheck) -> Option<Table> {
    let pattern = match Format::from_code(check.format)? {
        Format::Date => "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        Format::Time | Format::TimeLocal => "[0-9:.zZ]+(?:[-+][0-9:]+)?",
        Format::DateTime | Format::DateTimeLocal => {
            "[0-9]{4}-[0-9]{2}-[0-9]{2}[tT ][0-9:.zZ]+(?:[-+][0-9:]+)?"
        }
        Format::Duration => "P[0-9YMWDTHS]+",
        Format::Uuid => "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        Format::Ipv4 => r"[0-9]+(?:\.[0-9]+){3}",
        Format::Ipv6 => "[0-9a-fA-F:.]+",
        Format::Int64 | Format::Uint64 => "-?[0-9]+",
        Format::Decimal | Format::Decimal128 => {
            return Some(star(&super::literals::folded(*b"+-.0123456789e")));
        }
        _ => return None,
    };
    match regular(pattern) {
        Language::Regular(table) => Some(table),
        _ => None,
    }
}

/// The bytes that the characters of a class are written in.
fn charset_of(class: &CharClass) -> Bytes {
    let ascii =
        (0..0x80u8).filter(|byte| class.ascii[usize::from(byte >> 3)] >> (byte & 7) & 1 == 1);
    let above = (0x80..=0xFFu8).filter(|_| class.range_count.get() > 0);
    let mut set = [0u64; 4];
    for byte in ascii.chain(above) {
        set[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    set
}

/// Every text over an alphabet.
fn star(charset: &Bytes) -> Table {
    Table {
        classes: (0..=255).map(|byte| u8::from(has(charset, byte))).collect(),
        stride: 2,
        next: vec![0, 0, 0, 1],
        verdicts: vec![Verdict::Dead, Verdict::Accepts],
        start: 1,
    }
}

/// A language that holds what transformations make of another; none where nothing is known of it.
fn transformed(table: &Table, steps: &[Transformation]) -> Option<Table> {
    use Transformation as T;
    let mut seen = table.clone();
    for step in steps {
        let charset = seen.charset();
        let triggered =
            charset.iter().zip(triggers(*step)).any(|(own, trigger)| own & trigger != 0);
        if !triggered {
            continue;
        }
        let mut image = charset;
        let add = |image: &mut Bytes, byte: u8| image[usize::from(byte >> 6)] |= 1 << (byte & 63);
        match step {
            T::Lowercase => {
                let capitals = (b'A'..=b'Z').filter(|byte| has(&charset, *byte));
                capitals.for_each(|byte| add(&mut image, byte.to_ascii_lowercase()));
            }
            T::UrlDecode | T::UrlDecodeUni if !has(&charset, b'%') => add(&mut image, b' '),
            T::CompressWhitespace | T::ReplaceComments => add(&mut image, b' '),
            T::RemoveWhitespace
            | T::RemoveNulls
            | T::Trim
            | T::TrimLeft
            | T::TrimRight
            | T::NormalizePath => {}
            _ => return None,
        }
        seen = star(&image);
    }
    Some(seen)
}

/// Whether two automata accept a text in common.
fn intersects(one: &Table, other: &Table) -> bool {
    let mut bytes: HashMap<(u8, u8), u8> = HashMap::new();
    (0..=255u8).for_each(|byte| {
        let at = usize::from(byte);
        bytes.entry((one.classes[at], other.classes[at])).or_insert(byte);
    });
    let mut pairs: Vec<(u8, u8)> = bytes.into_keys().collect();
    pairs.sort_unstable();
    let mut seen = std::collections::HashSet::from([(one.start, other.start)]);
    let mut open = vec![(one.start, other.start)];
    while let Some((a, b)) = open.pop() {
        let verdicts = (one.verdicts[a as usize], other.verdicts[b as usize]);
        if verdicts.0 >= Verdict::Accepts && verdicts.1 >= Verdict::Accepts {
            return true;
        }
        if verdicts.0 == Verdict::Dead || verdicts.1 == Verdict::Dead {
            continue;
        }
        for (of_a, of_b) in &pairs {
            let next = (
                one.next[a as usize * one.stride + usize::from(*of_a)],
                other.next[b as usize * other.stride + usize::from(*of_b)],
            );
            if seen.insert(next) {
                if seen.len() > MAX_PAIRS {
                    return true;
                }
                open.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pattern: &str) -> Table {
        match regular(pattern) {
            Language::Regular(table) => table,
            other => panic!("{other:?}"),
        }
    }

    fn search(pattern: &str) -> Table {
        Table::search(&super::super::regex::parse(pattern).unwrap()).unwrap()
    }

    #[test]
    fn languages_meet_or_do_not() {
        assert!(!intersects(&table("[0-9]+"), &search("union")));
        assert!(intersects(&table("[a-z ]+"), &search(r"union\s+select")));
        assert!(!intersects(&table("[a-z]+"), &search(r"union\s+select")));
        assert!(intersects(&table("[A-Z]{2}[0-9]{2}"), &search("^A")));
    }

    #[test]
    fn what_transformations_leave() {
        use Transformation as T;
        let date = table("[0-9]{4}-[0-9]{2}");
        assert_eq!(transformed(&date, &[T::UrlDecodeUni, T::CompressWhitespace]), Some(date));
        let plus = transformed(&table("[0-9+]+"), &[T::UrlDecode]).unwrap();
        assert!(has(&plus.charset(), b' ') && !has(&plus.charset(), b'a'));
        assert_eq!(transformed(&table("[a-z%]+"), &[T::UrlDecode]), None);
    }
}
