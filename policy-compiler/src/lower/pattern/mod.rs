//! Lowers `pattern`: a class of characters and a length where that says all, else a table
//! automaton.
//!
//! In: ECMA-262 regular expressions as text. Out: automata and character classes, each once,
//! within a budget for the whole bundle since every worker of the gateway holds a copy.

mod ecma;
mod stencil;
mod table;

#[cfg(test)]
mod tests;

use ecma::Expression;

pub use stencil::Places;
pub use table::{Table, Verdict, trimmed};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};
use std::collections::HashMap;

/// Transitions of all automata of a bundle, at most.
const BUDGET: usize = 2 << 20;

/// Transitions of all automata that are built, at most; most of them are built to find that they are too large, or
/// are held already.
const WORK: usize = 32 << 20;

/// What a pattern was lowered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// It matches in every text.
    Everything,
    /// Every character is in a class, and there are so many of them.
    Class {
        /// Index of the class.
        class: u32,
        /// Characters, at least.
        min: u64,
        /// Characters, at most.
        max: Option<u64>,
    },
    /// Index of an automaton.
    Automaton(u32),
    /// It cannot be enforced: why, lower case, without a final period.
    Unsupported(String),
}

/// The patterns of a bundle.
#[derive(Debug, Default)]
pub struct Patterns {
    by_text: HashMap<String, Pattern>,
    automaton_by_text: HashMap<String, Result<u32, String>>,
    /// The automata, each once.
    pub tables: Vec<Table>,
    table_index: HashMap<Table, u32>,
    /// The character classes, each once, as ascending ranges.
    pub classes: Vec<Vec<(u32, u32)>>,
    class_index: HashMap<Vec<(u32, u32)>, u32>,
    transitions: usize,
    work: usize,
}

impl Patterns {
    /// What a pattern is lowered to.
    pub fn get(&mut self, text: &str) -> &Pattern {
        if !self.by_text.contains_key(text) {
            let pattern = self.lower(text);
            self.by_text.insert(text.to_owned(), pattern);
        }
        &self.by_text[text]
    }

    /// The automaton of a pattern, for names.
    pub fn automaton(&mut self, text: &str) -> Option<u32> {
        self.automaton_or_reason(text).ok()
    }

    /// The automaton of a pattern, or why there is none.
    ///
    /// # Errors
    /// Why it cannot be built, lower case, without a final period.
    pub fn automaton_or_reason(&mut self, text: &str) -> Result<u32, String> {
        if let Some(known) = self.automaton_by_text.get(text) {
            return known.clone();
        }
        let built = ecma::parse(text).and_then(|expression| self.build(&expression));
        let built = built.and_then(|table| self.keep(table));
        self.automaton_by_text.insert(text.to_owned(), built.clone());
        built
    }

    /// Whether an automaton accepts a text.
    pub fn matches(&self, automaton: u32, text: &str) -> bool {
        self.tables[automaton as usize].matches(text.as_bytes())
    }

    fn lower(&mut self, text: &str) -> Pattern {
        let expression = match ecma::parse(text) {
            Ok(expression) => expression,
            Err(reason) => return Pattern::Unsupported(reason),
        };
        if expression.ahead.is_empty()
            && let Some((set, min, max)) = class_and_length(&expression.main)
        {
            let ranges: Vec<_> = set
                .ranges()
                .iter()
                .map(|range| (range.start().into(), range.end().into()))
                .collect();
            let fresh = self.classes.len() as u32;
            let class = *self.class_index.entry(ranges.clone()).or_insert(fresh);
            if class == fresh {
                self.classes.push(ranges);
            }
            return Pattern::Class { class, min, max };
        }
        match self.build(&expression) {
            Ok(table) if table.accepts_all() => Pattern::Everything,
            Ok(table) => match self.keep(table) {
                Ok(index) => Pattern::Automaton(index),
                Err(reason) => Pattern::Unsupported(reason),
            },
            Err(reason) => Pattern::Unsupported(reason),
        }
    }

    fn build(&mut self, expression: &Expression) -> Result<Table, String> {
        if self.work > WORK {
            return Err(
                "the patterns before it take all the work that is done for patterns".to_owned()
            );
        }
        Table::build(expression, &mut self.work)
    }

    fn keep(&mut self, table: Table) -> Result<u32, String> {
        if let Some(known) = self.table_index.get(&table) {
            return Ok(*known);
        }
        if self.transitions + table.next.len() > BUDGET {
            return Err("the automata of all patterns are too large together".to_owned());
        }
        self.transitions += table.next.len();
        let index = self.tables.len() as u32;
        self.table_index.insert(table.clone(), index);
        self.tables.push(table);
        Ok(index)
    }
}

/// `^[class]{m,n}$` and its like.
fn class_and_length(hir: &Hir) -> Option<(ClassUnicode, u64, Option<u64>)> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [start, middle, end] = parts.as_slice() else { return None };
    let anchored = matches!(start.kind(), HirKind::Look(Look::Start))
        && matches!(end.kind(), HirKind::Look(Look::End));
    if !anchored {
        return None;
    }
    match middle.kind() {
        HirKind::Repetition(of) => {
            let set = class_of(&of.sub)?;
            Some((set, of.min.into(), of.max.map(u64::from)))
        }
        _ => Some((class_of(middle)?, 1, Some(1))),
    }
}

fn class_of(hir: &Hir) -> Option<ClassUnicode> {
    match hir.kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set.clone()),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let mut letters = text.chars();
            let letter = letters.next()?;
            let alone = letters.next().is_none();
            alone.then(|| ClassUnicode::new([ClassUnicodeRange::new(letter, letter)]))
        }
        _ => None,
    }
}
