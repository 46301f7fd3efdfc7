//! UUIDs in their textual form: RFC 4122, section 3 (RFC 9562, section 4).

/// Eight, four, four, four and twelve hexadecimal digits, hyphens between; any version.
pub(super) fn uuid(text: &[u8]) -> bool {
    let Some(chunk) = text.first_chunk::<36>() else { return false };
    text.len() == 36
        && chunk.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn uuids() {
        assert!(uuid(b"2EB8AA08-AA98-11EA-B4AA-73B441D16380"));
        assert!(uuid(b"00000000-0000-0000-0000-000000000000"));
        for text in [
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
            "2eb8aa08aa9811eab4aa73b441d163801234",
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
            "2eb8aa08-aa98-11ea-b4aa73b441d16380-",
            "",
            "2eb8aa08-aa98-11ea-b4aa-73b441d163800",
        ] {
            assert!(!uuid(text.as_bytes()), "{text}");
        }
    }
}
