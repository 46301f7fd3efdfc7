//! Bundles made by the policy compiler, as a user would make them.

use std::path::Path;

use policy_compiler::source::{FileSystem, Sources};
use policy_compiler::{CompileOutput, Input, Release, compile, diag};
use portcullis_bundle::{Bundle, Trust};

use crate::{Error, document};

/// The bundle of `documents/payments.yaml`.
pub fn of_benchmark_document() -> Result<Vec<u8>, Error> {
    of(&document::path())
}

/// The bundle of one document under the default settings, unsigned.
pub fn of(path: &Path) -> Result<Vec<u8>, Error> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sources = FileSystem { base: folder.to_path_buf() };
    compiled(&sources, &Input::Documents(vec![name]))
}

/// The same of a document with references that lead nowhere, which a policy allows.
pub fn of_unresolved(path: &Path) -> Result<Vec<u8>, Error> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let policy = serde_json::json!({
        "version": 1,
        "name": "bench",
        "strictness": { "unresolved_refs": "not_enforced" },
        "apis": [{ "name": "api", "documents": [name] }],
    });
    let sources =
        WithPolicy { files: FileSystem { base: folder.to_path_buf() }, policy: policy.to_string() };
    of_policy(&sources, WithPolicy::NAME)
}

/// Files, and a policy that is none.
struct WithPolicy {
    files: FileSystem,
    policy: String,
}

impl WithPolicy {
    const NAME: &str = "policy of the benchmark";
}

impl Sources for WithPolicy {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == Self::NAME {
            return Ok(self.policy.clone().into_bytes());
        }
        self.files.read(path)
    }
}

/// The bundle of a policy, unsigned.
pub fn of_policy(sources: &dyn Sources, policy: &str) -> Result<Vec<u8>, Error> {
    compiled(sources, &Input::Policy(policy.to_owned()))
}

fn compiled(sources: &dyn Sources, input: &Input) -> Result<Vec<u8>, Error> {
    let output = compile(sources, input, &Release::default());
    let CompileOutput { bundle, diagnostics, files, .. } = output;
    bundle.ok_or_else(|| Error::Bundle(diag::render_text(&diagnostics, &files, false)))
}

/// The schema program that judges the JSON body of `POST path`: an index into the bundle's schemas.
pub fn body_program(bundle: &[u8], path: &str) -> Result<u32, Error> {
    let trust = Trust { keys: Vec::new(), allow_unsigned: true };
    let bundle =
        Bundle::open(bundle.to_vec(), &trust).map_err(|error| Error::Bundle(error.to_string()))?;
    let view = bundle.view();
    let declared = view.operations.iter().find(|operation| {
        view.text(operation.method) == "POST" && view.text(operation.template) == path
    });
    declared
        .filter(|operation| operation.media_type_count.get() > 0)
        .and_then(|operation| view.media_types.get(operation.media_types.get() as usize))
        .map(|media_type| media_type.schema.get())
        .ok_or_else(|| Error::Bundle(format!("it has no body for POST {path}")))
}

/// A plugin configuration that carries the bundle, which is not signed.
pub fn plugin_configuration(bundle: &[u8]) -> String {
    let bundle = data_encoding::BASE64.encode(bundle);
    serde_json::json!({ "bundle": bundle, "allow_unsigned": true, "hold_headers": true })
        .to_string()
}
