//! Lowers operations: what each takes, and where the router leads to it.

use super::policy::{action, mode};
use super::route::Trie;
use super::schema::{Lowering, NodeId, Profile};
use super::tables::Tables;
use super::xml::Guides;
use super::{media, parameter, security};
use crate::diag::{Diagnostic, Span, TOO_MANY_SCHEMES};
use crate::ir::{self, Action, Api, Model, UnenforcedBodies};
use crate::report::construct;
use portcullis_bundle::layout::{
    self, BodyLimits, MAX_SCHEMES, NONE, OPERATION_BODY_REQUIRED, OPERATION_DEPRECATED,
    OPERATION_SENT, OPERATION_STREAMS,
};
use std::collections::{BTreeMap, HashMap};

/// Digits of a number, at most: far beyond what any decimal type holds.
const MAX_DIGITS: u16 = 128;

/// An operation on its way to records.
pub struct Lowered<'m> {
    api: u32,
    /// Indexes into the model's APIs and the API's operations.
    place: (usize, usize),
    of: &'m Api,
    operation: &'m ir::Operation,
    /// By alternative; the first are the operation's own.
    parameters: Vec<Vec<parameter::Lowered<'m>>>,
    media_types: Vec<media::Lowered>,
    security: Option<security::Lowered<'m>>,
}

impl Lowered<'_> {
    /// The nodes that judge its parameters and bodies.
    pub fn roots(&self) -> Vec<NodeId> {
        let parameters = self.parameters.iter().flatten().map(parameter::Lowered::root);
        let bodies = self.media_types.iter().map(media::Lowered::root);
        let security = self.security.iter().flat_map(security::Lowered::roots);
        parameters.chain(bodies).chain(security).collect()
    }
}

/// Lowers the schemas of every operation.
pub fn lower<'m>(
    lowering: &mut Lowering<'m>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Lowered<'m>> {
    let mut lowered = Vec::new();
    for (api, of) in lowering.model().apis.iter().enumerate() {
        for (number, operation) in of.operations.iter().enumerate() {
            let place = (api, number);
            let profile = lowering.profile(Profile::request(&operation.settings.strictness));
            let alternatives = [&operation.parameters].into_iter().chain(&operation.alternatives);
            let parameters = alternatives
                .map(|parameters| {
                    let each = parameters.iter();
                    each.filter_map(|it| parameter::lower(lowering, profile, it)).collect()
                })
                .collect();
            let body = operation.request_body.as_ref();
            let media_types =
                body.map_or_else(Vec::new, |body| media::lower(lowering, profile, body));
            let security = security::lower(lowering, of, operation).unwrap_or_else(|count| {
                let title = format!("the operation names {count} security schemes");
                diagnostics.push(
                    Diagnostic::new(TOO_MANY_SCHEMES, title)
                        .at(Span::of(operation.origin, lowering.model()))
                        .help(format!("at most {MAX_SCHEMES} can be told apart")),
                );
                None
            });
            lowering.recorder().enforced(operation.origin, construct::OPERATION);
            let api = api as u32;
            lowered.push(Lowered { api, place, of, operation, parameters, media_types, security });
        }
    }
    lowered
}

/// Records what no request is held to.
pub fn record_rest(lowering: &mut Lowering<'_>) {
    let model = lowering.model();
    let recorder = lowering.recorder();
    for (_, operation) in model.operations() {
        let own = operation.sent.as_ref().map(|sent| sent.origin);
        for base in operation.base_paths.iter().filter(|base| Some(base.origin) != own) {
            // The base path is what a server contributes; hosts bind where the policy lists them.
            recorder.enforced(base.origin, construct::SERVER);
        }
    }
}

/// Writes the operations and the routers that lead to them. Gives, for each operation of the bundle, the
/// indexes of the API and operation of the model that it is.
pub fn write(
    tables: &mut Tables<'_>,
    model: &Model,
    moved: &HashMap<NodeId, NodeId>,
    operations: &[Lowered<'_>],
) -> Vec<(usize, usize)> {
    // One operation of the trie for each base path of an operation.
    let mut placed: Vec<(usize, usize)> = Vec::new();
    let mut shared = Trie::default();
    let mut by_host: BTreeMap<String, Trie> = BTreeMap::new();
    for (index, lowered) in operations.iter().enumerate() {
        for (number, base) in lowered.operation.base_paths.iter().enumerate() {
            placed.push((index, number));
            let hosts = lowered.operation.hosts(lowered.of);
            if hosts.is_empty() {
                place(&mut shared, lowered, &base.value.segments(), placed.len() - 1);
            }
            for host in hosts {
                let trie = by_host.entry(host.to_ascii_lowercase()).or_default();
                place(trie, lowered, &base.value.segments(), placed.len() - 1);
            }
        }
    }
    // What each operation needs is written once, however many base paths and hosts lead to it.
    // Variables of a base path come before those of the template.
    let mut parts: HashMap<(usize, usize), [(u32, u32); 2]> = HashMap::new();
    let mut guides = Guides::new(&model.schemas);
    for (index, lowered) in operations.iter().enumerate() {
        let media_types = media::write(tables, &mut guides, moved, &lowered.media_types);
        for base in &lowered.operation.base_paths {
            let before = base.value.variables();
            parts.entry((index, before)).or_insert_with(|| {
                let mut variables = vec![""; before];
                variables.extend(lowered.operation.template.variables());
                let parameters = parameter::write(tables, moved, &variables, &lowered.parameters);
                [parameters, media_types]
            });
        }
    }
    guides.write(tables);
    let mut shared_security = security::Shared::default();
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut write_group = |tables: &mut Tables<'_>, group: &[usize]| {
        let mut records: Vec<layout::Operation> = Vec::new();
        let mut from = Vec::new();
        for place in group {
            let (index, number) = placed[*place];
            let lowered = &operations[index];
            let base = &lowered.operation.base_paths[number].value;
            let record = record(tables, lowered, &base.path, parts[&(index, base.variables())]);
            // The first declaration of a method on a path stays; `check` tells of the others.
            if records.iter().all(|known| known.method != record.method) {
                records.push(record);
                from.push(index);
            }
        }
        let first = tables.sections.operations.len() as u32;
        for (at, index) in (first..).zip(&from) {
            if let Some(lowered) = &operations[*index].security {
                security::write(tables, &mut shared_security, moved, at, lowered);
            }
        }
        places.extend(from.iter().map(|index| operations[*index].place));
        let count = records.len() as u32;
        tables.sections.operations.extend(records);
        (first, count)
    };
    let root = shared.write(tables, &mut write_group);
    for (name, trie) in &by_host {
        let root = trie.write(tables, &mut write_group).into();
        let name = tables.text(name);
        tables.sections.hosts.push(layout::Host { name, root });
    }
    if let Some(policy) = tables.sections.policy.first_mut() {
        policy.root = root.into();
    }
    debug_assert_eq!(tables.sections.apis.len(), model.apis.len());
    places
}

fn place(trie: &mut Trie, lowered: &Lowered<'_>, base: &[ir::Segment], operation: usize) {
    trie.insert(base, &lowered.operation.template.segments, operation);
    trie.insert_api(base, lowered.api);
}

fn record(
    tables: &mut Tables<'_>,
    lowered: &Lowered<'_>,
    base: &str,
    [parameters, media_types]: [(u32, u32); 2],
) -> layout::Operation {
    let operation = lowered.operation;
    let settings = &operation.settings;
    let template = format!("{base}{}", operation.template.text);
    let method = operation.method.name();
    let body = operation.request_body.as_ref();
    let streams = |media_type: &ir::MediaType| {
        let range = &media_type.range;
        range.kind == "application" && range.subtype.starts_with("grpc")
    };
    let flags = [
        (OPERATION_BODY_REQUIRED, body.is_some_and(|body| body.required.value)),
        (OPERATION_DEPRECATED, operation.deprecated),
        (OPERATION_SENT, operation.sent.is_some()),
        (OPERATION_STREAMS, body.is_some_and(|body| body.content.iter().any(streams))),
    ];
    let flags = flags.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit);
    let unenforced = match settings.strictness.unenforced_bodies {
        UnenforcedBodies::Allow => Action::Allow,
        UnenforcedBodies::Block => Action::Block,
    };
    layout::Operation {
        id: identity(&lowered.of.name, method, &template).into(),
        api: lowered.api.into(),
        method: tables.text(method),
        template: tables.text(&template),
        operation_id: tables.text(operation.id.as_ref().map_or("", |id| &id.value)),
        parameters: parameters.0.into(),
        parameter_count: parameters.1.into(),
        media_types: media_types.0.into(),
        media_type_count: media_types.1.into(),
        origin: tables.origin(operation.origin).into(),
        body_origin: body.map_or(NONE, |body| tables.origin(body.origin)).into(),
        limits: limits(&settings.limits),
        mode: mode(settings.mode).code(),
        undeclared_query: action(settings.undeclared.query_parameters).code(),
        undeclared_media_types: action(settings.undeclared.media_types).code(),
        unenforced_bodies: action(unenforced).code(),
        flags: flags.into(),
    }
}

/// What stays the same for an operation from bundle to bundle.
fn identity(api: &str, method: &str, template: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in [api, "\0", method, "\0", template] {
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    hash.as_bytes().iter().take(8).rev().fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// The bundle's limits on bodies.
pub fn limits(limits: &ir::Limits) -> BodyLimits {
    BodyLimits {
        max_bytes: u32::try_from(limits.body).unwrap_or(NONE - 1).into(),
        max_string: limits.string.into(),
        max_properties: limits.properties.into(),
        max_items: limits.items.into(),
        max_depth: u16::try_from(limits.depth).unwrap_or(u16::MAX).into(),
        max_digits: MAX_DIGITS.into(),
    }
}
