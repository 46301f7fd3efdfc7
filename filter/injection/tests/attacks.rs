//! Attacks and what looks like them, written for this project.

use portcullis_injection::{sql, xss};

const SQL: [&str; 8] = [
    "1 or 1=1",
    "' or 'a'='a",
    "x' or 1=1 -- ",
    "1 union select name from users",
    "1; drop table accounts",
    "1 /*! or 1 */",
    "\" or \"\"=\"",
    "1 and sleep(5)",
];

const PLAIN: [&str; 9] = [
    "O'Brien",
    "select your union",
    "DE89 3704 0044 0532 0130 00",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "jane.doe@bank.example",
    "Rent for May -- thanks",
    "50% off, today only",
    "12 Main Street, Springfield",
    "",
];

const MARKUP: [&str; 8] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "<a href=\"jav&#x61;script:alert(1)\">",
    "' style='x",
    "<svg/onload=alert(1)>",
    "<!--[if IE]>",
    "` onfocus=`x",
];

#[test]
fn sql_is_told_with_its_fingerprint() {
    for value in SQL {
        assert!(sql::is_injection(value.as_bytes()).is_some(), "{value}");
        assert!(sql::possible(value.as_bytes()), "{value}");
    }
    let found = sql::is_injection(b"x' or 1=1 -- ").map(|found| found.to_string());
    assert_eq!(found.as_deref(), Some("s&1c"));
}

#[test]
fn markup_is_told_wherever_it_is_put() {
    for value in MARKUP {
        assert!(xss::is_xss(value.as_bytes()), "{value}");
        assert!(xss::possible(value.as_bytes()), "{value}");
    }
    assert_eq!(xss::context(b"\"onclick=x"), Some(xss::Context::DoubleQuoted));
}

#[test]
fn plain_values_pass() {
    for value in PLAIN {
        assert_eq!(sql::is_injection(value.as_bytes()), None, "{value}");
        assert!(!xss::is_xss(value.as_bytes()), "{value}");
    }
    assert!(!xss::is_xss(b"a < b and c > d, x=y"));
}

/// Where libinjection takes time quadratic in the length, the time here is linear; what is quadratic takes
/// minutes at this length.
#[test]
fn long_hostile_values_end() {
    let pieces: [&[u8]; 12] =
        [b"or.", b"or`", b"$a$", b"$", b"'\\", b"''", b"((", b"/", b"<a\0", b"-\0", b"<!--", b"1,"];
    for piece in pieces {
        let value = piece.repeat(2_000_000 / piece.len());
        sql::is_injection(&value);
        xss::is_xss(&value);
    }
}
