//! `cargo xtask sbom`: what the products are made of, as CycloneDX 1.5 JSON, from Cargo.lock.
//!
//! The same lock gives the same bytes: no time, no random serial number.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process;
use crate::workspace::Workspace;

/// What is delivered. Development dependencies and tools of the build are no part of it.
const PRODUCTS: [&str; 2] = ["portcullis-filter", "policy-compiler"];

pub fn run(workspace: &Workspace) -> Result<()> {
    let mut command = process::cargo();
    command.current_dir(&workspace.root);
    command.args(["metadata", "--format-version", "1", "--locked", "--all-features"]);
    let metadata: Value = serde_json::from_str(&process::output(&mut command)?)?;
    let lock = std::fs::read_to_string(workspace.root.join("Cargo.lock"))?;
    let sbom = sbom(&metadata, &checksums(&lock))?;
    let path = workspace.target.join("sbom.json");
    std::fs::write(&path, format!("{sbom:#}\n"))?;
    let count = sbom["components"].as_array().map_or(0, Vec::len);
    println!("{}: {count} components", path.display());
    Ok(())
}

fn sbom(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let packages = by_id(metadata.get("packages"))?;
    let nodes = by_id(metadata.pointer("/resolve/nodes"))?;
    let roots: Vec<&str> = packages
        .iter()
        .filter(|(_, package)| PRODUCTS.iter().any(|name| package["name"] == *name))
        .map(|(id, _)| *id)
        .collect();
    let shipped = reachable(&roots, &nodes);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &shipped {
        let package = packages.get(id).context("a dependency without a package")?;
        components.push(component(package, checksums));
        let on: BTreeSet<String> = normal_dependencies(nodes.get(id))
            .filter_map(|id| packages.get(id).map(|package| reference(package)))
            .collect();
        dependencies.push(json!({ "ref": reference(package), "dependsOn": on }));
    }
    let key = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    components.sort_by_key(|component| key(component, "bom-ref"));
    dependencies.sort_by_key(|dependency| key(dependency, "ref"));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "name": "portcullis", "version": env!("CARGO_PKG_VERSION") },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

fn by_id(list: Option<&Value>) -> Result<BTreeMap<&str, &Value>> {
    let list = list.and_then(Value::as_array).context("cargo metadata lacks a list")?;
    Ok(list.iter().filter_map(|entry| Some((entry["id"].as_str()?, entry))).collect())
}

fn reachable<'a>(roots: &[&'a str], nodes: &BTreeMap<&'a str, &'a Value>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut left = roots.to_vec();
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            left.extend(normal_dependencies(nodes.get(id)));
        }
    }
    seen
}

/// The ids that a package is linked with: neither for its tests nor for its build script.
fn normal_dependencies<'a>(node: Option<&&'a Value>) -> impl Iterator<Item = &'a str> {
    let dependencies = node.and_then(|node| node["deps"].as_array());
    dependencies.into_iter().flatten().filter_map(|dependency| {
        let kinds = dependency["dep_kinds"].as_array()?;
        kinds.iter().any(|kind| kind["kind"].is_null()).then_some(dependency["pkg"].as_str()?)
    })
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": text("name"),
        "version": text("version"),
        "purl": reference(package),
    });
    if let Some(license) = package["license"].as_str() {
        // Old manifests part alternatives by a slash; SPDX says OR.
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    if let Some(sha256) = checksums.get(&(text("name"), text("version"))) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    }
    component
}

fn reference(package: &Value) -> String {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

/// The checksums of Cargo.lock by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |entry: &str, name: &str| {
        let (_, rest) = entry.split_once(&format!("\n{name} = \""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|entry| {
            let key = (field(entry, "name")?, field(entry, "version")?);
            Some((key, field(entry, "checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_listed() {
        let metadata = json!({
            "packages": [
                { "id": "f", "name": "portcullis-filter", "version": "1.0.0", "license": "Apache-2.0" },
                { "id": "a", "name": "a", "version": "0.1.0", "license": "MIT/Apache-2.0" },
                { "id": "t", "name": "test-only", "version": "2.0.0" },
            ],
            "resolve": { "nodes": [
                { "id": "f", "deps": [
                    { "pkg": "a", "dep_kinds": [{ "kind": null }, { "kind": "dev" }] },
                    { "pkg": "t", "dep_kinds": [{ "kind": "dev" }] },
                ] },
                { "id": "a", "deps": [] },
                { "id": "t", "deps": [] },
            ] },
        });
        let lock = "[[package]]\nname = \"a\"\nversion = \"0.1.0\"\nchecksum = \"ab12\"\n";
        let sbom = sbom(&metadata, &checksums(lock)).unwrap();
        let components = sbom["components"].as_array().unwrap();
        assert_eq!(components.len(), 2);
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[0]["hashes"][0]["content"], "ab12");
        assert_eq!(sbom["dependencies"][1]["dependsOn"][0], "pkg:cargo/a@0.1.0");
    }
}
