//! Values for the SQL detector: by a grammar of attacks, by fingerprint, and of any words in any order.

use super::random::Random;

const WORDS: &str = include_str!("../../../../../filter/injection/tables/words.txt");
const FINGERPRINTS: &str = include_str!("../../../../../filter/injection/tables/fingerprints.txt");

const SPACES: [&str; 16] = [
    " ", " ", " ", " ", "", "", "  ", "\t", "\n", "/**/", "/*x*/", "+", "\u{a0}", "\0", "\x0b",
    " -- \n",
];
const NUMBERS: [&str; 22] = [
    "1",
    "0",
    "1337",
    "1.5",
    ".5",
    "1.",
    "1e5",
    "1e",
    "1E+3",
    "0x1F",
    "0xg",
    "0b01",
    "0b",
    "1.2f",
    "1d",
    "1fU",
    "$1,000.00",
    "\\N",
    "x'1f'",
    "b'01'",
    "12345678901234567890123456789012345",
    "0x",
];
const STRINGS: [&str; 26] = [
    "'a'", "\"a\"", "'a''b'", "'a\\'b'", "'", "\"", "'a", "\"a", "a'", "a\"", "''", "N'a'",
    "E'a\\'b'", "q'(a)'", "nq'[a]'", "q'!a!'", "U&'a'", "$$a$$", "$t$a$t$", "$$a", "x'zz'", "b'2'",
    "'\\\\'", "'a'b'", "q'a", "e'",
];
const NAMES: [&str; 22] = [
    "a",
    "users",
    "password",
    "user",
    "table_name",
    "`a`",
    "`version`",
    "``",
    "`",
    "[a b]",
    "[a",
    "a.b",
    "a.b.c",
    "schema.tables",
    "x1",
    "_x",
    "caf\u{e9}",
    "latin1_bin",
    "database",
    "user_id",
    "current_user",
    "$",
];
const VARIABLES: [&str; 8] = ["@a", "@@version", "@@`a`", "@'a'", "@\"a\"", "@", "@@", "@a.b"];
const OPERATORS: [&str; 30] = [
    "=", "<", ">", "<=", ">=", "<>", "!=", "<=>", "+", "-", "*", "/", "%", "^", "~", "!", "!!",
    "||", "|", "&", "&&", ":=", "::", "like", "not like", "is", "not", "in", "not in", "regexp",
];
const COMMENTS: [&str; 12] = [
    "--",
    "-- ",
    "-- x",
    "--x",
    "#",
    "# x",
    "/*",
    "/* x */",
    "/*!1*/",
    "/*/**/*/",
    ";%00",
    "-- sp_password",
];

/// What the generator draws from.
pub struct Grammar {
    /// Words by the upper-case letter of their kind.
    words: Vec<(u8, &'static str)>,
    fingerprints: Vec<&'static str>,
}

impl Grammar {
    pub fn new() -> Self {
        let word = |line: &'static str| {
            let (kind, word) = line.split_once(' ')?;
            Some((kind.as_bytes().first()?.to_ascii_uppercase(), word))
        };
        Self {
            words: WORDS.lines().filter_map(word).collect(),
            fingerprints: FINGERPRINTS.lines().collect(),
        }
    }

    /// A value of one of the three kinds.
    pub fn value(&self, random: &mut Random) -> Vec<u8> {
        let text = match random.below(8) {
            0..=2 => self.by_fingerprint(random),
            3..=5 => self.attack(random),
            6 => self.soup(random),
            _ => dollars(random),
        };
        // Some bytes are no UTF-8 in traffic.
        match random.below(6) {
            0 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            _ => text.into_bytes(),
        }
    }

    fn by_fingerprint(&self, random: &mut Random) -> String {
        let fingerprint = random.pick(&self.fingerprints);
        let mut text = String::new();
        if random.one_in(3) {
            text.push_str(random.pick(&["1", "a", "x' ", "x\" ", "' ", "\" ", "1) ", "(", "-1 "]));
        }
        for letter in fingerprint.bytes() {
            text.push_str(&self.of_kind(random, letter));
            text.push_str(random.pick(&SPACES));
        }
        if random.one_in(3) {
            text.push_str(&self.any(random));
        }
        text
    }

    fn of_kind(&self, random: &mut Random, letter: u8) -> String {
        match letter {
            b'1' => (random.pick(&NUMBERS)).to_owned(),
            b'S' => (random.pick(&STRINGS)).to_owned(),
            b'V' => (random.pick(&VARIABLES)).to_owned(),
            b'N' => (random.pick(&NAMES)).to_owned(),
            b'C' => (random.pick(&COMMENTS)).to_owned(),
            b'O' => (random.pick(&OPERATORS)).to_owned(),
            b'X' => "/*!x*/".to_owned(),
            b'(' | b')' | b',' | b';' | b':' => char::from(letter).to_string(),
            _ => self.word(random, letter),
        }
    }

    fn word(&self, random: &mut Random, letter: u8) -> String {
        let count = self.words.iter().filter(|(kind, _)| *kind == letter).count();
        let mut of_kind = self.words.iter().filter(|(kind, _)| *kind == letter);
        let word = of_kind.nth(random.below(count)).map_or("", |(_, word)| *word);
        cased(random, word)
    }

    /// Words, operators and the rest in any order.
    fn soup(&self, random: &mut Random) -> String {
        let mut text = String::new();
        for _ in 0..1 + random.below(12) {
            text.push_str(&self.any(random));
            text.push_str(random.pick(&SPACES));
        }
        text
    }

    fn any(&self, random: &mut Random) -> String {
        match random.below(10) {
            0..=2 => {
                let (_, word) = random.pick(&self.words);
                cased(random, word)
            }
            3 => {
                // A phrase with something between its words, or a word with something behind it.
                let (_, word) = random.pick(&self.words);
                let joint = random.pick(&[".", "`", "/**/", "\n", "_", "  ", "(", "--\n"]);
                word.replace(' ', joint) + joint
            }
            4 => {
                (random.pick(&["{", "}", ".", "?", "[", "]", "\\", ":", "@", "$", "_"])).to_owned()
            }
            _ => {
                let letter = random.pick(b"1SVNCO(),;");
                self.of_kind(random, letter)
            }
        }
    }

    /// What injections look like.
    fn attack(&self, random: &mut Random) -> String {
        let mut text = String::new();
        let space = random.pick(&SPACES);
        text.push_str(random.pick(&[
            "", "1", "-1", "1'", "1\"", "a'", "'", "\"", "')", "\")", "1)", "1))", "'))", "a' ",
            "%'", "admin'", "\\'", "1`", "]", "+", "(", "((", "not ", "- - ",
        ]));
        text.push_str(space);
        for _ in 0..1 + random.below(2) {
            text.push_str(&self.clause(random, space));
            text.push_str(space);
        }
        if random.one_in(2) {
            text.push_str(random.pick(&COMMENTS));
        }
        if random.one_in(4) {
            text.push_str(random.pick(&["'", "\"", "'1", "\"a", ")", "('", "('a'='a", " foo"]));
        }
        text
    }

    fn clause(&self, random: &mut Random, space: &str) -> String {
        let value = self.operand(random, 2);
        let other = self.operand(random, 1);
        let operator = random.pick(&OPERATORS);
        let operator = cased(random, operator);
        let clause = match random.below(9) {
            0 | 1 => {
                let connective = random.pick(&["or", "and", "||", "&&", "xor", "or not", "and!"]);
                format!("{connective} {value} {operator} {other}")
            }
            2 => {
                let union =
                    random.pick(&["union", "union all", "union distinct", "intersect", "except"]);
                let columns = vec![value; 1 + random.below(4)].join(", ");
                format!("{union} select {columns} from {other}")
            }
            3 => {
                let statement = random.pick(&[
                    "drop table",
                    "exec",
                    "waitfor delay",
                    "shutdown",
                    "insert into",
                    "if",
                    "declare",
                    "begin",
                    "delete from",
                    "update",
                    "create table",
                    "alter table",
                    "select sleep(",
                    "call",
                ]);
                format!("; {statement} {value}")
            }
            4 => format!("order by {value}, {other}"),
            5 => format!("limit {value} into outfile {other}"),
            6 => format!("group by {value} having {operator} {other}"),
            7 => format!("procedure analyse({value}, {other})"),
            _ => format!("{operator} {value} {operator} {other}"),
        };
        cased(random, &clause.replace(' ', space))
    }

    fn operand(&self, random: &mut Random, depth: usize) -> String {
        match random.below(if depth > 0 { 8 } else { 4 }) {
            0 => (random.pick(&NUMBERS)).to_owned(),
            1 => (random.pick(&STRINGS)).to_owned(),
            2 => (random.pick(&NAMES)).to_owned(),
            3 => (random.pick(&VARIABLES)).to_owned(),
            4 => format!("({})", self.operand(random, depth - 1)),
            5 => {
                let function = self.word(random, b'F');
                format!("{function}({})", self.operand(random, depth - 1))
            }
            6 => {
                format!("(select {} from {})", self.operand(random, depth - 1), random.pick(&NAMES))
            }
            _ => {
                let operator = random.pick(&OPERATORS);
                let left = self.operand(random, depth - 1);
                format!("{left}{operator}{}", self.operand(random, depth - 1))
            }
        }
    }
}

/// Dollar quotes, nested and repeated, whose end libinjection looks for in a stretch of its own.
fn dollars(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(10) {
        text.push_str(random.pick(&[
            "$a$", "$a$", "$b$", "$ab$", "$aa$", "$aaaa$", "$$", "$", "a", "x y", "$a", "a$", "1",
            " or ", ",", "=", "'", "\0", "$\0$",
        ]));
    }
    text
}

/// A text in lower, upper or mixed case.
fn cased(random: &mut Random, text: &str) -> String {
    match random.below(4) {
        0 => text.to_owned(),
        1 => text.to_ascii_uppercase(),
        2 => text.to_ascii_lowercase(),
        _ => {
            let mut flip = |c: char| {
                if random.one_in(2) { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            };
            text.chars().map(&mut flip).collect()
        }
    }
}
