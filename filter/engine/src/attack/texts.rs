//! The texts that one value becomes on its way through the transformations.
//!
//! A transformation whose trigger bytes a text does not hold leaves it as it is: then both steps share one text,
//! which is read once.

use super::grams::Grams;
use super::sets;
use super::steps::{Exhausted, Steps};
use super::transform::Transform;
use portcullis_bundle::layout::{Transformation, View};

/// What a text was found to hold.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Bits of the kinds of its bytes.
    kinds: u64,
    /// The matchers whose literals occur.
    proposed: Vec<u64>,
}

/// The texts of one value. The buffers serve the next one.
#[derive(Debug, Default)]
pub(super) struct Texts {
    texts: Vec<Text>,
    /// How many are of this value.
    count: usize,
    /// By step: its text.
    of_step: Vec<u16>,
}

/// No text: nothing asks for the step.
const NO_TEXT: u16 = u16::MAX;

impl Texts {
    /// Makes the texts of a value for the matchers that apply.
    pub(super) fn make(
        &mut self,
        view: &View<'_>,
        grams: &Grams<'_>,
        value: &[u8],
        applicable: &[u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        self.count = 0;
        self.of_step.clear();
        self.add(view, grams, applicable.len(), steps, |out| out.extend_from_slice(value))?;
        self.of_step.push(0);
        for step in view.steps.iter().skip(1) {
            let parent = self.of_step.get(usize::from(step.parent.get())).copied();
            let parent = parent.unwrap_or(NO_TEXT);
            let reach = sets::set(view, applicable.len(), step.reach.get().into());
            let wanted = reach.iter().zip(applicable).any(|(set, it)| set.get() & it != 0);
            let source = self.texts.get(usize::from(parent)).filter(|_| wanted);
            let own = match (source, Transformation::from_code(step.transformation)) {
                (Some(text), Some(_)) if text.kinds & step.triggers.get() == 0 => parent,
                (Some(_), Some(transformation)) => {
                    self.transform(view, grams, (parent, transformation), applicable.len(), steps)?
                }
                _ => NO_TEXT,
            };
            self.of_step.push(own);
        }
        Ok(())
    }

    /// The text that a transformation makes of another; the same where it changes nothing.
    fn transform(
        &mut self,
        view: &View<'_>,
        grams: &Grams<'_>,
        (parent, transformation): (u16, Transformation),
        words: usize,
        steps: &mut Steps,
    ) -> Result<u16, Exhausted> {
        let Some(source) = self.texts.get_mut(usize::from(parent)) else { return Ok(NO_TEXT) };
        let bytes = core::mem::take(&mut source.bytes);
        let spent = steps.spend(bytes.len() as u64);
        let (mut changed, count) = (false, self.count);
        let made = spent.and_then(|()| {
            self.add(view, grams, words, steps, |out| {
                transformation.apply(&bytes, out);
                changed = *out != bytes;
            })
        });
        if let Some(source) = self.texts.get_mut(usize::from(parent)) {
            source.bytes = bytes;
        }
        made?;
        if changed {
            return Ok(u16::try_from(count).unwrap_or(NO_TEXT));
        }
        self.count = count;
        Ok(parent)
    }

    /// Adds a text and reads it.
    fn add(
        &mut self,
        view: &View<'_>,
        grams: &Grams<'_>,
        words: usize,
        steps: &mut Steps,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Exhausted> {
        if self.texts.len() == self.count {
            self.texts.push(Text::default());
        }
        let Some(text) = self.texts.get_mut(self.count) else { return Err(Exhausted) };
        self.count += 1;
        text.bytes.clear();
        write(&mut text.bytes);
        text.proposed.clear();
        text.proposed.resize(words, 0);
        text.kinds = grams.read(view, &text.bytes, &mut text.proposed, steps)?;
        Ok(())
    }

    /// The texts: bytes, kinds of bytes, and what the literals propose.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[u8], u64, &[u64])> {
        let own = self.texts.iter().take(self.count);
        own.map(|text| (text.bytes.as_slice(), text.kinds, text.proposed.as_slice()))
    }

    /// Whether a step's text is this one.
    pub(super) fn is_of(&self, step: u16, text: usize) -> bool {
        self.of_step.get(usize::from(step)).is_some_and(|own| usize::from(*own) == text)
    }

    /// Forgets what a large value has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        for text in &mut self.texts {
            text.bytes.clear();
            text.bytes.shrink_to(kept);
        }
    }
}
