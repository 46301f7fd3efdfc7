//! What was found so far, and what it comes to.

use crate::decision::{Decision, Verdict};
use crate::finding::{Finding, FindingCode, Position};
use portcullis_bundle::layout::{Action, Mode};

/// Findings of one message, at most; one that refuses always has room.
const MAX_FINDINGS: usize = 8;

/// What a finding does. The order is that of a decision's findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Block,
    Monitor,
    Note,
}

/// Collects findings and weighs them by mode and action.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<(Effect, Finding)>,
    /// Whether findings refuse at all.
    enforced: bool,
    /// Whether refusal is suspended by break-glass.
    suspended: bool,
    /// Whether a refusal was in fact suspended.
    spared: bool,
}

impl Findings {
    /// Begins a message.
    pub(crate) fn begin(&mut self, mode: Mode, suspended: bool) {
        self.list.clear();
        self.suspended = suspended;
        self.spared = false;
        self.set_mode(mode);
    }

    /// Sets the mode for the findings that follow.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.enforced = mode == Mode::Enforce;
    }

    /// Whether a finding that came now could refuse the message.
    pub(crate) fn can_refuse(&self) -> bool {
        self.enforced && !self.suspended
    }

    /// Whether the message is refused already.
    pub(crate) fn is_refused(&self) -> bool {
        self.list.iter().any(|(effect, _)| *effect == Effect::Block)
    }

    /// Takes a finding that refuses where the mode does.
    pub(crate) fn refuse(&mut self, finding: Finding) {
        self.act(Action::Block, finding);
    }

    /// Takes a finding whose weight is the policy's choice.
    pub(crate) fn act(&mut self, action: Action, finding: Finding) {
        let effect = match action {
            Action::Allow => return,
            Action::Block if self.can_refuse() => Effect::Block,
            Action::Block | Action::Monitor => Effect::Monitor,
        };
        self.spared |= action == Action::Block && self.enforced && self.suspended;
        self.push(effect, finding);
    }

    /// Takes a note, which never refuses.
    pub(crate) fn note(&mut self, code: FindingCode, position: Position) {
        self.note_finding(Finding::new(code, position));
    }

    /// Takes a note that says more than its code and place.
    pub(crate) fn note_finding(&mut self, finding: Finding) {
        self.push(Effect::Note, finding);
    }

    /// An empty collection in which findings weigh what they weigh here.
    pub(crate) fn apart(&self) -> Self {
        Findings {
            list: Vec::new(),
            enforced: self.enforced,
            suspended: self.suspended,
            spared: false,
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes all findings of another collection.
    pub(crate) fn extend(&mut self, other: Self) {
        self.spared |= other.spared;
        other.list.into_iter().for_each(|(effect, finding)| self.push(effect, finding));
    }

    fn push(&mut self, effect: Effect, finding: Finding) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push((effect, finding));
        } else if !self.is_refused()
            && effect == Effect::Block
            && let Some(last) = self.list.last_mut()
        {
            *last = (effect, finding);
        }
    }

    /// The decision that the findings come to. Empties the collection.
    pub(crate) fn conclude(&mut self, operation: Option<u32>, allow: Option<String>) -> Decision {
        if self.spared {
            self.list.truncate(MAX_FINDINGS);
            self.note_always(FindingCode::BreakGlass);
        }
        if self.list.is_empty() {
            return Decision { allow, ..Decision::allow(operation) };
        }
        // Stable: within one effect, what was found first stays first.
        self.list.sort_by_key(|(effect, _)| *effect);
        let (verdict, status) = match self.list.first() {
            Some((Effect::Block, finding)) => (Verdict::Block, refusal_status(finding.code)),
            Some((Effect::Monitor, _)) => (Verdict::Monitor, 0),
            Some((Effect::Note, finding)) if finding.code.passes() => (Verdict::Pass, 0),
            _ => (Verdict::Allow, 0),
        };
        let findings = self.list.drain(..).map(|(_, finding)| finding).collect();
        Decision { verdict, status, findings, operation, allow, limited: Vec::new() }
    }

    fn note_always(&mut self, code: FindingCode) {
        self.list.push((Effect::Note, Finding::new(code, Position::Message)));
    }
}

/// The status of a refusal. A note refuses only where the policy asks for it, as it can for bodies
/// that nothing judges: their media type is then as good as undeclared.
const fn refusal_status(code: FindingCode) -> u16 {
    match code.status() {
        0 if code.is_outbound() => FindingCode::ResponseLeak.status(),
        0 => FindingCode::MediaTypeUndeclared.status(),
        status => status,
    }
}
