//! The enforcement report: what becomes of every construct of the documents.
//!
//! In: what lowering records, and the inventory of everything that the documents
//! contain, made by a walk of its own. Out: one line per construct. Nothing can be missing: a
//! construct that nobody recorded is listed as not enforced.

mod coverage;
pub mod inventory;

pub use coverage::{Coverage, DocumentCoverage, is_constraint};

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::ir::{AcceptUnenforced, Ignored, Model, Origin};

/// How far a construct is enforced. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A message that violates it is found.
    Enforced,
    /// Some messages that violate it pass, or some that satisfy it do not.
    Approximated,
    /// It has no effect.
    NotEnforced,
}

/// What lowering says of the constructs that it met, in any order and as often as it meets them.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    // By document and pointer text once finished; pointers may have been interned twice.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    construct: Cow<'static, str>,
    status: Status,
    reason: Cow<'static, str>,
}

impl Recorder {
    /// Says what becomes of the construct at `origin`. `construct` is the keyword as written
    /// (`minLength`), or one of the names in [`construct`]. When a construct is recorded more
    /// than once (a schema that several operations use), the worst status stays. `reason` is lower
    /// case, without a final period, and may be empty only for [`Status::Enforced`], where it says what
    /// is left to others.
    pub fn record(
        &mut self,
        origin: Origin,
        construct: impl Into<Cow<'static, str>>,
        status: Status,
        reason: impl Into<Cow<'static, str>>,
    ) {
        let (construct, reason) = (construct.into(), reason.into());
        debug_assert!(status == Status::Enforced || !reason.is_empty(), "{construct}: no reason");
        self.entries.push(Entry { origin, construct, status, reason });
    }

    /// The construct at `origin` is fully enforced.
    pub fn enforced(&mut self, origin: Origin, construct: impl Into<Cow<'static, str>>) {
        self.record(origin, construct, Status::Enforced, "");
    }

    /// The construct at `origin` is enforced in part.
    pub fn approximated(
        &mut self,
        origin: Origin,
        construct: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) {
        self.record(origin, construct, Status::Approximated, reason);
    }

    /// The construct at `origin` has no effect.
    pub fn not_enforced(
        &mut self,
        origin: Origin,
        construct: impl Into<Cow<'static, str>>,
        reason: impl Into<Cow<'static, str>>,
    ) {
        self.record(origin, construct, Status::NotEnforced, reason);
    }

    /// Joins what was recorded with what the documents contain.
    ///
    /// Constructs of `inventory` that nobody recorded become not enforced, with a reason that says
    /// where they are used; those that nothing refers to are only counted, since no message can
    /// meet them. What was recorded without being in the inventory is kept.
    pub fn finish(self, model: &Model, inventory: &[Construct]) -> Report {
        let mut lines: BTreeMap<Key, Line> = BTreeMap::new();
        let noted = |status: Status, list: &[Ignored]| -> Vec<Entry> {
            let entry = |i: &Ignored| Entry {
                origin: i.origin,
                construct: Cow::Owned(i.construct.clone()),
                status,
                reason: Cow::Owned(i.reason.clone()),
            };
            list.iter().map(entry).collect()
        };
        let ignored = noted(Status::NotEnforced, &model.ignored);
        let approximated = noted(Status::Approximated, &model.approximated);
        let rewritten = noted(Status::Enforced, &model.rewritten);
        for entry in self.entries.into_iter().chain(ignored).chain(approximated).chain(rewritten) {
            let document = entry.origin.document.0;
            let pointer = model.pointers.render(entry.origin.pointer);
            let key = Key { document, pointer, construct: entry.construct };
            let line = Line {
                line: entry.origin.line,
                column: entry.origin.column,
                status: entry.status,
                reason: entry.reason,
                reach: Reach::REQUEST,
            };
            match lines.get_mut(&key) {
                Some(known) if known.rank() >= line.rank() => {}
                Some(known) => *known = line,
                None => drop(lines.insert(key, line)),
            }
        }
        let mut unreferenced = 0;
        let mut rest = Vec::new();
        for construct in inventory {
            let key = Key {
                document: construct.document.0,
                pointer: construct.pointer.clone(),
                construct: Cow::Borrowed(construct.construct),
            };
            if let Some(line) = lines.get_mut(&key) {
                line.reach = construct.reach;
                continue;
            }
            if construct.reach.is_none() {
                unreferenced += 1;
                continue;
            }
            let reason = enclosing(&lines, &key).unwrap_or_else(|| default_reason(construct));
            let (line, column) = (construct.line, construct.column);
            let (status, reach) = (Status::NotEnforced, construct.reach);
            rest.push((key, Line { line, column, status, reason, reach }));
        }
        lines.extend(rest);
        let by_document = coverage::unreferenced(model.documents.len(), inventory);
        Report { unreferenced: by_document, ..Report::new(model, lines, unreferenced) }
    }
}

/// Why something inside a parameter, header, body or media type is not enforced, if that is not.
fn enclosing(lines: &BTreeMap<Key, Line>, key: &Key) -> Option<Cow<'static, str>> {
    let outer = [
        construct::PARAMETER,
        construct::HEADER,
        construct::MEDIA_TYPE,
        construct::ENCODING,
        construct::REQUEST_BODY,
        construct::WEBHOOK,
        construct::CALLBACK,
        "itemSchema",
    ];
    let mut at = key.pointer.as_str();
    loop {
        for name in outer {
            let (document, pointer) = (key.document, at.to_owned());
            let owner = Key { document, pointer, construct: Cow::Borrowed(name) };
            if let Some(line) = lines.get(&owner).filter(|l| l.status != Status::Enforced) {
                return Some(line.reason.clone());
            }
        }
        // What a keyword holds that is not enforced itself.
        let keyword = Cow::Owned(at.rsplit('/').next().unwrap_or_default().to_owned());
        let owner = Key { document: key.document, pointer: at.to_owned(), construct: keyword };
        if let Some(line) = lines.get(&owner).filter(|l| l.status == Status::NotEnforced) {
            return Some(line.reason.clone());
        }
        at = at.rsplit_once('/')?.0;
    }
}

/// Why a construct that nobody recorded is not enforced.
fn default_reason(construct: &Construct) -> Cow<'static, str> {
    let unused = "no operation uses it: something nearer to the operations replaces it";
    Cow::Borrowed(match construct.construct {
        construct::SERVER
        | construct::SECURITY
        | construct::SCOPES
        | construct::SECURITY_SCHEME
            if construct.reach == Reach::REQUEST =>
        {
            unused
        }
        construct::MEDIA_TYPE
            if construct.reach == Reach::REQUEST && construct.pointer.contains("/consumes/") =>
        {
            "no operation that has a body uses it"
        }
        _ => construct.reach.reason(),
    })
}

/// Names of constructs that are not JSON Schema keywords.
pub mod construct {
    /// An operation: method and path.
    pub const OPERATION: &str = "operation";
    /// A parameter.
    pub const PARAMETER: &str = "parameter";
    /// A request body.
    pub const REQUEST_BODY: &str = "requestBody";
    /// An entry of `content`.
    pub const MEDIA_TYPE: &str = "mediaType";
    /// An entry of `encoding`.
    pub const ENCODING: &str = "encoding";
    /// An entry of `responses`.
    pub const RESPONSE: &str = "response";
    /// A header of a response or of a part.
    pub const HEADER: &str = "header";
    /// An alternative of `security`.
    pub const SECURITY: &str = "security";
    /// The scopes or roles that an alternative of `security` asks for.
    pub const SCOPES: &str = "scopes";
    /// A security scheme.
    pub const SECURITY_SCHEME: &str = "securityScheme";
    /// An entry of `servers`.
    pub const SERVER: &str = "server";
    /// A callback.
    pub const CALLBACK: &str = "callback";
    /// A webhook.
    pub const WEBHOOK: &str = "webhook";
}

/// A construct that the documents contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Construct {
    /// The file.
    pub document: crate::ir::DocumentId,
    /// RFC 6901 pointer.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The keyword, or one of the names in [`construct`].
    pub construct: &'static str,
    /// From where it can be reached.
    pub reach: Reach,
}

/// From which parts of the API a construct can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach(pub u8);

impl Reach {
    /// From a request to an operation.
    pub const REQUEST: Reach = Reach(1);
    /// From a response of an operation.
    pub const RESPONSE: Reach = Reach(2);
    /// From a callback or webhook of an inbound API.
    pub const CALLBACK: Reach = Reach(4);
    /// From a request to the API, whose own requests are what passes here.
    pub const INCOMING: Reach = Reach(8);

    /// Whether nothing refers to it.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Why a construct reached from here, and recorded by nobody, is not enforced.
    pub fn reason(self) -> &'static str {
        if self.0 & Self::REQUEST.0 != 0 {
            "not examined"
        } else if self.0 & Self::RESPONSE.0 != 0 {
            "responses are not checked yet"
        } else if self.0 & Self::CALLBACK.0 != 0 {
            "callbacks and webhooks are requests that the API sends, which do not pass here"
        } else {
            "requests to the API do not pass here: the policy takes what it sends"
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    document: u32,
    pointer: String,
    construct: Cow<'static, str>,
}

#[derive(Clone, Debug)]
struct Line {
    line: u32,
    column: u32,
    status: Status,
    reason: Cow<'static, str>,
    reach: Reach,
}

impl Line {
    // The reason takes part so that the result does not depend on the order of recording.
    fn rank(&self) -> (Status, &str) {
        (self.status, &self.reason)
    }
}

/// The finished report. Serialises to the JSON that `--report` writes.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this JSON form.
    pub version: u32,
    /// The files, in the order of their ids.
    pub documents: Vec<ReportDocument>,
    /// Counts.
    pub summary: Summary,
    /// Every construct: by document, then by line and column, then by name.
    pub constructs: Vec<ReportLine>,
    /// Constraint keywords of each document that nothing refers to.
    #[serde(skip)]
    unreferenced: Vec<usize>,
}

/// A file in a report.
#[derive(Clone, Debug, Serialize)]
pub struct ReportDocument {
    /// Path as named by the policy, the command line, or a `$ref`.
    pub path: String,
    /// `info.title`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Counts of constructs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// All constructs that a message can meet.
    pub constructs: usize,
    /// How many are enforced.
    pub enforced: usize,
    /// How many are approximated.
    pub approximated: usize,
    /// How many are not enforced.
    pub not_enforced: usize,
    /// Constructs of components that nothing refers to; not listed.
    pub unreferenced: usize,
    /// By name of the construct: enforced, approximated, not enforced.
    pub by_construct: BTreeMap<String, [usize; 3]>,
    /// Reasons for what is not enforced or approximated, with how often each is given.
    pub reasons: BTreeMap<String, usize>,
}

/// One construct in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportLine {
    /// Path of the file.
    pub document: String,
    /// RFC 6901 pointer.
    pub pointer: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Keyword, or name from [`construct`].
    pub construct: String,
    /// How far it is enforced.
    pub status: Status,
    /// Why it is not enforced, how it is approximated, or, where it is enforced, what is left to others.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// From which parts of the API it can be reached.
    #[serde(skip)]
    pub reach: Reach,
}

impl Report {
    fn new(model: &Model, lines: BTreeMap<Key, Line>, unreferenced: usize) -> Self {
        let documents: Vec<_> = model
            .documents
            .iter()
            .map(|d| ReportDocument { path: d.path.clone(), title: d.title.clone() })
            .collect();
        let mut summary = Summary { constructs: lines.len(), unreferenced, ..Summary::default() };
        let mut constructs = Vec::with_capacity(lines.len());
        for (key, line) in lines {
            let (slot, count) = match line.status {
                Status::Enforced => (0, &mut summary.enforced),
                Status::Approximated => (1, &mut summary.approximated),
                Status::NotEnforced => (2, &mut summary.not_enforced),
            };
            *count += 1;
            summary.by_construct.entry(key.construct.to_string()).or_default()[slot] += 1;
            if line.status != Status::Enforced {
                *summary.reasons.entry(line.reason.to_string()).or_default() += 1;
            }
            constructs.push((
                key.document,
                ReportLine {
                    document: documents
                        .get(key.document as usize)
                        .map_or_else(String::new, |d| d.path.clone()),
                    pointer: key.pointer,
                    line: line.line,
                    column: line.column,
                    construct: key.construct.into_owned(),
                    status: line.status,
                    reason: line.reason.into_owned(),
                    reach: line.reach,
                },
            ));
        }
        constructs.sort_by(|(a, x), (b, y)| {
            (a, x.line, x.column, &x.pointer, &x.construct).cmp(&(
                b,
                y.line,
                y.column,
                &y.pointer,
                &y.construct,
            ))
        });
        let constructs = constructs.into_iter().map(|(_, line)| line).collect();
        Self { version: 1, documents, summary, constructs, unreferenced: Vec::new() }
    }

    /// The report as JSON text, one construct a line, with a final newline.
    pub fn to_json(&self) -> String {
        let mut out = format!(
            "{{\"version\":{},\n\"documents\":{},\n\"summary\":{},\n\"coverage\":{},\n\"constructs\":[",
            self.version,
            json(&self.documents),
            json(&self.summary),
            json(&self.coverage())
        );
        for (i, line) in self.constructs.iter().enumerate() {
            out.push_str(if i == 0 { "\n" } else { ",\n" });
            out.push_str(&json(line));
        }
        out.push_str("\n]}\n");
        out
    }

    /// What `--strict` objects to: everything not fully enforced that `accepted` does not cover.
    pub fn objections<'a>(
        &'a self,
        accepted: &'a [AcceptUnenforced],
    ) -> impl Iterator<Item = &'a ReportLine> {
        self.constructs
            .iter()
            .filter(|line| line.status != Status::Enforced)
            .filter(|line| !accepted.iter().any(|a| covers(a, line)))
    }
}

fn covers(accepted: &AcceptUnenforced, line: &ReportLine) -> bool {
    let construct = match accepted.construct.as_str() {
        "*" => true,
        // Everything under `responses`, whatever its name.
        "responses" => line.reason == Reach::RESPONSE.reason() || line.construct == "response",
        "security" => matches!(line.construct.as_str(), "security" | "securityScheme" | "scopes"),
        "callbacks" => line.reason == Reach::CALLBACK.reason(),
        "incoming" => line.reason == Reach::INCOMING.reason(),
        name => name == line.construct,
    };
    construct && accepted.pointer.as_ref().is_none_or(|p| line.pointer.starts_with(p.as_str()))
}

// Serialising to JSON fails only for maps with other than string keys, and there are none.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Document, DocumentId, Pointers, Version};

    fn model() -> (Model, Origin) {
        let mut model = Model::default();
        model.documents.push(Document {
            path: "a.yaml".into(),
            version: Version::V3_0,
            root: true,
            title: None,
            revision: None,
        });
        let pointer = model.pointers.push(Pointers::ROOT, "pattern");
        (model, Origin { document: DocumentId(0), line: 3, column: 1, pointer })
    }

    fn construct(pointer: &str, line: u32, construct: &'static str, reach: Reach) -> Construct {
        let document = DocumentId(0);
        Construct { document, pointer: pointer.into(), line, column: 1, construct, reach }
    }

    #[test]
    fn worst_status_stays_whatever_the_order() {
        for swap in [false, true] {
            let (model, origin) = model();
            let mut recorder = Recorder::default();
            if swap {
                recorder.not_enforced(origin, "pattern", "too large");
            }
            recorder.enforced(origin, "pattern");
            if !swap {
                recorder.not_enforced(origin, "pattern", "too large");
            }
            let report = recorder.finish(&model, &[]);
            assert_eq!(report.summary.not_enforced, 1);
            assert_eq!(report.constructs[0].reason, "too large");
        }
    }

    #[test]
    fn what_nobody_recorded_is_not_enforced() {
        let (model, origin) = model();
        let mut recorder = Recorder::default();
        recorder.enforced(origin, "pattern");
        let inventory = [
            construct("/pattern", 3, "pattern", Reach::REQUEST),
            construct("/a", 2, "minLength", Reach::REQUEST),
            construct("/b", 1, "minLength", Reach::RESPONSE),
            construct("/c", 1, "minLength", Reach::default()),
        ];
        let report = recorder.finish(&model, &inventory);
        let told: Vec<_> =
            report.constructs.iter().map(|l| (l.pointer.as_str(), l.reason.as_str())).collect();
        let expected =
            [("/b", "responses are not checked yet"), ("/a", "not examined"), ("/pattern", "")];
        assert_eq!(told, expected);
        assert_eq!(report.summary.unreferenced, 1);
        assert_eq!(report.objections(&[]).count(), 2);
        let accept = AcceptUnenforced {
            construct: "responses".into(),
            pointer: None,
            reason: String::new(),
        };
        assert_eq!(report.objections(&[accept]).count(), 1);
    }

    #[test]
    fn json_is_valid() {
        let (model, origin) = model();
        let mut recorder = Recorder::default();
        recorder.approximated(origin, "pattern", "says \"no\"");
        let text = recorder.finish(&model, &[]).to_json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["constructs"][0]["status"], "approximated");
        assert_eq!(value["summary"]["by_construct"]["pattern"][1], 1);
    }
}
