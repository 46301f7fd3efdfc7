//! Which matchers can match a value that has passed its schema.
//!
//! In: the [statements](super::narrow) that hold of the texts of schemas, parameters and fields, and what each matcher
//! asks. Out: for each of them the matchers that some valid value could meet. A statement is taken as a regular
//! language that holds at least all texts of which it is true; `enum` is judged value by value. A matcher is left out
//! only where in every way to be valid one statement excludes it: where the intersection with its automaton, after
//! its transformations, is empty.

use super::automaton::Automaton;
use super::literals::{Bytes, folded, has};
use super::narrow::{MAX_VALUES, Narrow, Records, Ways};
use super::{Lowered, triggers};
use crate::lower::pattern::{Table, Verdict};
use crate::lower::tables::Tables;
use portcullis_bundle::layout::{
    self, BodyKind, CharClass, Format, GRAPHQL_MALFORMED, NarrowingKind as Kind, Operator as Code,
    PARAMETER_ALTERNATIVE, PARAMETER_UNENFORCED, PROPERTY_IMPLIED, Property, Transformation,
};
use portcullis_engine::attack::transform::Transform;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A language that holds every text of which a statement is true.
#[derive(Clone, Debug)]
enum Language {
    /// Any text.
    Any,
    /// What an automaton accepts.
    Regular(Table),
    /// These texts alone.
    Values(Vec<Vec<u8>>),
    /// Texts of so many code points, at most.
    Length(u32),
}

/// Decides which matchers can match what.
pub struct Contract<'l> {
    matchers: &'l [Lowered<'l>],
    /// By matcher: the automaton of what it asks, where that is one.
    asked: Vec<Option<Rc<Automaton>>>,
    /// By matcher: how many code points the shortest text has that its automaton accepts.
    shortest: Vec<u32>,
    /// Texts that inject no SQL.
    harmless: Option<Table>,
    /// What each statement leaves.
    known: BTreeMap<Narrow, Vec<bool>>,
}

impl<'l> Contract<'l> {
    /// Of these matchers, whose automata are given.
    pub fn new(matchers: &'l [Lowered<'l>], asked: Vec<Option<Rc<Automaton>>>) -> Self {
        let shortest = asked.iter().map(|it| it.as_ref().map_or(0, |it| it.shortest())).collect();
        let harmless = match regular(HARMLESS) {
            Language::Regular(table) => Some(table),
            _ => None,
        };
        Contract { matchers, asked, shortest, harmless, known: BTreeMap::new() }
    }

    /// By schema: which matchers can match its values.
    pub fn by_schema(&mut self, tables: &Tables<'_>, patterns: &[Table]) -> Vec<Vec<bool>> {
        let records = Records::from(&tables.sections);
        let ways =
            (0..tables.sections.schemas.len() as u32).map(|schema| records.of_schema(schema));
        ways.map(|ways| self.of(tables, patterns, &ways)).collect()
    }

    /// By parameter: which matchers can match its text.
    pub fn by_parameter(&mut self, tables: &Tables<'_>, patterns: &[Table]) -> Vec<Vec<bool>> {
        let records = Records::from(&tables.sections);
        let enforced = |flags: u8| flags & PARAMETER_UNENFORCED == 0;
        let ways = tables.sections.parameters.iter().map(|parameter| {
            let known = enforced(parameter.flags).then(|| records.of_parameter(parameter));
            known.unwrap_or_else(super::narrow::any)
        });
        let mut all: Vec<_> = ways.map(|ways| self.of(tables, patterns, &ways)).collect();
        // A value may be that of another alternative, and the scan goes by names.
        for operation in &tables.sections.operations {
            let first = operation.parameters.get() as usize;
            let own = first..first + operation.parameter_count.get() as usize;
            let begins = |it: &layout::Parameter| it.flags & PARAMETER_ALTERNATIVE != 0;
            if tables.sections.parameters[own.clone()].iter().any(begins) {
                all[own].iter_mut().flatten().for_each(|can| *can = true);
            }
        }
        all
    }

    /// By record of text_fields: which matchers can match the text of a form's field. The properties of a form's
    /// schema hold whatever its compositions say; other records are no fields of forms.
    pub fn by_field(&mut self, tables: &Tables<'_>, patterns: &[Table]) -> Vec<Vec<bool>> {
        let sections = &tables.sections;
        let mut all = vec![vec![true; self.matchers.len()]; sections.text_fields.len()];
        let forms = [BodyKind::Form.code(), BodyKind::Multipart.code()];
        for media in sections.media_types.iter().filter(|media| forms.contains(&media.kind)) {
            let Some(value) = sections.text_values.get(media.value.get() as usize) else {
                continue;
            };
            let first = value.fields.get() as usize;
            let fields = sections.text_fields.iter().enumerate().skip(first);
            for (at, field) in fields.take(value.field_count.get() as usize) {
                let name = tables.read(field.name);
                let Some(schema) = property(tables, media.schema.get(), name) else { continue };
                let ways = Records::from(sections).of_field(schema, field);
                all[at] = self.of(tables, patterns, &ways);
            }
        }
        all
    }

    /// What each statement that was met leaves, ascending.
    pub fn statements(&self) -> impl Iterator<Item = (Narrow, &[bool])> {
        self.known.iter().map(|(narrow, left)| (*narrow, left.as_slice()))
    }

    fn of(&mut self, tables: &Tables<'_>, patterns: &[Table], ways: &Ways) -> Vec<bool> {
        let mut union = vec![false; self.matchers.len()];
        for way in ways {
            let mut left = vec![true; self.matchers.len()];
            for narrow in way {
                let own = self.by_statement(tables, patterns, *narrow);
                left.iter_mut().zip(own).for_each(|(one, other)| *one &= other);
            }
            union.iter_mut().zip(left).for_each(|(one, other)| *one |= other);
        }
        union
    }

    fn by_statement(&mut self, tables: &Tables<'_>, patterns: &[Table], narrow: Narrow) -> &[bool] {
        let Contract { matchers, .. } = *self;
        if !self.known.contains_key(&narrow) {
            let language = language(tables, patterns, narrow);
            let can = |index: usize| self.can_match(index, &language);
            let left = (0..matchers.len()).map(can).collect();
            self.known.insert(narrow, left);
        }
        &self.known[&narrow]
    }

    fn can_match(&self, index: usize, language: &Language) -> bool {
        let matcher = &self.matchers[index];
        if matcher.of.negated {
            return true;
        }
        let table = match language {
            Language::Any => return true,
            Language::Values(values) => {
                return values.iter().any(|value| self.matches_value(index, value));
            }
            Language::Length(length) => {
                let keeps = matcher.of.transform.iter().all(|step| lengthens_never(*step));
                return match matcher.code {
                    // A code point has four bytes at most.
                    Code::LongerThan => !keeps || length.saturating_mul(4) > matcher.argument,
                    _ => !keeps || self.shortest[index] <= *length,
                };
            }
            Language::Regular(table) => table,
        };
        let Some(seen) = transformed(table, &matcher.of.transform) else { return true };
        let charset = seen.charset();
        match matcher.code {
            Code::Automaton | Code::Nfa | Code::AnyOf => {
                self.asked[index].as_ref().is_none_or(|asked| asked.meets(&seen))
            }
            Code::Sql => !self.harmless.as_ref().is_some_and(|harmless| seen.is_within(harmless)),
            Code::Xss => has(&charset, b'<') || has(&charset, b'='),
            Code::Jwt => has(&charset, b'.'),
            Code::GraphQl => has(&charset, b'{') || can_be_malformed(matcher),
            Code::InvalidPercent => has(&charset, b'%'),
            Code::InvalidUtf8 => false,
            _ => true,
        }
    }

    /// Whether a matcher matches a value, or may: what is no automaton counts as matching.
    fn matches_value(&self, index: usize, value: &[u8]) -> bool {
        let matcher = &self.matchers[index];
        let mut text = value.to_vec();
        for step in &matcher.of.transform {
            let mut out = Vec::new();
            step.apply(&text, &mut out);
            text = out;
        }
        match (matcher.code, &self.asked[index]) {
            (_, Some(asked)) => {
                let needed = &matcher.required.bytes;
                needed.iter().all(|set| text.iter().any(|byte| has(set, *byte)))
                    && asked.matches(&text)
            }
            (Code::Sql, None) => !self.harmless.as_ref().is_some_and(|it| it.matches(&text)),
            (Code::Xss, None) => text.iter().any(|byte| matches!(byte, b'<' | b'=')),
            (Code::LongerThan, None) => text.len() > matcher.argument as usize,
            _ => true,
        }
    }
}

/// Texts that the detector of SQL never finds, as a test shows: words; numbers, dates, times and telephone numbers
/// of digits and signs without `--`; numbers with an exponent; dates with a time; UUIDs; addresses of IPv6.
pub const HARMLESS: &str = concat!(
    r"[A-Za-z_\x80-\x9F\xA1-\xFF][0-9A-Za-z_\x80-\x9F\xA1-\xFF]*",
    r"|(?:[0-9+.: ]+|-[0-9+.: ])*-?",
    r"|[-+]?[0-9]*\.?[0-9]*[eE][-+]?[0-9]*",
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[tT ][0-9:.]*(?:[zZ]|[-+][0-9:]+)?",
    r"|-INF",
    r"|[0-9:.]+[zZ]",
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    r"|[0-9a-fA-F:.]*",
);

/// The schema of a declared property of an object.
fn property(tables: &Tables<'_>, schema: u32, name: &[u8]) -> Option<u32> {
    let sections = &tables.sections;
    let object = sections.schemas.get(schema as usize)?.object.get();
    let object = sections.object_checks.get(object as usize)?;
    let first = object.properties.get() as usize;
    let own = sections.properties.get(first..first + object.property_count.get() as usize)?;
    let is =
        |it: &&Property| it.flags.get() & PROPERTY_IMPLIED == 0 && tables.read(it.name) == name;
    own.iter().find(is).map(|property| property.schema.get())
}

/// Whether what is no GraphQL document matches too.
fn can_be_malformed(matcher: &Lowered<'_>) -> bool {
    matches!(matcher.of.operator, crate::ir::Operator::GraphQl { flags, .. } if flags & GRAPHQL_MALFORMED != 0)
}

/// The language of a statement.
fn language(tables: &Tables<'_>, patterns: &[Table], narrow: Narrow) -> Language {
    let (sections, index) = (&tables.sections, narrow.index as usize);
    match narrow.kind {
        Kind::Number => regular(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"),
        Kind::TextNumber => regular(r"[-+]?[0-9]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"),
        Kind::Word => regular(r"(?i:true|false|on|off|yes|no|null|[01]?)"),
        Kind::Format => u8::try_from(narrow.index)
            .ok()
            .and_then(Format::from_code)
            .map_or(Language::Any, of_format),
        Kind::Pattern => patterns.get(index).cloned().map_or(Language::Any, Language::Regular),
        Kind::Class => match sections.char_classes.get(index) {
            Some(class) => Language::Regular(star(&charset_of(class))),
            None => Language::Any,
        },
        Kind::Literals => literals(tables, index),
        Kind::Length => Language::Length(narrow.index),
        Kind::Items => items(tables, patterns, narrow.index),
    }
}

/// The whole texts that a regular expression matches.
fn regular(pattern: &str) -> Language {
    let hir = super::regex::parse(&format!("^(?:{pattern})$"));
    match hir.and_then(|hir| Table::search(&hir)) {
        Ok(table) => Language::Regular(table),
        Err(_) => Language::Any,
    }
}

fn literals(tables: &Tables<'_>, index: usize) -> Language {
    let Some(set) = tables.sections.literal_sets.get(index) else { return Language::Any };
    let (first, count) = (set.strings.get() as usize, set.string_count.get());
    let strings = tables.sections.literal_strings.get(first..first + count as usize);
    match strings.filter(|_| count <= MAX_VALUES) {
        Some(strings) => {
            Language::Values(strings.iter().map(|it| tables.read(it.text).to_vec()).collect())
        }
        None => Language::Any,
    }
}

/// Lists of a schema's texts, and all that one of their characters and what divides them make.
fn items(tables: &Tables<'_>, patterns: &[Table], schema: u32) -> Language {
    let mut charset = folded(*b", |");
    let ways = Records::from(&tables.sections).of_schema(schema);
    for way in ways.iter().filter(|way| !way.is_empty()) {
        let mut own = [u64::MAX; 4];
        for narrow in way {
            let set = match language(tables, patterns, *narrow) {
                Language::Regular(table) => table.charset(),
                Language::Values(values) => bytes_of(values.iter().flatten().copied()),
                Language::Any | Language::Length(_) => [u64::MAX; 4],
            };
            own.iter_mut().zip(set).for_each(|(own, set)| *own &= set);
        }
        charset.iter_mut().zip(own).for_each(|(all, own)| *all |= own);
    }
    if ways.iter().any(Vec::is_empty) {
        return Language::Any;
    }
    // Numbers, truth and null in the notations of text.
    let written = folded(*b"+-.0123456789truefalsnoyf");
    charset.iter_mut().zip(written).for_each(|(all, own)| *all |= own);
    Language::Regular(star(&charset))
}

fn bytes_of(bytes: impl Iterator<Item = u8>) -> Bytes {
    let mut set = [0; 4];
    bytes.for_each(|byte| set[usize::from(byte >> 6)] |= 1 << (byte & 63));
    set
}

/// A language that holds every text of a format.
fn of_format(format: Format) -> Language {
    regular(match format {
        Format::Date => "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        Format::Time | Format::TimeLocal => {
            r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[zZ]|[-+][0-9]{2}:[0-9]{2})?"
        }
        Format::DateTime | Format::DateTimeLocal => {
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}[tT ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[zZ]|[-+][0-9]{2}:[0-9]{2})?"
        }
        Format::Duration => "P[0-9YMWDTHS]+",
        Format::Uuid => "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        Format::Ipv4 => r"[0-9]+(?:\.[0-9]+){3}",
        Format::Ipv6 => "[0-9a-fA-F:.]+",
        Format::Int64 | Format::Uint64 => "-?[0-9]+",
        Format::Decimal => r"[-+]?[0-9]*\.?[0-9]*",
        Format::Decimal128 => r"NaN|-?INF|[-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?",
        Format::Byte => "[0-9A-Za-z+/]*={0,2}",
        Format::Base64Url => "[0-9A-Za-z_-]*={0,2}",
        Format::Hostname => r"[0-9A-Za-z.-]+",
        _ => return Language::Any,
    })
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

/// Whether a transformation makes no text of more code points than it had.
fn lengthens_never(step: Transformation) -> bool {
    use Transformation as T;
    matches!(
        step,
        T::Lowercase
            | T::Uppercase
            | T::UrlDecode
            | T::Trim
            | T::TrimLeft
            | T::TrimRight
            | T::RemoveNulls
            | T::RemoveWhitespace
            | T::CompressWhitespace
            | T::ReplaceComments
            | T::RemoveComments
            | T::Base64Decode
            | T::HexDecode
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_bundle::layout::NONE;

    fn table(pattern: &str) -> Table {
        match regular(pattern) {
            Language::Regular(table) => table,
            other => panic!("{other:?}"),
        }
    }

    fn search(pattern: &str) -> Automaton {
        Automaton::build(&super::super::regex::parse(pattern).unwrap(), false).unwrap()
    }

    fn intersects(language: &Table, asked: &Automaton) -> bool {
        asked.meets(language)
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

    #[test]
    fn the_shortest_match() {
        let of = |pattern: &str| search(pattern).shortest();
        assert_eq!(of("union"), 5);
        assert_eq!(of("ab?c|x{4}"), 2);
        assert_eq!(of(r"\xC3\xA9{2}"), 1);
        assert_eq!(of(""), 0);
        assert_eq!(of("a$b"), NONE);
    }

    #[test]
    fn what_the_detector_of_sql_is_asked() {
        let Language::Regular(harmless) = regular(HARMLESS) else { panic!("too large") };
        let formats = [
            Format::Date,
            Format::Time,
            Format::DateTime,
            Format::Duration,
            Format::Uuid,
            Format::Ipv4,
            Format::Ipv6,
            Format::Int64,
            Format::Decimal,
            Format::Decimal128,
        ];
        for format in formats {
            let Language::Regular(own) = of_format(format) else { panic!("{format:?}") };
            assert!(own.is_within(&harmless), "{format:?}");
        }
        for pattern in [
            "-?[0-9]+(?:\\.[0-9]+)?(?:[eE][-+]?[0-9]+)?",
            "[A-Z]{2}[0-9]{2}",
            r"\+?[0-9]+( [0-9]+)*",
        ] {
            assert!(table(pattern).is_within(&harmless), "{pattern}");
        }
        // `1union`, `a-b` and `a b` may be read as SQL.
        for pattern in ["[A-Za-z0-9]+", "[a-z]+-[a-z]+", "[a-z ]+", "[-0-9]+"] {
            assert!(!table(pattern).is_within(&harmless), "{pattern}");
        }
    }

    /// Numbers that look random, from a seed.
    fn random(state: &mut u64, bound: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as usize % bound
    }

    /// Walks through the automaton of [`HARMLESS`] with the letters that the detector tells apart, and asks it.
    #[test]
    fn the_detector_of_sql_finds_nothing_in_harmless_texts() {
        let Language::Regular(harmless) = regular(HARMLESS) else { panic!("too large") };
        let letters: Vec<u8> = b"0019.:+- eExXbBdDfFtTzZacuN_\xe9\xa1".to_vec();
        // Words of the detector that are made of hexadecimal digits, and some that are not.
        let words: [&[u8]; 8] =
            [b"dec", b"1dec", b"union", b"select", b"0dec", b"having", b"1e", b"or"];
        let mut state = 88_172_645_463_325_252;
        let mut found = 0;
        for _ in 0..400_000 {
            let mut text = Vec::new();
            let length = 1 + random(&mut state, 14);
            while text.len() < length {
                match random(&mut state, 6) {
                    0 => text.extend_from_slice(words[random(&mut state, words.len())]),
                    _ => text.push(letters[random(&mut state, letters.len())]),
                }
            }
            if harmless.matches(&text) {
                found += 1;
                assert!(!injects(&text), "{:?}", String::from_utf8_lossy(&text));
            }
        }
        assert!(found > 20_000, "{found}");
    }

    /// Every form of the groups of a UUID and of the parts of an address of IPv6 that the detector tells apart: digits,
    /// a word, the one word of hexadecimal digits that it knows, an exponent, a binary number, and one after another.
    #[test]
    fn the_detector_of_sql_finds_nothing_in_groups_of_hexadecimal_digits() {
        let fill = |form: &str, length: usize| {
            let zeros = "0".repeat(length.saturating_sub(form.len()));
            // What begins a group comes after nothing but digits, which are one number.
            format!("{zeros}{form}")
        };
        let forms = [
            "00", "dec", "a", "1dec", "1e1", "1e", "0b1", "0b", "1d", "1f", "1a", "e1", "adec",
            "dec1", "b0",
        ];
        for a in forms {
            for b in forms {
                for c in forms {
                    for d in forms {
                        let text = format!("{}:{}::{}.{}", a, b, c, d);
                        assert!(!injects(text.as_bytes()), "{text}");
                        let group = |form: &str| fill(form, 4);
                        let rest =
                            format!("{}-{}-{}-{}", group(a), group(b), group(c), fill(d, 12));
                        for first in
                            ["00000000", "aaaaaaaa", "00000dec", "a0000dec", "0000000e", "0b000001"]
                        {
                            let text = format!("{first}-{rest}");
                            assert!(!injects(text.as_bytes()), "{text}");
                        }
                    }
                }
            }
        }
    }

    /// Numbers in every notation, and dates with a time: each digit is a 0, which begins other notations, or a 1.
    #[test]
    fn the_detector_of_sql_finds_nothing_in_numbers_and_times() {
        let signs = ["", "-", "+"];
        let digits = ["", "0", "1", "00", "01", "10", "11"];
        for sign in signs {
            for whole in digits {
                for point in ["", ".", ".0", ".1", ".01"] {
                    for letter in ["", "e", "E"] {
                        for exponent in signs {
                            for power in digits {
                                let text = match letter {
                                    "" => format!("{sign}{whole}{point}"),
                                    _ => format!("{sign}{whole}{point}{letter}{exponent}{power}"),
                                };
                                assert!(!injects(text.as_bytes()), "{text}");
                            }
                        }
                    }
                }
            }
        }
        assert!(!injects(b"-INF"));
        for bits in 0..1 << 14 {
            let digit = |at: usize| char::from(b'0' + (bits >> at & 1) as u8);
            let pair = |at: usize| format!("{}{}", digit(at), digit(at + 1));
            let day = format!("{}{}-{}-{}", pair(0), pair(2), pair(4), pair(6));
            let clock = format!("{}:{}:{}", pair(8), pair(10), pair(12));
            for between in ["T", "t", " "] {
                for after in ["", "Z", "z", ".5", ".01Z", "+01:10", "-00:00", ".1-10:00"] {
                    let text = format!("{day}{between}{clock}{after}");
                    assert!(!injects(text.as_bytes()), "{text}");
                }
            }
        }
    }

    fn injects(text: &[u8]) -> bool {
        portcullis_injection::sql::is_injection(text).is_some()
    }
}
