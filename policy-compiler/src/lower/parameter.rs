//! Lowers parameters: how the value is cut into pieces, and what each piece may be.

use super::media;
use super::schema::{ANY, Branches, Lowering, NEVER, Node, NodeId};
use super::tables::Tables;
use crate::ir::{self, ParameterLocation, ParameterValue};
use crate::report::construct;
use portcullis_bundle::layout::{
    self, Location, PARAMETER_EMPTY_ALLOWED, PARAMETER_EXPLODE, PARAMETER_OPEN_OBJECT,
    PARAMETER_REQUIRED, PARAMETER_UNENFORCED, Shape, Style, TYPE_ALL, TYPE_ARRAY, TYPE_NULL,
    TYPE_OBJECT,
};
use std::collections::HashMap;

/// Types of one piece of text.
const SCALARS: u8 = TYPE_ALL & !TYPE_ARRAY & !TYPE_OBJECT;

/// A parameter on its way to a record.
pub struct Lowered<'m> {
    parameter: &'m ir::Parameter,
    root: NodeId,
    shape: Shape,
    style: Style,
    types: u8,
    fields: Vec<(String, u8)>,
    /// The node of further properties, for objects.
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
        shape: Shape::Scalar,
        style: style(parameter.style.value),
        types: SCALARS,
        fields: Vec::new(),
        open: false,
        unenforced: None,
    };
    match &parameter.value {
        ParameterValue::Any => {}
        ParameterValue::Content(media_type) => {
            lowered.style = Style::Json;
            lowered.types = TYPE_ALL;
            match &media_type.schema {
                _ if !media_type.range.is_json() => {
                    lowered.unenforced = Some("only JSON content of parameters is checked");
                    let roots = media_type.schema.map(|schema| schema.value);
                    lowering.unjudged(roots, "only JSON content of parameters is checked");
                }
                Some(schema) => lowered.root = lowering.lower(profile, [schema.value]),
                None => {}
            }
            media::record(lowering, media_type, lowered.unenforced);
        }
        ParameterValue::Schema(schema) => {
            lowered.root = lowering.lower(profile, [*schema]);
            read(lowering.nodes(), &mut lowered);
            if let Some(reason) = lowered.unenforced {
                lowering.unjudged([*schema], reason);
            }
        }
    }
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

/// Sees from the nodes what the parameter's value is made of.
fn read(nodes: &[Node], lowered: &mut Lowered<'_>) {
    let types = nodes[lowered.root.0 as usize].types;
    let containers = types & (TYPE_ARRAY | TYPE_OBJECT);
    let refuse = |lowered: &mut Lowered<'_>, reason| lowered.unenforced = Some(reason);
    if types == 0 {
        return;
    }
    if matches!(lowered.style, Style::Matrix | Style::Label) {
        return refuse(lowered, "the styles matrix and label are not supported yet");
    }
    if containers == 0 || types == TYPE_ALL {
        lowered.types = types & SCALARS;
        if lowered.style == Style::DeepObject {
            refuse(lowered, "the style deepObject is for objects");
        }
        return;
    }
    if types & SCALARS & !TYPE_NULL != 0 || containers == TYPE_ARRAY | TYPE_OBJECT {
        return refuse(lowered, "a value of several shapes cannot be told apart in a parameter");
    }
    let mut parts = Parts::default();
    parts.collect(nodes, lowered.root, 16);
    if containers == TYPE_ARRAY {
        lowered.shape = Shape::Array;
        lowered.types = parts.items & SCALARS;
        if parts.items & !SCALARS != 0 && parts.items != TYPE_ALL {
            refuse(lowered, "arrays of arrays or objects in parameters are not supported");
        }
        if lowered.style == Style::DeepObject {
            refuse(lowered, "deepObject with arrays is not defined by OpenAPI");
        }
        return;
    }
    lowered.shape = Shape::Object;
    lowered.types = parts.additional & SCALARS;
    lowered.open = parts.additional != 0;
    let deep = |types: &u8| types & !SCALARS != 0 && *types != TYPE_ALL;
    if parts.fields.iter().any(|(_, types)| deep(types)) || deep(&parts.additional) {
        refuse(lowered, "objects in parameters hold only plain values; nesting is not supported");
    }
    lowered.fields =
        parts.fields.into_iter().map(|(name, types)| (name, types & SCALARS)).collect();
}

/// What the arrays and objects that a node accepts hold.
#[derive(Default)]
struct Parts {
    items: u8,
    fields: Vec<(String, u8)>,
    additional: u8,
}

impl Parts {
    fn collect(&mut self, nodes: &[Node], id: NodeId, depth: usize) {
        let node = &nodes[id.0 as usize];
        let types = |id: NodeId| nodes[id.0 as usize].types;
        if depth == 0 || id == NEVER {
            return;
        }
        if let Some(array) = &node.array {
            self.items |= types(array.items);
            self.items |= array.prefix.iter().fold(0, |bits, id| bits | types(*id));
        } else if node.compositions.is_empty() {
            self.items |= TYPE_ALL;
        }
        if let Some(object) = &node.object {
            for property in &object.properties {
                match self.fields.iter_mut().find(|(name, _)| *name == property.name) {
                    Some((_, known)) => *known |= types(property.node),
                    None => self.fields.push((property.name.clone(), types(property.node))),
                }
            }
            self.additional |= types(object.additional);
        } else if node.compositions.is_empty() {
            self.additional |= TYPE_ALL;
        }
        for composition in &node.compositions {
            let branches: Vec<NodeId> = match &composition.branches {
                Branches::Plain(_, ids) => ids.clone(),
                Branches::Tagged(_, tags) => tags.iter().map(|(_, id)| *id).collect(),
                Branches::Types([.., array, object]) => vec![*array, *object],
            };
            branches.into_iter().for_each(|id| self.collect(nodes, id, depth - 1));
        }
    }
}

/// Writes parameters of one operation; gives the first record and how many.
pub fn write(
    tables: &mut Tables<'_>,
    moved: &HashMap<NodeId, NodeId>,
    variables: &[&str],
    parameters: &[Lowered<'_>],
) -> (u32, u32) {
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
            (PARAMETER_OPEN_OBJECT, lowered.open && parameter.explode.value),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).fold(0, |flags, (bit, _)| flags | bit);
        let fields = tables.sections.parameter_fields.len() as u32;
        for (name, types) in &lowered.fields {
            let name = tables.text(name);
            let field = layout::ParameterField { name, types: u32::from(*types).into() };
            tables.sections.parameter_fields.push(field);
        }
        records.push(layout::Parameter {
            name: tables.text(&name),
            schema: moved[&lowered.root].0.into(),
            fields: fields.into(),
            field_count: (lowered.fields.len() as u32).into(),
            origin: tables.origin(parameter.origin).into(),
            location: location.code(),
            style: lowered.style.code(),
            shape: lowered.shape.code(),
            flags,
            types: lowered.types,
            capture,
            reserved: 0.into(),
        });
    }
    let first = tables.sections.parameters.len() as u32;
    let count = records.len() as u32;
    tables.sections.parameters.extend(records);
    (first, count)
}

fn style(style: ir::Style) -> Style {
    match style {
        ir::Style::Matrix => Style::Matrix,
        ir::Style::Label => Style::Label,
        ir::Style::Simple => Style::Simple,
        ir::Style::Form => Style::Form,
        ir::Style::SpaceDelimited => Style::SpaceDelimited,
        ir::Style::PipeDelimited => Style::PipeDelimited,
        ir::Style::DeepObject => Style::DeepObject,
    }
}

fn location(location: ParameterLocation) -> Location {
    match location {
        ParameterLocation::Path => Location::Path,
        ParameterLocation::Query => Location::Query,
        ParameterLocation::Header => Location::Header,
        ParameterLocation::Cookie => Location::Cookie,
    }
}
