//! How much of each document is enforced, in numbers.
//!
//! A *constraint keyword* is a keyword of a schema that constrains values (every one that the inventory lists, those
//! that hold other schemas included), or the `required` of a parameter or body. Counted are those that a request can
//! meet and to which the document's OpenAPI version gives a meaning; the others are counted apart.
//!
//! So are formats that are not known. OpenAPI, "Data Types": "Tools that do not recognize a specific format MAY default back
//! to the type alone, as if the format is not specified"; JSON Schema 2020-12 takes every `format` as an annotation unless
//! a dialect asks for more. Such a name says something to the document's readers, and no message can violate it.

use super::{Construct, Reach, Report, ReportLine, Status, inventory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Reasons that say that the specification itself gives a construct no meaning where it stands.
const MEANINGLESS: &[&str] = &[
    "OpenAPI 3.0 ignores what is beside `$ref`",
    "Swagger 2.0 ignores what is beside `$ref`",
    "OpenAPI ignores header parameters of this name",
    "means nothing in OpenAPI 3.1",
    "means nothing without `type` in the same schema",
    "not a keyword of this OpenAPI version",
    "not a form of this version",
    "has the form of another OpenAPI version",
    "a list of schemas is not a form of this version",
    "a boolean means nothing in a schema",
    "an empty list means nothing",
    "no `if` beside it",
    "no `contains` beside it",
    "its value ",
    "it means nothing without",
    "no `oneOf` or `anyOf` beside it",
];
/// Ends of reasons of the same kind: a keyword beside a `type` that it says nothing of (JSON Schema 2020-12 validation,
/// sections 7.2 and 8.2).
const MEANINGLESS_ENDS: &[&str] = &[
    "is a format of numbers",
    "is a format of strings",
    "is a format of numbers and strings",
    "says something of strings only",
];

/// The numbers of every document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// In the order of the documents.
    pub documents: Vec<DocumentCoverage>,
}

/// The numbers of one document: constraint keywords, each counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCoverage {
    /// Path of the file.
    pub path: String,
    /// A request that violates it is found.
    pub enforced: usize,
    /// Some requests that violate it pass, or some that satisfy it do not.
    pub approximated: usize,
    /// It has no effect.
    pub not_enforced: usize,
    /// Keywords that the OpenAPI version gives no meaning where they stand.
    pub meaningless: usize,
    /// `format` keywords whose name no specification defines, so that they forbid no value.
    pub unknown_formats: usize,
    /// Keywords that only responses can meet.
    pub responses: usize,
    /// Keywords that only requests of the other direction can meet: those of callbacks and webhooks, or of an
    /// outbound API's paths.
    pub callbacks: usize,
    /// Keywords of components that nothing refers to.
    pub unreferenced: usize,
    /// Reasons for what is approximated or not enforced, unknown formats included, with how often each is given.
    pub reasons: BTreeMap<String, usize>,
}

impl DocumentCoverage {
    /// All constraint keywords that a request can meet.
    pub fn total(&self) -> usize {
        self.enforced + self.approximated + self.not_enforced
    }

    /// How many of a hundred are enforced; 100 where there is none.
    pub fn percentage(&self) -> f64 {
        match self.total() {
            0 => 100.0,
            total => self.enforced as f64 * 100.0 / total as f64,
        }
    }
}

/// Whether a construct of that name is a constraint keyword.
pub fn is_constraint(construct: &str) -> bool {
    inventory::keywords().any(|keyword| keyword == construct)
}

impl Report {
    /// The numbers of every document.
    pub fn coverage(&self) -> Coverage {
        let mut documents: Vec<DocumentCoverage> = self
            .documents
            .iter()
            .zip(&self.unreferenced)
            .map(|(document, unreferenced)| DocumentCoverage {
                path: document.path.clone(),
                unreferenced: *unreferenced,
                ..DocumentCoverage::default()
            })
            .collect();
        let places: BTreeMap<String, usize> =
            documents.iter().enumerate().map(|(i, d)| (d.path.clone(), i)).collect();
        for line in self.constructs.iter().filter(|line| is_constraint(&line.construct)) {
            if let Some(place) = places.get(&line.document) {
                count(&mut documents[*place], line);
            }
        }
        Coverage { documents }
    }
}

fn count(of: &mut DocumentCoverage, line: &ReportLine) {
    let from = |part: Reach| line.reach.0 & part.0 != 0;
    if !from(Reach::REQUEST) {
        let apart = if from(Reach::RESPONSE) { &mut of.responses } else { &mut of.callbacks };
        *apart += 1;
        return;
    }
    let meaningless = MEANINGLESS.iter().any(|reason| line.reason.starts_with(reason))
        || MEANINGLESS_ENDS.iter().any(|reason| line.reason.ends_with(reason));
    let unknown = line.construct == "format" && line.reason.ends_with("is not known");
    match line.status {
        Status::Enforced => of.enforced += 1,
        _ if meaningless => of.meaningless += 1,
        _ if unknown => of.unknown_formats += 1,
        Status::Approximated => of.approximated += 1,
        Status::NotEnforced => of.not_enforced += 1,
    }
    if line.status != Status::Enforced && !meaningless {
        *of.reasons.entry(line.reason.clone()).or_default() += 1;
    }
}

/// Keywords of each document that nothing refers to.
pub(super) fn unreferenced(documents: usize, inventory: &[Construct]) -> Vec<usize> {
    let mut counts = vec![0; documents];
    for construct in inventory {
        if construct.reach.is_none() && is_constraint(construct.construct) {
            counts.iter_mut().skip(construct.document.index()).take(1).for_each(|n| *n += 1);
        }
    }
    counts
}
