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
    xml(&mut builder);
    builder.build()
}

/// `POST /x`: `application/xml` with a schema and names of its own, `text/xml` that only has to be well-formed.
fn xml(builder: &mut Builder) {
    let (number, text) = (builder.integer(1, 9), builder.string(0, 4));
    let list = builder.array(number, 3);
    let inner = builder.object(&[("n", number, true), ("list", list, false)], number);
    let properties = [
        ("id", number, false),
        ("n", number, true),
        ("list", list, false),
        ("wrapped", list, false),
        ("o", inner, false),
        ("t", text, false),
    ];
    let object = builder.object(&properties, number);
    let media_types =
        [("application/xml", object, BodyKind::Xml), ("text/xml", SCHEMA_ANY, BodyKind::Xml)];
    let first = builder.sections.media_types.len();
    builder.operation("POST", "/x", &[], &media_types, |_| {});
    let numbers = element(builder, TYPE_INTEGER, &[], NONE);
    let texts = element(builder, TYPE_STRING, &[], NONE);
    let wrapped = element(builder, TYPE_ARRAY, &[("item", "", numbers, 0, 0)], NONE);
    let fields = [("list", "list", numbers, 0, XML_FIELD_ITEM), ("n", "n", numbers, 0, 0)];
    let inner = element(builder, TYPE_OBJECT, &fields, numbers);
    let fields = [
        ("l", "list", numbers, 0, XML_FIELD_ITEM),
        ("n", "n", numbers, 0, 0),
        ("o", "o", inner, 0, 0),
        ("w", "wrapped", wrapped, 0, 0),
        ("id", "id", numbers, 1, 0),
        ("", "t", texts, 2, 0),
    ];
    let root = element(builder, TYPE_OBJECT, &fields, numbers);
    let open = element(builder, TYPE_ALL, &[], NONE);
    builder.sections.media_types[first].xml = root.into();
    builder.sections.media_types[first + 1].xml = open.into();
}

/// How an element is read; fields are name, property, element, kind and flags.
fn element(
    builder: &mut Builder,
    types: u8,
    fields: &[(&str, &str, u32, u8, u8)],
    additional: u32,
) -> u32 {
    let first = builder.sections.xml_fields.len() as u32;
    for (name, property, element, kind, flags) in fields {
        let field = XmlField {
            name: builder.text(name),
            namespace: builder.text(""),
            property: builder.text(property),
            element: (*element).into(),
            kind: *kind,
            flags: *flags,
            reserved: [0; 2],
        };
        builder.sections.xml_fields.push(field);
    }
    let (name, namespace) = (builder.text(""), builder.text(""));
    builder.sections.xml_elements.push(XmlElement {
        name,
        namespace,
        fields: first.into(),
        field_count: (fields.len() as u32).into(),
        additional: additional.into(),
        types,
        reserved: [0; 3],
    });
    builder.sections.xml_elements.len() as u32 - 1
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
            min_origin: NONE.into(),
            max_origin: NONE.into(),
            content: content.code(),
            reserved: [0; 3],
        };
        builder.sections.body_parts.push(part);
    }
}
