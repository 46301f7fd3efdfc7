//! Mail addresses: the `Mailbox` of RFC 5321, section 4.1.2, and of RFC 6531, section 3.3.

use super::class::{ATEXT, is};
use super::{host, ip};
use portcullis_bundle::layout::IdnRange;

/// A local part, `@`, and a host name or address literal.
pub(super) fn email(text: &[u8]) -> bool {
    mailbox(text, false, host::ascii)
}

/// As [`email`], where every character above U+007F may stand in the local part, and U-labels in the host.
pub(super) fn idn_email(table: &[IdnRange], text: &[u8]) -> bool {
    mailbox(text, true, |host| host::idn_hostname(table, host))
}

fn mailbox(text: &[u8], wide: bool, host: impl Fn(&[u8]) -> bool) -> bool {
    let Some(at) = text.iter().rposition(|&byte| byte == b'@') else { return false };
    let Some((local, [_, domain @ ..])) = text.split_at_checked(at) else { return false };
    self::local(local, wide) && self::domain(domain, host)
}

fn local(text: &[u8], wide: bool) -> bool {
    let printable = |byte: u8| (0x20..0x7F).contains(&byte) || wide && byte >= 0x80;
    match text {
        // A quoted string: printable ASCII, quotes and backslashes escaped.
        [b'"', inner @ .., b'"'] => {
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                let sound = match byte {
                    b'"' => false,
                    b'\\' => bytes.next().is_some_and(|next| (0x20..0x7F).contains(next)),
                    other => printable(*other),
                };
                if !sound {
                    return false;
                }
            }
            true
        }
        _ => {
            let atext = |&byte: &u8| is(byte, ATEXT) || wide && byte >= 0x80;
            text.split(|&byte| byte == b'.').all(|atom| !atom.is_empty() && atom.iter().all(atext))
        }
    }
}

fn domain(text: &[u8], host: impl Fn(&[u8]) -> bool) -> bool {
    match text {
        [b'[', b'I', b'P', b'v', b'6', b':', address @ .., b']'] => ip::ipv6(address),
        [b'[', address @ .., b']'] => ip::ipv4(address),
        _ => host(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{email, idn_email};

    #[test]
    fn addresses() {
        for text in [
            "joe.bloggs@example.com",
            "te~st@example.com",
            "~test~@example.com",
            "te.s.t@example.com",
            "a+b@x",
            "\"joe bloggs\"@example.com",
            "\"joe..bloggs\"@example.com",
            "\"joe@bloggs\"@example.com",
            "joe.bloggs@[127.0.0.1]",
            "joe.bloggs@[IPv6:::1]",
        ] {
            assert!(email(text.as_bytes()), "{text}");
        }
        for text in [
            "2962",
            "",
            "@",
            "a@",
            "@b",
            ".test@example.com",
            "test.@example.com",
            "te..st@example.com",
            "joe.bloggs@invalid=domain.com",
            "joe.bloggs@[127.0.0.300]",
            "a b@example.com",
            "a@b@example.com",
            "user1@oceania.org, user2@oceania.org",
            "\"Winston Smith\" <winston.smith@recdep.minitrue>",
            "é@example.com",
            "\"a\"b\"@example.com",
            "\"a\\\"@example.com",
        ] {
            assert!(!email(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn international_addresses() {
        for text in ["joe@example.com", "δοκιμή@example.com", "\"δοκ ιμή\"@a.b", "é.é@[127.0.0.1]"]
        {
            assert!(idn_email(&[], text.as_bytes()), "{text}");
        }
        for text in ["2962", "é..é@a", "é é@a", "é@", "\"\u{7f}\"@a", "é＠a"] {
            assert!(!idn_email(&[], text.as_bytes()), "{text}");
        }
    }
}
