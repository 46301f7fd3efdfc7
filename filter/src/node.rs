//! What the bootstrap's node metadata says under `portcullis`: trust that does not travel with the bundle.
//!
//! Envoy gives a structure as it gives header fields ([`crate::headers`]): names and values, where the value
//! of a number is a little-endian f64, of a boolean one byte, and of a list again such fields, whose
//! names are the items.

use crate::config::Document;
use crate::headers::Fields;
use crate::host::Host;
use crate::poll::SourceDocument;
use crate::refusal::Refusal;

/// Reads the node's metadata; empty where it says nothing about this filter.
///
/// # Errors
/// A name or value that is not as documented: what should narrow trust must not be passed over.
pub fn read(host: &impl Host) -> Result<Document<'static>, Refusal> {
    match host.property(&["xds", "node", "metadata", "portcullis"]) {
        Some(bytes) => parse(&bytes),
        None => Ok(Document::default()),
    }
}

fn parse(bytes: &[u8]) -> Result<Document<'static>, Refusal> {
    let mut document = Document::default();
    let fields = Fields::parse(bytes).ok_or_else(|| refuse("portcullis", "is not a structure"))?;
    for (name, value) in fields.as_slice() {
        let name = String::from_utf8_lossy(name);
        let known = match &*name {
            "trusted_keys" => list(value).map(|it| document.trusted_keys = Some(it)),
            "minimum_epoch" => number(value).map(|it| document.minimum_epoch = Some(it)),
            "audience" => text(value).map(|it| document.audience = Some(it)),
            "hold_headers" => boolean(value).map(|it| document.hold_headers = Some(it)),
            "allow_unsigned" => boolean(value).map(|it| document.allow_unsigned = Some(it)),
            "force_monitor_until" => text(value).map(|it| document.force_monitor_until = Some(it)),
            "log_findings_per_second" => number(value)
                .and_then(|it| u32::try_from(it).ok())
                .map(|it| document.log_findings_per_second = Some(it)),
            "caller_key" => text(value).map(|it| document.caller_key = Some(it)),
            "log_audit" => boolean(value).map(|it| document.log_audit = Some(it)),
            "source" => {
                document.source = Some(source(value)?);
                continue;
            }
            "labels" => labels(value).map(|it| document.labels = it),
            _ => return Err(refuse(&name, "is not known")),
        };
        known.ok_or_else(|| refuse(&name, "has not the documented form"))?;
    }
    Ok(document)
}

fn source(bytes: &[u8]) -> Result<SourceDocument, Refusal> {
    let mut document = SourceDocument::default();
    let fields = Fields::parse(bytes).ok_or_else(|| refuse("source", "is not a structure"))?;
    for (name, value) in fields.as_slice() {
        let name = String::from_utf8_lossy(name);
        let known = match &*name {
            "cluster" => text(value).map(|it| document.cluster = it),
            "path" => text(value).map(|it| document.path = it),
            "authority" => text(value).map(|it| document.authority = Some(it)),
            "interval" => text(value).map(|it| document.interval = Some(it)),
            "timeout" => text(value).map(|it| document.timeout = Some(it)),
            "max_bytes" => number(value).map(|it| document.max_bytes = Some(it)),
            _ => return Err(refuse(&["source.", &name].concat(), "is not known")),
        };
        known.ok_or_else(|| refuse(&["source.", &name].concat(), "has not the documented form"))?;
    }
    Ok(document)
}

fn labels(value: &[u8]) -> Option<Vec<(String, String)>> {
    let fields = Fields::parse(value)?;
    fields.as_slice().iter().map(|(name, value)| text(name).zip(text(value))).collect()
}

fn refuse(name: &str, what: &str) -> Refusal {
    Refusal::Configuration(format!("node metadata `portcullis`: `{name}` {what}"))
}

/// Text without control characters, of which the bytes of most numbers have some.
fn text(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// A whole number, or its digits: beyond 2⁵³ metadata has no other way to write it.
fn number(value: &[u8]) -> Option<u64> {
    // No f64 that is a whole number looks like eight digits: the least of those is a fraction.
    if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
        return text(value)?.parse().ok();
    }
    let number = f64::from_le_bytes(value.try_into().ok()?);
    let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "just checked")]
    is_whole.then_some(number as u64)
}

fn list(value: &[u8]) -> Option<Vec<String>> {
    Fields::parse(value)?.as_slice().iter().map(|(item, _)| text(item)).collect()
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::config::Document;
    use crate::testing::fields;

    /// As Envoy 1.40 gives `{trusted_keys: [aabb, ccdd], minimum_epoch: 7, allow_unsigned: true}`.
    fn envoys(epoch: &[u8]) -> Vec<u8> {
        let keys = b"\x02\0\0\0\x04\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0aabb\0\0ccdd\0\0";
        let fields: [(&[u8], &[u8]); 3] =
            [(b"minimum_epoch", epoch), (b"trusted_keys", keys), (b"allow_unsigned", &[1])];
        let mut bytes = 3_u32.to_le_bytes().to_vec();
        for (name, value) in fields {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in fields {
            bytes.extend([name, b"\0", value, b"\0"].concat());
        }
        bytes
    }

    #[test]
    fn a_structure_is_read_as_envoy_gives_it() {
        let read = parse(&envoys(&7.0_f64.to_le_bytes())).unwrap();
        let expected = Document {
            trusted_keys: Some(vec!["aabb".to_owned(), "ccdd".to_owned()]),
            minimum_epoch: Some(7),
            allow_unsigned: Some(true),
            ..Document::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn epochs_are_whole_numbers_or_digits() {
        let epoch =
            |bytes: &[u8]| parse(&envoys(bytes)).map(|read| read.minimum_epoch.unwrap()).ok();
        assert_eq!(epoch(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(epoch(b"12345678"), Some(12_345_678));
        assert_eq!(epoch(&1.5_f64.to_le_bytes()), None);
        assert_eq!(epoch(&(-1.0_f64).to_le_bytes()), None);
        assert_eq!(epoch(&f64::NAN.to_le_bytes()), None);
        assert_eq!(epoch(b"seven"), None);
    }

    #[test]
    fn a_source_and_labels_are_structures_within() {
        let max = 4096.0_f64.to_le_bytes();
        let source = fields(&[("cluster", b"policies"), ("path", b"/b"), ("max_bytes", &max)]);
        let labels = fields(&[("env", b"prod")]);
        let read = parse(&fields(&[("source", &source), ("labels", &labels)])).unwrap();
        let source = read.source.unwrap();
        assert_eq!(
            (&*source.cluster, &*source.path, source.max_bytes),
            ("policies", "/b", Some(4096))
        );
        assert_eq!(read.labels, [("env".to_owned(), "prod".to_owned())]);
        let wrong = parse(&fields(&[("source", &fields(&[("url", b"x")]))])).unwrap_err();
        assert!(wrong.to_string().contains("`source.url` is not known"), "{wrong}");
    }

    #[test]
    fn a_number_or_a_boolean_is_no_text() {
        for number in [7.0_f64, 0.0, 1.0, 1024.0, 65_536.0] {
            let number = number.to_le_bytes();
            for value in [&number[..], &[1]] {
                let labels = fields(&[("zone", value)]);
                for (name, value) in [("audience", value), ("labels", &labels)] {
                    let refused = parse(&fields(&[(name, value)])).unwrap_err().to_string();
                    assert!(refused.contains("has not the documented form"), "{refused}");
                }
            }
        }
        let read = parse(&fields(&[("audience", "Zürich".as_bytes())])).unwrap();
        assert_eq!(read.audience.as_deref(), Some("Zürich"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let mut bytes = envoys(b"7");
        let at = bytes.windows(12).position(|window| window == b"trusted_keys").unwrap();
        bytes[at] = b'T';
        assert!(parse(&bytes).unwrap_err().to_string().contains("`Trusted_keys` is not known"));
        assert!(parse(b"bank").is_err());
    }
}
