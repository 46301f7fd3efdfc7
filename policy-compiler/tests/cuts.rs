//! Bodies that are at fault and hold an attack: however they are cut, one decision comes of them, finding by finding.

use policy_compiler::source::Memory;
use policy_compiler::{Input, Release, compile};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

const POLICY: &str = "version: 1
name: cuts
undeclared: { operations: allow }
attacks: { packs: [api-core], unreadable_bodies: UNREADABLE }
apis: [{ name: one, documents: [one.yaml] }]
";

const DOCUMENT: &str = "openapi: 3.1.0
info: { title: one, version: '1' }
paths:
  /notes:
    post:
      requestBody:
        content:
          application/json: { schema: { type: object, properties: { text: { type: string } } } }
          application/json-seq: { itemSchema: { type: object, properties: { text: { type: string } } } }
          application/jsonl: { itemSchema: { type: object, properties: { text: { type: string } } } }
      responses: { '200': { description: ok } }
";

/// A text that is longer than what is read again for a few bytes more.
const LONG: &str = "to be read whole, and then again: only when enough has come, or at the end; ";

fn judge(bundle: &Bundle, (path, kind): (&str, &str), body: &[u8], size: usize) -> Decision {
    let view = bundle.view();
    let headers: [(&[u8], &[u8]); 1] = [(b"content-type", kind.as_bytes())];
    let head = RequestHead {
        method: b"POST",
        path: path.as_bytes(),
        authority: b"a",
        headers: &headers,
        end_of_stream: false,
    };
    let mut exchange = Exchange::new();
    let mut progress = exchange.on_headers(&view, &head, Conditions::default());
    for chunk in body.chunks(size) {
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, chunk);
        }
    }
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_end(&view);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => panic!("not decided"),
    }
}

#[test]
fn faults_and_attacks_are_found_alike_however_bodies_are_cut() {
    for unreadable in ["block", "allow"] {
        hold(&POLICY.replace("UNREADABLE", unreadable), unreadable == "block");
    }
}

fn hold(policy: &str, blocks: bool) {
    let sources = Memory::new([("policy.yaml", policy), ("one.yaml", DOCUMENT)]);
    let output = compile(&sources, &Input::Policy("policy.yaml".to_owned()), &Release::default());
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle = Bundle::open(output.bundle.unwrap(), &trust).unwrap();
    let long = LONG.repeat(3);
    let bodies = [
        // An attack, then a fault; the text before it goes to the end of a piece, or not.
        format!("{{\"text\":\"{long} ../../etc/passwd\",\"b\":[Some(1)]}}"),
        // A fault, and an attack that the body as sent shows alone.
        format!("{{\"text\":\"{long} \u{1}<!DOCTYPE a [<!ENTITY b SYSTEM \\\"file:///c\\\">]>"),
        format!("{{\"text\":\"{long}\",\"b\":<!DOCTYPE a SYSTEM \"http://e.example/\">"),
        format!("{{\"text\":\"{long}\"}} <?php system('id');"),
        // A record that would end the array of records, and a fault before it.
        format!("{{\"text\":\"{long}\"}}\n{{\"text\":\"{long}\",\"b\":1x}}}},\n{{}}"),
        format!("{{\"text\":\"{long}\"}}\n\u{1e}{{\"text\":[\"{long}\"\n{{}}"),
    ];
    for kind in ["application/json", "application/jsonl", "application/json-seq"] {
        for path in ["/notes", "/elsewhere"] {
            for (at, body) in bodies.iter().enumerate() {
                let whole = judge(&bundle, (path, kind), body.as_bytes(), body.len());
                // What no document declares is not read as lines.
                let must = blocks && (at < 4 || path == "/notes");
                assert!(whole.status >= 400 || !must, "{path} {kind} {body}: {whole:?}");
                for size in (1..body.len()).step_by(13) {
                    let cut = judge(&bundle, (path, kind), body.as_bytes(), size);
                    assert_eq!(whole, cut, "{path} {kind} by {size}: {body}");
                }
            }
        }
    }
}
