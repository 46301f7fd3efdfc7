use super::*;
use proptest::prelude::*;

fn lowered(text: &str) -> (Patterns, Pattern) {
    let mut patterns = Patterns::default();
    let pattern = patterns.get(text).clone();
    (patterns, pattern)
}

/// Judges a text as the engine does.
fn accepts(text: &str, value: &str) -> bool {
    let (patterns, pattern) = lowered(text);
    match pattern {
        Pattern::Everything => true,
        Pattern::Class { class, min, max } => {
            let ranges = &patterns.classes[class as usize];
            let inside = |c: char| ranges.iter().any(|(a, b)| (*a..=*b).contains(&u32::from(c)));
            let length = value.chars().count() as u64;
            value.chars().all(inside) && length >= min && max.is_none_or(|max| length <= max)
        }
        Pattern::Automaton(index) => patterns.matches(index, value),
        Pattern::Unsupported(reason) => panic!("`{text}`: {reason}"),
    }
}

#[test]
fn ecma_meanings() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (r"^\d+$", &["0", "42"], &["", "٣", "4x"]),
        (r"^\w$", &["_", "a"], &["é", "-"]),
        (r"^\s$", &[" ", "\u{FEFF}", "\u{2028}", "\u{B}"], &["\u{85}", "x"]),
        (r"^.$", &["x", "é", "😀"], &["\n", "\r", "\u{2028}", ""]),
        (r"^a$", &["a"], &["a\n", "b"]),
        (r"b", &["abc", "b"], &["ac", ""]),
        (r"^[^]$", &["\n", "x"], &["", "xx"]),
        (r"^\/\-\_$", &["/-_"], &["\\/-_"]),
        (r"^\u0041\x42\cJ$", &["AB\n"], &["AB"]),
        (r"^\ud83d\ude00$", &["😀"], &["x"]),
        (r"\bfoo\b", &["a foo b", "foo"], &["afoo", "foo_"]),
        (r"^(?:a|b){2,3}?$", &["ab", "aba"], &["a", "abab"]),
        (r"^a{,3}$", &["a{,3}"], &["aa"]),
        (r"^(?!\s)(.*)(\S)$", &["ab", "a b", "a"], &["", " ab", "ab "]),
        (r"^(?=.*\d)(?=.*[a-z]).{4,8}$", &["abc1", "1bcd5678"], &["abcd", "1234", "ab1"]),
        (r"^\p{L}+$", &["né"], &["n1"]),
        (r"^[\w.-]+$", &["a.b-c"], &["a b"]),
        (r"^$", &[""], &["x"]),
        (r"", &["", "x"], &[]),
        (r"^(ab|cd)*$", &["", "abcd"], &["abc"]),
        (r"^\S+@\S+$", &["a@b"], &["a b@c", "@b"]),
        (
            r"^[A-Z]{6,6}[A-Z2-9][A-NP-Z0-9]([A-Z0-9]{3,3}){0,1}$",
            &["ABCDEF2A", "ABCDEF2A123"],
            &["ABCDEF1A"],
        ),
    ];
    for (pattern, good, bad) in cases {
        good.iter().for_each(|text| assert!(accepts(pattern, text), "`{pattern}` on {text:?}"));
        bad.iter().for_each(|text| assert!(!accepts(pattern, text), "`{pattern}` on {text:?}"));
    }
}

#[test]
fn classes_need_no_automaton() {
    for text in [r"^[\p{L}\p{N} .,'-]{1,70}$", r"^.{0,1024}$", "^[0-9]+$", "^([a-z]*)$", "^x$"] {
        assert!(matches!(lowered(text).1, Pattern::Class { .. }), "{text}");
    }
    assert_eq!(lowered("a*").1, Pattern::Everything);
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        (r"(a)\1", "back-references"),
        (r"(?<=a)b", "look-behind"),
        (r"a(?=b)", "look-ahead"),
        (r"(", "never closed"),
        (r"[a", "never closed"),
        (r"*", "repeats nothing"),
        (r"\p{Nope}", "not known"),
        (r"^(\p{L}{1,70} ){1,70}x$", "too large"),
        ("a)", "closes nothing"),
    ];
    for (text, part) in cases {
        match lowered(text).1 {
            Pattern::Unsupported(reason) => assert!(reason.contains(part), "{text}: {reason}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn tables_are_small_and_numbered() {
    let uuid = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    let (patterns, pattern) = lowered(uuid);
    assert!(matches!(pattern, Pattern::Automaton(0)));
    let table = &patterns.tables[0];
    assert_eq!((table.stride, table.verdicts.len()), (3, 38));
    assert!(table.verdicts.is_sorted());
    assert_eq!(table.verdicts[0], Verdict::Dead);
    assert!(table.next[..table.stride].iter().all(|next| *next == 0));
}

#[test]
fn equal_languages_share_a_table() {
    let mut patterns = Patterns::default();
    let first = patterns.get("^(a|b)c$").clone();
    assert_eq!(patterns.get("^[ab]c$"), &first);
    assert_eq!(patterns.tables.len(), 1);
}

/// Patterns that mean the same to ECMA-262 and to the regex crate.
fn pattern() -> impl Strategy<Value = String> {
    let letter = prop::sample::select(vec![
        "a", "b", "[ab]", "[^a]", "é", "[b-é]", "(?:ab|b)", "(a*)", "\\d", "-", "😀",
    ]);
    let letter = letter.prop_map(str::to_owned);
    let tree = letter.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| parts.concat()),
            (inner.clone(), prop::sample::select(vec!["*", "+", "?", "{2}", "{1,3}", "{2,}"]))
                .prop_map(|(part, count)| format!("(?:{part}){count}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(?:{a}|{b})")),
        ]
    });
    (any::<bool>(), tree, any::<bool>()).prop_map(|(start, tree, end)| {
        format!("{}{tree}{}", if start { "^" } else { "" }, if end { "$" } else { "" })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn automata_agree_with_the_regex_crate(
        text in pattern(),
        values in prop::collection::vec("[abé😀0-9\\n-]{0,8}", 8),
    ) {
        let oracle = regex_automata::meta::Regex::new(&text.replace("\\d", "[0-9]")).unwrap();
        let mut patterns = Patterns::default();
        let index = patterns.automaton_or_reason(&text).unwrap();
        for value in &values {
            let expected = oracle.is_match(value.as_str());
            prop_assert_eq!(patterns.matches(index, value), expected, "`{}` on {:?}", text, value);
            prop_assert_eq!(accepts(&text, value), expected, "`{}` on {:?}", text, value);
        }
    }
}
