//! README.md's commands, as they stand there, in a directory whose name has a space.

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portcullis_integration::http1::Request;
use portcullis_integration::{Artefacts, Envoy, Upstream, artefacts, envoy};

/// The commands of the block that begins with `cargo xtask build`: comments off, continued lines joined.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(artefacts::root().join("README.md")).unwrap();
    let (_, block) = readme.split_once("```console\n$ cargo xtask build").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("$ "));
    lines.map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned()).collect()
}

fn run(dir: &Path, dist: &Path, command: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", dist.display()))
        .args(["-c", command])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{command}`: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_lead_from_a_document_to_a_gateway() {
    let Some(artefacts) = Artefacts::find() else { return };
    let dir = envoy::fresh_dir().unwrap().join("my gateway");
    std::fs::create_dir_all(dir.join("target/dist")).unwrap();
    let dist = artefacts.compiler.parent().unwrap();
    std::fs::copy(&artefacts.filter, dir.join("target/dist/portcullis_filter.wasm")).unwrap();
    std::fs::write(dir.join("openapi.yaml"), support::DOCUMENT).unwrap();
    let request =
        "POST /pay HTTP/1.1\nhost: h\ncontent-type: application/json\ncontent-length: 13\n\n";
    std::fs::write(dir.join("request.http"), format!("{request}{}", support::GOOD)).unwrap();
    let upstream = Upstream::start().unwrap();

    let (mut public_key, mut served, mut seen) = (String::new(), false, Vec::new());
    for command in commands() {
        let command = command
            .replace("PUBLIC_KEY", &public_key)
            .replace("127.0.0.1:9000", &upstream.address().to_string());
        assert!(!command.contains(":8080"), "`{command}`: Envoy itself listens there");
        seen.push(command.split(' ').take(2).collect::<Vec<_>>().join(" "));
        if command.starts_with("export PATH=") {
            continue;
        }
        if let Some(config) = command.strip_prefix("envoy -c ") {
            // As written: paths in it are relative to where Envoy is started.
            let mut check = Command::new(&artefacts.envoy);
            check.current_dir(&dir).args(["--mode", "validate", "-l", "error", "-c", config]);
            assert!(check.status().unwrap().success(), "{command}");
            serve(&artefacts, &dir, config, &upstream);
            served = true;
            continue;
        }
        let said = run(&dir, dist, &command);
        if let Some(key) = said.lines().find_map(|line| line.strip_prefix("public key: ")) {
            key.trim().clone_into(&mut public_key);
        }
    }
    assert!(served, "{seen:?}");
    for command in ["init", "keygen", "compile", "inspect", "explain", "render"] {
        assert!(seen.contains(&format!("portcullis {command}")), "{command}: {seen:?}");
    }
}

/// Starts Envoy on the configuration, on free ports: the starter policy watches and refuses nothing.
fn serve(artefacts: &Artefacts, dir: &Path, config: &str, upstream: &Upstream) {
    let text = std::fs::read_to_string(dir.join(config)).unwrap();
    let dist = dir.join("target/dist").display().to_string();
    let text = text.replace("filename: target/dist", &format!("filename: {dist}"));
    let ports = ["port_value: 8080", "port_value: 9901"];
    let text = ports.iter().fold(text, |text, port| text.replace(port, "port_value: 0"));
    let envoy = Envoy::start_text(&artefacts.envoy, &text, 1).unwrap();
    for (body, verdict) in [(support::GOOD, "allow"), (support::BAD, "monitor:body-invalid")] {
        let address = ([127, 0, 0, 1], envoy.address().port()).into();
        assert_eq!(Request::post_json("/pay", body).send(address).unwrap().status, 200);
        let logged = format!("\"portcullis\":\"{verdict}\"");
        let written = |envoy: &Envoy| envoy.log().contains(&logged);
        envoy.wait_until(&logged, Duration::from_secs(15), written).unwrap();
    }
    assert_eq!(upstream.take().len(), 2);
}
