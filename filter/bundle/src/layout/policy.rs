//! What holds for the whole bundle, its APIs and its documents.

use super::Text;
use super::record::{codes, record};
use zerocopy::little_endian::{U16, U32};

codes! {
    /// What happens to a request with a finding.
    pub enum Mode {
        /// The finding is recorded and the request passes.
        Monitor = 0,
        /// The request is answered by the filter.
        Enforce = 1,
    }
}

codes! {
    /// What happens to something the documents do not declare, or the policy singles out.
    pub enum Action {
        /// It passes without a finding.
        Allow = 0,
        /// It passes with a finding, whatever the mode.
        Monitor = 1,
        /// It is refused, if the mode is enforce.
        Block = 2,
    }
}

codes! {
    /// The body of the filter's own answers.
    pub enum AnswerStyle {
        /// `application/problem+json` (RFC 9457).
        Problem = 0,
        /// The status alone, no body.
        Minimal = 1,
    }
}

codes! {
    /// How much the filter's own answers tell.
    pub enum AnswerDetails {
        /// The finding code alone.
        Hidden = 0,
        /// Position and keyword too; never values.
        Finding = 1,
    }
}

record! {
    /// What holds for the whole bundle.
    pub struct Policy {
        /// The policy's name.
        name: Text,
        /// The router's root for hosts that are not listed.
        root: U32,
        /// A [`Mode`] code: for requests of no operation.
        mode: u8,
        /// An [`Action`] code: path templates that no document declares.
        undeclared_operations: u8,
        /// An [`Action`] code: methods that a declared path lacks.
        undeclared_methods: u8,
        /// An [`Action`] code: paths that another reader could read differently.
        ambiguous_paths: u8,
        /// An [`AnswerStyle`] code.
        answer_style: u8,
        /// An [`AnswerDetails`] code.
        answer_details: u8,
        /// An [`Action`] code: CORS preflight requests.
        preflight: u8,
        /// 1 where the filter may be forced to monitor for a time.
        break_glass: u8,
        /// Bytes of a path with its query, at most.
        max_path: U32,
        /// Parameters in a query or form, at most.
        max_parameters: U32,
    }
}

record! {
    /// The limits on one body. Shared by operations through a copy in each.
    pub struct BodyLimits {
        /// Bytes of a body, at most.
        max_bytes: U32,
        /// Bytes of a string as sent, at most.
        max_string: U32,
        /// Properties of one object, at most.
        max_properties: U32,
        /// Items of one array, at most.
        max_items: U32,
        /// Arrays and objects within each other, at most.
        max_depth: U16,
        /// Digits of a number, at most.
        max_digits: U16,
    }
}

record! {
    /// A source document.
    pub struct Document {
        /// Its path as the policy names it, `/` between folders.
        name: Text,
        /// Constraint keywords that requests can meet and that are enforced: for `inspect`, not for decisions.
        enforced: U32,
        /// Those that are enforced in part.
        approximated: U32,
        /// Those that have no effect.
        not_enforced: U32,
        /// Constraint keywords that the OpenAPI version gives no meaning where they stand.
        meaningless: U32,
        /// `format` keywords whose name no specification defines.
        unknown_formats: U32,
        /// Constraint keywords that only responses can meet.
        responses: U32,
        /// Constraint keywords that only callbacks and webhooks can meet.
        callbacks: U32,
        /// Constraint keywords of components that nothing refers to.
        unreferenced: U32,
    }
}

record! {
    /// A place in a source document.
    pub struct Origin {
        /// Index into documents.
        document: U32,
        /// Line, from 1.
        line: U32,
        /// Column in characters, from 1.
        column: U32,
        /// Its JSON pointer: index into pointers, or `NONE` for the whole document.
        pointer: U32,
    }
}

record! {
    /// The last token of a JSON pointer (RFC 6901). What many pointers begin with is held once.
    pub struct Pointer {
        /// The pointer without the token: an index below its own, or `NONE`.
        parent: U32,
        /// The token, escaped, without its slash.
        token: Text,
    }
}

record! {
    /// A path that passes unjudged, for health probes.
    pub struct Probe {
        /// The whole path without query.
        path: Text,
        /// Methods, separated by spaces.
        methods: Text,
    }
}

record! {
    /// An API of the policy.
    pub struct Api {
        /// Its name in the policy.
        name: Text,
        /// A [`Mode`] code: for requests of no operation under the API's base path.
        mode: u8,
        /// An [`Action`] code.
        undeclared_operations: u8,
        /// An [`Action`] code.
        undeclared_methods: u8,
        /// Zero; reserved.
        reserved: u8,
    }
}
