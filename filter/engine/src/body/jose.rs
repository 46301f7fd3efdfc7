//! JOSE objects in compact form: JWS (RFC 7515, section 7.1) and JWE (RFC 7516, section 7.1).
//!
//! Of a JWS the payload is judged as JSON; signatures are not: the gateway's `jwt_authn` does that.
//! Of a JWE only the form can be judged.

use super::{Judged, Task, Wrong};
use crate::schema::{Fault, Malformation, NoSink, ScalarSink, Validator};
use portcullis_bundle::layout::SCHEMA_ANY;

/// Judges a whole body.
pub(super) fn judge<S: ScalarSink>(
    task: &Task<'_, '_>,
    raw: &[u8],
    buffer: &mut Vec<u8>,
    validator: &mut Validator,
    sink: &mut S,
) -> Result<Judged, Wrong> {
    buffer.clear();
    let count = raw.split(|&byte| byte == b'.').take(6).count();
    if count != 3 && count != 5 {
        return Err(Wrong::malformed(Malformation::Truncated, raw.len()));
    }
    let (mut at, mut payload) = (0, (0, 0));
    for (index, part) in raw.split(|&byte| byte == b'.').enumerate() {
        let mark = buffer.len();
        decode(part, buffer)
            .map_err(|place| Wrong::malformed(Malformation::Unexpected, at + place))?;
        match index {
            0 => header(task, buffer.get(mark..).unwrap_or_default(), validator)?,
            1 => payload = (mark, at),
            _ => {}
        }
        if index != 1 {
            buffer.truncate(mark);
        }
        at = at.saturating_add(part.len()).saturating_add(1);
    }
    if count == 5 {
        return Ok(Judged::Form);
    }
    let (schema, json) = (task.media.schema.get(), buffer.get(payload.0..).unwrap_or_default());
    validator.validate(task.view, schema, task.limits, json, sink).map_err(|mut fault| {
        // Four letters say three bytes.
        let place = fault.offset.saturating_mul(4) / 3;
        fault.offset = place.saturating_add(payload.1 as u64);
        Wrong::from(fault)
    })?;
    Ok(Judged::Whole)
}

/// The header is a JSON object that names an algorithm other than `none`, and asks for nothing
/// that changes how the payload is read (RFC 7797).
fn header(task: &Task<'_, '_>, json: &[u8], validator: &mut Validator) -> Result<(), Wrong> {
    validator.validate(task.view, SCHEMA_ANY, task.limits, json, &mut NoSink).map_err(|fault| {
        let offset = fault.offset.saturating_mul(4) / 3;
        Wrong::from(Fault { offset, pointer: String::new(), ..fault })
    })?;
    if is_sound(json) { Ok(()) } else { Err(Wrong::malformed(Malformation::Unexpected, 0)) }
}

/// Reads the members of a header that is known to be JSON, without names twice.
fn is_sound(json: &[u8]) -> bool {
    let (mut rest, mut depth, mut name, mut in_value) = (json, 0_u32, &b""[..], false);
    let mut signed = false;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' if depth == 0 && byte == b'[' => return false,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 1 => in_value = true,
            b',' if depth == 1 => in_value = false,
            b'"' => {
                let mut escaped = false;
                let end = after.iter().position(|&byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                });
                let Some(end) = end else { return false };
                let text = after.get(..end).unwrap_or_default();
                rest = after.get(end.saturating_add(1)..).unwrap_or_default();
                if depth != 1 {
                    continue;
                }
                if !in_value {
                    // A name that hides behind escapes could be any.
                    if text == b"b64" || text.contains(&b'\\') {
                        return false;
                    }
                    name = text;
                } else if name == b"alg" {
                    signed = !text.is_empty()
                        && !text.contains(&b'\\')
                        && !text.eq_ignore_ascii_case(b"none");
                }
            }
            _ => {}
        }
    }
    signed
}

/// Appends what base64url without padding says (RFC 7515, section 2).
///
/// # Errors
/// With the place that cannot stand there.
fn decode(text: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let (mut bits, mut held) = (0_u32, 0_u32);
    for (at, &letter) in text.iter().enumerate() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return Err(at),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // A lone letter says no byte, and the rest of a byte must be zero.
    if held == 6 || bits != 0 { Err(text.len()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_canonical() {
        let read = |text: &str| {
            let mut out = Vec::new();
            decode(text.as_bytes(), &mut out).map(|()| out)
        };
        assert_eq!(read("eyJhIjoxfQ"), Ok(b"{\"a\":1}".to_vec()));
        assert_eq!(read("-_8"), Ok(vec![0xFB, 0xFF]));
        assert_eq!(read(""), Ok(Vec::new()));
        for (broken, place) in [("A", 1), ("AB", 2), ("AA=", 2), ("A+A", 1), ("AAB", 3), ("é", 0)]
        {
            assert_eq!(read(broken), Err(place), "{broken}");
        }
    }

    #[test]
    fn headers_name_an_algorithm() {
        for (header, sound) in [
            (r#"{"alg":"RS256"}"#, true),
            (r#"{"x":{"alg":"none"},"alg":"PS256","crit":["http://x"]}"#, true),
            (r#"{"alg":"none"}"#, false),
            (r#"{"alg":"NONE"}"#, false),
            (r#"{"alg":"n\u006fne"}"#, false),
            (r#"{"\u0061lg":"none","alg":"RS256"}"#, false),
            (r#"{"alg":"RS256","b64":false}"#, false),
            (r#"{"alg":5}"#, false),
            (r#"{"x":{"alg":"RS256"}}"#, false),
            (r#"["alg","RS256"]"#, false),
            ("{}", false),
        ] {
            assert_eq!(is_sound(header.as_bytes()), sound, "{header}");
        }
    }
}
