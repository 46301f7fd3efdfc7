//! Suites of cases: one file each, compiled into one bundle.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_cases::Case;
use serde::Deserialize;

use crate::artefacts;
use crate::error::Error;

/// A file of cases that share a policy.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file's name without its extension.
    pub name: String,
    /// The policy: a file.
    pub policy: PathBuf,
    /// The cases in order.
    pub cases: Vec<Case>,
    /// Worker threads of the Envoy that they go through.
    pub workers: u32,
}

/// A suite and its bundle.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The suite.
    pub suite: Suite,
    /// The bundle's file.
    pub bundle: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The policy's text, or its path relative to this file.
    policy: String,
    /// Documents by the path that the policy names them with.
    #[serde(default)]
    documents: BTreeMap<String, String>,
    #[serde(default = "one")]
    workers: u32,
    requests: Vec<Case>,
}

fn one() -> u32 {
    1
}

/// Every suite of the project: integration/cases/*.yaml, and the demo's tour.
pub fn all() -> Result<Vec<Suite>, Error> {
    let dir = artefacts::root().join("integration/cases");
    let mut paths: Vec<PathBuf> = fs::read_dir(&dir)
        .map_err(Error::io(dir.display().to_string()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths.push(artefacts::root().join("envoy-config/demo/tour.yaml"));
    paths.iter().map(|path| Suite::read(path)).collect()
}

impl Suite {
    /// Reads a file. A policy and documents that it holds are written out under target/cases.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(Error::io(&shown))?;
        let file: File = serde_saphyr::from_str(&text)
            .map_err(|error| Error::Case(format!("{shown}: {error}")))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let policy = if file.policy.contains('\n') {
            let dir = artefacts::target().join("cases/sources").join(&name);
            for (document, text) in &file.documents {
                write(&dir.join(document), text)?;
            }
            let policy = dir.join("policy.yaml");
            write(&policy, &file.policy)?;
            policy
        } else {
            path.with_file_name(&file.policy)
        };
        Ok(Self { name, policy, cases: file.requests, workers: file.workers })
    }

    /// Compiles the policy, unsigned, into a directory.
    pub fn compile(self, compiler: &Path, into: &Path) -> Result<Compiled, Error> {
        fs::create_dir_all(into).map_err(Error::io(into.display().to_string()))?;
        let bundle = into.join(format!("{}.bundle", self.name));
        let output = Command::new(compiler)
            .arg("compile")
            .arg("--policy")
            .arg(&self.policy)
            .arg("--unsigned")
            .arg("-o")
            .arg(&bundle)
            .output()
            .map_err(Error::io(compiler.display().to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Case(format!("{}: {said}", self.policy.display())));
        }
        Ok(Compiled { suite: self, bundle })
    }
}

impl Compiled {
    /// Writes the cases as JSON beside the bundle, for the tests in wasm.
    pub fn write_cases(&self) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(&self.suite.cases)
            .map_err(|error| Error::Case(error.to_string()))?;
        write(&self.bundle.with_extension("json"), &text)
    }

    /// The bundle's bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        fs::read(&self.bundle).map_err(Error::io(self.bundle.display().to_string()))
    }
}

/// Writes only what changed, so that nothing is built again for it.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(Error::io(dir.display().to_string()))?;
    }
    fs::write(path, text).map_err(Error::io(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_suite_can_be_read_and_names_its_cases_once() {
        let suites = all().unwrap_or_else(|error| panic!("{error}"));
        assert!(suites.len() > 30);
        for suite in suites {
            let names: BTreeSet<&str> = suite.cases.iter().map(|case| case.name.as_str()).collect();
            assert_eq!(names.len(), suite.cases.len(), "{}", suite.name);
            for case in &suite.cases {
                // Panics on a body that is written wrong.
                let length = case.request.content().map_or(0, |content| content.len());
                let last = case.request.cuts.last().copied().unwrap_or_default();
                assert!(last <= length, "{}: {}: a cut behind the end", suite.name, case.name);
            }
        }
    }
}
