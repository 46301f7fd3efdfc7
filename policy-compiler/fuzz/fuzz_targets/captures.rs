//! What the groups of regular expressions take, beside the crate `regex`.
//!
//! The input is an expression over few letters, and after a NUL a text: both are spelled from the bytes of the input, so
//! that most inputs are expressions that match. For each group that has matched there is a rule that compares it with
//! what `regex` says, and all of them must fire; and none that compares it with anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_compiler::source::Memory;
use policy_compiler::{Input, Release};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Exchange, RequestHead};
use std::fmt::Write;

#[allow(dead_code)]
mod scan;

/// What expressions are spelled with; groups often, since they are what is asked about.
const LETTERS: [&str; 24] = [
    "a", "b", "c", "a", "b", ".", "(", "(", ")", ")", "(?:", "|", "|", "*", "+", "?", "*?", "+?",
    "??", "[ab]", "[^a]", "^", "$", "{1,2}",
];

const POLICY: &str = "version: 1
name: fuzz
mode: monitor
undeclared: { operations: allow }
attacks: { mode: monitor, budget: 8MiB, rules: [{ crs: waf, setup: setup.conf, paranoia: 1 }] }
apis: [{ name: none, documents: [none.yaml] }]
";

/// Groups that a rule can ask for.
const GROUPS: usize = 10;

fuzz_target!(|input: &[u8]| {
    let (spelled, text) = scan::cut(input, b"\0");
    let expression: String =
        spelled.iter().take(24).map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
    let text: Vec<u8> = text.iter().take(40).map(|byte| b'a' + byte % 4).collect();
    let text = String::from_utf8(text).expect("letters");
    // As rules are read: a dot takes line ends too, `$` is the very end.
    let Ok(oracle) = regex::RegexBuilder::new(&expression).dot_matches_new_line(true).build()
    else {
        return;
    };
    let Some(groups) = oracle.captures(&text) else { return };
    let mut rules = String::new();
    for group in 0..GROUPS {
        let taken = groups.get(group).map_or("", |it| it.as_str());
        for (id, operator) in [(100 + group, ""), (200 + group, "!")] {
            let _ = writeln!(
                rules,
                "SecRule ARGS:q \"@rx {expression}\" \"id:{id},phase:2,pass,capture,t:none,msg:'g',chain\"\n\
                 SecRule TX:{group} \"{operator}@rx ^{taken}$\" \"t:none\""
            );
        }
    }
    let files = Memory::new([
        ("policy.yaml", POLICY),
        ("none.yaml", "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n"),
        ("setup.conf", ""),
        ("waf/rules.conf", rules.as_str()),
    ]);
    let input = Input::Policy("policy.yaml".to_owned());
    let output = policy_compiler::compile(&files, &input, &Release::default());
    // Expressions that are too large are refused.
    let Some(bytes) = output.bundle else { return };
    let bundle = Bundle::open(bytes, &Trust { keys: Vec::new(), allow_unsigned: true });
    let bundle = bundle.expect("what is written opens");
    let path = format!("/a?q={text}");
    let head = RequestHead {
        method: b"GET",
        path: path.as_bytes(),
        authority: b"a",
        headers: &[],
        end_of_stream: true,
    };
    let mut exchange = Exchange::new();
    scan::judge(&bundle, &mut exchange, &head, 1, b"");
    let view = bundle.view();
    let fired: Vec<&str> = exchange
        .fired_rules()
        .filter_map(|rule| view.rules.get(rule as usize))
        .map(|rule| view.text(rule.id))
        .collect();
    let present = (0..GROUPS).filter(|group| groups.get(*group).is_some());
    for group in present {
        let (same, other) = ((100 + group).to_string(), (200 + group).to_string());
        assert!(
            fired.contains(&same.as_str()),
            "`{expression}` in `{text}`: {group} {groups:?} {fired:?}"
        );
        assert!(!fired.contains(&other.as_str()), "`{expression}` in `{text}`: {group} {groups:?}");
    }
});
