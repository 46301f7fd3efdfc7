//! Reads ECMA-262 regular expressions (with the `u` flag, as JSON Schema asks) into the
//! expressions of regex-syntax, whose own syntax and meaning differ.
//!
//! What differs: `\d`, `\w` and `\b` are ASCII, `\s` has its own list, `.` leaves out line
//! terminators, `$` is the very end, `[^]` is anything. Needless escapes are taken as the letter,
//! as engines do without the `u` flag. Look-aheads are read where they stand first after `^`.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

/// How deep groups may nest.
const MAX_DEPTH: usize = 100;

/// The most that a quantifier may count.
const MAX_COUNT: u32 = 10_000;

/// A pattern: what must match, and what must or must not match from the beginning.
#[derive(Clone, Debug)]
pub struct Expression {
    /// The pattern without its leading look-aheads.
    pub main: Hir,
    /// Look-aheads at the beginning of the text: whether each is positive, and its body.
    pub ahead: Vec<(bool, Hir)>,
}

/// Reads a pattern.
///
/// # Errors
/// Why it cannot be taken, lower case, without a final period.
pub fn parse(text: &str) -> Result<Expression, String> {
    let letters: Vec<char> = text.chars().collect();
    let mut parser = Parser { letters: &letters, at: 0, depth: 0, ahead: Vec::new() };
    let main = parser.alternatives(true)?;
    if parser.at < letters.len() {
        return Err("a `)` closes nothing".to_owned());
    }
    Ok(Expression { main, ahead: parser.ahead })
}

struct Parser<'p> {
    letters: &'p [char],
    at: usize,
    depth: usize,
    ahead: Vec<(bool, Hir)>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += usize::from(letter.is_some());
        letter
    }

    fn eat(&mut self, text: &str) -> bool {
        let fits = text.chars().enumerate().all(|(i, c)| self.letters.get(self.at + i) == Some(&c));
        if fits {
            self.at += text.chars().count();
        }
        fits
    }

    fn alternatives(&mut self, top: bool) -> Result<Hir, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("groups nest too deep".to_owned());
        }
        let mut branches = vec![self.sequence(top)?];
        while self.eat("|") {
            branches.push(self.sequence(false)?);
        }
        if branches.len() > 1 && !self.ahead.is_empty() && top {
            return Err("a look-ahead in an alternative is not supported".to_owned());
        }
        self.depth -= 1;
        Ok(Hir::alternation(branches))
    }

    fn sequence(&mut self, top: bool) -> Result<Hir, String> {
        let mut parts: Vec<Hir> = Vec::new();
        while let Some(letter) = self.peek() {
            if letter == '|' || letter == ')' {
                break;
            }
            if let Some(positive) = self.look_ahead()? {
                let first = top && matches!(parts.as_slice(), [part] if is_start(part));
                let body = self.alternatives(false)?;
                self.close()?;
                if !first {
                    return Err(
                        "a look-ahead is supported only right after a leading `^`".to_owned()
                    );
                }
                let anchored = Hir::concat(vec![Hir::look(Look::Start), body]);
                self.ahead.push((positive, anchored));
                continue;
            }
            let part = self.term()?;
            parts.push(part);
        }
        Ok(Hir::concat(parts))
    }

    fn look_ahead(&mut self) -> Result<Option<bool>, String> {
        if self.eat("(?<=") || self.eat("(?<!") {
            return Err("look-behind is not supported".to_owned());
        }
        if self.eat("(?=") {
            return Ok(Some(true));
        }
        Ok(self.eat("(?!").then_some(false))
    }

    fn close(&mut self) -> Result<(), String> {
        if self.eat(")") { Ok(()) } else { Err("a `(` is never closed".to_owned()) }
    }

    fn term(&mut self) -> Result<Hir, String> {
        let Some(letter) = self.next() else { return Ok(Hir::empty()) };
        let atom = match letter {
            '^' => return Ok(Hir::look(Look::Start)),
            '$' => return Ok(Hir::look(Look::End)),
            '(' => self.group()?,
            '[' => self.class()?,
            '.' => class(&negated(LINE_ENDS)),
            '\\' => match self.escape()? {
                Atom::Letter(letter) => literal(letter),
                Atom::Set(set) => class(&set),
                Atom::Look(look) => return Ok(Hir::look(look)),
            },
            '*' | '+' | '?' => return Err(format!("a `{letter}` repeats nothing")),
            other => literal(other),
        };
        self.quantified(atom)
    }

    fn group(&mut self) -> Result<Hir, String> {
        if self.eat("?<") {
            while let Some(letter) = self.next() {
                if letter == '>' {
                    break;
                }
            }
        } else if self.peek() == Some('?') && !self.eat("?:") {
            return self.flags();
        }
        let inner = self.alternatives(false)?;
        self.close()?;
        Ok(inner)
    }

    /// `(?i:…)` and its like: only flags that change nothing here are taken.
    fn flags(&mut self) -> Result<Hir, String> {
        let rest: String = self.letters[self.at..].iter().take(8).collect();
        Err(format!("the group `({rest}` is not supported"))
    }

    fn quantified(&mut self, atom: Hir) -> Result<Hir, String> {
        let start = self.at;
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => match self.counts() {
                Some(counts) => counts,
                None => {
                    self.at = start;
                    return Ok(atom);
                }
            },
            _ => return Ok(atom),
        };
        if self.peek() != Some('{') && self.at == start {
            self.at += 1;
        }
        self.eat("?");
        if matches!(self.peek(), Some('*' | '+')) {
            return Err("a quantifier repeats a quantifier".to_owned());
        }
        if max.is_some_and(|max| max < min) {
            return Err("a quantifier counts backwards".to_owned());
        }
        if min > MAX_COUNT || max.is_some_and(|max| max > MAX_COUNT) {
            return Err(format!("a quantifier counts beyond {MAX_COUNT}"));
        }
        Ok(Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(atom) }))
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else after `{` stands for itself.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        self.at += 1;
        let min = self.number()?;
        if self.eat("}") {
            return Some((min, Some(min)));
        }
        if !self.eat(",") {
            return None;
        }
        if self.eat("}") {
            return Some((min, None));
        }
        let max = self.number()?;
        self.eat("}").then_some((min, Some(max)))
    }

    fn number(&mut self) -> Option<u32> {
        let start = self.at;
        let mut number = 0u32;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit);
            self.at += 1;
        }
        (self.at > start).then_some(number)
    }

    fn class(&mut self) -> Result<Hir, String> {
        let negate = self.eat("^");
        let mut set = ClassUnicode::empty();
        loop {
            if self.eat("]") {
                break;
            }
            let Some(first) = self.class_atom()? else {
                return Err("a `[` is never closed".to_owned());
            };
            let from = match first {
                Atom::Letter(letter) => letter,
                Atom::Set(part) => {
                    set.union(&part);
                    continue;
                }
                Atom::Look(_) => continue,
            };
            // `a-z`; a hyphen at the end, or beside a class, stands for itself.
            let is_range = self.peek() == Some('-')
                && self.letters.get(self.at + 1).is_some_and(|next| *next != ']');
            if !is_range {
                set.push(ClassUnicodeRange::new(from, from));
                continue;
            }
            self.at += 1;
            match self.class_atom()? {
                Some(Atom::Letter(to)) if from <= to => set.push(ClassUnicodeRange::new(from, to)),
                Some(Atom::Letter(to)) => return Err(format!("the range `{from}-{to}` is empty")),
                Some(Atom::Set(part)) => {
                    set.push(ClassUnicodeRange::new(from, from));
                    set.push(ClassUnicodeRange::new('-', '-'));
                    set.union(&part);
                }
                _ => return Err("a `[` is never closed".to_owned()),
            }
        }
        if negate {
            set.negate();
        }
        Ok(class(&set))
    }

    fn class_atom(&mut self) -> Result<Option<Atom>, String> {
        match self.next() {
            None => Ok(None),
            Some('\\') if self.eat("b") => Ok(Some(Atom::Letter('\u{8}'))),
            Some('\\') => self.escape().map(Some),
            Some(letter) => Ok(Some(Atom::Letter(letter))),
        }
    }

    fn escape(&mut self) -> Result<Atom, String> {
        let Some(letter) = self.next() else { return Err("a `\\` escapes nothing".to_owned()) };
        Ok(match letter {
            'd' => Atom::Set(set(DIGITS)),
            'D' => Atom::Set(negated(DIGITS)),
            'w' => Atom::Set(set(WORDS)),
            'W' => Atom::Set(negated(WORDS)),
            's' => Atom::Set(set(SPACES)),
            'S' => Atom::Set(negated(SPACES)),
            'b' => Atom::Look(Look::WordAscii),
            'B' => Atom::Look(Look::WordAsciiNegate),
            // Not ECMA-262, but what their authors mean where Perl's anchors are used.
            'A' => Atom::Look(Look::Start),
            'Z' | 'z' => Atom::Look(Look::End),
            't' => Atom::Letter('\t'),
            'n' => Atom::Letter('\n'),
            'v' => Atom::Letter('\u{B}'),
            'f' => Atom::Letter('\u{C}'),
            'r' => Atom::Letter('\r'),
            'c' => match self.next() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    Atom::Letter(char::from(letter as u8 % 32))
                }
                _ => return Err("`\\c` needs a letter".to_owned()),
            },
            'x' => Atom::Letter(self.hex(2)?),
            'u' => Atom::Letter(self.unicode()?),
            'p' | 'P' => Atom::Set(self.property(letter)?),
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => Atom::Letter('\0'),
            '0'..='9' | 'k' => return Err("back-references are not supported".to_owned()),
            other => Atom::Letter(other),
        })
    }

    fn hex(&mut self, count: usize) -> Result<char, String> {
        let code = self.hex_code(count)?;
        char::from_u32(code).ok_or_else(|| "half of a surrogate pair matches nothing".to_owned())
    }

    fn hex_code(&mut self, count: usize) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..count {
            let digit = self.next().and_then(|c| c.to_digit(16));
            code =
                code * 16 + digit.ok_or_else(|| "an escape lacks hexadecimal digits".to_owned())?;
        }
        Ok(code)
    }

    fn unicode(&mut self) -> Result<char, String> {
        if self.eat("{") {
            let mut code = 0u32;
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(letter) => {
                        let digit = letter.to_digit(16);
                        let digit =
                            digit.ok_or_else(|| "`\\u{` lacks hexadecimal digits".to_owned())?;
                        code = code.saturating_mul(16).saturating_add(digit);
                    }
                    None => return Err("`\\u{` is never closed".to_owned()),
                }
            }
            return char::from_u32(code).ok_or_else(|| "`\\u{…}` names no character".to_owned());
        }
        let first = self.hex_code(4)?;
        if (0xD800..0xDC00).contains(&first) && self.eat("\\u") {
            let second = self.hex_code(4)?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return char::from_u32(code).ok_or_else(String::new);
            }
        }
        char::from_u32(first).ok_or_else(|| "half of a surrogate pair matches nothing".to_owned())
    }

    fn property(&mut self, letter: char) -> Result<ClassUnicode, String> {
        let mut name = String::new();
        if self.eat("{") {
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(letter) => name.push(letter),
                    None => return Err(format!("`\\{letter}{{` is never closed")),
                }
            }
        } else {
            name.extend(self.next());
        }
        let text = format!("\\{letter}{{{name}}}");
        let parsed = regex_syntax::Parser::new().parse(&text);
        match parsed.map(Hir::into_kind) {
            Ok(HirKind::Class(Class::Unicode(set))) => Ok(set),
            Ok(HirKind::Literal(letters)) => {
                let text = std::str::from_utf8(&letters.0).unwrap_or_default();
                let ranges = text.chars().map(|letter| ClassUnicodeRange::new(letter, letter));
                Ok(ClassUnicode::new(ranges))
            }
            _ => Err(format!("the property `{text}` is not known")),
        }
    }
}

enum Atom {
    Letter(char),
    Set(ClassUnicode),
    Look(Look),
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORDS: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
/// ECMA-262 section 22.2.2.9: WhiteSpace and LineTerminator.
const SPACES: &[(char, char)] = &[
    ('\t', '\r'),
    (' ', ' '),
    ('\u{A0}', '\u{A0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200A}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202F}', '\u{202F}'),
    ('\u{205F}', '\u{205F}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{FEFF}', '\u{FEFF}'),
];
const LINE_ENDS: &[(char, char)] = &[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];

fn set(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(from, to)| ClassUnicodeRange::new(*from, *to)))
}

fn negated(ranges: &[(char, char)]) -> ClassUnicode {
    let mut set = set(ranges);
    set.negate();
    set
}

fn class(set: &ClassUnicode) -> Hir {
    Hir::class(Class::Unicode(set.clone()))
}

fn literal(letter: char) -> Hir {
    Hir::literal(letter.to_string().into_bytes())
}

fn is_start(part: &Hir) -> bool {
    matches!(part.kind(), HirKind::Look(Look::Start))
}
