//! Cuts markup into tokens as an HTML 5 tokenizer does (WHATWG HTML, section 13.2.5), with what old
//! browsers accepted besides: NUL in names, backticks as quotes, `<% … %>`.
//!
//! Each step moves on or ends, and reads only what it passes over: the work is linear in the markup.

use super::Context;
use crate::bytes::{after, begins_with, find, find_pair, first, span};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, CDATA, and the ends of tags.
    Other,
    /// The name of a tag that opens, or closes with white space or `/` behind the name.
    Tag,
    /// The name of an attribute.
    AttributeName,
    /// The value of an attribute, without quotes.
    AttributeValue,
    /// A comment, or what is read as one.
    Comment,
    /// A document type.
    Doctype,
}

/// A piece of markup.
#[derive(Clone, Copy, Debug)]
pub struct Token<'m> {
    /// What it is.
    pub kind: Kind,
    /// Its text, without delimiters.
    pub text: &'m [u8],
}

#[derive(Clone, Copy, Debug)]
enum State {
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    TagEnd,
    BeforeAttributeName,
    SelfClosing,
    AttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    Quoted(u8),
    AfterQuoted,
    Unquoted,
    Declaration,
    Bogus,
    End,
}

/// What a state comes to.
enum Step<'m> {
    Token(Token<'m>),
    Go(State),
    End,
}

/// Reads tokens off markup.
#[derive(Debug)]
pub struct Tokenizer<'m> {
    markup: &'m [u8],
    at: usize,
    state: State,
    /// Whether the tag that is read closes an element.
    closing: bool,
}

impl<'m> Tokenizer<'m> {
    /// A tokenizer of a value that is put into a page at some place.
    pub fn new(markup: &'m [u8], context: Context) -> Self {
        let state = match context {
            Context::Text => State::Data,
            Context::Unquoted => State::BeforeAttributeName,
            Context::SingleQuoted => State::Quoted(b'\''),
            Context::DoubleQuoted => State::Quoted(b'"'),
            Context::BackQuoted => State::Quoted(b'`'),
        };
        Self { markup, at: 0, state, closing: false }
    }

    /// The next token, unless the markup has ended.
    pub fn next(&mut self) -> Option<Token<'m>> {
        let mut state = self.state;
        loop {
            match self.step(state) {
                Step::Token(token) => return Some(token),
                Step::Go(next) => state = next,
                Step::End => return None,
            }
        }
    }

    fn step(&mut self, state: State) -> Step<'m> {
        match state {
            State::Data => self.data(),
            State::TagOpen => self.tag_open(),
            State::EndTagOpen => self.end_tag_open(),
            State::TagName => self.tag_name(),
            State::TagEnd => self.tag_end(),
            State::BeforeAttributeName => self.before_attribute_name(),
            State::SelfClosing => self.self_closing(),
            State::AttributeName => self.attribute_name(),
            State::AfterAttributeName => self.after_attribute_name(),
            State::BeforeAttributeValue => self.before_attribute_value(),
            State::Quoted(quote) => self.quoted(quote),
            State::AfterQuoted => self.after_quoted(),
            State::Unquoted => self.unquoted(),
            State::Declaration => self.declaration(),
            State::Bogus => self.bogus_comment(),
            State::End => Step::End,
        }
    }

    fn rest(&self) -> &'m [u8] {
        after(self.markup, self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// The next `length` bytes as a token, `skip` bytes passed over behind it.
    #[inline(never)]
    fn emit(&mut self, kind: Kind, length: usize, skip: usize, next: State) -> Step<'m> {
        let text = first(self.rest(), length);
        self.at += length + skip;
        self.state = next;
        Step::Token(Token { kind, text })
    }

    /// All that is left as a token.
    fn emit_rest(&mut self, kind: Kind) -> Step<'m> {
        self.emit(kind, self.rest().len(), 0, State::End)
    }

    /// What comes before a place in the rest as a token, or all where there is no such place.
    #[inline(never)]
    fn emit_until(&mut self, kind: Kind, end: Option<usize>, skip: usize, next: State) -> Step<'m> {
        match end {
            Some(end) => self.emit(kind, end, skip, next),
            None => self.emit_rest(kind),
        }
    }

    fn skip(&mut self, count: usize, next: State) -> Step<'m> {
        self.at += count;
        Step::Go(next)
    }

    /// Passes over white space and NUL. libinjection takes 0xFF, which is -1 to it, for the end.
    fn skip_white(&mut self) -> Option<u8> {
        self.at += span(self.rest(), is_white);
        self.peek().filter(|byte| *byte != 0xff)
    }

    fn data(&mut self) -> Step<'m> {
        match find(self.rest(), b'<') {
            Some(0) => self.skip(1, State::TagOpen),
            None if self.rest().is_empty() => Step::End,
            end => self.emit_until(Kind::Other, end, 1, State::TagOpen),
        }
    }

    fn tag_open(&mut self) -> Step<'m> {
        match self.peek() {
            None => Step::End,
            Some(b'!') => self.skip(1, State::Declaration),
            Some(b'/') => {
                self.closing = true;
                self.skip(1, State::EndTagOpen)
            }
            Some(b'?') => self.skip(1, State::Bogus),
            Some(b'%') => {
                // Internet Explorer up to 9, Safari before 4.0.3.
                self.at += 1;
                let end = find_pair(self.rest(), *b"%>");
                self.emit_until(Kind::Comment, end, 2, State::Data)
            }
            Some(b'a'..=b'z' | b'A'..=b'Z' | 0) => Step::Go(State::TagName),
            // The `<` was text.
            Some(_) => self.emit(Kind::Other, 0, 0, State::Data),
        }
    }

    fn end_tag_open(&mut self) -> Step<'m> {
        match self.peek() {
            None => Step::End,
            Some(b'>') => Step::Go(State::Data),
            Some(b'a'..=b'z' | b'A'..=b'Z') => Step::Go(State::TagName),
            Some(_) => {
                self.closing = false;
                Step::Go(State::Bogus)
            }
        }
    }

    fn tag_name(&mut self) -> Step<'m> {
        let rest = self.rest();
        let length =
            span(rest, |byte| byte == 0 || !(is_white(byte) || matches!(byte, b'/' | b'>')));
        match rest.get(length) {
            None => self.emit_rest(Kind::Tag),
            Some(b'/') => self.emit(Kind::Tag, length, 1, State::SelfClosing),
            Some(b'>') if self.closing => {
                self.closing = false;
                self.emit(Kind::Other, length, 1, State::Data)
            }
            Some(b'>') => self.emit(Kind::Tag, length, 0, State::TagEnd),
            Some(_) => self.emit(Kind::Tag, length, 1, State::BeforeAttributeName),
        }
    }

    fn tag_end(&mut self) -> Step<'m> {
        self.closing = false;
        self.emit(Kind::Other, 1, 0, State::Data)
    }

    fn before_attribute_name(&mut self) -> Step<'m> {
        match self.skip_white() {
            None => Step::End,
            Some(b'/') => self.skip(1, State::SelfClosing),
            Some(b'>') => self.emit(Kind::Other, 1, 0, State::Data),
            Some(_) => Step::Go(State::AttributeName),
        }
    }

    fn self_closing(&mut self) -> Step<'m> {
        match self.peek() {
            None => Step::End,
            Some(b'>') => self.emit(Kind::Other, 1, 0, State::Data),
            Some(_) => Step::Go(State::BeforeAttributeName),
        }
    }

    fn attribute_name(&mut self) -> Step<'m> {
        let rest = self.rest();
        // The first byte is part of the name whatever it is.
        let ends = |byte| is_white(byte) || matches!(byte, b'/' | b'=' | b'>');
        let length = 1 + span(after(rest, 1), |byte| !ends(byte));
        match rest.get(length) {
            None => self.emit_rest(Kind::AttributeName),
            Some(b'/') => self.emit(Kind::AttributeName, length, 1, State::SelfClosing),
            Some(b'=') => self.emit(Kind::AttributeName, length, 1, State::BeforeAttributeValue),
            Some(b'>') => self.emit(Kind::AttributeName, length, 0, State::TagEnd),
            Some(_) => self.emit(Kind::AttributeName, length, 1, State::AfterAttributeName),
        }
    }

    fn after_attribute_name(&mut self) -> Step<'m> {
        match self.skip_white() {
            None => Step::End,
            Some(b'/') => self.skip(1, State::SelfClosing),
            Some(b'=') => self.skip(1, State::BeforeAttributeValue),
            Some(b'>') => Step::Go(State::TagEnd),
            Some(_) => Step::Go(State::AttributeName),
        }
    }

    fn before_attribute_value(&mut self) -> Step<'m> {
        match self.skip_white() {
            None => Step::End,
            Some(quote @ (b'"' | b'\'' | b'`')) => Step::Go(State::Quoted(quote)),
            Some(_) => Step::Go(State::Unquoted),
        }
    }

    fn quoted(&mut self, quote: u8) -> Step<'m> {
        // A value that is put between quotes begins behind the quote.
        self.at += usize::from(self.at > 0);
        let end = find(self.rest(), quote);
        self.emit_until(Kind::AttributeValue, end, 1, State::AfterQuoted)
    }

    fn after_quoted(&mut self) -> Step<'m> {
        match self.peek() {
            None => Step::End,
            Some(b'/') => self.skip(1, State::SelfClosing),
            Some(_) => Step::Go(State::BeforeAttributeName),
        }
    }

    fn unquoted(&mut self) -> Step<'m> {
        let rest = self.rest();
        let length = span(rest, |byte| !is_white(byte) && byte != b'>');
        match rest.get(length) {
            None => self.emit_rest(Kind::AttributeValue),
            Some(b'>') => self.emit(Kind::AttributeValue, length, 0, State::TagEnd),
            Some(_) => self.emit(Kind::AttributeValue, length, 1, State::BeforeAttributeName),
        }
    }

    fn declaration(&mut self) -> Step<'m> {
        let rest = self.rest();
        if begins_with(rest, b"DOCTYPE") {
            let end = find(rest, b'>');
            self.emit_until(Kind::Doctype, end, 1, State::Data)
        } else if rest.starts_with(b"[CDATA[") {
            self.at += 7;
            let end = self.rest().windows(3).position(|window| window == b"]]>");
            self.emit_until(Kind::Other, end, 3, State::Data)
        } else if rest.starts_with(b"--") {
            self.at += 2;
            self.comment()
        } else {
            Step::Go(State::Bogus)
        }
    }

    /// A comment ends with `-->` or `-!>`, NUL behind the first `-` not counted.
    fn comment(&mut self) -> Step<'m> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(dash) = find(after(rest, from), b'-') {
            let at = from + dash;
            let tail = after(rest, at + 1);
            let nulls = span(tail, |byte| byte == 0);
            match after(tail, nulls) {
                [] | [b'-' | b'!'] => break,
                // Where fewer than three bytes are left none can end the comment.
                _ if tail.len() < 2 => break,
                [b'-' | b'!', b'>', ..] => {
                    return self.emit(Kind::Comment, at, nulls + 3, State::Data);
                }
                _ => from = at + 1,
            }
        }
        self.emit_rest(Kind::Comment)
    }

    fn bogus_comment(&mut self) -> Step<'m> {
        let end = find(self.rest(), b'>');
        self.emit_until(Kind::Comment, end, 1, State::Data)
    }
}

/// White space, and NUL, which some browsers ignored.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0)
}
