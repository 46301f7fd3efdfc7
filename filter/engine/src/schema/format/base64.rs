//! Base64: RFC 4648, section 4.

/// Groups of four characters of the standard alphabet, the last padded. The bits that padding
/// leaves over are not required to be zero: section 3.5 lets decoders choose.
pub(super) fn base64(text: &[u8]) -> bool {
    let digits = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => text,
    };
    text.len().is_multiple_of(4)
        && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn encodings() {
        for text in ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "+/+/"] {
            assert!(base64(text.as_bytes()), "{text}");
        }
        for text in [
            "Z", "Zg", "Zg=", "Z===", "====", "=AAA", "Zm9v\n", "Zm-_", "Zg==Zg==", "Zm 9v", "Zm=v",
        ] {
            assert!(!base64(text.as_bytes()), "{text}");
        }
    }
}
