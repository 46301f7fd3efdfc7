//! Nondeterministic automata: expressions of rules whose tables would be too large.
//!
//! They run as automata that are built while texts are read, in a cache of bounded size. An automaton searches: it
//! accepts a text in which its expression matches somewhere.

use super::record::{codes, record};
use zerocopy::little_endian::{U16, U32};

/// States of one automaton, at most: they are numbered by 16 bits.
pub const MAX_NFA_STATES: u32 = 1 << 16;

record! {
    /// A nondeterministic automaton.
    pub struct Nfa {
        /// First of its states in nfa_states.
        states: U32,
        /// How many; the numbers below count from the first.
        state_count: U32,
        /// Index into byte_classes. Bytes of one class lead to the same states from everywhere.
        classes: U32,
        /// Byte classes, and one more for the end of the text.
        stride: U16,
        /// The states with lower numbers are those in which it is before every byte, or with `NFA_ANCHORED` before the first.
        base: U16,
        /// `NFA_*` bits.
        flags: u8,
    }
}

/// [`Nfa::flags`]: a match can begin at the start of the text alone.
pub const NFA_ANCHORED: u8 = 1;
/// [`Nfa::flags`]: a state below `base` looks around, and may hold elsewhere than at the start.
pub const NFA_BASE_LOOKS: u8 = 2;

record! {
    /// A state of a nondeterministic automaton.
    pub struct NfaState {
        /// The next state, where there is one.
        next: U16,
        /// By operation.
        argument: U16,
        /// An [`NfaOp`] code.
        op: u8,
    }
}

codes! {
    /// What a state of a nondeterministic automaton does.
    pub enum NfaOp {
        /// The text is accepted, whatever follows.
        Match = 0,
        /// A byte from the lower half of `argument` to its upper half leads to `next`.
        Range = 1,
        /// A byte of the set `argument`, an index into byte_sets, leads to `next`.
        Set = 2,
        /// It is `next` and `argument` at once.
        Split = 3,
        /// It is `next` where the [`NfaLook`] `argument` holds.
        Look = 4,
    }
}

codes! {
    /// What holds between two bytes. Words are runs of ASCII letters, digits and `_`.
    pub enum NfaLook {
        /// The text begins here.
        Start = 0,
        /// The text ends here.
        End = 1,
        /// The text or a line begins here, after LF.
        StartLf = 2,
        /// The text or a line ends here, before LF.
        EndLf = 3,
        /// The text or a line begins here, after LF, CR, or both.
        StartCrlf = 4,
        /// The text or a line ends here, before LF, CR, or both.
        EndCrlf = 5,
        /// A word begins or ends here.
        Word = 6,
        /// No word begins or ends here.
        NotWord = 7,
        /// A word begins here.
        WordStart = 8,
        /// A word ends here.
        WordEnd = 9,
        /// No byte of a word stands before.
        WordStartHalf = 10,
        /// No byte of a word follows.
        WordEndHalf = 11,
    }
}
