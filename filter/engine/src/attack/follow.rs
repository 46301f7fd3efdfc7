//! Matchers that follow on others: what is asked of the text that a match gives.

use super::captures::Captures;
use super::operator::Operators;
use super::steps::{Exhausted, Steps};
use super::subject::Subject;
use super::transform::Transform;
use crate::access::slice;
use portcullis_bundle::layout::{Matcher, NONE, PieceKind, Transformation, View};

/// Bytes of a text that is put together, at most.
const MAX_TEXT: usize = 64 << 10;
/// Transformations of one matcher, at most.
const MAX_STEPS: usize = 16;

/// What of a request texts can hold.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub host: Vec<u8>,
    pub method: Vec<u8>,
    pub method_lower: Vec<u8>,
}

/// The texts of matchers that follow, and what they are put together from.
#[derive(Debug, Default)]
pub(super) struct Follow {
    pub facts: Facts,
    captures: Captures,
    matched: Vec<u8>,
    text: Vec<u8>,
    buffer: Vec<u8>,
    argument: Vec<u8>,
}

impl Follow {
    /// Whether everything that follows on a match holds too.
    pub(super) fn holds(
        &mut self,
        view: &View<'_>,
        (head, text): (&Matcher, &[u8]),
        subject: &Subject<'_>,
        operators: &mut Operators,
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        self.matched.clear();
        self.matched.extend_from_slice(text);
        self.capture(view, head, steps)?;
        let mut then = head.then.get();
        while then != NONE {
            let Some(link) = view.links.get(then as usize) else { return Ok(false) };
            let Some(matcher) = view.matchers.get(link.matcher.get() as usize) else {
                return Ok(false);
            };
            let mut text = core::mem::take(&mut self.text);
            let pieces = (link.pieces.get(), link.piece_count.get().into());
            self.write(view, pieces, subject, &mut text);
            steps.spend(text.len() as u64)?;
            self.transform(view, matcher, &mut text);
            core::mem::swap(&mut self.matched, &mut text);
            self.text = text;
            let matched = core::mem::take(&mut self.matched);
            let holds = self.asks(view, (matcher, &matched), subject, operators, steps);
            self.matched = matched;
            if !holds? {
                return Ok(false);
            }
            self.capture(view, matcher, steps)?;
            then = matcher.then.get();
        }
        Ok(true)
    }

    /// Whether a matcher holds of a text, with what it is compared with put together.
    pub(super) fn asks(
        &mut self,
        view: &View<'_>,
        (matcher, text): (&Matcher, &[u8]),
        subject: &Subject<'_>,
        operators: &mut Operators,
        steps: &mut Steps,
    ) -> Result<bool, Exhausted> {
        let mut argument = core::mem::take(&mut self.argument);
        argument.clear();
        if Operators::compares(matcher) {
            let pieces = (matcher.argument.get(), matcher.argument_count.get());
            self.write(view, pieces, subject, &mut argument);
        }
        let holds = operators.holds_with(view, matcher, (text, false), &argument, steps);
        self.argument = argument;
        holds
    }

    /// Puts a text together.
    fn write(
        &self,
        view: &View<'_>,
        (first, count): (u32, u32),
        subject: &Subject<'_>,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        for piece in slice(view.pieces, first, count) {
            let part = match PieceKind::from_code(piece.kind) {
                Some(PieceKind::Text) => view.bytes(piece.text),
                Some(PieceKind::Capture) => self.captures.group(piece.group),
                Some(PieceKind::Matched) => &self.matched,
                Some(PieceKind::Name) => subject.called(),
                Some(PieceKind::Host) => &self.facts.host,
                Some(PieceKind::Method) => &self.facts.method,
                Some(PieceKind::MethodLower) => &self.facts.method_lower,
                None => &[],
            };
            let room = MAX_TEXT.saturating_sub(out.len());
            out.extend_from_slice(part.get(..room).unwrap_or(part));
        }
    }

    fn transform(&mut self, view: &View<'_>, matcher: &Matcher, text: &mut Vec<u8>) {
        let mut pipeline = [None; MAX_STEPS];
        let mut step = usize::from(matcher.step.get());
        let mut free = pipeline.iter_mut().rev();
        while step != 0 {
            let (Some(record), Some(slot)) = (view.steps.get(step), free.next()) else { break };
            *slot = Transformation::from_code(record.transformation);
            step = usize::from(record.parent.get());
        }
        for transformation in pipeline.into_iter().flatten() {
            self.buffer.clear();
            transformation.apply(text, &mut self.buffer);
            core::mem::swap(text, &mut self.buffer);
        }
    }

    /// Keeps the groups of what was matched, where they are asked for.
    fn capture(
        &mut self,
        view: &View<'_>,
        matcher: &Matcher,
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        match view.captures.get(matcher.captures.get() as usize) {
            Some(capture) => self.captures.find(view, capture, &self.matched, steps),
            None => Ok(()),
        }
    }

    /// Forgets what large texts have left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        self.captures.trim(kept);
        for buffer in [&mut self.matched, &mut self.text, &mut self.buffer, &mut self.argument] {
            buffer.clear();
            buffer.shrink_to(kept);
        }
    }
}
