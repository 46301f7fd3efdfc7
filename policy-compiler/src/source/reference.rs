//! References: `$ref` values taken apart (RFC 3986) and followed (RFC 6901).

use crate::diag;
use crate::diag::Code;

/// A reference taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The file, percent-decoded, relative to the one that it stands in; `None`: the same file.
    pub path: Option<String>,
    /// What follows `#`, percent-decoded.
    pub fragment: Fragment,
}

/// What a reference names within its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Tokens of a JSON pointer, unescaped; none for the whole file.
    Pointer(Vec<String>),
    /// The name of an anchor.
    Anchor(String),
}

/// Why a reference cannot be taken apart or followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefError {
    /// Code of the diagnostic.
    pub code: Code,
    /// Its title.
    pub title: String,
    /// Its advice.
    pub help: Option<String>,
}

impl RefError {
    pub(super) fn new(code: Code, title: String, help: Option<String>) -> Self {
        Self { code, title, help }
    }
}

impl Reference {
    /// Takes the text of a `$ref` apart.
    pub fn parse(text: &str) -> Result<Self, RefError> {
        let bad = |why: &str| bad(text, why);
        let (path, fragment) = text.split_once('#').unwrap_or((text, ""));
        if has_scheme(path) || path.starts_with("//") {
            return Err(remote(text));
        }
        let path = decode(path).ok_or_else(|| bad("broken percent-encoding"))?;
        if path.contains('\0') {
            return Err(bad("a path cannot hold NUL"));
        }
        let fragment = Fragment::parse(fragment, text)?;
        Ok(Self { path: (!path.is_empty()).then_some(path), fragment })
    }
}

impl Fragment {
    /// Takes apart what follows `#` in the reference `text`.
    pub(super) fn parse(fragment: &str, text: &str) -> Result<Self, RefError> {
        let fragment = decode(fragment).ok_or_else(|| bad(text, "broken percent-encoding"))?;
        Ok(match fragment.strip_prefix('/') {
            Some(rest) => {
                let tokens = rest.split('/').map(unescape).collect::<Option<_>>();
                let why = "`~` in a JSON pointer must be followed by `0` or `1`";
                Fragment::Pointer(tokens.ok_or_else(|| bad(text, why))?)
            }
            None if fragment.is_empty() => Fragment::Pointer(Vec::new()),
            None => Fragment::Anchor(fragment),
        })
    }
}

fn bad(text: &str, why: &str) -> RefError {
    RefError::new(diag::BAD_REF, format!("`{text}` is not a valid reference: {why}"), None)
}

/// The error of a reference to a URL that nothing local goes by.
pub(super) fn remote(text: &str) -> RefError {
    RefError::new(
        diag::REMOTE_REF,
        format!("`{text}` leads to a URL, which is never fetched"),
        Some("save the file beside the document and refer to it by a relative path".into()),
    )
}

/// Whether a URI reference starts with a scheme. A single letter is taken for a Windows drive.
pub(super) fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Undoes percent-encoding; `None` when it is broken or not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digit = |b: u8| (b as char).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

fn unescape(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// The path of a file that `base` refers to as `relative`, with `.` and `..` resolved by text.
pub fn join(base: &str, relative: &str) -> String {
    let relative = relative.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    let absolute = relative.starts_with('/') || base.starts_with('/');
    if !relative.starts_with('/') {
        let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
        parts.extend(folder.split('/').filter(|p| !p.is_empty() && *p != "."));
    }
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    if absolute { format!("/{path}") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_apart() {
        let pointer =
            |tokens: &[&str]| Fragment::Pointer(tokens.iter().map(|t| (*t).to_owned()).collect());
        let parse = |text| Reference::parse(text).unwrap();
        assert_eq!(parse("#/a~1b/~0%7Bc%7D").fragment, pointer(&["a/b", "~{c}"]));
        assert_eq!(parse("#").fragment, pointer(&[]));
        assert_eq!(parse("#/").fragment, pointer(&[""]));
        assert_eq!(parse("#meta").fragment, Fragment::Anchor("meta".into()));
        assert_eq!(parse("my%20file.yaml#/x").path.as_deref(), Some("my file.yaml"));
        for (text, code) in [
            ("https://example.com/a.json", "PC0202"),
            ("file:///etc/passwd", "PC0202"),
            ("//host/x", "PC0202"),
            ("#/a%2", "PC0204"),
            ("#/a%ff", "PC0204"),
            ("#/a~2", "PC0204"),
        ] {
            assert_eq!(Reference::parse(text).unwrap_err().code.id, code, "{text}");
        }
    }

    #[test]
    fn paths_join() {
        assert_eq!(join("a/b.yaml", "../c/./d.yaml"), "c/d.yaml");
        assert_eq!(join("b.yaml", "../x.yaml"), "../x.yaml");
        assert_eq!(join("../b.yaml", "../x.yaml"), "../../x.yaml");
        assert_eq!(join("/w/b.yaml", "../../../x.yaml"), "/x.yaml");
        assert_eq!(join("w/b.yaml", "/x.yaml"), "/x.yaml");
        assert_eq!(join("./b.yaml", "x.yaml"), "x.yaml");
    }
}
