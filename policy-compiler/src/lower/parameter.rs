//! Lowers parameters: how the value is written, and what judges it.

use super::media;
use super::schema::{ANY, Lowering, Node, NodeId};
use super::tables::Tables;
use super::text_value::{ANY_TEXT, Manner, Parts};
use crate::ir::{self, ParameterLocation, ParameterValue};
use crate::report::construct;
use portcullis_bundle::layout::{
    self, Location, NONE, PARAMETER_ALTERNATIVE, PARAMETER_EMPTY_ALLOWED, PARAMETER_EXPLODE,
    PARAMETER_OPEN_OBJECT, PARAMETER_REQUIRED, PARAMETER_UNENFORCED, SCHEMA_ANY, Style, TYPE_ALL,
    TYPE_ARRAY, TYPE_NULL, TYPE_OBJECT,
};
use std::collections::HashMap;

/// Types of arrays and objects.
const CONTAINERS: u8 = TYPE_ARRAY | TYPE_OBJECT;

/// A parameter on its way to a record.
pub struct Lowered<'m> {
    parameter: &'m ir::Parameter,
    root: NodeId,
    style: Style,
    /// Index into text_values.
    value: u32,
    /// An exploded object that takes pairs of any name.
    open: bool,
    unenforced: Option<&'static str>,
}

impl Lowered<'_> {
    /// The node that judges the value.
    pub fn root(&self) -> NodeId {
        self.root
    }
}

/// Lowers the schema of a parameter and sees how its text has to be read. `None` for headers that
/// OpenAPI ignores.
pub fn lower<'m>(
    lowering: &mut Lowering<'m>,
    profile: usize,
    parameter: &'m ir::Parameter,
) -> Option<Lowered<'m>> {
    let reserved = ["accept", "content-type", "authorization"];
    let name = parameter.name.to_ascii_lowercase();
    if parameter.location == ParameterLocation::Header && reserved.contains(&name.as_str()) {
        let reason = "OpenAPI ignores header parameters of this name";
        let roots = match &parameter.value {
            ParameterValue::Schema(schema) => Some(*schema),
            ParameterValue::Content(media_type) => media_type.schema.map(|schema| schema.value),
            ParameterValue::Any => None,
        };
        lowering.unjudged(roots, reason);
        lowering.recorder().not_enforced(parameter.origin, construct::PARAMETER, reason);
        record_fields(lowering, parameter, Some(reason));
        return None;
    }
    let mut lowered = Lowered {
        parameter,
        root: ANY,
        style: style(parameter.style.value),
        value: ANY_TEXT,
        open: false,
        unenforced: None,
    };
    match &parameter.value {
        ParameterValue::Any => {}
        ParameterValue::Content(media_type) => {
            let roots = media_type.schema.map(|schema| schema.value);
            lowered.root = lowering.lower(profile, roots);
            content(lowering, profile, &media_type.range, &mut lowered);
            if let Some(reason) = lowered.unenforced {
                lowered.root = ANY;
                lowering.unjudged(roots, reason);
            }
            media::record(lowering, media_type, lowered.unenforced);
        }
        ParameterValue::Schema(schema) => {
            lowered.root = lowering.lower(profile, [*schema]);
            let nested = read(lowering.nodes(), &mut lowered);
            lowered.value = if nested {
                let unsaid = |_: &str, parts: &Parts| Manner {
                    unsaid: parts.types & TYPE_OBJECT != 0,
                    ..Manner::default()
                };
                lowering.form_value(lowered.root, profile, unsaid)
            } else {
                lowering.text_value(lowered.root, profile)
            };
            if let Some(reason) = lowered.unenforced {
                lowering.unjudged([*schema], reason);
            }
        }
    }
    lowering.note_texts(parameter.origin);
    record_fields(lowering, parameter, lowered.unenforced);
    let recorder = lowering.recorder();
    match lowered.unenforced {
        Some(reason) => {
            let reason = format!("{reason}; only that it is there is checked");
            recorder.approximated(parameter.origin, construct::PARAMETER, reason);
        }
        None => recorder.enforced(parameter.origin, construct::PARAMETER),
    }
    Some(lowered)
}

/// Records what becomes of a parameter's own fields. A default is recorded where the parameter
/// itself stands, which no construct of that name does.
fn record_fields(
    lowering: &mut Lowering<'_>,
    parameter: &ir::Parameter,
    unenforced: Option<&'static str>,
) {
    let recorder = lowering.recorder();
    let fields = [
        ("style", parameter.style.origin),
        ("explode", parameter.explode.origin),
        ("allowReserved", parameter.allow_reserved.origin),
        ("allowEmptyValue", parameter.allow_empty_value.origin),
    ];
    let written = fields.into_iter().filter(|(_, origin)| *origin != parameter.origin);
    for (name, origin) in written {
        match unenforced {
            Some(reason) => recorder.not_enforced(origin, name, reason),
            None => recorder.enforced(origin, name),
        }
    }
    if parameter.required.origin != parameter.origin {
        recorder.enforced(parameter.required.origin, "required");
    }
}

/// Sees how a value that is text of a media type is read.
fn content(
    lowering: &mut Lowering<'_>,
    profile: usize,
    range: &ir::MediaRange,
    lowered: &mut Lowered<'_>,
) {
    let types = lowering.nodes()[lowered.root.0 as usize].types;
    match (range.kind.as_str(), range.subtype.as_str()) {
        _ if range.is_json() => lowered.style = Style::Json,
        ("application", "x-www-form-urlencoded")
            if lowered.parameter.location == ParameterLocation::Querystring =>
        {
            lowered.style = Style::Form;
            let unsaid = |_: &str, parts: &Parts| Manner {
                unsaid: parts.types & CONTAINERS != 0,
                ..Manner::default()
            };
            lowered.value = lowering.form_value(lowered.root, profile, unsaid);
        }
        ("text", _) if types & CONTAINERS == 0 => {
            lowered.style = Style::Simple;
            lowered.value = lowering.text_value(lowered.root, profile);
        }
        _ => lowered.unenforced = Some("parameters of this media type are not checked"),
    }
}

/// Sees from the nodes whether the style can write the value. `true`: it is an object whose properties are pairs of
/// the query by themselves and hold objects, for which OpenAPI leaves open how they are written; these are read
/// as forms are, by brackets or as JSON.
fn read(nodes: &[Node], lowered: &mut Lowered<'_>) -> bool {
    let types = nodes[lowered.root.0 as usize].types;
    let containers = types & CONTAINERS;
    if containers == 0 || types == TYPE_ALL || lowered.style == Style::DeepObject {
        return false;
    }
    let parts = Parts::of(nodes, &[lowered.root]);
    let deep = |ids: &[NodeId]| {
        let types = ids.iter().fold(0, |types, id| types | nodes[id.0 as usize].types);
        types & CONTAINERS != 0 && types != TYPE_ALL
    };
    let scatters =
        lowered.parameter.explode.value && matches!(lowered.style, Style::Form | Style::Cookie);
    // Repeated pairs say an array within an exploded object well enough.
    let nests = |ids: &[NodeId]| {
        let objects = ids.iter().any(|id| {
            let node = &nodes[id.0 as usize];
            node.types & TYPE_OBJECT != 0 && node.types != TYPE_ALL
        });
        if scatters { objects } else { deep(ids) }
    };
    if containers & TYPE_ARRAY != 0 && deep(&parts.items) {
        lowered.unenforced = Some("this style cannot write arrays of arrays or of objects");
    } else if scatters
        && lowered.parameter.location == ParameterLocation::Query
        && types & !TYPE_NULL == TYPE_OBJECT
        && !nests(&parts.additional)
    {
        lowered.open = !parts.additional.is_empty();
        return parts.fields.values().any(|ids| nests(ids));
    } else if containers & TYPE_OBJECT != 0
        && (parts.fields.values().any(|ids| nests(ids)) || nests(&parts.additional))
    {
        lowered.unenforced = Some("this style cannot write objects within objects");
    }
    lowered.open = scatters && types & !TYPE_NULL == TYPE_OBJECT && !parts.additional.is_empty();
    false
}

/// Writes the parameters of one operation, by alternative; gives the first record and how many.
pub fn write(
    tables: &mut Tables<'_>,
    moved: &HashMap<NodeId, NodeId>,
    variables: &[&str],
    alternatives: &[Vec<Lowered<'_>>],
) -> (u32, u32) {
    let mut records = Vec::new();
    for (number, parameters) in alternatives.iter().enumerate() {
        let mut own = alternative(tables, moved, variables, parameters);
        if alternatives.len() > 1 && own.is_empty() {
            own.push(nothing(tables));
        }
        if let Some(first) = own.first_mut().filter(|_| number > 0) {
            first.flags |= PARAMETER_ALTERNATIVE;
        }
        records.extend(own);
    }
    let first = tables.sections.parameters.len() as u32;
    let count = records.len() as u32;
    tables.sections.parameters.extend(records);
    (first, count)
}

/// What stands for an alternative without parameters: a header that no message has.
fn nothing(tables: &mut Tables<'_>) -> layout::Parameter {
    layout::Parameter {
        name: tables.text(""),
        schema: SCHEMA_ANY.into(),
        value: ANY_TEXT.into(),
        origin: NONE.into(),
        location: Location::Header.code(),
        style: Style::Simple.code(),
        flags: PARAMETER_UNENFORCED,
        capture: 0,
    }
}

fn alternative(
    tables: &mut Tables<'_>,
    moved: &HashMap<NodeId, NodeId>,
    variables: &[&str],
    parameters: &[Lowered<'_>],
) -> Vec<layout::Parameter> {
    let mut records = Vec::new();
    for lowered in parameters {
        let parameter = lowered.parameter;
        let location = location(parameter.location);
        let capture = match location {
            Location::Path => variables.iter().position(|name| *name == parameter.name),
            _ => Some(0),
        };
        // A path parameter that the template lacks is reported by the front end.
        let Some(capture) = capture.and_then(|at| u8::try_from(at).ok()) else { continue };
        let name = match location {
            Location::Header => parameter.name.to_ascii_lowercase(),
            _ => parameter.name.clone(),
        };
        let flags = [
            (PARAMETER_REQUIRED, parameter.required.value),
            (PARAMETER_EXPLODE, parameter.explode.value),
            (PARAMETER_EMPTY_ALLOWED, parameter.allow_empty_value.value),
            (PARAMETER_UNENFORCED, lowered.unenforced.is_some()),
            (PARAMETER_OPEN_OBJECT, lowered.open),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit);
        records.push(layout::Parameter {
            name: tables.text(&name),
            schema: moved[&lowered.root].0.into(),
            value: lowered.value.into(),
            origin: tables.origin(parameter.origin).into(),
            location: location.code(),
            style: lowered.style.code(),
            flags,
            capture,
        });
    }
    records
}

/// The code of a style.
pub fn style(style: ir::Style) -> Style {
    match style {
        ir::Style::Matrix => Style::Matrix,
        ir::Style::Label => Style::Label,
        ir::Style::Simple => Style::Simple,
        ir::Style::Form => Style::Form,
        ir::Style::SpaceDelimited => Style::SpaceDelimited,
        ir::Style::PipeDelimited => Style::PipeDelimited,
        ir::Style::DeepObject => Style::DeepObject,
        ir::Style::Cookie => Style::Cookie,
        ir::Style::TabDelimited => Style::TabDelimited,
    }
}

fn location(location: ParameterLocation) -> Location {
    match location {
        ParameterLocation::Path => Location::Path,
        ParameterLocation::Query => Location::Query,
        ParameterLocation::Header => Location::Header,
        ParameterLocation::Cookie => Location::Cookie,
        ParameterLocation::Querystring => Location::Querystring,
    }
}
