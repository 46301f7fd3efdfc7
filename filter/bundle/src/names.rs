//! The text of records, and the names that documents use for codes.

use crate::layout::{Keyword, Location, NONE, Origin, Text, View};

impl<'b> View<'b> {
    /// The bytes of a text; empty where it lies outside of the strings, as no verified one does.
    #[inline]
    pub fn bytes(&self, text: Text) -> &'b [u8] {
        let start = text.offset.get() as usize;
        let end = start.saturating_add(text.len.get() as usize);
        self.strings.get(start..end).unwrap_or_default()
    }

    /// The JSON pointer of a place (RFC 6901); empty for a whole document.
    pub fn pointer(&self, origin: &Origin) -> String {
        let mut tokens = Vec::new();
        let mut at = origin.pointer.get();
        // Parents stand before what they hold, so the way ends.
        while let Some(pointer) = self.pointers.get(at as usize) {
            tokens.push(self.text(pointer.token));
            let parent = pointer.parent.get();
            at = if parent < at { parent } else { NONE };
        }
        tokens.iter().rev().flat_map(|token| ["/", token]).collect()
    }

    /// A text, for people. For comparisons take [`View::bytes`], which reads nothing.
    pub fn text(&self, text: Text) -> &'b str {
        core::str::from_utf8(self.bytes(text)).unwrap_or_default()
    }
}

impl Location {
    /// The name that OpenAPI's `in` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Header => "header",
            Location::Cookie => "cookie",
            Location::Querystring => "query",
        }
    }
}

impl Keyword {
    /// The keyword as documents write it; `schema` for a schema that is `false` as a whole.
    pub const fn name(self) -> &'static str {
        match self {
            Keyword::Schema => "schema",
            Keyword::Type => "type",
            Keyword::Enum => "enum",
            Keyword::Const => "const",
            Keyword::Minimum => "minimum",
            Keyword::ExclusiveMinimum => "exclusiveMinimum",
            Keyword::Maximum => "maximum",
            Keyword::ExclusiveMaximum => "exclusiveMaximum",
            Keyword::MultipleOf => "multipleOf",
            Keyword::MinLength => "minLength",
            Keyword::MaxLength => "maxLength",
            Keyword::Pattern => "pattern",
            Keyword::Format => "format",
            Keyword::ContentEncoding => "contentEncoding",
            Keyword::ContentMediaType => "contentMediaType",
            Keyword::ContentSchema => "contentSchema",
            Keyword::Properties => "properties",
            Keyword::Required => "required",
            Keyword::AdditionalProperties => "additionalProperties",
            Keyword::MinProperties => "minProperties",
            Keyword::MaxProperties => "maxProperties",
            Keyword::PatternProperties => "patternProperties",
            Keyword::PropertyNames => "propertyNames",
            Keyword::DependentRequired => "dependentRequired",
            Keyword::DependentSchemas => "dependentSchemas",
            Keyword::UnevaluatedProperties => "unevaluatedProperties",
            Keyword::Items => "items",
            Keyword::PrefixItems => "prefixItems",
            Keyword::MinItems => "minItems",
            Keyword::MaxItems => "maxItems",
            Keyword::UniqueItems => "uniqueItems",
            Keyword::Contains => "contains",
            Keyword::MinContains => "minContains",
            Keyword::MaxContains => "maxContains",
            Keyword::UnevaluatedItems => "unevaluatedItems",
            Keyword::AllOf => "allOf",
            Keyword::AnyOf => "anyOf",
            Keyword::OneOf => "oneOf",
            Keyword::Not => "not",
            Keyword::If => "if",
            Keyword::Then => "then",
            Keyword::Else => "else",
            Keyword::Discriminator => "discriminator",
            Keyword::ReadOnly => "readOnly",
            Keyword::WriteOnly => "writeOnly",
            Keyword::Xml => "xml",
        }
    }
}
