//! SecLang, the language of ModSecurity's rules and of the OWASP Core Rule Set.
//!
//! In: files of directives. Out, by [`parse`]: statements, each part with its place, every word of the language
//! known; what is not is an error. What can be read and cannot be enforced is said of each rule. CRS.md is the table
//! of the words and what becomes of them.

mod around;
mod assemble;
mod build;
mod constant;
mod given;
mod lexer;
mod load;
mod macros;
mod names;
mod operator;
mod parse;
mod pattern;
mod read;
mod resolve;
mod syntax;
#[cfg(test)]
mod table;
mod target;

pub use assemble::{Chain, Item, assemble};
pub use lexer::Wrong;
pub use load::{Loaded, Options, load};
pub use names::{ActionName, Collection, Directive, OperatorName, Support};
pub use parse::{MAX_DEPTH, MAX_FILES, MAX_STATEMENTS, files, text as parse};
pub use resolve::{LeftOut, Resolved, resolve};
pub use syntax::*;

/// Whether a link uses words that are refused.
fn refused(link: &assemble::Link) -> bool {
    let of_variable =
        link.variables.iter().any(|it| matches!(it.collection.support(), Support::Refused(_)));
    let of_operator = link.operator.as_ref().map(|it| it.name.support());
    of_variable || matches!(of_operator, Some(Support::Refused(_)))
}

#[cfg(test)]
mod tests;
