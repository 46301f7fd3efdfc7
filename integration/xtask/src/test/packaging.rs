//! What others read of ours, read by their tools: the filter's image, Istio's manifests, alert rules.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{self, say};
use crate::test::Counts;
use crate::workspace::Workspace;
use crate::{build, debian};

/// The schemas of Istio's and Kubernetes' objects, and what reads YAML: npm packages, pinned.
const MODELS: [&str; 3] =
    ["@kubernetes-models/istio@3.0.1", "kubernetes-models@5.1.0", "yaml@2.9.1"];
const CHECK: &str = include_str!("manifests.mjs");

pub fn run(workspace: &Workspace) -> Result<Counts> {
    let mut counts = Counts::default();
    for (what, check) in [
        ("the filter's image", image as fn(&Workspace) -> Result<Option<String>>),
        ("Istio's manifests", manifests),
        ("alert rules", alerts),
    ] {
        counts.add(match check(workspace) {
            Ok(None) => Counts::success(),
            Ok(Some(missing)) => Counts::skip(format!("{what}: {missing}")),
            Err(error) => {
                println!("{what}: {error:#}");
                Counts::failure()
            }
        });
    }
    Ok(counts)
}

/// Packages the module in both forms and reads it back by skopeo, which must find the same digest and the same bytes.
fn image(workspace: &Workspace) -> Result<Option<String>> {
    if process::find("skopeo").is_none() && process::find("apt-get").is_none() {
        return Ok(Some("no `skopeo` on PATH, and no apt-get to fetch it with".to_owned()));
    }
    let skopeo = debian::obtain(workspace, &debian::SKOPEO)?;
    let compiler = build::compiler(workspace, "dev")?;
    let module = build::filter(workspace)?;
    let dir = workspace.target.join("packaging");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    for variant in ["compat", "artifact"] {
        let layout = dir.join(variant);
        let mut package = Command::new(&compiler);
        package.args(["package", "--variant", variant, "--tag", "1.2.3", "--wasm"]).arg(&module);
        let said = process::output(package.arg("--output").arg(&layout))?;
        let digest = said.lines().find_map(|line| line.strip_prefix("digest: "));
        let digest = digest.context("`package` prints no digest")?.trim();
        let reference = format!("oci:{}:1.2.3", layout.display());
        let tool = |arguments: &[&str]| {
            let mut command = skopeo.command();
            process::output(command.args(["--insecure-policy"]).args(arguments).arg(&reference))
        };
        let about: Value = serde_json::from_str(&tool(&["inspect"])?)?;
        if about["Digest"] != digest {
            bail!("skopeo finds {} in the {variant} image, not {digest}", about["Digest"]);
        }
        let copies: &[&str] = if variant == "compat" { &["oci", "v2s2"] } else { &["oci"] };
        for format in copies {
            let copy = dir.join(format!("{variant}-{format}"));
            let mut command = skopeo.command();
            command.args(["--insecure-policy", "copy", "--quiet", "--format", format]);
            process::output(command.arg(&reference).arg(format!("dir:{}", copy.display())))?;
            if pulled(&copy, variant)? != std::fs::read(&module)? {
                bail!("the {variant} image, copied as {format}, holds another module");
            }
        }
        say(format!("image {variant}: {digest}, read back by skopeo"));
    }
    Ok(None)
}

/// The module as Istio and Envoy Gateway take it out of an image: by the media types of its layers.
fn pulled(copy: &Path, variant: &str) -> Result<Vec<u8>> {
    let manifest: Value = serde_json::from_slice(&std::fs::read(copy.join("manifest.json"))?)?;
    let layers = manifest["layers"].as_array().context("the manifest has no layers")?;
    let wanted: &[&str] = match variant {
        "artifact" => &["application/vnd.module.wasm.content.layer.v1+wasm"],
        _ => &[
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ],
    };
    let layer = match variant {
        "artifact" if layers.len() != 2 => {
            bail!("an artifact has two layers, not {}", layers.len())
        }
        "artifact" => layers.iter().find(|it| wanted.iter().any(|media| it["mediaType"] == *media)),
        _ => layers.last().filter(|it| wanted.iter().any(|media| it["mediaType"] == *media)),
    };
    let layer = layer.with_context(|| format!("no layer of {}", wanted.join(" or ")))?;
    let digest = layer["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
    let blob = copy.join(digest.context("a layer has no digest")?);
    if variant == "artifact" {
        return Ok(std::fs::read(blob)?);
    }
    let mut tar = Command::new("tar");
    let output = tar.arg("-xzOf").arg(&blob).arg("plugin.wasm").output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// Holds the manifests to the CRD schemas of Istio and the schemas of Kubernetes.
fn manifests(workspace: &Workspace) -> Result<Option<String>> {
    let (Some(node), Some(npm)) = (process::find("node"), process::find("npm")) else {
        return Ok(Some("no `node` and `npm` on PATH".to_owned()));
    };
    let models = workspace.tools().join("kubernetes-models");
    if !models.join("complete").is_file() {
        std::fs::create_dir_all(&models)?;
        say(format!("fetching {} from npm", MODELS.join(", ")));
        let mut install = Command::new(npm);
        install.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ]);
        process::output(install.arg(&models).args(MODELS))?;
        std::fs::write(models.join("complete"), "")?;
    }
    let script = models.join("manifests.mjs");
    std::fs::write(&script, CHECK)?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(workspace.root.join("envoy-config/istio"))? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    if files.is_empty() {
        bail!("there are no manifests");
    }
    process::run(Command::new(node).arg(script).arg(&models).args(files))?;
    Ok(None)
}

/// Prometheus's own tool checks the rules and the scrape configuration, and runs the rules' tests.
fn alerts(workspace: &Workspace) -> Result<Option<String>> {
    if process::find("promtool").is_none() && process::find("apt-get").is_none() {
        return Ok(Some("no `promtool` on PATH, and no apt-get to fetch it with".to_owned()));
    }
    let promtool = debian::obtain(workspace, &debian::PROMTOOL)?;
    let dir = workspace.root.join("envoy-config/observability");
    for arguments in [
        &["check", "rules", "alerts.yaml"][..],
        &["test", "rules", "alerts.test.yaml"],
        &["check", "rules", "control-alerts.yaml"],
        &["test", "rules", "control-alerts.test.yaml"],
        &["check", "config", "scrape.yaml"],
    ] {
        process::run(promtool.command().current_dir(&dir).args(arguments))?;
    }
    Ok(None)
}
