//! Reading: files into spanned trees, and references from one place of a tree to another.
//!
//! In: paths, through [`Sources`]. Out: a [`Library`] of trees with every file that a reference
//! names, so that what comes after can follow references without reading anything. Nothing is
//! ever fetched from a network.

mod json;
mod reference;
mod scalar;
mod tree;
mod uri;
mod yaml;

pub use reference::{Fragment, RefError, Reference, decode, join};
pub use tree::{Kind, MAX_DEPTH, MAX_NODES, Member, Node, NodeId, Position, Tree};
pub use uri::Naming;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::diag::{self, Code, Diagnostic, Diagnostics, Files, Span, did_you_mean};
use crate::ir::DocumentId;

/// Largest file that is read, in bytes.
pub const MAX_FILE: u64 = 64 << 20;
/// How many files one compilation reads at most.
pub const MAX_FILES: usize = 10_000;

/// Where files come from.
pub trait Sources {
    /// The bytes of the file at a path that uses `/`; the error says why not.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// The names of the files in a folder, at most [`MAX_FILES`], in any order; the error says why not.
    fn list(&self, _folder: &str) -> Result<Vec<String>, String> {
        Err("folders cannot be listed".to_owned())
    }
}

/// Files of this machine, relative to a folder.
#[derive(Clone, Debug)]
pub struct FileSystem {
    /// The folder; empty for the current one.
    pub base: PathBuf,
}

impl Sources for FileSystem {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.base.join(path);
        let size = std::fs::metadata(&path).map_err(|e| e.to_string())?;
        if !size.is_file() {
            return Err("not a regular file".into());
        }
        if size.len() > MAX_FILE {
            return Err(format!("larger than {} MiB", MAX_FILE >> 20));
        }
        std::fs::read(&path).map_err(|e| e.to_string())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(self.base.join(folder)).map_err(|e| e.to_string())?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| e.to_string())?;
            if names.len() >= MAX_FILES {
                return Err(format!("more than {MAX_FILES} files"));
            }
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// Files in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Memory {
    /// Files from pairs of path and text.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(files.into_iter().map(|(p, t)| (p.to_owned(), t.as_bytes().to_vec())).collect())
    }
}

impl Sources for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let within = |path: &String| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        let names: Vec<String> = self.0.keys().filter_map(within).collect();
        if names.is_empty() { Err("no such folder".to_owned()) } else { Ok(names) }
    }
}

/// Something wrong with the text of a file.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    position: Position,
    title: String,
    first: Option<Position>,
}

impl Problem {
    fn new(code: Code, position: Position, title: impl Into<String>) -> Self {
        Self { code, position, title: title.into(), first: None }
    }

    fn duplicate((key, again, first): &(Box<str>, Position, Position)) -> Self {
        let title = format!("`{key}` is named twice");
        Self { code: diag::DUPLICATE_KEY, position: *again, title, first: Some(*first) }
    }

    fn diagnostic(self, path: &str) -> Diagnostic {
        let at = |p: Position| Span::word(path, p.line, p.column);
        let diagnostic = Diagnostic::new(self.code, self.title);
        match self.first {
            Some(first) => diagnostic
                .label(at(self.position), "again here")
                .label(at(first), "first here")
                .help("remove one of them: readers disagree about which one counts"),
            None => diagnostic.at(at(self.position)),
        }
    }
}

/// Parses one file's text; what is wrong with it goes to `diagnostics`.
pub fn parse(path: &str, text: &str, diagnostics: &mut Diagnostics) -> Option<Tree> {
    let mut problems = Vec::new();
    let lower = path.to_ascii_lowercase();
    let first = text.trim_start().bytes().next();
    let tree = if lower.ends_with(".json") {
        json::parse(text, &mut problems)
    } else if matches!(first, Some(b'{' | b'[')) {
        // JSON under another name, or YAML's flow style.
        match json::parse(text, &mut problems) {
            Some(tree) => Some(tree),
            None => {
                problems.clear();
                yaml::parse(text, &mut problems)
            }
        }
    } else {
        yaml::parse(text, &mut problems)
    };
    diagnostics.extend(problems.into_iter().map(|p| p.diagnostic(path)));
    tree
}

/// Every file of a compilation.
pub struct Library<'s> {
    sources: &'s dyn Sources,
    files: Files,
    loaded: Vec<Loaded>,
    by_path: HashMap<String, Result<DocumentId, String>>,
    /// Resources by their names.
    by_uri: HashMap<String, ResourceId>,
    /// How files that do not say so themselves name schemas.
    naming: Naming,
    mappings: Vec<Mapping>,
}

/// Where the files are that URIs with a common beginning lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What the URIs begin with.
    pub uri: String,
    /// What takes its place in the path of the file.
    pub path: String,
}

/// A file, or a schema in it that has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// The file.
    pub document: DocumentId,
    /// Index among the resources of the file; the file itself is 0.
    pub index: u32,
}

struct Loaded {
    path: String,
    tree: Tree,
    resources: Vec<uri::Resource>,
    by_node: HashMap<NodeId, u32>,
    parsed: bool,
    // What is wrong with the file's text, until it is reported.
    pending: Diagnostics,
}

/// A node of the library.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The file.
    pub document: DocumentId,
    /// The node.
    pub node: Node<'a>,
}

impl<'a> Place<'a> {
    /// The member of that name, where it is an object that has one.
    pub fn get(self, name: &str) -> Option<Place<'a>> {
        self.node.get(name).map(|node| self.with(node))
    }

    /// Another node of the same file.
    pub fn with(self, node: Node<'a>) -> Place<'a> {
        Place { document: self.document, node }
    }

    /// What tells the place from every other of the library.
    pub fn key(self) -> (DocumentId, NodeId) {
        (self.document, self.node.id())
    }
}

impl<'s> Library<'s> {
    /// An empty library.
    pub fn new(sources: &'s dyn Sources) -> Self {
        Self::with(sources, Naming::Anywhere, Vec::new())
    }

    /// An empty library for files that name schemas in a certain way, some of which stand for URIs.
    pub fn with(sources: &'s dyn Sources, naming: Naming, mappings: Vec<Mapping>) -> Self {
        let (files, loaded) = (Files::default(), Vec::new());
        let (by_path, by_uri) = (HashMap::new(), HashMap::new());
        Self { sources, files, loaded, by_path, by_uri, naming, mappings }
    }

    /// Texts of the files, for rendering diagnostics.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Gives up everything but the texts.
    pub fn into_files(self) -> Files {
        self.files
    }

    /// Ids of all files, in the order of loading.
    pub fn documents(&self) -> impl Iterator<Item = DocumentId> + use<> {
        (0..self.loaded.len() as u32).map(DocumentId)
    }

    /// The path of a file.
    pub fn path(&self, document: DocumentId) -> &str {
        self.loaded.get(document.index()).map_or("", |l| &l.path)
    }

    /// The tree of a file.
    pub fn tree(&self, document: DocumentId) -> &Tree {
        &self.loaded[document.index()].tree
    }

    /// A span for diagnostics at a node (its key, for a member).
    pub fn span(&self, place: Place<'_>) -> Span {
        let at = place.node.anchor();
        Span::word(self.path(place.document), at.line, at.column)
    }

    /// A span for diagnostics at the value of a node.
    pub fn value_span(&self, place: Place<'_>) -> Span {
        let at = place.node.position();
        Span::word(self.path(place.document), at.line, at.column)
    }

    /// Reads a file that is no OpenAPI document; its text becomes known to diagnostics.
    pub fn read_text(&mut self, path: &str, diagnostics: &mut Diagnostics) -> Option<String> {
        let bytes = match self.sources.read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                diagnostics.push(unreadable(path, &why));
                return None;
            }
        };
        match decode_text(&bytes) {
            Ok(text) => {
                self.files.add(path, text.into());
                Some(text.to_owned())
            }
            Err(error) => {
                diagnostics.push(not_utf8(path, error));
                None
            }
        }
    }

    /// The names of the files in a folder.
    ///
    /// # Errors
    /// With the reason, where it cannot be listed.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        self.sources.list(folder)
    }

    /// Loads an OpenAPI document and every file that it and those name in a `$ref`.
    pub fn load(&mut self, path: &str, diagnostics: &mut Diagnostics) -> Option<DocumentId> {
        match self.load_named(path, diagnostics) {
            Ok(id) => Some(id),
            Err(why) => {
                diagnostics.push(unreadable(path, &why));
                None
            }
        }
    }

    /// The same, for a file that something else names: the error says why it cannot be read.
    pub fn load_named(
        &mut self,
        path: &str,
        diagnostics: &mut Diagnostics,
    ) -> Result<DocumentId, String> {
        let id = self.load_one(&join("", path))?;
        let mut next = id.index();
        while next < self.loaded.len() {
            for uri in self.named_files(next) {
                // Failures matter only when the reference is followed.
                if let Some(path) = self.path_of(&uri) {
                    let _ = self.load_as(&path, &uri);
                }
            }
            next += 1;
        }
        for loaded in &mut self.loaded {
            diagnostics.append(std::mem::take(&mut loaded.pending));
        }
        Ok(id)
    }

    fn load_one(&mut self, path: &str) -> Result<DocumentId, String> {
        let mapped = self.mappings.iter().find_map(|m| Some((m, path.strip_prefix(&m.path)?)));
        let uri = mapped.map_or_else(|| path.to_owned(), |(m, rest)| format!("{}{rest}", m.uri));
        self.load_as(path, &uri)
    }

    /// The path of the file that a URI leads to; none where it would have to be fetched.
    fn path_of(&self, uri: &str) -> Option<String> {
        if !reference::has_scheme(uri) {
            return Some(uri.to_owned());
        }
        let mut mapped = self.mappings.iter();
        mapped.find_map(|m| Some(format!("{}{}", m.path, uri.strip_prefix(&m.uri)?)))
    }

    fn load_as(&mut self, path: &str, uri: &str) -> Result<DocumentId, String> {
        if let Some(known) = self.by_path.get(path) {
            return known.clone();
        }
        let result = self.read(path, uri);
        self.by_path.insert(path.to_owned(), result.clone());
        result
    }

    fn read(&mut self, path: &str, uri: &str) -> Result<DocumentId, String> {
        if self.loaded.len() >= MAX_FILES {
            return Err(format!("more than {MAX_FILES} files"));
        }
        let bytes = self.sources.read(path)?;
        let mut diagnostics = Diagnostics::default();
        let text = match decode_text(&bytes) {
            Ok(text) => text,
            Err(error) => {
                diagnostics.push(not_utf8(path, error));
                ""
            }
        };
        self.files.add(path, text.into());
        let tree = match diagnostics.has_errors() {
            true => None,
            false => parse(path, text, &mut diagnostics),
        };
        let parsed = tree.is_some();
        let tree = tree.unwrap_or_else(Tree::empty);
        let resources = uri::resources(&tree, uri, naming_of(&tree).unwrap_or(self.naming));
        let id = DocumentId(self.loaded.len() as u32);
        for (index, resource) in (0..).zip(&resources) {
            let known = ResourceId { document: id, index };
            self.by_uri.entry(resource.uri.clone()).or_insert(known);
        }
        self.by_uri.entry(uri.to_owned()).or_insert(ResourceId { document: id, index: 0 });
        let by_node = resources.iter().zip(0..).map(|(r, index)| (r.node, index)).collect();
        let (pending, path) = (diagnostics, path.to_owned());
        self.loaded.push(Loaded { path, tree, resources, by_node, parsed, pending });
        Ok(id)
    }

    /// The resource that a place belongs to.
    pub fn resource(&self, place: Place<'_>) -> ResourceId {
        let by_node = &self.loaded[place.document.index()].by_node;
        let mut at = Some(place.node);
        while let Some(node) = at {
            if let Some(index) = by_node.get(&node.id()) {
                return ResourceId { document: place.document, index: *index };
            }
            at = node.parent();
        }
        ResourceId { document: place.document, index: 0 }
    }

    /// Every resource of every file.
    pub fn resources(&self) -> impl Iterator<Item = ResourceId> {
        self.documents().flat_map(|document| {
            let count = self.loaded[document.index()].resources.len() as u32;
            (0..count).map(move |index| ResourceId { document, index })
        })
    }

    /// Where a resource begins.
    pub fn root_of(&self, resource: ResourceId) -> Place<'_> {
        let loaded = &self.loaded[resource.document.index()];
        let of = loaded.resources.get(resource.index as usize);
        let node = of.map_or(loaded.tree.root(), |of| loaded.tree.node(of.node));
        Place { document: resource.document, node }
    }

    /// The `$dynamicAnchor`s of a resource.
    pub fn dynamic_anchors(&self, resource: ResourceId) -> impl Iterator<Item = (&str, Place<'_>)> {
        let loaded = &self.loaded[resource.document.index()];
        let of = loaded.resources.get(resource.index as usize).into_iter();
        of.flat_map(|of| &of.dynamic).map(move |(name, node)| {
            let node = loaded.tree.node(*node);
            (name.as_str(), Place { document: resource.document, node })
        })
    }

    /// Whether any file has a `$dynamicAnchor`.
    pub fn has_dynamic_anchors(&self) -> bool {
        self.loaded.iter().flat_map(|l| &l.resources).any(|r| !r.dynamic.is_empty())
    }

    fn base(&self, place: Place<'_>) -> &str {
        let id = self.resource(place);
        let resources = &self.loaded[id.document.index()].resources;
        resources.get(id.index as usize).map_or("", |resource| &resource.uri)
    }

    /// URIs of files that references in a loaded file name.
    fn named_files(&self, index: usize) -> Vec<String> {
        let loaded = &self.loaded[index];
        let document = DocumentId(index as u32);
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        let mut add = |uri: String| {
            if seen.insert(uri.clone()) {
                files.push(uri);
            }
        };
        for node in loaded.tree.nodes() {
            for keyword in ["$ref", "$dynamicRef", "$schema"] {
                let Some(text) = node.get(keyword).and_then(Node::as_str) else { continue };
                let path = text.split('#').next().unwrap_or("");
                if path.is_empty() || (keyword == "$schema" && self.mappings.is_empty()) {
                    continue;
                }
                let base = self.base(Place { document, node });
                add(uri::resolve(base, path));
                if base != loaded.path && !reference::has_scheme(path) {
                    add(uri::resolve(&loaded.path, path));
                }
            }
        }
        // Values of a discriminator's mapping may name files too.
        for node in loaded.tree.nodes() {
            let Some(mapping) = node.get("mapping").and_then(|m| m.members()) else { continue };
            for text in mapping.filter_map(|(_, value)| value.as_str()) {
                let is_file = text.contains(['/', '.']) && !text.starts_with('#');
                if let (true, Ok(Reference { path: Some(path), .. })) =
                    (is_file, Reference::parse(text))
                {
                    add(join(&loaded.path, &path));
                }
            }
        }
        files
    }

    /// Where a reference that stands at a place leads.
    pub fn resolve(&self, from: Place<'_>, text: &str) -> Result<Place<'_>, RefError> {
        let (path, fragment) = text.split_once('#').unwrap_or((text, ""));
        let target =
            if path.is_empty() { self.resource(from) } else { self.target(from, path, text)? };
        let fragment = Fragment::parse(fragment, text)?;
        let document = target.document;
        let loaded = &self.loaded[document.index()];
        let (tree, path) = (&loaded.tree, &loaded.path);
        if !loaded.parsed {
            return Err(unresolved(text, format!("`{path}` could not be read")));
        }
        let resource = loaded.resources.get(target.index as usize);
        let root = resource.map_or(tree.root(), |resource| tree.node(resource.node));
        let tokens = match fragment {
            Fragment::Pointer(tokens) => tokens,
            Fragment::Anchor(name) => {
                let id = resource.and_then(|resource| resource.anchors.get(&name));
                let why = || unresolved(text, format!("there is no `$anchor: {name}`"));
                return Ok(Place { document, node: tree.node(*id.ok_or_else(why)?) });
            }
        };
        let mut node = root;
        for token in &tokens {
            node = node.child(token).ok_or_else(|| missing_child(text, token, node))?;
        }
        Ok(Place { document, node })
    }

    /// The resource that a reference `text` leads to, whose part before `#` is `path`.
    fn target(&self, from: Place<'_>, path: &str, text: &str) -> Result<ResourceId, RefError> {
        let file = self.path(from.document);
        let by_name = uri::resolve(self.base(from), path);
        if let Some(known) = self.by_uri.get(&by_name) {
            return Ok(*known);
        }
        // A name says where a file would be published; beside each other the files are found too.
        let whole = |document| ResourceId { document, index: 0 };
        if reference::has_scheme(&by_name)
            && let Some(path) = self.path_of(&by_name)
            && let Some(Ok(document)) = self.by_path.get(&path)
        {
            return Ok(whole(*document));
        }
        let Reference { path, .. } = Reference::parse(text)?;
        let path = join(file, &path.unwrap_or_default());
        match self.by_path.get(&path) {
            Some(Ok(document)) => Ok(whole(*document)),
            Some(Err(why)) => Err(unresolved(text, format!("`{path}`: {why}"))),
            None if reference::has_scheme(&by_name) => Err(reference::remote(text)),
            None => Err(unresolved(text, format!("`{path}` was not read"))),
        }
    }
}

/// How a file names schemas, where its root tells.
fn naming_of(tree: &Tree) -> Option<Naming> {
    let root = tree.root();
    if root.get("swagger").is_some() {
        return Some(Naming::None);
    }
    if let Some(version) = root.get("openapi").and_then(Node::as_text) {
        return Some(if version.starts_with("3.0") { Naming::None } else { Naming::Anywhere });
    }
    let dialect = root.get("$schema").and_then(Node::as_str)?;
    dialect.contains("draft-04/schema").then_some(Naming::Draft4)
}

fn unresolved(text: &str, why: String) -> RefError {
    RefError::new(diag::UNRESOLVED_REF, format!("`{text}` leads nowhere: {why}"), None)
}

fn missing_child(text: &str, token: &str, node: Node<'_>) -> RefError {
    let names = node.members().into_iter().flatten().map(|(member, _)| &*member.key);
    let place = match node.pointer() {
        p if p.is_empty() => "the document".to_owned(),
        p => format!("`#{p}`"),
    };
    let why = format!("{place} has no `{token}`");
    let error = unresolved(text, why);
    RefError { help: did_you_mean(token, names), ..error }
}

fn unreadable(path: &str, why: &str) -> Diagnostic {
    Diagnostic::new(diag::UNREADABLE_FILE, format!("`{path}` cannot be read: {why}"))
        .at(Span::file(path))
}

fn not_utf8(path: &str, (why, line, column): (&str, u32, u32)) -> Diagnostic {
    Diagnostic::new(diag::NOT_UTF8, format!("`{path}` is not UTF-8 text: {why}"))
        .at(Span::word(path, line, column))
        .help("save the file as UTF-8")
}

/// The text of a file: UTF-8 without its byte order mark.
fn decode_text(bytes: &[u8]) -> Result<&str, (&'static str, u32, u32)> {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Err(("it starts as UTF-16 does", 1, 1)),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = good.matches('\n').count() as u32 + 1;
        let column = good.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
        ("a byte sequence that UTF-8 does not have", line, column)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_across_files() {
        let memory = Memory::new([
            ("api/a.yaml", "x: {$ref: 'b/c.json#/k%20y/0'}\ny: {$ref: '../gone.yaml'}\n"),
            ("api/b/c.json", "{\"k y\": [{\"$ref\": \"../a.yaml#/x\"}], \"$anchor\": \"top\"}"),
        ]);
        let mut library = Library::new(&memory);
        let mut diagnostics = Diagnostics::default();
        let a = library.load("./api/a.yaml", &mut diagnostics).unwrap();
        assert!(!diagnostics.has_errors());
        let root = |document| Place { document, node: library.tree(document).root() };
        let a = root(a);
        let c = library.resolve(a, "b/c.json#/k%20y/0").unwrap();
        assert_eq!((library.path(c.document), c.node.pointer()), ("api/b/c.json", "/k y/0".into()));
        let back = library.resolve(c, "../a.yaml#/x").unwrap();
        assert_eq!(back.document, a.document);
        assert!(library.resolve(a, "b/c.json#top").is_ok());
        let gone = library.resolve(a, "../gone.yaml").unwrap_err();
        assert_eq!(gone.title, "`../gone.yaml` leads nowhere: `gone.yaml`: no such file");
        let typo = library.resolve(a, "b/c.json#/k_y").unwrap_err();
        assert_eq!(typo.help.as_deref(), Some("did you mean `k y`?"));
    }

    #[test]
    fn encodings() {
        let memory = Memory(
            [
                ("bom.yaml".to_owned(), b"\xEF\xBB\xBFa: 1\n".to_vec()),
                ("latin.yaml".to_owned(), b"a: 1\nb: caf\xE9\n".to_vec()),
                ("wide.yaml".to_owned(), b"\xFF\xFEa\0".to_vec()),
            ]
            .into(),
        );
        let mut library = Library::new(&memory);
        let mut diagnostics = Diagnostics::default();
        let bom = library.load("bom.yaml", &mut diagnostics).unwrap();
        assert!(library.tree(bom).root().get("a").is_some());
        library.load("latin.yaml", &mut diagnostics);
        library.load("wide.yaml", &mut diagnostics);
        let places: Vec<_> = diagnostics
            .sorted()
            .iter()
            .map(|d| (d.code.id, d.labels[0].span.line, d.labels[0].span.column))
            .collect();
        assert_eq!(places, [("PC0002", 2, 7), ("PC0002", 1, 1)]);
    }

    #[test]
    fn json_by_name_or_by_look() {
        let mut diagnostics = Diagnostics::default();
        assert!(parse("a.yaml", "{\"a\": \"\\ud83d\\ude00\"}", &mut diagnostics).is_some());
        assert!(parse("a.yaml", "{a: 1}", &mut diagnostics).is_some());
        assert!(!diagnostics.has_errors());
        assert!(parse("a.json", "{a: 1}", &mut diagnostics).is_none());
        assert!(diagnostics.has_errors());
    }
}
