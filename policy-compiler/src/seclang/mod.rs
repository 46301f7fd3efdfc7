//! SecLang, the language of ModSecurity's rules and of the OWASP Core Rule Set.
//!
//! In: files of directives. Out, by [`parse`]: statements, each part with its place, every word of the language
//! known; what is not is an error. What can be read and cannot be enforced is said of each rule. CRS.md is the table
//! of the words and what becomes of them.

mod lexer;
mod names;
mod parse;
mod read;
mod syntax;

pub use lexer::Wrong;
pub use names::{ActionName, Collection, Directive, OperatorName, Support};
pub use parse::{MAX_DEPTH, MAX_FILES, MAX_STATEMENTS, files, text as parse};
pub use syntax::*;

#[cfg(test)]
mod tests;
