//! Forms: `application/x-www-form-urlencoded` bodies, and the queries that one schema describes.
//!
//! In: the pairs of a form, and the schema of the whole. Out: nothing, or what is wrong. The pairs
//! become the JSON text of one object, by the style of each field, which one run of the validator
//! judges: what the schema says across fields holds as it does in JSON.

use super::query::{Pair, pairs};
use super::value::{Encoding, Unreadable, decoded, field, field_index, property_value, text_value};
use super::{Call, Fail, Parameters, QUERY};
use crate::route::Span;
use crate::schema::{Fault, Limits, NoSink, Validator};
use portcullis_bundle::layout::{
    PARAMETER_REQUIRED, PARAMETER_UNENFORCED, Parameter, Style, TYPE_ALL, TYPE_ARRAY, View,
};

/// A form and what it is judged by.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a, 'b> {
    pub view: &'a View<'b>,
    /// Index into schemas: of the whole.
    pub schema: u32,
    /// Index into text_values: of the whole.
    pub value: u32,
    pub limits: Limits,
    /// Pairs, at most.
    pub max_pairs: u32,
}

/// What is wrong with a form.
#[derive(Debug)]
pub(crate) enum FormFault {
    /// It has more pairs than the policy allows.
    TooMany,
    /// It cannot be read.
    Unreadable(Unreadable),
    /// It does not satisfy its schema.
    Invalid(Fault),
}

impl Parameters {
    /// Judges a whole form, `a=1&b[c]=2`.
    pub(crate) fn judge_form(
        &mut self,
        form: Form<'_, '_>,
        text: &[u8],
        validator: &mut Validator,
    ) -> Result<(), FormFault> {
        let mut found = core::mem::take(&mut self.pairs);
        let complete = pairs(text, form.max_pairs as usize, &mut found);
        self.begin_form();
        let added = found.iter().try_for_each(|pair: &Pair| {
            self.add_to_form(form, pair.name.of(text), QUERY, pair.value)
        });
        self.pairs = found;
        if !complete {
            return Err(FormFault::TooMany);
        }
        added.map_err(FormFault::Unreadable)?;
        self.end_form(form, text, QUERY, validator)
    }

    /// Begins a form whose pairs are added one by one.
    pub(crate) fn begin_form(&mut self) {
        self.tree.clear();
    }

    /// Adds a pair: its name as sent, and where its value stands in the text.
    pub(crate) fn add_to_form(
        &mut self,
        form: Form<'_, '_>,
        name: &[u8],
        encoding: Encoding,
        value: Span,
    ) -> Result<(), Unreadable> {
        let Some(whole) = form.view.text_values.get(form.value as usize) else {
            return Err(Unreadable::Malformed);
        };
        self.tree.add_field(form.view, whole, name, encoding, &mut self.buffer, value)
    }

    /// Judges the pairs that were added; `text` is what their values stand in.
    pub(crate) fn end_form(
        &mut self,
        form: Form<'_, '_>,
        text: &[u8],
        encoding: Encoding,
        validator: &mut Validator,
    ) -> Result<(), FormFault> {
        let mut tree = core::mem::take(&mut self.tree);
        tree.sort();
        let outcome = self.each_reading(
            form.view,
            encoding,
            &mut |writer| tree.write(writer, text, form.value, true),
            &mut |json| validator.validate(form.view, form.schema, form.limits, json, &mut NoSink),
        );
        self.tree = tree;
        outcome.map_err(form_fault)
    }

    /// Judges one text as it is.
    pub(crate) fn judge_plain(
        &mut self,
        form: Form<'_, '_>,
        text: &[u8],
        validator: &mut Validator,
    ) -> Result<(), FormFault> {
        let value = text_value(form.view, form.value);
        let outcome = self.each_reading(
            form.view,
            Encoding::Plain,
            &mut |writer| writer.scalar(value, text),
            &mut |json| validator.validate(form.view, form.schema, form.limits, json, &mut NoSink),
        );
        outcome.map_err(form_fault)
    }

    /// Judges the whole query as one value (OpenAPI 3.2, `in: querystring`): a form or JSON.
    pub(super) fn judge_querystring(
        &mut self,
        call: &Call<'_, '_>,
        validator: &mut Validator,
        parameter: &Parameter,
    ) -> Result<(), Fail> {
        if call.query.is_empty() {
            let required = parameter.flags & PARAMETER_REQUIRED != 0;
            return if required { Err(Fail::Missing) } else { Ok(()) };
        }
        if parameter.flags & PARAMETER_UNENFORCED != 0 {
            return Ok(());
        }
        let (schema, limits) = (parameter.schema.get(), Limits::from(&call.operation.limits));
        if parameter.style == Style::Json.code() {
            let text = decoded(call.query, QUERY, &mut self.buffer)?;
            let judged = validator.validate(call.view, schema, limits, text, &mut NoSink);
            return judged.map_err(Fail::Invalid);
        }
        let value = parameter.value.get();
        let max_pairs = call.max_parameters;
        let form = Form { view: call.view, schema, value, limits, max_pairs };
        // That there are too many pairs is a finding of its own.
        self.judge_form(form, call.query, validator).map_err(|fault| match fault {
            FormFault::TooMany => Fail::Malformed,
            FormFault::Unreadable(unreadable) => unreadable.into(),
            FormFault::Invalid(fault) => Fail::Invalid(fault),
        })
    }
}

fn form_fault(fail: Fail) -> FormFault {
    match fail {
        Fail::Invalid(fault) => FormFault::Invalid(fault),
        Fail::Repeated => FormFault::Unreadable(Unreadable::Repeated),
        Fail::Malformed | Fail::Missing => FormFault::Unreadable(Unreadable::Malformed),
    }
}

/// Whether the record of a value names a property.
pub(crate) fn declares(view: &View<'_>, value: u32, name: &[u8]) -> bool {
    field(view, text_value(view, value), name).is_some()
}

/// The index into text_fields of a property that the record of a value names.
pub(crate) fn declared_field(view: &View<'_>, value: u32, name: &[u8]) -> Option<usize> {
    field_index(view, text_value(view, value), name)
}

/// The types of a property of a value; of an array, those of its items.
pub(crate) fn property_types(view: &View<'_>, value: u32, name: &[u8]) -> u8 {
    let property = property_value(view, text_value(view, value), name);
    if property.types & TYPE_ARRAY != 0 && property.types != TYPE_ALL {
        return property.types & !TYPE_ARRAY | text_value(view, property.items.get()).types;
    }
    property.types
}
