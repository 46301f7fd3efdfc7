//! Cuts a value into tokens, as the union of the dialects of SQL would.
//!
//! Every token moves on by at least one byte, and no byte is looked at more than a few times, with one
//! exception: the search for the end of a dollar quote `$tag$` starts near the front of the value. It is
//! made only while the tag is longer than what precedes it, so each search that succeeds doubles the
//! tag: there are at most as many as the length has binary digits.

use super::token::{Kind, LONGEST, Token};
use super::words;
use super::{Dialect, Quote};
use crate::bytes::{after, find, find_all, find_pair, first, span};

/// Reads tokens off a value.
#[derive(Clone, Debug)]
pub struct Tokenizer<'v> {
    value: &'v [u8],
    at: usize,
    quote: Quote,
    dialect: Dialect,
    /// How many tokens were read, comments included.
    pub tokens: usize,
    /// Whether MySQL reads something in the value differently: `#`, or `--` before no space.
    pub ambiguous: bool,
}

impl<'v> Tokenizer<'v> {
    /// A tokenizer at the start of a value.
    pub fn new(value: &'v [u8], quote: Quote, dialect: Dialect) -> Self {
        Self { value, at: 0, quote, dialect, tokens: 0, ambiguous: false }
    }

    /// The next token, unless the value has ended.
    #[inline(never)]
    pub fn next(&mut self) -> Option<Token<'v>> {
        let token = match self.quote.byte() {
            // A value between quotes begins inside a string.
            Some(quote) if self.at == 0 && !self.value.is_empty() => self.string(quote, 0),
            _ => {
                self.at += span(self.rest(), is_skipped);
                let byte = *self.rest().first()?;
                self.token(byte)
            }
        };
        self.tokens += 1;
        Some(token)
    }

    fn token(&mut self, byte: u8) -> Token<'v> {
        match byte {
            b'(' => self.take(Kind::LeftParenthesis, 1),
            b')' => self.take(Kind::RightParenthesis, 1),
            b'{' => self.take(Kind::LeftBrace, 1),
            b'}' => self.take(Kind::RightBrace, 1),
            b',' => self.take(Kind::Comma, 1),
            b';' => self.take(Kind::Semicolon, 1),
            b'?' | b']' => self.take(Kind::Unknown, 1),
            b'%' | b'+' | b'^' | b'~' => self.take(Kind::Operator, 1),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(),
            b'"' | b'\'' => self.string(byte, 1),
            b'`' => self.tick(),
            b'#' => self.hash(),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'\\' => self.backslash(),
            b'$' => self.money(),
            b'@' => self.variable(),
            b'[' => self.bracketed(),
            b'.' | b'0'..=b'9' => self.number(),
            b'B' | b'b' => self.prefixed_digits(is_binary),
            b'X' | b'x' => self.prefixed_digits(is_hex),
            b'E' | b'e' => self.escaped_string(),
            b'N' | b'n' => self.national_string(),
            b'Q' | b'q' => self.oracle_string(0),
            b'U' | b'u' => self.unicode_string(),
            _ => self.word(),
        }
    }

    fn rest(&self) -> &'v [u8] {
        after(self.value, self.at)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.rest().get(ahead).copied()
    }

    /// The next `length` bytes as a token.
    #[inline(never)]
    fn take(&mut self, kind: Kind, length: usize) -> Token<'v> {
        let token = Token::new(kind, first(self.rest(), length));
        self.at += length;
        token
    }

    /// All that is left as a token.
    fn take_rest(&mut self, kind: Kind) -> Token<'v> {
        self.take(kind, self.rest().len())
    }

    fn operator(&mut self) -> Token<'v> {
        let rest = self.rest();
        if rest.starts_with(b"<=>") {
            return self.take(Kind::Operator, 3);
        }
        match rest.get(..2) {
            Some(pair) => match words::lookup(pair) {
                Some(kind) => self.take(kind, 2),
                None if rest.first() == Some(&b':') => self.take(Kind::Colon, 1),
                None => self.take(Kind::Operator, 1),
            },
            None => self.take(Kind::Operator, 1),
        }
    }

    /// An operator in ANSI SQL, a comment in MySQL.
    fn hash(&mut self) -> Token<'v> {
        self.ambiguous = true;
        match self.dialect {
            Dialect::Mysql => self.line_comment(),
            Dialect::Ansi => self.take(Kind::Operator, 1),
        }
    }

    /// `--` begins a comment before a space or the end; before anything else not in MySQL, where it is
    /// two operators.
    fn dash(&mut self) -> Token<'v> {
        if self.peek(1) != Some(b'-') {
            return self.take(Kind::Operator, 1);
        }
        match (self.peek(2), self.dialect) {
            (None, _) => self.line_comment(),
            (Some(byte), _) if is_white(byte) => self.line_comment(),
            (Some(_), Dialect::Ansi) => {
                self.ambiguous = true;
                self.line_comment()
            }
            (Some(_), Dialect::Mysql) => self.take(Kind::Operator, 1),
        }
    }

    fn line_comment(&mut self) -> Token<'v> {
        match find(self.rest(), b'\n') {
            None => self.take_rest(Kind::Comment),
            Some(length) => {
                let token = self.take(Kind::Comment, length);
                self.at += 1;
                token
            }
        }
    }

    /// Databases disagree on nested comments, and MySQL runs what `/*!` hides.
    fn slash(&mut self) -> Token<'v> {
        let rest = self.rest();
        if self.peek(1) != Some(b'*') {
            return self.take(Kind::Operator, 1);
        }
        let body = after(rest, 2);
        let end = find_pair(body, *b"*/");
        let nested = end.is_some_and(|end| find_pair(first(body, end + 1), *b"/*").is_some());
        let kind = if nested || body.first() == Some(&b'!') { Kind::Evil } else { Kind::Comment };
        self.take(kind, end.map_or(rest.len(), |end| end + 4))
    }

    /// `\N` is MySQL's NULL.
    fn backslash(&mut self) -> Token<'v> {
        match self.peek(1) {
            Some(b'N') => self.take(Kind::Number, 2),
            _ => self.take(Kind::Backslash, 1),
        }
    }

    /// A string whose text begins `offset` bytes on: 0 where the quote is before the value.
    #[inline(never)]
    fn string(&mut self, quote: u8, offset: usize) -> Token<'v> {
        let body = after(self.rest(), offset);
        let end = end_of_string(body, quote);
        let open = if offset > 0 { quote } else { 0 };
        self.quoted(offset, end, 1, [open, quote])
    }

    /// A string token: text from `offset` to `end` bytes on, then `closing` bytes of closing quote.
    #[inline(never)]
    fn quoted(
        &mut self,
        offset: usize,
        end: Option<usize>,
        closing: usize,
        [open, close]: [u8; 2],
    ) -> Token<'v> {
        let body = after(self.rest(), offset);
        let length = end.unwrap_or(body.len());
        self.at += offset + length + end.map_or(0, |_| closing);
        let token = Token::new(Kind::String, first(body, length));
        Token { open, close: if end.is_some() { close } else { 0 }, ..token }
    }

    /// `E'…'` of PostgreSQL and `N'…'` of MySQL.
    fn escaped_string(&mut self) -> Token<'v> {
        match self.rest() {
            [_, b'\'', _, ..] => self.string(b'\'', 2),
            _ => self.word(),
        }
    }

    /// `U&'…'`.
    fn unicode_string(&mut self) -> Token<'v> {
        if !after(self.rest(), 1).starts_with(b"&'") {
            return self.word();
        }
        let token = self.string(b'\'', 3);
        Token { open: b'u', close: if token.close == 0 { 0 } else { b'u' }, ..token }
    }

    /// `N'…'`, or Oracle's `Nq'[…]'`.
    fn national_string(&mut self) -> Token<'v> {
        match self.rest() {
            [_, b'\'', _, ..] => self.string(b'\'', 2),
            _ => self.oracle_string(1),
        }
    }

    /// Oracle's `q'[…]'`, whose quote begins `offset` bytes on.
    fn oracle_string(&mut self, offset: usize) -> Token<'v> {
        let delimiter = match after(self.rest(), offset) {
            [b'q' | b'Q', b'\'', delimiter @ 33..=127, ..] => *delimiter,
            _ => return self.word(),
        };
        let closing = match delimiter {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            other => other,
        };
        let end = find_pair(after(self.rest(), offset + 3), [closing, b'\'']);
        self.quoted(offset + 3, end, 2, [b'q', b'q'])
    }

    /// `B'01'` and `X'1F'`.
    fn prefixed_digits(&mut self, is_digit: fn(u8) -> bool) -> Token<'v> {
        if let [_, b'\'', _, ..] = self.rest() {
            let digits = span(after(self.rest(), 2), is_digit);
            if self.peek(2 + digits) == Some(b'\'') {
                return self.take(Kind::Number, digits + 3);
            }
        }
        self.word()
    }

    /// `[name]` of SQL Server.
    fn bracketed(&mut self) -> Token<'v> {
        let end = find(self.rest(), b']').map_or(self.rest().len(), |at| at + 1);
        self.take(Kind::Bareword, end)
    }

    /// A word. One like `SELECT.1` or ``SELECT`a` `` ends where a known word does.
    #[inline(never)]
    fn word(&mut self) -> Token<'v> {
        // A known word is short: only one that cannot be known is read to its end.
        let rest = self.rest();
        let head = first(rest, LONGEST);
        let head = first(head, span(head, is_word));
        for (at, _) in head.iter().enumerate().filter(|(_, byte)| matches!(byte, b'.' | b'`')) {
            match words::lookup(first(head, at)) {
                Some(Kind::Bareword) | None => {}
                Some(kind) => return self.take(kind, at),
            }
        }
        let length = head.len() + span(after(rest, head.len()), is_word);
        let kind = if length <= LONGEST { words::lookup(head) } else { None };
        self.take(kind.unwrap_or(Kind::Bareword), length)
    }

    /// A word between backticks: the name of a function, or a word without a meaning.
    fn tick(&mut self) -> Token<'v> {
        let token = self.string(b'`', 1);
        let kind = match words::lookup(token.text) {
            Some(Kind::Function) => Kind::Function,
            _ => Kind::Bareword,
        };
        Token { kind, ..token }
    }

    /// `@name`, `@@name`, ``@@`name` ``.
    fn variable(&mut self) -> Token<'v> {
        self.at += if self.peek(1) == Some(b'@') { 2 } else { 1 };
        let token = match self.peek(0) {
            Some(b'`') => self.tick(),
            Some(quote @ (b'\'' | b'"')) => self.string(quote, 1),
            _ => self.take(Kind::Variable, span(self.rest(), is_variable)),
        };
        Token { kind: Kind::Variable, ..token }
    }

    /// `$1,000.00`, `$$…$$`, `$tag$…$tag$`, or `$` alone.
    fn money(&mut self) -> Token<'v> {
        let rest = after(self.rest(), 1);
        match span(rest, |byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | 0)) {
            0 => match rest.first() {
                Some(b'$') => {
                    let end = find_pair(after(rest, 1), *b"$$");
                    self.quoted(2, end, 2, [b'$', b'$'])
                }
                _ => self.dollar_quote(),
            },
            1 if rest.first() == Some(&b'.') => self.word(),
            length => self.take(Kind::Number, 1 + length),
        }
    }

    fn dollar_quote(&mut self) -> Token<'v> {
        let rest = self.rest();
        let letters = span(after(rest, 1), |byte| byte.is_ascii_alphabetic() || byte == 0);
        if letters == 0 || self.peek(letters + 1) != Some(b'$') {
            return self.take(Kind::Bareword, 1);
        }
        let tag = first(rest, letters + 2);
        let end = self.end_of_dollar_quote(tag);
        self.quoted(tag.len(), end, tag.len(), [b'$', b'$'])
    }

    /// Where the tag ends the string that it began, counted from behind the tag.
    ///
    /// libinjection looks for the tag in a stretch of the value that begins a tag's length from its
    /// front and ends as far from its end as the tag is from its front, and takes a place before the
    /// string for no place at all. Where as much precedes the tag as it is long, the stretch either
    /// holds the tag itself or ends before the string.
    fn end_of_dollar_quote(&self, tag: &[u8]) -> Option<usize> {
        if self.at >= tag.len() {
            return None;
        }
        let stretch = first(self.value, self.value.len() - self.at);
        let found = tag.len() + find_all(after(stretch, tag.len()), tag)?;
        found.checked_sub(self.at + tag.len())
    }

    /// A number; `.` alone is a dot, and what looks like an exponent without digits is a word.
    fn number(&mut self) -> Token<'v> {
        let rest = self.rest();
        if let [b'0', radix @ (b'x' | b'X' | b'b' | b'B'), digits @ ..] = rest {
            let is_digit = if matches!(radix, b'x' | b'X') { is_hex } else { is_binary };
            return match span(digits, is_digit) {
                0 => self.take(Kind::Bareword, 2),
                length => self.take(Kind::Number, 2 + length),
            };
        }
        let mut length = digits(rest);
        if rest.get(length) == Some(&b'.') {
            length += 1;
            length += digits(after(rest, length));
            if length == 1 {
                return self.take(Kind::Dot, 1);
            }
        }
        let mut kind = Kind::Number;
        if let Some(b'e' | b'E') = rest.get(length) {
            length += 1;
            length += usize::from(matches!(rest.get(length), Some(b'+' | b'-')));
            let exponent = digits(after(rest, length));
            if exponent == 0 {
                kind = Kind::Bareword;
            }
            length += exponent;
        }
        length += usize::from(has_suffix(after(rest, length)));
        self.take(kind, length)
    }
}

/// Oracle's suffix of floating-point numbers, at the end or before a space, `;` or (as in `1fUNION`) a U.
fn has_suffix(rest: &[u8]) -> bool {
    match rest {
        [b'd' | b'D' | b'f' | b'F'] => true,
        [b'd' | b'D' | b'f' | b'F', next, ..] => {
            is_white(*next) || matches!(next, b';' | b'u' | b'U')
        }
        _ => false,
    }
}

/// Where a string ends: at a quote that is neither escaped by a backslash nor doubled.
fn end_of_string(body: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + find(after(body, from), quote)?;
        let backslashes = first(body, at).iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 1 {
            from = at + 1;
        } else if body.get(at + 1) == Some(&quote) {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}

fn digits(bytes: &[u8]) -> usize {
    span(bytes, |byte| byte.is_ascii_digit())
}

// NUL ends the C strings that libinjection takes for sets of characters, and so is in each of them.

fn is_binary(byte: u8) -> bool {
    matches!(byte, b'0' | b'1' | 0)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == 0
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0 | 0)
}

/// What no token begins with.
fn is_skipped(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 127 | 0xa0)
}

fn is_word(byte: u8) -> bool {
    !is_white(byte)
        && !matches!(
            byte,
            b'[' | b']'
                | b'{'
                | b'}'
                | b'<'
                | b'>'
                | b':'
                | b'\\'
                | b'?'
                | b'='
                | b'@'
                | b'!'
                | b'#'
                | b'~'
                | b'+'
                | b'-'
                | b'*'
                | b'/'
                | b'&'
                | b'|'
                | b'^'
                | b'%'
                | b'('
                | b')'
                | b','
                | b'\''
                | b';'
                | b'"'
        )
}

fn is_variable(byte: u8) -> bool {
    (is_word(byte) && byte != b'`') || matches!(byte, b'[' | b']' | b'{' | b'}' | 0xa0)
}
