//! Stencils: what patterns and lengths say of short ASCII texts, place by place.
//!
//! In: automata, character classes, the bounds of a length. Out: a record that the engine tests sixteen bytes at a
//! time. It may forget texts, which then go through the exact checks, but never lets one pass that they refuse.

use super::{Table, Verdict};
use portcullis_bundle::layout::{self, STENCIL_LEN};

/// A set of ASCII bytes.
type Set = u128;

/// What a stencil can tell apart: rectangles of upper and lower halves of a byte.
const MAX_RECTANGLES: usize = 8;

/// For each place the bytes that may stand there, and the lengths that a text may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    sets: [Set; STENCIL_LEN],
    lengths: u64,
}

impl Places {
    /// Every ASCII text of so many bytes; `None` where no stencil is as long.
    pub fn between(min: u64, max: Option<u64>) -> Option<Places> {
        let longest = STENCIL_LEN as u64;
        let from = u64::MAX.checked_shl(u32::try_from(min).ok()?)?;
        let to = u64::MAX >> (63 - max.unwrap_or(longest).min(longest));
        Some(Places { sets: [Set::MAX; STENCIL_LEN], lengths: from & to })
    }

    /// What an automaton accepts, if the bytes before a place do not matter to what may follow.
    pub fn of_table(table: &Table) -> Option<Places> {
        let mut places = Places { sets: [0; STENCIL_LEN], lengths: 0 };
        let mut state = table.start;
        for place in 0..=STENCIL_LEN {
            if table.verdicts[state as usize] >= Verdict::Accepts {
                places.lengths |= 1 << place;
            }
            let Some(set) = places.sets.get_mut(place) else { break };
            let mut next = None;
            for byte in 0..0x80u8 {
                let class = usize::from(table.classes[usize::from(byte)]);
                let to = table.next[state as usize * table.stride + class];
                if table.verdicts[to as usize] == Verdict::Dead {
                    continue;
                }
                if *next.get_or_insert(to) != to {
                    return None;
                }
                *set |= 1 << byte;
            }
            match next {
                Some(next) => state = next,
                None => break,
            }
        }
        Some(places)
    }

    /// Texts whose characters are all in a class, given as ascending ranges.
    pub fn of_class(ranges: &[(u32, u32)]) -> Places {
        let holds = |byte: &u32| ranges.iter().any(|(from, to)| (from..=to).contains(&byte));
        let set = (0..0x80u32).filter(holds).fold(0, |set, byte| set | 1 << byte);
        Places { sets: [set; STENCIL_LEN], lengths: u64::MAX }
    }

    /// UUIDs as RFC 9562, section 4, writes them.
    pub fn of_uuid() -> Places {
        let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit();
        let digits = (0..0x80u8).filter(hexadecimal).fold(0, |set, byte| set | 1 << byte);
        let mut sets = [digits; STENCIL_LEN];
        for place in [8, 13, 18, 23] {
            sets[place] = 1 << b'-';
        }
        Places { sets, lengths: 1 << 36 }
    }

    /// The texts that both allow.
    pub fn and(mut self, other: &Places) -> Places {
        self.sets.iter_mut().zip(&other.sets).for_each(|(set, other)| *set &= other);
        self.lengths &= other.lengths;
        self
    }

    /// The record, if there is a text that fits and eight rectangles are enough.
    pub fn record(&self) -> Option<layout::Stencil> {
        let lengths = self.lengths & (u64::MAX >> (63 - STENCIL_LEN));
        let longest = 63_u32.checked_sub(lengths.leading_zeros())? as usize;
        let mut rectangles: Vec<(u16, u8)> = Vec::new();
        let mut wanted = [0; STENCIL_LEN];
        for (bits, set) in wanted.iter_mut().zip(&self.sets).take(longest) {
            for rectangle in split(*set) {
                let known = rectangles.iter().position(|known| *known == rectangle);
                let index = known.unwrap_or_else(|| {
                    rectangles.push(rectangle);
                    rectangles.len() - 1
                });
                if index >= MAX_RECTANGLES {
                    return None;
                }
                *bits |= 1 << index;
            }
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        for (index, (columns, rows)) in rectangles.iter().enumerate() {
            for half in 0..16 {
                low[half] |= u8::from(columns >> half & 1 == 1) << index;
                high[half] |= u8::from(u16::from(*rows) >> half & 1 == 1) << index;
            }
        }
        Some(layout::Stencil { low, high, wanted, lengths: lengths.into() })
    }
}

/// A set as rectangles: lower halves, and the upper halves with just these.
fn split(set: Set) -> Vec<(u16, u8)> {
    let mut rectangles: Vec<(u16, u8)> = Vec::new();
    for row in 0..8 {
        let columns = (set >> (16 * row)) as u16;
        if columns == 0 {
            continue;
        }
        match rectangles.iter_mut().find(|(known, _)| *known == columns) {
            Some((_, rows)) => *rows |= 1 << row,
            None => rectangles.push((columns, 1 << row)),
        }
    }
    rectangles
}

#[cfg(test)]
mod tests {
    use super::super::{Pattern, Patterns};
    use super::*;

    fn fits(stencil: &layout::Stencil, text: &[u8]) -> bool {
        let bits =
            |byte: &u8| stencil.low[usize::from(byte & 15)] & stencil.high[usize::from(byte >> 4)];
        text.len() <= STENCIL_LEN
            && stencil.lengths.get() >> text.len() & 1 == 1
            && text.iter().zip(&stencil.wanted).all(|(byte, wanted)| bits(byte) & wanted != 0)
    }

    fn stencil(pattern: &str) -> Option<(layout::Stencil, Table)> {
        let mut patterns = Patterns::default();
        let index = patterns.automaton(pattern).unwrap();
        let table = patterns.tables[index as usize].clone();
        Some((Places::of_table(&table)?.record()?, table))
    }

    /// Pseudo-random numbers below a bound.
    fn random() -> impl FnMut(u64) -> u64 {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        }
    }

    /// A text that keeps an automaton alive for a while, and mostly a byte that does not.
    fn text(table: &Table, random: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
        let (mut text, mut state) = (Vec::new(), table.start);
        for _ in 0..random(20) {
            let alive: Vec<(u8, u32)> = (0..=255u8)
                .map(|byte| {
                    let class = usize::from(table.classes[usize::from(byte)]);
                    (byte, table.next[state as usize * table.stride + class])
                })
                .filter(|(_, to)| table.verdicts[*to as usize] != Verdict::Dead)
                .collect();
            if alive.is_empty() {
                break;
            }
            let (byte, to) = alive[random(alive.len() as u64) as usize];
            text.push(byte);
            state = to;
        }
        if !text.is_empty() && random(3) > 0 {
            let place = random(text.len() as u64) as usize;
            text[place] = random(256) as u8;
        }
        text
    }

    #[test]
    fn a_stencil_accepts_what_its_automaton_accepts() {
        let patterns = [
            "^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,10}$",
            "^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$",
            "^RF[0-9]{2}[A-Z0-9]{1,21}$",
            "^[a-z_]{3}",
            "^[^\"]{1,4}$",
            "^[0-9]{4}$",
        ];
        for pattern in patterns {
            let (stencil, table) = stencil(pattern).expect(pattern);
            let (mut accepted, mut random) = (0, random());
            for _ in 0..5_000 {
                let text = text(&table, &mut random);
                let expected = table.matches(&text) && text.is_ascii();
                assert_eq!(fits(&stencil, &text), expected, "{pattern} {text:?}");
                accepted += u32::from(expected);
            }
            assert!((1..5_000).contains(&accepted), "{pattern}: {accepted} tell nothing");
        }
    }

    #[test]
    fn what_depends_on_earlier_bytes_has_no_stencil() {
        for pattern in ["^(AB|CD)$", "^[0-9]+[.][0-9]{2}$", "a", "^(?=.*a)[a-z]{3}$"] {
            assert_eq!(stencil(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn sets_that_need_too_many_rectangles_have_no_stencil() {
        assert!(stencil("^[!5EUav][A-Z]$").is_some());
        assert_eq!(stencil("^[!#2358:<@EGIKUXZ`bgkmpqs~]z[A-Z]y$"), None);
    }

    #[test]
    fn lengths_and_classes_are_joined() {
        let Pattern::Class { class, .. } = Patterns::default().get("^[A-Z]{1,3}$").clone() else {
            panic!("a class");
        };
        assert_eq!(class, 0);
        let letters = Places::of_class(&[(0x41, 0x5A), (0xE9, 0xE9)]);
        let joined = letters.and(&Places::between(2, Some(3)).unwrap()).record().unwrap();
        for (text, expected) in [("A", false), ("AB", true), ("ABC", true), ("ABCD", false)] {
            assert_eq!(fits(&joined, text.as_bytes()), expected, "{text}");
        }
        assert!(!fits(&joined, "A\u{e9}".as_bytes()));
        assert_eq!(Places::between(64, None), None);
        assert_eq!(Places::between(49, None).unwrap().record(), None);
        let uuid = Places::of_uuid().record().unwrap();
        assert!(fits(&uuid, b"2EB8AA08-AA98-11EA-b4aa-73B441D16380"));
        assert!(!fits(&uuid, b"2EB8AA08-AA98-11EA-b4aa-73B441D1638g"));
        assert!(!fits(&uuid, b"2EB8AA08-AA98-11EA-b4aa-73B441D1638"));
    }
}
