//! The intermediate representation: what the documents and the policy say, typed, with every
//! reference resolved and every default filled in.
//!
//! In: `openapi` and `policy` build it. Out: `check` and `lower` read it. It may forget layout,
//! comments, descriptions, examples and the names of components; it may not forget a constraint,
//! nor where that constraint stands. Plain data: it depends on no other module of ours.

mod limiting;
mod operation;
mod origin;
mod rule;
mod schema;
mod settings;
mod template;
mod value;

pub use limiting::*;
pub use operation::*;
pub use origin::*;
pub use rule::*;
pub use schema::*;
pub use settings::*;
pub use template::*;
pub use value::*;

/// Everything that one bundle is made of.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What the policy says of the bundle as a whole.
    pub policy: Policy,
    /// Every file that was read, indexed by [`DocumentId`]; the policy file is not among them.
    pub documents: Vec<Document>,
    /// The attack rules, where the policy wants any.
    pub attacks: Option<Attacks>,
    /// The limits on callers, where the policy sets any.
    pub limiting: Option<Limiting>,
    /// The APIs in the policy's order.
    pub apis: Vec<Api>,
    /// Every schema location reachable from an operation, indexed by [`SchemaId`].
    pub schemas: Schemas,
    /// Which of them are copies that the policy asked for, of others that stand in the documents.
    pub copied: std::ops::Range<usize>,
    /// The JSON pointers that origins refer to.
    pub pointers: Pointers,
    /// Constructs that the front end already knows to have no effect on enforcement.
    pub ignored: Vec<Ignored>,
    /// Constructs that the front end could take over only roughly.
    pub approximated: Vec<Ignored>,
    /// Constructs that live on in others, which are enforced; their reasons are empty.
    pub rewritten: Vec<Ignored>,
}

impl Model {
    /// Where `origin` is, for people: path of the file, line, column and JSON pointer.
    pub fn locate(&self, origin: Origin) -> Location<'_> {
        let path = self.documents.get(origin.document.index()).map_or("", |d| d.path.as_str());
        Location {
            path,
            line: origin.line,
            column: origin.column,
            pointer: self.pointers.render(origin.pointer),
        }
    }

    /// Every operation with the API that it belongs to, in document order.
    pub fn operations(&self) -> impl Iterator<Item = (&Api, &Operation)> {
        self.apis.iter().flat_map(|api| api.operations.iter().map(move |op| (api, op)))
    }
}

/// A place in a file, resolved for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// Path of the file as it was named.
    pub path: &'a str,
    /// Line, from 1.
    pub line: u32,
    /// Column in code points, from 1.
    pub column: u32,
    /// RFC 6901 pointer; empty for the whole document.
    pub pointer: String,
}

/// A file that takes part in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path as named by the policy, the command line, or a `$ref` (relative to the policy).
    pub path: String,
    /// OpenAPI version; a fragment file has that of the document that refers to it.
    pub version: Version,
    /// Whether it is an OpenAPI document itself rather than a file that one refers to.
    pub root: bool,
    /// `info.title`, where there is one.
    pub title: Option<String>,
    /// `info.version`, where there is one.
    pub revision: Option<String>,
}

/// The OpenAPI versions that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Swagger 2.0: schemas are a part of JSON Schema draft 4.
    V2_0,
    /// 3.0.x: schemas are the OpenAPI dialect of JSON Schema draft 5.
    V3_0,
    /// 3.1.x: schemas are JSON Schema 2020-12.
    V3_1,
    /// 3.2.x: schemas are as in 3.1.
    V3_2,
}

impl Version {
    /// The dialect of schemas that do not name one.
    pub fn dialect(self) -> Dialect {
        match self {
            Version::V3_0 => Dialect::OpenApi3_0,
            Version::V2_0 => Dialect::Swagger2,
            Version::V3_1 | Version::V3_2 => Dialect::Draft2020,
        }
    }
}

/// The rules by which the keywords of a schema are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// JSON Schema draft 4.
    Draft4,
    /// JSON Schema drafts 6 and 7, read as draft 7.
    Draft7,
    /// JSON Schema 2019-09.
    Draft2019,
    /// The Schema Object of Swagger 2.0.
    Swagger2,
    /// A parameter of Swagger 2.0, which is a schema too, and its Items Objects.
    Swagger2Parameter,
    /// The Schema Object of OpenAPI 3.0.
    OpenApi3_0,
    /// JSON Schema 2020-12, and OpenAPI 3.1's additions.
    #[default]
    Draft2020,
    /// The same by a metaschema that leaves the validation vocabulary out.
    Unasserted2020,
}

impl Dialect {
    /// The dialect that a `$schema` names, if it is one of the well-known ones.
    pub fn named(uri: &str) -> Option<Dialect> {
        let uri = uri.trim_end_matches('#');
        let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"))?;
        Some(match rest {
            "json-schema.org/draft-04/schema" => Dialect::Draft4,
            "json-schema.org/draft-06/schema" | "json-schema.org/draft-07/schema" => {
                Dialect::Draft7
            }
            "json-schema.org/draft/2019-09/schema" => Dialect::Draft2019,
            "json-schema.org/draft/2020-12/schema" | "spec.openapis.org/oas/3.1/dialect/base" => {
                Dialect::Draft2020
            }
            // Each revision of 3.1 and 3.2 has a dialect of its own: 2020-12 with OpenAPI's annotations.
            _ => {
                let version = rest.strip_prefix("spec.openapis.org/oas/3.")?;
                let known = version.starts_with("1/dialect/") || version.starts_with("2/dialect/");
                known.then_some(Dialect::Draft2020)?
            }
        })
    }

    /// Whether it is Swagger 2.0's.
    pub fn is_swagger(self) -> bool {
        matches!(self, Dialect::Swagger2 | Dialect::Swagger2Parameter)
    }

    /// Whether it is OpenAPI 3.0's, or Swagger's, which that goes on from.
    pub fn is_openapi_3_0(self) -> bool {
        self == Dialect::OpenApi3_0 || self.is_swagger()
    }

    /// Whether `exclusiveMinimum` is a flag beside `minimum`.
    pub fn has_exclusive_flags(self) -> bool {
        self == Dialect::Draft4 || self.is_openapi_3_0()
    }

    /// Whether what stands beside `$ref` means nothing.
    pub fn ignores_siblings(self) -> bool {
        matches!(self, Dialect::Draft4 | Dialect::Draft7) || self.is_openapi_3_0()
    }

    /// Whether `items` may be a list, with `additionalItems` beside it.
    pub fn has_item_lists(self) -> bool {
        matches!(self, Dialect::Draft4 | Dialect::Draft7 | Dialect::Draft2019)
    }

    /// Whether any schema may be `true` or `false`.
    pub fn has_boolean_schemas(self) -> bool {
        !self.has_exclusive_flags()
    }
}

/// A construct that the front end could not take over as it stands, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Where it stands.
    pub origin: Origin,
    /// The construct's name as in the report: a keyword, or `parameter`, `media-type`, ….
    pub construct: String,
    /// Why, lower case, no final period.
    pub reason: String,
}
