//! The header fields that decide how a request is judged, read in one pass.

use crate::media::{self, ContentType};

/// What the header fields say about the message itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    /// `content-type`, where there is one and no other that differs.
    pub content_type: Option<&'a [u8]>,
    /// Whether two `content-type` fields differ.
    pub content_types_differ: bool,
    /// Whether a content coding other than identity is named.
    pub is_coded: bool,
    /// `content-length`; `u64::MAX` where it is larger.
    pub content_length: Option<u64>,
    /// Whether there is a `transfer-encoding`.
    pub has_transfer_encoding: bool,
    /// Whether there is an `origin`.
    pub has_origin: bool,
    /// Whether there is an `access-control-request-method`.
    pub has_requested_method: bool,
    /// Whether the connection is to be upgraded (RFC 9110, section 7.8), or tunnelled by an
    /// extended CONNECT (RFC 8441).
    pub is_upgrade: bool,
}

impl<'a> Fields<'a> {
    /// Reads the fields; names are in lower case.
    pub(super) fn read(headers: &[(&'a [u8], &'a [u8])]) -> Self {
        let mut fields = Fields::default();
        let (mut has_upgrade, mut upgrades) = (false, false);
        for &(name, value) in headers {
            match name {
                b"content-type" => {
                    let differs = fields.content_type.is_some_and(|first| first != value);
                    fields.content_types_differ |= differs;
                    fields.content_type = Some(value);
                }
                b"content-encoding" => fields.is_coded |= !media::is_identity(value),
                b"content-length" => fields.content_length = length(value),
                b"transfer-encoding" => fields.has_transfer_encoding = true,
                b"origin" => fields.has_origin = true,
                b"access-control-request-method" => fields.has_requested_method = true,
                b"upgrade" => has_upgrade = true,
                b"connection" => {
                    upgrades |= value
                        .split(|&byte| byte == b',')
                        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
                }
                b":protocol" => fields.is_upgrade = true,
                _ => {}
            }
        }
        fields.is_upgrade |= has_upgrade && upgrades;
        fields
    }

    /// The media type as forgiving readers take it, for rules: two that differ are not well-formed.
    pub(super) fn lenient_type(&self) -> Option<ContentType<'a>> {
        let mut read = media::parse_leniently(self.content_type?);
        read.is_well_formed &= !self.content_types_differ;
        Some(read)
    }

    /// Whether the bytes that follow belong to another protocol. A request that says how long its
    /// body is has one that ends, and is judged whatever it wants to upgrade to afterwards.
    pub(super) fn is_tunnel(&self) -> bool {
        self.is_upgrade && !self.has_transfer_encoding && self.content_length.unwrap_or(0) == 0
    }
}

/// Content-Length = 1*DIGIT (RFC 9110, section 8.6)
fn length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(headers: &[(&'static str, &'static str)]) -> Fields<'static> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        Fields::read(&headers)
    }

    #[test]
    fn lengths() {
        assert_eq!(length(b"0"), Some(0));
        assert_eq!(length(b" 12 "), Some(12));
        assert_eq!(length(b"99999999999999999999999"), Some(u64::MAX));
        for bad in [&b""[..], b"-1", b"+1", b"1,1", b"0x10"] {
            assert_eq!(length(bad), None);
        }
    }

    #[test]
    fn tunnels_have_no_body_that_ends() {
        let upgrade = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert!(fields(&upgrade).is_tunnel());
        assert!(fields(&[(":protocol", "websocket")]).is_tunnel());
        assert!(!fields(&[("upgrade", "websocket")]).is_tunnel());
        let [connection, name] = upgrade;
        assert!(!fields(&[connection, name, ("content-length", "5")]).is_tunnel());
        assert!(!fields(&[connection, name, ("transfer-encoding", "chunked")]).is_tunnel());
    }

    #[test]
    fn content_types_that_differ() {
        assert!(!fields(&[("content-type", "a/b"), ("content-type", "a/b")]).content_types_differ);
        assert!(fields(&[("content-type", "a/b"), ("content-type", "a/c")]).content_types_differ);
    }
}
