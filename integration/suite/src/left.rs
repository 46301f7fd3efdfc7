//! What is left out of the mutants, by reason.

use std::collections::BTreeMap;

/// Counts by reason, with a few samples of each.
#[derive(Clone, Debug, Default)]
pub struct Left(pub BTreeMap<Reason, (usize, Vec<String>)>);

/// Why something is left out: a code, what it is that is left out, and what the code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// `pair` of an operation and a keyword, or `keyword` of the document that is in no pair.
    pub what: &'static str,
    /// The name of the reason.
    pub code: &'static str,
    /// Lower case, without a final period.
    pub meaning: &'static str,
}

impl Left {
    /// Counts one more.
    pub fn add(&mut self, reason: Reason, sample: impl FnOnce() -> String) {
        let entry = self.0.entry(reason).or_default();
        entry.0 += 1;
        if entry.1.len() < 50 {
            entry.1.push(sample());
        }
    }

    /// Adds what another document leaves out.
    pub fn join(&mut self, other: &Left) {
        for (reason, (count, _)) in &other.0 {
            self.0.entry(*reason).or_default().0 += count;
        }
    }
}
