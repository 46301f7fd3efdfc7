//! Bodies that are at fault and hold an attack: however they are cut, one decision comes of them, finding by finding.

use policy_compiler::source::Memory;
use policy_compiler::{Input, Release, compile};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

const POLICY: &str = "version: 1
name: cuts
undeclared: { operations: allow }
attacks: { packs: [api-core] }
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
    let sources = Memory::new([("policy.yaml", POLICY), ("one.yaml", DOCUMENT)]);
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
    ];
    for kind in ["application/json", "application/jsonl"] {
        for path in ["/notes", "/elsewhere"] {
            for body in &bodies {
                let whole = judge(&bundle, (path, kind), body.as_bytes(), body.len());
                assert!(whole.status >= 400, "{path} {kind} {body}: {whole:?}");
                for size in (1..body.len()).step_by(2) {
                    let cut = judge(&bundle, (path, kind), body.as_bytes(), size);
                    let decided = |it: &Decision| (it.verdict, it.status, it.findings.len());
                    assert_eq!(decided(&whole), decided(&cut), "{path} {kind} by {size}: {body}");
                    // Of two faults in a line, that is told which was reached.
                    if kind == "application/json" {
                        assert_eq!(whole, cut, "{path} by {size}: {body}");
                    }
                }
            }
        }
    }
}
