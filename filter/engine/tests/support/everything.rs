//! One bundle for tests that throw anything at the engine.

use super::{Builder, Param, Shape};
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;

/// A bundle with every kind of parameter and body, and with ways that cross.
pub fn bundle() -> Bundle {
    let mut builder = Builder::new();
    let (number, text) = (builder.integer(1, 9), builder.string(1, 4));
    let list = builder.array(number, 3);
    let object = builder.object(&[("n", number, true), ("list", list, false)], text);
    let query = |name| Param::new(Location::Query, name, number, TYPE_INTEGER);
    let parameters = [
        Param::new(Location::Path, "id", text, TYPE_STRING),
        Param::new(Location::Path, "kind", number, TYPE_INTEGER),
        query("n"),
        Param::new(Location::Query, "a", list, TYPE_INTEGER).shape(Shape::Array),
        Param::new(Location::Query, "e", list, TYPE_INTEGER)
            .shape(Shape::Array)
            .flags(PARAMETER_EXPLODE),
        Param::new(Location::Query, "o", object, TYPE_STRING)
            .shape(Shape::Object)
            .flags(PARAMETER_EXPLODE | PARAMETER_OPEN_OBJECT)
            .fields(&[("f", TYPE_INTEGER)]),
        Param::new(Location::Query, "d", object, TYPE_STRING)
            .shape(Shape::Object)
            .style(Style::DeepObject),
        Param::new(Location::Query, "j", object, TYPE_OBJECT).style(Style::Json),
        Param::new(Location::Header, "x-list", list, TYPE_INTEGER).shape(Shape::Array),
        Param::new(Location::Cookie, "c", text, TYPE_STRING),
    ];
    let media_types =
        [("application/json", object, BodyKind::Json), ("text/*", SCHEMA_ANY, BodyKind::Opaque)];
    declare(&mut builder, &parameters, &media_types);
    builder.build()
}

fn declare(builder: &mut Builder, parameters: &[Param], media_types: &[(&str, u32, BodyKind)]) {
    builder.operation("POST", "/a/{id}/{kind}.json", parameters, media_types, |operation| {
        operation.limits.max_bytes = 60.into();
    });
    builder.operation("GET", "/a/{id}/{kind}-{x}", &parameters[..2], &[], |_| {});
    builder.operation("GET", "/a/b", &[], &[], |_| {});
}
