//! How the parts of a request are written, which decides what can be said there: in JSON every value tells its type,
//! in text none does.

use super::reach::Edge;
use crate::ir::{
    Encoding, MediaRange, MediaType, Operation, Parameter, ParameterLocation, ParameterValue,
    SchemaId, Style, Value,
};

/// A part of a request that a schema judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A parameter, by its index in the operation.
    Parameter(usize),
    /// The body, by the index of the media type.
    Body(usize),
}

/// The parts of an operation's requests that schemas judge, with the schemas.
pub fn parts(operation: &Operation) -> Vec<(Part, SchemaId)> {
    let parameter = |parameter: &Parameter| match &parameter.value {
        ParameterValue::Schema(schema) => Some(*schema),
        ParameterValue::Content(media) => media.schema.map(|at| at.value),
        ParameterValue::Any => None,
    };
    let parameters = operation.parameters.iter().enumerate();
    let parameters = parameters.filter_map(|(i, of)| Some((Part::Parameter(i), parameter(of)?)));
    let bodies = operation.request_body.iter().flat_map(|body| &body.content).enumerate();
    let bodies = bodies.filter_map(|(i, media)| Some((Part::Body(i), media.schema?.value)));
    parameters.chain(bodies).collect()
}

/// How bodies of a media type are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// JSON text.
    Json,
    /// JSON texts, each in a line of its own or behind a record separator; the schema judges each, or all as an array.
    Records {
        /// Behind a record separator (RFC 7464).
        separated: bool,
    },
    /// `application/x-www-form-urlencoded`
    Form,
    /// `multipart/form-data`
    Multipart,
    /// The text of a string.
    Text,
    /// A compact JWS around the JSON text. Within a JWE, which such a body can be too, nothing can be judged.
    Jose,
    /// The elements and attributes that `xml` names.
    Xml,
    /// None that is known here.
    Unknown,
}

/// How bodies of a media type are written.
pub fn kind_of(range: &MediaRange) -> BodyForm {
    let (kind, subtype) = (range.kind.as_str(), range.subtype.as_str());
    match (kind, subtype) {
        _ if range.is_json() => BodyForm::Json,
        ("*", "*") | ("application", "*") => BodyForm::Json,
        ("application" | "text", "xml") => BodyForm::Xml,
        _ if subtype.ends_with("+xml") => BodyForm::Xml,
        ("application", "x-www-form-urlencoded") => BodyForm::Form,
        ("multipart", "form-data") => BodyForm::Multipart,
        ("application", _) if subtype.starts_with("jose") || subtype.ends_with("jwt") => {
            BodyForm::Jose
        }
        _ if let Some(separated) = range.sequence() => BodyForm::Records { separated },
        ("multipart", _) | ("application", "grpc" | "grpc+proto" | "grpc-web") => BodyForm::Unknown,
        _ => BodyForm::Text,
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// As JSON: it tells its type.
    Json,
    /// As a whole sequence of JSON texts: it is an array.
    Lines,
    /// As a whole form or multipart body: it is an object.
    Form,
    /// As a field of one, in a way that the document leaves open: scalars as text, objects as JSON or by names in
    /// brackets.
    Field,
    /// As a part of a multipart form: text, or JSON by its media type; a list is parts of one name.
    Part,
    /// As the whole of a parameter or of a field, in the way of its style.
    Styled,
    /// As the whole of a parameter or of a field in the style `deepObject`, by names in brackets.
    Deep,
    /// As text within one of those, or as a body of text.
    Text,
    /// As an element of XML.
    Element,
}

/// The way in which one part of a request carries its value.
#[derive(Clone, Copy, Debug)]
pub enum Carrier<'m> {
    /// JSON, by itself or in a JWS.
    Json,
    /// JSON texts one after the other, which are the items of an array.
    Lines,
    /// One piece of text.
    Text,
    /// A parameter in a style.
    Style(Style),
    /// A parameter of the query in the style `form`, exploded: the properties of an object are pairs by themselves.
    Pairs,
    /// A form, with the encoding of its fields.
    Form(&'m [Encoding]),
    /// A multipart form, with the encoding of its parts.
    Multipart(&'m [Encoding]),
    /// XML.
    Xml,
    /// Nothing that is known here.
    Unknown,
}

impl<'m> Carrier<'m> {
    /// What carries a part.
    pub fn of(operation: &'m Operation, part: Part) -> Self {
        match part {
            Part::Parameter(i) => match operation.parameters.get(i).map(|of| (of, &of.value)) {
                Some((of, ParameterValue::Content(media))) => match kind_of(&media.range) {
                    BodyForm::Form if of.location == ParameterLocation::Querystring => {
                        Carrier::Form(&media.encoding)
                    }
                    BodyForm::Json => Carrier::Json,
                    BodyForm::Text => Carrier::Text,
                    _ => Carrier::Unknown,
                },
                Some((of, _))
                    if of.location == ParameterLocation::Query
                        && of.style.value == Style::Form
                        && of.explode.value =>
                {
                    Carrier::Pairs
                }
                Some((of, _)) => Carrier::Style(of.style.value),
                None => Carrier::Unknown,
            },
            Part::Body(i) => {
                let content = operation.request_body.as_ref().map(|body| &body.content);
                content.and_then(|content| content.get(i)).map_or(Carrier::Unknown, Self::of_media)
            }
        }
    }

    fn of_media(media: &'m MediaType) -> Self {
        match kind_of(&media.range) {
            BodyForm::Records { .. } if media.whole => Carrier::Lines,
            BodyForm::Json | BodyForm::Jose | BodyForm::Records { .. } => Carrier::Json,
            BodyForm::Form => Carrier::Form(&media.encoding),
            BodyForm::Multipart => Carrier::Multipart(&media.encoding),
            BodyForm::Text => Carrier::Text,
            BodyForm::Xml => Carrier::Xml,
            BodyForm::Unknown => Carrier::Unknown,
        }
    }

    /// How the whole value is written.
    pub fn whole(&self) -> Written {
        match self {
            Carrier::Json | Carrier::Unknown => Written::Json,
            Carrier::Lines => Written::Lines,
            Carrier::Text => Written::Text,
            Carrier::Style(Style::DeepObject) => Written::Deep,
            Carrier::Style(_) | Carrier::Pairs => Written::Styled,
            Carrier::Form(_) | Carrier::Multipart(_) => Written::Form,
            Carrier::Xml => Written::Element,
        }
    }

    /// How the value that an edge leads to is written, where the one that it leaves is written so.
    pub fn inward(&self, from: Written, edge: &Edge) -> Written {
        let named = match edge {
            Edge::Property(name) => Some(name.as_str()),
            Edge::Pattern(_) | Edge::Additional => None,
            Edge::Items | Edge::Prefix(_) => return self.item(from),
            _ => return from,
        };
        self.member(from, named)
    }

    fn item(&self, from: Written) -> Written {
        match from {
            Written::Lines => Written::Json,
            Written::Json | Written::Element | Written::Field | Written::Part | Written::Deep => {
                from
            }
            Written::Form | Written::Styled | Written::Text => Written::Text,
        }
    }

    fn member(&self, from: Written, name: Option<&str>) -> Written {
        match from {
            Written::Json | Written::Element | Written::Deep => from,
            Written::Field | Written::Part | Written::Lines => Written::Json,
            Written::Styled if matches!(self, Carrier::Pairs) => Written::Field,
            Written::Styled | Written::Text => Written::Text,
            Written::Form => {
                let (list, multipart) = match self {
                    Carrier::Form(list) => (*list, false),
                    Carrier::Multipart(list) => (*list, true),
                    _ => return Written::Json,
                };
                let own = list.iter().find(|own| Some(own.property.as_str()) == name);
                match own {
                    Some(own) if multipart && is_json_type(own) => Written::Json,
                    Some(own) if multipart && own.content_type.is_some() => Written::Styled,
                    Some(own) if !multipart && is_styled(own) => match own.style {
                        Some(style) if style.value == Style::DeepObject => Written::Deep,
                        _ => Written::Styled,
                    },
                    _ if multipart => Written::Part,
                    _ => Written::Field,
                }
            }
        }
    }

    /// How the place that a pointer leads to within a value is written.
    pub fn at(&self, value: &Value, pointer: &str) -> Written {
        let (mut written, mut at) = (self.whole(), Some(value));
        for raw in pointer.split('/').skip(1) {
            let name = raw.replace("~1", "/").replace("~0", "~");
            (written, at) = match at {
                Some(Value::Array(items)) => {
                    (self.item(written), name.parse().ok().and_then(|i: usize| items.get(i)))
                }
                Some(Value::Object(members)) => {
                    let found = members.iter().find(|(known, _)| *known == name);
                    (self.member(written, Some(&name)), found.map(|(_, value)| value))
                }
                _ => (self.member(written, Some(&name)), None),
            };
        }
        written
    }

    /// Whether every value tells its type.
    pub fn is_json(&self) -> bool {
        matches!(self, Carrier::Json | Carrier::Lines)
    }
}

/// With one of these written, a field follows the rules of query parameters (OpenAPI 3.1.1, section 4.8.15.1.2).
pub(super) fn is_styled(own: &Encoding) -> bool {
    own.style.is_some() || own.explode.is_some() || own.allow_reserved.is_some()
}

/// Whether all that `contentType` names is JSON.
pub(super) fn is_json_type(own: &Encoding) -> bool {
    let text = own.content_type.as_ref().map_or("", |at| at.value.as_str());
    let mut names = text.split(',').map(|one| one.split(';').next().unwrap_or("").trim());
    !text.is_empty()
        && names
            .all(|name| matches!(name, "application/json" | "text/json") || name.ends_with("+json"))
}
