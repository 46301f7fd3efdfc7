//! Attacks far into a body, which others stop reading: refused before the upstream sees a byte, however the body is cut.

mod support;

use portcullis_integration::Upstream;
use portcullis_integration::http1::{Body, Request};
use serde_json::json;
use support::Setup;

const ATTACK: &str = "attack-word";
/// Others read 128 KiB of a body.
const FAR: usize = 160 << 10;

const RULES: &str = r#"
SecRule ARGS|XML:/*|REQUEST_BODY "@contains attack-word" "id:1,phase:2,deny,t:none,t:lowercase,msg:'A word'"
"#;
const POLICY: &str = "
version: 1
name: far
undeclared: { operations: allow }
limits: { body: 512KiB, parameters: 1024 }
attacks: { raw_body: 512KiB, rules: [ { crs: waf } ] }
apis: [ { name: pay, documents: [api.yaml] } ]
";

/// Bodies of every kind with a word behind much else.
fn bodies(word: &str) -> [(&'static str, String); 5] {
    let items: Vec<String> = (0..FAR / 16).map(|at| format!("value {at:08}")).collect();
    let long = "words-".repeat(FAR / 600);
    let fields: String = (0..100).map(|at| format!("f{at}={long}&")).collect();
    let elements: String = (0..100).map(|at| format!("<i{at}>{long}</i{at}>")).collect();
    let part = |name: &str, value: &str| {
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    [
        ("application/json", json!({ "items": items, "last": word }).to_string()),
        ("application/x-www-form-urlencoded", format!("{fields}last={word}")),
        ("application/xml", format!("<a>{elements}<last>{word}</last></a>")),
        ("text/plain", format!("{} {word}", "words and more ".repeat(FAR / 15))),
        (
            "multipart/form-data; boundary=b",
            format!("{}{}--b--\r\n", part("first", &"words ".repeat(FAR / 6)), part("last", word)),
        ),
    ]
}

#[test]
fn attacks_far_into_a_body_are_refused() {
    let Some(setup) = Setup::new() else { return };
    std::fs::create_dir_all(setup.dir.join("waf")).unwrap();
    std::fs::write(setup.dir.join("waf/rules.conf"), RULES).unwrap();
    std::fs::write(setup.dir.join("far.yaml"), POLICY).unwrap();
    let mut arguments = vec!["compile", "-p", "far.yaml", "-k", "dev.key"];
    arguments.extend(["-o", "far.bundle", "-e", "1"]);
    setup.portcullis(&arguments);
    let upstream = Upstream::start().unwrap();
    let filter = setup.filter(&setup.dir.join("far.bundle"), json!({}));
    let envoy = setup.start(&upstream, &filter);
    let cuts = [1, 4 << 10, (128 << 10) - 1, 128 << 10, 150 << 10];
    for (attacked, word) in [(true, ATTACK), (false, "harmless")] {
        for (kind, content) in bodies(word) {
            assert!(content.len() > 150 << 10, "{kind}");
            let sized = Body::Sized(content.clone().into_bytes());
            let chunked =
                Body::Chunked { content: content.clone().into_bytes(), trailers: Vec::new() };
            for body in [sized, chunked] {
                let request = Request::new("POST", "/nowhere").header("content-type", kind);
                let answer = request.cut(&cuts).body(body).send(envoy.address()).unwrap();
                let reached = upstream.take();
                if attacked {
                    assert_eq!((answer.status, reached.len()), (403, 0), "{kind}");
                } else {
                    assert_eq!((answer.status, reached.len()), (200, 1), "{kind}");
                    assert!(reached[0].body == content.as_bytes(), "{kind}");
                }
            }
        }
    }
}
