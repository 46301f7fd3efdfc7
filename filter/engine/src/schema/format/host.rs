//! Host names: RFC 1123, section 2.1.

/// Labels of at most 63 letters, digits and inner hyphens, at most 253 bytes in all.
pub(super) fn hostname(text: &[u8]) -> bool {
    !text.is_empty() && text.len() <= 253 && text.split(|&byte| byte == b'.').all(label)
}

fn label(label: &[u8]) -> bool {
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    // Hyphens in the third and fourth place are for encoded labels (RFC 5891, section 4.2.3.1).
    let reserved = matches!(label, [_, _, b'-', b'-', ..]);
    let encoded = matches!(label, [b'x' | b'X', b'n' | b'N', b'-', b'-', _, ..]);
    label.len() <= 63
        && outer(label.first())
        && outer(label.last())
        && label.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && (!reserved || encoded)
}

#[cfg(test)]
mod tests {
    use super::hostname;

    #[test]
    fn hostnames() {
        let long = "a".repeat(63);
        for text in
            ["localhost", "www.example.com", "1host", "a-b.c", "xn--4gbwdl.xn--wgbh1c", &long]
        {
            assert!(hostname(text.as_bytes()), "{text}");
        }
        let (longer, whole) = (format!("{long}a"), format!("{}a", "a.".repeat(127)));
        for text in [
            "", ".", "example.", "-a", "a-", "a_b", "a..b", ".a", "ex ample", "é.com", "a/b",
            "ab--c", &longer, &whole,
        ] {
            assert!(!hostname(text.as_bytes()), "{text}");
        }
    }
}
