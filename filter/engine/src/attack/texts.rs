//! The texts that one value becomes on its way through the transformations.
//!
//! A transformation whose trigger bytes a text does not hold leaves it as it is: then both steps share one text,
//! which is read once.

use super::grams::Grams;
use super::kept::Kept;
use super::sets;
use super::steps::{Exhausted, Steps};
use super::transform::{Look, Transform};
use portcullis_bundle::layout::{PLAIN, Transformation, View};

/// What a text was found to hold.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Bits of the kinds of its bytes.
    kinds: u64,
    /// What a look at it tells of transformations, once one is asked for.
    look: Option<Look>,
    /// The matchers whose literals occur.
    proposed: Vec<u64>,
}

/// The texts of one value. The buffers serve the next one.
#[derive(Debug, Default)]
pub(super) struct Texts {
    texts: Vec<Text>,
    /// How many are of this value.
    count: usize,
    /// By step: its text. Empty where all share the first.
    of_step: Vec<u16>,
    /// What a transformation has made of a text: both, and the text that came of it.
    made: Vec<(u16, Transformation, u16)>,
    wanted: Wanted,
}

/// By matchers that apply: the steps that reach any of them, then those that do with plain texts.
type Wanted = Kept<Vec<u64>>;

/// No text: nothing asks for the step.
const NO_TEXT: u16 = u16::MAX;

impl Texts {
    /// Begins a message.
    pub(super) fn begin(&mut self, view: &View<'_>) {
        self.wanted.begin(view.identity, 2 * view.steps.len().div_ceil(64));
    }

    /// Makes the texts of a value for the matchers that apply. `triggers`: the kinds of bytes without all of which no
    /// transformation changes anything. `exhaustive`: those too that nothing can come of.
    pub(super) fn make(
        &mut self,
        view: &View<'_>,
        (grams, triggers): (&Grams<'_>, u64),
        (value, exhaustive): (&[u8], bool),
        applicable: &[u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        self.count = 0;
        self.of_step.clear();
        self.made.clear();
        let mut first = self.spare();
        first.extend_from_slice(value);
        let kinds = self.add(view, grams, first, applicable, steps)?;
        if kinds & triggers == 0 {
            return Ok(());
        }
        let mut wanted = core::mem::take(&mut self.wanted);
        let made =
            self.follow(view, (grams, exhaustive), wanted.of(view, applicable), applicable, steps);
        self.wanted = wanted;
        made
    }

    /// Goes through the steps that are wanted, each after the one that it follows on.
    fn follow(
        &mut self,
        view: &View<'_>,
        (grams, exhaustive): (&Grams<'_>, bool),
        (wanted, plain_wanted): (&[u64], &[u64]),
        applicable: &[u64],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        self.of_step.resize(view.steps.len(), NO_TEXT);
        if let Some(first) = self.of_step.first_mut() {
            *first = 0;
        }
        // What lies before is settled.
        let mut settled = 1;
        for (word, (wanted, plain_wanted)) in wanted.iter().zip(plain_wanted).enumerate() {
            for at in sets::members(*wanted, word).map(|at| at as usize) {
                let Some(step) = view.steps.get(at).filter(|_| at >= settled) else { continue };
                let parent = self.of_step.get(usize::from(step.parent.get())).copied();
                let parent = parent.unwrap_or(NO_TEXT);
                let Some(source) = self.texts.get(usize::from(parent)) else { continue };
                let end = usize::from(step.next.get());
                if source.kinds & step.all_triggers.get() == 0 {
                    // What follows on it is as the text before.
                    self.of_step.get_mut(at..end).unwrap_or_default().fill(parent);
                    settled = end;
                    continue;
                }
                // Whoever tries all asks for all.
                let plain = !exhaustive && grams.is_plain(source.kinds);
                let hopeless = source.bytes.len() < usize::from(step.shortest.get()) && !exhaustive
                    || plain && source.kinds & step.plain_needs.get() == 0
                    || plain && plain_wanted >> (at % 64) & 1 == 0;
                if hopeless {
                    settled = end;
                    continue;
                }
                let own = match Transformation::from_code(step.transformation) {
                    Some(transformation) if source.kinds & step.triggers.get() != 0 => {
                        self.transform(view, grams, (parent, transformation), applicable, steps)?
                    }
                    _ => parent,
                };
                if let Some(place) = self.of_step.get_mut(at) {
                    *place = own;
                }
            }
        }
        Ok(())
    }

    /// The text that a transformation makes of another; one that is there already where it is the same.
    fn transform(
        &mut self,
        view: &View<'_>,
        grams: &Grams<'_>,
        (parent, transformation): (u16, Transformation),
        applicable: &[u64],
        steps: &mut Steps,
    ) -> Result<u16, Exhausted> {
        let known = self.made.iter().find(|(text, by, _)| (*text, *by) == (parent, transformation));
        if let Some((_, _, made)) = known {
            return Ok(*made);
        }
        let Some(source) = self.texts.get_mut(usize::from(parent)) else { return Ok(NO_TEXT) };
        steps.spend(source.bytes.len() as u64)?;
        if transformation.keeps(*source.look.get_or_insert_with(|| Look::at(&source.bytes))) {
            self.made.push((parent, transformation, parent));
            return Ok(parent);
        }
        let mut made = self.spare();
        let Some(source) = self.texts.get(usize::from(parent)) else { return Ok(NO_TEXT) };
        transformation.apply(&source.bytes, &mut made);
        let known = self.texts.iter().take(self.count).position(|text| text.bytes == made);
        let own = known.unwrap_or(self.count);
        match known {
            Some(_) => self.keep(made),
            None => _ = self.add(view, grams, made, applicable, steps)?,
        }
        let own = u16::try_from(own).unwrap_or(NO_TEXT);
        self.made.push((parent, transformation, own));
        Ok(own)
    }

    /// The empty buffer of the next text.
    fn spare(&mut self) -> Vec<u8> {
        let next = self.texts.get_mut(self.count);
        let mut spare = next.map(|text| core::mem::take(&mut text.bytes)).unwrap_or_default();
        spare.clear();
        spare
    }

    /// Puts a buffer back that became no text.
    fn keep(&mut self, spare: Vec<u8>) {
        if let Some(next) = self.texts.get_mut(self.count) {
            next.bytes = spare;
        }
    }

    /// Adds a text and reads it. Gives the kinds of its bytes.
    fn add(
        &mut self,
        view: &View<'_>,
        grams: &Grams<'_>,
        bytes: Vec<u8>,
        applicable: &[u64],
        steps: &mut Steps,
    ) -> Result<u64, Exhausted> {
        if self.texts.len() == self.count {
            self.texts.push(Text::default());
        }
        let Some(text) = self.texts.get_mut(self.count) else { return Err(Exhausted) };
        self.count += 1;
        text.bytes = bytes;
        text.look = None;
        text.proposed.clear();
        text.proposed.resize(applicable.len(), 0);
        steps.spend(text.bytes.len() as u64)?;
        text.kinds = grams.kinds(&text.bytes);
        if meets(view, applicable, grams.proposed(text.kinds)) {
            grams.read(view, (&text.bytes, text.kinds), &mut text.proposed, steps)?;
            if grams.is_plain(text.kinds) {
                let plain = sets::set(view, applicable.len(), PLAIN as usize);
                text.proposed.iter_mut().zip(plain).for_each(|(own, plain)| *own &= plain.get());
            }
        }
        Ok(text.kinds)
    }

    /// The texts: bytes, kinds of bytes, and what the literals propose.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[u8], u64, &[u64])> {
        let own = self.texts.iter().take(self.count);
        own.map(|text| (text.bytes.as_slice(), text.kinds, text.proposed.as_slice()))
    }

    /// The text of a step.
    pub(super) fn of(&self, step: u16) -> Option<&[u8]> {
        let index = match self.of_step.is_empty() {
            true => 0,
            false => *self.of_step.get(usize::from(step))?,
        };
        let own = self.texts.iter().take(self.count).nth(index.into());
        own.map(|text| text.bytes.as_slice())
    }

    /// Whether a step's text is this one.
    pub(super) fn is_of(&self, step: u16, text: usize) -> bool {
        self.of_step.is_empty()
            || self.of_step.get(usize::from(step)).is_some_and(|own| usize::from(*own) == text)
    }

    /// Forgets what a large value has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        for text in &mut self.texts {
            text.bytes.clear();
            text.bytes.shrink_to(kept);
        }
    }
}

impl Wanted {
    /// The steps, and those for plain texts, from which a matcher that applies can be reached.
    fn of(&mut self, view: &View<'_>, applicable: &[u64]) -> (&[u64], &[u64]) {
        let mix = |hash: u64, word: &u64| {
            (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        };
        let hash = (applicable.iter().fold(0, mix) >> 32) as u32;
        let find = |set: &mut [u64]| {
            set.fill(0);
            let (wanted, plain) = set.split_at_mut(set.len() / 2);
            for (at, step) in (0..).zip(view.steps) {
                for (set, reach) in [(&mut *wanted, step.reach), (&mut *plain, step.plain_reach)] {
                    if meets(view, applicable, reach.get().into()) {
                        sets::insert(set, at);
                    }
                }
            }
        };
        let is = |known: &Vec<u64>| known == applicable;
        let both = self.set(hash, is, || Some(applicable.to_vec()), find).unwrap_or_default();
        both.split_at(both.len() / 2)
    }
}

/// Whether any matcher that applies is in a set.
fn meets(view: &View<'_>, applicable: &[u64], set: u32) -> bool {
    let set = sets::set(view, applicable.len(), set as usize);
    set.iter().zip(applicable).any(|(set, it)| set.get() & it != 0)
}
