//! Macros that stand for values of the message: they are asked as values, and what they stood in is asked of them.

use super::assemble::{Chain, Link};
use super::build::Builder;
use super::constant::Tx;
use super::names::{Collection, OperatorName};
use super::syntax::{At, Piece, Selector, Sense, Template, Variable};
use super::{constant, target};
use crate::ir::{self, Matcher, Operator, TextPiece, TextRelation};
use portcullis_bundle::layout::Transformation;

/// A text around one value of the message.
#[derive(Clone, Debug)]
pub(super) struct Around {
    before: String,
    variable: Variable,
    after: String,
}

/// The text around a macro of a message's value, where it holds one and is constant otherwise.
pub(super) fn around(tx: &Tx, template: &Template) -> Option<Around> {
    let is_value = |piece: &Piece| matches!(piece, Piece::Macro { collection, key: Some(_) } if !collection.is_set_by_rules());
    let at = template.0.iter().position(is_value)?;
    let Piece::Macro { collection, key: Some(key) } = template.0.get(at)? else { return None };
    let constant = |pieces: &[Piece]| constant::text(tx, &Template(pieces.to_vec()));
    let variable = Variable {
        at: At::default(),
        sense: Sense::Values,
        collection: *collection,
        selector: Selector::Name(key.clone()),
    };
    let (before, after) = (constant(template.0.get(..at)?)?, constant(template.0.get(at + 1..)?)?);
    Some(Around { before, variable, after })
}

impl Around {
    /// A condition that every such value meets, and the text that one gives.
    ///
    /// # Errors
    /// The variable is none of a message.
    pub fn condition(&self, phase: u8, line: u32) -> Result<(Matcher, Vec<TextPiece>), String> {
        let text = [
            TextPiece::Text(self.before.clone()),
            TextPiece::Matched,
            TextPiece::Text(self.after.clone()),
        ];
        let is_empty =
            |piece: &TextPiece| matches!(piece, TextPiece::Text(text) if text.is_empty());
        let text = text.into_iter().filter(|piece| !is_empty(piece)).collect();
        Ok((self.value(phase, line)?, text))
    }

    fn value(&self, phase: u8, line: u32) -> Result<Matcher, String> {
        Ok(Matcher {
            targets: target::of(&self.variable, phase)?,
            except: Vec::new(),
            transform: Vec::new(),
            operator: Operator::Always,
            negated: false,
            line,
            or: false,
            capture: false,
            then: None,
        })
    }
}

impl Builder {
    /// A link that compares the method with a value of the message, which comes later: the value is compared with it.
    ///
    /// # Errors
    /// The variable is none of a message.
    pub(super) fn swapped(tx: &Tx, chain: &Chain, link: &Link) -> Result<Option<Matcher>, String> {
        let ([variable], Some(operator)) = (link.variables.as_slice(), &link.operator) else {
            return Ok(None);
        };
        let of_method =
            (variable.collection, variable.sense) == (Collection::RequestMethod, Sense::Values);
        if !of_method || operator.name != OperatorName::StrEq {
            return Ok(None);
        }
        let method = match link.transform.as_slice() {
            [] => TextPiece::Method,
            [Transformation::Lowercase] => TextPiece::MethodLower,
            _ => return Ok(None),
        };
        let Some(around) = around(tx, &operator.argument) else { return Ok(None) };
        let (mut value, text) = around.condition(chain.phase, operator.at.line)?;
        let matcher = Matcher {
            targets: Vec::new(),
            operator: Operator::Text(TextRelation::Equal, vec![method]),
            negated: operator.negated,
            ..value.clone()
        };
        value.then = Some(Box::new(ir::Link { text, matcher }));
        Ok(Some(value))
    }
}
