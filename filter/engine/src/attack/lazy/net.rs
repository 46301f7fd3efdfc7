//! An automaton of the bundle, as it is read.

use crate::access::slice;
use portcullis_bundle::layout::{
    ByteSet, NFA_ANCHORED, NFA_BASE_LOOKS, Nfa, NfaLook, NfaState, View,
};

/// What stands beside a place in a text, as far as looking around tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Context {
    /// The text begins or ends.
    Edge = 0,
    /// A byte of a word: an ASCII letter or digit, or `_`.
    Word = 1,
    /// A line feed.
    Lf = 2,
    /// A carriage return.
    Cr = 3,
    /// Any other byte.
    Other = 4,
}

impl Context {
    /// All of them.
    pub const ALL: [Context; 5] =
        [Context::Edge, Context::Word, Context::Lf, Context::Cr, Context::Other];

    /// That of a byte, or of the end.
    pub fn of(unit: Option<u8>) -> Context {
        match unit {
            None => Context::Edge,
            Some(b'\n') => Context::Lf,
            Some(b'\r') => Context::Cr,
            Some(byte) if byte == b'_' || byte.is_ascii_alphanumeric() => Context::Word,
            Some(_) => Context::Other,
        }
    }

    pub(super) const fn from_code(code: u32) -> Context {
        match code {
            0 => Context::Edge,
            1 => Context::Word,
            2 => Context::Lf,
            3 => Context::Cr,
            _ => Context::Other,
        }
    }
}

/// Whether a look holds between what stands before and what follows.
pub fn holds(look: NfaLook, before: Context, after: Context) -> bool {
    use Context::{Cr, Edge, Lf, Word};
    let (from, to) = (before == Word, after == Word);
    match look {
        NfaLook::Start => before == Edge,
        NfaLook::End => after == Edge,
        NfaLook::StartLf => matches!(before, Edge | Lf),
        NfaLook::EndLf => matches!(after, Edge | Lf),
        NfaLook::StartCrlf => matches!(before, Edge | Lf) || (before == Cr && after != Lf),
        NfaLook::EndCrlf => matches!(after, Edge | Cr) || (after == Lf && before != Cr),
        NfaLook::Word => from != to,
        NfaLook::NotWord => from == to,
        NfaLook::WordStart => !from && to,
        NfaLook::WordEnd => from && !to,
        NfaLook::WordStartHalf => !from,
        NfaLook::WordEndHalf => !to,
    }
}

/// An automaton, its states, and its classes of bytes.
#[derive(Clone, Copy)]
pub(super) struct Net<'b> {
    /// Its index.
    pub index: u32,
    pub states: &'b [NfaState],
    pub base: u16,
    pub stride: u16,
    flags: u8,
    classes: &'b [u8; 256],
    sets: &'b [ByteSet],
}

impl<'b> Net<'b> {
    /// The automaton of an index.
    pub(super) fn of(view: &View<'b>, index: u32) -> Option<Self> {
        let nfa: &Nfa = view.nfas.get(index as usize)?;
        Some(Net {
            index,
            states: slice(view.nfa_states, nfa.states.get(), nfa.state_count.get()),
            base: nfa.base.get(),
            stride: nfa.stride.get(),
            flags: nfa.flags,
            classes: &view.byte_classes.get(nfa.classes.get() as usize)?.class,
            sets: view.byte_sets,
        })
    }

    #[inline]
    pub(super) fn class(&self, byte: u8) -> u32 {
        u32::from(self.classes.get(usize::from(byte)).copied().unwrap_or(0))
    }

    pub(super) fn end_class(&self) -> u32 {
        u32::from(self.stride).saturating_sub(1)
    }

    pub(super) fn class_of(&self, unit: Option<u8>) -> u32 {
        unit.map_or(self.end_class(), |byte| self.class(byte))
    }

    /// Whether the set of an index holds a byte.
    pub(super) fn set_holds(&self, set: u16, byte: u8) -> bool {
        let word =
            self.sets.get(usize::from(set)).and_then(|it| it.words.get(usize::from(byte >> 6)));
        word.is_some_and(|word| word.get() >> (byte & 63) & 1 == 1)
    }

    pub(super) fn is_anchored(&self) -> bool {
        self.flags & NFA_ANCHORED != 0
    }

    /// Whether the states below `base` are states of the automaton in a context.
    pub(super) fn has_base(&self, context: Context) -> bool {
        !self.is_anchored() || context == Context::Edge
    }

    pub(super) fn base_looks(&self) -> bool {
        self.flags & NFA_BASE_LOOKS != 0
    }
}
