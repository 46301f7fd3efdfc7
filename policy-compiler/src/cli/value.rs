//! The value that a finding is about, from the request that it was made of.

use super::request::Request;
use portcullis_bundle::layout::{Location, View};
use portcullis_engine::finding::{Finding, Position};

/// Letters of a value that are shown, at most.
const MAX_SHOWN: usize = 400;

/// The value, where the request says it as text in one place.
pub fn at(request: &Request, view: &View<'_>, finding: &Finding) -> Option<String> {
    let found = match &finding.position {
        Position::Path => Some(request.path.clone()),
        Position::Header(name) => header(request, name.as_bytes()),
        Position::Parameter { location, parameter } => {
            let name = view.text(view.parameters.get(*parameter as usize)?.name).as_bytes();
            match location {
                Location::Header => header(request, name),
                Location::Query | Location::Querystring => query(request, name),
                Location::Cookie => header(request, b"cookie"),
                Location::Path => Some(request.path.clone()),
            }
        }
        Position::Body { offset, .. } => body(request, *offset),
        Position::Message | Position::Credential(_) | Position::UndeclaredParameter => {
            Some(request.path.clone())
        }
    };
    Some(String::from_utf8_lossy(&found?).chars().take(MAX_SHOWN).collect())
}

fn header(request: &Request, name: &[u8]) -> Option<Vec<u8>> {
    request.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
}

fn query(request: &Request, name: &[u8]) -> Option<Vec<u8>> {
    let at = request.path.iter().position(|byte| *byte == b'?')?;
    let pairs = request.path[at + 1..].split(|byte| *byte == b'&');
    let mut own = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
    own.next().map(<[u8]>::to_vec)
}

/// The JSON value at an offset; the body where it is no JSON.
fn body(request: &Request, offset: u64) -> Option<Vec<u8>> {
    let body = request.body.as_ref()?;
    let rest = body.get(usize::try_from(offset).ok()?..)?;
    let value = serde_json::Deserializer::from_slice(rest).into_iter::<serde_json::Value>().next();
    let is_json =
        body.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"'));
    Some(match value {
        Some(Ok(serde_json::Value::String(text))) if is_json => text.into_bytes(),
        Some(Ok(value)) if is_json => value.to_string().into_bytes(),
        _ => body.clone(),
    })
}
