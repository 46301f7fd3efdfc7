//! Requests of an operation from the values of its parameters and its body (OpenAPI 3.1.1, section 4.8.12).

use super::carrier::{BodyForm, is_json_type, is_styled, kind_of};
use super::{to_json, xml};
use crate::ir::{
    Api, Encoding, MediaType, Model, Operation, ParameterLocation, ParameterValue, Part as Piece,
    SecurityKind, Style, Value,
};

/// The values that a request is made of.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// By the parameter's index; absent ones are not sent.
    pub parameters: Vec<Option<Value>>,
    /// The index of the media type, and the value.
    pub body: Option<(usize, Value)>,
    /// Writes in the other way what can be written in two: in forms and in the style `deepObject` objects as `a[b]=c`
    /// and arrays as `a[]=b`, in multipart forms all parts as JSON.
    pub brackets: bool,
    /// Leaves out what the security requirements ask for.
    pub anonymous: bool,
}

/// A value that a style or a media type cannot carry: why, lower case, without a final period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsayable(pub &'static str);

/// A request as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The host.
    pub authority: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A request with a JSON body.
    pub fn json(method: &str, path: &str, value: &Value) -> Self {
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            authority: "api.example".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Some(to_json(value).into_bytes()),
        }
    }
}

/// The request that says these values.
///
/// # Errors
/// Where a value cannot be said in the place that the document gives it.
pub fn assemble(
    model: &Model,
    api: &Api,
    operation: &Operation,
    parts: &Parts,
) -> Result<Request, Unsayable> {
    let brackets = parts.brackets;
    let mut request = Request {
        method: operation.method.name().to_owned(),
        authority: operation
            .hosts(api)
            .first()
            .cloned()
            .unwrap_or_else(|| "api.example".to_owned()),
        ..Request::default()
    };
    let mut query: Vec<String> = Vec::new();
    let mut cookies: Vec<String> = Vec::new();
    let mut path: Vec<(&str, String)> = Vec::new();
    for (i, parameter) in operation.parameters.iter().enumerate() {
        let Some(value) = parts.parameters.get(i).and_then(Option::as_ref) else { continue };
        let (name, style, explode) =
            (parameter.name.as_str(), parameter.style.value, parameter.explode.value);
        let content = match &parameter.value {
            ParameterValue::Content(media) => Some(match kind_of(&media.range) {
                BodyForm::Form => form(&media.encoding, value, brackets)?,
                BodyForm::Text => scalar(value)?,
                _ => to_json(value),
            }),
            _ => None,
        };
        match parameter.location {
            ParameterLocation::Path => {
                let text = match content {
                    Some(content) => encoded(&content),
                    None => in_path(name, style, explode, value)?,
                };
                if text.is_empty() || text == "." || text == ".." {
                    return Err(Unsayable("a segment of a path is not empty"));
                }
                path.push((name, text));
            }
            ParameterLocation::Querystring => match (&parameter.value, content) {
                (ParameterValue::Content(media), Some(content)) => {
                    let form = kind_of(&media.range) == BodyForm::Form;
                    query.push(if form { content } else { encoded(&content) });
                }
                _ => return Err(Unsayable("a query as a whole is of a media type")),
            },
            ParameterLocation::Query => match content {
                Some(content) => query.push(format!("{}={}", encoded(name), encoded(&content))),
                None => query.extend(in_query(name, style, explode, value, brackets)?),
            },
            ParameterLocation::Header => {
                let text = match content {
                    Some(content) => content,
                    None => simple(value, explode, &plain_header)?,
                };
                if text.trim() != text || text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
                    return Err(Unsayable(
                        "a header holds no control characters and no space at its ends",
                    ));
                }
                request.headers.push((name.to_ascii_lowercase(), text));
            }
            ParameterLocation::Cookie => {
                let text = match content {
                    Some(content) => encoded(&content),
                    None => simple(value, false, &encoded_text)?,
                };
                cookies.push(format!("{name}={text}"));
            }
        }
    }
    if !parts.anonymous {
        credentials(api, operation, &mut request, &mut query, &mut cookies);
    }
    request.path = path_of(operation, &path);
    if !query.is_empty() {
        request.path.push('?');
        request.path.push_str(&query.join("&"));
    }
    if !cookies.is_empty() {
        request.headers.push(("cookie".to_owned(), cookies.join("; ")));
    }
    if let Some((index, value)) = &parts.body {
        let content = operation.request_body.as_ref().map_or(&[][..], |body| &body.content);
        let media = content.get(*index).ok_or(Unsayable("there is no such media type"))?;
        let (content_type, body) = body(model, media, value, brackets)?;
        request.headers.push(("content-type".to_owned(), content_type));
        request.body = Some(body);
    }
    Ok(request)
}

fn path_of(operation: &Operation, values: &[(&str, String)]) -> String {
    let base = operation.base_paths.first().map_or("", |base| base.value.path.as_str());
    let mut path = base.to_owned();
    for segment in &operation.template.segments {
        path.push('/');
        for piece in &segment.0 {
            match piece {
                Piece::Literal(text) => path.push_str(text),
                Piece::Variable(name) => {
                    let value = values.iter().find(|(known, _)| known == name);
                    path.push_str(value.map_or("x", |(_, text)| text.as_str()));
                }
            }
        }
    }
    path
}

/// The credentials that the first requirement asks for.
fn credentials(
    api: &Api,
    operation: &Operation,
    request: &mut Request,
    query: &mut Vec<String>,
    cookies: &mut Vec<String>,
) {
    let Some(requirement) = operation.security.first() else { return };
    for (name, _) in &requirement.schemes {
        let Some(scheme) = api.security_scheme(requirement, name) else { continue };
        let authorization = match &scheme.kind {
            SecurityKind::ApiKey { location, name } => {
                match location {
                    ParameterLocation::Query => {
                        let given = format!("{}=", encoded(name));
                        if !query.iter().any(|pair| pair.starts_with(&given)) {
                            query.push(format!("{}=key", encoded(name)));
                        }
                    }
                    ParameterLocation::Cookie => cookies.push(format!("{name}=key")),
                    _ => {
                        let name = name.to_ascii_lowercase();
                        if !request.headers.iter().any(|(known, _)| *known == name) {
                            request.headers.push((name, "key".to_owned()));
                        }
                    }
                }
                continue;
            }
            SecurityKind::Http { scheme, .. } => match scheme.as_str() {
                "basic" => "Basic c29tZW9uZTpzZWNyZXQ=".to_owned(),
                "bearer" => format!("Bearer {TOKEN}"),
                other => format!("{other} credential"),
            },
            SecurityKind::OAuth2 | SecurityKind::OpenIdConnect => format!("Bearer {TOKEN}"),
            SecurityKind::MutualTls => continue,
        };
        if !request.headers.iter().any(|(known, _)| known == "authorization") {
            request.headers.push(("authorization".to_owned(), authorization));
        }
    }
}

/// A token in the form of a JWT: `{"alg":"RS256"}`, `{"sub":"someone"}`.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lb25lIn0.c2ln";

/// RFC 3986's unreserved characters as they are, all others percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn scalar(value: &Value) -> Result<String, Unsayable> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.as_str().to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Ok("null".to_owned()),
        _ => Err(Unsayable("text of one piece holds no array and no object")),
    }
}

fn encoded_text(value: &Value) -> Result<String, Unsayable> {
    Ok(encoded(&scalar(value)?))
}

fn plain_header(value: &Value) -> Result<String, Unsayable> {
    let text = scalar(value)?;
    if text.contains([',', '"']) {
        return Err(Unsayable("a piece of a list in a header holds no comma"));
    }
    Ok(text)
}

type Say<'s> = &'s dyn Fn(&Value) -> Result<String, Unsayable>;

/// A list of at least one piece.
fn joined(pieces: Vec<String>, between: &str) -> Result<String, Unsayable> {
    if pieces.is_empty() {
        return Err(Unsayable("an empty list or object cannot be written here"));
    }
    Ok(pieces.join(between))
}

fn each(items: &[Value], say: Say<'_>) -> Result<Vec<String>, Unsayable> {
    items.iter().map(say).collect()
}

fn assignments(members: &[(String, Value)], say: Say<'_>) -> Result<Vec<String>, Unsayable> {
    let name = |name: &str| say(&Value::String(name.to_owned()));
    members.iter().map(|(n, value)| Ok(format!("{}={}", name(n)?, say(value)?))).collect()
}

fn alternating(members: &[(String, Value)], say: Say<'_>) -> Result<Vec<String>, Unsayable> {
    let name = |name: &str| say(&Value::String(name.to_owned()));
    let mut all = Vec::new();
    for (n, value) in members {
        all.extend([name(n)?, say(value)?]);
    }
    Ok(all)
}

fn simple(value: &Value, explode: bool, say: Say<'_>) -> Result<String, Unsayable> {
    match value {
        Value::Array(items) => joined(each(items, say)?, ","),
        Value::Object(members) if explode => joined(assignments(members, say)?, ","),
        Value::Object(members) => joined(alternating(members, say)?, ","),
        one => scalar(one).and_then(|_| match say(one) {
            // A value of one piece may hold what divides lists.
            Err(_) => scalar(one),
            said => said,
        }),
    }
}

fn in_path(name: &str, style: Style, explode: bool, value: &Value) -> Result<String, Unsayable> {
    let say: Say<'_> = &encoded_text;
    match (style, value) {
        (Style::Label, Value::Array(items)) => {
            Ok(format!(".{}", joined(each(items, say)?, if explode { "." } else { "," })?))
        }
        (Style::Label, Value::Object(members)) if explode => {
            Ok(format!(".{}", joined(assignments(members, say)?, ".")?))
        }
        (Style::Label, Value::Object(members)) => {
            Ok(format!(".{}", joined(alternating(members, say)?, ",")?))
        }
        (Style::Label, one) => Ok(format!(".{}", say(one)?)),
        (Style::Matrix, Value::Array(items)) if explode => {
            let pieces = each(items, say)?.into_iter().map(|item| format!(";{name}={item}"));
            joined(pieces.collect(), "")
        }
        (Style::Matrix, Value::Array(items)) => {
            Ok(format!(";{name}={}", joined(each(items, say)?, ",")?))
        }
        (Style::Matrix, Value::Object(members)) if explode => {
            let pieces = assignments(members, say)?.into_iter().map(|pair| format!(";{pair}"));
            joined(pieces.collect(), "")
        }
        (Style::Matrix, Value::Object(members)) => {
            Ok(format!(";{name}={}", joined(alternating(members, say)?, ",")?))
        }
        (Style::Matrix, one) => Ok(format!(";{name}={}", say(one)?)),
        _ => simple(value, explode, say),
    }
}

fn in_query(
    name: &str,
    style: Style,
    explode: bool,
    value: &Value,
    brackets: bool,
) -> Result<Vec<String>, Unsayable> {
    let say: Say<'_> = &encoded_text;
    let key = encoded(name);
    let some = |pairs: Vec<String>| match pairs.is_empty() {
        true => Err(Unsayable("an empty list or object cannot be written here")),
        false => Ok(pairs),
    };
    let divider = match style {
        Style::SpaceDelimited => "%20",
        Style::PipeDelimited => "%7C",
        _ => ",",
    };
    match (style, value) {
        (Style::DeepObject, _) => {
            let mut pairs = Vec::new();
            deep(&key, value, brackets, &mut pairs)?;
            some(pairs)
        }
        (_, Value::Array(items)) if explode => {
            some(each(items, say)?.into_iter().map(|item| format!("{key}={item}")).collect())
        }
        (_, Value::Array(items)) => {
            Ok(vec![format!("{key}={}", joined(each(items, say)?, divider)?)])
        }
        (_, Value::Object(members)) if explode => {
            let mut pairs = Vec::new();
            for (name, value) in members {
                let key = encoded(name);
                match value {
                    // The style has no way for these.
                    Value::Object(_) if brackets => deep(&key, value, brackets, &mut pairs)?,
                    Value::Object(_) => pairs.push(format!("{key}={}", encoded(&to_json(value)))),
                    Value::Array(items) => {
                        let items = each(items, say)?;
                        pairs.extend(items.into_iter().map(|item| format!("{key}={item}")));
                    }
                    one => pairs.push(format!("{key}={}", say(one)?)),
                }
            }
            some(pairs)
        }
        (_, Value::Object(members)) => {
            Ok(vec![format!("{key}={}", joined(alternating(members, say)?, divider)?)])
        }
        (_, one) => Ok(vec![format!("{key}={}", say(one)?)]),
    }
}

/// `name[key]=value`, arrays by index or by empty brackets, as deep as they nest.
fn deep(
    key: &str,
    value: &Value,
    brackets: bool,
    pairs: &mut Vec<String>,
) -> Result<(), Unsayable> {
    match value {
        Value::Object(members) if members.is_empty() => {
            Err(Unsayable("an empty list or object cannot be written here"))
        }
        Value::Array(items) if items.is_empty() => {
            Err(Unsayable("an empty list or object cannot be written here"))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            if name.is_empty() || name.contains(['[', ']']) {
                return Err(Unsayable("a name in brackets is not empty and holds none"));
            }
            deep(&format!("{key}[{}]", encoded(name)), value, brackets, pairs)
        }),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(i, item)| {
            // Nobody could say which list the name behind empty brackets belongs to.
            let plain = !matches!(item, Value::Array(_) | Value::Object(_));
            let step = if brackets && plain { String::new() } else { i.to_string() };
            deep(&format!("{key}[{step}]"), item, brackets, pairs)
        }),
        one => {
            pairs.push(format!("{key}={}", encoded_text(one)?));
            Ok(())
        }
    }
}

/// The media type and the bytes of a body.
fn body(
    model: &Model,
    media: &MediaType,
    value: &Value,
    brackets: bool,
) -> Result<(String, Vec<u8>), Unsayable> {
    let range = &media.range;
    let subtype = match range.subtype.strip_prefix("*+") {
        Some(suffix) => format!("vnd.example+{suffix}"),
        None => range.subtype.clone(),
    };
    let mut name = format!("{}/{subtype}", range.kind);
    for (parameter, value) in &range.parameters {
        name.push_str(&format!("; {parameter}={value}"));
    }
    match kind_of(range) {
        BodyForm::Json => {
            let name = if range.subtype == "*" { "application/json".to_owned() } else { name };
            Ok((name, to_json(value).into_bytes()))
        }
        BodyForm::Records { separated } => {
            let mark = if separated { "\u{1e}" } else { "" };
            let texts = match value {
                Value::Array(items) if media.whole => items.as_slice(),
                _ if media.whole => return Err(Unsayable("a sequence of texts is an array")),
                one => std::slice::from_ref(one),
            };
            if texts.is_empty() {
                return Err(Unsayable("an empty sequence is no body"));
            }
            let lines = texts.iter().map(|text| format!("{mark}{}\n", to_json(text)));
            Ok((name, lines.collect::<String>().into_bytes()))
        }
        BodyForm::Form => Ok((name, form(&media.encoding, value, brackets)?.into_bytes())),
        BodyForm::Multipart => {
            let boundary = "portcullis-boundary";
            let body = multipart(&media.encoding, value, boundary, brackets)?;
            Ok((format!("{name}; boundary={boundary}"), body))
        }
        BodyForm::Jose => {
            let payload = data_encoding::BASE64URL_NOPAD.encode(to_json(value).as_bytes());
            Ok((name, format!("eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln").into_bytes()))
        }
        BodyForm::Xml => {
            let root = media.schema.map(|at| at.value);
            Ok((name, xml::document(model, root, value)?.into_bytes()))
        }
        BodyForm::Text => {
            let name = if range.subtype == "*" { "text/plain".to_owned() } else { name };
            Ok((name, scalar(value)?.into_bytes()))
        }
        BodyForm::Unknown => Err(Unsayable("bodies of this media type are not written here")),
    }
}

fn form(encoding: &[Encoding], value: &Value, brackets: bool) -> Result<String, Unsayable> {
    let Value::Object(members) = value else { return Err(Unsayable("a form is an object")) };
    let mut pairs = Vec::new();
    for (name, value) in members {
        let own = encoding.iter().find(|encoding| encoding.property == *name);
        let styled = own.is_some_and(is_styled);
        let json = own.is_some_and(is_json_type);
        let style = own.and_then(|own| own.style).map_or(Style::Form, |style| style.value);
        let explode = own.and_then(|own| own.explode).map_or(style == Style::Form, |at| at.value);
        let nested = |items: &[Value]| {
            items.iter().any(|item| matches!(item, Value::Array(_) | Value::Object(_)))
        };
        match value {
            Value::Object(_) | Value::Array(_) if !styled && !json && brackets => {
                deep(&encoded(name), value, brackets, &mut pairs)?;
            }
            Value::Object(_) if !styled => {
                pairs.push(format!("{}={}", encoded(name), encoded(&to_json(value))));
            }
            Value::Array(items) if !styled && nested(items) => {
                pairs.extend(
                    items
                        .iter()
                        .map(|item| format!("{}={}", encoded(name), encoded(&to_json(item)))),
                );
            }
            _ => pairs.extend(in_query(name, style, explode, value, brackets)?),
        }
    }
    if pairs.is_empty() {
        return Err(Unsayable("an empty form is no body"));
    }
    Ok(pairs.join("&"))
}

fn multipart(
    encoding: &[Encoding],
    value: &Value,
    boundary: &str,
    json: bool,
) -> Result<Vec<u8>, Unsayable> {
    let Value::Object(members) = value else {
        return Err(Unsayable("a multipart body is an object"));
    };
    let mut out = Vec::new();
    let mut part = |name: &str, value: &Value| -> Result<(), Unsayable> {
        let own = encoding.iter().find(|encoding| encoding.property == name);
        let open = own.is_none_or(|own| own.content_type.is_none());
        let json = json && open || own.is_some_and(is_json_type);
        // Of a part's header fields it is judged that they are there.
        let headers = own.into_iter().flat_map(|own| &own.headers);
        let headers: String = headers
            .filter(|header| header.required.value)
            .map(|header| format!("{}: 1\r\n", header.name))
            .collect();
        let own = own.and_then(|own| own.content_type.as_ref());
        let own = own.map(|at| at.value.split(',').next().unwrap_or_default().trim());
        let complex = matches!(value, Value::Array(_) | Value::Object(_));
        let default = if complex || json { "application/json" } else { "text/plain" };
        let content_type = own.filter(|own| !own.contains('*')).unwrap_or(default);
        let text = if complex || json { to_json(value) } else { scalar(value)? };
        if name.contains(['"', '\r', '\n']) || text.contains(boundary) {
            return Err(Unsayable("a name or text of a part cannot be written"));
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {content_type}\r\n{headers}\r\n"
        );
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
        Ok(())
    };
    for (name, value) in members {
        match value {
            Value::Array(items) => {
                if items.is_empty() {
                    return Err(Unsayable("an empty list or object cannot be written here"));
                }
                items.iter().try_for_each(|item| part(name, item))?;
            }
            one => part(name, one)?,
        }
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(out)
}
