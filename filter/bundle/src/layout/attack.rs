//! The attack engine: what is done to values before rules look at them, and the automata of the rules.

use super::record::codes;

codes! {
    /// What is done to a value before a rule looks at it. The last column names it in SecLang.
    pub enum Transformation {
        /// ASCII letters become lower case. `lowercase`
        Lowercase = 0,
        /// ASCII letters become upper case. `uppercase`
        Uppercase = 1,
        /// `%hh` becomes a byte and `+` a space. `urlDecode`
        UrlDecode = 2,
        /// As `UrlDecode`; `%uhhhh` becomes the lower byte, a full-width form its ASCII letter. `urlDecodeUni`
        UrlDecodeUni = 3,
        /// Character references of HTML become bytes. `htmlEntityDecode`
        HtmlEntityDecode = 4,
        /// Escapes of JavaScript strings become bytes. `jsDecode`
        JsDecode = 5,
        /// Escapes of CSS become bytes. `cssDecode`
        CssDecode = 6,
        /// Escapes of C strings become bytes. `escapeSeqDecode`
        EscapeSeqDecode = 7,
        /// Bytes 0 go. `removeNulls`
        RemoveNulls = 8,
        /// White space goes, U+00A0 too. `removeWhitespace`
        RemoveWhitespace = 9,
        /// A run of white space becomes one space. `compressWhitespace`
        CompressWhitespace = 10,
        /// White space at both ends goes. `trim`
        Trim = 11,
        /// White space at the beginning goes. `trimLeft`
        TrimLeft = 12,
        /// White space at the end goes. `trimRight`
        TrimRight = 13,
        /// Each comment of C becomes a space. `replaceComments`
        ReplaceComments = 14,
        /// Comments of C, SQL, shells and HTML go. `removeComments`
        RemoveComments = 15,
        /// The marks that begin and end comments go. `removeCommentsChar`
        RemoveCommentsChar = 16,
        /// Dot segments and empty segments of a path go. `normalizePath`
        NormalizePath = 17,
        /// As `NormalizePath`, with `\` read as `/`. `normalizePathWin`
        NormalizePathWin = 18,
        /// Quotes and escapes of command lines go, separators become spaces. `cmdLine`
        CmdLine = 19,
        /// Base64 becomes bytes, as far as it is sound. `base64Decode`
        Base64Decode = 20,
        /// Base64 becomes bytes; what is not of its alphabet is passed over. `base64DecodeExt`
        Base64DecodeExt = 21,
        /// Pairs of hexadecimal digits become bytes. `hexDecode`
        HexDecode = 22,
        /// Bytes become pairs of hexadecimal digits. `hexEncode`
        HexEncode = 23,
        /// Hexadecimal literals of SQL become bytes. `sqlHexDecode`
        SqlHexDecode = 24,
        /// Characters of two bytes and more become `%uhhhh`. `utf8toUnicode`
        Utf8ToUnicode = 25,
        /// The number of bytes, in decimal. `length`
        Length = 26,
        /// The SHA-1 digest, 20 bytes. `sha1`
        Sha1 = 27,
        /// Characters that stand for ASCII ones to a reader become those. Not of SecLang.
        FoldUnicode = 28,
        /// As `CmdLine`, but that letters keep their case. Not of SecLang.
        CmdLineCased = 29,
    }
}

impl Transformation {
    /// The name in packs.
    pub const fn name(self) -> &'static str {
        match self {
            Transformation::Lowercase => "lowercase",
            Transformation::Uppercase => "uppercase",
            Transformation::UrlDecode => "url_decode",
            Transformation::UrlDecodeUni => "url_decode_uni",
            Transformation::HtmlEntityDecode => "html_entity_decode",
            Transformation::JsDecode => "js_decode",
            Transformation::CssDecode => "css_decode",
            Transformation::EscapeSeqDecode => "escape_seq_decode",
            Transformation::RemoveNulls => "remove_nulls",
            Transformation::RemoveWhitespace => "remove_whitespace",
            Transformation::CompressWhitespace => "compress_whitespace",
            Transformation::Trim => "trim",
            Transformation::TrimLeft => "trim_left",
            Transformation::TrimRight => "trim_right",
            Transformation::ReplaceComments => "replace_comments",
            Transformation::RemoveComments => "remove_comments",
            Transformation::RemoveCommentsChar => "remove_comments_char",
            Transformation::NormalizePath => "normalize_path",
            Transformation::NormalizePathWin => "normalize_path_win",
            Transformation::CmdLine => "cmd_line",
            Transformation::Base64Decode => "base64_decode",
            Transformation::Base64DecodeExt => "base64_decode_ext",
            Transformation::HexDecode => "hex_decode",
            Transformation::HexEncode => "hex_encode",
            Transformation::SqlHexDecode => "sql_hex_decode",
            Transformation::Utf8ToUnicode => "utf8_to_unicode",
            Transformation::Length => "length",
            Transformation::Sha1 => "sha1",
            Transformation::FoldUnicode => "fold_unicode",
            Transformation::CmdLineCased => "cmd_line_cased",
        }
    }

    /// The name in SecLang; `None` for what SecLang does not have.
    pub const fn seclang_name(self) -> Option<&'static str> {
        Some(match self {
            Transformation::Lowercase => "lowercase",
            Transformation::Uppercase => "uppercase",
            Transformation::UrlDecode => "urlDecode",
            Transformation::UrlDecodeUni => "urlDecodeUni",
            Transformation::HtmlEntityDecode => "htmlEntityDecode",
            Transformation::JsDecode => "jsDecode",
            Transformation::CssDecode => "cssDecode",
            Transformation::EscapeSeqDecode => "escapeSeqDecode",
            Transformation::RemoveNulls => "removeNulls",
            Transformation::RemoveWhitespace => "removeWhitespace",
            Transformation::CompressWhitespace => "compressWhitespace",
            Transformation::Trim => "trim",
            Transformation::TrimLeft => "trimLeft",
            Transformation::TrimRight => "trimRight",
            Transformation::ReplaceComments => "replaceComments",
            Transformation::RemoveComments => "removeComments",
            Transformation::RemoveCommentsChar => "removeCommentsChar",
            Transformation::NormalizePath => "normalizePath",
            Transformation::NormalizePathWin => "normalizePathWin",
            Transformation::CmdLine => "cmdLine",
            Transformation::Base64Decode => "base64Decode",
            Transformation::Base64DecodeExt => "base64DecodeExt",
            Transformation::HexDecode => "hexDecode",
            Transformation::HexEncode => "hexEncode",
            Transformation::SqlHexDecode => "sqlHexDecode",
            Transformation::Utf8ToUnicode => "utf8toUnicode",
            Transformation::Length => "length",
            Transformation::Sha1 => "sha1",
            Transformation::FoldUnicode | Transformation::CmdLineCased => return None,
        })
    }

    /// The transformation that a name in packs stands for.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// The transformation that a name in SecLang stands for; the case of letters does not count. `none`, which
    /// is no transformation, is not among them.
    pub fn from_seclang_name(name: &str) -> Option<Self> {
        let wanted = match name {
            _ if name.eq_ignore_ascii_case("normalisePath") => "normalizePath",
            _ if name.eq_ignore_ascii_case("normalisePathWin") => "normalizePathWin",
            other => other,
        };
        let named = |it: &Self| it.seclang_name().is_some_and(|n| n.eq_ignore_ascii_case(wanted));
        Self::ALL.iter().copied().find(named)
    }
}

#[cfg(test)]
mod tests {
    use super::Transformation;

    #[test]
    fn names_lead_back() {
        for it in Transformation::ALL {
            assert_eq!(Transformation::from_name(it.name()), Some(*it));
            if let Some(name) = it.seclang_name() {
                assert_eq!(Transformation::from_seclang_name(&name.to_uppercase()), Some(*it));
            }
        }
        let spelt = Transformation::from_seclang_name("normalisePathWin");
        assert_eq!(spelt, Some(Transformation::NormalizePathWin));
        assert_eq!(Transformation::from_seclang_name("none"), None);
        assert_eq!(Transformation::from_name("lowerCase"), None);
    }
}
