//! Checks automata, nondeterministic ones too, and character classes.

use super::Check;
use crate::error::OpenError;
use crate::layout::{Automaton, MAX_NFA_STATES, Nfa, NfaLook, NfaOp, NfaState};

/// The longest table: states are numbered by 16 bits.
const MAX_TABLE: u32 = 1 << 16;

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("automata", view.automata, automaton)?;
    check.each("nfas", view.nfas, nfa)?;
    check.each("char_classes", view.char_classes, |check, class| {
        let (first, count) = (class.ranges.get(), class.range_count.get());
        let ranges = check.run(first, count, view.char_ranges, "ranges")?;
        let mut last = 0x7F;
        for range in ranges {
            let (first, end) = (range.first.get(), range.last.get());
            check.that(last < first && first <= end, "ranges do not ascend")?;
            last = end;
        }
        Ok(())
    })
}

/// Every transition must lead to the first entry of a state's row.
fn automaton(check: &Check<'_, '_>, automaton: &Automaton) -> Result<(), OpenError> {
    let view = check.view;
    let (len, stride) = (automaton.table_len.get(), u32::from(automaton.stride.get()));
    check.that(len > 0 && len <= MAX_TABLE, "table_len")?;
    check.that((1..=256).contains(&stride) && len.is_multiple_of(stride), "stride")?;
    check.index(automaton.classes.get(), view.byte_classes, "classes")?;
    let classes = view.byte_classes.get(automaton.classes.get() as usize);
    let sound = classes.is_some_and(|map| map.class.iter().all(|c| u32::from(*c) < stride));
    check.that(sound, "a byte class is not below the stride")?;
    let is_state = |state: u32| state < len && state.is_multiple_of(stride);
    check.that(is_state(automaton.start.get().into()), "start")?;
    check.that(automaton.accept <= automaton.accept_always, "accept")?;
    let table = check.run(automaton.table.get(), len, view.transitions, "table")?;
    let sound = table.iter().all(|state| is_state(state.get().into()));
    check.that(sound, "a transition leads to no state")
}

/// Every state must lead to states of the same automaton.
fn nfa(check: &Check<'_, '_>, nfa: &Nfa) -> Result<(), OpenError> {
    let view = check.view;
    let (count, stride) = (nfa.state_count.get(), u32::from(nfa.stride.get()));
    check.that(count > 0 && count <= MAX_NFA_STATES, "state_count")?;
    check.that(u32::from(nfa.base.get()) <= count, "base")?;
    check.that((2..=257).contains(&stride), "stride")?;
    check.index(nfa.classes.get(), view.byte_classes, "classes")?;
    let classes = view.byte_classes.get(nfa.classes.get() as usize);
    let sound = classes.is_some_and(|map| map.class.iter().all(|c| u32::from(*c) < stride - 1));
    check.that(sound, "a byte class is that of the end")?;
    let states = check.run(nfa.states.get(), count, view.nfa_states, "states")?;
    let leads = |state: u16| u32::from(state) < count;
    let is_sound = |state: &NfaState| {
        let argument = state.argument.get();
        let sound = match NfaOp::from_code(state.op) {
            Some(NfaOp::Match) => return true,
            Some(NfaOp::Range) => true,
            Some(NfaOp::Set) => usize::from(argument) < view.byte_sets.len(),
            Some(NfaOp::Split) => leads(argument),
            Some(NfaOp::Look) => u8::try_from(argument).ok().and_then(NfaLook::from_code).is_some(),
            None => false,
        };
        sound && leads(state.next.get())
    };
    check.that(states.iter().all(is_sound), "a state leads to no state, or asks for nothing known")
}
