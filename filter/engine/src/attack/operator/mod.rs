//! The operators: what a matcher asks of a text.

mod address;
mod card;
pub(super) mod compare;
mod graphql;
mod number;
pub(super) mod token;

use super::lazy::Automata;
use super::steps::{Exhausted, Steps};
use crate::access::slice;
use crate::schema::{Validator, matches};
use portcullis_bundle::layout::{ByteSet, MATCHER_NEGATED, Matcher, Operator, View};
use token::Tokens;

/// Bytes of a text that is remembered, at most.
const REMEMBERED: usize = 4 << 10;

/// What a detector said last, and of which text. Rules that ask it after each of several transformations ask it again
/// of the same text where these change nothing, and so do several rules.
#[derive(Debug, Default)]
struct Said<T> {
    text: Vec<u8>,
    found: Option<T>,
}

impl<T: Copy> Said<T> {
    fn of(&mut self, text: &[u8], detect: impl FnOnce(&[u8]) -> T) -> T {
        if let Some(found) = self.found.filter(|_| self.text == text) {
            return found;
        }
        let found = detect(text);
        self.found = (text.len() <= REMEMBERED).then_some(found);
        if self.found.is_some() {
            self.text.clear();
            self.text.extend_from_slice(text);
        }
        found
    }

    fn forget(&mut self) {
        self.text.clear();
        self.found = None;
    }
}

/// The buffers of operators, kept from value to value.
#[derive(Debug, Default)]
pub(super) struct Operators {
    sql: Said<bool>,
    xss: Said<bool>,
    tokens: Said<Tokens>,
    validator: Validator,
    buffer: Vec<u8>,
    /// Those of the worker.
    pub automata: Automata,
}

impl Operators {
    /// Begins a message: of the values of the one before nothing is kept.
    pub(super) fn begin(&mut self) {
        self.sql.forget();
        self.xss.forget();
        self.tokens.forget();
    }

    /// Whether a matcher holds of a text. `proposed` says whether one of its literals occurs.
    pub(super) fn holds(
        &mut self,
        view: &View<'_>,
        matcher: &Matcher,
        (text, proposed): (&[u8], bool),
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        self.holds_with(view, matcher, (text, proposed), b"", steps)
    }

    /// The same, with a text to compare with.
    pub(super) fn holds_with(
        &mut self,
        view: &View<'_>,
        matcher: &Matcher,
        (text, proposed): (&[u8], bool),
        other: &[u8],
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        let found = match Operator::from_code(matcher.operator) {
            Some(Operator::Text) => {
                steps.spend(text.len() as u64)?;
                compare::texts(matcher.relation, text, other)
            }
            Some(Operator::CompareText) => {
                compare::numbers(matcher.relation, number::leading(text), number::leading(other))
            }
            _ => self.finds(view, matcher, (text, proposed), steps)?,
        };
        Ok(found != (matcher.flags & MATCHER_NEGATED != 0))
    }

    /// Whether a matcher compares with a text that is put together.
    pub(super) fn compares(matcher: &Matcher) -> bool {
        matches!(
            Operator::from_code(matcher.operator),
            Some(Operator::Text | Operator::CompareText)
        )
    }

    fn finds(
        &mut self,
        view: &View<'_>,
        matcher: &Matcher,
        (text, proposed): (&[u8], bool),
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        let (argument, count) = (matcher.argument.get(), matcher.argument_count.get());
        let index = argument as usize;
        let Some(operator) = Operator::from_code(matcher.operator) else { return Ok(false) };
        // Some read a text several times.
        let reads = match operator {
            Operator::LongerThan | Operator::AnyOf | Operator::Always => 0,
            Operator::Sql => 8,
            Operator::Xss | Operator::Jwt => 4,
            _ => 1,
        };
        steps.spend((text.len() as u64).saturating_mul(reads))?;
        Ok(match operator {
            Operator::Automaton => {
                view.automata.get(index).is_some_and(|it| matches(view, it, text))
            }
            Operator::Nfa => self.automata.matches(view, argument, text, steps)?,
            Operator::AnyOf => proposed,
            Operator::LongerThan => text.len() > index,
            Operator::NumberOver => number::read(text).is_some_and(|it| it > i64::from(argument)),
            Operator::NumberUnder => number::read(text).is_some_and(|it| it < i64::from(argument)),
            Operator::NumberIs => number::read(text).is_some_and(|it| it == i64::from(argument)),
            Operator::Ip => address::is_in(text, slice(view.networks, argument, count)),
            Operator::BytesOutside => {
                view.byte_sets.get(index).is_some_and(|set| text.iter().any(|&it| !has(set, it)))
            }
            Operator::InvalidUtf8 => core::str::from_utf8(text).is_err(),
            Operator::InvalidPercent => crate::percent::has_broken_escape(text),
            Operator::Sql => {
                use portcullis_injection::sql;
                sql::possible(text) && self.sql.of(text, |text| sql::is_injection(text).is_some())
            }
            Operator::Xss => {
                use portcullis_injection::xss;
                xss::possible(text) && self.xss.of(text, xss::is_xss)
            }
            Operator::Jwt => view.token_checks.get(index).is_some_and(|check| {
                let (validator, buffer) = (&mut self.validator, &mut self.buffer);
                let read = |text: &[u8]| Tokens::of(view, text, validator, buffer);
                self.tokens.of(text, read).are_attack(check)
            }),
            Operator::CardNumber => card::holds_number(text, argument == 1),
            Operator::GraphQl => {
                view.graphql_checks.get(index).is_some_and(|check| graphql::is_attack(check, text))
            }
            Operator::Compare => compare::numbers(
                matcher.relation,
                number::leading(text),
                argument.cast_signed().into(),
            ),
            Operator::Always => true,
            // They look at the request as a whole, or are asked otherwise.
            Operator::CountOver
            | Operator::Repeated
            | Operator::Count
            | Operator::SameName
            | Operator::Text
            | Operator::CompareText => false,
        })
    }

    /// Forgets what a large text has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        self.validator.trim(kept);
        self.buffer.clear();
        self.buffer.shrink_to(kept);
    }
}

fn has(set: &ByteSet, byte: u8) -> bool {
    set.words.get(usize::from(byte >> 6)).is_some_and(|word| word.get() >> (byte & 63) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Said};

    #[test]
    fn a_detector_is_asked_once_of_the_same_text() {
        let mut said = Said::default();
        let mut asked = 0;
        let mut ask = |text: &[u8]| {
            said.of(text, |text| {
                asked += 1;
                text.contains(&b'x')
            })
        };
        let long = vec![b'x'; REMEMBERED + 1];
        let answers = [ask(b"x"), ask(b"x"), ask(b"a"), ask(b"a"), ask(b"x"), ask(&long), ask(b"")];
        assert_eq!(answers, [true, true, false, false, true, true, false]);
        assert_eq!(asked, 5);
    }
}
