//! The intermediate representation: what the documents and the policy say, typed, with every
//! reference resolved and every default filled in.
//!
//! In: `openapi` and `policy` build it. Out: `check` and `lower` read it. It may forget layout,
//! comments, descriptions, examples and the names of components; it may not forget a constraint,
//! nor where that constraint stands. Plain data: it depends on no other module of ours.

mod operation;
mod origin;
mod schema;
mod settings;
mod template;
mod value;

pub use operation::*;
pub use origin::*;
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
    /// The APIs in the policy's order.
    pub apis: Vec<Api>,
    /// Every schema location reachable from an operation, indexed by [`SchemaId`].
    pub schemas: Schemas,
    /// The JSON pointers that origins refer to.
    pub pointers: Pointers,
    /// Constructs that the front end already knows to have no effect on enforcement.
    pub ignored: Vec<Ignored>,
    /// Constructs that the front end could take over only roughly.
    pub approximated: Vec<Ignored>,
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
    /// 3.0.x: schemas are the OpenAPI dialect of JSON Schema draft 5.
    V3_0,
    /// 3.1.x: schemas are JSON Schema 2020-12.
    V3_1,
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
