//! Bundles of rules without a contract, and requests judged by them.

use policy_compiler::diag::render_text;
use policy_compiler::source::Memory;
use policy_compiler::{CompileOutput, Input, Release};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::Decision;
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};

/// Compiles a policy that names one pack, of this text where it is a file.
pub fn compile(pack: &str, text: &[u8], budget: &str) -> CompileOutput {
    let policy = format!(
        "version: 1\nname: fuzz\nundeclared: {{ operations: allow }}\nstrictness: {{ ambiguous_paths: allow }}\n\
         limits: {{ path: 1MiB }}\nattacks: {{ packs: [{pack}], paranoia: 4, budget: {budget} }}\n\
         apis: [{{ name: none, documents: [none.yaml] }}]\n"
    );
    let document = "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n";
    let mut sources = Memory::new([("policy.yaml", policy.as_str()), ("none.yaml", document)]);
    sources.0.insert("rules.yaml".to_owned(), text.to_vec());
    let input = Input::Policy("policy.yaml".to_owned());
    policy_compiler::compile(&sources, &input, &Release::default())
}

/// A bundle of a pack that compiles.
pub fn bundle(pack: &str, text: &str, budget: &str) -> Bundle {
    let output = compile(pack, text.as_bytes(), budget);
    let said = render_text(&output.diagnostics, &output.files, false);
    let bytes = output.bundle.unwrap_or_else(|| panic!("{said}"));
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    Bundle::open(bytes, &trust).expect("what is written opens")
}

/// Feeds a request to its decision, the body in chunks of so many bytes.
pub fn judge(
    bundle: &Bundle,
    exchange: &mut Exchange,
    head: &RequestHead<'_>,
    chunk: usize,
    body: &[u8],
) -> Decision {
    let view = bundle.view();
    exchange.reset();
    let mut progress = exchange.on_headers(&view, head, Conditions::default());
    for chunk in body.chunks(chunk) {
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, chunk);
        }
    }
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_end(&view);
    }
    match progress {
        Progress::Decided(decision) => decision,
        Progress::Body { .. } => panic!("not decided at the end"),
    }
}

/// The text before and after a mark.
pub fn cut<'t>(text: &'t [u8], mark: &[u8]) -> (&'t [u8], &'t [u8]) {
    match text.windows(mark.len()).position(|window| window == mark) {
        Some(at) => (&text[..at], &text[at + mark.len()..]),
        None => (text, b""),
    }
}

/// Header fields, and the body after an empty line, if there is one.
pub fn halves(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.windows(2).position(|window| window == b"\n\n") {
        Some(at) => (&text[..at], Some(&text[at + 2..])),
        None => (text, None),
    }
}
