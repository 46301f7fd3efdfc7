//! What the engine decides about a message.

use crate::finding::{Finding, FindingCode};
use crate::limits::Exceeded;

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found: let it pass.
    Allow,
    /// Something was found that the mode or the policy lets pass.
    Monitor,
    /// Refuse it with [`Decision::status`].
    Block,
    /// Let it pass unjudged, or judged in part: probe, preflight, stream.
    Pass,
}

/// The verdict on one message, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// The status to answer with where the verdict is block; 0 otherwise.
    pub status: u16,
    /// What was found, the finding that decided first. Notes come last.
    pub findings: Vec<Finding>,
    /// The operation: index into the bundle's operations.
    pub operation: Option<u32>,
    /// For 405: the value of the `Allow` header.
    pub allow: Option<String>,
    /// The limits that the caller is beyond, those that let it pass too.
    pub limited: Vec<Exceeded>,
}

impl Decision {
    /// A decision to let a message pass with nothing found.
    pub const fn allow(operation: Option<u32>) -> Self {
        Decision {
            verdict: Verdict::Allow,
            status: 0,
            findings: Vec::new(),
            operation,
            allow: None,
            limited: Vec::new(),
        }
    }

    /// The code that decided, for logs and answers.
    pub fn code(&self) -> Option<FindingCode> {
        self.findings.first().map(|finding| finding.code)
    }

    /// The verdict in one word, for access logs and metrics: `allow`, `block:CODE`,
    /// `monitor:CODE` (would have been refused), or `pass:probe`, `pass:preflight`, `pass:stream`.
    pub fn label(&self) -> &'static str {
        match (self.verdict, self.code()) {
            (Verdict::Block, Some(code)) => code.block_label(),
            (Verdict::Monitor, Some(code)) => code.monitor_label(),
            (Verdict::Pass, Some(FindingCode::ProbeBypass)) => "pass:probe",
            (Verdict::Pass, Some(FindingCode::Preflight)) => "pass:preflight",
            (Verdict::Pass, _) => "pass:stream",
            // A refusal always has its finding.
            (Verdict::Block, None) => FindingCode::PolicyMissing.block_label(),
            (Verdict::Allow, _) | (Verdict::Monitor, None) => "allow",
        }
    }
}
