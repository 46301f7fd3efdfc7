//! What ModSecurity does where ours differs, so that a difference counts as explained only where it is this one.

/// Names without a semicolon take the letters and digits after them along.
pub(super) fn html_entity_decode(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let rest = &value[at..];
        let named =
            [("&quot", b'"'), ("&amp", b'&'), ("&lt", b'<'), ("&gt", b'>'), ("&nbsp", 0xA0)]
                .into_iter()
                .find(|(name, _)| {
                    rest.len() >= name.len()
                        && rest[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                });
        let (byte, len) = match named {
            Some((name, byte)) => {
                let word = rest[name.len()..].iter().take_while(|b| b.is_ascii_alphanumeric());
                (byte, name.len() + word.count())
            }
            None => match number(rest) {
                Some(found) => found,
                None => {
                    out.push(rest[0]);
                    at += 1;
                    continue;
                }
            },
        };
        out.push(byte);
        at += len + usize::from(rest.get(len) == Some(&b';'));
    }
    out
}

fn number(rest: &[u8]) -> Option<(u8, usize)> {
    let text = rest.strip_prefix(b"&#")?;
    let hex = text.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'x'));
    let (digits, radix) = if hex { (&text[1..], 16) } else { (text, 10) };
    let len = digits.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let number = str::from_utf8(&digits[..len]).ok().filter(|text| !text.is_empty())?;
    let number = i64::from_str_radix(number, radix).unwrap_or(i64::MAX);
    Some(((number & 0xFF) as u8, 2 + usize::from(hex) + len))
}

/// The byte after a comment is text, a byte 0 where none comes.
pub(super) fn remove_comments(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut within) = (0, false);
    while at < value.len() {
        let rest = &value[at..];
        let begin = [&b"/*"[..], b"<!--"].into_iter().find(|mark| rest.starts_with(mark));
        let end = [&b"*/"[..], b"-->"].into_iter().find(|mark| rest.starts_with(mark));
        match (within, begin, end) {
            (false, Some(mark), _) => {
                within = true;
                at += mark.len();
            }
            (false, None, _) if rest.starts_with(b"--") || rest[0] == b'#' => return out,
            (true, _, Some(mark)) => {
                within = false;
                at += mark.len();
                out.push(value.get(at).copied().unwrap_or(0));
                at += 1;
            }
            _ => {
                if !within {
                    out.push(rest[0]);
                }
                at += 1;
            }
        }
    }
    if within {
        out.push(b' ');
    }
    out
}

/// Whether `=`, which another does not follow, comes second in a group of digits; or the value ends in the first
/// digit of a group, a 9, whose value 61 is taken for the byte of `=`.
pub(super) fn has_early_padding(value: &[u8]) -> bool {
    let mut digits = 0;
    let mut bytes = value.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'=' if digits % 4 == 1 && bytes.peek() != Some(&&b'=') => return true,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits += 1,
            _ => {}
        }
    }
    digits % 4 == 1 && value.last() == Some(&b'9')
}

/// Bytes 0 go, save the last, and the first byte of a broken character goes; that of one that should not be comes again behind it.
pub(super) fn utf8_to_unicode(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < value.len() {
        let first = value[at];
        let (len, least, bits) = match first {
            0xC0..=0xDF => (2, 0x80, first & 0x1F),
            0xE0..=0xEF => (3, 0x800, first & 0x0F),
            0xF0..=0xF7 => (4, 0x1_0000, first & 0x07),
            _ => {
                if first != 0 || at + 1 == value.len() {
                    out.push(first);
                }
                at += 1;
                continue;
            }
        };
        let tail = value.get(at + 1..at + len).filter(|t| t.iter().all(|b| b & 0xC0 == 0x80));
        let Some(tail) = tail else {
            if first >= 0xF5 {
                out.push(first);
            }
            at += 1;
            continue;
        };
        let code = tail.iter().fold(u32::from(bits), |code, b| code << 6 | u32::from(b & 0x3F));
        if first >= 0xF5 {
            out.push(first);
        }
        out.extend(format!("%u{code:04x}").into_bytes());
        if code < least || (0xD800..0xE000).contains(&code) {
            out.push(first);
        }
        at += len;
    }
    out
}

/// Whether a segment ends in `..` without being it, or `..` comes in a relative path after one that left nothing.
pub(super) fn has_unsure_dots(value: &[u8], separators: &[u8]) -> bool {
    let relative = value.first().is_some_and(|byte| !separators.contains(byte));
    let mut depth = 0usize;
    let mut emptied = false;
    for segment in value.split(|byte| separators.contains(byte)) {
        match segment {
            b"" | b"." => {}
            b".." if relative && emptied => return true,
            b".." => {
                depth = depth.saturating_sub(1);
                emptied |= depth == 0;
            }
            _ if segment.ends_with(b"..") => return true,
            _ => depth += 1,
        }
    }
    false
}

/// Whether a `\` comes right after an empty segment, `.` or `..`.
pub(super) fn has_late_backslash(value: &[u8]) -> bool {
    let mut segment = 0;
    for (at, byte) in value.iter().enumerate() {
        if matches!(byte, b'/' | b'\\') {
            if *byte == b'\\' && at > 0 && matches!(&value[segment..at], b"" | b"." | b"..") {
                return true;
            }
            segment = at + 1;
        }
    }
    false
}
