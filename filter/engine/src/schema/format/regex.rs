//! Regular expressions: the grammar of ECMA-262, section 22.2.1, without Annex B, whether or not with the
//! flag `u`; only the syntax is checked, nothing is built.
//!
//! One pass, groups on a stack of bits. What is not checked: that `\p{…}` names a property that Unicode has.

use super::class::{ALPHA, DIGIT, HEX, is};

/// Groups within each other, at most; what is deeper is refused.
const DEPTH: u32 = 128;
/// Groups with a name, at most; what has more is refused.
const NAMES: usize = 64;

/// Whether a text is a `Pattern`.
pub(super) fn regex(text: &[u8]) -> bool {
    let Some(groups) = Groups::of(text) else { return false };
    Parser { rest: text, groups, depth: 0, assertions: 0 }.pattern().is_some()
}

/// The capturing groups of a pattern.
struct Groups<'a> {
    count: u32,
    names: [&'a [u8]; NAMES],
    named: usize,
}

impl<'a> Groups<'a> {
    /// Finds the groups; `None` where a name is malformed or stands twice in one alternative.
    fn of(text: &'a [u8]) -> Option<Self> {
        let mut groups = Groups { count: 0, names: [&[]; NAMES], named: 0 };
        let (mut rest, mut class, mut alternatives) = (text, false, false);
        while let [byte, after @ ..] = rest {
            rest = after;
            match byte {
                b'\\' => rest = after.get(1..).unwrap_or_default(),
                b'[' => class = true,
                b']' => class = false,
                b'|' if !class => alternatives = true,
                b'(' if !class => match after {
                    [b'?', b'<', b'=' | b'!', ..] => {}
                    [b'?', b'<', named @ ..] => {
                        let (name, _) = name(named)?;
                        let twice = groups.names().contains(&name);
                        // Names may repeat in different alternatives only.
                        if twice && !alternatives {
                            return None;
                        }
                        if !twice {
                            *groups.names.get_mut(groups.named)? = name;
                            groups.named += 1;
                        }
                        groups.count += 1;
                    }
                    [b'?', ..] => {}
                    _ => groups.count += 1,
                },
                _ => {}
            }
        }
        Some(groups)
    }

    fn names(&self) -> &[&'a [u8]] {
        self.names.get(..self.named).unwrap_or_default()
    }
}

/// What stands before a quantifier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Term {
    /// Nothing that can be repeated.
    Fixed,
    /// An atom.
    Atom,
}

struct Parser<'a> {
    rest: &'a [u8],
    groups: Groups<'a>,
    /// Open groups.
    depth: u32,
    /// A bit for each open group, the innermost lowest: whether it is an assertion.
    assertions: u128,
}

impl<'a> Parser<'a> {
    fn pattern(&mut self) -> Option<()> {
        let mut last = Term::Fixed;
        while let [byte, after @ ..] = self.rest {
            self.rest = after;
            last = match byte {
                b'^' | b'$' | b'|' => Term::Fixed,
                b'.' => Term::Atom,
                b'(' => self.open()?,
                b')' => self.close()?,
                b'[' => self.class()?,
                b'\\' => self.escape()?,
                b'*' | b'+' | b'?' => self.repeated(last)?,
                b'{' => {
                    self.braces()?;
                    self.repeated(last)?
                }
                b']' | b'}' => return None,
                _ => Term::Atom,
            };
        }
        (self.depth == 0).then_some(())
    }

    /// What follows a quantifier, which an atom must stand before.
    fn repeated(&mut self, last: Term) -> Option<Term> {
        if let [b'?', after @ ..] = self.rest {
            self.rest = after;
        }
        (last == Term::Atom).then_some(Term::Fixed)
    }

    /// `{n}`, `{n,}` or `{n,m}`, after the brace.
    fn braces(&mut self) -> Option<()> {
        let least = self.number()?;
        if let [b',', after @ ..] = self.rest {
            self.rest = after;
            if !matches!(self.rest, [b'}', ..]) {
                let most = self.number()?;
                let ordered = (least.len(), least) <= (most.len(), most);
                ordered.then_some(())?;
            }
        }
        self.eat(b'}')
    }

    /// Digits, without leading zeros.
    fn number(&mut self) -> Option<&'a [u8]> {
        let count = self.rest.iter().take_while(|&&byte| is(byte, DIGIT)).count();
        let (mut digits, after) = self.rest.split_at_checked(count)?;
        self.rest = after;
        while let [b'0', more @ ..] = digits {
            digits = more;
        }
        (count > 0).then_some(digits)
    }

    fn open(&mut self) -> Option<Term> {
        let (assertion, after) = match self.rest {
            [b'?', b':', after @ ..] => (false, after),
            [b'?', b'=' | b'!', after @ ..] => (true, after),
            [b'?', b'<', b'=' | b'!', after @ ..] => (true, after),
            [b'?', b'<', after @ ..] => (false, name(after)?.1),
            [b'?', after @ ..] => (false, modifiers(after)?),
            after => (false, after),
        };
        self.rest = after;
        self.depth += 1;
        self.assertions = self.assertions << 1 | u128::from(assertion);
        (self.depth <= DEPTH).then_some(Term::Fixed)
    }

    fn close(&mut self) -> Option<Term> {
        self.depth = self.depth.checked_sub(1)?;
        let assertion = self.assertions & 1 == 1;
        self.assertions >>= 1;
        Some(if assertion { Term::Fixed } else { Term::Atom })
    }

    /// `AtomEscape` and the assertions `\b`, `\B`, after the backslash.
    fn escape(&mut self) -> Option<Term> {
        match self.rest {
            [b'b' | b'B', after @ ..] => {
                self.rest = after;
                Some(Term::Fixed)
            }
            [b'1'..=b'9', ..] => {
                let digits = self.number()?;
                let group = digits.iter().fold(0_u32, |n, digit| {
                    n.saturating_mul(10).saturating_add((digit & 15).into())
                });
                (group <= self.groups.count).then_some(Term::Atom)
            }
            [b'k', b'<', after @ ..] => {
                let (name, after) = name(after)?;
                self.rest = after;
                self.groups.names().contains(&name).then_some(Term::Atom)
            }
            _ => self.character_escape().map(|_| Term::Atom),
        }
    }

    /// A character class, after the bracket.
    fn class(&mut self) -> Option<Term> {
        if let [b'^', after @ ..] = self.rest {
            self.rest = after;
        }
        loop {
            if let [b']', after @ ..] = self.rest {
                self.rest = after;
                return Some(Term::Atom);
            }
            let first = self.class_atom()?;
            match self.rest {
                [b'-', b']', ..] => {}
                [b'-', after @ ..] => {
                    self.rest = after;
                    let last = self.class_atom()?;
                    // A range lies between two characters in order.
                    (first? <= last?).then_some(())?;
                }
                _ => {}
            }
        }
    }

    /// The character of a class atom, or `None` within for an escape that stands for several.
    #[expect(clippy::option_option, reason = "an error, or a set that is no character")]
    fn class_atom(&mut self) -> Option<Option<u32>> {
        match self.rest {
            [b'\\', b'b', after @ ..] => {
                self.rest = after;
                Some(Some(8))
            }
            [b'\\', after @ ..] => {
                self.rest = after;
                self.character_escape()
            }
            [byte, after @ ..] if *byte < 0x80 => {
                self.rest = after;
                Some(Some(u32::from(*byte)))
            }
            text => {
                let (scalar, after) = super::super::check::decode(text)?;
                self.rest = after;
                Some(Some(scalar))
            }
        }
    }

    /// `CharacterEscape` and `CharacterClassEscape`, after the backslash.
    #[expect(clippy::option_option, reason = "an error, or a set that is no character")]
    fn character_escape(&mut self) -> Option<Option<u32>> {
        let [byte, after @ ..] = self.rest else { return None };
        self.rest = after;
        let plain = |c: u8| Some(Some(u32::from(c)));
        match byte {
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' => Some(None),
            b't' => plain(b'\t'),
            b'n' => plain(b'\n'),
            b'v' => plain(0x0B),
            b'f' => plain(0x0C),
            b'r' => plain(b'\r'),
            b'0' if !matches!(after, [b'0'..=b'9', ..]) => plain(0),
            b'c' => match after {
                [letter, after @ ..] if is(*letter, ALPHA) => {
                    self.rest = after;
                    plain(letter & 31)
                }
                _ => None,
            },
            b'x' => self.hex(2).map(Some),
            b'u' => match after {
                [b'{', digits @ ..] => {
                    self.rest = digits;
                    let count = digits.iter().take_while(|&&byte| is(byte, HEX)).count();
                    let scalar = self.hex(count)?;
                    self.eat(b'}')?;
                    (count > 0 && scalar <= 0x10_FFFF).then_some(Some(scalar))
                }
                _ => self.hex(4).map(Some),
            },
            b'p' | b'P' => self.property().map(|()| None),
            // What is no letter, digit or underscore stands for itself.
            b' '..=b'~' if !is(*byte, ALPHA | DIGIT) && *byte != b'_' => plain(*byte),
            _ => None,
        }
    }

    /// `{Name}` or `{Name=Value}`.
    fn property(&mut self) -> Option<()> {
        self.eat(b'{')?;
        let word = |text: &[u8]| {
            text.iter().take_while(|&&byte| is(byte, ALPHA | DIGIT) || byte == b'_').count()
        };
        let mut len = word(self.rest);
        (len > 0).then_some(())?;
        self.rest = self.rest.get(len..)?;
        if let [b'=', after @ ..] = self.rest {
            len = word(after);
            (len > 0).then_some(())?;
            self.rest = after.get(len..)?;
        }
        self.eat(b'}')
    }

    /// The value of so many hexadecimal digits; beyond 32 bits the greatest.
    fn hex(&mut self, count: usize) -> Option<u32> {
        let (digits, after) = self.rest.split_at_checked(count)?;
        self.rest = after;
        digits.iter().try_fold(0_u32, |value, &digit| {
            let digit = char::from(digit).to_digit(16)?;
            Some(value.saturating_mul(16).saturating_add(digit))
        })
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        match self.rest {
            [first, after @ ..] if *first == byte => {
                self.rest = after;
                Some(())
            }
            _ => None,
        }
    }
}

/// `GroupName` after its opening bracket, and what follows its closing one. Characters above U+007F are
/// taken for letters; escapes in names are refused.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'>')?;
    let (name, after) = text.split_at_checked(end)?;
    let letter = |&byte: &u8| is(byte, ALPHA | DIGIT) || matches!(byte, b'_' | b'$' | 0x80..);
    let sound = !matches!(name, [] | [b'0'..=b'9', ..]) && name.iter().all(letter);
    if sound { Some((name, after.get(1..)?)) } else { None }
}

/// Flags to turn on and off before a colon, each once.
fn modifiers(text: &[u8]) -> Option<&[u8]> {
    let (mut seen, mut minus, mut count) = (0_u8, false, 0);
    let mut rest = text;
    loop {
        let [byte, after @ ..] = rest else { return None };
        rest = after;
        let bit = match byte {
            b'i' => 1,
            b'm' => 2,
            b's' => 4,
            b'-' if !minus => {
                minus = true;
                continue;
            }
            b':' if count > 0 => return Some(after),
            _ => return None,
        };
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::regex;

    #[test]
    fn patterns() {
        for text in [
            "",
            "([abc])+\\s+$",
            "^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}$",
            "a{0}b{2,}c{2,10}?d*?",
            "(?:a|b)*|(?=c)d(?!e)(?<=f+)(?<!g)",
            "(?<year>\\d{4})-\\k<year>\\1",
            "\\1(a)",
            "[]|[^]|[-a]|[a-]|[\\]\\-\\b]|[^\\n-\\r]",
            "\\cA\\x41\\u0041\\u{1F600}\\0\\.\\/\\-\\@\\\\",
            "\\p{L}\\P{Script=Greek}[\\p{Lu}]",
            "é+[à-ü]",
            "(?i:a)(?i-s:b)(?-m:c)",
            "(?<a>x)|(?<a>y)",
            "a||b|",
            "()",
            &format!("{}{}", "(".repeat(128), ")".repeat(128)),
        ] {
            assert!(regex(text.as_bytes()), "{text}");
        }
        for text in [
            "^(abc]",
            "(",
            ")",
            "a**",
            "*a",
            "a|*",
            "(?=a)*",
            "^*",
            "\\b+",
            "a{2,1}",
            "a{",
            "a}",
            "]",
            "{1}",
            "a{1}{2}",
            "a{,5}",
            "a{1",
            "[",
            "[a",
            "[z-a]",
            "[\\d-z]",
            "[a-\\w]",
            "\\",
            "\\a",
            "\\_",
            "\\é",
            "\\xg1",
            "\\x4",
            "\\u004",
            "\\u{110000}",
            "\\u{}",
            "\\u{FFFFFFFFFF}",
            "\\c1",
            "\\00",
            "\\1",
            "(a)\\2",
            "[\\1]",
            "[\\B]",
            "\\k<a>",
            "\\k",
            "(?<a>x)(?<a>y)",
            "(?<1a>x)",
            "(?<>x)",
            "(?<a",
            "(?P<n>x)",
            "(?#c)a",
            "(?i)a",
            "(?ii:a)",
            "(?-:a)",
            "(?i",
            "(?",
            "\\p{}",
            "\\pL",
            "\\p{L",
            "\\p{Script=}",
            &format!("{}{}", "(".repeat(129), ")".repeat(129)),
        ] {
            assert!(!regex(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn names_have_a_bound() {
        let groups =
            |count: usize| -> String { (0..count).map(|i| format!("(?<n{i}>a)")).collect() };
        assert!(regex(groups(64).as_bytes()));
        assert!(!regex(groups(65).as_bytes()));
    }
}
