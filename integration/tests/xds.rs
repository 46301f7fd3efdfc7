//! The bootstrap for xDS that is shipped, and its excerpts in CONTROL.md: as it stands, with what is the reader's put in.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use portcullis_integration::http1::Request;
use portcullis_integration::{Control, Envoy, Upstream, artefacts, envoy};
use support::certificates::Authority;
use support::{BAD, GOOD, Setup};

const LIMIT: Duration = Duration::from_secs(20);
const PAGE: &str = include_str!("../../policy-compiler/CONTROL.md");

fn shipped() -> String {
    std::fs::read_to_string(artefacts::root().join("envoy-config/envoy-xds.yaml")).unwrap()
}

#[test]
fn the_excerpts_of_the_page_stand_in_what_is_shipped() {
    let compact = |text: &str| text.split_whitespace().collect::<String>();
    let shipped = compact(&shipped());
    let excerpts: Vec<&str> = PAGE.split("```yaml\n").skip(1).collect();
    assert_eq!(excerpts.len(), 2);
    for excerpt in excerpts {
        let excerpt = excerpt.split("```").next().unwrap();
        assert!(shipped.contains(&compact(excerpt)), "{excerpt}");
    }
}

#[test]
fn what_is_shipped_gets_its_policy_from_a_service_that_knows_it() {
    let Some(setup) = Setup::new() else { return };
    let dir = envoy::fresh_dir().unwrap();
    let authority = Authority::new();
    let path = |name: &str| dir.join(name).display().to_string();
    std::fs::write(path("control-ca.pem"), authority.pem()).unwrap();
    for name in ["server", "gateway"] {
        let uri = format!("spiffe://bank.example/{name}");
        let (certificate, key) = authority.issue(&uri, [127, 0, 0, 1].into());
        std::fs::write(path(&format!("{name}.pem")), certificate).unwrap();
        std::fs::write(path(&format!("{name}.key")), key).unwrap();
    }
    let wasm = setup.artefacts.filter.display().to_string();
    let (ca, certificate, key) = (path("control-ca.pem"), path("server.pem"), path("server.key"));
    let options = ["--trusted-key", &setup.public_key, "--wasm", &wasm, "--identify-gateways"];
    let tls = ["--certificate", &certificate, "--private-key", &key, "--client-ca", &ca];
    let options = [&options[..], &tls].concat();
    let control = Control::start(&setup.artefacts.compiler, &dir, &options).unwrap();
    let known = std::fs::read_to_string(path("credentials")).unwrap();
    let line = "fleet gateway san:spiffe://bank.example/gateway\n";
    std::fs::write(path("credentials"), known + line).unwrap();

    let upstream = Upstream::start().unwrap();
    let port = |address: SocketAddr| format!("port_value: {}", address.port());
    let text = shipped()
        .replace("/etc/portcullis/portcullis_filter.wasm", &wasm)
        .replace("/etc/envoy/", &format!("{}/", dir.display()))
        .replace("port_value: 8080", "port_value: 0")
        .replace("port_value: 9901", "port_value: 0")
        .replace("port_value: 9000", &port(upstream.address()))
        .replace("address: control.bank.example", "address: 127.0.0.1")
        .replace("port_value: 18000", &port(control.address()))
        .replace("trusted_keys: []", &format!("trusted_keys: [{}]", setup.public_key));
    let envoy = Envoy::start_text(&setup.artefacts.envoy, &text, 1).unwrap();
    let status = |body: &str| {
        let address = SocketAddr::from(([127, 0, 0, 1], envoy.address().port()));
        Request::post_json("/pay", body).send(address).unwrap().status
    };
    assert_eq!(status(GOOD), 503, "nothing is published");

    let bundle = setup.compile("enforce", 1, "").display().to_string();
    let mut publish = std::process::Command::new(&setup.artefacts.compiler);
    let url = format!("https://{}", control.address());
    publish.args(["publish", &bundle, "--policy", "pay", "--to", &url, "--ca", &ca]);
    assert!(publish.env("PORTCULLIS_TOKEN", &control.publisher).status().unwrap().success());
    envoy.wait_until("the policy", LIMIT, |_| status(GOOD) == 200).unwrap();
    assert_eq!(status(BAD), 400);
}
