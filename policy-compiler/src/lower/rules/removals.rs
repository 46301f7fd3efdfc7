//! What rules take from others for the messages that they fire on.

use super::names::selector;
use super::sets::Sets;
use crate::ir::Attacks;
use portcullis_bundle::layout::{self, Target};

impl Sets<'_, '_, '_> {
    /// What rules take from others; the set of the matchers that are asked before all others.
    pub(super) fn removals(&mut self, attacks: &Attacks, index_of: &[Option<u32>]) -> u16 {
        let mut early = vec![false; self.rules.len()];
        for removal in &attacks.removals {
            let Some(by) = index_of.get(removal.by).copied().flatten() else { continue };
            let taken: Vec<u32> =
                removal.rules.iter().filter_map(|rule| *index_of.get(*rule)?).collect();
            if taken.is_empty() {
                continue;
            }
            let is_early = self.rules[by as usize]
                .conditions
                .iter()
                .all(|it| it.targets.iter().all(|target| is_of_head(target.target)));
            early[by as usize] |= is_early;
            let matchers = self.of(|matcher| taken.contains(&matcher.rule));
            let first = self.tables.sections.selectors.len() as u32;
            let selectors: Vec<_> =
                removal.at.iter().map(|at| selector(self.tables, at, &self.names)).collect();
            let count = selectors.len() as u16;
            self.tables.sections.selectors.extend(selectors);
            self.tables.sections.removals.push(layout::Removal {
                rule: by.into(),
                matchers: matchers.into(),
                selector_count: count.into(),
                selectors: first.into(),
                early: is_early.into(),
                reserved: [0; 3],
            });
        }
        self.of(|matcher| early[matcher.rule as usize])
    }
}

/// Whether a target's values are all known with the head of a request.
fn is_of_head(target: Target) -> bool {
    use Target as T;
    matches!(
        target,
        T::Path
            | T::Query
            | T::QueryName
            | T::QueryRaw
            | T::Header
            | T::HeaderName
            | T::HeaderRest
            | T::HeaderRestName
            | T::Cookie
            | T::CookieName
            | T::CookieRaw
            | T::CookieRawName
            | T::Method
            | T::Uri
            | T::Filename
            | T::Basename
            | T::RequestLine
            | T::Protocol
            | T::QueryArgument
            | T::BodyReader
            | T::Client
    )
}
