//! PC0613: `format: byte` of a body whose media type is one of octets.
//!
//! OpenAPI 3.0.3, "Data Types": `byte` is "base64 encoded characters", `binary` is "any sequence of octets". Many documents
//! write the first and take uploads as they are.

use crate::diag::{BASE64_OCTETS, Diagnostic, Diagnostics, Span};
use crate::ir::{Formats, MediaRange, Model};

pub(super) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    let mut seen = std::collections::HashSet::new();
    for (_, operation) in model.operations() {
        if operation.settings.strictness.formats != Formats::Assert {
            continue;
        }
        let content = operation.request_body.iter().flat_map(|body| &body.content);
        for media in content.filter(|media| is_of_octets(&media.range)) {
            let Some(schema) = media.schema else { continue };
            let Some(format) = &model.schemas[schema.value].string.format else { continue };
            if format.value != "byte" || !seen.insert((format.origin, media.origin)) {
                continue;
            }
            let title =
                format!("bodies of `{}` must be base64 text, by `format: byte`", media.text);
            diagnostics.push(
                Diagnostic::new(BASE64_OCTETS, title)
                    .at(Span::of(format.origin, model))
                    .label(
                        Span::of(media.origin, model),
                        "whose bodies are mostly sent as they are",
                    )
                    .help(
                        "if uploads are sent as they are, write `format: binary`, or set \
                         `strictness: { formats: annotate }` for the operation in the policy",
                    ),
            );
        }
    }
}

fn is_of_octets(range: &MediaRange) -> bool {
    match range.kind.as_str() {
        "image" | "audio" | "video" | "font" => true,
        "application" => ["octet-stream", "pdf", "zip", "gzip"].contains(&range.subtype.as_str()),
        _ => false,
    }
}
