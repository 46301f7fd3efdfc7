//! Serves hostile bundles: whatever passes verification must judge whatever comes.
//!
//! The input is a section table and sections, framed as the target `open` of the bundle does it. The requests are made
//! from the operations that the bundle declares, with bodies of every kind of value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

#[path = "../../../bundle/fuzz/fuzz_targets/framed.rs"]
mod framed;

const BODIES: [&[u8]; 6] = [
    b"",
    b"null",
    br#"{"a":1,"b":[true,null,"x"],"id":"00191aff-9ed3-4f03-bf67-dc5f2ad01289","n":1e3,"kind":"a","type":"b"}"#,
    br#"[{"a":{"b":{"a":[1,2,2,1.5]}}},"caf\u00e9",-0.0,123456789012345678901234567890,[]]"#,
    br#""2024-02-29T23:59:60Z""#,
    br#"{"a":{"a":{"a":{"a":{"a":{}}}}},"a":1,"#,
];

fuzz_target!(|content: &[u8]| {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let Ok(bundle) = Bundle::open(framed::framed(content), &trust) else { return };
    let view = bundle.view();
    let mut exchange = Exchange::new();
    let operations = view.operations.iter().take(12);
    let declared = operations.map(|it| (view.text(it.method), path(view.text(it.template))));
    for (method, path) in declared.chain([("GET", "/a//b;c/%2e?a=1&a=2".to_owned())]) {
        for body in BODIES {
            let headers: [(&[u8], &[u8]); 4] = [
                (b"host", b"gateway.example"),
                (b"content-type", b"application/json"),
                (b"cookie", b"a=1; b=x; id=%20"),
                (b"x-request-id", b"1,2,3"),
            ];
            let head = RequestHead {
                method: method.as_bytes(),
                path: path.as_bytes(),
                authority: b"gateway.example",
                headers: &headers,
                end_of_stream: body.is_empty(),
            };
            exchange.reset();
            let mut progress = exchange.on_headers(&view, &head, Conditions::default());
            for piece in body.chunks(7) {
                if matches!(progress, Progress::Body { .. }) {
                    progress = exchange.on_body(&view, piece);
                }
            }
            if matches!(progress, Progress::Body { .. }) {
                progress = exchange.on_end(&view);
            }
            match progress {
                Progress::Decided(decision) => drop(decision.describe(&view)),
                Progress::Body { .. } => panic!("not decided at the end"),
            }
        }
    }
});

/// A path that matches a template, with a query.
fn path(template: &str) -> String {
    let mut path = String::new();
    let mut within = false;
    for character in template.chars() {
        match character {
            '{' => within = true,
            '}' => {
                within = false;
                path.push('1');
            }
            other if !within => path.push(other),
            _ => {}
        }
    }
    path + "?a=1&b=x,y&id=%C3%A9&limit=5&a[b]=c"
}
