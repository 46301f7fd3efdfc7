//! Regular expressions as PCRE writes them, in the notation of the `regex` crate over bytes.
//!
//! ModSecurity compiles with PCRE_DOTALL and PCRE_DOLLAR_ENDONLY: `.` takes new lines, `$` is the end.

/// Rewrites what the two read differently: `\x{hh}` is a byte, `[` and `&&` within a class are letters, `\<` is one
/// too, a brace that begins no count is a letter.
pub fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let letters: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    // The place of the first letter of the class that is open.
    let mut class: Option<usize> = None;
    while at < letters.len() {
        let rest = &letters[at..];
        match (rest, class) {
            (['\\', 'x', '{', ..], _) => at += byte(rest, &mut out),
            (['\\', letter @ ('<' | '>'), ..], _) => {
                out.push(*letter);
                at += 2;
            }
            (['\\', letter, ..], _) => {
                out.extend(['\\', *letter]);
                at += 2;
            }
            (['[', following @ ..], None) => {
                out.push('[');
                at += 1;
                if following.first() == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                class = Some(at);
            }
            ([']', ..], Some(first)) if at > first => {
                class = None;
                out.push(']');
                at += 1;
            }
            (['[', ':', ..], Some(_)) => {
                let end = rest.windows(2).position(|pair| pair == [':', ']']);
                let len = end.map_or(1, |end| end + 2);
                match end {
                    Some(_) => out.extend(&rest[..len]),
                    None => out.push_str("\\["),
                }
                at += len;
            }
            ([letter @ ('[' | ']' | '&' | '~'), ..], Some(_)) => {
                out.extend(['\\', *letter]);
                at += 1;
            }
            (['-', '-', ..], Some(_)) => {
                out.push_str("\\-");
                at += 1;
            }
            (['{', ..], None) if !is_count(rest) => {
                out.push_str("\\{");
                at += 1;
            }
            // A letter beyond ASCII is its bytes, as it is without PCRE's UTF mode.
            ([letter, ..], _) if !letter.is_ascii() => {
                let bytes = letter.to_string().into_bytes();
                bytes.iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
                at += 1;
            }
            ([letter, ..], _) => {
                out.push(*letter);
                at += 1;
            }
            ([], _) => break,
        }
    }
    out
}

/// Rewrites `\x{hh}`; how many letters it takes.
fn byte(rest: &[char], out: &mut String) -> usize {
    let digits: String = rest[3..].iter().take_while(|it| it.is_ascii_hexdigit()).collect();
    let value = u32::from_str_radix(&digits, 16).ok().filter(|value| *value < 0x100);
    match (value, rest.get(3 + digits.len())) {
        (Some(value), Some('}')) => {
            out.push_str(&format!("\\x{value:02x}"));
            digits.len() + 4
        }
        _ => {
            out.push_str("\\x");
            2
        }
    }
}

/// Whether a brace begins a count: `{2}`, `{2,}`, `{2,5}`.
fn is_count(rest: &[char]) -> bool {
    let inner: String = rest[1..].iter().take_while(|it| **it != '}').collect();
    let closed = rest.len() > inner.chars().count() + 1;
    let (first, second) = inner.split_once(',').unwrap_or((&inner, ""));
    let digits = |text: &str| text.chars().all(|it| it.is_ascii_digit());
    closed && !first.is_empty() && digits(first) && digits(second)
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn what_is_read_differently_is_rewritten() {
        for (pcre, ours) in [
            (r"\x{bc}[^\x{be}>]", r"\xbc[^\xbe>]"),
            (r"[[a&&b~-]", r"[\[a\&\&b\~-]"),
            (r"[]a]x]", r"[\]a]x]"),
            (r"[^]a]", r"[^\]a]"),
            (r"[[:alpha:]\]]+\<", r"[[:alpha:]\]]+<"),
            (r"a{2,}b{x}${", r"a{2,}b\{x}$\{"),
            (r"[!--9]", r"[!\--9]"),
            (r"\x{12345}\x41", r"\x{12345}\x41"),
            ("[\u{b4}]\u{2019}?", r"[\xc2\xb4]\xe2\x80\x99?"),
        ] {
            assert_eq!(rewrite(pcre), ours, "{pcre}");
        }
    }
}
