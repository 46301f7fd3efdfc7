//! XML bodies (XML 1.0, fifth edition; Namespaces in XML 1.0): well-formedness, limits, and the schema.
//!
//! In: a whole body, and where the documents say how its elements are named. Out: nothing, or the first
//! [`Fault`]. The body is read once into spans ([`tree`]), then written as the JSON value that it stands for
//! and judged by the same validator as JSON bodies. A document type declaration is refused, so there are no
//! entities but the five predefined ones.
//!
//! Work is linear in the body, but for arrays whose items stand among other children: each such property
//! looks at all children of its element. Every look counts as a step of the validator's budget.

mod lenient;
mod parse;
mod text;
mod tree;
mod write;

use crate::params::text::Reading;
use crate::schema::{Fault, Limits, ScalarSink, Validator};
use portcullis_bundle::layout::{Keyword, NONE, View};
use tree::Tree;
use write::{Buffers, Writer};

/// The buffers in which XML bodies are judged, kept from request to request.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    tree: Tree,
    buffers: Buffers,
}

/// What judges a body: a schema program, and the guide to its names (indexes of the bundle).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub schema: u32,
    pub guide: u32,
}

impl Xml {
    /// Hands on what a forgiving reader takes from a body that is refused.
    pub(crate) fn texts(body: &[u8], give: impl FnMut(&[u8])) {
        lenient::texts(body, give);
    }

    /// Gives back what a large body has left behind, down to `kept` bytes of each buffer.
    pub(crate) fn trim(&mut self, kept: usize) {
        self.tree.trim(kept);
        self.buffers.trim(kept);
    }

    /// Judges a whole body.
    pub(crate) fn judge<S: ScalarSink>(
        &mut self,
        view: &View<'_>,
        program: Program,
        limits: Limits,
        body: &[u8],
        validator: &mut Validator,
        sink: &mut S,
    ) -> Result<(), Fault> {
        parse::parse(body, &limits, &mut self.tree).map_err(|(kind, at)| Fault {
            kind,
            keyword: Keyword::Schema,
            schema: NONE,
            member: 0,
            offset: at as u64,
            pointer: String::new(),
        })?;
        // Arrays in elements nest once more in JSON than in XML.
        let json_limits = Limits { depth: limits.depth.saturating_mul(2), ..limits };
        let mut outcome = Ok(());
        for (pass, reading) in [(1, Reading::AsString), (2, Reading::AsOther)] {
            validator.begin(program.schema, json_limits);
            let mut writer = Writer {
                view,
                body,
                tree: &mut self.tree,
                buffers: &mut self.buffers,
                validator,
                sink,
                reading,
                ambiguous: false,
                pass,
                steps: limits.steps,
            };
            let judged = writer.run(program.guide);
            let ambiguous = writer.ambiguous;
            if judged.is_ok() {
                return Ok(());
            }
            outcome = outcome.and(judged);
            if !ambiguous {
                break;
            }
        }
        outcome
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
