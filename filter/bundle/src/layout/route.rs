//! The router, operations, parameters and media types.
//!
//! A path without its query is cut at `/`; each node of the trie takes one segment. Literal
//! edges come first, then partials in order, then the wildcard; the first complete match wins
//! (DESIGN: concrete before templated, from the left).

use super::record::{codes, record};
use super::{BodyLimits, Text};
use zerocopy::little_endian::{U16, U32, U64};

record! {
    /// A host with a router of its own; what it does not match is tried at [`super::Policy::root`].
    pub struct Host {
        /// Lower case, without port.
        name: Text,
        /// Index into nodes.
        root: U32,
    }
}

record! {
    /// A node of the router: the segments before it are matched.
    pub struct Node {
        /// First of the node's edges.
        edges: U32,
        /// How many edges.
        edge_count: U32,
        /// First of the node's partials.
        partials: U32,
        /// How many partials.
        partial_count: U32,
        /// The node after a wholly variable segment, or `NONE`.
        wildcard: U32,
        /// First of the operations whose template ends here.
        operations: U32,
        /// How many operations; 0 where no template ends here.
        operation_count: U32,
        /// The API whose base path ends here, or `NONE`.
        api: U32,
    }
}

record! {
    /// A literal segment.
    pub struct Edge {
        /// The segment, percent-decoded.
        segment: Text,
        /// The node it leads to.
        node: U32,
    }
}

record! {
    /// A partly variable segment such as `{id}.json`. Its literals and variables alternate,
    /// beginning and ending with a literal that may be empty: `literal_count` literals, one
    /// variable between each two. A variable takes one byte or more; each but the last as few
    /// as it can.
    pub struct Partial {
        /// First literal in partial_literals.
        literals: U32,
        /// How many literals, at least 2.
        literal_count: U32,
        /// The node it leads to.
        node: U32,
    }
}

record! {
    /// An operation: a method on a path template of an API.
    pub struct Operation {
        /// Stable identity: the first eight bytes of BLAKE3 over API name, NUL, method, NUL, template.
        id: U64,
        /// Index into apis.
        api: U32,
        /// Upper case, as sent.
        method: Text,
        /// The path template with its base path.
        template: Text,
        /// The document's operationId, or empty.
        operation_id: Text,
        /// First of the operation's parameters.
        parameters: U32,
        /// How many parameters.
        parameter_count: U32,
        /// First of the media types of its request body.
        media_types: U32,
        /// How many media types; 0 where no body is declared.
        media_type_count: U32,
        /// Where the operation is declared: index into origins.
        origin: U32,
        /// Where its request body is declared: index into origins, or `NONE`.
        body_origin: U32,
        /// Limits of its body.
        limits: BodyLimits,
        /// A [`super::Mode`] code.
        mode: u8,
        /// An [`super::Action`] code: query parameters that are not declared.
        undeclared_query: u8,
        /// An [`super::Action`] code: media types that are not declared.
        undeclared_media_types: u8,
        /// An [`super::Action`] code: declared bodies whose content no schema program judges.
        unenforced_bodies: u8,
        /// Bit 0: the body is required. Bit 1: deprecated. Bit 2: streams (gRPC, upgrades), judged by headers only.
        /// Bit 3: the API sends it (webhooks, callbacks).
        flags: U16,
    }
}

/// [`Operation::flags`]: the request body is required.
pub const OPERATION_BODY_REQUIRED: u16 = 1;
/// [`Operation::flags`]: the document marks the operation deprecated.
pub const OPERATION_DEPRECATED: u16 = 2;
/// [`Operation::flags`]: the operation streams and is judged by its headers only.
pub const OPERATION_STREAMS: u16 = 4;
/// [`Operation::flags`]: the API sends such requests, by a webhook or callback.
pub const OPERATION_SENT: u16 = 8;

codes! {
    /// Where a parameter is sent.
    pub enum Location {
        Path = 0,
        Query = 1,
        Header = 2,
        Cookie = 3,
        /// The whole query as one value (OpenAPI 3.2).
        Querystring = 4,
    }
}

codes! {
    /// How a parameter's value is written (OpenAPI 3.2.0, section 4.12.3).
    pub enum Style { Simple = 0, Form = 1, Matrix = 2, Label = 3, SpaceDelimited = 4, PipeDelimited = 5, DeepObject = 6, Json = 7, Cookie = 8, TabDelimited = 9 }
}

record! {
    /// A parameter of an operation.
    pub struct Parameter {
        /// As declared; headers in lower case.
        name: Text,
        /// Index into schemas; the any schema where nothing is enforced.
        schema: U32,
        /// What its text says: index into text_values.
        value: U32,
        /// Where it is declared: index into origins.
        origin: U32,
        /// A [`Location`] code.
        location: u8,
        /// A [`Style`] code.
        style: u8,
        /// `PARAMETER_*` bits.
        flags: u8,
        /// For path parameters: which of the path's variables, from 0.
        capture: u8,
    }
}

/// [`Parameter::flags`]: must be present.
pub const PARAMETER_REQUIRED: u8 = 1;
/// [`Parameter::flags`]: `explode`.
pub const PARAMETER_EXPLODE: u8 = 2;
/// [`Parameter::flags`]: `allowEmptyValue`.
pub const PARAMETER_EMPTY_ALLOWED: u8 = 4;
/// [`Parameter::flags`]: no schema program judges the value (reported as not enforced).
pub const PARAMETER_UNENFORCED: u8 = 8;
/// [`Parameter::flags`]: an exploded form object whose schema takes any further property.
pub const PARAMETER_OPEN_OBJECT: u8 = 16;
/// [`Parameter::flags`]: the first of another alternative. A request is held to the parameters of one alternative, of
/// which there are [`MAX_ALTERNATIVES`] at most. One without parameters is a header without a name, which none has.
pub const PARAMETER_ALTERNATIVE: u8 = 32;
/// Alternatives of an operation's parameters, at most.
pub const MAX_ALTERNATIVES: usize = 8;

record! {
    /// What the text of a parameter or form says: how it is typed, and what its arrays and objects
    /// hold. Records may lead back to each other; the text ends that. The first record is that of any
    /// value, the second that of a string.
    pub struct TextValue {
        /// First of its fields, for objects.
        fields: U32,
        /// How many fields, ascending by name.
        field_count: U32,
        /// An array's items: index into text_values.
        items: U32,
        /// Properties that have no field: index into text_values.
        additional: U32,
        /// `TYPE_*` bits: text is read as a number, boolean, null, array or object where these allow it.
        types: u8,
        /// `TEXT_*` bits.
        flags: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

/// [`TextValue::flags`]: numbers and booleans in the notations of forms are taken, not those of JSON
/// alone: `+5`, `007`, `.5`, `TRUE`, `1` for true.
pub const TEXT_LENIENT: u8 = 1;

record! {
    /// A property of an object that is written as text.
    pub struct TextField {
        /// The property's name.
        name: Text,
        /// What its text says: index into text_values.
        value: U32,
        /// A [`Style`] code: of a field of a form.
        style: u8,
        /// `FIELD_*` bits.
        flags: u8,
        /// Zero; reserved.
        reserved: U16,
    }
}

/// [`TextField::flags`]: `explode`.
pub const FIELD_EXPLODE: u8 = 1;
/// [`TextField::flags`]: the document does not say how arrays and objects are written, so brackets
/// (`a[b]=1`) and JSON text are taken besides the style.
pub const FIELD_UNSAID: u8 = 2;

codes! {
    /// How a body of a media type is judged.
    pub enum BodyKind {
        /// Passes with its media type checked only.
        Opaque = 0,
        /// By a schema program.
        Json = 1,
        /// By the media type sent, for ranges: JSON and XML by the schema program, others pass unjudged.
        Range = 2,
        /// As XML, which a schema program judges as the value that it stands for.
        Xml = 3,
        /// As application/x-www-form-urlencoded, by a schema program.
        Form = 4,
        /// As multipart; the parts of multipart/form-data by a schema program and the body's parts.
        Multipart = 5,
        /// As one text, by a schema program.
        Text = 6,
        /// As octets: their number is limited, by the lengths of the schema too, and nothing else is declared of them.
        Binary = 7,
        /// As a JOSE object in compact form, its payload by a schema program (RFC 7515).
        Jose = 8,
        /// As JSON texts, a line each, each by a schema program.
        JsonLines = 9,
        /// As JSON texts, each after a record separator (RFC 7464), each by a schema program.
        JsonSeq = 10,
    }
}

record! {
    /// A media type of a request body, most specific first within an operation.
    pub struct MediaType {
        /// Lower case `type/subtype` without parameters; `type/*` and `*/*` are ranges (RFC 9110, 12.5.1).
        name: Text,
        /// The parameters that a body's media type must have, `name=value` on a line each, names in
        /// lower case. `charset` is not among them.
        parameters: Text,
        /// Index into schemas.
        schema: U32,
        /// Where it is declared: index into origins.
        origin: U32,
        /// How the root element of XML is read: index into xml_elements; `NONE` for other kinds.
        xml: U32,
        /// What the text of a form, of parts or of a text says: index into text_values; `NONE` for other kinds.
        value: U32,
        /// First of the parts that multipart/form-data may have.
        parts: U32,
        /// How many parts are declared.
        part_count: U32,
        /// A [`BodyKind`] code.
        kind: u8,
        /// Bits: `MEDIA_WHOLE` of a sequence of JSON texts, whose schema is that of all of them as an array.
        flags: u8,
        /// Zero; reserved.
        reserved: [u8; 2],
    }
}

/// Of [`MediaType::flags`]: the schema judges the array of all texts of a sequence, not each.
pub const MEDIA_WHOLE: u8 = 1;

codes! {
    /// How the content of a part is read.
    pub enum Content {
        /// As text.
        Text = 0,
        /// As JSON.
        Json = 1,
        /// Not at all: its size counts.
        Binary = 2,
    }
}

record! {
    /// A part that multipart/form-data declares (OpenAPI 3.1.1, section 4.8.15).
    pub struct BodyPart {
        /// The name of the property.
        name: Text,
        /// The media types or ranges that the part may have, one on a line, lower case; empty for any that
        /// suits the content.
        content_types: Text,
        /// The header fields that the part must have, one on a line, lower case.
        headers: Text,
        /// Bytes, at least: of binary content.
        min_size: U32,
        /// Bytes, at most: of binary content; `NONE` for no bound but that of the body.
        max_size: U32,
        /// Where the least size is written: index into origins, or `NONE`.
        min_origin: U32,
        /// Where the greatest size is written: index into origins, or `NONE`.
        max_origin: U32,
        /// A [`Content`] code.
        content: u8,
        /// Zero; reserved.
        reserved: [u8; 3],
    }
}
