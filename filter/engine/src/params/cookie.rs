//! Cookies (RFC 6265, section 4.2).

/// All cookies by name and value, in order, over all `cookie` fields: HTTP/2 may send one for each pair
/// (RFC 9113, section 8.2.3).
pub(crate) fn all<'a>(
    headers: &'a [(&'a [u8], &'a [u8])],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    let fields = headers.iter().filter(|(field, _)| *field == b"cookie");
    fields.flat_map(|(_, value)| value.split(|&byte| byte == b';')).filter_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        Some((name.trim_ascii_end(), unquoted(value.get(1..).unwrap_or_default())))
    })
}

/// The values of the cookies with a name, in order.
pub(crate) fn values<'a>(
    headers: &'a [(&'a [u8], &'a [u8])],
    name: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> + Clone {
    all(headers).filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

/// cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )
fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn finds_cookies_in_all_fields() {
        let headers: [(&[u8], &[u8]); 3] = [
            (b"cookie", b"a=1; b=\"2\";c=3=3"),
            (b"accept", b"a=9"),
            (b"cookie", b"a=4; flag; d=\xe9"),
        ];
        let get =
            |name: &'static str| -> Vec<&[u8]> { values(&headers, name.as_bytes()).collect() };
        assert_eq!(get("a"), [&b"1"[..], b"4"]);
        assert_eq!(get("b"), [b"2"]);
        assert_eq!(get("c"), [b"3=3"]);
        assert_eq!(get("d"), [b"\xe9"]);
        assert!(get("flag").is_empty());
    }
}
