//! Requests through fake callbacks, as Envoy makes them.

use super::{Http, PASS, VERDICT};
use crate::root::Root;
use crate::testing::{
    Answered, FakeHost, bundle, configuration, fields, sections, secured, signed,
};
use crate::vm::Vm;
use portcullis_bundle::Identity;
use portcullis_bundle::layout::{AnswerDetails, AnswerStyle, Mode, NONE, SchemeKind};
use proxy_wasm::types::Action;
use std::rc::Rc;

const ID: &[u8] = b"00191aff-9ed3-4f03-bf67-dc5f2ad01289";
const BODY: &[u8] = br#"{"amount": "10.00", "to": ["a", "b"]}"#;

/// One worker and the proxy's side of a request.
struct Proxy {
    host: FakeHost,
    root: Root<FakeHost>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    verdict: Option<String>,
    passed: bool,
    answer: Option<Answered>,
    /// Whether the head went on before the message ended.
    released_at_head: bool,
}

impl Proxy {
    fn new(configuration: Vec<u8>) -> Self {
        let host = FakeHost::new();
        host.seen.borrow_mut().configuration = configuration;
        let mut root = Root::new(Vm::new(host.clone()));
        assert!(root.on_vm_start() && root.on_configure());
        Proxy { host, root }
    }

    fn of(mode: Mode) -> Self {
        Proxy::new(configuration(&bundle(mode, &Identity { epoch: 1, ..Identity::default() }), ""))
    }

    fn head(&self, method: &str, path: &str, more: &[(&str, &[u8])]) {
        let mut all: Vec<(&str, &[u8])> = vec![
            (":method", method.as_bytes()),
            (":path", path.as_bytes()),
            (":authority", b"bank.example"),
            ("x-request-id", ID),
        ];
        all.extend(more);
        let mut seen = self.host.seen.borrow_mut();
        seen.headers = Some(fields(&all));
        seen.states.clear();
        seen.answers.clear();
        seen.body.clear();
    }

    fn outcome(&self, released_at_head: bool) -> Outcome {
        Outcome {
            verdict: self.host.state(VERDICT),
            passed: self.host.state(PASS).is_some(),
            answer: self.host.seen.borrow().answers.first().cloned(),
            released_at_head,
        }
    }

    /// A request without a body.
    fn get(&self, path: &str, more: &[(&str, &[u8])]) -> Outcome {
        self.head("GET", path, more);
        let mut http = self.root.http();
        let action = http.on_request_headers(true);
        http.on_log();
        self.outcome(action == Action::Continue)
    }

    /// A request with a body that comes in chunks. While it is held, the proxy shows all of it so far.
    fn post(&self, chunks: &[&[u8]], more: &[(&str, &[u8])], ending: Ending) -> Outcome {
        let mut head: Vec<(&str, &[u8])> = vec![("content-type", b"application/json")];
        head.extend(more);
        self.head("POST", "/pay", &head);
        let mut http = self.root.http();
        let released = http.on_request_headers(false) == Action::Continue;
        let mut last = if released { Action::Continue } else { Action::Pause };
        for (number, chunk) in chunks.iter().enumerate() {
            let ends = ending == Ending::LastChunk && number + 1 == chunks.len();
            last = self.show(&mut http, chunk, ends);
            if !self.host.seen.borrow().answers.is_empty() {
                break;
            }
        }
        if self.host.seen.borrow().answers.is_empty() {
            match ending {
                Ending::LastChunk => {}
                Ending::EmptyChunk => last = self.show(&mut http, b"", true),
                Ending::Trailers => last = http.on_request_trailers(),
                Ending::Reset => {
                    http.on_log();
                    return self.outcome(released);
                }
            }
        }
        let outcome = self.outcome(released);
        assert_eq!(last == Action::Continue, outcome.answer.is_none());
        http.on_log();
        outcome
    }

    fn show(&self, http: &mut Http<FakeHost>, chunk: &[u8], ends: bool) -> Action {
        self.host.seen.borrow_mut().body.extend_from_slice(chunk);
        let size = self.host.seen.borrow().body.len();
        let action = http.on_request_body(size, ends);
        if action == Action::Continue {
            self.host.seen.borrow_mut().body.clear();
        }
        action
    }

    fn metric(&self, name: &str) -> i64 {
        self.host.metric(&["portcullis.", name].concat()).unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    LastChunk,
    EmptyChunk,
    Trailers,
    Reset,
}

const ENDINGS: [Ending; 3] = [Ending::LastChunk, Ending::EmptyChunk, Ending::Trailers];

fn status(outcome: &Outcome) -> Option<u16> {
    outcome.answer.as_ref().map(|answer| answer.status)
}

#[test]
fn good_requests_are_released_with_the_marker() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome = proxy.get("/ping", &[]);
    assert_eq!(outcome.verdict.as_deref(), Some("allow"));
    assert!(outcome.passed && outcome.released_at_head);
    assert_eq!(proxy.metric("verdict.allow"), 1);
}

#[test]
fn refused_requests_are_answered_without_the_marker() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome = proxy.get("/nowhere", &[]);
    assert_eq!(outcome.verdict.as_deref(), Some("block:operation-undeclared"));
    assert!(!outcome.passed && !outcome.released_at_head);
    let answer = outcome.answer.unwrap();
    assert_eq!((answer.status, answer.details.as_str()), (404, "portcullis:operation-undeclared"));
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let expected = serde_json::json!({
        "type": "urn:portcullis:finding:operation-undeclared",
        "title": "Not found",
        "status": 404,
        "instance": "urn:uuid:00191aff-9ed3-4f03-bf67-dc5f2ad01289",
    });
    assert_eq!(problem, expected);
    assert!(
        answer
            .headers
            .contains(&("content-type".to_owned(), "application/problem+json".to_owned()))
    );
    assert_eq!(proxy.metric("verdict.block"), 1);
    assert_eq!(proxy.metric("finding.operation-undeclared"), 1);
}

#[test]
fn a_method_refused_names_those_allowed() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.head("DELETE", "/ping", &[]);
    assert_eq!(proxy.root.http().on_request_headers(true), Action::Pause);
    let answer = proxy.outcome(false).answer.unwrap();
    assert_eq!(answer.status, 405);
    let allow = answer.headers.iter().find(|(name, _)| name == "allow").unwrap();
    assert!(allow.1.contains("GET"), "{allow:?}");
}

#[test]
fn a_body_gives_one_verdict_however_it_is_cut_and_ended() {
    let proxy = Proxy::of(Mode::Enforce);
    let cuts = |body: &'static [u8], size: usize| body.chunks(size).collect::<Vec<_>>();
    for ending in ENDINGS {
        for size in [1, 2, 7, BODY.len()] {
            let good = proxy.post(&cuts(BODY, size), &[], ending);
            assert_eq!(good.verdict.as_deref(), Some("allow"), "{ending:?} {size}");
            assert!(good.passed && !good.released_at_head);
            let bad = proxy.post(&cuts(b"{\"a\": 1} x", size), &[], ending);
            assert_eq!(bad.verdict.as_deref(), Some("block:body-malformed"), "{ending:?} {size}");
            assert!(!bad.passed && !bad.released_at_head);
            let short = proxy.post(&cuts(b"{\"a\": [1, 2", size), &[], ending);
            assert_eq!(short.verdict.as_deref(), Some("block:body-malformed"), "{ending:?} {size}");
        }
        let empty = proxy.post(if ending == Ending::LastChunk { &[b""] } else { &[] }, &[], ending);
        assert!(status(&empty) == Some(400), "{ending:?} {empty:?}");
    }
}

#[test]
fn a_body_larger_than_a_slice_is_read_whole() {
    let mut sections = sections(Mode::Enforce);
    for operation in &mut sections.operations {
        operation.limits.max_bytes = (1 << 20).into();
        operation.limits.max_items = NONE.into();
    }
    let bundle = signed(&sections, &Identity { epoch: 1, ..Identity::default() });
    let proxy = Proxy::new(configuration(&bundle, ""));
    let mut body = b"[0".to_vec();
    body.extend(b",1".repeat(100_000));
    let open = proxy.post(&[&body], &[], Ending::EmptyChunk);
    assert_eq!(open.verdict.as_deref(), Some("block:body-malformed"));
    body.push(b']');
    let closed = proxy.post(&[&body], &[], Ending::EmptyChunk);
    assert_eq!(closed.verdict.as_deref(), Some("allow"));
}

#[test]
fn a_body_over_the_policys_limit_is_refused_before_it_ends() {
    let proxy = Proxy::of(Mode::Enforce);
    let large = [b"[".as_slice(), &b"1,".repeat(40_000)].concat();
    let chunks: Vec<&[u8]> = large.chunks(9000).collect();
    let outcome = proxy.post(&chunks, &[], Ending::Trailers);
    assert_eq!(status(&outcome), Some(413));
}

#[test]
fn a_request_that_is_reset_is_counted_as_undecided() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome = proxy.post(&[b"{"], &[], Ending::Reset);
    assert_eq!((outcome.verdict, outcome.passed), (None, false));
    assert_eq!(proxy.metric("verdict.undecided"), 1);
    assert_eq!(proxy.post(&[BODY], &[], Ending::LastChunk).verdict.as_deref(), Some("allow"));
}

#[test]
fn monitor_never_holds_answers_or_withholds_the_marker() {
    let proxy = Proxy::of(Mode::Monitor);
    let outcome = proxy.get("/nowhere", &[]);
    assert_eq!(outcome.verdict.as_deref(), Some("monitor:operation-undeclared"));
    assert!(outcome.passed && outcome.released_at_head && outcome.answer.is_none());
    for ending in ENDINGS {
        let outcome = proxy.post(&[b"{\"a\"", b": 1} x"], &[], ending);
        assert_eq!(outcome.verdict.as_deref(), Some("monitor:body-malformed"), "{ending:?}");
        assert!(outcome.passed && outcome.released_at_head && outcome.answer.is_none());
    }
    let waiting = proxy.post(&[BODY], &[("expect", b"100-continue")], Ending::LastChunk);
    assert_eq!(waiting.verdict.as_deref(), Some("allow"));
}

#[test]
fn bodies_that_cannot_be_held_are_reported_and_pass() {
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 1, ..Identity::default() });
    let text = String::from_utf8(configuration(&bundle, "")).unwrap();
    let proxy = Proxy::new(text.replace("\"hold_headers\":true", "\"hold_headers\":false").into());
    let outcome = proxy.post(&[b"{} x"], &[], Ending::LastChunk);
    assert!(outcome.released_at_head && outcome.answer.is_none());
    assert_eq!(outcome.verdict.as_deref(), Some("monitor:body-malformed"));
    assert_eq!(proxy.metric("finding.body-unenforced"), 1);
}

#[test]
fn a_client_that_waits_for_100_is_refused_where_its_body_would_be_held() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome = proxy.post(&[BODY], &[("expect", b"100-Continue")], Ending::LastChunk);
    assert_eq!(status(&outcome), Some(417));
    assert_eq!(
        proxy.get("/ping", &[("expect", b"100-continue")]).verdict.as_deref(),
        Some("allow")
    );
}

#[test]
fn break_glass_lets_pass_and_says_so() {
    let until = r#","force_monitor_until":"2030-01-01T00:00:00Z""#;
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 1, ..Identity::default() });
    let proxy = Proxy::new(configuration(&bundle, until));
    let outcome = proxy.get("/nowhere", &[]);
    assert_eq!(outcome.verdict.as_deref(), Some("monitor:operation-undeclared"));
    assert!(outcome.passed && outcome.answer.is_none());
    assert_eq!(proxy.metric("break-glass.passed"), 1);
    assert_eq!(proxy.metric("finding.break-glass"), 1);
    proxy.host.pass_seconds(10 * 365 * 86_400);
    assert_eq!(status(&proxy.get("/nowhere", &[])), Some(404));
}

#[test]
fn every_byte_in_headers_is_survived() {
    let proxy = Proxy::of(Mode::Enforce);
    let bytes: Vec<u8> = (0x80..=0xFF).collect();
    for byte in 0x80..=0xFFu8 {
        let outcome = proxy.get("/ping", &[("x-name", &[b'c', byte]), ("cookie", &bytes)]);
        assert_eq!(outcome.verdict.as_deref(), Some("allow"), "{byte:#x}");
    }
    for name in [":path", ":method", ":authority", "x-request-id", "content-type", "expect"] {
        proxy.host.seen.borrow_mut().headers = Some(fields(&[(name, &bytes)]));
        proxy.root.http().on_request_headers(true);
    }
    proxy.host.seen.borrow_mut().headers = Some(b"\xFF\xFF\xFF\xFF".to_vec());
    assert_eq!(proxy.root.http().on_request_headers(true), Action::Pause);
    proxy.host.seen.borrow_mut().headers = None;
    assert_eq!(proxy.root.http().on_request_headers(true), Action::Pause);
}

#[test]
fn the_filters_own_header_names_are_removed() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.get("/ping", &[("x-portcullis-verdict", b"allow"), ("x-portcullis", b"kept")]);
    assert_eq!(proxy.host.seen.borrow().removed, ["x-portcullis-verdict"]);
}

#[test]
fn only_a_request_id_that_is_a_uuid_is_repeated() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome =
        proxy.get("/nowhere", &[("x-request-id", b"<script>alert(1)</script>__________")]);
    assert!(!outcome.answer.unwrap().body.contains("instance"));
}

#[test]
fn grpc_is_answered_in_words() {
    let proxy = Proxy::of(Mode::Enforce);
    let outcome = proxy.get("/nowhere", &[("content-type", b"application/grpc+proto")]);
    let answer = outcome.answer.unwrap();
    assert_eq!(answer.body, "Not found");
    assert!(answer.headers.iter().all(|(name, _)| name != "content-type"));
}

#[test]
fn the_policy_decides_how_much_an_answer_tells() {
    let identity = Identity { epoch: 1, ..Identity::default() };
    let mut terse = sections(Mode::Enforce);
    terse.policy[0].answer_style = AnswerStyle::Minimal.code();
    let proxy = Proxy::new(configuration(&signed(&terse, &identity), ""));
    let answer = proxy.get("/nowhere", &[]).answer.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (404, ""));

    let mut telling = sections(Mode::Enforce);
    telling.policy[0].answer_details = AnswerDetails::Finding.code();
    let proxy = Proxy::new(configuration(&signed(&telling, &identity), ""));
    let answer = proxy.post(&[b"{\"secret\": nope}"], &[], Ending::LastChunk).answer.unwrap();
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["findings"][0]["code"], "body-malformed");
    assert_eq!(problem["findings"][0]["in"], "body");
    assert!(!answer.body.contains("secret") && !answer.body.contains("nope"));
}

#[test]
fn findings_are_logged_without_paths_and_values() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.post(&[b"{\"secret\": nope}"], &[], Ending::LastChunk);
    let lines = proxy.host.lines();
    let line = lines.iter().find(|line| line["event"] == "finding").unwrap();
    assert_eq!(line["portcullis"], 1);
    assert_eq!(line["verdict"], "block");
    assert_eq!(line["status"], 400);
    assert_eq!(line["code"], "body-malformed");
    assert_eq!(line["template"], "/pay");
    assert_eq!(line["operation"], "00000000000000ab");
    assert_eq!(line["request_id"], std::str::from_utf8(ID).unwrap());
    assert!(!line.to_string().contains("secret") && !line.to_string().contains("nope"));
}

#[test]
fn a_refusal_for_want_of_credentials_carries_a_challenge() {
    let identity = Identity { epoch: 1, ..Identity::default() };
    let bundle = signed(&secured(SchemeKind::Bearer), &identity);
    let proxy = Proxy::new(configuration(&bundle, ""));
    let challenge = |headers: &[(&str, &[u8])]| {
        let answer = proxy.get("/ping", headers).answer?;
        assert_eq!((answer.status, answer.body.contains("Unauthorized")), (401, true));
        let fields = answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
        Some(fields.map(|(_, value)| value.clone()).collect::<Vec<_>>())
    };
    assert_eq!(challenge(&[]).unwrap(), ["Bearer realm=\"bank\""]);
    assert_eq!(challenge(&[("authorization", b"Bearer s3cret t0ken")]).unwrap().len(), 1);
    assert_eq!(challenge(&[("authorization", b"Bearer s3cret")]), None);
    let lines = proxy.host.lines();
    let line = lines.iter().find(|line| line["code"] == "credential-malformed").unwrap();
    assert_eq!((&line["in"], &line["name"]), (&"header".into(), &"authorization".into()));
    assert!(!lines.iter().any(|line| line.to_string().contains("s3cret")));
    let other = proxy.get("/nowhere", &[]).answer.unwrap();
    assert!(other.headers.iter().all(|(name, _)| name != "www-authenticate"));
}

#[test]
fn a_certificate_is_a_fact_of_the_connection() {
    let identity = Identity { epoch: 1, ..Identity::default() };
    let bundle = signed(&secured(SchemeKind::MutualTls), &identity);
    let proxy = Proxy::new(configuration(&bundle, ""));
    for (certificate, expected) in [(None, Some(401)), (Some(false), Some(401)), (Some(true), None)]
    {
        proxy.host.seen.borrow_mut().certificate = certificate;
        let outcome = proxy.get("/ping", &[("x-forwarded-client-cert", b"Hash=0")]);
        assert_eq!(status(&outcome), expected, "{certificate:?}");
    }
}

#[test]
fn log_lines_are_capped_and_the_rest_counted() {
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 1, ..Identity::default() });
    let mut proxy = Proxy::new(configuration(&bundle, r#","log_findings_per_second":2"#));
    for _ in 0..5 {
        proxy.get("/nowhere", &[]);
    }
    let findings =
        |proxy: &Proxy| proxy.host.lines().iter().filter(|line| line["event"] == "finding").count();
    assert_eq!((findings(&proxy), proxy.metric("log.suppressed")), (2, 3));
    proxy.root.on_tick();
    assert_eq!(proxy.host.lines().last().unwrap()["suppressed"], 3);
    proxy.host.pass_seconds(1);
    proxy.get("/nowhere", &[]);
    assert_eq!(findings(&proxy), 3);
}

#[test]
fn without_a_policy_everything_is_refused() {
    let proxy = Proxy::new(Vec::new());
    for outcome in [proxy.get("/ping", &[]), proxy.post(&[], &[], Ending::EmptyChunk)] {
        assert_eq!(status(&outcome), Some(503));
        assert_eq!(outcome.verdict.as_deref(), Some("block:policy-missing"));
        assert!(!outcome.passed);
    }
}

#[test]
fn a_request_ends_by_the_bundle_that_began_it() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.head("POST", "/pay", &[("content-type", b"application/json")]);
    let mut http = proxy.root.http();
    assert_eq!(http.on_request_headers(false), Action::Pause);
    assert_eq!(proxy.show(&mut http, b"{", false), Action::Pause);

    let next = bundle(Mode::Monitor, &Identity { epoch: 2, ..Identity::default() });
    proxy.host.seen.borrow_mut().configuration = configuration(&next, "");
    let mut root = Root::new(Rc::clone(proxy.root.vm()));
    assert!(root.on_configure());
    assert_eq!(root.http().generation.unwrap().epoch, 2);

    assert_eq!(proxy.show(&mut http, b"x", true), Action::Pause);
    assert_eq!(status(&proxy.outcome(false)), Some(400), "the old bundle enforces");
    // The old root context may still get streams from old connections.
    assert_eq!(proxy.root.http().generation.unwrap().epoch, 2);
}

#[test]
fn a_bundle_revoked_mid_body_refuses_what_is_held() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.head("POST", "/pay", &[("content-type", b"application/json")]);
    let mut http = proxy.root.http();
    assert_eq!(http.on_request_headers(false), Action::Pause);
    *http.generation.as_ref().unwrap().bundle.borrow_mut() = None;
    assert_eq!(proxy.show(&mut http, b"{}", true), Action::Pause);
    assert_eq!(status(&proxy.outcome(false)), Some(503));
}

#[test]
fn a_bundle_revoked_while_a_body_streams_by_is_told() {
    let bundle = bundle(Mode::Enforce, &Identity { epoch: 1, ..Identity::default() });
    let held = String::from_utf8(configuration(&bundle, "")).unwrap();
    let streaming = held.replace("\"hold_headers\":true", "\"hold_headers\":false").into_bytes();
    let proxy = Proxy::new(streaming);
    proxy.head("POST", "/pay", &[("content-type", b"application/json")]);
    let mut http = proxy.root.http();
    assert_eq!(http.on_request_headers(false), Action::Continue);
    *http.generation.as_ref().unwrap().bundle.borrow_mut() = None;
    assert_eq!(proxy.show(&mut http, b"{}", true), Action::Continue);
    http.on_log();
    let outcome = proxy.outcome(true);
    assert_eq!(
        (status(&outcome), outcome.verdict.as_deref()),
        (None, Some("monitor:policy-missing"))
    );
    assert_eq!((proxy.metric("verdict.monitor"), proxy.metric("finding.policy-missing")), (1, 1));
    let lines = proxy.host.lines();
    assert!(lines.iter().any(|line| line["code"] == "policy-missing"), "{lines:?}");
}

#[test]
fn the_worker_shows_its_epoch_from_its_first_request_on() {
    let mut proxy = Proxy::of(Mode::Enforce);
    assert_eq!(proxy.host.metric("portcullis.epoch.portcullis.worker.0"), None);
    proxy.get("/ping", &[]);
    assert_eq!(proxy.metric("epoch.portcullis.worker.0"), 1);
    proxy.root.on_tick();
    assert_eq!(proxy.metric("generations.worker.0"), 1);
}

#[test]
fn answers_that_no_rule_looks_at_cost_nothing() {
    let proxy = Proxy::of(Mode::Enforce);
    proxy.head("GET", "/ping", &[]);
    let mut http = proxy.root.http();
    assert_eq!(http.on_request_headers(true), Action::Continue);
    assert_eq!(http.on_response_headers(false), Action::Continue);
    for end_of_stream in [false, true] {
        assert_eq!(http.on_response_body(4096, end_of_stream), Action::Continue);
    }
    assert_eq!(http.on_response_trailers(), Action::Continue);
    assert_eq!(proxy.host.seen.borrow().asked_of_answers, 0);
}
