//! Bodies of every kind: however they are cut, the decision is the same, and it is the right one.

use super::Request;
use super::support::bodies;
use portcullis_bundle::Bundle;
use portcullis_engine::exchange::Exchange;
use proptest::prelude::*;
use std::sync::LazyLock;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bodies::bundle);

const FORM: [&[u8]; 16] = [
    b"n=1",
    b"&",
    b"list=2",
    b"list[]=3",
    b"list[0]=4",
    b"o[n]=1",
    b"o[list][1]=2",
    b"t=%61b",
    b"%6e=5",
    b"t=%zz",
    b"t=%ff",
    b"=",
    b"o[",
    b"t=a+b",
    b"x=1",
    b"o[][n]=1",
];

const MULTIPART: [&[u8]; 20] = [
    b"--X\r\n",
    b"\r\n--X\r\n",
    b"\r\n--X--",
    b"\r\n--X--\r\n",
    b"\r\n",
    b"--X",
    b"\n",
    b"Content-Disposition: form-data; name=\"n\"\r\n\r\n5",
    b"Content-Disposition: form-data; name=\"t\"\r\n\r\nabc",
    b"Content-Disposition: form-data; name=\"list\"\r\n\r\n7",
    b"Content-Disposition: form-data; name=\"o\"\r\nContent-Type: application/json\r\n\r\n{\"n\":1}",
    b"X-Sum: 1\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n\xff-\r-",
    b"Content-Disposition: form-data; name=\"",
    b"; filename=\"..\"",
    b"Content-Type: text/plain; charset=x\r\n",
    b"\r\n--",
    b"-",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"\xc3",
    b" folded",
];

const TEXTS: [&[u8]; 14] = [
    b"{\"n\":1}",
    b"\n",
    b"\x1e",
    b"{\"n\":",
    b"\"list\":[1,2]",
    b"}",
    b" ",
    b"\r\n",
    b"\xc3\xa9",
    b"\xff",
    b"eyJhbGciOiJSUzI1NiJ9",
    b".",
    b"eyJuIjoxfQ",
    b"e30",
];

fn body(parts: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(parts);
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn sent() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let text = prop::sample::select(&[
        "text/plain",
        "application/jwt",
        "application/jsonl",
        "application/json-seq",
        "application/octet-stream",
    ]);
    prop_oneof![
        body(&FORM).prop_map(|body| ("application/x-www-form-urlencoded", body)),
        body(&MULTIPART).prop_map(|body| ("multipart/form-data; boundary=X", body)),
        body(&MULTIPART).prop_map(|body| ("multipart/mixed; boundary=X", body)),
        (text, body(&TEXTS)),
    ]
}

fn judge(media_type: &str, pieces: Vec<Vec<u8>>) -> Request {
    let request = Request::new("POST", "/b").header("content-type", media_type);
    Request { body: Some(pieces), ..request }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 3000 } else { 20_000 }))]

    #[test]
    fn cuts_do_not_change_the_decision(
        (media_type, body) in sent(),
        cut in 0usize..300,
    ) {
        let (first, second) = body.split_at(cut.min(body.len()));
        // The buffers of one exchange serve all, and must not tell one request of another.
        let mut exchange = Exchange::new();
        let whole = judge(media_type, vec![body.clone()]).judge(&BUNDLE).decision;
        for pieces in [
            vec![first.to_vec(), second.to_vec()],
            body.iter().map(|byte| vec![*byte]).collect(),
            vec![body.clone()],
        ] {
            let decision = judge(media_type, pieces).judge_with(&BUNDLE, &mut exchange).decision;
            prop_assert_eq!(&decision, &whole);
        }
    }

    #[test]
    fn fields_and_parts_say_the_same(n in 0u8..12, list in prop::collection::vec(0u8..12, 0..5), t in "[a-zé+ %&]{0,6}") {
        let good = (1..10).contains(&n)
            && list.len() <= 3
            && list.iter().all(|item| (1..10).contains(item))
            && (1..=4).contains(&t.chars().count());
        let encoded: String = t.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut form = format!("n={n}&t={encoded}");
        let mut multipart = String::new();
        let mut part = |name: &str, value: &str| {
            multipart += &format!(
                "--X\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
            );
        };
        part("t", &t);
        for item in &list {
            form += &format!("&list={item}");
            part("list", &item.to_string());
        }
        part("n", &n.to_string());
        multipart += "--X--\r\n";
        let verdict = if good { "allow" } else { "block:body-invalid" };
        let sent = judge("application/x-www-form-urlencoded", vec![form.into_bytes()]);
        prop_assert_eq!(sent.verdict(&BUNDLE), verdict);
        prop_assume!(multipart.len() <= 300);
        let sent = judge("multipart/form-data; boundary=X", vec![multipart.into_bytes()]);
        prop_assert_eq!(sent.verdict(&BUNDLE), verdict);
    }
}
