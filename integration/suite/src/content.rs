//! `contentEncoding` and `contentMediaType` for the oracle, which by itself takes both as annotations, as JSON
//! Schema 2020-12 does.

use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, HEXUPPER_PERMISSIVE};
use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// What strings of one schema encode.
struct Content {
    encoding: Option<String>,
    /// Whether what is encoded is JSON.
    json: bool,
}

type Made<'a> = Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>;

/// The keyword `contentEncoding`.
pub(crate) fn encoding<'a>(_: &'a Map<String, Value>, value: &'a Value, _: Location) -> Made<'a> {
    Ok(Box::new(Content { encoding: value.as_str().map(str::to_owned), json: false }))
}

/// The keyword `contentMediaType`.
pub(crate) fn media_type<'a>(
    parent: &'a Map<String, Value>,
    value: &'a Value,
    _: Location,
) -> Made<'a> {
    let name = value.as_str().unwrap_or_default();
    let name = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = name == "application/json" || name.ends_with("+json");
    let encoding = parent.get("contentEncoding").and_then(Value::as_str).map(str::to_owned);
    Ok(Box::new(Content { encoding, json }))
}

impl Content {
    fn holds(&self, instance: &Value) -> bool {
        let Some(text) = instance.as_str() else { return true };
        let decoded = match self.encoding.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("base64") => BASE64.decode(text.as_bytes()),
            Some("base64url") => BASE64URL.decode(text.as_bytes()),
            Some("base32") => BASE32.decode(text.as_bytes()),
            Some("base32hex") => BASE32HEX.decode(text.as_bytes()),
            Some("base16") => HEXUPPER_PERMISSIVE.decode(text.as_bytes()),
            Some("7bit") => return text.is_ascii(),
            // RFC 2045, section 6.7: an equals sign stands before two digits or the end of a line.
            Some("quoted-printable") => {
                return text.split('=').skip(1).all(|rest| {
                    let digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
                    digits == 2 || rest.starts_with("\r\n")
                });
            }
            _ => Ok(text.as_bytes().to_vec()),
        };
        match decoded {
            Ok(bytes) => !self.json || serde_json::from_slice::<Value>(&bytes).is_ok(),
            Err(_) => false,
        }
    }
}

impl<'i> Keyword<'i> for Content {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.holds(instance) { Ok(()) } else { Err(ValidationError::custom("other content")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.holds(instance)
    }
}
