//! The one-pass JSON validator: judges a body by a schema program while it parses.
//!
//! In: a bundle's view, the index of a schema, a body in chunks. Out: nothing, or the first [`Fault`].
//! No tree is built and nothing is rewound: what was judged is forgotten. A frame for each open array and
//! object holds what its end needs to know. Where one schema applies to a value, the frame names it; where
//! several do (compositions, pattern properties), they run as threads side by side over the one scan, and
//! the boolean tree over them is resolved at the value's end.
//!
//! The verdict and the fault do not depend on how the body is cut: a token that a chunk leaves unfinished is
//! kept and read again, and everything is decided by whole tokens in their order.

mod array;
mod branches;
mod check;
mod content;
mod core;
mod digest;
mod evaluation;
mod failure;
mod fault;
mod format;
mod frame;
mod long;
mod machine;
mod number;
mod object;
mod plain;
mod resolve;
mod scan;
mod sink;
mod string;
mod tags;
mod threads;
mod token;

pub(crate) use check::matches;
pub use fault::{Fault, FaultKind, Malformation, Part};
pub(crate) use frame::Step;
pub use machine::{Limits, Progress, Validator};
pub use sink::{
    FORM_BOUNDARY_QUOTED, FORM_BOUNDARY_SPACE, FORM_DATA_AFTER, FORM_DATA_BEFORE, FORM_ESCAPE,
    FORM_FOLDING, FORM_LF_LINE, FORM_MIXED_LINES, FORM_NO_SEMICOLON, FORM_PART, FORM_QUOTING,
    FORM_UNMATCHED, Field, NoSink, Place, Scalar, ScalarKind, ScalarSink,
};
