//! Markup that runs scripts.
//!
//! A value is read as it would be read in the text of a page, and in an attribute: unquoted, or between
//! any of the three kinds of quotes.

pub mod names;

mod address;
mod tokenizer;

use crate::bytes::{begins_with, find};
use names::Attribute;
use tokenizer::{Kind, Tokenizer};

/// Where in a page a value is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// In text, between tags.
    Text,
    /// In a tag, where attributes are.
    Unquoted,
    /// In an attribute's value, between `'`.
    SingleQuoted,
    /// In an attribute's value, between `"`.
    DoubleQuoted,
    /// In an attribute's value, between backticks.
    BackQuoted,
}

impl Context {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 5] =
        [Self::Text, Self::Unquoted, Self::SingleQuoted, Self::DoubleQuoted, Self::BackQuoted];
}

/// Whether a value may run a script: false where it has neither `<`, without which there is no tag, comment or
/// document type, nor `=`, without which no attribute has a value.
pub fn possible(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b'<' | b'='))
}

/// Whether a value runs a script somewhere.
pub fn is_xss(value: &[u8]) -> bool {
    context(value).is_some()
}

/// The first place where a value runs a script.
pub fn context(value: &[u8]) -> Option<Context> {
    Context::ALL.into_iter().find(|context| runs_script(value, *context))
}

#[inline(never)]
fn runs_script(value: &[u8], context: Context) -> bool {
    let mut tokenizer = Tokenizer::new(value, context);
    // A name matters only where a value follows: most of what prose has for names is never looked up.
    let mut name: &[u8] = b"";
    while let Some(token) = tokenizer.next() {
        let of = core::mem::take(&mut name);
        let runs = match token.kind {
            Kind::Other => false,
            Kind::Doctype => true,
            Kind::Tag => is_tag(token.text),
            Kind::Comment => is_comment(token.text),
            Kind::AttributeName => {
                name = token.text;
                false
            }
            Kind::AttributeValue => match attribute_of(of) {
                Attribute::Harmless => false,
                Attribute::Forbidden | Attribute::Style => true,
                Attribute::Address => address::is_script(token.text),
                Attribute::NameOfAttribute => attribute_of(token.text) != Attribute::Harmless,
            },
        };
        if runs {
            return true;
        }
    }
    false
}

fn is_tag(name: &[u8]) -> bool {
    name.len() >= 3
        && (names::TAGS.iter().any(|tag| is_name(name, tag))
            || begins_with(name, b"SVG")
            || begins_with(name, b"XSL"))
}

#[inline(never)]
fn attribute_of(name: &[u8]) -> Attribute {
    if name.len() < 2 {
        return Attribute::Harmless;
    }
    let is_event = || names::EVENTS.iter().any(|event| begins_with(name, event));
    if (begins_with(name, b"ON") && is_event())
        || begins_with(name, b"XMLNS")
        || begins_with(name, b"XLINK")
    {
        return Attribute::Forbidden;
    }
    let known = names::ATTRIBUTES.iter().find(|(known, _)| is_name(name, known));
    known.map_or(Attribute::Harmless, |(_, attribute)| *attribute)
}

/// Whether a name is this one; NUL in it is ignored.
#[inline(never)]
fn is_name(name: &[u8], upper: &[u8]) -> bool {
    let letters = name.iter().filter(|byte| **byte != 0).map(u8::to_ascii_uppercase);
    letters.eq(upper.iter().copied())
}

/// Internet Explorer runs conditional comments, processing instructions and `<?import`, and ends a tag at
/// a backtick.
fn is_comment(text: &[u8]) -> bool {
    find(text, b'`').is_some()
        || text.len() > 3 && (begins_with(text, b"[IF") || begins_with(text, b"XML"))
        || begins_with(text, b"IMPORT")
        || begins_with(text, b"ENTITY")
}
