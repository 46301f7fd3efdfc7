//! The front end as a whole: from file names to a model, an inventory and diagnostics.

use crate::check;
use crate::diag::{self, Diagnostic, Diagnostics, Files, Span, did_you_mean};
use crate::ir::{Attacks, Direction, DocumentId, Model, Removal, Rule, RuleSelector, Unsupported};
use crate::openapi::{self, ApiDocuments, Mappings};
use crate::policy::{self, AttackPolicy, PolicyFile};
use crate::report::{Construct, inventory};
use crate::rules;
use crate::seclang;
use crate::source::{Library, Sources, join};

/// What the front end made of its input.
#[derive(Debug)]
pub struct Loaded {
    /// The model; of use only when `diagnostics` has no errors.
    pub model: Model,
    /// Everything that the documents contain, for the report.
    pub inventory: Vec<Construct>,
    /// What is wrong with the input; more can be added by later stages.
    pub diagnostics: Diagnostics,
    /// Texts of the input, for rendering diagnostics.
    pub files: Files,
}

/// Reads documents without a policy: each is an API of its own, named after its file, under the
/// default settings. A document that declares webhooks and no paths is an outbound API.
pub fn load_documents(sources: &dyn Sources, paths: &[String]) -> Loaded {
    load_as(sources, paths, None)
}

/// The same with every document an API of the given direction.
pub fn load_as(sources: &dyn Sources, paths: &[String], direction: Option<Direction>) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let mut library = Library::new(sources);
    let mut apis: Vec<ApiDocuments> = Vec::new();
    for path in paths {
        let name = api_name(path, &apis);
        let documents: Vec<_> = library.load(path, &mut diagnostics).into_iter().collect();
        let direction = direction.unwrap_or_else(|| natural(&library, &documents));
        apis.push(ApiDocuments {
            name,
            documents,
            unresolved_refs: Unsupported::Error,
            direction,
            mappings: Mappings::default(),
        });
    }
    let mut loaded = finish(library, &apis, diagnostics);
    loaded.model.policy.name =
        apis.first().map_or_else(|| "policy".to_owned(), |api| api.name.clone());
    check::run(&loaded.model, &mut loaded.diagnostics);
    loaded
}

/// Reads a policy and the documents that it names.
pub fn load_policy(sources: &dyn Sources, path: &str) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    let mut library = Library::new(sources);
    let Some(text) = library.read_text(path, &mut diagnostics) else {
        return finish(library, &[], diagnostics);
    };
    let Some(file) = policy::parse(path, &text, &mut diagnostics) else {
        return finish(library, &[], diagnostics);
    };
    let mut apis: Vec<ApiDocuments> = Vec::new();
    for api in &file.apis {
        let mut documents = Vec::new();
        for (document, span) in &api.documents {
            match library.load_named(&join(path, document), &mut diagnostics) {
                Ok(id) if documents.contains(&id) => diagnostics.push(
                    Diagnostic::new(
                        diag::POLICY_DUPLICATE,
                        format!("`{document}` is listed twice"),
                    )
                    .at(span.clone()),
                ),
                Ok(id) => documents.push(id),
                Err(why) => diagnostics.push(
                    Diagnostic::new(
                        diag::UNREADABLE_FILE,
                        format!("`{document}` cannot be read: {why}"),
                    )
                    .at(span.clone())
                    .help("documents are named relative to the policy file"),
                ),
            }
        }
        apis.push(ApiDocuments {
            name: api.name.clone(),
            documents,
            unresolved_refs: api.settings.strictness.unresolved_refs,
            direction: api.direction,
            mappings: policy::mappings(api, &mut diagnostics),
        });
    }
    let attacks = load_rules(path, &file, &mut library, &mut diagnostics);
    let mut loaded = finish(library, &apis, diagnostics);
    loaded.model.attacks = attacks;
    loaded.model.limiting = file.limiting.clone();
    policy::apply(&file, &mut loaded.model, &mut loaded.diagnostics);
    policy::close(&mut loaded.model);
    check::run(&loaded.model, &mut loaded.diagnostics);
    loaded
}

/// Reads the packs of attack rules that a policy names.
fn load_rules(
    path: &str,
    file: &PolicyFile,
    library: &mut Library<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Attacks> {
    let policy = file.attacks.as_ref()?;
    let mut attacks = policy.attacks.clone();
    for (name, span) in &policy.packs {
        for rule in rules::load(name, (path, span), library, diagnostics) {
            if let Some(first) = attacks.rules.iter().find(|first| first.id == rule.id) {
                if first.file != rule.file {
                    let title = format!("two packs have a rule `{}`", rule.id);
                    let diagnostic = Diagnostic::new(diag::RULE_DUPLICATE, title)
                        .label(Span::word(&rule.file, rule.line, 1), "again here")
                        .label(Span::word(&first.file, first.line, 1), "first here");
                    diagnostics.push(diagnostic);
                }
            } else {
                attacks.rules.push(rule);
            }
        }
    }
    for (options, _) in &policy.sets {
        load_set(path, options, policy, &mut attacks, library, diagnostics);
    }
    for (selector, span) in &policy.places {
        if !attacks.rules.iter().any(|rule| selector.is(rule)) {
            diagnostics.push(no_such_rule(selector, &attacks.rules).at(span.clone()));
        }
    }
    Some(attacks)
}

/// Reads a set of rules in SecLang.
fn load_set(
    path: &str,
    options: &seclang::Options,
    policy: &AttackPolicy,
    attacks: &mut Attacks,
    library: &mut Library<'_>,
    diagnostics: &mut Diagnostics,
) {
    let options = seclang::Options {
        folder: join(path, &options.folder),
        setup: options.setup.as_ref().map(|setup| join(path, setup)),
        variables: options.variables.clone(),
    };
    let resolved = seclang::load(&options, library, diagnostics).resolved;
    let number = |name: &str| resolved.constants.get(name).and_then(|it| it.parse::<u16>().ok());
    for (name, given, threshold) in [
        ("inbound_anomaly_score_threshold", policy.gives_threshold.0, &mut attacks.inbound),
        ("outbound_anomaly_score_threshold", policy.gives_threshold.1, &mut attacks.outbound),
    ] {
        if let Some(number) = number(name).filter(|number| !given && *number > 0) {
            *threshold = number;
        }
    }
    // Rules above the level that blocks only report.
    let level = number("blocking_paranoia_level").or_else(|| number("paranoia_level"));
    let first = attacks.rules.len();
    attacks.rules.extend(resolved.rules.into_iter().map(|mut rule| {
        rule.detects_only = level.is_some_and(|level| u16::from(rule.paranoia) > level);
        rule
    }));
    attacks.removals.extend(resolved.removals.into_iter().map(|removal| Removal {
        by: removal.by + first,
        rules: removal.rules.iter().map(|rule| rule + first).collect(),
        at: removal.at,
    }));
}

fn no_such_rule(selector: &RuleSelector, rules: &[Rule]) -> Diagnostic {
    let (title, help) = match selector {
        RuleSelector::Id(id) => {
            let help = did_you_mean(id, rules.iter().map(|rule| rule.id.as_str()));
            (format!("no pack has a rule `{id}`"), help)
        }
        RuleSelector::All => ("the policy's packs have no rules".to_owned(), None),
        RuleSelector::Tag(tag) => {
            let tags = rules.iter().flat_map(|rule| &rule.tags);
            (format!("no rule has the tag `{tag}`"), did_you_mean(tag, tags.map(String::as_str)))
        }
    };
    Diagnostic::new(diag::RULE_NO_MATCH, title).maybe_help(help)
}

fn finish(library: Library<'_>, apis: &[ApiDocuments], mut diagnostics: Diagnostics) -> Loaded {
    let model = openapi::read(&library, apis, &mut diagnostics);
    let of = |api: &ApiDocuments| {
        let direction = api.direction;
        api.documents.iter().map(move |id| (*id, direction)).collect::<Vec<_>>()
    };
    let roots: Vec<_> = apis.iter().flat_map(of).collect();
    let inventory = inventory::take(&library, &roots);
    Loaded { model, inventory, diagnostics, files: library.into_files() }
}

/// Outbound, where documents declare webhooks and nothing else.
fn natural(library: &Library<'_>, documents: &[DocumentId]) -> Direction {
    let filled = |id: &DocumentId, field: &str| {
        let members = library.tree(*id).root().get(field).and_then(|node| node.members());
        members.is_some_and(|mut members| members.next().is_some())
    };
    let webhooks = documents.iter().any(|id| filled(id, "webhooks"));
    match webhooks && !documents.iter().any(|id| filled(id, "paths")) {
        true => Direction::Outbound,
        false => Direction::Inbound,
    }
}

/// The file's name without folders and extension, made unique.
fn api_name(path: &str, taken: &[ApiDocuments]) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.split('.').next().filter(|s| !s.is_empty()).unwrap_or("api");
    let is_taken = |name: &str| taken.iter().any(|api| api.name == name);
    if !is_taken(stem) {
        return stem.to_owned();
    }
    (2..).map(|i| format!("{stem}-{i}")).find(|name| !is_taken(name)).unwrap_or_default()
}
