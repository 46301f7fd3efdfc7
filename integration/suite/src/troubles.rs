//! What went wrong, by kind.

use std::collections::BTreeMap;

/// Counts of one kind of trouble, with a few samples.
#[derive(Clone, Debug, Default)]
pub struct Troubles(pub BTreeMap<String, (usize, Vec<String>)>);

impl Troubles {
    /// Counts one more.
    pub fn add(&mut self, kind: impl Into<String>, sample: impl FnOnce() -> String) {
        let entry = self.0.entry(kind.into()).or_default();
        entry.0 += 1;
        if entry.1.len() < 50 {
            entry.1.push(sample());
        }
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.0.values().map(|(count, _)| count).sum()
    }
}
