//! Rules of several links: which condition each matcher is of, and what follows on it.

use super::{Lowered, Writer, captures, regex};
use crate::ir::{Link, Matcher, Operator, Rule, TextPiece, TextRelation};
use portcullis_bundle::layout::{self, FOLLOWS, NONE, PieceKind, Relation};
use regex_syntax::hir::Look;

impl Writer<'_, '_> {
    /// Lowers a rule whose first matcher gets an index; how many conditions it has.
    pub(super) fn lower_rule<'m>(
        &mut self,
        rule: &'m Rule,
        index: u32,
        first: usize,
    ) -> Result<(Vec<Lowered<'m>>, u8), (&'m Matcher, String)> {
        let mut all: Vec<Lowered<'m>> = Vec::new();
        let mut conditions = 0u8;
        for of in &rule.conditions {
            if !of.or || conditions == 0 {
                conditions = conditions
                    .checked_add(1)
                    .filter(|it| *it < FOLLOWS)
                    .ok_or_else(|| (of, format!("it has more than {} conditions", FOLLOWS - 1)))?;
            }
            let mut head = self.lower(of, index, false).map_err(|reason| (of, reason))?;
            head.condition = conditions - 1;
            let next = first + all.len() + 1;
            let mut following = self.follow(of, index, next)?;
            if !following.is_empty() {
                head.then = self.first_link(&following);
                head.captures = self.captures(of).map_err(|it| (of, it))?;
            }
            all.push(head);
            all.append(&mut following);
        }
        let count = all.len();
        if count > usize::from(u16::MAX) {
            let of = rule.conditions.first().expect("a rule that has matchers has a condition");
            return Err((of, "it has too many alternatives".to_owned()));
        }
        Ok((all, conditions))
    }

    /// The first of the links that were written last.
    fn first_link(&self, following: &[Lowered<'_>]) -> u32 {
        (self.tables.sections.links.len() - following.len()) as u32
    }

    /// Lowers what follows on a matcher; the first gets an index.
    fn follow<'m>(
        &mut self,
        of: &'m Matcher,
        rule: u32,
        first: usize,
    ) -> Result<Vec<Lowered<'m>>, (&'m Matcher, String)> {
        let mut chain: Vec<&'m Link> = Vec::new();
        let mut next = of.then.as_deref();
        while let Some(link) = next {
            chain.push(link);
            next = link.matcher.then.as_deref();
        }
        let mut lowered = Vec::new();
        for link in &chain {
            let of = &link.matcher;
            let mut own = self.lower(of, rule, true).map_err(|reason| (of, reason))?;
            own.condition = FOLLOWS;
            own.captures = self.captures(of).map_err(|reason| (of, reason))?;
            lowered.push(own);
        }
        for (at, link) in chain.iter().enumerate() {
            let links = self.tables.sections.links.len() as u32;
            if at + 1 < chain.len() {
                lowered[at].then = links + 1;
            }
            let before = if at == 0 { of } else { &chain[at - 1].matcher };
            let (pieces, piece_count) = self.pieces(&of_whole(&link.text, before));
            self.tables.sections.links.push(layout::Link {
                matcher: ((first + at) as u32).into(),
                pieces: pieces.into(),
                piece_count: (piece_count as u16).into(),
                reserved: 0.into(),
            });
        }
        Ok(lowered)
    }

    /// Writes a text that is put together.
    pub(super) fn pieces(&mut self, text: &[TextPiece]) -> (u32, u32) {
        let first = self.tables.sections.pieces.len() as u32;
        for piece in text {
            let (kind, group, text) = match piece {
                TextPiece::Text(text) => (PieceKind::Text, 0, text.as_str()),
                TextPiece::Capture(group) => (PieceKind::Capture, *group, ""),
                TextPiece::Matched => (PieceKind::Matched, 0, ""),
                TextPiece::Name => (PieceKind::Name, 0, ""),
                TextPiece::Host => (PieceKind::Host, 0, ""),
                TextPiece::Method => (PieceKind::Method, 0, ""),
                TextPiece::MethodLower => (PieceKind::MethodLower, 0, ""),
            };
            let text = self.tables.text(text);
            let record = layout::Piece { text, kind: kind.code(), group, reserved: 0.into() };
            self.tables.sections.pieces.push(record);
        }
        (first, text.len() as u32)
    }

    /// Writes the expression of a matcher whose groups are kept, where what follows asks for one.
    fn captures(&mut self, of: &Matcher) -> Result<u32, String> {
        let Operator::Regex(pattern) = &of.operator else { return Ok(NONE) };
        if !of.capture || !asks_groups(of) {
            return Ok(NONE);
        }
        captures::write(self.tables, pattern)
    }
}

/// Whether whatever a matcher matches is the whole text, so that its group 0 needs no captures.
fn matches_whole(of: &Matcher) -> bool {
    let Operator::Regex(pattern) = &of.operator else { return false };
    let anchored = regex::parse(pattern).is_ok_and(|hir| {
        let of = hir.properties();
        of.look_set_prefix().contains(Look::Start) && of.look_set_suffix().contains(Look::End)
    });
    of.capture && !of.negated && anchored
}

/// A text that is asked next of a match, with the whole match named as such.
fn of_whole(text: &[TextPiece], before: &Matcher) -> Vec<TextPiece> {
    let whole = text.contains(&TextPiece::Capture(0)) && matches_whole(before);
    let piece = |piece: &TextPiece| match piece {
        TextPiece::Capture(0) if whole => TextPiece::Matched,
        other => other.clone(),
    };
    text.iter().map(piece).collect()
}

/// Whether what follows on a matcher asks for its groups.
fn asks_groups(of: &Matcher) -> bool {
    let is_group = |piece: &TextPiece| matches!(piece, TextPiece::Capture(_));
    let mut next = of.then.as_deref();
    let mut first = true;
    while let Some(link) = next {
        let compared = compared_with(&link.matcher);
        let text = if first { of_whole(&link.text, of) } else { link.text.clone() };
        first = false;
        if text.iter().chain(compared).any(is_group) {
            return true;
        }
        if link.matcher.capture {
            return false;
        }
        next = link.matcher.then.as_deref();
    }
    false
}

/// Whether a matcher, or what follows on it, compares a text with something of the request.
pub(super) fn asks_request(of: &Matcher) -> bool {
    let is_of_request = |piece: &TextPiece| match piece {
        TextPiece::Text(_) | TextPiece::Capture(_) | TextPiece::Matched => false,
        TextPiece::Name | TextPiece::Host | TextPiece::Method | TextPiece::MethodLower => true,
    };
    let mut links = std::iter::successors(of.then.as_deref(), |link| link.matcher.then.as_deref());
    compared_with(of).iter().any(is_of_request)
        || links.any(|link| link.text.iter().chain(compared_with(&link.matcher)).any(is_of_request))
}

/// What a matcher compares a text with, where that is put together.
fn compared_with(of: &Matcher) -> &[TextPiece] {
    match &of.operator {
        Operator::Text(_, text) | Operator::CompareText(_, text) => text,
        _ => &[],
    }
}

pub(super) fn compared(relation: crate::ir::Relation) -> Relation {
    use crate::ir::Relation as R;
    match relation {
        R::Equal => Relation::Equal,
        R::AtLeast => Relation::AtLeast,
        R::Over => Relation::Over,
        R::AtMost => Relation::AtMost,
        R::Under => Relation::Under,
    }
}

pub(super) fn compared_texts(relation: TextRelation) -> Relation {
    match relation {
        TextRelation::Equal => Relation::Equal,
        TextRelation::Begins => Relation::Begins,
        TextRelation::Ends => Relation::Ends,
        TextRelation::Contains => Relation::Contains,
        TextRelation::Within => Relation::Within,
    }
}
