//! Judging ordinary requests allocates nothing once an exchange's buffers have grown.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use portcullis_bundle::Bundle;
use portcullis_bundle::layout::*;
use portcullis_engine::decision::Verdict;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{Builder, Param, Shape};

struct Counting;

thread_local! {
    /// Of this thread: the test harness allocates in its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn bundle() -> Bundle {
    let mut builder = Builder::new();
    let (number, text) = (builder.integer(1, 100), builder.string(1, 40));
    let list = builder.array(text, 10);
    let object = builder.object(&[("amount", number, true), ("names", list, false)], SCHEMA_NEVER);
    let parameters = [
        Param::new(Location::Path, "account", text, TYPE_STRING),
        Param::new(Location::Query, "limit", number, TYPE_INTEGER),
        Param::new(Location::Query, "status", list, TYPE_STRING)
            .shape(Shape::Array)
            .flags(PARAMETER_EXPLODE),
        Param::new(Location::Query, "name", text, TYPE_STRING),
        Param::new(Location::Header, "x-request-id", text, TYPE_STRING).flags(PARAMETER_REQUIRED),
        Param::new(Location::Cookie, "session", text, TYPE_STRING),
    ];
    let json = [("application/json", object, BodyKind::Json)];
    builder.operation("GET", "/v1/accounts/{account}/list", &parameters, &[], |_| {});
    builder.operation("POST", "/v1/accounts/{account}/list", &parameters, &json, |_| {});
    secure(&mut builder);
    builder.build()
}

/// The operations take a JWT in `Authorization`, or a key in a cookie.
fn secure(builder: &mut Builder) {
    let text = builder.string(1, 40);
    let header = builder.object(&[("alg", text, true)], SCHEMA_ANY);
    let schemes = [
        (SchemeKind::Bearer, "bearer", header, Location::Header),
        (SchemeKind::Basic, "basic", NONE, Location::Header),
        (SchemeKind::ApiKey, "session", NONE, Location::Cookie),
    ];
    for (kind, name, schema, location) in schemes {
        let name = builder.text(name);
        builder.sections.security_schemes.push(SecurityScheme {
            name,
            origin: NONE.into(),
            schema: schema.into(),
            kind: kind.code(),
            location: location.code(),
            reserved: 0.into(),
        });
    }
    let requirement = SecurityRequirement { schemes: 5.into(), origin: NONE.into() };
    builder.sections.security_requirements.push(requirement);
    for operation in 0..2u32 {
        builder.sections.securities.push(Security {
            operation: operation.into(),
            schemes: 0.into(),
            scheme_count: 3.into(),
            requirements: 0.into(),
            requirement_count: 1.into(),
            challenge: Text { offset: 0.into(), len: 0.into() },
            action: Action::Block.code(),
            reserved: [0; 3],
        });
    }
}

fn judge(exchange: &mut Exchange, bundle: &Bundle, method: &str, body: &[&str]) -> Verdict {
    let view = bundle.view();
    let headers: [(&[u8], &[u8]); 6] = [
        (b":method", method.as_bytes()),
        (b"x-request-id", b"4f6b"),
        (b"cookie", b"a=b; session=0123456789"),
        (b"content-type", b"application/json; charset=utf-8"),
        (b"accept", b"*/*"),
        (
            b"authorization",
            b"Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.c2ln",
        ),
    ];
    let head = RequestHead {
        method: method.as_bytes(),
        path: b"/v1/accounts/caf%C3%A9/list?limit=50&status=a&status=b%20c&name=Ann+Lee",
        authority: b"api.bank.example",
        headers: &headers,
        end_of_stream: body.is_empty(),
    };
    exchange.reset();
    let mut progress = exchange.on_headers(&view, &head, Conditions::default());
    for chunk in body {
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, chunk.as_bytes());
        }
    }
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_end(&view);
    }
    match progress {
        Progress::Decided(decision) => decision.verdict,
        Progress::Body { .. } => panic!("undecided"),
    }
}

#[test]
fn ordinary_requests_allocate_nothing() {
    let bundle = bundle();
    let mut exchange = Exchange::new();
    let whole = ["{\"amount\":5,\"names\":[\"a\",\"b\"]}"];
    let cut = ["{\"amount\":5,\"na", "mes\":[\"a\",\"", "b\"]}"];
    let mut round = |expected: Verdict| {
        for (method, body) in [("GET", &[][..]), ("POST", &whole[..]), ("POST", &cut[..])] {
            assert_eq!(judge(&mut exchange, &bundle, method, body), expected);
        }
    };
    round(Verdict::Allow);
    let before = ALLOCATIONS.get();
    for _ in 0..10 {
        round(Verdict::Allow);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
