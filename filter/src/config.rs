//! The plugin configuration: JSON text, or a bare bundle, or nothing.
//!
//! In: the configuration's bytes and the node's metadata. Out: [`Settings`], the bundle's bytes and where to fetch others. Nothing
//! here asks the clock or other workers, so that the main thread refuses exactly what a worker would.
//! CONFIGURATION.md documents every field.

use crate::digits::{decode_base64, from_hex};
use crate::poll::{Source, SourceDocument};
use crate::refusal::Refusal;
use portcullis_bundle::Trust;
use portcullis_bundle::layout::MAGIC;
use serde::Deserialize;
use std::borrow::Cow;
use std::ops::Range;
use std::time::UNIX_EPOCH;

/// Findings logged a second where the configuration does not say.
pub const DEFAULT_FINDINGS_PER_SECOND: u32 = 20;

/// What a configuration asks for.
#[derive(Debug)]
pub enum Configuration {
    /// No policy at all: every request is refused with `policy-missing`. What `default_config` holds.
    Deny,
    /// Something to serve.
    Serve(Box<Serving>),
}

/// What there is to serve, and how.
#[derive(Debug)]
pub struct Serving {
    /// The bundle as it came; `None` only beside a source.
    pub bundle: Option<Vec<u8>>,
    /// Everything else.
    pub settings: Settings,
    /// Where newer bundles are fetched from.
    pub source: Option<Source>,
}

/// Everything in a configuration but the bundle.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose bundles are opened.
    pub trust: Trust,
    /// The least epoch that is activated.
    pub minimum_epoch: u64,
    /// The gateway's audience: bundles for others are refused.
    pub audience: Option<String>,
    /// Whether the plugin may stop on headers, so that bodies can be held until they are judged.
    pub hold_headers: bool,
    /// Until when refusals are suspended, in nanoseconds since the Unix epoch. Needs the bundle's consent.
    pub force_monitor_until: Option<u64>,
    /// Findings logged a second at most, by each worker.
    pub findings_per_second: u32,
    /// Whether a line in the form of an audit log tells of each message on which rules fired.
    pub audit: bool,
    /// The secret by which gateways that share a limit service make the same of the same caller.
    pub caller_key: Option<String>,
}

impl Settings {
    /// Adds to a hash what decides on whether a bundle may serve.
    pub fn hash_trust_into(&self, hasher: &mut blake3::Hasher) {
        let Trust { keys, allow_unsigned } = &self.trust;
        let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        for number in [count, u64::from(*allow_unsigned), self.minimum_epoch] {
            hasher.update(&number.to_le_bytes());
        }
        keys.iter().for_each(|key| {
            hasher.update(key);
        });
        hash_text(self.audience.as_deref(), hasher);
    }

    /// Adds all that is set to a hash: two settings are the same where theirs are.
    pub fn hash_into(&self, hasher: &mut blake3::Hasher) {
        // By name, so that a field that is added cannot be left out.
        let Settings {
            trust: _,
            minimum_epoch: _,
            audience: _,
            hold_headers,
            force_monitor_until,
            findings_per_second,
            audit,
            caller_key,
        } = self;
        self.hash_trust_into(hasher);
        let numbers = [
            u64::from(*hold_headers),
            u64::from(*findings_per_second),
            u64::from(*audit),
            u64::from(force_monitor_until.is_some()),
            force_monitor_until.unwrap_or(0),
        ];
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
        hash_text(caller_key.as_deref(), hasher);
    }
}

fn hash_text(text: Option<&str>, hasher: &mut blake3::Hasher) {
    let text = text.unwrap_or_default();
    let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
    hasher.update(&len.to_le_bytes()).update(text.as_bytes());
}

/// The fields of the JSON text; all but `bundle` may stand in the node's metadata too.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Document<'a> {
    /// The bundle in base64 (RFC 4648, section 4).
    #[serde(borrow)]
    pub bundle: Cow<'a, str>,
    /// ed25519 public keys in hexadecimal.
    pub trusted_keys: Option<Vec<String>>,
    /// See [`Settings::minimum_epoch`].
    pub minimum_epoch: Option<u64>,
    /// See [`Settings::audience`].
    pub audience: Option<String>,
    /// See [`Settings::hold_headers`].
    pub hold_headers: Option<bool>,
    /// Whether bundles without a signature are opened.
    pub allow_unsigned: Option<bool>,
    /// RFC 3339, in UTC.
    pub force_monitor_until: Option<String>,
    /// See [`Settings::findings_per_second`].
    pub log_findings_per_second: Option<u32>,
    /// See [`Settings::audit`].
    pub log_audit: Option<bool>,
    /// Where newer bundles are fetched from.
    pub source: Option<SourceDocument>,
    /// What the gateway says of itself to the source; only the node's metadata has any.
    #[serde(skip)]
    pub labels: Vec<(String, String)>,
    /// See [`Settings::caller_key`]; at least 16 characters.
    pub caller_key: Option<String>,
}

impl Configuration {
    /// Reads a plugin configuration. What the node's metadata says goes before what the
    /// configuration says: keys that travel with the bundle protect nothing. Where the node has
    /// keys, it alone says whether bundles may go without a signature.
    ///
    /// # Errors
    /// What is wrong with the configuration's own text; the bundle is not looked at.
    pub fn read(mut bytes: Vec<u8>, node: Document<'static>) -> Result<Configuration, Refusal> {
        if bytes.starts_with(&MAGIC) {
            return node.serving(Some(bytes));
        }
        if bytes.trim_ascii().is_empty() {
            return if node.source.is_some() {
                node.serving(None)
            } else {
                Ok(Configuration::Deny)
            };
        }
        let mut document: Document<'_> = serde_json::from_slice(&bytes)
            .map_err(|error| Refusal::Configuration(without_value(&error.to_string())))?;
        if document == Document::default() && node.source.is_none() {
            return Ok(Configuration::Deny);
        }
        // Large bundles: the text of the bundle becomes the bundle, so that there are never both.
        let (place, own) = match &mut document.bundle {
            Cow::Borrowed(text) => (place_of(&bytes, text), None),
            Cow::Owned(text) => (None, Some(std::mem::take(text).into_bytes())),
        };
        let all = node.or(document);
        let bundle = own.or_else(|| {
            let place = place?;
            bytes.truncate(place.end);
            bytes.drain(..place.start);
            Some(bytes)
        });
        let Some(mut bundle) = bundle.filter(|text| !text.is_empty()) else {
            return all.serving(None);
        };
        decode_base64(&mut bundle).map_err(|place| {
            Refusal::BundleEncoding(format!("character {place} is out of place"))
        })?;
        all.serving(Some(bundle))
    }
}

/// Where a part of some bytes lies in them.
fn place_of(bytes: &[u8], part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (!part.is_empty() && end <= bytes.len()).then_some(start..end)
}

impl Document<'_> {
    /// These fields, and the other's where these say nothing. What narrows trust here, the other cannot widen. The
    /// bundle is left out.
    fn or(self, other: Document<'_>) -> Document<'static> {
        let others_unsigned = other.allow_unsigned.filter(|_| self.trusted_keys.is_none());
        Document {
            bundle: Cow::Borrowed(""),
            trusted_keys: self.trusted_keys.or(other.trusted_keys),
            minimum_epoch: self.minimum_epoch.max(other.minimum_epoch),
            audience: self.audience.or(other.audience),
            hold_headers: self.hold_headers.or(other.hold_headers),
            allow_unsigned: self.allow_unsigned.or(others_unsigned),
            force_monitor_until: self.force_monitor_until.or(other.force_monitor_until),
            log_findings_per_second: self.log_findings_per_second.or(other.log_findings_per_second),
            log_audit: self.log_audit.or(other.log_audit),
            source: self.source.or(other.source),
            labels: self.labels,
            caller_key: self.caller_key.or(other.caller_key),
        }
    }

    fn serving(mut self, bundle: Option<Vec<u8>>) -> Result<Configuration, Refusal> {
        let source = self.source.take().map(|it| it.read(&self.labels)).transpose()?;
        if bundle.is_none() && source.is_none() {
            return Err(Refusal::BundleMissing);
        }
        Ok(Configuration::Serve(Box::new(Serving { bundle, settings: self.settings()?, source })))
    }

    fn settings(self) -> Result<Settings, Refusal> {
        let keys = self.trusted_keys.unwrap_or_default();
        Ok(Settings {
            trust: Trust {
                keys: (1..).zip(&keys).map(read_key).collect::<Result<_, _>>()?,
                allow_unsigned: self.allow_unsigned.unwrap_or(false),
            },
            minimum_epoch: self.minimum_epoch.unwrap_or(0),
            audience: self.audience.filter(|audience| !audience.is_empty()),
            hold_headers: self.hold_headers.unwrap_or(false),
            force_monitor_until: self.force_monitor_until.as_deref().map(read_time).transpose()?,
            findings_per_second: self
                .log_findings_per_second
                .unwrap_or(DEFAULT_FINDINGS_PER_SECOND),
            audit: self.log_audit.unwrap_or(false),
            caller_key: self.caller_key.map(read_caller_key).transpose()?,
        })
    }
}

/// What serde says of an error, without the value that it repeats where a type or value is wrong: that may be a secret.
fn without_value(message: &str) -> String {
    const EXPECTED: &str = ", expected ";
    match message.rfind(EXPECTED) {
        Some(at) if message.starts_with("invalid ") => {
            let rest = message.get(at..).unwrap_or_default().trim_start_matches(", ");
            ["invalid type or value, ", rest].concat()
        }
        _ => message.to_owned(),
    }
}

fn read_key((number, text): (usize, &String)) -> Result<[u8; 32], Refusal> {
    from_hex(text).ok_or_else(|| {
        Refusal::Configuration(format!(
            "`trusted_keys`: item {number} is not an ed25519 public key of 64 hexadecimal digits"
        ))
    })
}

fn read_caller_key(text: String) -> Result<String, Refusal> {
    if text.len() < 16 {
        let what = "`caller_key` has less than 16 characters".to_owned();
        return Err(Refusal::Configuration(what));
    }
    Ok(text)
}

/// Nanoseconds since the Unix epoch.
fn read_time(text: &str) -> Result<u64, Refusal> {
    let refuse = || {
        Refusal::Configuration(format!(
            "`force_monitor_until`: `{text}` is not a time as RFC 3339 writes it in UTC, \
             such as `2026-01-31T18:00:00Z`"
        ))
    };
    let time = humantime::parse_rfc3339(text).map_err(|_| refuse())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| refuse())?;
    u64::try_from(since.as_nanos()).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::{Configuration, Document, Serving};
    use crate::refusal::Refusal;
    use portcullis_bundle::layout::MAGIC;

    fn read(text: &str) -> Result<Configuration, Refusal> {
        Configuration::read(text.as_bytes().to_vec(), Document::default())
    }

    fn serving(read: Result<Configuration, Refusal>) -> Serving {
        match read {
            Ok(Configuration::Serve(serving)) => *serving,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_denies() {
        for text in ["", " \n", "{}", "{ }"] {
            assert!(matches!(read(text), Ok(Configuration::Deny)), "{text}");
        }
    }

    #[test]
    fn json_carries_bundle_and_settings() {
        let key = "aB".repeat(32);
        let text = format!(
            r#"{{"bundle":"UE9SVA==","trusted_keys":["{key}"],"minimum_epoch":7,"audience":"bank",
                "hold_headers":true,"force_monitor_until":"2026-01-01T00:00:00Z"}}"#
        );
        let Serving { bundle, settings, source } = serving(read(&text));
        assert_eq!((bundle.as_deref(), source), (Some(&b"PORT"[..]), None));
        assert_eq!(settings.trust.keys, [[0xAB; 32]]);
        assert_eq!(settings.minimum_epoch, 7);
        assert_eq!(settings.audience.as_deref(), Some("bank"));
        assert!(settings.hold_headers && !settings.trust.allow_unsigned);
        assert_eq!(settings.force_monitor_until, Some(1_767_225_600_000_000_000));
        assert_eq!(settings.findings_per_second, 20);
    }

    #[test]
    fn a_bare_bundle_is_trusted_by_the_node_alone() {
        let node = Document { trusted_keys: Some(vec!["00".repeat(32)]), ..Document::default() };
        let Serving { bundle, settings, .. } = serving(Configuration::read(MAGIC.to_vec(), node));
        assert_eq!(bundle.unwrap(), MAGIC);
        assert_eq!(settings.trust.keys, [[0; 32]]);
    }

    #[test]
    fn the_node_goes_before_the_configuration() {
        let node = Document { minimum_epoch: Some(9), ..Document::default() };
        let text = br#"{"bundle":"UE9SVA==","minimum_epoch":1,"audience":"bank"}"#;
        let settings = serving(Configuration::read(text.to_vec(), node)).settings;
        assert_eq!(settings.minimum_epoch, 9);
        assert_eq!(settings.audience.as_deref(), Some("bank"));
    }

    #[test]
    fn a_configuration_cannot_widen_the_trust_of_the_node() {
        let text =
            br#"{"bundle":"UE9S","allow_unsigned":true,"minimum_epoch":12,"trusted_keys":[]}"#;
        let keys = Some(vec!["0a".repeat(32)]);
        let read = |node| serving(Configuration::read(text.to_vec(), node)).settings;
        for (node, allows, least) in [
            (Document { trusted_keys: keys.clone(), ..Document::default() }, false, 12),
            (Document { trusted_keys: Some(Vec::new()), ..Document::default() }, false, 12),
            (Document { allow_unsigned: Some(false), ..Document::default() }, false, 12),
            (
                Document {
                    trusted_keys: keys,
                    allow_unsigned: Some(true),
                    minimum_epoch: Some(13),
                    ..Document::default()
                },
                true,
                13,
            ),
            (Document { minimum_epoch: Some(11), ..Document::default() }, true, 12),
        ] {
            let expected = node.trusted_keys.as_ref().map_or(0, Vec::len);
            let settings = read(node);
            assert_eq!((settings.trust.allow_unsigned, settings.minimum_epoch), (allows, least));
            assert_eq!(settings.trust.keys.len(), expected);
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for text in [
            r#"{"bundle":"AAAA","caller_key":1234567890123456}"#,
            r#"{"bundle":"AAAA","caller_key":["1234567890123456"]}"#,
            r#"{"bundle":"AAAA","minimum_epoch":"1234567890123456, expected "}"#,
            r#"{"bundle":"AAAA","log_findings_per_second":1234567890123456}"#,
            r#"{"bundle":"AAAA","trusted_keys":["1234567890123456"]}"#,
            r#"{"bundle":"AAAA","source":{"max_bytes":"1234567890123456"}}"#,
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(!said.contains("123456"), "{said}");
            let names = said.contains("column") && said.contains("expected ");
            assert!(names || said.contains("`trusted_keys`: item 1"), "{said}");
        }
        let said = read(r#"{"bundel":""}"#).unwrap_err().to_string();
        assert!(said.contains("unknown field `bundel`"), "{said}");
    }

    #[test]
    fn every_setting_is_part_of_the_hash() {
        let all = [
            "",
            r#","trusted_keys":["0000000000000000000000000000000000000000000000000000000000000000"]"#,
            r#","allow_unsigned":true"#,
            r#","minimum_epoch":1"#,
            r#","audience":"abcdefghijklmnopq""#,
            r#","audience":"a","caller_key":"bcdefghijklmnopq""#,
            r#","caller_key":"abcdefghijklmnopq""#,
            r#","hold_headers":true"#,
            r#","force_monitor_until":"1970-01-01T00:00:00Z""#,
            r#","log_findings_per_second":1"#,
            r#","log_audit":true"#,
        ];
        let hashes: std::collections::BTreeSet<_> = all
            .iter()
            .map(|more| {
                let text = [r#"{"bundle":"UE9S""#, more, "}"].concat();
                let mut hasher = blake3::Hasher::new();
                serving(read(&text)).settings.hash_into(&mut hasher);
                *hasher.finalize().as_bytes()
            })
            .collect();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn escaped_slashes_of_base64_are_read() {
        let serving = serving(read(r#"{"bundle":"\/\/\/\/"}"#));
        assert_eq!(serving.bundle.unwrap(), [0xFF; 3]);
    }

    #[test]
    fn a_source_may_stand_alone_or_beside_a_bundle_or_in_the_node() {
        let alone = serving(read(r#"{"source":{"cluster":"c","path":"/b","interval":"5s"}}"#));
        assert!(alone.bundle.is_none());
        assert_eq!(alone.source.unwrap().interval, 5000);
        let beside = serving(read(r#"{"bundle":"UE9S","source":{"cluster":"c","path":"/b"}}"#));
        assert_eq!(beside.bundle.unwrap(), b"POR");
        let node = || Document {
            source: Some(crate::poll::SourceDocument {
                cluster: "n".to_owned(),
                path: "/n".to_owned(),
                ..Default::default()
            }),
            labels: vec![("zone".to_owned(), "a".to_owned())],
            ..Document::default()
        };
        for text in ["", "{}", r#"{"source":{"cluster":"c","path":"/b"}}"#] {
            let served = serving(Configuration::read(text.into(), node())).source.unwrap();
            assert_eq!((&*served.cluster, &*served.labels), ("n", "zone=a"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, reason) in [
            (r#"{"minimum_epoch":1}"#, "bundle-missing"),
            (r#"{"bundle":"*"}"#, "bundle-encoding"),
            (r#"{"bundel":""}"#, "configuration"),
            (r#"{"source":{"cluster":"c"}}"#, "configuration"),
            (r#"{"source":{"cluster":"c","path":"/","every":1}}"#, "configuration"),
            (r#"{"labels":{}}"#, "configuration"),
            (r#"{"bundle":"AAAA","trusted_keys":["zz"]}"#, "configuration"),
            (r#"{"bundle":"AAAA","force_monitor_until":"tomorrow"}"#, "configuration"),
            ("nonsense", "configuration"),
        ] {
            match read(text) {
                Err(refusal) => assert_eq!(refusal.reason().name(), reason, "{text}"),
                Ok(_) => panic!("{text} was read"),
            }
        }
    }
}
