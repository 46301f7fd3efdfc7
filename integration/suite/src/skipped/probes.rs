//! Made-up rules that look for pieces of valid values, so that many of them hit.

/// Numbers that look random, from a seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below another.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let next = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(next).unwrap_or(0) % bound.max(1)
    }

    /// One of some.
    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// Whether one of so many.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

const TRANSFORMATIONS: [&str; 27] = [
    "lowercase",
    "uppercase",
    "trim",
    "url_decode",
    "url_decode_uni",
    "html_entity_decode",
    "js_decode",
    "css_decode",
    "escape_seq_decode",
    "remove_nulls",
    "remove_whitespace",
    "compress_whitespace",
    "replace_comments",
    "remove_comments",
    "normalize_path",
    "normalize_path_win",
    "cmd_line",
    "base64_decode",
    "base64_decode_ext",
    "hex_decode",
    "hex_encode",
    "sql_hex_decode",
    "utf8_to_unicode",
    "length",
    "trim_left",
    "trim_right",
    "fold_unicode",
];

/// Pieces of expressions.
const PIECES: [&str; 34] = [
    "0",
    "1",
    "[0-9]",
    "[0-9]{2}",
    "[0-9]{4}",
    "-",
    "--?",
    "[+-]",
    "e",
    "[eE][0-9]",
    "T",
    "[tz]",
    "Z$",
    ":",
    "[.]",
    "[a-f]",
    "[a-f0-9]{4}",
    "[A-Z]{2}",
    "[a-z]+",
    "\\w",
    "\\W",
    "\\s",
    "^",
    "$",
    "[^0-9]",
    "[\\x80-\\xff]",
    "%",
    "/",
    "=",
    ".",
    ".{3}",
    ".{9}",
    "true",
    "null",
];

/// Texts that are looked for.
const TEXTS: [&str; 22] = [
    "00", "12", "-0", "e1", "t1", "0z", "ab", "ff", "true", "null", "open", "http", "@", ".c",
    "a-", "+4", "1,", "x=", "union", "select", "2024-", "de",
];

/// A pack of so many rules.
pub fn pack(rules: usize, seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut pack = "pack: probes\nrules:\n".to_owned();
    for number in 0..rules {
        let steps = random.below(4).saturating_sub(1);
        let steps: Vec<&str> = (0..steps).map(|_| random.of(&TRANSFORMATIONS)).collect();
        let negated = if random.one_in(20) { ", not: true" } else { "" };
        pack.push_str(&format!(
            "  - {{ id: probe-{number}, title: A piece, score: 1, targets: [{}], transform: [{}], match: {{ {} }}{negated} }}\n",
            random.of(&["values, headers", "values, headers", "query", "body", "headers", "path", "cookies", "names, files"]),
            steps.join(", "),
            operator(&mut random),
        ));
    }
    pack
}

fn operator(random: &mut Random) -> String {
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let text = |random: &mut Random| quoted(random.of(&TEXTS));
    match random.below(16) {
        0 => "sql: true".to_owned(),
        1 => "xss: true".to_owned(),
        2 => format!("longer_than: {}", random.below(40)),
        3 => format!("number: {{ over: {} }}", random.below(100)),
        4 => format!("number: {{ is: {} }}", random.below(3)),
        5 => format!("invalid: {}", random.of(&["percent", "utf8"])),
        6 => format!("any_of: [{}, {}]", text(random), text(random)),
        7 => format!("words: [{}]", text(random)),
        8 => format!("starts_with: [{}]", text(random)),
        9 => format!("ends_with: [{}, {}]", text(random), text(random)),
        10 => format!("bytes_outside: [{}]", random.of(&["48-57", "32-126", "65-90, 97-122"])),
        11 => format!(
            "graphql: {{ {} }}",
            random.of(&["malformed: true", "fields_over: 1", "introspection: true"])
        ),
        12 => "jwt: { alg_none: true, longer_than: 40 }".to_owned(),
        _ => {
            let pieces = 1 + random.below(3);
            let expression: String = (0..pieces).map(|_| random.of(&PIECES)).collect();
            format!("regex: {}", quoted(&expression))
        }
    }
}
