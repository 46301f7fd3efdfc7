//! Keywords that are enforced and that no mutant is about: each for a reason that the document shows, or it counts
//! against the suite.

use std::collections::HashSet;

use policy_compiler::examples::properties_of;
use policy_compiler::ir::SchemaId;
use policy_compiler::report::{Reach, Report, Status, is_constraint};

use crate::left::Reason;
use crate::run::Runner;

/// Keywords that hold schemas and refuse through the keywords within.
const HOLD: &[&str] = &[
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "dependentSchemas",
    "dependencies",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "allOf",
    "if",
    "then",
    "else",
    "contentSchema",
    "$dynamicRef",
];

const HOLDS: Reason = Reason {
    what: "keyword",
    code: "holds-schemas",
    meaning: "it refuses through the keywords within, which have pairs of their own",
};
const DECIDES: Reason = Reason {
    what: "keyword",
    code: "decides",
    meaning: "it stands within `not`, `if`, `contains` or `propertyNames`, which refuse by its verdict",
};
const READ_ONLY: Reason = Reason {
    what: "keyword",
    code: "read-only",
    meaning: "it stands within a property that requests may not have at all",
};
const SAYS_RESPONSES: Reason =
    Reason { what: "keyword", code: "write-only", meaning: "it is about responses" };
const PATH_VARIABLE: Reason = Reason {
    what: "keyword",
    code: "path-variable",
    meaning: "without what a variable takes the path is another one",
};
const NULLABLE: Reason = Reason {
    what: "keyword",
    code: "nullable",
    meaning: "it widens the `type` beside it, which has a pair of its own",
};
const OTHER_OPERATION: Reason = Reason {
    what: "keyword",
    code: "no-operation",
    meaning: "none of the operations that are judged brings a value to it",
};

impl Runner<'_> {
    /// Accounts for every enforced keyword that no pair is about.
    pub(crate) fn unpaired(&mut self, report: &Report) {
        let within = |roots: Vec<SchemaId>| self.pointers(roots);
        let deciding = within(self.deciding());
        let read_only = {
            let roots = self.read_only_roots();
            self.pointers(roots)
        };
        for line in &report.constructs {
            let judged = line.status == Status::Enforced
                && line.reach.0 & Reach::REQUEST.0 != 0
                && is_constraint(&line.construct);
            let key = (line.document.clone(), line.pointer.clone(), line.construct.clone());
            if !judged || self.seen.contains(&key) {
                continue;
            }
            let schema = line.pointer.strip_suffix(&line.construct);
            let schema = schema.and_then(|rest| rest.strip_suffix('/')).unwrap_or(&line.pointer);
            let place = (line.document.clone(), schema.to_owned());
            let construct = line.construct.as_str();
            let reason = if HOLD.contains(&construct) {
                Some(HOLDS)
            } else if deciding.contains(&place) {
                Some(DECIDES)
            } else if read_only.contains(&place) {
                Some(READ_ONLY)
            } else if construct == "nullable" {
                Some(NULLABLE)
            } else if construct == "writeOnly" {
                Some(SAYS_RESPONSES)
            } else if construct == "required"
                && self.is_path_variable(&line.document, &line.pointer)
            {
                Some(PATH_VARIABLE)
            } else if !self.reached.contains(&place) {
                Some(OTHER_OPERATION)
            } else {
                None
            };
            let sample = || format!("{construct} {}:{} {}", line.document, line.line, line.pointer);
            match reason {
                Some(reason) => self.outcome.left.add(reason, sample),
                None => {
                    self.outcome.mutants.1 += 1;
                    let kind = format!("{construct}: enforced, and no mutant is about it");
                    self.outcome.survivors.add(kind, sample);
                }
            }
        }
    }

    /// The pointers of schemas and of all that they lead to.
    fn pointers(&self, roots: Vec<SchemaId>) -> HashSet<(String, String)> {
        let model = self.model;
        let mut seen: HashSet<SchemaId> = roots.iter().copied().collect();
        let mut open = roots;
        let mut all = HashSet::new();
        while let Some(id) = open.pop() {
            let at = model.locate(model.schemas[id].origin);
            all.insert((at.path.to_owned(), at.pointer));
            open.extend(model.schemas[id].children().into_iter().filter(|id| seen.insert(*id)));
        }
        all
    }

    fn deciding(&self) -> Vec<SchemaId> {
        let all = self.model.schemas.iter().flat_map(|(_, schema)| {
            let of = &*schema.applied;
            [of.not, of.if_, schema.array.contains, schema.object.property_names]
        });
        all.flatten().map(|at| at.value).collect()
    }

    fn read_only_roots(&mut self) -> Vec<SchemaId> {
        let model = self.model;
        let all: Vec<SchemaId> =
            model.schemas.iter().flat_map(|(_, schema)| properties_of(schema)).collect();
        all.into_iter().filter(|id| self.generator.evaluator.is_read_only(*id)).collect()
    }

    fn is_path_variable(&self, document: &str, pointer: &str) -> bool {
        use policy_compiler::ir::ParameterLocation;
        let operations = self.model.operations();
        operations.flat_map(|(_, operation)| operation.all_parameters()).any(|parameter| {
            let at = self.model.locate(parameter.required.origin);
            parameter.location == ParameterLocation::Path
                && (at.path, at.pointer.as_str()) == (document, pointer)
        })
    }
}
