use super::{CallerBy, LimitRate, Period, SECOND, bits, claim, duration, limit_id, offset, source};
use crate::diag::Diagnostics;
use crate::ir::{LimitMode, MissingCaller};
use crate::policy::parse;
use crate::source::Sources;
use crate::{Input, Release, compile};

const HEAD: &str = "version: 1\nname: p\napis: [{name: a, documents: [a.yaml]}]\n";

/// The diagnostics of a policy: code, line, title.
fn told(text: &str) -> Vec<(&'static str, u32, String)> {
    let mut diagnostics = Diagnostics::default();
    parse("policy.yaml", &format!("{HEAD}{text}"), &mut diagnostics);
    let sorted = diagnostics.sorted();
    sorted.iter().map(|it| (it.code.id, it.labels[0].span.line, it.title.clone())).collect()
}

#[test]
fn ways_to_name_a_caller() {
    let by = |text| source(text).map(|it| it.by);
    assert_eq!(by("header.X-Key"), Ok(CallerBy::Header("x-key".into())));
    assert_eq!(by("address"), Ok(CallerBy::Address(32, 128)));
    assert_eq!(by("address/24"), Ok(CallerBy::Address(24, 64)));
    assert_eq!(by("body./a/b"), Ok(CallerBy::Body("/a/b".into())));
    let steps =
        ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "bank", "x/y", "a~b"];
    assert_eq!(claim("bank./x~1y/a~0b"), Ok(steps.map(str::to_owned).to_vec()));
    let steps = ["connection", "uri_san_peer_certificate"].map(str::to_owned).to_vec();
    assert_eq!(by("certificate.uri_san"), Ok(CallerBy::Property(steps)));
    for wrong in [
        "header",
        "header.",
        "header.a b",
        "query.",
        "claim.sub",
        "claim./sub",
        "claim.bank.sub",
        "body.a",
        "body./",
        "certificate",
        "certificate.serial",
        "address/33",
        "address/0/64",
        "address/24/64/1",
        "address.v4",
        "ip",
        "",
    ] {
        assert!(source(wrong).is_err(), "{wrong}");
    }
    assert_eq!((bits("address/8/48"), bits("address/8/129")), (Some((8, 48)), None));
}

#[test]
fn spans_and_offsets() {
    assert_eq!(duration("minute"), Some(60 * SECOND));
    assert_eq!((duration("10s"), duration("1h 30m")), (Some(10 * SECOND), Some(5400 * SECOND)));
    for wrong in ["", "month", "10", "0s", "1us", "2years"] {
        assert_eq!(duration(wrong), None, "{wrong}");
    }
    assert_eq!(
        (offset("+05:30"), offset("-12:00"), offset("+14:00")),
        (Some(330), Some(-720), Some(840))
    );
    for wrong in ["05:30", "+5:30", "+05:60", "-12:01", "+14:01", "é"] {
        assert_eq!(offset(wrong), None, "{wrong}");
    }
}

#[test]
fn a_limit_is_read_with_its_defaults() {
    let text = format!(
        "{HEAD}callers: {{c: {{by: [address], missing: skip}}}}\nrate_limits:\n  l:\n    caller: c\n    \
         rates: [{{requests: 5, per: second}}]\n    quotas: [{{requests: 7, per: week, offset: '+01:00'}}]\n    \
         concurrent: {{requests: 2}}\n    count: failures\n"
    );
    let mut diagnostics = Diagnostics::default();
    let limiting = parse("policy.yaml", &text, &mut diagnostics).unwrap().limiting.unwrap();
    assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
    let limit = &limiting.limits[0];
    let expected = [
        LimitRate::Window { amount: 5, burst: 5, window: SECOND },
        LimitRate::Quota { amount: 7, period: Period::Week, offset: 60 },
        LimitRate::Concurrency { amount: 2, lease: 60 * SECOND },
    ];
    assert_eq!(limit.rates, expected);
    assert_eq!((limit.mode, limit.cost, limit.line), (LimitMode::Enforce, 1, 6));
    assert_eq!(limit.statuses, ["4xx", "5xx"]);
    assert_eq!((limiting.callers[0].missing, limiting.size), (MissingCaller::Skip, 4 << 20));
    // Names decide where counts are found again: the hash must never change.
    assert_eq!(limit_id("payments-per-customer"), 0x23C5_8B80);
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let found = told(
        "callers:\n  c: {by: [adress]}\nrate_limits:\n  'a b': {caller: c, rates: [{requests: 1, per: second}]}\n  \
         none: {caller: c}\n  who: {caller: d, rates: [{requests: 1, per: fortnight}]}\n  \
         odd: {caller: c, quotas: [{requests: 1, per: day, offset: cet}], statuses: ['40', 9xx], count: all, cost_from: x}\n",
    );
    let lines: Vec<_> = found.iter().map(|(code, line, _)| (*code, *line)).collect();
    assert_eq!(
        lines,
        [
            ("PC0502", 5),
            ("PC0502", 7),
            ("PC0502", 8),
            ("PC0502", 9),
            ("PC0502", 9),
            ("PC0502", 10),
            ("PC0502", 10),
            ("PC0502", 10),
            ("PC0502", 10),
            ("PC0502", 10),
        ],
        "{found:?}"
    );
    assert_eq!(told("limit_table: {size: 1MiB}\n").len(), 1);
    assert!(told("rate_limits: {l: {rates: []}}\n").iter().any(|(code, ..)| *code == "PC0504"));
}

const DOCUMENT: &str = "openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths:\n  /x:\n    get:\n      tags: [money]\n      \
                        responses: {'200': {description: ok}}\n";

/// A policy and its document.
struct Files(String, &'static str);

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Ok(if path == "policy.yaml" { self.0.clone().into() } else { self.1.into() })
    }
}

fn compiled(text: &str) -> Vec<&'static str> {
    compiled_with(text, DOCUMENT)
}

fn compiled_with(text: &str, document: &'static str) -> Vec<&'static str> {
    let files = Files(format!("{HEAD}{text}"), document);
    let output = compile(&files, &Input::Policy("policy.yaml".to_owned()), &Release::default());
    output.diagnostics.sorted().iter().map(|it| it.code.id).collect()
}

#[test]
fn limits_must_hold_for_something_and_for_not_too_much() {
    let limits = "callers: {c: {by: [address]}, k: {by: [header.k]}}\nrate_limits:\n";
    let rate = "rates: [{requests: 1, per: second}]";
    assert_eq!(compiled(&format!("{limits}  l: {{caller: c, {rate}, tags: [money]}}\n")), [""; 0]);
    assert_eq!(
        compiled(&format!("{limits}  l: {{caller: c, {rate}, tags: [mony]}}\n")),
        ["PC0506"]
    );
    assert_eq!(
        compiled(&format!("{limits}  l: {{caller: c, {rate}, operations: [GET /y]}}\n")),
        ["PC0506"]
    );
    assert_eq!(compiled(&format!("{limits}  l: {{caller: c, {rate}, apis: [b]}}\n")), ["PC0506"]);
    // Only a key that clients choose; then a limit that nobody can go round.
    assert_eq!(compiled(&format!("{limits}  l: {{caller: k, {rate}}}\n")), ["PC0902"]);
    assert_eq!(
        compiled(&format!("{limits}  l: {{caller: k, {rate}}}\n  m: {{caller: c, {rate}}}\n")),
        [""; 0]
    );
    // One that a client goes round by leaving its name out, unless an address stands in for it.
    for (by, expected) in [("[claim.p./sub]", &["PC0902"][..]), ("[claim.p./sub, address]", &[])] {
        let limits = format!(
            "callers: {{k: {{by: [header.K]}}, s: {{by: {by}, missing: skip}}}}\nrate_limits:\n"
        );
        let both = format!("{limits}  l: {{caller: k, {rate}}}\n  m: {{caller: s, {rate}}}\n");
        assert_eq!(compiled(&both), expected);
    }
    let many: String = (0..17).map(|n| format!("  l{n}: {{caller: c, {rate}}}\n")).collect();
    assert_eq!(compiled(&format!("{limits}{many}")), ["PC0901"]);
    // They hold for requests of no operation too, which is all that there are here.
    let none = "openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths: {}\n";
    let told = compiled_with(&format!("{limits}{many}"), none);
    assert_eq!(told.iter().filter(|code| **code == "PC0901").count(), 1, "{told:?}");
}

#[test]
fn a_rate_that_cannot_be_read_is_told_of() {
    let limit = |rates: &str| {
        format!("callers: {{c: {{by: [address]}}}}\nrate_limits:\n  l: {{caller: c, {rates}}}\n")
    };
    assert_eq!(told(&limit("rates: [{requests: 1, per: second}]")), []);
    for wrong in [
        "rates: [{requests: 1, per: second}, {requests: 9000000000, per: day}]",
        "quotas: [{requests: 9000000000, per: day}]",
        "rates: [{requests: 1, per: second}], concurrent: {requests: 9000000000}",
    ] {
        let told = told(&limit(wrong));
        assert!(told.iter().any(|it| it.2 == "one of its rates cannot be read"), "{told:?}");
    }
}

/// A document with one operation that has a body, and a policy.
struct WithBody(String);

impl Sources for WithBody {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let document = r#"{"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {"/x": {"post": {
            "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                "user": {"type": "string"}, "n": {"type": "integer"}, "any": {}, "map": {"additionalProperties": {"type": "string"}},
                "list": {"type": "array", "items": {"properties": {"id": {"type": "string"}}}},
                "either": {"oneOf": [{"properties": {"a": {"type": "string"}}}, {"type": "integer"}]}}}}}},
            "responses": {"200": {"description": "ok"}}}}}}"#;
        Ok(if path == "policy.yaml" { self.0.clone().into() } else { document.into() })
    }
}

#[test]
fn values_that_no_schema_declares_are_told() {
    let told = |by: &str, more: &str| {
        let text = format!(
            "{HEAD}callers: {{c: {{by: [{by}, address]}}}}\nrate_limits: {{l: {{caller: c, rates: [{{requests: 9, \
             per: second}}]{more}}}}}\n"
        );
        let input = Input::Policy("policy.yaml".to_owned());
        let output = compile(&WithBody(text), &input, &Release::default());
        let codes = output.diagnostics.sorted().iter().map(|it| it.code.id).collect::<Vec<_>>();
        codes.contains(&"PC0904")
    };
    for (pointer, expected) in [
        ("/user", false),
        ("/n", false),
        ("/usr", true),
        ("/map/key", true),
        ("/any", false),
        ("/any/below", true),
        ("/list/0/id", false),
        ("/list/0/di", true),
        ("/list/first/id", true),
        ("/either/a", false),
    ] {
        assert_eq!(told(&format!("body.{pointer}"), ""), expected, "{pointer}");
    }
    assert!(!told("header.x", ", cost: 5, cost_from: body./n"));
    assert!(told("header.x", ", cost: 5, cost_from: body./m"));
}

#[test]
fn what_is_delegated_has_a_service_and_no_more_than_it_can_carry() {
    let callers = "callers: {c: {by: [address]}}\n";
    let limit = |more: &str| {
        format!(
            "{callers}rate_limits: {{l: {{caller: c, rates: [{{requests: 1, per: second}}]{more}}}}}\n"
        )
    };
    let service = |more: &str| format!("limit_service: {{cluster: c, domain: d{more}}}\n");
    let titles = |text: String| told(&text).into_iter().map(|it| it.2).collect::<Vec<_>>();
    let none: Vec<String> = Vec::new();
    assert_eq!(titles(limit(", delegate: {}") + &service("")), none);
    assert_eq!(titles(limit(", delegate: {}, count: all") + &service(", timeout: 1s")), none);
    assert_eq!(titles(limit(", delegate: {}")), ["there is no service to delegate to"]);
    assert_eq!(titles(limit("") + &service("")), ["no limit is delegated to the service"]);
    let concurrent = ", delegate: {}, concurrent: {requests: 1}";
    assert_eq!(titles(limit(concurrent) + &service("")), ["requests at once cannot be delegated"]);
    for counting in [", count: failures", ", statuses: ['401']"] {
        let delegating = limit(&format!(", delegate: {{}}{counting}"));
        let expected = ["a limit that counts by answers cannot be delegated"];
        assert_eq!(titles(delegating + &service("")), expected, "{counting}");
    }
    for wrong in ["0ms", "2s", "1us", "1500us", "soon"] {
        let titles = titles(limit(", delegate: {}") + &service(&format!(", timeout: {wrong}")));
        assert_eq!(titles, [format!("`{wrong}` is no time to wait for a service")]);
    }
    let long = service("").replace("cluster: c", &format!("cluster: {}", "c".repeat(121)));
    assert_eq!(titles(limit(", delegate: {}") + &long).len(), 1);
}

#[test]
fn a_limit_says_itself_what_happens_without_an_answer() {
    use crate::ir::OnFailure::{Local, Refuse};
    let text = format!(
        "{HEAD}callers: {{c: {{by: [address]}}}}\nlimit_service: {{cluster: r, domain: d, on_failure: refuse, callers: value}}\n\
         rate_limits:\n  a: {{caller: c, rates: [{{requests: 1, per: second}}], delegate: {{}}}}\n  \
         b: {{caller: c, rates: [{{requests: 1, per: second}}], delegate: {{on_failure: local}}}}\n  \
         c: {{caller: c, rates: [{{requests: 1, per: second}}]}}\n"
    );
    let mut diagnostics = Diagnostics::default();
    let file = parse("policy.yaml", &text, &mut diagnostics).unwrap();
    let limiting = file.limiting.unwrap();
    let delegated: Vec<_> = limiting.limits.iter().map(|limit| limit.delegated).collect();
    assert_eq!(delegated, [Some(Refuse), Some(Local), None]);
    let service = limiting.service.unwrap();
    assert_eq!((service.timeout, service.tells_values), (20, true));
}
