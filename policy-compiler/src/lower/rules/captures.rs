//! Expressions whose groups are asked for: the states of a Thompson automaton as instructions.

use super::super::tables::Tables;
use super::regex;
use portcullis_bundle::layout::{Capture, CaptureCode, CaptureStep};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;

/// Places that groups have: a beginning and an end for each of ten.
const SLOTS: usize = 20;
/// Instructions of one expression, at most.
const MAX_STEPS: usize = 32 << 10;

/// Writes an expression; its index into captures.
///
/// # Errors
/// Why it cannot be written, lower case, without a final period.
pub fn write(tables: &mut Tables<'_>, pattern: &str) -> Result<u32, String> {
    let hir = regex::parse(pattern)?;
    let config = NFA::config().utf8(false).nfa_size_limit(Some(4 << 20));
    let nfa = NFA::compiler()
        .configure(config)
        .build_from_hir(&hir)
        .map_err(|_| "an expression whose groups are asked for is too large".to_owned())?;
    // Classes and choices of several states take instructions of their own, after those of the states.
    let mut steps: Vec<CaptureStep> =
        vec![instruction(CaptureCode::Fail, 0, 0, (0, 0)); nfa.states().len()];
    for (at, state) in nfa.states().iter().enumerate() {
        let next = |id: regex_automata::util::primitives::StateID| id.as_u32();
        steps[at] = match state {
            State::ByteRange { trans } => {
                instruction(CaptureCode::Byte, next(trans.next), 0, (trans.start, trans.end))
            }
            State::Sparse(sparse) => {
                let bytes: Vec<_> = sparse
                    .transitions
                    .iter()
                    .map(|it| instruction(CaptureCode::Byte, next(it.next), 0, (it.start, it.end)))
                    .collect();
                choice(bytes, &mut steps)
            }
            State::Dense(dense) => {
                let bytes: Vec<_> = (0..=255u8)
                    .filter(|byte| dense.transitions[usize::from(*byte)].as_u32() != 0)
                    .map(|byte| {
                        let to = next(dense.transitions[usize::from(byte)]);
                        instruction(CaptureCode::Byte, to, 0, (byte, byte))
                    })
                    .collect();
                choice(bytes, &mut steps)
            }
            State::Look { look, next: to } => {
                instruction(CaptureCode::Assert, next(*to), 0, (assertion(*look)?, 0))
            }
            State::Union { alternates } => {
                let jumps = alternates
                    .iter()
                    .map(|to| instruction(CaptureCode::Split, next(*to), next(*to), (0, 0)));
                choice(jumps.collect(), &mut steps)
            }
            State::BinaryUnion { alt1, alt2 } => {
                instruction(CaptureCode::Split, next(*alt1), next(*alt2), (0, 0))
            }
            State::Capture { next: to, slot, .. } if slot.as_usize() < SLOTS => {
                instruction(CaptureCode::Save, next(*to), slot.as_u32(), (0, 0))
            }
            State::Capture { next: to, .. } => {
                instruction(CaptureCode::Split, next(*to), next(*to), (0, 0))
            }
            State::Fail => instruction(CaptureCode::Fail, 0, 0, (0, 0)),
            State::Match { .. } => instruction(CaptureCode::Match, 0, 0, (0, 0)),
        };
    }
    // It begins with its first instruction.
    let start = nfa.start_anchored().as_u32();
    let entry =
        instruction(CaptureCode::Split, start.wrapping_add(1), start.wrapping_add(1), (0, 0));
    for step in &mut steps {
        step.next = (step.next.get() + 1).into();
        if step.code != CaptureCode::Save.code() {
            step.other = (step.other.get() + 1).into();
        }
    }
    steps.insert(0, entry);
    if steps.len() > MAX_STEPS {
        return Err("an expression whose groups are asked for is too large".to_owned());
    }
    let sections = &mut tables.sections;
    let (first, count) = (sections.capture_steps.len() as u32, steps.len() as u32);
    sections.capture_steps.extend(steps);
    sections.captures.push(Capture { first: first.into(), count: count.into() });
    Ok(sections.captures.len() as u32 - 1)
}

fn instruction(code: CaptureCode, next: u32, other: u32, (first, last): (u8, u8)) -> CaptureStep {
    CaptureStep {
        next: next.into(),
        other: other.into(),
        code: code.code(),
        first,
        last,
        reserved: 0,
    }
}

/// One instruction for several, in order of preference: all but the last behind a split.
fn choice(parts: Vec<CaptureStep>, steps: &mut Vec<CaptureStep>) -> CaptureStep {
    let mut parts = parts.into_iter().rev();
    let Some(last) = parts.next() else { return instruction(CaptureCode::Fail, 0, 0, (0, 0)) };
    parts.fold(last, |rest, part| {
        let own = steps.len() as u32;
        steps.extend([part, rest]);
        instruction(CaptureCode::Split, own, own + 1, (0, 0))
    })
}

fn assertion(look: Look) -> Result<u8, String> {
    Ok(match look {
        Look::Start => 0,
        Look::End => 1,
        Look::WordAscii => 2,
        Look::WordAsciiNegate => 3,
        Look::StartLF => 4,
        Look::EndLF => 5,
        _ => return Err("an assertion that is not supported where groups are asked for".to_owned()),
    })
}
