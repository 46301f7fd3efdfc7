//! Names that come from outside: policies, channels, gateways, labels. All are bounded here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Bytes of the name of a policy, a channel, an identity, or of a label's key or value.
pub const NAME: usize = 63;
/// Bytes of a gateway's id.
pub const GATEWAY: usize = 128;
/// Labels of a gateway or of a selector.
pub const LABELS: usize = 16;

/// Whether a text names a policy or a channel: letters, digits, `-`, `_`, `.`, not first a `.`.
pub fn is_name(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME).contains(&text.len()) && text.bytes().all(sound) && !text.starts_with('.')
}

/// For arguments.
///
/// # Errors
/// What a name consists of.
pub fn name(text: &str) -> Result<String, String> {
    is_name(text)
        .then(|| text.to_owned())
        .ok_or_else(|| format!("not a name of 1 to {NAME} letters, digits, `-`, `_` and `.`"))
}

/// Key and value pairs: what a gateway says of itself, or what a selector asks for. Written `k=v,k2=v2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether all of these are among a gateway's.
    pub fn hold_in(&self, gateway: &Labels) -> bool {
        self.0.iter().all(|(key, value)| gateway.0.get(key) == Some(value))
    }

    /// Adds a pair.
    ///
    /// # Errors
    /// What a label consists of.
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), String> {
        let sound = |text: &str| {
            text.len() <= NAME && text.chars().all(|it| !it.is_control() && !"=,".contains(it))
        };
        if key.is_empty() || !sound(key) || !sound(value) || self.0.len() >= LABELS {
            return Err(format!(
                "labels are at most {LABELS} pairs `key=value` of up to {NAME} bytes, without `,` and `=`"
            ));
        }
        self.0.insert(key.to_owned(), value.to_owned());
        Ok(())
    }
}

impl FromStr for Labels {
    type Err = String;

    fn from_str(text: &str) -> Result<Labels, String> {
        let mut labels = Labels::default();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()).take(LABELS + 1) {
            let (key, value) = pair.trim().split_once('=').unwrap_or((pair, "\u{0}"));
            labels.add(key, value)?;
        }
        Ok(labels)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(formatter, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1). What is not encoded well stays as it is.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let value = digits.filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match value.and_then(|it| u8::from_str_radix(it, 16).ok()).filter(|_| *byte == b'%') {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// At most so many bytes of a text from outside, without control characters.
pub fn bounded(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded() {
        assert!(is_name("payments-v2.eu_1"));
        for wrong in ["", ".", "../x", "a/b", "a b", "ä", &"a".repeat(64)] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn labels_there_and_back() {
        let labels: Labels = " region=eu, tier=test,".parse().unwrap();
        assert_eq!(labels.to_string(), "region=eu,tier=test");
        assert_eq!(labels.get("tier"), Some("test"));
        assert!("region=".parse::<Labels>().unwrap().hold_in(&"region=".parse().unwrap()));
        assert!("".parse::<Labels>().unwrap().is_empty());
        let many: Vec<String> = (0..17).map(|n| format!("k{n}=v")).collect();
        for wrong in ["region", "=eu", "a=b=c", &format!("a={}", "x".repeat(64)), &many.join(",")] {
            assert!(wrong.parse::<Labels>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn percent_decoding_is_total() {
        assert_eq!(percent_decoded("a%20b%C3%A4"), "a bä");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
        assert_eq!(percent_decoded("%+1%FF"), "%+1\u{fffd}");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(bounded("aä\nb", 2), "a");
        assert_eq!(bounded("a\nb", 9), "a b");
    }
}
