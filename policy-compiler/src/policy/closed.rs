//! `additional_properties: closed`: properties that no schema of a value names are refused.
//!
//! In: a model with its policy applied. Out: the same, in which operations whose policy says so refer to copies of
//! their schemas. At each value whose schemas name properties the copy has `unevaluatedProperties: false`; what only
//! tests a value (`not`, `if`, `contains`, `propertyNames`) stays as it is, so that its verdict does.

use std::collections::HashMap;

use crate::ir::{AdditionalProperties, At, Model, ParameterValue, Schema, SchemaId, Schemas};

/// Closes the objects of all operations whose policy asks for it.
pub fn close(model: &mut Model) {
    let first = model.schemas.len();
    let mut closing = Closing::new(&mut model.schemas);
    for operation in model.apis.iter_mut().flat_map(|api| &mut api.operations) {
        if operation.settings.strictness.additional_properties != AdditionalProperties::Closed {
            continue;
        }
        let alternatives = operation.alternatives.iter_mut().flatten();
        for parameter in operation.parameters.iter_mut().chain(alternatives) {
            match &mut parameter.value {
                ParameterValue::Schema(id) => *id = closing.value(*id),
                ParameterValue::Content(media) => {
                    media.schema.iter_mut().for_each(|at| at.value = closing.value(at.value));
                }
                ParameterValue::Any => {}
            }
        }
        let content = operation.request_body.iter_mut().flat_map(|body| &mut body.content);
        for schema in content.filter_map(|media| media.schema.as_mut()) {
            schema.value = closing.value(schema.value);
        }
    }
    closing.run();
    model.copied = first..model.schemas.len();
}

struct Closing<'m> {
    schemas: &'m mut Schemas,
    /// Copies, by what they are copies of, and whether they are closed.
    copies: HashMap<(SchemaId, bool), SchemaId>,
    open: Vec<SchemaId>,
    nothing: Option<SchemaId>,
}

impl<'m> Closing<'m> {
    fn new(schemas: &'m mut Schemas) -> Self {
        Closing { schemas, copies: HashMap::new(), open: Vec::new(), nothing: None }
    }

    /// The copy of a schema that applies to a value of its own.
    fn value(&mut self, id: SchemaId) -> SchemaId {
        let closed = self.is_to_be_closed(id);
        self.copy(id, closed)
    }

    fn copy(&mut self, id: SchemaId, closed: bool) -> SchemaId {
        if self.schemas[id].boolean.is_some() {
            return id;
        }
        if let Some(known) = self.copies.get(&(id, closed)) {
            return *known;
        }
        let mut copy = self.schemas[id].clone();
        if closed {
            let nothing = self.nothing(id);
            copy.object.unevaluated_properties = Some(At::new(nothing, copy.origin));
        }
        let made = self.push(copy);
        self.copies.insert((id, closed), made);
        self.open.push(made);
        made
    }

    fn push(&mut self, schema: Schema) -> SchemaId {
        self.schemas.0.push(schema);
        SchemaId(self.schemas.len() as u32 - 1)
    }

    /// The schema `false`.
    fn nothing(&mut self, like: SchemaId) -> SchemaId {
        if let Some(known) = self.nothing {
            return known;
        }
        let like = &self.schemas[like];
        let (origin, dialect) = (like.origin, like.dialect);
        let schema = Schema { origin, dialect, boolean: Some(false), ..Schema::default() };
        let made = self.push(schema);
        *self.nothing.insert(made)
    }

    /// Whether schemas that apply to the value name properties, and it does not say itself what the others are.
    fn is_to_be_closed(&self, id: SchemaId) -> bool {
        let of = &self.schemas[id].object;
        if of.additional_properties.is_some() || of.unevaluated_properties.is_some() {
            return false;
        }
        let mut seen = std::collections::HashSet::from([id]);
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let schema = &self.schemas[id];
            let names = |list: &At<Vec<_>>| !list.value.is_empty();
            if schema.object.properties.as_ref().is_some_and(names) {
                return true;
            }
            open.extend(in_place(schema).into_iter().filter(|id| seen.insert(*id)));
        }
        false
    }

    /// Lets copies refer to copies.
    fn run(&mut self) {
        while let Some(id) = self.open.pop() {
            let mut schema = std::mem::take(&mut self.schemas[id]);
            self.members(&mut schema);
            self.here(&mut schema);
            self.schemas[id] = schema;
        }
    }

    /// The schemas of members, and of what a string encodes.
    fn members(&mut self, schema: &mut Schema) {
        if !schema.string.is_empty() {
            schema.string.content_schema.iter_mut().for_each(|at| at.value = self.value(at.value));
        }
        if !schema.array.is_empty() {
            let of = &mut *schema.array;
            let single = [&mut of.items, &mut of.unevaluated_items].into_iter().flatten();
            single.for_each(|at| at.value = self.value(at.value));
            let list = of.prefix_items.iter_mut().flat_map(|list| &mut list.value);
            list.for_each(|id| *id = self.value(*id));
        }
        if !schema.object.is_empty() {
            let of = &mut *schema.object;
            let single = [&mut of.additional_properties, &mut of.unevaluated_properties];
            single.into_iter().flatten().for_each(|at| at.value = self.value(at.value));
            let named = [&mut of.properties, &mut of.pattern_properties].into_iter().flatten();
            let named = named.flat_map(|list| &mut list.value);
            named.for_each(|property| property.schema = self.value(property.schema));
        }
    }

    /// The schemas that apply to the same value; those that only test it stay.
    fn here(&mut self, schema: &mut Schema) {
        schema.reference.iter_mut().for_each(|at| at.value = self.copy(at.value, false));
        let dynamic = schema.dynamic_reference.iter_mut();
        dynamic.for_each(|at| at.value.schema = self.copy(at.value.schema, false));
        if !schema.object.is_empty() {
            let list = schema.object.dependent_schemas.iter_mut().flat_map(|list| &mut list.value);
            list.for_each(|of| of.schema = self.copy(of.schema, false));
        }
        if schema.applied.is_empty() {
            return;
        }
        let of = &mut *schema.applied;
        let single = [&mut of.then, &mut of.else_].into_iter().flatten();
        single.for_each(|at| at.value = self.copy(at.value, false));
        let lists = [&mut of.all_of, &mut of.any_of, &mut of.one_of].into_iter().flatten();
        lists.flat_map(|list| &mut list.value).for_each(|id| *id = self.copy(*id, false));
        let mapping = of.discriminator.iter_mut().flat_map(|at| &mut at.value.mapping);
        mapping.for_each(|of| of.schema = self.copy(of.schema, false));
    }
}

/// The schemas that apply to the same value.
fn in_place(schema: &Schema) -> Vec<SchemaId> {
    let mut all = Vec::new();
    all.extend(schema.reference.map(|at| at.value));
    all.extend(schema.dynamic_reference.as_ref().map(|at| at.value.schema));
    let of = &*schema.applied;
    for list in [&of.all_of, &of.any_of, &of.one_of].into_iter().flatten() {
        all.extend(&list.value);
    }
    all.extend([of.then, of.else_].into_iter().flatten().map(|at| at.value));
    let dependent = schema.object.dependent_schemas.iter().flat_map(|list| &list.value);
    all.extend(dependent.map(|dependent| dependent.schema));
    all
}
