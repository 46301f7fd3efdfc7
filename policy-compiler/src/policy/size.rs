//! Sizes: `65536`, `64KiB`, `1MiB`, `2MB`.

/// Units, by factor. Binary and decimal ones differ, as their names say.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Bytes that a text means; the error says what is wrong.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err("a size starts with a whole number, as in `64KiB`".into());
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let named = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(unit);
        let hint = match unit {
            "K" | "k" => Some("KiB"),
            "M" | "m" => Some("MiB"),
            "G" | "g" => Some("GiB"),
            _ => UNITS.iter().find(named).map(|(name, _)| *name),
        };
        return Err(match hint {
            Some(name) => format!("did you mean `{number}{name}`?"),
            None => "the units are `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB` and `GB`".into(),
        });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(*factor))
        .ok_or_else(|| "the size is too large to count".into())
}

/// The shortest text for a size.
pub fn show(bytes: u64) -> String {
    let binary = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let exact = binary.iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    match exact {
        Some((unit, shift)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse("1MiB"), Ok(1 << 20));
        assert_eq!(parse("64 KiB"), Ok(65_536));
        assert_eq!(parse("2MB"), Ok(2_000_000));
        assert_eq!(parse("17"), Ok(17));
        assert_eq!(parse("1mib"), Err("did you mean `1MiB`?".into()));
        assert_eq!(parse("8K"), Err("did you mean `8KiB`?".into()));
        for bad in ["", "KiB", "1.5MiB", "-1", "1 parsec", "99999999999999999999", "17179869184GiB"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (show(1 << 20), show(65_537), show(0)),
            ("1MiB".into(), "65537".into(), "0".into())
        );
    }
}
