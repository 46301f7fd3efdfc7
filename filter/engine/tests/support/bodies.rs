//! One bundle with a body of every kind that is not JSON.

use super::Builder;
use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;

/// `POST /b`, whose object holds a number, a list of them, an object of both, a text and a file.
pub fn bundle() -> Bundle {
    let mut builder = Builder::new();
    let (number, text, file) = (builder.integer(1, 9), builder.string(1, 4), builder.string(0, 9));
    let list = builder.array(number, 3);
    let inner = builder.object(&[("n", number, true), ("list", list, false)], SCHEMA_NEVER);
    let properties = [
        ("n", number, true),
        ("list", list, false),
        ("o", inner, false),
        ("t", text, false),
        ("f", file, false),
    ];
    let object = builder.object(&properties, SCHEMA_NEVER);
    let media_types = [
        ("application/x-www-form-urlencoded", object, BodyKind::Form),
        ("multipart/form-data", object, BodyKind::Multipart),
        ("multipart/mixed", SCHEMA_ANY, BodyKind::Multipart),
        ("text/plain", text, BodyKind::Text),
        ("application/jwt", inner, BodyKind::Jose),
        ("application/jsonl", inner, BodyKind::JsonLines),
        ("application/json-seq", inner, BodyKind::JsonSeq),
        ("application/octet-stream", SCHEMA_ANY, BodyKind::Binary),
    ];
    builder.operation("POST", "/b", &[], &media_types, |operation| {
        operation.limits.max_bytes = 300.into();
        operation.limits.max_string = 40.into();
        operation.limits.max_items = 4.into();
    });
    let number = builder.text_value(TYPE_INTEGER, |_| {});
    let text = builder.text_value(TYPE_STRING, |_| {});
    let list = builder.text_value(TYPE_ARRAY, |value| value.items = number.into());
    let fields = [("n", number, Style::Form, 1), ("list", list, Style::Form, 1)];
    let (first, count) = builder.text_fields(&fields);
    let inner = builder.text_value(TYPE_OBJECT, |value| {
        (value.fields, value.field_count) = (first.into(), count.into());
        (value.items, value.additional) = (text.into(), text.into());
    });
    let value = |builder: &mut Builder, style| {
        let (first, count) = builder.text_fields(&[
            ("n", number, Style::Form, FIELD_EXPLODE),
            ("list", list, Style::Form, FIELD_EXPLODE | FIELD_UNSAID),
            ("o", inner, style, FIELD_EXPLODE),
            ("t", text, Style::Form, FIELD_EXPLODE),
            ("f", text, Style::Form, FIELD_EXPLODE),
        ]);
        builder.text_value(TYPE_OBJECT, |value| {
            (value.fields, value.field_count) = (first.into(), count.into());
            (value.items, value.additional) = (text.into(), text.into());
        })
    };
    let form = value(&mut builder, Style::DeepObject);
    let multipart = value(&mut builder, Style::Json);
    parts(&mut builder);
    let count = builder.sections.body_parts.len() as u32;
    for (at, value) in [(0, form), (1, multipart), (2, multipart), (3, text)] {
        builder.sections.media_types[at].value = value.into();
    }
    builder.sections.media_types[1].part_count = count.into();
    builder.build()
}

fn parts(builder: &mut Builder) {
    for (name, types, headers, content) in [
        ("o", "application/json", "", Content::Json),
        ("f", "image/*\ntext/plain", "x-sum", Content::Binary),
        ("t", "", "", Content::Text),
    ] {
        let part = BodyPart {
            name: builder.text(name),
            content_types: builder.text(types),
            headers: builder.text(headers),
            min_size: 2.into(),
            max_size: 9.into(),
            content: content.code(),
            reserved: [0; 3],
        };
        builder.sections.body_parts.push(part);
    }
}
