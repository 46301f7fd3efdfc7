//! Requests that wait for a service, as Envoy makes and resumes them.

use super::super::PASS;
use crate::http::Http;
use crate::root::Root;
use crate::testing::{FakeHost, configuration, fields, sections, signed};
use crate::vm::Vm;
use portcullis_bundle::Identity;
use portcullis_bundle::layout::*;
use proxy_wasm::types::Action::{Continue, Pause};
use zerocopy::FromZeros;

const WITHIN: &[u8] = &[8, 1];
const BEYOND: &[u8] = &[8, 2];
const BODY: &[u8] = br#"{"a": 1}"#;

/// A policy whose one limit, of three requests in a day, a service carries too.
fn delegating(mode: Mode, delegation: Delegation) -> Sections {
    let mut sections = sections(mode);
    let mut text = |text: &str| {
        let offset = (sections.strings.len() as u32).into();
        sections.strings.extend_from_slice(text.as_bytes());
        Text { offset, len: (text.len() as u32).into() }
    };
    let (name, cluster) = (text("x-key"), text("ratelimit"));
    sections.caller_sources.push(CallerSource { label: name, name, ..CallerSource::new_zeroed() });
    sections.callers.push(Caller { name, source_count: 1.into(), ..Caller::new_zeroed() });
    sections.limit_rates.push(LimitRate {
        window: 86_400_000_000_000.into(),
        amount: 3.into(),
        burst: 3.into(),
        ..LimitRate::new_zeroed()
    });
    let delegation = delegation.code();
    sections.limits.push(Limit {
        name,
        id: 8.into(),
        rate_count: 1,
        delegation,
        ..Limit::new_zeroed()
    });
    sections.limit_uses.push(LimitUse { cost: 1.into(), ..LimitUse::new_zeroed() });
    let list = LimitList { first: 0.into(), count: 1.into(), early: 1.into() };
    sections.limit_lists = vec![list; sections.operations.len() + 1];
    sections.limit_tables.push(LimitTable { blocks: 4.into(), ..LimitTable::new_zeroed() });
    let timeout = 20.into();
    sections.limit_services.push(LimitService {
        cluster,
        domain: cluster,
        timeout,
        ..LimitService::new_zeroed()
    });
    sections
}

struct Proxy {
    host: FakeHost,
    root: Root<FakeHost>,
}

impl Proxy {
    fn of(mode: Mode, delegation: Delegation) -> Self {
        let host = FakeHost::new();
        let identity = Identity { epoch: 1, ..Identity::default() };
        let bundle = signed(&delegating(mode, delegation), &identity);
        host.seen.borrow_mut().configuration = configuration(&bundle, "");
        let mut root = Root::new(Vm::new(host.clone()));
        assert!(root.on_vm_start() && root.on_configure());
        Proxy { host, root }
    }

    fn request(&self, method: &str, path: &str) -> Http<FakeHost> {
        let mut seen = self.host.seen.borrow_mut();
        let head: [(&str, &[u8]); 5] = [
            (":method", method.as_bytes()),
            (":path", path.as_bytes()),
            (":authority", b"bank.example"),
            ("content-type", b"application/json"),
            ("x-key", b"secret"),
        ];
        seen.headers = Some(fields(&head));
        seen.states.clear();
        seen.answers.clear();
        seen.body = BODY.to_vec();
        self.root.http()
    }

    /// The answer to the question asked last.
    fn answer(&self, http: &mut Http<FakeHost>, message: &[u8]) {
        self.host.seen.borrow_mut().service_answer = message.to_vec();
        http.on_service_answer(self.asked() - 1, 0, message.len());
    }

    fn asked(&self) -> u32 {
        self.host.seen.borrow().asked.len() as u32
    }

    /// Whether the guard lets it pass, how often it was resumed, and the status of a refusal.
    fn outcome(&self) -> (bool, u32, Option<u16>) {
        let seen = self.host.seen.borrow();
        let status = seen.answers.first().map(|answer| answer.status);
        (self.host.state(PASS).is_some(), seen.resumed, status)
    }

    fn metric(&self, name: &str) -> i64 {
        self.host.metric(&["portcullis.", name].concat()).unwrap()
    }
}

#[test]
fn a_head_waits_for_the_answer() {
    let proxy = Proxy::of(Mode::Enforce, Delegation::Local);
    let mut http = proxy.request("GET", "/ping");
    assert_eq!(http.on_request_headers(true), Pause);
    assert_eq!((proxy.asked(), proxy.outcome()), (1, (false, 0, None)));
    let message = proxy.host.seen.borrow().asked[0].clone();
    assert!(!message.windows(6).any(|it| it == b"secret"), "{}", message.escape_ascii());
    // An answer to another question, then its own.
    http.on_service_answer(77, 0, 2);
    proxy.answer(&mut http, WITHIN);
    assert_eq!(proxy.outcome(), (true, 1, None));
    http.on_log();
    let mut http = proxy.request("GET", "/ping");
    assert_eq!(http.on_request_headers(true), Pause);
    proxy.answer(&mut http, BEYOND);
    assert_eq!(proxy.outcome(), (false, 1, Some(429)));
    http.on_log();
    assert_eq!((proxy.metric("verdict.allow"), proxy.metric("verdict.block")), (1, 1));
    assert_eq!(proxy.metric("limit.service-refused"), 1);
}

#[test]
fn a_body_that_has_been_judged_waits_too() {
    let proxy = Proxy::of(Mode::Enforce, Delegation::Local);
    let mut http = proxy.request("POST", "/pay");
    assert_eq!(http.on_request_headers(false), Pause);
    assert_eq!(http.on_request_body(BODY.len(), true), Pause);
    assert_eq!(http.on_request_trailers(), Pause);
    assert_eq!(proxy.outcome(), (false, 0, None));
    proxy.answer(&mut http, WITHIN);
    assert_eq!(proxy.outcome(), (true, 1, None));
    // The answer first: the body goes on as ever.
    let mut http = proxy.request("POST", "/pay");
    assert_eq!(http.on_request_headers(false), Pause);
    proxy.answer(&mut http, WITHIN);
    assert_eq!(proxy.outcome(), (false, 1, None));
    assert_eq!(http.on_request_body(BODY.len(), true), Continue);
    assert_eq!(proxy.outcome(), (true, 1, None));
    // Refused while the body still comes.
    let mut http = proxy.request("POST", "/pay");
    assert_eq!(http.on_request_headers(false), Pause);
    proxy.answer(&mut http, BEYOND);
    assert_eq!(
        (http.on_request_body(BODY.len(), true), proxy.outcome()),
        (Pause, (false, 1, Some(429)))
    );
}

#[test]
fn a_request_whose_bundle_is_taken_away_while_it_waits_is_refused() {
    for message in [WITHIN, BEYOND] {
        let proxy = Proxy::of(Mode::Enforce, Delegation::Local);
        let mut http = proxy.request("GET", "/ping");
        assert_eq!(http.on_request_headers(true), Pause);
        *http.generation.as_ref().unwrap().bundle.borrow_mut() = None;
        proxy.answer(&mut http, message);
        http.on_log();
        assert_eq!(proxy.outcome(), (false, 0, Some(503)));
    }
}

#[test]
fn what_is_refused_for_another_reason_does_not_wait() {
    let proxy = Proxy::of(Mode::Enforce, Delegation::Local);
    let mut http = proxy.request("POST", "/pay");
    proxy.host.seen.borrow_mut().body = b"{".to_vec();
    assert_eq!((http.on_request_headers(false), http.on_request_body(1, true)), (Pause, Pause));
    assert_eq!(proxy.outcome(), (false, 0, Some(400)));
    proxy.answer(&mut http, WITHIN);
    assert_eq!(proxy.outcome(), (false, 0, Some(400)));
    assert_eq!(proxy.host.seen.borrow().answers.len(), 1);
    // A path that nothing declares is refused by its head, and not asked about.
    let asked = proxy.asked();
    assert_eq!(proxy.request("GET", "/nowhere").on_request_headers(true), Pause);
    assert_eq!((proxy.asked(), proxy.outcome().2), (asked, Some(404)));
}

#[test]
fn without_an_answer_the_policy_says_what_happens() {
    for (delegation, status) in [(Delegation::Local, None), (Delegation::Refuse, Some(503))] {
        let proxy = Proxy::of(Mode::Enforce, delegation);
        let passes = status.is_none();
        // It cannot be reached.
        proxy.host.seen.borrow_mut().unreachable = true;
        let action = proxy.request("GET", "/ping").on_request_headers(true);
        assert_eq!((action == Continue, proxy.outcome()), (passes, (passes, 0, status)));
        proxy.host.seen.borrow_mut().unreachable = false;
        // A time-out, and nonsense.
        let mut http = proxy.request("GET", "/ping");
        assert_eq!(http.on_request_headers(true), Pause);
        http.on_service_answer(0, 4, 0);
        assert_eq!(proxy.outcome(), (passes, u32::from(passes), status));
        let mut http = proxy.request("GET", "/ping");
        assert_eq!(http.on_request_headers(true), Pause);
        proxy.answer(&mut http, b"\xff");
        assert_eq!(proxy.outcome(), (passes, 2 * u32::from(passes), status));
        assert_eq!(proxy.metric("limit.service-failed"), 3);
        // Three of three are counted here.
        assert_eq!(proxy.request("GET", "/ping").on_request_headers(true), Pause);
        assert_eq!((proxy.asked(), proxy.outcome().2), (2, Some(429)));
    }
}

#[test]
fn a_service_that_hangs_is_not_held_against_the_next_bundles() {
    let mut proxy = Proxy::of(Mode::Enforce, Delegation::Local);
    for asked in 0..8 {
        proxy.host.pass_seconds(86_400);
        let mut http = proxy.request("GET", "/ping");
        assert_eq!(http.on_request_headers(true), Pause);
        http.on_service_answer(asked, 14, 0);
        http.on_log();
    }
    assert_eq!(proxy.request("GET", "/ping").on_request_headers(true), Continue);
    assert_eq!((proxy.asked(), proxy.metric("limit.service-skipped")), (8, 1));
    // Another bundle may name another service.
    let identity = Identity { epoch: 2, ..Identity::default() };
    let bundle = signed(&delegating(Mode::Enforce, Delegation::Local), &identity);
    proxy.host.seen.borrow_mut().configuration = configuration(&bundle, "");
    assert!(proxy.root.on_configure());
    (0..100).for_each(|_| proxy.root.on_tick());
    assert_eq!(proxy.request("GET", "/ping").on_request_headers(true), Pause);
    assert_eq!(proxy.asked(), 9);
}

#[test]
fn monitor_never_waits_and_a_client_that_goes_is_forgotten() {
    let proxy = Proxy::of(Mode::Monitor, Delegation::Refuse);
    let mut http = proxy.request("GET", "/ping");
    assert_eq!(http.on_request_headers(true), Continue);
    assert_eq!((proxy.asked(), proxy.outcome()), (1, (true, 0, None)));
    proxy.answer(&mut http, BEYOND);
    assert_eq!(proxy.outcome(), (true, 0, None));
    assert_eq!(proxy.metric("finding.limit-exceeded"), 1);
    let proxy = Proxy::of(Mode::Enforce, Delegation::Local);
    let mut http = proxy.request("GET", "/ping");
    assert_eq!(http.on_request_headers(true), Pause);
    http.on_log();
    proxy.answer(&mut http, BEYOND);
    assert_eq!((proxy.outcome(), proxy.metric("verdict.undecided")), ((false, 0, None), 1));
}
