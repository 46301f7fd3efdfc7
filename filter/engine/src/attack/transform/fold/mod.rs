//! Characters that stand for ASCII ones to a reader, or that converters make into ASCII ones (best fit).

mod table;

use super::{after, copy_plain, utf8};

/// What a character folds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    /// It stays.
    Stays,
    /// One ASCII character.
    To(u8),
    /// Several ASCII characters, no more than it has bytes.
    Texts(&'static str),
    /// It goes: nobody sees it.
    Goes,
}

/// Full-width forms, mathematical and enclosed letters, letters of other scripts that look like Latin ones,
/// accented Latin letters, and look-alike quotes, dashes, brackets, slashes and spaces become ASCII; invisible
/// characters go; so do overlong forms of ASCII. Everything else stays.
pub(super) fn fold_unicode(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_plain(rest, out, |byte| byte >= 0xC0);
        if rest.is_empty() {
            return;
        }
        let (fold, len) = match utf8::character(rest) {
            Some((code, len)) => (fold(code), len),
            None => (Fold::Stays, 1),
        };
        match fold {
            Fold::Stays => out.extend_from_slice(rest.get(..len).unwrap_or_default()),
            Fold::To(byte) => out.push(byte),
            Fold::Texts(text) => out.extend_from_slice(text.as_bytes()),
            Fold::Goes => {}
        }
        rest = after(rest, len);
    }
}

fn fold(code: u32) -> Fold {
    if let Ok(ascii @ 0..=0x7F) = u8::try_from(code) {
        return Fold::To(ascii);
    }
    let index = table::ROWS.partition_point(|row| row.first <= code);
    let Some(row) = index.checked_sub(1).and_then(|at| table::ROWS.get(at)) else {
        return Fold::Stays;
    };
    let at = code.saturating_sub(row.first) as usize;
    match row.to {
        table::To::Run { len, base } if at < usize::from(len) => Fold::To(base + at as u8),
        table::To::Each(text) => match text.as_bytes().get(at) {
            Some(b'\t') | None => Fold::Stays,
            Some(byte) => Fold::To(*byte),
        },
        table::To::Alphabets { len } if at < usize::from(len) => {
            let letter = (at % 52) as u8;
            Fold::To(if letter < 26 { b'A' + letter } else { b'a' + letter - 26 })
        }
        table::To::Digits { len } if at < usize::from(len) => Fold::To(b'0' + (at % 10) as u8),
        table::To::Nothing { len } if at < usize::from(len) => Fold::Goes,
        table::To::Text(text) if at == 0 => Fold::Texts(text),
        _ => Fold::Stays,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = Vec::new();
        fold_unicode(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_ascend_and_stand_apart() {
        for pair in table::ROWS.windows(2) {
            let len = match pair[0].to {
                table::To::Run { len, .. } | table::To::Nothing { len } => len.into(),
                table::To::Alphabets { len } | table::To::Digits { len } => u32::from(len),
                table::To::Each(text) => text.len() as u32,
                table::To::Text(_) => 1,
            };
            assert!(pair[0].first + len <= pair[1].first, "{:x}", pair[1].first);
        }
        for row in table::ROWS {
            if let table::To::Run { len, base } = row.to {
                assert!(base.checked_add(len).is_some_and(|end| end <= 0x7F), "{:x}", row.first);
            }
            let letter = char::from_u32(row.first).unwrap();
            if let table::To::Text(text) = row.to {
                assert!(text.len() <= letter.len_utf8(), "{letter}");
            }
        }
    }

    #[test]
    fn look_alikes_fold() {
        for (text, expected) in [
            ("ｓｅｌｅｃｔ　１＋１", "select 1+1"),
            ("＜ｓｃｒｉｐｔ＞", "<script>"),
            ("𝐬𝑒𝓁𝖊𝕔𝚝 𝟙𝟘 𝟿", "select 10 9"),
            ("ⓢⓔⓛⓔⓒⓣ ⒮ 🅂🄴🅛🅴", "select s SELE"),
            ("ѕеlесt * frоm", "select * from"),
            ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ ο ν", "ABEZHIKMNOPTYX o v"),
            ("ſcript K", "script K"),
            ("‘’‚‛“”„ ′ ″ ʼ ´", "''''\"\"\" ' \" ' '"),
            ("a‐b‑c‒d–e—f―g−h", "a-b-c-d-e-f-g-h"),
            ("‹b› 〈b〉 ⟨b⟩ ﹤b﹥ «b»", "<b> <b> <b> <b> <b>"),
            ("..∕..⁄etc∖x＼y", "../../etc\\x\\y"),
            ("a\u{A0}b\u{2003}c\u{3000}d\u{2028}e", "a b c d e"),
            ("se\u{200B}le\u{FEFF}c\u{AD}t\u{2060}", "select"),
            ("‥/…", "../..."),
            ("éàüñÇŽ ø ł", "eaunCZ o l"),
            ("¹²³⁴ ₀₉ ⁽₎", "1234 09 ()"),
            ("ℯ ℴ ℬ ⅰ Ⅿ", "e o B i M"),
            ("ＪＮＤＩ：ldap", "JNDI:ldap"),
            ("日本語 привет мир ελληνικά", "日本語 пpивeт миp ελληvικά"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn overlong_ascii_folds_and_broken_bytes_stay() {
        for (bytes, expected) in [
            (&b"\xC0\xAE\xC0\xAE\xC0\xAF"[..], &b"../"[..]),
            (b"\xE0\x80\xBC", b"<"),
            (b"\xF0\x80\x80\xA7", b"'"),
            (b"\xFF\xC3", b"\xFF\xC3"),
            (b"\xEF\xBC", b"\xEF\xBC"),
        ] {
            let mut out = Vec::new();
            fold_unicode(bytes, &mut out);
            assert_eq!(out, expected, "{bytes:x?}");
        }
    }
}
