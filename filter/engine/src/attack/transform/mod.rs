//! What is done to a value before rules look at it.
//!
//! Each transformation is one pure function over bytes: linear in the input, without failure, its output
//! bounded by a stated multiple of its input. The meaning is ModSecurity's as of version 3.0, whose behaviour
//! `cargo xtask suite transformations` compares; the few places where ours differs on purpose are listed there
//! and said in the function's comment.

mod base64;
mod byte_set;
mod case;
mod cmd_line;
mod comments;
mod css;
mod escape;
mod fold;
mod hex;
mod html;
mod js;
mod length;
mod look;
mod nulls;
mod path;
mod sha1;
mod url;
mod utf8;
mod whitespace;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use byte_set::ByteSet;
pub use look::Look;
pub use portcullis_bundle::layout::Transformation;

/// What the transformations do.
pub trait Transform: Copy {
    /// Bytes of which one must be in a value for the transformation to change it; all bytes where it changes
    /// values regardless.
    fn triggers(self) -> ByteSet;

    /// Writes what becomes of a value. `out` must be empty.
    fn apply(self, input: &[u8], out: &mut Vec<u8>);

    /// Whether a look at the value tells that `apply` leaves it as it is.
    fn keeps(self, look: Look) -> bool;

    /// The most bytes that `apply` writes for so many.
    fn bound(self, len: usize) -> usize;
}

impl Transform for Transformation {
    fn triggers(self) -> ByteSet {
        match self {
            Transformation::Lowercase => case::UPPER,
            Transformation::Uppercase => case::LOWER,
            Transformation::UrlDecode | Transformation::UrlDecodeUni => url::TRIGGERS,
            Transformation::HtmlEntityDecode => html::TRIGGERS,
            Transformation::JsDecode
            | Transformation::CssDecode
            | Transformation::EscapeSeqDecode => escape::TRIGGERS,
            Transformation::RemoveNulls => nulls::TRIGGERS,
            Transformation::RemoveWhitespace => whitespace::REMOVED,
            Transformation::CompressWhitespace
            | Transformation::Trim
            | Transformation::TrimLeft
            | Transformation::TrimRight => whitespace::SPACES,
            Transformation::ReplaceComments => comments::REPLACED,
            Transformation::RemoveComments | Transformation::RemoveCommentsChar => {
                comments::REMOVED
            }
            Transformation::NormalizePath => path::TRIGGERS,
            Transformation::NormalizePathWin => path::TRIGGERS_WIN,
            Transformation::CmdLine => cmd_line::TRIGGERS,
            Transformation::CmdLineCased => cmd_line::TRIGGERS_CASED,
            Transformation::Base64Decode => base64::TRIGGERS,
            Transformation::SqlHexDecode => hex::SQL_TRIGGERS,
            Transformation::Utf8ToUnicode | Transformation::FoldUnicode => utf8::TRIGGERS,
            Transformation::Base64DecodeExt
            | Transformation::HexDecode
            | Transformation::HexEncode
            | Transformation::Length
            | Transformation::Sha1 => ByteSet::ALL,
        }
    }

    fn apply(self, input: &[u8], out: &mut Vec<u8>) {
        match self {
            Transformation::Lowercase => case::lowercase(input, out),
            Transformation::Uppercase => case::uppercase(input, out),
            Transformation::UrlDecode => url::url_decode(input, out),
            Transformation::UrlDecodeUni => url::url_decode_uni(input, out),
            Transformation::HtmlEntityDecode => html::html_entity_decode(input, out),
            Transformation::JsDecode => js::js_decode(input, out),
            Transformation::CssDecode => css::css_decode(input, out),
            Transformation::EscapeSeqDecode => escape::escape_seq_decode(input, out),
            Transformation::RemoveNulls => nulls::remove_nulls(input, out),
            Transformation::RemoveWhitespace => whitespace::remove_whitespace(input, out),
            Transformation::CompressWhitespace => whitespace::compress_whitespace(input, out),
            Transformation::Trim => whitespace::trim(input, out),
            Transformation::TrimLeft => whitespace::trim_left(input, out),
            Transformation::TrimRight => whitespace::trim_right(input, out),
            Transformation::ReplaceComments => comments::replace_comments(input, out),
            Transformation::RemoveComments => comments::remove_comments(input, out),
            Transformation::RemoveCommentsChar => comments::remove_comments_char(input, out),
            Transformation::NormalizePath => path::normalize_path(input, out),
            Transformation::NormalizePathWin => path::normalize_path_win(input, out),
            Transformation::CmdLine => cmd_line::cmd_line(input, out),
            Transformation::CmdLineCased => cmd_line::cmd_line_cased(input, out),
            Transformation::Base64Decode => base64::base64_decode(input, out),
            Transformation::Base64DecodeExt => base64::base64_decode_ext(input, out),
            Transformation::HexDecode => hex::hex_decode(input, out),
            Transformation::HexEncode => hex::hex_encode(input, out),
            Transformation::SqlHexDecode => hex::sql_hex_decode(input, out),
            Transformation::Utf8ToUnicode => utf8::utf8_to_unicode(input, out),
            Transformation::Length => length::length(input, out),
            Transformation::Sha1 => sha1::sha1(input, out),
            Transformation::FoldUnicode => fold::fold_unicode(input, out),
        }
    }

    fn keeps(self, look: Look) -> bool {
        match self {
            Transformation::CompressWhitespace => look.is_compressed(),
            Transformation::Trim => look.is_trimmed(),
            Transformation::ReplaceComments => look.has_no_comment(),
            Transformation::NormalizePath | Transformation::NormalizePathWin => {
                look.is_normal_path()
            }
            Transformation::CmdLineCased => look.is_command(),
            _ => false,
        }
    }

    fn bound(self, len: usize) -> usize {
        match self {
            Transformation::HexEncode => len.saturating_mul(2),
            Transformation::Utf8ToUnicode => len.saturating_mul(3),
            Transformation::Length | Transformation::Sha1 => 20,
            _ => len,
        }
    }
}

/// Copies what comes before the first byte that a transformation may act on; what is left begins with it.
#[inline]
fn copy_plain<'i>(input: &'i [u8], out: &mut Vec<u8>, acts: impl Fn(u8) -> bool) -> &'i [u8] {
    let plain = input.iter().position(|&byte| acts(byte)).unwrap_or(input.len());
    let (plain, rest) = input.split_at_checked(plain).unwrap_or((input, &[]));
    out.extend_from_slice(plain);
    rest
}

/// How many bytes of a set come first.
#[inline]
fn run(input: &[u8], of: impl Fn(u8) -> bool) -> usize {
    input.iter().position(|&byte| !of(byte)).unwrap_or(input.len())
}

/// What comes after so many bytes.
#[inline]
fn after(input: &[u8], count: usize) -> &[u8] {
    input.get(count..).unwrap_or_default()
}

/// White space of C in its own locale.
#[inline]
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The byte that two hexadecimal digits write.
#[inline]
fn hex_byte(high: u8, low: u8) -> Option<u8> {
    Some(crate::percent::hex(high)? << 4 | crate::percent::hex(low)?)
}

/// The byte that four hexadecimal digits stand for: the lower half, or the ASCII character of a full-width
/// form (U+FF01 to U+FF5E).
#[inline]
fn narrow(digits: [u8; 4]) -> Option<u8> {
    let [a, b, c, d] = digits;
    let (high, low) = (hex_byte(a, b)?, hex_byte(c, d)?);
    Some(if high == 0xFF { unwiden(low) } else { low })
}

/// The ASCII character of the full-width form U+FF00 plus `low`.
#[inline]
const fn unwiden(low: u8) -> u8 {
    if matches!(low, 0x01..=0x5E) { low + 0x20 } else { low }
}
