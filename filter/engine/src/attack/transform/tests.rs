//! Conformance cases of every transformation, and what holds for all of them on any input.

use super::*;
use proptest::prelude::*;

fn apply(it: Transformation, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    it.apply(input, &mut out);
    out
}

/// Each case: what goes in, what comes out.
fn check(it: Transformation, cases: &[(&[u8], &[u8])]) {
    for (input, expected) in cases {
        let ours = apply(it, input);
        let (input, expected) = (input.escape_ascii(), expected.escape_ascii());
        assert_eq!(
            ours.escape_ascii().to_string(),
            expected.to_string(),
            "{} of {input}",
            it.name()
        );
    }
}

#[test]
fn case() {
    check(Transformation::Lowercase, &[(b"SeLECT \xC3\x89[`{@", b"select \xC3\x89[`{@")]);
    check(Transformation::Uppercase, &[(b"SeLECT \xC3\xA9[`{@", b"SELECT \xC3\xA9[`{@")]);
}

#[test]
fn url_decode() {
    for it in [Transformation::UrlDecode, Transformation::UrlDecodeUni] {
        check(
            it,
            &[
                (b"a%20b+c%2B%00%fF", b"a b c+\0\xFF"),
                (b"%", b"%"),
                (b"%4", b"%4"),
                (b"%4g%%41%G1", b"%4g%A%G1"),
                (b"%2541", b"%41"),
                (b"", b""),
            ],
        );
    }
    check(Transformation::UrlDecode, &[(b"%u0041", b"%u0041")]);
    check(
        Transformation::UrlDecodeUni,
        &[
            (b"%u0041%U0042", b"AB"),
            (b"%uff1cscript%uFF1e", b"<script>"),
            (b"%uff00%uff5f%u2215", b"\0\x5F\x15"),
            (b"%u004", b"%u004"),
            (b"%u00g1%41", b"%u00g1A"),
            (b"%u", b"%u"),
        ],
    );
}

#[test]
fn html_entity_decode() {
    check(
        Transformation::HtmlEntityDecode,
        &[
            (b"&lt;b&gt;&quot;&amp;&nbsp;", b"<b>\"&\xA0"),
            (b"&LT&Gt;&ltb&l", b"<><b&l"),
            (b"&#106;&#0000097&#x76;&#X61", b"java"),
            (b"&#x13c;&#316;", b"<<"),
            (b"&#x;&#;&#&;&", b"&#x;&#;&#&;&"),
            (b"&amp;lt;", b"&lt;"),
            (b"&copy;&lt", b"&copy;<"),
            (b"&#99999999999999999999999999;", b"\xFF"),
            (b"&#4294967361;", b"A"),
            (b"&#12a;", b"\x0Ca;"),
        ],
    );
}

#[test]
fn js_decode() {
    check(
        Transformation::JsDecode,
        &[
            (b"\\u0061\\x6cert\\50\\x31)", b"alert(1)"),
            (b"\\uff1c\\uFF1e", b"<>"),
            (b"\\a\\b\\f\\n\\r\\t\\v\\'\\\"\\\\\\q", b"\x07\x08\x0C\n\r\t\x0B'\"\\q"),
            (b"\\101\\377\\400\\0", b"A\xFF 0\0"),
            (b"\\08\\1234\\778", b"\x008S4?8"),
            (b"\\x4\\u004\\u{41}\\8", b"x4u004u{41}8"),
            (b"a\\", b"a\\"),
        ],
    );
}

#[test]
fn css_decode() {
    check(
        Transformation::CssDecode,
        &[
            (b"\\6a\\61vascript", b"javascript"),
            (b"\\6a \\61 \\76\\000061script", b"javascript"),
            (b"j\\\nava\\s\\ript", b"javasript"),
            (b"\\ff1c\\00FF1e\\0ff1d\\ff00\\1ff01", b"<>=\0\x01"),
            (b"\\0000411\\41\t2\\41  3", b"A1A2A 3"),
            (b"\\\\\\g\\", b"\\g"),
            (b"\\1", b"\x01"),
        ],
    );
}

#[test]
fn escape_seq_decode() {
    check(
        Transformation::EscapeSeqDecode,
        &[
            (b"\\X41\\101\\a\\b\\f\\n\\r\\t\\v\\?\\'\\\"\\\\", b"AA\x07\x08\x0C\n\r\t\x0B?'\"\\"),
            (b"\\400\\777\\1234\\08", b"\0\xFFS4\x008"),
            (b"\\x4\\xzz\\u0041\\q\\8", b"x4xzzu0041q8"),
            (b"c\\at /e\\tc\\", b"c\x07t /e\tc\\"),
        ],
    );
}

#[test]
fn nulls_and_white_space() {
    check(Transformation::RemoveNulls, &[(b"\0se\0\0lect\0", b"select")]);
    check(
        Transformation::RemoveWhitespace,
        &[(b" a\t\r\n\x0B\x0Cb\xA0c\xC2\xA0d\x1C\x85 ", b"abcd\x1C\x85")],
    );
    check(
        Transformation::CompressWhitespace,
        &[(b"  a \t\r\n\x0B\x0Cb\xA0 ", b" a b\xA0 "), (b"\n", b" ")],
    );
    check(Transformation::Trim, &[(b" \ta b\x0B\x0C\n", b"a b"), (b" \r\n", b""), (b"\0 ", b"\0")]);
    check(Transformation::TrimLeft, &[(b" \ta b \n", b"a b \n"), (b"  ", b"")]);
    check(Transformation::TrimRight, &[(b" \ta b \n", b" \ta b"), (b"  ", b"")]);
}

#[test]
fn comments() {
    check(
        Transformation::ReplaceComments,
        &[
            (b"un/*x*/ion/**//**/select", b"un ion  select"),
            (b"a/*b", b"a "),
            (b"/*/b*/c", b" c"),
            (b"a*/b/c/ */*d*/", b"a*/b/c/ * "),
        ],
    );
    check(
        Transformation::RemoveComments,
        &[
            (b"un/*x*/ion/**//**/select", b"unionselect"),
            (b"a<!--b-->c<!--d*/e/*f-->g", b"aceg"),
            (b"a/*b", b"a "),
            (b"a--b", b"a"),
            (b"a#b", b"a"),
            (b"a-b*/c<!-d/e", b"a-b*/c<!-d/e"),
            (b"a/**/--b", b"a"),
        ],
    );
    check(
        Transformation::RemoveCommentsChar,
        &[
            (b"un/**/ion<!--x-->y", b"unionxy"),
            (b"a--b#c*/d/*", b"abcd"),
            (b"--->/#*/*/", b"->/"),
            (b"<!-/ *-", b"<!-/ *-"),
        ],
    );
}

#[test]
fn paths() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"/etc/./x/../passwd", b"/etc/passwd"),
        (b"//etc///passwd//", b"/etc/passwd/"),
        (b"../../etc/passwd", b"../../etc/passwd"),
        (b"a/../../etc", b"../etc"),
        (b"/../../etc", b"/etc"),
        (b"./a", b"a"),
        (b"a/.", b"a"),
        (b"a/./", b"a/"),
        (b"/a/b/..", b"/a"),
        (b"/a/../", b"/"),
        (b"a/../", b""),
        (b"/..", b""),
        (b"../a/../..", b"../.."),
        (b"..", b".."),
        (b".", b""),
        (b"//", b"/"),
        (b".../..a/b..", b".../..a/b.."),
        (b"/a/.../b", b"/a/.../b"),
    ];
    check(Transformation::NormalizePath, cases);
    check(Transformation::NormalizePathWin, cases);
    check(Transformation::NormalizePath, &[(b"a\\..\\b", b"a\\..\\b")]);
    check(
        Transformation::NormalizePathWin,
        &[(b"c:\\x\\..\\.\\windows/win.ini", b"c:/windows/win.ini"), (b"\\..\\\\b\\", b"/b/")],
    );
}

#[test]
fn cmd_line() {
    check(
        Transformation::CmdLine,
        &[
            (b"C^md \"/C\"  dir;,\tx", b"cmd/c dir x"),
            (b"w'h'o\\ami", b"whoami"),
            (b"/bin/ca^t  /etc/pass\"\"wd", b"/bin/cat/etc/passwd"),
            (b"system  ( 1 )\r\n", b"system( 1 ) "),
            (b" ' /a\x0B\x0C", b"/a\x0B\x0C"),
        ],
    );
    check(Transformation::CmdLineCased, &[(b"C^md \"/C\"  Dir;,\tx", b"Cmd/C Dir x")]);
}

#[test]
fn base64() {
    check(
        Transformation::Base64Decode,
        &[
            (b"YWxlcnQoMSk=", b"alert(1)"),
            (b"QUJDRA==", b"ABCD"),
            (b"QU\r\nJD  \nRA=\n=", b"ABCD"),
            (b"QUJDRA", b"QUJDRA"),
            (b"QUJD!", b"QUJD!"),
            (b"QU JD", b"QU JD"),
            (b"QUI=QUJD", b"QUI=QUJD"),
            (b"QUJD====", b"QUJD===="),
            (b"\rQUJD", b"\rQUJD"),
            (b"__proto__", b"__proto__"),
            (b"QUJD\0?", b"ABC"),
            (b"QR==", b"A"),
        ],
    );
    check(
        Transformation::Base64DecodeExt,
        &[
            (b"YWxl!cnQo.M Sk=", b"alert(1)"),
            (b"QUJDRA", b"ABCD"),
            (b"QUI", b"AB"),
            (b"Q", b""),
            (b"QU-_JD", b"ABC"),
            (b"QUJD==QUJD", b"ABCABC"),
            (b"Q=UJD", b"ABC"),
            (b"?!", b""),
        ],
    );
}

#[test]
fn hexadecimal() {
    check(
        Transformation::HexDecode,
        &[(b"3c5A", b"<Z"), (b"414", b"A"), (b"4", b""), (b"0z41", b"#A")],
    );
    check(Transformation::HexEncode, &[(b"<\0\xFFz", b"3c00ff7a"), (b"", b"")]);
    check(
        Transformation::SqlHexDecode,
        &[
            (b"select 0x61646D696e,0X41", b"select admin,A"),
            (b"0x414 0x4 0xg 0x", b"A4 0x4 0xg 0x"),
            (b"00x0x41", b"00xA"),
            (b"x0x4142g", b"xABg"),
        ],
    );
}

#[test]
fn utf8_to_unicode() {
    check(
        Transformation::Utf8ToUnicode,
        &[
            ("é€😀\u{E0001}".as_bytes(), b"%u00e9%u20ac%u1f600%ue0001"),
            (b"\xC0\xAF\xE0\x80\xAF\xF0\x80\x80\xAF", b"%u002f%u002f%u002f"),
            (b"\xED\xA0\x80\xF4\x90\x80\x80", b"%ud800%u110000"),
            (
                b"a\0\x80\xC3(\xE2\x82\xFF\xF8\x88\x80\x80\x80",
                b"a\0\x80\xC3(\xE2\x82\xFF\xF8\x88\x80\x80\x80",
            ),
        ],
    );
}

#[test]
fn length_and_digest() {
    check(Transformation::Length, &[(b"", b"0"), (b"0123456789", b"10"), (&[0; 1234], b"1234")]);
    // FIPS 180's own examples, and every length around the end of a block.
    let sha1 = |input: &[u8]| {
        apply(Transformation::Sha1, input).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    assert_eq!(sha1(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(sha1(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    let two = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(sha1(two), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_eq!(sha1(&[b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/// Bytes of which transformations make something, and others.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"%"[..],
        b"%41",
        b"%u0041",
        b"%uff1c",
        b"+",
        b"&",
        b"&#",
        b"&#x41;",
        b"&lt;",
        b"\\",
        b"\\x41",
        b"\\u0041",
        b"\\41",
        b"\\n",
        b"/",
        b"/*",
        b"*/",
        b"--",
        b"-->",
        b"<!--",
        b"#",
        b".",
        b"..",
        b"...",
        b" ",
        b"\t",
        b"\n",
        b"\0",
        b"\xA0",
        b"\xC2\xA0",
        b"\xC0\xAF",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80",
        b"\xEF\xBC\x9C",
        b"0x41",
        b"0",
        b"41",
        b"QUJD",
        b"=",
        b"'",
        b"\"",
        b"^",
        b";",
        b",",
        b"(",
        b"A",
        b"a",
        b"\xC3",
        b"\xFF",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn only_triggers_change_a_value(input in input()) {
        for it in Transformation::ALL {
            let set = it.triggers();
            if set == ByteSet::ALL {
                continue;
            }
            let kept: Vec<u8> = input.iter().copied().filter(|byte| !set.contains(*byte)).collect();
            prop_assert_eq!(apply(*it, &kept), kept, "{}", it.name());
        }
    }

    #[test]
    fn what_is_said_to_stay_stays(input in input()) {
        for it in Transformation::ALL.iter().filter(|it| it.keeps(Look::at(&input))) {
            prop_assert_eq!(&apply(*it, &input), &input, "{}", it.name());
        }
    }

    #[test]
    fn output_is_bounded(input in input()) {
        for it in Transformation::ALL {
            let len = apply(*it, &input).len();
            prop_assert!(len <= it.bound(input.len()), "{}: {}", it.name(), len);
        }
    }
}

/// Nothing is quadratic: 128 KiB of what transformations act on would take minutes.
#[test]
fn long_values_are_quick() {
    let pieces: &[&[u8]] = &[
        b"%", b"&", b"&#1", b"\\", b"/*", b"<!--", b"-", b"../", b"a/../", b"/", b" ", b"0x",
        b"\xC0", b"=",
    ];
    for piece in pieces {
        let input = piece.repeat((128 << 10) / piece.len());
        for it in Transformation::ALL {
            assert!(apply(*it, &input).len() <= it.bound(input.len()));
        }
    }
}
