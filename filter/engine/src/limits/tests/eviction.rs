//! A table that has no room for all counts, beside one that has: what is forgotten bounds what is admitted beyond.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Units by which sums of levels may be off.
const ROUNDING: f64 = 1e-5;

/// The counts of a table by what names them: level and time, as LIMITS.md describes a cell.
type Cells = HashMap<[u8; 16], (f64, u64)>;

fn cells(world: &World) -> Cells {
    let number = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap());
    let table = world.table.borrow();
    let all = table.values().flat_map(|(block, _)| block.chunks_exact(32));
    let all = all.filter(|cell| cell.iter().any(|byte| *byte != 0));
    all.map(|cell| {
        let level = f64::from_bits(number(&cell[16..]));
        (*cell.first_chunk().unwrap(), (level, number(&cell[24..])))
    })
    .collect()
}

/// A rate of the tests: units that drain in a second, and the burst.
#[derive(Clone, Copy, Debug)]
struct Rate {
    each_second: u32,
    burst: u32,
}

impl Rate {
    fn drained(self, level: f64, nanos: u64) -> f64 {
        (level - f64::from(self.each_second) * nanos as f64 / SECOND as f64).max(0.0)
    }
}

/// What a caller may do by one rate, counted apart from the table and never forgotten.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    level: f64,
    at: u64,
    /// The sum of the levels that the table has forgotten of it.
    lost: f64,
    /// Its name in the table, once that was seen.
    cell: Option<[u8; 16]>,
}

/// Who is counted, and what apart.
type Who = (u8, u32);

/// Requests of some callers to some operations, each after a pause and with writes that are lost to other workers before
/// its own.
fn requests() -> impl Strategy<Value = Vec<(Who, u64, u32)>> {
    let pause = prop_oneof![Just(0), 0..SECOND / 50, 0..3 * SECOND];
    // Many callers, or one that fills a block by itself.
    let who = prop_oneof![(0u8..60, Just(0)), (0u8..6, 0u32..40)];
    prop::collection::vec((who, pause, 0u32..4), 1..500)
}

fn rates() -> impl Strategy<Value = Vec<Rate>> {
    let rate = (1u32..5, 1u32..12).prop_map(|(each_second, burst)| Rate { each_second, burst });
    prop::collection::vec(rate, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// One block for up to 180 counts. Whatever comes: nobody is refused whom a table without end would admit after the
    /// same admissions; and what is admitted beyond is at most the sum of the levels that were forgotten of that count,
    /// each the smallest share of its block.
    #[test]
    fn what_is_forgotten_bounds_what_is_admitted_beyond(rates in rates(), requests in requests()) {
        let windows: Vec<_> = rates.iter().map(|it| window(it.each_second, it.burst, 1)).collect();
        let mut sections = sections(&[set("a", &windows)], Action::Allow);
        let world = World::of(1);
        let mut known: HashMap<(Who, usize), Known> = HashMap::new();
        for (who, pause, storms) in requests {
            let (caller, scope) = who;
            sections.limit_uses[0].scope = scope.into();
            world.pass(pause);
            world.storms.set(storms);
            let (now, before) = (world.now(), cells(&world));
            let is_admitted = ask(&sections, &world, &format!("c{caller}")).is_empty();
            let after = cells(&world);
            let mut is_full = false;
            for (at, rate) in rates.iter().enumerate() {
                let it = known.entry((who, at)).or_default();
                it.level = rate.drained(it.level, now - it.at);
                it.at = now;
                let beyond = it.level + 1.0 - f64::from(rate.burst);
                is_full |= beyond > -ROUNDING;
                if is_admitted {
                    prop_assert!(beyond <= it.lost + ROUNDING, "{beyond} beyond, lost {}", it.lost);
                    it.level += 1.0;
                }
            }
            prop_assert!(is_admitted || is_full, "refused too early");
            name_new(&mut known, &rates, who, &before, &after);
            forget(&mut known, &rates, who, (&before, &after), now)?;
        }
    }
}

/// Takes note of which cells are the caller's: those that are new, in the order of the rates' places.
fn name_new(
    known: &mut HashMap<(Who, usize), Known>,
    rates: &[Rate],
    who: Who,
    before: &Cells,
    after: &Cells,
) {
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        let place = usize::from(name[8] & 7);
        if place < rates.len() {
            known.entry((who, place)).or_default().cell = Some(*name);
        }
    }
}

/// Adds what the table has forgotten, and wants it to be the smallest share that there was.
fn forget(
    known: &mut HashMap<(Who, usize), Known>,
    rates: &[Rate],
    who: Who,
    (before, after): (&Cells, &Cells),
    now: u64,
) -> Result<(), TestCaseError> {
    let share = |name: &[u8; 16], (level, at): (f64, u64)| {
        let rate = rates[usize::from(name[8] & 7)];
        rate.drained(level, now - at) / f64::from(rate.burst)
    };
    let own: Vec<_> = (0..rates.len()).filter_map(|at| Some(known.get(&(who, at))?.cell)).collect();
    let gone: Vec<_> = before.iter().filter(|(name, _)| !after.contains_key(*name)).collect();
    for (name, cell) in gone {
        let place = usize::from(name[8] & 7);
        let owner = known.values_mut().find(|it| it.cell == Some(*name));
        let owner = owner.ok_or_else(|| TestCaseError::fail("nobody's count"))?;
        owner.lost += rates[place].drained(cell.0, now - cell.1);
        let lost = share(name, *cell);
        let stayed = before.iter().filter(|(other, _)| after.contains_key(*other));
        // What was written in the same request was held back, whatever its share.
        let stayed = stayed.filter(|(other, _)| !own.contains(&Some(**other)));
        for (other, cell) in stayed {
            prop_assert!(
                lost <= share(other, *cell) + ROUNDING,
                "{lost} went before a smaller one"
            );
        }
    }
    Ok(())
}
