//! Groups of a match: where a regular expression has matched, what its groups took.
//!
//! A simulation of all threads at once in order of preference, so that the match is the one a backtracking reader
//! finds first (leftmost, then as the expression prefers), in time bounded by bytes × instructions. It runs only where
//! a rule asks for groups and its automaton has matched.

use super::steps::{Exhausted, Steps};
use crate::access::slice;
use portcullis_bundle::layout::{Capture, CaptureCode, CaptureStep, View};

/// Places that groups have: a beginning and an end for each of ten.
const SLOTS: usize = 20;

/// No place.
const UNSET: u32 = u32::MAX;

type Slots = [u32; SLOTS];

/// A thread: where it goes on, and what its groups took so far.
#[derive(Clone, Copy, Debug)]
struct Thread {
    at: u32,
    slots: Slots,
}

/// The groups of the last match, and the buffers to find them.
#[derive(Debug)]
pub(super) struct Captures {
    text: Vec<u8>,
    slots: Slots,
    now: Vec<Thread>,
    next: Vec<Thread>,
    open: Vec<Thread>,
    /// By instruction: the step at which it was last reached.
    seen: Vec<u32>,
}

impl Default for Captures {
    fn default() -> Self {
        Captures {
            text: Vec::new(),
            slots: [UNSET; SLOTS],
            now: Vec::new(),
            next: Vec::new(),
            open: Vec::new(),
            seen: Vec::new(),
        }
    }
}

impl Captures {
    /// Finds the groups of the first match in a text; none where there is no match.
    pub(super) fn find(
        &mut self,
        view: &View<'_>,
        capture: &Capture,
        text: &[u8],
        steps: &mut Steps,
    ) -> Result<(), Exhausted> {
        let program = slice(view.capture_steps, capture.first.get(), capture.count.get());
        self.text.clear();
        self.text.extend_from_slice(text);
        self.slots = [UNSET; SLOTS];
        self.now.clear();
        self.next.clear();
        self.seen.clear();
        self.seen.resize(program.len(), 0);
        let mut found = false;
        for at in 0..=text.len() {
            let stamp = u32::try_from(at).unwrap_or(UNSET).saturating_add(1);
            if !found {
                self.follow(program, text, at, Thread { at: 0, slots: [UNSET; SLOTS] }, stamp);
            }
            if self.now.is_empty() {
                if found {
                    break;
                }
                continue;
            }
            steps.spend(self.now.len() as u64)?;
            let mut now = core::mem::take(&mut self.now);
            let later = stamp.saturating_add(1);
            let mut matched = false;
            for thread in &now {
                let Some(step) = program.get(thread.at as usize) else { continue };
                match CaptureCode::from_code(step.code) {
                    Some(CaptureCode::Match) => {
                        (self.slots, found, matched) = (thread.slots, true, true);
                    }
                    Some(CaptureCode::Byte) => {
                        let byte = text.get(at).copied();
                        if byte.is_some_and(|byte| (step.first..=step.last).contains(&byte)) {
                            let thread = Thread { at: step.next.get(), ..*thread };
                            self.next.push(thread);
                        }
                    }
                    _ => {}
                }
                // What is preferred less than a match comes to nothing.
                if matched {
                    break;
                }
            }
            now.clear();
            self.now = now;
            let reached = core::mem::take(&mut self.next);
            for thread in &reached {
                self.follow(program, text, at.saturating_add(1), *thread, later);
            }
            self.next = reached;
            self.next.clear();
        }
        Ok(())
    }

    /// Adds a thread, and all that it leads to without a byte, in order of preference.
    fn follow(
        &mut self,
        program: &[CaptureStep],
        text: &[u8],
        at: usize,
        thread: Thread,
        stamp: u32,
    ) {
        self.open.push(thread);
        while let Some(mut thread) = self.open.pop() {
            let Some(step) = program.get(thread.at as usize) else { continue };
            let Some(seen) = self.seen.get_mut(thread.at as usize) else { continue };
            if *seen == stamp {
                continue;
            }
            *seen = stamp;
            match CaptureCode::from_code(step.code) {
                Some(CaptureCode::Split) => {
                    self.open.push(Thread { at: step.other.get(), ..thread });
                    self.open.push(Thread { at: step.next.get(), ..thread });
                }
                Some(CaptureCode::Save) => {
                    if let Some(slot) = thread.slots.get_mut(step.other.get() as usize) {
                        *slot = u32::try_from(at).unwrap_or(UNSET);
                    }
                    self.open.push(Thread { at: step.next.get(), ..thread });
                }
                Some(CaptureCode::Assert) => {
                    if holds(step.first, text, at) {
                        self.open.push(Thread { at: step.next.get(), ..thread });
                    }
                }
                Some(CaptureCode::Byte | CaptureCode::Match) => self.now.push(thread),
                Some(CaptureCode::Fail) | None => {}
            }
        }
    }

    /// What a group took; empty where it took nothing.
    pub(super) fn group(&self, group: u8) -> &[u8] {
        let first = usize::from(group).saturating_mul(2);
        let place = |slot: usize| self.slots.get(slot).copied().unwrap_or(UNSET) as usize;
        self.text.get(place(first)..place(first.saturating_add(1))).unwrap_or_default()
    }

    /// Forgets what a large text has left behind.
    pub(super) fn trim(&mut self, kept: usize) {
        self.text.clear();
        self.text.shrink_to(kept);
    }
}

/// Whether an assertion holds at a place.
fn holds(assertion: u8, text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(at);
    let is_word =
        |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric() || *it == b'_');
    match assertion {
        0 => before.is_none(),
        1 => after.is_none(),
        2 => is_word(before) != is_word(after),
        3 => is_word(before) == is_word(after),
        4 => before.is_none_or(|byte| *byte == b'\n'),
        5 => after.is_none_or(|byte| *byte == b'\n'),
        _ => false,
    }
}
