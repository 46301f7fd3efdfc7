//! Formats and encodings against implementations of others, on texts that nearly have them.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../../../policy-compiler/src/lower/idn.rs"]
mod idn;
#[path = "common/program.rs"]
mod program;

use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use fluent_uri::{Iri, IriRef, Uri, UriRef};
use portcullis_engine::schema::{Limits, NoSink, Validator};
use program::Program;
use proptest::prelude::*;
use serde_json::json;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Whether the engine finds that a text satisfies a keyword.
fn judged(keyword: &str, value: &str, text: &str) -> bool {
    static IDN: LazyLock<Vec<portcullis_bundle::layout::IdnRange>> = LazyLock::new(idn::table);
    let (mut program, schema) = Program::new(&json!({ keyword: value }));
    assert!(program.unsupported.is_empty());
    program.sections.idn.clone_from(&IDN);
    let body = serde_json::to_string(text).unwrap();
    let limits = Limits::default();
    let view = program.view();
    Validator::new().validate(&view, schema, limits, body.as_bytes(), &mut NoSink).is_ok()
}

fn is(format: &str, text: &str) -> bool {
    judged("format", format, text)
}

/// An encoding that does not ask for zeros in the bits that are left over.
fn lenient(encoding: &data_encoding::Encoding) -> data_encoding::Encoding {
    let mut specification = encoding.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap()
}

/// Punycode as RFC 3492's section 6.3 has it, without bounds.
fn punycode(text: &[char]) -> String {
    let mut out: String = text.iter().filter(|c| c.is_ascii()).collect();
    let basics = out.len() as u32;
    if basics > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut done) = (128_u32, 0_u64, 72_u64, u64::from(basics));
    while done < text.len() as u64 {
        let next = text.iter().map(|c| u32::from(*c)).filter(|c| *c >= n).min().unwrap();
        delta += u64::from(next - n) * (done + 1);
        n = next;
        for c in text.iter().map(|c| u32::from(*c)) {
            if c < n {
                delta += 1;
            }
            if c == n {
                let mut q = delta;
                for k in (36_u64..).step_by(36) {
                    let t = k.saturating_sub(bias).clamp(1, 26);
                    let digit = if q < t { q } else { t + (q - t) % (36 - t) };
                    out.push(char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[digit as usize]));
                    if q < t {
                        break;
                    }
                    q = (q - t) / (36 - t);
                }
                let mut rest = if done == u64::from(basics) { delta / 700 } else { delta / 2 };
                rest += rest / (done + 1);
                bias = 0;
                while rest > 455 {
                    rest /= 35;
                    bias += 36;
                }
                bias += 36 * rest / (rest + 38);
                (delta, done) = (0, done + 1);
            }
        }
        (delta, n) = (delta + 1, n + 1);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn ipv4_addresses(text in "[0-9]{1,3}(\\.[0-9]{0,3}){2,4}|[0-2.]{7,12}") {
        prop_assert_eq!(is("ipv4", &text), text.parse::<Ipv4Addr>().is_ok());
    }

    #[test]
    fn ipv6_addresses(
        text in "([0-9a-fA-F]{0,5}:){1,8}[0-9a-f]{0,4}|[0-9:]{2,12}|::([0-9a-f]{1,4}:){0,6}[0-9]{1,3}(\\.[0-9]{1,3}){3}",
    ) {
        prop_assert_eq!(is("ipv6", &text), text.parse::<Ipv6Addr>().is_ok());
    }

    #[test]
    fn uris(text in "([a-z][a-z0-9+.-]{0,3}:)?(//([a-z@:%!]{0,5}@)?([a-z0-9.-]{0,6}|\\[[0-9a-f:v.]{1,6}\\])(:[0-9a]{0,3})?)?(/[a-z%0-9:@{ ]{0,5}){0,2}(\\?[a-z?%é/]{0,4})?(#[a-z#]{0,3})?") {
        prop_assert_eq!(is("uri", &text), Uri::parse(text.as_str()).is_ok());
        prop_assert_eq!(is("uri-reference", &text), UriRef::parse(text.as_str()).is_ok());
    }

    #[test]
    fn iris(text in "([a-zé]{1,3}:)?(//[a-zé%0-9]{0,4})?(/[a-z\u{80}-\u{10FFFF}]{0,3}){0,2}(\\?[a-z\u{E000}-\u{10FFFF}]{0,3})?(#[é\u{E000}]{0,2})?") {
        prop_assert_eq!(is("iri", &text), Iri::parse(text.as_str()).is_ok());
        prop_assert_eq!(is("iri-reference", &text), IriRef::parse(text.as_str()).is_ok());
    }

    #[test]
    fn encodings(text in "[A-Za-z0-9+/_-]{0,9}={0,6}|[A-V2-7]{0,9}={0,7}|[0-9a-fA-Fg]{0,7}") {
        let bytes = text.as_bytes();
        let padded = lenient(&BASE64).decode(bytes).is_ok();
        prop_assert_eq!(judged("contentEncoding", "base64", &text), padded);
        prop_assert_eq!(is("byte", &text), padded);
        let url = lenient(&BASE64URL).decode(bytes).is_ok()
            || lenient(&BASE64URL_NOPAD).decode(bytes).is_ok();
        prop_assert_eq!(judged("contentEncoding", "base64url", &text), url);
        let (base32, hex) = (lenient(&BASE32), lenient(&BASE32HEX));
        prop_assert_eq!(judged("contentEncoding", "base32", &text), base32.decode(bytes).is_ok());
        prop_assert_eq!(judged("contentEncoding", "base32hex", &text), hex.decode(bytes).is_ok());
        let base16 = HEXLOWER_PERMISSIVE.decode(bytes).is_ok();
        prop_assert_eq!(judged("contentEncoding", "base16", &text), base16);
    }

    #[test]
    fn a_labels_are_those_of_their_u_labels(text in "[a-zà-öø-ÿα-ω一-十א-תا-ي0-9-]{1,8}") {
        let chars: Vec<char> = text.chars().collect();
        prop_assume!(!text.is_ascii());
        let label = format!("xn--{}", punycode(&chars));
        let valid = is("idn-hostname", &text);
        prop_assert_eq!(is("hostname", &label), valid, "{}", label);
        prop_assert_eq!(is("idn-hostname", &label.to_ascii_uppercase()), valid);
    }

    #[test]
    fn integers(text in "-?[0-9]{1,3}|-?[1-9][0-9]{16,19}|-?[0-9.+e]{1,4}") {
        let canonical = !text.starts_with("+") && (text == "0" || !text.trim_start_matches('-').starts_with('0'));
        prop_assert_eq!(is("int64", &text), canonical && text.parse::<i64>().is_ok());
        prop_assert_eq!(is("uint64", &text), canonical && text.parse::<u64>().is_ok());
    }

    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        for format in [
            "date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname", "uri", "iri",
            "uri-template", "json-pointer", "relative-json-pointer", "regex", "http-date", "media-range",
            "decimal128", "sf-string",
        ] {
            is(format, &text);
        }
        judged("contentEncoding", "quoted-printable", &text);
    }

    #[test]
    fn expressions_with_their_specials_quoted_are_expressions(text in "[ -~]{0,12}") {
        let special = |c: char| "^$\\.*+?()[]{}|/".contains(c);
        let quoted: String = text
            .chars()
            .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
            .collect();
        prop_assert!(is("regex", &quoted), "{}", quoted);
        let group = format!("(?:{quoted})+|[{}]{{2,}}", quoted.replace('-', "\\-"));
        prop_assert!(is("regex", &group), "{}", group);
        let (unclosed, closed) = (format!("({quoted}"), format!("{quoted})"));
        prop_assert!(!is("regex", &unclosed));
        prop_assert!(!is("regex", &closed));
    }
}
