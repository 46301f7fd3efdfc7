//! Checks automata and character classes.

use super::Check;
use crate::error::OpenError;
use crate::layout::Automaton;

/// The longest table: states are numbered by 16 bits.
const MAX_TABLE: u32 = 1 << 16;

pub(super) fn verify(check: Check<'_, '_>) -> Result<(), OpenError> {
    let view = check.view;
    check.each("automata", view.automata, automaton)?;
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
