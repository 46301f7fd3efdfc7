//! What the engine finds wrong, and how it is named.

use portcullis_bundle::layout::{Keyword, Location, Target};

/// Declares the finding codes once: name, default status, meaning.
macro_rules! findings {
    ( $( $(#[$meta:meta])* $variant:ident = $code:literal, $status:literal; )+ ) => {
        /// The kinds of finding. Codes are stable and documented in FINDINGS.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum FindingCode { $( $(#[$meta])* $variant ),+ }

        impl FindingCode {
            /// Every finding code.
            pub const ALL: &'static [FindingCode] = &[ $( FindingCode::$variant ),+ ];

            /// The code as written in logs, metrics and answers.
            pub const fn name(self) -> &'static str {
                match self { $( FindingCode::$variant => $code ),+ }
            }

            /// The `type` of the problem (RFC 9457) that answers a request with this finding.
            pub const fn uri(self) -> &'static str {
                match self { $( FindingCode::$variant => concat!("urn:portcullis:finding:", $code) ),+ }
            }

            /// The verdict on a message that this finding refused, for logs: `block:CODE`.
            pub const fn block_label(self) -> &'static str {
                match self { $( FindingCode::$variant => concat!("block:", $code) ),+ }
            }

            /// The verdict on a message that this finding would have refused: `monitor:CODE`.
            pub const fn monitor_label(self) -> &'static str {
                match self { $( FindingCode::$variant => concat!("monitor:", $code) ),+ }
            }

            /// The status that refuses a request with this finding; 0 for notes, which never refuse.
            pub const fn status(self) -> u16 {
                match self { $( FindingCode::$variant => $status ),+ }
            }
        }
    };
}

findings! {
    /// No document declares the path.
    OperationUndeclared = "operation-undeclared", 404;
    /// The path is declared, the method is not.
    MethodUndeclared = "method-undeclared", 405;
    /// Another reader could read the path differently.
    PathAmbiguous = "path-ambiguous", 400;
    /// The path is not a path, or its percent-encoding is broken.
    PathMalformed = "path-malformed", 400;
    /// The path is longer than the policy allows.
    PathTooLong = "path-too-long", 414;
    /// No alternative of the operation's security requirements finds its credentials.
    CredentialMissing = "credential-missing", 401;
    /// A credential does not have the form of its scheme, or is sent twice.
    CredentialMalformed = "credential-malformed", 401;
    /// A required parameter is absent.
    ParameterMissing = "parameter-missing", 400;
    /// A parameter's value does not satisfy its schema.
    ParameterInvalid = "parameter-invalid", 400;
    /// A query parameter that the operation does not declare.
    ParameterUndeclared = "parameter-undeclared", 400;
    /// A parameter of one value is sent twice.
    ParameterRepeated = "parameter-repeated", 400;
    /// A parameter's encoding is broken.
    ParameterMalformed = "parameter-malformed", 400;
    /// More parameters than the policy allows.
    ParametersTooMany = "parameters-too-many", 400;
    /// A body of a media type that the operation does not declare, or of none.
    MediaTypeUndeclared = "media-type-undeclared", 415;
    /// A body in another charset than UTF-8.
    CharsetUnsupported = "charset-unsupported", 415;
    /// A body in a content coding, such as gzip.
    ContentCodingUnsupported = "content-coding-unsupported", 415;
    /// A required body is absent.
    BodyMissing = "body-missing", 400;
    /// A body that the operation does not declare.
    BodyUnexpected = "body-unexpected", 400;
    /// The body is not well-formed.
    BodyMalformed = "body-malformed", 400;
    /// An object of the body holds a name twice.
    BodyDuplicateKey = "body-duplicate-key", 400;
    /// The body does not satisfy its schema.
    BodyInvalid = "body-invalid", 400;
    /// The body's arrays and objects are nested deeper than the policy allows.
    BodyTooDeep = "body-too-deep", 400;
    /// The body, or a part of it, is larger than the policy allows.
    BodyTooLarge = "body-too-large", 413;
    /// Judging the body took more steps than its budget.
    BodyBudget = "body-budget", 413;
    /// Values of the request read as an attack: rules fired whose scores reach the threshold.
    AttackDetected = "attack-detected", 403;
    /// Matching attack rules took more steps than their budget.
    AttackBudget = "attack-budget", 403;
    /// The answer holds what it must not: rules fired whose scores reach the threshold.
    ResponseLeak = "response-leak", 502;
    /// Matching rules on the answer took more steps than their budget.
    ResponseBudget = "response-budget", 502;
    /// The caller is beyond a limit.
    LimitExceeded = "limit-exceeded", 429;
    /// Nothing names the caller that a limit counts.
    CallerUnnamed = "caller-unnamed", 403;
    /// The request could not be counted by a limit.
    LimitUncounted = "limit-uncounted", 503;
    /// The client waits for an interim answer before it sends a body that must be held (RFC 9110, 10.1.1).
    ExpectationUnsupported = "expectation-unsupported", 417;
    /// The filter has no bundle that passed verification.
    PolicyMissing = "policy-missing", 503;
    /// Judged by its headers only: an upgrade, CONNECT or a stream.
    StreamUnchecked = "stream-unchecked", 0;
    /// A health probe that passed unjudged.
    ProbeBypass = "probe-bypass", 0;
    /// A CORS preflight request that passed.
    Preflight = "preflight", 0;
    /// A declared body that no schema program judges.
    BodyUnenforced = "body-unenforced", 0;
    /// A rule fired, and the message's score stays under the threshold.
    AttackSuspected = "attack-suspected", 0;
    /// The body of an answer that rules did not see, or not all of it.
    ResponseUnjudged = "response-unjudged", 0;
    /// A rule fired on the answer, and its score stays under the threshold.
    ResponseSuspected = "response-suspected", 0;
    /// Refusal was suspended by break-glass.
    BreakGlass = "break-glass", 0;
}

impl FindingCode {
    /// Whether the finding is on an answer, not on a request.
    pub const fn is_outbound(self) -> bool {
        matches!(
            self,
            Self::ResponseLeak
                | Self::ResponseBudget
                | Self::ResponseUnjudged
                | Self::ResponseSuspected
        )
    }

    /// Whether the note says that a message passes unjudged, or judged in part.
    pub const fn passes(self) -> bool {
        matches!(self, Self::StreamUnchecked | Self::ProbeBypass | Self::Preflight)
    }
}

/// Where in a message a finding stands. Names are declared names, never a client's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// The message as a whole.
    #[default]
    Message,
    /// The path.
    Path,
    /// A declared parameter: its name is the text of this index into the bundle's parameters.
    Parameter {
        /// Where it is sent.
        location: Location,
        /// Index into the bundle's parameters.
        parameter: u32,
    },
    /// A credential: the security scheme of this index into the bundle's says where it is sent.
    Credential(u32),
    /// A query parameter that is not declared: its name is the client's and is not kept.
    UndeclaredParameter,
    /// A header field of the message, by its well-known name.
    Header(&'static str),
    /// A place in the body.
    Body {
        /// JSON pointer (RFC 6901); names that the schema does not declare are shown as `*`.
        pointer: String,
        /// Bytes from the start of the body.
        offset: u64,
    },
}

/// One thing that is wrong with a message, or worth a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of finding.
    pub code: FindingCode,
    /// Where in the message.
    pub position: Position,
    /// The schema keyword that refused, where one did.
    pub keyword: Option<Keyword>,
    /// Where the documents say so: index into the bundle's origins.
    pub origin: Option<u32>,
    /// The attack rule that fired: index into the bundle's rules.
    pub rule: Option<u32>,
    /// What the value that it fired on is to the message.
    pub target: Option<Target>,
    /// The score of the message's rules together, where a rule fired.
    pub score: u16,
    /// The limit that the caller is beyond: index into the bundle's limits.
    pub limit: Option<u32>,
}

impl Finding {
    /// A finding with nothing but its code and position.
    pub const fn new(code: FindingCode, position: Position) -> Self {
        Finding {
            code,
            position,
            keyword: None,
            origin: None,
            rule: None,
            target: None,
            score: 0,
            limit: None,
        }
    }

    /// The same finding, traced to a place in the documents.
    #[must_use]
    pub fn at(mut self, origin: u32) -> Self {
        self.origin = (origin != portcullis_bundle::layout::NONE).then_some(origin);
        self
    }
}
