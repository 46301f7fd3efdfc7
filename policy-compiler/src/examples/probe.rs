//! Schemas by themselves, as operations of a model that is made for them.

use crate::ir::{
    Api, At, BasePath, MediaRange, MediaType, Method, Model, Operation, Origin, RequestBody,
    SchemaId, Settings, Template, Version,
};

/// A model with an operation for each schema, whose JSON body it judges: `POST /sN`.
pub fn probe(model: &Model, ids: &[SchemaId]) -> Model {
    let mut probe = model.clone();
    let mut settings =
        model.apis.first().map_or_else(Settings::default, |api| api.settings.clone());
    settings.strictness.unenforced_bodies = Default::default();
    let version = model.documents.first().map_or(Version::V3_0, |document| document.version);
    let operations = ids
        .iter()
        .enumerate()
        .map(|(index, id)| {
            let origin = Origin::default();
            let at = |value: bool| At::new(value, origin);
            let segment = crate::ir::Segment(vec![crate::ir::Part::Literal(format!("s{index}"))]);
            let media = MediaType {
                origin,
                text: "application/json".to_owned(),
                range: MediaRange {
                    kind: "application".to_owned(),
                    subtype: "json".to_owned(),
                    parameters: Vec::new(),
                },
                schema: Some(At::new(*id, origin)),
                whole: false,
                encoding: Vec::new(),
            };
            Operation {
                origin,
                version,
                method: Method::Post,
                template: Template { text: format!("/s{index}"), segments: vec![segment] },
                path_origin: origin,
                base_paths: vec![At::new(BasePath::default(), origin)],
                hosts: Vec::new(),
                sent: None,
                id: None,
                tags: Vec::new(),
                deprecated: false,
                parameters: Vec::new(),
                alternatives: Vec::new(),
                request_body: Some(RequestBody {
                    origin,
                    required: at(true),
                    content: vec![media],
                }),
                responses: Vec::new(),
                security: Vec::new(),
                callbacks: Vec::new(),
                settings: settings.clone(),
            }
        })
        .collect();
    probe.apis = vec![Api { name: "probe".to_owned(), operations, settings, ..Api::default() }];
    probe
}
