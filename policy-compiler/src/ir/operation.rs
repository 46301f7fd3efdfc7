//! APIs, operations, and what a message of an operation consists of.

use super::{At, DocumentId, Origin, Part, SchemaId, Segment, Settings, Template, Version};

/// Which way the requests of an API go, seen from whoever publishes its documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Clients send them: `paths`.
    #[default]
    Inbound,
    /// The API sends them: `webhooks` and `callbacks`.
    Outbound,
}

/// A set of operations under one name, from one or more documents.
#[derive(Clone, Debug, Default)]
pub struct Api {
    /// Name given by the policy, or derived from the document's file name.
    pub name: String,
    /// Which of the documents' requests are its operations.
    pub direction: Direction,
    /// The OpenAPI documents it was read from.
    pub documents: Vec<DocumentId>,
    /// Hosts it is bound to, lower case, without port; empty: every host.
    pub hosts: Vec<String>,
    /// The operations, in document order. Templates may be equal up to the names of variables as
    /// long as the methods differ.
    pub operations: Vec<Operation>,
    /// The webhooks of an inbound API, which are requests that the API sends: recorded for the report only.
    pub webhooks: Vec<Webhook>,
    /// Security schemes of the documents.
    pub security_schemes: Vec<SecurityScheme>,
    /// Settings for what belongs to the API but to no operation.
    pub settings: Settings,
}

impl Api {
    /// The scheme that a requirement means by a name: that of the requirement's own document, or
    /// any of the API's where the requirement stands in a file that documents refer to.
    pub fn security_scheme(
        &self,
        requirement: &SecurityRequirement,
        name: &str,
    ) -> Option<&SecurityScheme> {
        let document = requirement.origin.document;
        let is_root = self.documents.contains(&document);
        self.security_schemes
            .iter()
            .find(|scheme| scheme.name == name && (!is_root || scheme.document == document))
    }
}

/// One operation: a method on a path template.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Where it stands: the method's key.
    pub origin: Origin,
    /// OpenAPI version of its document.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path template, without base path.
    pub template: Template,
    /// Where the path item stands.
    pub path_origin: Origin,
    /// Paths that the template is appended to; never empty.
    pub base_paths: Vec<At<BasePath>>,
    /// Hosts that it is bound to instead of the API's, as those; empty: the API's.
    pub hosts: Vec<String>,
    /// What it is of an outbound API, which stands where the webhook or callback does.
    pub sent: Option<At<Sent>>,
    /// `operationId`
    pub id: Option<At<String>>,
    /// `tags`
    pub tags: Vec<String>,
    /// `deprecated`
    pub deprecated: bool,
    /// Parameters of the path item and of the operation, merged, in document order.
    pub parameters: Vec<Parameter>,
    /// Parameters that a request may have instead: those of operations that match the same requests and write theirs
    /// in other ways.
    pub alternatives: Vec<Vec<Parameter>>,
    /// `requestBody`
    pub request_body: Option<RequestBody>,
    /// `responses`
    pub responses: Vec<Response>,
    /// Alternatives of which one must be met; empty: no security is declared.
    pub security: Vec<SecurityRequirement>,
    /// Names of `callbacks`; of an outbound API's operations recorded for the report only.
    pub callbacks: Vec<At<String>>,
    /// What the policy says of this operation, inherited values filled in.
    pub settings: Settings,
}

impl Operation {
    /// The parameters of every alternative.
    pub fn all_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().chain(self.alternatives.iter().flatten())
    }

    /// The hosts that it is bound to, of an API that it belongs to; empty: every host.
    pub fn hosts<'o>(&'o self, api: &'o Api) -> &'o [String] {
        if self.hosts.is_empty() { &api.hosts } else { &self.hosts }
    }
}

/// A request that the API sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// By a webhook of that name.
    Webhook(String),
    /// By a callback.
    Callback {
        /// Its name.
        name: String,
        /// The runtime expression that gives the URL.
        expression: String,
    },
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sent::Webhook(name) => write!(f, "the webhook `{name}`"),
            Sent::Callback { name, .. } => write!(f, "the callback `{name}`"),
        }
    }
}

/// Declares the methods once: variant and name on the wire.
macro_rules! methods {
    ( $( $variant:ident = $name:literal ),+ $(,)? ) => {
        /// HTTP methods: those that OpenAPI has fields for, and those of the IANA registry that
        /// `additionalOperations` (OpenAPI 3.2) can name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Method { $( $variant ),+ }

        impl Method {
            /// Every method that is known.
            pub const REGISTERED: &[Method] = &[ $( Method::$variant ),+ ];

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                match self { $( Method::$variant => $name ),+ }
            }
        }
    };
}

methods! {
    Get = "GET", Put = "PUT", Post = "POST", Delete = "DELETE", Options = "OPTIONS", Head = "HEAD",
    Patch = "PATCH", Trace = "TRACE", Query = "QUERY",
    Acl = "ACL", BaselineControl = "BASELINE-CONTROL", Bind = "BIND", Checkin = "CHECKIN",
    Checkout = "CHECKOUT", Copy = "COPY", Label = "LABEL", Link = "LINK", Lock = "LOCK", Merge = "MERGE",
    Mkactivity = "MKACTIVITY", Mkcalendar = "MKCALENDAR", Mkcol = "MKCOL",
    Mkredirectref = "MKREDIRECTREF", Mkworkspace = "MKWORKSPACE", Move = "MOVE",
    Orderpatch = "ORDERPATCH", Propfind = "PROPFIND", Proppatch = "PROPPATCH", Rebind = "REBIND",
    Report = "REPORT", Search = "SEARCH", Unbind = "UNBIND", Uncheckout = "UNCHECKOUT",
    Unlink = "UNLINK", Unlock = "UNLOCK", Update = "UPDATE",
    Updateredirectref = "UPDATEREDIRECTREF", VersionControl = "VERSION-CONTROL",
}

impl Method {
    /// The methods that OpenAPI has fields for, in the order of the specification; the last one since 3.2.
    pub const ALL: [Method; 9] = [
        Method::Get,
        Method::Put,
        Method::Post,
        Method::Delete,
        Method::Options,
        Method::Head,
        Method::Patch,
        Method::Trace,
        Method::Query,
    ];

    /// The method with that name, in any case.
    pub fn parse(name: &str) -> Option<Method> {
        Method::REGISTERED.iter().copied().find(|m| m.name().eq_ignore_ascii_case(name))
    }
}

/// The path of a server URL, or one that the policy gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BasePath {
    /// Starts with `/` and does not end with it; empty for the root. `{name}` stands for a variable of
    /// the server's that can have any value.
    pub path: String,
    /// Host of the server's URL, lower case; not enforced unless the policy lists it.
    pub host: Option<String>,
}

impl BasePath {
    /// The path as segments, those of its variables among them.
    pub fn segments(&self) -> Vec<Segment> {
        let segments = self.path.split('/').skip(1);
        let parts = |text: &str| {
            let mut parts = Vec::new();
            for (number, piece) in text.split(['{', '}']).enumerate() {
                match (number % 2, piece) {
                    (0, "") => {}
                    (0, literal) => parts.push(Part::Literal(literal.to_owned())),
                    (_, name) => parts.push(Part::Variable(name.to_owned())),
                }
            }
            Segment(parts)
        };
        segments.map(parts).collect()
    }

    /// How many variables it has.
    pub fn variables(&self) -> usize {
        self.path.matches('{').count()
    }

    /// Equal for base paths that match the same paths.
    pub fn shape(&self) -> String {
        let template = Template { text: String::new(), segments: self.segments() };
        template.shape()
    }
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Where the parameter's object stands (after `$ref`).
    pub origin: Origin,
    /// Name as written; header names compare without regard to case.
    pub name: String,
    /// `in`
    pub location: ParameterLocation,
    /// `required`; always true in the path.
    pub required: At<bool>,
    /// `deprecated`
    pub deprecated: bool,
    /// `style`, or the location's default.
    pub style: At<Style>,
    /// `explode`, or the style's default.
    pub explode: At<bool>,
    /// `allowReserved`
    pub allow_reserved: At<bool>,
    /// `allowEmptyValue`
    pub allow_empty_value: At<bool>,
    /// What the value must be.
    pub value: ParameterValue,
}

/// Where a parameter is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ParameterLocation {
    Path,
    Query,
    Header,
    Cookie,
    /// The whole query as one value (OpenAPI 3.2).
    Querystring,
}

impl ParameterLocation {
    /// The value of `in`.
    pub fn name(self) -> &'static str {
        match self {
            ParameterLocation::Path => "path",
            ParameterLocation::Query => "query",
            ParameterLocation::Header => "header",
            ParameterLocation::Cookie => "cookie",
            ParameterLocation::Querystring => "querystring",
        }
    }
}

/// How a parameter's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the specification")]
pub enum Style {
    Matrix,
    Label,
    Simple,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
    Cookie,
    /// Swagger's `collectionFormat: tsv`.
    TabDelimited,
}

impl Style {
    /// All styles.
    pub const ALL: [Style; 8] = [
        Style::Matrix,
        Style::Label,
        Style::Simple,
        Style::Form,
        Style::SpaceDelimited,
        Style::PipeDelimited,
        Style::DeepObject,
        Style::Cookie,
    ];

    /// The name in a document.
    pub fn name(self) -> &'static str {
        match self {
            Style::Matrix => "matrix",
            Style::Label => "label",
            Style::Simple => "simple",
            Style::Form => "form",
            Style::SpaceDelimited => "spaceDelimited",
            Style::PipeDelimited => "pipeDelimited",
            Style::DeepObject => "deepObject",
            Style::Cookie => "cookie",
            Style::TabDelimited => "tsv",
        }
    }
}

/// What a parameter's or a header's value must be.
#[derive(Clone, Debug)]
pub enum ParameterValue {
    /// `schema`, after the style has been undone.
    Schema(SchemaId),
    /// `content`: the value is text of a media type.
    Content(Box<MediaType>),
    /// Neither was written: any value.
    Any,
}

/// `requestBody`.
#[derive(Clone, Debug)]
pub struct RequestBody {
    /// Where the object stands (after `$ref`).
    pub origin: Origin,
    /// `required`; false where absent.
    pub required: At<bool>,
    /// `content`, in document order; ranges such as `*/*` among them.
    pub content: Vec<MediaType>,
}

/// One media type of a `content`.
#[derive(Clone, Debug)]
pub struct MediaType {
    /// Where its key stands.
    pub origin: Origin,
    /// The key as written.
    pub text: String,
    /// The key taken apart.
    pub range: MediaRange,
    /// `schema`, or of a sequence of JSON texts `itemSchema`
    pub schema: Option<At<SchemaId>>,
    /// Of a sequence of JSON texts: the schema is that of all of them, as an array, not of each.
    pub whole: bool,
    /// `encoding`, by name of the property.
    pub encoding: Vec<Encoding>,
}

/// A media type or range, lower case: `application/*`, `text/csv; charset=utf-8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MediaRange {
    /// The type; `*` in `*/*`.
    pub kind: String,
    /// The subtype, with its suffix; `*` in a range.
    pub subtype: String,
    /// Parameters: name in lower case, value as written without quotes.
    pub parameters: Vec<(String, String)>,
}

impl MediaRange {
    /// Whether bodies are JSON texts one after the other, and if so, whether each stands behind a record separator
    /// (RFC 7464) rather than in a line of its own.
    pub fn sequence(&self) -> Option<bool> {
        const LINES: [&str; 7] =
            ["jsonl", "x-jsonl", "ndjson", "x-ndjson", "jsonlines", "x-jsonlines", "json-lines"];
        let subtype = self.subtype.as_str();
        match self.kind.as_str() {
            "application" if subtype == "json-seq" || subtype.ends_with("+json-seq") => Some(true),
            "application" | "text" if LINES.contains(&subtype) => Some(false),
            _ => None,
        }
    }

    /// Whether bodies of it are JSON: `application/json`, or a subtype with the suffix `+json`
    /// (RFC 6839 section 3.1). A range such as `*/*` is not.
    pub fn is_json(&self) -> bool {
        (matches!(self.kind.as_str(), "application" | "text") && self.subtype == "json")
            || self.subtype.ends_with("+json")
    }

    /// The structured-syntax suffix, without its `+`.
    pub fn suffix(&self) -> Option<&str> {
        self.subtype.rsplit_once('+').map(|(_, suffix)| suffix)
    }
}

/// An entry of `encoding`.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// Where it stands.
    pub origin: Origin,
    /// Name of the property.
    pub property: String,
    /// `contentType`, as written.
    pub content_type: Option<At<String>>,
    /// `style`
    pub style: Option<At<Style>>,
    /// `explode`
    pub explode: Option<At<bool>>,
    /// `allowReserved`
    pub allow_reserved: Option<At<bool>>,
    /// `headers`
    pub headers: Vec<Header>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Where its status key stands.
    pub origin: Origin,
    /// Which answers it is about.
    pub status: Status,
    /// `headers`, without `Content-Type`.
    pub headers: Vec<Header>,
    /// `content`
    pub content: Vec<MediaType>,
}

/// The key of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// `200`
    Code(u16),
    /// `2XX`, by its first digit.
    Class(u8),
    /// `default`
    Default,
}

/// A header of a response or of a part.
#[derive(Clone, Debug)]
pub struct Header {
    /// Where it stands.
    pub origin: Origin,
    /// Its name, as written.
    pub name: String,
    /// `required`
    pub required: At<bool>,
    /// `explode`
    pub explode: At<bool>,
    /// What the value must be.
    pub value: ParameterValue,
}

/// One alternative of `security`: all its schemes must be met. Without schemes it is met always.
#[derive(Clone, Debug)]
pub struct SecurityRequirement {
    /// Where the alternative stands.
    pub origin: Origin,
    /// Names of schemes with the scopes asked for.
    pub schemes: Vec<(String, Vec<String>)>,
}

/// A security scheme.
#[derive(Clone, Debug)]
pub struct SecurityScheme {
    /// Where it stands.
    pub origin: Origin,
    /// Its name in the document.
    pub name: String,
    /// The document it belongs to.
    pub document: DocumentId,
    /// What it is.
    pub kind: SecurityKind,
}

/// Kinds of security scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecurityKind {
    /// `apiKey`
    ApiKey {
        /// Where the key is carried; never the path.
        location: ParameterLocation,
        /// Name of the parameter, header or cookie.
        name: String,
    },
    /// `http`
    Http {
        /// Name of the authentication scheme, lower case.
        scheme: String,
        /// `bearerFormat`, as written.
        bearer_format: Option<String>,
    },
    /// `mutualTLS`
    MutualTls,
    /// `oauth2`
    OAuth2,
    /// `openIdConnect`
    OpenIdConnect,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where it stands.
    pub origin: Origin,
    /// Its name.
    pub name: String,
}
