//! What strings encode: `contentEncoding`, `contentMediaType`, `contentSchema`.
//!
//! An encoding becomes a check on the string. JSON within a string becomes a composition whose schema judges
//! what the string encodes; what is encoded within that again is not judged.

use super::goal::Goal;
use super::node::{ANY, Branches, Composition, Node, StringPart};
use super::record::{ENFORCED, Outcome, not_enforced};
use super::{ContentDepth, Lowering, Profile};
use crate::ir::{Schema, Type};
use portcullis_bundle::layout::{ContentEncoding, Keyword};

/// The encoding of a name (RFC 2045, section 6.1, in any case; RFC 4648).
fn encoding(name: &str) -> Option<ContentEncoding> {
    Some(match name.to_ascii_lowercase().as_str() {
        "base64" => ContentEncoding::Base64,
        "base64url" => ContentEncoding::Base64Url,
        "base32" => ContentEncoding::Base32,
        "base32hex" => ContentEncoding::Base32Hex,
        "base16" => ContentEncoding::Base16,
        "quoted-printable" => ContentEncoding::QuotedPrintable,
        "7bit" => ContentEncoding::SevenBit,
        "8bit" => ContentEncoding::EightBit,
        // Whatever a string holds.
        "binary" => ContentEncoding::None,
        _ => return None,
    })
}

/// Whether a media type is JSON: `application/json` or with the suffix `+json` (RFC 6839, section 3.1).
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// How a schema's strings encode their content; `None` where that is not known.
fn encoding_of(schema: &Schema) -> Option<ContentEncoding> {
    let written = &schema.string.content_encoding;
    written.as_ref().map_or(Some(ContentEncoding::None), |name| encoding(&name.value))
}

impl<'m> Lowering<'m> {
    /// Puts what schemas say of the content of strings into a node.
    pub(super) fn contents(
        &mut self,
        goal: &Goal,
        node: &mut Node,
        part: &mut StringPart,
        schemas: &[&'m Schema],
    ) {
        if self.settings(goal).content != ContentDepth::Judged {
            return;
        }
        for schema in schemas {
            let of = &schema.string;
            let Some(encoding) = encoding_of(schema) else { continue };
            if let Some(written) = &of.content_encoding
                && encoding != ContentEncoding::None
            {
                let trace = (Keyword::ContentEncoding, written.origin);
                node.traces.push(trace);
                if part.encoding.is_none_or(|known| known == encoding) {
                    part.encoding = Some(encoding);
                } else {
                    let string = StringPart { encoding: Some(encoding), ..StringPart::default() };
                    let (traces, origin) = (vec![trace], Some(schema.origin));
                    let second = Node { string: Some(string), traces, origin, ..Node::any() };
                    self.beside(node, second);
                }
            }
            let Some(media_type) = of.content_media_type.as_ref().filter(|m| is_json(&m.value))
            else {
                continue;
            };
            node.traces.push((Keyword::ContentMediaType, media_type.origin));
            let content = of.content_schema.map_or(ANY, |content| {
                node.traces.push((Keyword::ContentSchema, content.origin));
                let within = Profile { content: ContentDepth::Within, ..self.settings(goal) };
                let profile = self.profile(within);
                self.node(Goal::new(profile, [content.value]))
            });
            let branches = Branches::Content(encoding, content);
            let keyword = Keyword::ContentMediaType;
            node.compositions.push(Composition::new(keyword, branches));
        }
    }
}

/// What becomes of a keyword about content.
pub(super) fn content_outcome(depth: ContentDepth, schema: &Schema, keyword: &str) -> Outcome {
    let of = &schema.string;
    match depth {
        ContentDepth::Judged => {}
        ContentDepth::Annotated => {
            return not_enforced("the policy takes the content of strings as an annotation");
        }
        ContentDepth::Within => {
            return not_enforced("what is encoded within encoded content is not decoded");
        }
    }
    if schema.types.is_some_and(|types| !types.value.contains(Type::String)) {
        return not_enforced(format!("`{keyword}` says something of strings only"));
    }
    if encoding_of(schema).is_none() {
        let name = of.content_encoding.as_ref().map_or("", |name| name.value.as_str());
        return not_enforced(format!("the encoding `{name}` is not known"));
    }
    match (keyword, &of.content_media_type) {
        ("contentEncoding", _) => ENFORCED,
        (_, Some(media_type)) if is_json(&media_type.value) => ENFORCED,
        (_, Some(media_type)) => {
            not_enforced(format!("content of type `{}` is not read", media_type.value))
        }
        // JSON Schema 2020-12 validation, section 8.5
        _ => not_enforced("it means nothing without `contentMediaType`"),
    }
}
