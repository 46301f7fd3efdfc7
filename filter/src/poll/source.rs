//! Where bundles are fetched from, as the configuration says, and how the gateway names itself there.

use crate::refusal::Refusal;
use portcullis_bundle::source::{
    DEFAULT_MAX_BYTES, INTERVAL, MAX_BYTES, TIMEOUT, Time, is_path, is_sent,
};
use serde::Deserialize;

/// Bytes of the node's id and of its labels, encoded.
const MOST_ID: usize = 128;
const MOST_LABELS: usize = 1024;

/// `source` as the configuration writes it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SourceDocument {
    /// The cluster in Envoy's configuration.
    pub cluster: String,
    /// The path, with its query.
    pub path: String,
    /// The authority; the cluster's name where it is not said.
    pub authority: Option<String>,
    /// Between fetches: `30s`.
    pub interval: Option<String>,
    /// Until a fetch is given up: `10s`.
    pub timeout: Option<String>,
    /// Bytes of the largest bundle that is taken.
    pub max_bytes: Option<u64>,
}

/// Where and how often to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The cluster in Envoy's configuration.
    pub cluster: String,
    /// The path, with its query.
    pub path: String,
    /// The authority.
    pub authority: String,
    /// Milliseconds between fetches.
    pub interval: u64,
    /// Milliseconds until a fetch is given up.
    pub timeout: u64,
    /// Bytes of the largest bundle that is taken.
    pub max_bytes: u32,
    /// `k=v,k2=v2`: the gateway's labels, encoded.
    pub labels: String,
}

impl SourceDocument {
    /// Checks every field.
    ///
    /// # Errors
    /// The first one that is not as documented.
    pub fn read(self, labels: &[(String, String)]) -> Result<Source, Refusal> {
        let authority = self.authority.unwrap_or_else(|| self.cluster.clone());
        for (name, value) in
            [("cluster", &self.cluster), ("path", &self.path), ("authority", &authority)]
        {
            if !is_sent(value) {
                return Err(refuse(name, "is not visible ASCII of 1 to 2048 characters"));
            }
        }
        if !is_path(&self.path) {
            return Err(refuse("path", "does not begin with `/`"));
        }
        let max_bytes = self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES.into());
        let max_bytes = u32::try_from(max_bytes).ok().filter(|it| MAX_BYTES.contains(it));
        Ok(Source {
            interval: time("interval", self.interval, INTERVAL)?,
            timeout: time("timeout", self.timeout, TIMEOUT)?,
            max_bytes: max_bytes.ok_or_else(|| refuse("max_bytes", "is not 1 to 25165824"))?,
            cluster: self.cluster,
            path: self.path,
            authority,
            labels: encode_labels(labels),
        })
    }
}

fn refuse(name: &str, what: &str) -> Refusal {
    Refusal::Configuration(["`source.", name, "` ", what].concat())
}

fn time(name: &str, text: Option<String>, time: Time) -> Result<u64, Refusal> {
    let Some(text) = text else { return Ok(time.default) };
    time.read(&text).ok_or_else(|| {
        refuse(name, "is no time within its bounds, a whole number of `ms`, `s`, `m` or `h`")
    })
}

/// The node's id as a header field can hold it.
pub fn encode_id(id: &[u8]) -> String {
    let mut encoded = String::new();
    encode(id, b"", MOST_ID, &mut encoded);
    encoded
}

/// The labels in the order of their names; what exceeds the field's length is left out whole.
fn encode_labels(labels: &[(String, String)]) -> String {
    // By insertion: a sort would be a tenth of the poller's code.
    let mut sorted: Vec<&(String, String)> = Vec::new();
    for label in labels {
        let at = sorted.iter().position(|known| *known > label).unwrap_or(sorted.len());
        sorted.insert(at, label);
    }
    let mut all = String::new();
    for (name, value) in sorted {
        let mut one = String::new();
        encode(name.as_bytes(), b",=", MOST_LABELS, &mut one);
        one.push('=');
        encode(value.as_bytes(), b",=", MOST_LABELS, &mut one);
        if all.len().saturating_add(one.len()) < MOST_LABELS {
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(&one);
        }
    }
    all
}

/// Percent-encodes what is not visible ASCII, `%`, and what separates (RFC 3986, section 2.1), up to a length.
fn encode(text: &[u8], separators: &[u8], most: usize, into: &mut String) {
    for byte in text {
        let is_plain = byte.is_ascii_graphic() && *byte != b'%' && !separators.contains(byte);
        let needs = if is_plain { 1 } else { 3 };
        if into.len().saturating_add(needs) > most {
            return;
        }
        if is_plain {
            into.push(char::from(*byte));
        } else {
            into.push('%');
            into.push_str(&crate::digits::to_hex(&[*byte]).to_ascii_uppercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, SourceDocument, encode_id};

    fn document() -> SourceDocument {
        SourceDocument {
            cluster: "policies".to_owned(),
            path: "/v1/policies/bank/bundle?x=1".to_owned(),
            ..SourceDocument::default()
        }
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let labels = [("zone", "a,b"), ("env", "prod 1")].map(|(n, v)| (n.into(), v.into()));
        let expected = Source {
            cluster: "policies".to_owned(),
            path: "/v1/policies/bank/bundle?x=1".to_owned(),
            authority: "policies".to_owned(),
            interval: 30_000,
            timeout: 10_000,
            max_bytes: 8 << 20,
            labels: "env=prod%201,zone=a%2Cb".to_owned(),
        };
        assert_eq!(document().read(&labels).unwrap(), expected);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let text = |text: &str| Some(text.to_owned());
        for wrong in [
            SourceDocument { cluster: String::new(), ..document() },
            SourceDocument { path: "v1".to_owned(), ..document() },
            SourceDocument { path: "/a b".to_owned(), ..document() },
            SourceDocument { authority: text("a\nb"), ..document() },
            SourceDocument { interval: text("199ms"), ..document() },
            SourceDocument { interval: text("25h"), ..document() },
            SourceDocument { timeout: text("0s"), ..document() },
            SourceDocument { max_bytes: Some(0), ..document() },
            SourceDocument { max_bytes: Some(1 << 32), ..document() },
        ] {
            assert!(wrong.clone().read(&[]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ids_are_visible_and_bounded() {
        assert_eq!(encode_id("gate-1 ü%".as_bytes()), "gate-1%20%C3%BC%25");
        assert_eq!(encode_id(&[b'a'; 300]).len(), 128);
        assert_eq!(encode_id(&[0xFF; 300]).len(), 126);
    }
}
