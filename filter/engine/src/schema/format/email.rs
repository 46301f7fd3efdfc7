//! Mail addresses: the `Mailbox` of RFC 5321, section 4.1.2.

use super::{host, ip};

/// A local part, `@`, and a host name or address literal.
pub(super) fn email(text: &[u8]) -> bool {
    let Some(at) = text.iter().rposition(|&byte| byte == b'@') else { return false };
    let Some((local, [_, domain @ ..])) = text.split_at_checked(at) else { return false };
    self::local(local) && self::domain(domain)
}

fn local(text: &[u8]) -> bool {
    match text {
        // A quoted string: printable ASCII, quotes and backslashes escaped.
        [b'"', inner @ .., b'"'] => {
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                let sound = match byte {
                    b'"' => false,
                    b'\\' => bytes.next().is_some_and(|next| (0x20..0x7F).contains(next)),
                    other => (0x20..0x7F).contains(other),
                };
                if !sound {
                    return false;
                }
            }
            true
        }
        _ => {
            text.split(|&byte| byte == b'.').all(|atom| !atom.is_empty() && atom.iter().all(atext))
        }
    }
}

fn domain(text: &[u8]) -> bool {
    match text {
        [b'[', b'I', b'P', b'v', b'6', b':', address @ .., b']'] => ip::ipv6(address),
        [b'[', address @ .., b']'] => ip::ipv4(address),
        _ => host::hostname(text),
    }
}

/// `atext` of RFC 5322, section 3.2.3.
fn atext(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::email;

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
}
