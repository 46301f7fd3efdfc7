//! IP addresses: RFC 2673, section 3.2 (dotted quad) and RFC 4291, section 2.2.

/// Four decimal numbers up to 255 without leading zeros.
pub(super) fn ipv4(text: &[u8]) -> bool {
    let mut parts = 0;
    for part in text.split(|&byte| byte == b'.') {
        parts += 1;
        let sound = match part {
            [b'0'..=b'9'] => true,
            [b'1'..=b'9', rest @ ..] if rest.len() <= 2 && rest.iter().all(u8::is_ascii_digit) => {
                part.iter().fold(0_u16, |number, digit| number * 10 + u16::from(digit & 15)) <= 255
            }
            _ => false,
        };
        if !sound {
            return false;
        }
    }
    parts == 4
}

/// Eight groups of hexadecimal digits, one run of zeros left out, the last two possibly dotted.
/// Zone identifiers are no part of an address.
pub(super) fn ipv6(text: &[u8]) -> bool {
    let mut groups = 0;
    let mut gap = false;
    let mut rest = text;
    if let [b':', b':', after @ ..] = rest {
        (gap, rest) = (true, after);
        if rest.is_empty() {
            return true;
        }
    }
    while groups < 8 {
        let end = rest.iter().position(|&byte| byte == b':').unwrap_or(rest.len());
        let (group, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        if after.is_empty() && group.contains(&b'.') {
            return ipv4(group) && complete(groups + 2, gap);
        }
        if group.is_empty() || group.len() > 4 || !group.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        groups += 1;
        rest = match after {
            [] => return complete(groups, gap),
            [b':', b':'] => return !gap && complete(groups, true),
            [b':', b':', after @ ..] if !gap => {
                gap = true;
                after
            }
            [_, after @ ..] => after,
        };
    }
    false
}

/// `::` stands for at least one group.
fn complete(groups: usize, gap: bool) -> bool {
    if gap { groups < 8 } else { groups == 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in ["0.0.0.0", "192.168.0.1", "255.255.255.255"] {
            assert!(ipv4(text.as_bytes()), "{text}");
        }
        for text in [
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.4/24",
            "0x7f000001",
            "",
            "1..2.3",
            "٢.2.3.4",
        ] {
            assert!(!ipv4(text.as_bytes()), "{text}");
        }
        for text in [
            "::",
            "::1",
            "1::",
            "::abef",
            "1:2:3:4:5:6:7:8",
            "1::d6:192.168.0.1",
            "::ffff:192.168.0.1",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2::8",
            "2001:DB8::A",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4::1.2.3.4",
        ] {
            assert!(ipv6(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            ":",
            ":::",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7",
            "12345::",
            "1::2::3",
            "::1::",
            ":1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:",
            "fe80::1%eth0",
            "::g",
            "1:2:3:4:5:6:7:1.2.3.4",
            "1.2.3.4",
            "1:2:3:4::5:1.2.3.4:6",
            "::1.2.3",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1:",
        ] {
            assert!(!ipv6(text.as_bytes()), "{text}");
        }
    }
}
