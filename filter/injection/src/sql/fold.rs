//! Folds the tokens of a value to at most five: arithmetic on constants, lists, unary operators, doubled
//! parentheses and the like go, so that the many ways to write an attack come to few shapes.
//!
//! A window of tokens holds those that will not change again (before `left`), and up to three that the
//! rules look at. Rules are tried in libinjection's order, which decides between them.

use super::token::{Kind, Token};
use super::tokenizer::Tokenizer;
use super::words;
use super::{Dialect, Quote};
use crate::bytes::{begins_with, find};

/// The most tokens that a fingerprint has. One more is read to tell what the last one is.
pub const MOST: usize = 5;

/// Words that are functions before a parenthesis, and names or variables elsewhere.
const CALLED: [&[u8]; 11] = [
    b"USER_ID",
    b"USER_NAME",
    b"DATABASE",
    b"PASSWORD",
    b"USER",
    b"CURRENT_USER",
    b"CURRENT_DATE",
    b"CURRENT_TIME",
    b"CURRENT_TIMESTAMP",
    b"LOCALTIME",
    b"LOCALTIMESTAMP",
];

/// What a value folds to.
#[derive(Clone, Debug)]
pub struct Folded<'v> {
    tokens: [Token<'v>; MOST],
    length: usize,
    /// How many tokens were read, comments included.
    pub read: usize,
    /// Whether MySQL may read the value differently.
    pub ambiguous: bool,
}

impl<'v> Folded<'v> {
    /// Its tokens, at most five.
    pub fn tokens(&self) -> &[Token<'v>] {
        self.tokens.get(..self.length).unwrap_or(&self.tokens)
    }

    /// PHP takes an open backtick at the end, with nothing behind it, for a comment.
    pub fn end_comment(&mut self) {
        let tokens = self.tokens.get_mut(..self.length).unwrap_or_default();
        if let [_, _, .., last] = tokens
            && last.kind == Kind::Bareword
            && last.open == b'`'
            && last.close == 0
            && last.text.is_empty()
        {
            last.kind = Kind::Comment;
        }
    }
}

/// Reads and folds a value.
#[inline(never)]
pub fn fold(value: &[u8], quote: Quote, dialect: Dialect) -> Folded<'_> {
    let mut window = Window {
        tokenizer: Tokenizer::new(value, quote, dialect),
        more: true,
        tokens: [Token::NONE; MOST + 1],
        read: 0,
        left: 0,
        comment: None,
    };
    let length = window.run(value.len());
    let [a, b, c, d, e, _] = window.tokens;
    Folded {
        tokens: [a, b, c, d, e],
        length,
        read: window.tokenizer.tokens,
        ambiguous: window.tokenizer.ambiguous,
    }
}

/// What to do after the rules were tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A rule held: look at the window again.
    Again,
    /// None did: go on.
    On,
    /// The value is an attack whatever else it holds.
    End,
}

struct Window<'v> {
    tokenizer: Tokenizer<'v>,
    more: bool,
    tokens: [Token<'v>; MOST + 1],
    /// How many tokens the window holds.
    read: usize,
    /// How many of them are done.
    left: usize,
    /// The comment that was read last, if nothing followed it.
    comment: Option<Token<'v>>,
}

impl<'v> Window<'v> {
    /// Folds, and returns how many tokens there are in the end.
    fn run(&mut self, length: usize) -> usize {
        if !self.skip_start() {
            return 0;
        }
        // Each round reads or drops a token, changes the kind of one (of the three that it looks at, at
        // most twice), or moves on by one of at most six: a round without end would be a fault.
        for _ in 0..length.saturating_add(8).saturating_mul(16) {
            if self.read >= MOST {
                self.drop_list_of_groups();
            }
            if !self.more || self.left >= MOST {
                break;
            }
            match self.round() {
                Step::Again | Step::On => {}
                Step::End => {
                    self.put(0, Token::new(Kind::Evil, b""));
                    return 1;
                }
            }
        }
        self.close()
    }

    fn round(&mut self) -> Step {
        self.fill(2);
        if self.held() < 2 {
            self.left = self.read;
            return Step::Again;
        }
        let step = self.fold_two();
        if step != Step::On {
            return step;
        }
        self.fill(3);
        if self.held() < 3 {
            self.left = self.read;
            return Step::Again;
        }
        if self.fold_three() == Step::On {
            self.left += 1;
        }
        Step::Again
    }

    /// Passes over comments, opening parentheses, types and unary operators; false where that is all.
    fn skip_start(&mut self) -> bool {
        loop {
            let Some(token) = self.tokenizer.next() else { return false };
            let skipped =
                matches!(token.kind, Kind::Comment | Kind::LeftParenthesis | Kind::SqlType);
            if !skipped && !token.is_unary() {
                self.put(0, token);
                self.read = 1;
                return true;
            }
        }
    }

    /// Adds the comment at the end, and cuts to what a fingerprint holds.
    fn close(&mut self) -> usize {
        self.left = self.read;
        if let Some(comment) = self.comment
            && self.left < MOST
        {
            self.put(self.left, comment);
            self.left += 1;
        }
        self.left.min(MOST)
    }

    /// How many tokens the rules can look at.
    fn held(&self) -> usize {
        self.read.saturating_sub(self.left)
    }

    fn token(&self, at: usize) -> Token<'v> {
        self.tokens.get(at).copied().unwrap_or(Token::NONE)
    }

    fn put(&mut self, at: usize, token: Token<'v>) {
        if let Some(place) = self.tokens.get_mut(at) {
            *place = token;
        }
    }

    fn set_kind(&mut self, at: usize, kind: Kind) {
        if let Some(token) = self.tokens.get_mut(at) {
            token.kind = kind;
        }
    }

    /// Reads until `wanted` tokens are held. Comments are passed over.
    fn fill(&mut self, wanted: usize) {
        while self.more && self.read <= MOST && self.held() < wanted {
            match self.tokenizer.next() {
                None => self.more = false,
                Some(token) if token.kind == Kind::Comment => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.put(self.read, token);
                    self.read += 1;
                }
            }
        }
    }

    /// Drops the last `count` tokens, and looks at all that are left from the start.
    #[inline(never)]
    fn drop(&mut self, count: usize) -> Step {
        self.read = self.read.saturating_sub(count);
        self.left = 0;
        Step::Again
    }

    /// Drops the last token, and looks at what is left from one token back.
    fn drop_one_and_step_back(&mut self) -> Step {
        self.read = self.read.saturating_sub(1);
        self.left = self.left.saturating_sub(1);
        Step::Again
    }

    /// Five tokens like `1+(2)` or `a),(b` are one.
    fn drop_list_of_groups(&mut self) {
        use Kind::{
            Bareword as Word, Comma, LeftParenthesis as Open, Number, Operator,
            RightParenthesis as Close,
        };
        let [a, b, c, d, e, last] = self.tokens;
        let one = matches!(
            [a.kind, b.kind, c.kind, d.kind, e.kind],
            [Number, Operator | Comma, Open, Number, Close]
                | [Word, Operator, Open, Word | Number, Close]
                | [Number, Close, Comma, Open, Number]
                | [Word, Close, Operator, Open, Word]
        );
        if !one {
            return;
        }
        self.left = 0;
        self.read = if self.read > MOST {
            self.put(1, last);
            2
        } else {
            1
        };
    }

    /// The rules for two tokens.
    fn fold_two(&mut self) -> Step {
        use Kind::{
            Bareword, Keyword, LeftParenthesis, Logic, Operator, Semicolon, SqlType, String,
            Variable,
        };
        let (at, next) = (self.left, self.left + 1);
        let (a, b) = (self.token(at), self.token(next));
        match (a.kind, b.kind) {
            // Strings after each other are one; statements may be empty.
            (String, String) | (Semicolon, Semicolon) => {
                self.read = self.read.saturating_sub(1);
                Step::Again
            }
            (Operator | Logic, kind) if kind == SqlType || b.is_unary() => self.drop(1),
            (LeftParenthesis, _) if b.is_unary() => self.drop_one_and_step_back(),
            _ if self.merge(a, b) => self.drop_one_and_step_back(),
            (Semicolon, Kind::Function) if begins_with(b.text, b"IF") => {
                // A function, but in Transact-SQL also a statement.
                self.set_kind(next, Kind::Tsql);
                Step::Again
            }
            (Bareword | Variable, LeftParenthesis) if a.is_any_word(&CALLED) => {
                self.set_kind(at, Kind::Function);
                Step::Again
            }
            (Keyword, kind) if a.is_any_word(&[b"IN", b"NOT IN"]) => {
                self.set_kind(at, if kind == LeftParenthesis { Operator } else { Bareword });
                Step::Again
            }
            (Operator, kind) if a.is_any_word(&[b"LIKE", b"NOT LIKE"]) => {
                if kind == LeftParenthesis {
                    self.set_kind(at, Kind::Function);
                }
                Step::On
            }
            _ => self.fold_two_by_kind(a, b),
        }
    }

    fn fold_two_by_kind(&mut self, a: Token<'v>, b: Token<'v>) -> Step {
        use Kind::{
            Backslash, Bareword, Collate, Function, LeftBrace, LeftParenthesis, Number, RightBrace,
            RightParenthesis, SqlType, String, Variable,
        };
        let (at, next) = (self.left, self.left + 1);
        match (a.kind, b.kind) {
            (
                SqlType,
                Bareword | Number | SqlType | LeftParenthesis | Function | Variable | String,
            ) => {
                self.put(at, b);
                self.drop(1)
            }
            (Collate, Bareword) => {
                // There are too many collations to list them. A C string ends at NUL.
                let name = crate::bytes::first(b.text, find(b.text, 0).unwrap_or(b.text.len()));
                if find(name, b'_').is_some() {
                    self.set_kind(next, SqlType);
                    self.left = 0;
                }
                Step::On
            }
            (Backslash, _) if b.is_arithmetic() => {
                // Transact-SQL reads `\%1` as `0 % 1`.
                self.set_kind(at, Number);
                self.drop(0)
            }
            (Backslash, _) => {
                self.put(at, b);
                self.drop(1)
            }
            (LeftParenthesis, LeftParenthesis) | (RightParenthesis, RightParenthesis) => {
                self.drop(1)
            }
            (LeftBrace, Bareword) if b.text.is_empty() => {
                // MySQL alone accepts {``.``.id}.
                Step::End
            }
            // ODBC's {word expression}.
            (LeftBrace, Bareword) => self.drop(2),
            (_, RightBrace) => self.drop(1),
            _ => Step::On,
        }
    }

    /// Puts two words together where the phrase has a meaning.
    fn merge(&mut self, a: Token<'v>, b: Token<'v>) -> bool {
        use Kind::{
            Bareword, Expression, Function, Keyword, Logic, Operator, SqlType, Tsql, Union,
        };
        let merges = |kind| {
            matches!(
                kind,
                Keyword | Bareword | Operator | Union | Function | Expression | Tsql | SqlType
            )
        };
        if !merges(a.kind) || !(merges(b.kind) || b.kind == Logic) {
            return false;
        }
        let Some((text, kind)) = words::phrase(a.text, b.text) else { return false };
        self.put(self.left, Token { kind, text, ..a });
        true
    }

    /// The rules for three tokens.
    fn fold_three(&mut self) -> Step {
        use Kind::{
            Bareword, Comma, Dot, Expression, Function, Group, Keyword, LeftParenthesis, Logic,
            Number, Operator, RightParenthesis, SqlType, String, Variable,
        };
        let at = self.left;
        let (a, b, c) = (self.token(at), self.token(at + 1), self.token(at + 2));
        let unary = b.is_unary();
        match (a.kind, b.kind, c.kind) {
            (Number, Operator, Number) | (Logic, _, Logic) => self.drop(2),
            (Operator, kind, Operator) if kind != LeftParenthesis => self.drop(2),
            (Variable, Operator, Variable | Number | Bareword)
            | (Bareword | Number, Operator, Number | Bareword) => self.drop(2),
            (Bareword | Number | Variable | String, Operator, SqlType) if b.text == b"::" => {
                self.drop(2)
            }
            (
                Bareword | Number | String | Variable,
                Comma,
                Number | Bareword | String | Variable,
            ) => self.drop(2),
            (Expression | Group | Comma, _, LeftParenthesis) if unary => self.drop_middle(c),
            (Keyword | Expression | Group, _, Number | Bareword | Variable | String | Function)
                if unary =>
            {
                self.drop_middle(c)
            }
            // `, -1` goes, and the list before it is looked at again.
            (Comma, _, Number | Bareword | Variable | String) if unary => {
                self.put(at + 1, c);
                self.drop(3)
            }
            (Comma, _, Function) if unary => self.drop_middle(c),
            (Bareword, Dot, Bareword) => self.drop(2),
            (Expression, Dot, Bareword) => self.drop_middle(c),
            (Function, LeftParenthesis, kind) => {
                // USER() is a function, USER(x) is none.
                if kind != RightParenthesis && a.is_word(b"USER") {
                    self.set_kind(at, Bareword);
                }
                Step::On
            }
            _ => Step::On,
        }
    }

    /// Drops the second of three tokens.
    fn drop_middle(&mut self, third: Token<'v>) -> Step {
        self.put(self.left + 1, third);
        self.drop(1)
    }
}
