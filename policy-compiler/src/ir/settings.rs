//! What the policy says, with inherited values and defaults filled in.

/// The policy's settings for the bundle as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Name of the policy, shown by `inspect` and in metrics.
    pub name: String,
    /// Which gateways the bundle is meant for.
    pub audience: Option<String>,
    /// What a refused client is told.
    pub answers: Answers,
    /// Whether CORS preflight requests pass.
    pub preflight: Preflight,
    /// Requests that bypass every check.
    pub health_probes: Vec<HealthProbe>,
    /// Whether the plugin's configuration may turn enforcement off for a time.
    pub break_glass: bool,
    /// What `--strict` tolerates.
    pub accept_unenforced: Vec<AcceptUnenforced>,
    /// Settings outside every API: for requests whose host and path belong to none.
    pub settings: Settings,
}

/// Settings that hold globally, per API or per operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether findings block.
    pub mode: Mode,
    /// What happens to requests without the credentials that the documents require.
    pub security: Action,
    /// What happens to what the documents do not declare.
    pub undeclared: Undeclared,
    /// Upper bounds on messages.
    pub limits: Limits,
    /// How strictly doubtful things are taken.
    pub strictness: Strictness,
    /// What attack rules do.
    pub attacks: AttackSettings,
}

/// What attack rules do on an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttackSettings {
    /// Whether they refuse.
    pub mode: super::AttackMode,
    /// Rules with a mode of their own, the last that names a rule wins.
    pub tuning: Vec<super::Tuning>,
}

/// Whether findings block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// A finding refuses the request.
    #[default]
    Enforce,
    /// A finding is only reported.
    Monitor,
}

/// What a finding of one kind does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It refuses the request (in [`Mode::Enforce`]).
    #[default]
    Block,
    /// It is only reported.
    Monitor,
    /// It is no finding.
    Allow,
}

/// What happens to what the documents do not declare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undeclared {
    /// No template matches the path.
    pub operations: Action,
    /// A template matches, but not with this method.
    pub methods: Action,
    /// The body's media type is not declared.
    pub media_types: Action,
    /// A query parameter is not declared.
    pub query_parameters: Action,
}

/// Upper bounds on messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: u64,
    /// Nesting of arrays and objects in a JSON body.
    pub depth: u32,
    /// Bytes of `:path`, query included.
    pub path: u32,
    /// Number of query parameters.
    pub parameters: u32,
    /// Bytes of one JSON string.
    pub string: u32,
    /// Members of one JSON object.
    pub properties: u32,
    /// Elements of one JSON array.
    pub items: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            depth: 32,
            path: 8 << 10,
            parameters: 128,
            string: 256 << 10,
            properties: 1024,
            items: 65_536,
        }
    }
}

/// How strictly doubtful things are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// A raw path that another reader could read differently.
    pub ambiguous_paths: Action,
    /// A `readOnly` property in a request.
    pub read_only_in_requests: Action,
    /// What `format` means.
    pub formats: Formats,
    /// What `contentEncoding`, `contentMediaType` and `contentSchema` mean.
    pub content: Contents,
    /// What `oneOf` means.
    pub one_of: OneOf,
    /// What `additionalProperties: false` means.
    pub additional_properties: AdditionalProperties,
    /// A `format` that is not known.
    pub unknown_formats: UnknownFormats,
    /// Which text says a number or a boolean.
    pub text_numbers: TextNumbers,
    /// A body whose media type is declared but cannot be judged.
    pub unenforced_bodies: UnenforcedBodies,
    /// A `$ref` that leads nowhere.
    pub unresolved_refs: Unsupported,
    /// A security requirement that names a scheme which no document defines.
    pub undefined_schemes: UndefinedSchemes,
    /// A `pattern` that cannot be compiled, or not within its budget.
    pub unsupported_patterns: Unsupported,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            ambiguous_paths: Action::Block,
            read_only_in_requests: Action::Block,
            formats: Formats::Assert,
            content: Contents::Assert,
            one_of: OneOf::Strict,
            additional_properties: AdditionalProperties::AsWritten,
            unknown_formats: UnknownFormats::Annotate,
            text_numbers: TextNumbers::Json,
            unenforced_bodies: UnenforcedBodies::Allow,
            unresolved_refs: Unsupported::Error,
            undefined_schemes: UndefinedSchemes::Error,
            unsupported_patterns: Unsupported::NotEnforced,
        }
    }
}

/// What `format` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Formats {
    /// A value that does not have the format is invalid.
    #[default]
    Assert,
    /// Formats are annotations only.
    Annotate,
}

/// What `contentEncoding`, `contentMediaType` and `contentSchema` mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Contents {
    /// A string that does not encode what they say is invalid.
    #[default]
    Assert,
    /// They are annotations only.
    Annotate,
}

/// What `oneOf` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OneOf {
    /// Exactly one branch matches.
    #[default]
    Strict,
    /// At least one branch matches, as `anyOf`.
    Lenient,
}

/// What `additionalProperties: false` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AdditionalProperties {
    /// Further properties are refused.
    #[default]
    AsWritten,
    /// Further properties pass, as if it were not written.
    Open,
    /// Further properties are refused also where the documents say nothing of them.
    Closed,
}

/// What the compiler does with a `format` that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownFormats {
    /// It is an annotation, reported as not enforced.
    #[default]
    Annotate,
    /// It refuses to compile.
    Error,
}

/// Which text of a parameter or form says a number or a boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextNumbers {
    /// What JSON writes so.
    #[default]
    Json,
    /// Other notations too: `+5`, `007`, `.5`, `TRUE`, `on`, and `1` where only booleans are allowed.
    Lenient,
}

/// What happens to a body whose media type is declared but cannot be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnenforcedBodies {
    /// It passes, and a note says so.
    #[default]
    Allow,
    /// It is refused.
    Block,
}

/// What the compiler does with something that it cannot enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unsupported {
    /// It refuses to compile.
    #[default]
    Error,
    /// It leaves the construct out and reports it as not enforced.
    NotEnforced,
}

/// What the compiler does with a security requirement that names an undefined scheme. Such a
/// requirement is never met, and so never reads as open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UndefinedSchemes {
    /// It refuses to compile.
    #[default]
    Error,
    /// It warns, and no request meets the requirement.
    Deny,
}

/// What a refused client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The form of the answer.
    pub style: AnswerStyle,
    /// How much it says.
    pub details: AnswerDetails,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AnswerStyle {
    /// `application/problem+json` (RFC 9457).
    #[default]
    Problem,
    /// Status only.
    Minimal,
}

/// How much an answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AnswerDetails {
    /// The finding's code only.
    #[default]
    None,
    /// Also the pointer into the message and the keyword; never values.
    Finding,
}

/// Whether CORS preflight requests pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Preflight {
    /// They pass when they carry `Origin` and `Access-Control-Request-Method`.
    #[default]
    Allow,
    /// They are judged as any other `OPTIONS` request.
    Judge,
}

/// Requests that bypass every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthProbe {
    /// The exact path, without query.
    pub path: String,
    /// Methods; never empty.
    pub methods: Vec<super::Method>,
}

/// Something that `--strict` tolerates although it is not fully enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptUnenforced {
    /// A construct's name, as in the report.
    pub construct: String,
    /// Only constructs whose pointer starts with this.
    pub pointer: Option<String>,
    /// Why it is tolerated.
    pub reason: String,
}
