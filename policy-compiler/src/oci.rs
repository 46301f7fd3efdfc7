//! The wasm module as an OCI image layout, in the forms that Istio and Envoy Gateway pull.
//!
//! In: the module's bytes and a tag. Out: the files of the layout. Both pull by the Wasm Image Specification, which has
//! two forms for OCI manifests: *compat*, an ordinary image whose last layer (`tar+gzip`) holds `plugin.wasm`, which
//! every registry takes; and *artifact*, with the module itself as a layer of its own media type. Nothing of the time or
//! the machine goes in: the same module gives the same digest.

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use thiserror::Error;

/// The name under which both look for the module in a *compat* image.
pub const PLUGIN_FILE: &str = "plugin.wasm";

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const WASM_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
const WASM_CONTENT: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// The form of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// An ordinary image with `plugin.wasm` in its one layer: every registry and tool takes it
    #[default]
    Compat,
    /// The module as a layer of the wasm media type, for registries that take artifacts
    Artifact,
}

/// The files of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Path relative to the layout's directory, and content; `index.json`, which makes it one, is the last.
    pub files: Vec<(String, Vec<u8>)>,
    /// The manifest's digest, `sha256:` and 64 hexadecimal digits: what to pin when pulling.
    pub digest: String,
}

/// Why a file is not packaged.
#[derive(Debug, Error)]
pub enum OciError {
    /// It does not begin as wasm does.
    #[error("is not a wasm module")]
    NotWasm,
    /// It has no export by which a proxy knows its ABI.
    #[error("is a wasm module, but no proxy-wasm filter: it exports no `proxy_abi_version_…`")]
    NotProxyWasm,
    /// The tag cannot be one.
    #[error(
        "`{0}` is no tag: letters, digits, `_`, `.` and `-`, at most 128, and the first no `.` or `-`"
    )]
    Tag(String),
    /// Compression failed.
    #[error("cannot be compressed: {0}")]
    Compress(#[from] std::io::Error),
}

/// Packages a module.
///
/// # Errors
/// What is no proxy-wasm module, or a tag that registries refuse.
pub fn package(module: &[u8], variant: Variant, tag: &str) -> Result<Image, OciError> {
    check(module)?;
    if !is_tag(tag) {
        return Err(OciError::Tag(tag.to_owned()));
    }
    let mut blobs = Blobs::default();
    let (config, layers) = match variant {
        Variant::Compat => compat(module, &mut blobs)?,
        Variant::Artifact => artifact(module, &mut blobs),
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": layers,
        "annotations": {
            "module.wasm.image/variant": match variant {
                Variant::Compat => "compat",
                Variant::Artifact => "oci",
            },
            "org.opencontainers.image.title": "portcullis-filter",
            "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
            "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        },
    });
    let mut descriptor = blobs.add(MANIFEST, manifest.to_string().into_bytes());
    let digest = descriptor["digest"].as_str().unwrap_or_default().to_owned();
    descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] });
    let mut files = vec![("oci-layout".to_owned(), LAYOUT.as_bytes().to_vec())];
    files.append(&mut blobs.files);
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    Ok(Image { files, digest })
}

/// Content named by its hash.
#[derive(Default)]
struct Blobs {
    files: Vec<(String, Vec<u8>)>,
}

impl Blobs {
    /// Keeps the content and returns its descriptor.
    fn add(&mut self, media_type: &str, content: Vec<u8>) -> Value {
        let hash = sha256(&content);
        let descriptor = json!({
            "mediaType": media_type,
            "digest": format!("sha256:{hash}"),
            "size": content.len(),
        });
        self.files.push((format!("blobs/sha256/{hash}"), content));
        descriptor
    }
}

fn compat(module: &[u8], blobs: &mut Blobs) -> Result<(Value, Value), OciError> {
    let tar = archive(module)?;
    let diff = sha256(&tar);
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(&tar)?;
    let layer = blobs.add(TAR_GZIP, gzip.finish()?);
    // Wasm runs anywhere; the platform is the one that images `FROM scratch` are given, for tools that ask.
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
    });
    Ok((blobs.add(IMAGE_CONFIG, config.to_string().into_bytes()), json!([layer])))
}

fn artifact(module: &[u8], blobs: &mut Blobs) -> (Value, Value) {
    let about = json!({
        "type": "envoy_proxy",
        "abiVersions": [],
        "name": "portcullis-filter",
        "version": env!("CARGO_PKG_VERSION"),
    });
    let about = about.to_string().into_bytes();
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } });
    let config = blobs.add(IMAGE_CONFIG, config.to_string().into_bytes());
    // Istio and Envoy Gateway want exactly these two layers.
    let layers = [blobs.add(WASM_CONFIG, about), blobs.add(WASM_CONTENT, module.to_vec())];
    (config, json!(layers))
}

/// A tar archive of the module alone, owned by root, of no time.
fn archive(module: &[u8]) -> Result<Vec<u8>, std::io::Error> {
    let mut header = tar::Header::new_ustar();
    header.set_size(module.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, PLUGIN_FILE, module)?;
    archive.into_inner()
}

fn check(module: &[u8]) -> Result<(), OciError> {
    if !module.starts_with(b"\0asm\x01\0\0\0") {
        return Err(OciError::NotWasm);
    }
    let mark = b"proxy_abi_version_";
    let found = module.windows(mark.len()).any(|window| window == mark);
    found.then_some(()).ok_or(OciError::NotProxyWasm)
}

/// OCI distribution specification, *Pulling manifests*: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{OciError, PLUGIN_FILE, Variant, package, sha256};
    use flate2::read::GzDecoder;
    use serde_json::Value;
    use std::io::Read;

    /// As little as the check asks for.
    fn module() -> Vec<u8> {
        [b"\0asm\x01\0\0\0".as_slice(), b"proxy_abi_version_0_2_1", &[7; 5000]].concat()
    }

    fn blob<'a>(files: &'a [(String, Vec<u8>)], descriptor: &Value) -> &'a [u8] {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let (_, content) = files.iter().find(|(name, _)| name.ends_with(digest)).unwrap();
        assert_eq!(sha256(content), digest);
        assert_eq!(descriptor["size"], content.len());
        content
    }

    fn manifest(variant: Variant) -> (Vec<(String, Vec<u8>)>, Value) {
        let image = package(&module(), variant, "0.1.0").unwrap();
        let (last, index) = image.files.last().unwrap();
        assert_eq!(last, "index.json");
        let index: Value = serde_json::from_slice(index).unwrap();
        let descriptor = &index["manifests"][0];
        assert_eq!(descriptor["digest"], image.digest);
        assert_eq!(descriptor["annotations"]["org.opencontainers.image.ref.name"], "0.1.0");
        let manifest = serde_json::from_slice(blob(&image.files, descriptor)).unwrap();
        (image.files, manifest)
    }

    #[test]
    fn a_compat_image_holds_the_module_in_its_last_layer() {
        let (files, manifest) = manifest(Variant::Compat);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1);
        assert_eq!(layers[0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        let mut tar = Vec::new();
        GzDecoder::new(blob(&files, &layers[0])).read_to_end(&mut tar).unwrap();
        let config: Value = serde_json::from_slice(blob(&files, &manifest["config"])).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&tar)));
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some(PLUGIN_FILE));
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(content, module());
    }

    #[test]
    fn an_artifact_has_two_layers_one_of_them_the_module() {
        let (files, manifest) = manifest(Variant::Artifact);
        let layers = manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2);
        assert_eq!(layers[1]["mediaType"], "application/vnd.module.wasm.content.layer.v1+wasm");
        assert_eq!(blob(&files, &layers[1]), module());
        let about: Value = serde_json::from_slice(blob(&files, &layers[0])).unwrap();
        assert_eq!(about["type"], "envoy_proxy");
    }

    #[test]
    fn the_same_module_gives_the_same_bytes() {
        for variant in [Variant::Compat, Variant::Artifact] {
            assert_eq!(
                package(&module(), variant, "a").unwrap(),
                package(&module(), variant, "a").unwrap()
            );
        }
    }

    #[test]
    fn what_no_proxy_would_load_is_refused() {
        let refused = |bytes: &[u8], tag| package(bytes, Variant::Compat, tag).unwrap_err();
        assert!(matches!(refused(b"PORTCLIS", "a"), OciError::NotWasm));
        assert!(matches!(refused(b"\0asm\x01\0\0\0", "a"), OciError::NotProxyWasm));
        for tag in ["", ".a", "a b", "a/b", &"a".repeat(129)] {
            assert!(matches!(refused(&module(), tag), OciError::Tag(_)), "{tag}");
        }
    }
}
