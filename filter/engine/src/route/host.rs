//! Which router a request's authority names.

use core::cmp::Ordering;
use portcullis_bundle::layout::View;

/// The root of the host's own router, where the bundle lists the host.
pub(super) fn host_root(view: &View<'_>, authority: &[u8]) -> Option<u32> {
    if view.hosts.is_empty() {
        return None;
    }
    let host = host_name(authority);
    let found =
        view.hosts.binary_search_by(|entry| lower_cmp(view.bytes(entry.name), host)).ok()?;
    view.hosts.get(found).map(|entry| entry.root.get())
}

/// The host of an authority, without port and without the dot that ends a rooted name
/// (RFC 3986, section 3.2).
fn host_name(authority: &[u8]) -> &[u8] {
    let host = match authority.iter().rposition(|&byte| byte == b':') {
        // The colons of an IPv6 address stand within brackets.
        Some(colon) if !authority.get(colon..).unwrap_or_default().contains(&b']') => {
            authority.get(..colon).unwrap_or_default()
        }
        _ => authority,
    };
    host.strip_suffix(b".").unwrap_or(host)
}

/// Compares a name in lower case with one in any case.
fn lower_cmp(name: &[u8], other: &[u8]) -> Ordering {
    name.iter().copied().cmp(other.iter().map(u8::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_rooted_names() {
        for (authority, host) in [
            (&b"api.bank.example"[..], &b"api.bank.example"[..]),
            (b"api.bank.example:8443", b"api.bank.example"),
            (b"api.bank.example.:8443", b"api.bank.example"),
            (b"[::1]:80", b"[::1]"),
            (b"[::1]", b"[::1]"),
            (b"", b""),
        ] {
            assert_eq!(host_name(authority), host);
        }
        assert_eq!(lower_cmp(b"api", b"API"), Ordering::Equal);
        assert_eq!(lower_cmp(b"api", b"APJ"), Ordering::Less);
    }
}
