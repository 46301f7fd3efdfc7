//! `portcullis render envoy`: Envoy's configuration for a bundle.
//!
//! In: a bundle, and where things are. Out: files, and what their reader should know. The files are those of
//! `envoy-config/` with the values put in, so that what is shipped and tested is what is written.

use super::istio::LARGEST_INLINE;
use super::render_service as service;
use clap::Args;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use portcullis_bundle::layout::{CallerKind, Mode, View};
use portcullis_bundle::{Bundle, OpenError, Trust};
use portcullis_ecds::files::{Readers, make_folder, replace};
use portcullis_ecds::{Configuration, Filter};
use serde_json::json;
use std::path::{Path, PathBuf};
use thiserror::Error;

mod polling;
mod replaced;
mod sense;

pub use polling::Polling;
pub(super) use sense::minimum_epoch;

const BOOTSTRAP: &str = include_str!("../../../envoy-config/envoy.yaml");
const STATIC: &str = include_str!("../../../envoy-config/envoy-static.yaml");
const RESOURCE: &str = include_str!("../../../envoy-config/filter/portcullis.yaml");

/// The files written, relative to the output directory.
const BOOTSTRAP_FILE: &str = "envoy.yaml";
const RESOURCE_FILE: &str = "filter/portcullis.pb";
const RESOURCE_TEXT: &str = "filter/portcullis.yaml";

// Where values go in the templates.
const WASM: &str = "filename: /etc/portcullis/portcullis_filter.wasm";
const TRUST: &str = "trusted_keys: []\n      allow_unsigned: false\n";
const EMPTY: &str = "{ '@type': type.googleapis.com/google.protobuf.BytesValue, value: \"\" }";

/// Envoy's own default of `per_connection_buffer_limit_bytes`.
const LEAST_BUFFER: u64 = 1 << 20;
/// What a buffer holds besides the largest body.
const BUFFER_SLACK: u64 = 64 << 10;

/// What to write, and where.
#[derive(Args, Clone, Debug)]
pub struct RenderEnvoy {
    /// The bundle to serve
    #[arg(long, value_name = "FILE")]
    pub bundle: PathBuf,
    /// The wasm filter, as Envoy is going to find it
    #[arg(long, value_name = "PATH")]
    pub wasm: String,
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The directory as Envoy is going to find it, where that differs (a container)
    #[arg(long, value_name = "PATH")]
    pub mounted_at: Option<String>,
    /// A public key that bundles are trusted by, in hexadecimal; may be repeated
    #[arg(long = "trusted-key", value_name = "HEX")]
    pub trusted_keys: Vec<String>,
    /// Trust bundles without a signature: for development
    #[arg(long)]
    pub allow_unsigned: bool,
    /// The least epoch that the gateway takes, also after a restart
    #[arg(long, value_name = "N")]
    pub minimum_epoch: Option<u64>,
    /// The upstream
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    pub upstream: String,
    /// Where Envoy listens
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:8080")]
    pub listen: String,
    /// Where Envoy's admin interface listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9901")]
    pub admin: String,
    /// The rate-limit service that the policy's `limit_service` names the cluster of
    #[arg(long, value_name = "HOST:PORT")]
    pub limit_service: Option<String>,
    /// Suspend refusals until then (RFC 3339, UTC); the bundle must permit it
    #[arg(long, value_name = "TIME")]
    pub force_monitor_until: Option<String>,
    /// One file that holds the bundle too: a new bundle then needs a restart
    #[arg(long = "static")]
    pub is_static: bool,
    /// The filter's configuration as YAML, to be read by people; Envoy reads it slower
    #[arg(long = "text", conflicts_with = "is_static")]
    pub is_text: bool,
    /// Replace a file of a higher epoch too: gateways that run refuse what is older, those that start anew serve it
    #[arg(long)]
    pub allow_older: bool,
    /// Where newer bundles are fetched from, where the filter polls
    #[command(flatten)]
    pub polling: Polling,
}

/// Why nothing is written.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The bundle file cannot be read.
    #[error("`{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file that Envoy watches has a newer bundle.
    #[error(
        "`{}` has epoch {newer}, above {epoch}: gateways that run refuse a lower one, and those that start anew would serve it; \
         compile the older policy under a higher `--epoch`, or replace the file all the same by `--allow-older`",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its epoch.
        newer: u64,
        /// That of the bundle.
        epoch: u64,
    },
    /// A gateway with these keys would refuse the bundle.
    #[error("a gateway configured so would refuse the bundle: {source}{help}")]
    Bundle {
        /// What the reader says.
        source: OpenError,
        /// What to do about it.
        help: &'static str,
    },
    /// The bundle does not go into a Kubernetes object.
    #[error(
        "a bundle of {size} bytes does not go into a Kubernetes object ({limit} at most): let the filter poll it (`--poll`), \
         serve it over xDS (`portcullis serve`), or mount it as a volume (envoy-config/istio/README.md)"
    )]
    TooLarge {
        /// The bundle's bytes.
        size: usize,
        /// The most that goes in.
        limit: usize,
    },
    /// An argument has not the form that it should.
    #[error("`{argument} {value}`: {what}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// The files of a configuration, and notes for the one who runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Path relative to the output directory, and content.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// What to know before running it, in plain sentences.
    pub notes: Vec<String>,
}

/// Renders and writes a configuration. The file that Envoy watches is renamed into place, last.
///
/// # Errors
/// What cannot be read, rendered or written, or a newer bundle that is there; nothing is written where rendering fails.
pub fn run(options: &RenderEnvoy) -> Result<Rendered, RenderError> {
    let bytes = std::fs::read(&options.bundle)
        .map_err(|source| RenderError::Read { path: options.bundle.clone(), source })?;
    replaced::check(options, render(options, bytes)?)?.written_to(&options.out)
}

impl Rendered {
    /// Writes the files below a directory, in order.
    pub(super) fn written_to(self, out: &Path) -> Result<Rendered, RenderError> {
        for (name, content) in &self.files {
            write(&out.join(name), content)?;
        }
        Ok(self)
    }
}

/// Renders a configuration for the bytes of a bundle: the same input gives the same bytes.
///
/// # Errors
/// Arguments that make no sense, or a bundle that the configuration's own trust refuses.
pub fn render(options: &RenderEnvoy, bytes: Vec<u8>) -> Result<Rendered, RenderError> {
    let bundle = Bundle::open(bytes, &trust(options)?).map_err(refused)?;
    sense::check(options, &bundle)?;
    let polls = options.polling.is_on();
    let template = match options.is_static {
        _ if polls => polling::TEMPLATE,
        true => STATIC,
        false => BOOTSTRAP,
    };
    let mut bootstrap = Template(template.to_owned())
        .without_heading("render envoy")
        .set(TRUST, &node_trust(options, &bundle))
        .set(
            "xff_num_trusted_hops: 0",
            &format!("xff_num_trusted_hops: {}", trusted_hops(&bundle.view())),
        )
        .set("bytes: 1114112", &format!("bytes: {}", buffer_limit(&bundle.view())))
        .set(WASM, &format!("filename: {}", quote(&wasm(options))))
        .set(
            "{ address: 127.0.0.1, port_value: 9901 }",
            &address("--admin", &options.admin)?.flow(),
        )
        .set(
            "{ address: 0.0.0.0, port_value: 8080 }",
            &address("--listen", &options.listen)?.flow(),
        )
        .set(
            "{ address: 127.0.0.1, port_value: 9000 }",
            &address("--upstream", &options.upstream)?.flow(),
        );
    bootstrap.0.push_str(&service::cluster(&bundle.view(), options.limit_service.as_deref())?);
    let mut files = Vec::new();
    if polls {
        bootstrap = options.polling.rendered(bootstrap, &bundle, forced_until(options))?;
    } else if options.is_static {
        bootstrap = bootstrap.set(EMPTY, &configuration(options, &bundle));
    } else {
        let dir = options.mounted_at.clone().unwrap_or_else(|| absolute(&options.out));
        let dir = format!("{}/filter", dir.trim_end_matches('/'));
        let (name, content) = resource(options, &bundle);
        let file = quote(&format!("{dir}/{}", name.trim_start_matches("filter/")));
        bootstrap = bootstrap
            .set("path: /etc/portcullis/filter/portcullis.yaml", &format!("path: {file}"))
            .set("path: /etc/portcullis/filter }", &format!("path: {} }}", quote(&dir)));
        files.push((name, content));
    }
    files.insert(0, (BOOTSTRAP_FILE, bootstrap.0.into_bytes()));
    Ok(Rendered { files, notes: notes(options, &bundle) })
}

/// The file that Envoy watches: in binary, which it reads ten times as fast as text, or as YAML for people.
fn resource(options: &RenderEnvoy, bundle: &Bundle) -> (&'static str, Vec<u8>) {
    let (wasm, version) = (wasm(options), bundle.content_hash());
    if options.is_text {
        let text = Template(RESOURCE.to_owned())
            .without_heading("render envoy")
            .set("version_info: none", &format!("version_info: {}", quote(&version)))
            .set(WASM, &format!("filename: {}", quote(&wasm)))
            .set(EMPTY, &configuration(options, bundle));
        return (RESOURCE_TEXT, text.0.into_bytes());
    }
    let json = forced_until(options).map(|until| forced(bundle, until));
    let configuration = match &json {
        Some(json) => Configuration::Json(json),
        None => Configuration::Bundle(bundle.as_bytes()),
    };
    let resource = portcullis_ecds::resource(&Filter::new(wasm), configuration);
    (RESOURCE_FILE, portcullis_ecds::file(&version, resource))
}

fn forced_until(options: &RenderEnvoy) -> Option<&str> {
    options.force_monitor_until.as_deref()
}

/// The JSON that says more than the bundle.
fn forced(bundle: &Bundle, until: &str) -> String {
    json!({ "bundle": BASE64.encode(bundle.as_bytes()), "force_monitor_until": until }).to_string()
}

/// Text with places that values go to.
pub(super) struct Template(pub(super) String);

impl Template {
    /// Puts a value wherever a text stands; the templates' tests know that it stands there.
    pub(super) fn set(self, from: &str, to: &str) -> Template {
        debug_assert!(self.0.contains(from), "the template has no `{from}`");
        Template(self.0.replace(from, to))
    }

    /// The same where the text may have been cut off.
    pub(super) fn set_if_there(self, from: &str, to: &str) -> Template {
        Template(self.0.replace(from, to))
    }

    /// Leaves out everything from the line that begins so.
    pub(super) fn cut(mut self, from: &str) -> Template {
        let at = self.0.find(from);
        debug_assert!(at.is_some(), "the template has no `{from}`");
        self.0.truncate(at.unwrap_or(self.0.len()));
        self
    }

    /// Replaces the comment at the top, which speaks of the template.
    pub(super) fn without_heading(self, command: &str) -> Template {
        let mut rest = self.0.as_str();
        while rest.starts_with('#') || rest.starts_with('\n') {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        }
        Template(format!("# Written by `portcullis {command}`.\n{rest}"))
    }
}

/// An address and a port.
pub(super) struct SocketAddress<'a> {
    host: &'a str,
    port: u16,
}

impl SocketAddress<'_> {
    pub(super) fn flow(&self) -> String {
        format!("{{ address: {}, port_value: {} }}", quote(self.host), self.port)
    }
}

pub(super) fn address<'a>(
    argument: &'static str,
    value: &'a str,
) -> Result<SocketAddress<'a>, RenderError> {
    let parsed = value.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok()?;
        (!host.is_empty()).then_some(SocketAddress { host, port })
    });
    parsed.ok_or_else(|| RenderError::Argument {
        argument,
        value: value.to_owned(),
        what: "is not a host and a port, such as `127.0.0.1:8080`",
    })
}

fn trust(options: &RenderEnvoy) -> Result<Trust, RenderError> {
    trust_of(&options.trusted_keys, options.allow_unsigned)
}

/// What a gateway with these keys trusts.
pub(super) fn trust_of(keys: &[String], allow_unsigned: bool) -> Result<Trust, RenderError> {
    let keys = keys.iter().map(|key| {
        let bytes = HEXLOWER_PERMISSIVE.decode(key.as_bytes()).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| RenderError::Argument {
            argument: "--trusted-key",
            value: key.clone(),
            what: "is not an ed25519 public key of 64 hexadecimal digits",
        })
    });
    Ok(Trust { keys: keys.collect::<Result<_, _>>()?, allow_unsigned })
}

pub(super) fn refused(source: OpenError) -> RenderError {
    let help = match source {
        OpenError::Unsigned => "; for development, `--allow-unsigned` takes it",
        OpenError::UnknownKey { .. } => "; name the key by `--trusted-key`",
        _ => "",
    };
    RenderError::Bundle { source, help }
}

/// What the node's metadata says of trust, in place of [`TRUST`].
fn node_trust(options: &RenderEnvoy, bundle: &Bundle) -> String {
    let keys: Vec<String> =
        options.trusted_keys.iter().map(|key| quote(&key.to_lowercase())).collect();
    let mut text = format!(
        "trusted_keys: [{}]\n      allow_unsigned: {}\n",
        keys.join(", "),
        options.allow_unsigned
    );
    if let Some(epoch) = options.minimum_epoch {
        // As text: metadata keeps numbers as f64, and epochs are larger.
        text.push_str(&format!("      minimum_epoch: '{epoch}'\n"));
    }
    if !bundle.audience().is_empty() {
        text.push_str(&format!("      audience: {}\n", quote(bundle.audience())));
    }
    text
}

/// The plugin configuration: the bare bundle, or JSON where there is more to say.
fn configuration(options: &RenderEnvoy, bundle: &Bundle) -> String {
    let (kind, value) = match &options.force_monitor_until {
        None => ("BytesValue", BASE64.encode(bundle.as_bytes())),
        Some(until) => ("StringValue", forced(bundle, until).replace('\'', "''")),
    };
    format!("{{ '@type': type.googleapis.com/google.protobuf.{kind}, value: '{value}' }}")
}

/// Bytes that Envoy must be able to hold: the largest body that any operation admits, and some more.
pub(super) fn buffer_limit(view: &View<'_>) -> u64 {
    let largest = view.operations.iter().map(|operation| operation.limits.max_bytes.get()).max();
    (u64::from(largest.unwrap_or(0)) + BUFFER_SLACK).max(LEAST_BUFFER)
}

/// What Envoy's own settings decide, as far as this bundle and these options depend on them.
fn notes(options: &RenderEnvoy, bundle: &Bundle) -> Vec<String> {
    let view = bundle.view();
    let mut notes = vec![format!(
        "bodies are held up to {} bytes by `per_connection_buffer_limit_bytes`; keep it there when the policy's \
         limits grow: Envoy itself answers 413 to what it cannot hold",
        buffer_limit(&view)
    )];
    notes.extend(trust_note(bundle, options.allow_unsigned));
    if options.polling.is_on() {
        notes.extend(options.polling.notes());
    } else if options.is_static {
        notes.push("the bundle stands in the bootstrap: a new one needs a restart".to_owned());
    } else {
        notes.push(format!(
            "to update, render again to the same directory: `{}` is renamed into place, and only a rename is noticed",
            if options.is_text { RESOURCE_TEXT } else { RESOURCE_FILE }
        ));
    }
    if bundle.as_bytes().len() > LARGEST_INLINE && !options.polling.is_on() {
        notes.push(format!(
            "the bundle has {} KiB, too much for a ConfigMap or the `pluginConfig` of a WasmPlugin: let the filter \
             poll (`source`), serve it by xDS, or mount a volume; as text (`--text`, `--static`) Envoy takes seconds to \
             read it",
            bundle.as_bytes().len() >> 10
        ));
    }
    notes.extend(monitor_note(&view));
    if let Some(until) = &options.force_monitor_until {
        let permitted = view.policy.first().is_some_and(|policy| policy.break_glass == 1);
        notes.push(if permitted {
            format!("break-glass: nothing is refused until {until}")
        } else {
            "the bundle does not permit break-glass: `force_monitor_until` will have no effect"
                .to_owned()
        });
    }
    let hops = trusted_hops(&view);
    if hops == 0 {
        notes.push(
            "behind another proxy, set `xff_num_trusted_hops`: the client's address is the connection's".to_owned(),
        );
    }
    notes.extend(caller_notes(&view, hops));
    notes.extend(service::note(&view, options.limit_service.as_deref()));
    notes
}

/// What any gateway that is to serve this bundle should know of it.
pub(super) fn bundle_notes(bundle: &Bundle, allow_unsigned: bool) -> Vec<String> {
    trust_note(bundle, allow_unsigned).into_iter().chain(monitor_note(&bundle.view())).collect()
}

fn trust_note(bundle: &Bundle, allow_unsigned: bool) -> Option<String> {
    let note = match (bundle.is_signed(), allow_unsigned) {
        (true, false) => return None,
        (true, true) => {
            "`allow_unsigned` is on although the bundle is signed: anybody who can write the configuration can replace the \
             policy"
        }
        (false, _) => {
            "the bundle is not signed: anybody who can write the configuration can replace the policy"
        }
    };
    Some(note.to_owned())
}

fn monitor_note(view: &View<'_>) -> Option<String> {
    let monitored = view.operations.iter().filter(|it| it.mode == Mode::Monitor.code()).count();
    let of = view.operations.len();
    (monitored > 0).then(|| {
        format!(
            "{monitored} of {of} operations only monitor: what they would refuse is logged and passes"
        )
    })
}

/// Proxies in front of the gateway that name the client's address, as the policy says.
fn trusted_hops(view: &View<'_>) -> u8 {
    view.limit_tables.first().map_or(0, |table| table.trusted_hops)
}

/// What limits on callers need of the rest of the configuration.
fn caller_notes(view: &View<'_>, hops: u8) -> Vec<String> {
    let of = |kind: CallerKind| view.caller_sources.iter().filter(move |it| it.kind == kind.code());
    let mut notes = Vec::new();
    if of(CallerKind::Address).next().is_some() {
        notes.push(format!(
            "limits count clients by address: without `use_remote_address: true`, or with another \
             `xff_num_trusted_hops` than {hops}, clients choose it themselves; \
             `portcullis.limit.address-untrusted` tells"
        ));
    }
    let mut payloads: Vec<&str> = Vec::new();
    let mut certificates = false;
    for source in of(CallerKind::Property) {
        let mut steps = view.text(source.name).split('\0');
        match steps.next() {
            Some("connection") => certificates = true,
            _ => payloads.extend(steps.nth(2)),
        }
    }
    payloads.sort_unstable();
    payloads.dedup();
    if !payloads.is_empty() {
        notes.push(format!(
            "limits count callers by claims: put `jwt_authn` in front of the filter, with `payload_in_metadata: {}`",
            payloads.join("`, `")
        ));
    }
    if certificates {
        notes.push(
            "limits count callers by certificate: the listener must ask for one (`require_client_certificate`)"
                .to_owned(),
        );
    }
    notes
}

/// YAML's single-quoted form, which takes any text of one line.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The module as Envoy finds it: a file of this machine wherever Envoy is started, unless the
/// configuration goes to another one.
fn wasm(options: &RenderEnvoy) -> String {
    let path = Path::new(&options.wasm);
    if options.mounted_at.is_none() && path.is_file() {
        absolute(path)
    } else {
        options.wasm.clone()
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

/// Writes for Envoy, which may be another user: beside, and renamed, so that it sees the old file or the new one.
fn write(path: &Path, content: &[u8]) -> Result<(), RenderError> {
    let failed = |source| RenderError::Write { path: path.to_path_buf(), source };
    let dir = path.parent().unwrap_or(Path::new("."));
    make_folder(dir, Readers::All).map_err(failed)?;
    // Beside the watched directory: what is made in it wakes Envoy, which then reads what it has already.
    let beside = dir.parent().filter(|_| dir.ends_with("filter")).unwrap_or(dir);
    replace(path, beside, content, Readers::All).map(drop).map_err(failed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Polling, RenderEnvoy, RenderError, Rendered, render};
    use portcullis_bundle::layout::{
        NONE, Node, Policy, SCHEMA_ACCEPTS_ALL, Schema, Sections, TYPE_ALL,
    };
    use portcullis_bundle::{Identity, sign, write};
    use zerocopy::FromZeros;

    pub(in crate::cli) const KEY: &str =
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";

    pub(in crate::cli) fn bundle(signed: bool) -> Vec<u8> {
        made(signed, "it's")
    }

    /// A signed bundle; the text makes its content another.
    pub(super) fn bundle_of_epoch(epoch: u64, text: &str) -> Vec<u8> {
        let sections = Sections { strings: text.into(), ..sections() };
        let mut bundle = write(&sections, &Identity { epoch, ..Identity::default() }).unwrap();
        sign(&mut bundle, &[7; 32]).unwrap();
        bundle
    }

    /// A signed bundle of more bytes than the text has.
    pub(in crate::cli) fn bundle_with_text(bytes: usize) -> Vec<u8> {
        let sections = Sections { strings: vec![b'a'; bytes], ..sections() };
        let mut bundle = write(&sections, &Identity { epoch: 3, ..Identity::default() }).unwrap();
        sign(&mut bundle, &[7; 32]).unwrap();
        bundle
    }

    fn sections() -> Sections {
        let mut node = Node::new_zeroed();
        (node.wildcard, node.api) = (NONE.into(), NONE.into());
        let none = NONE.into();
        let any = Schema {
            types: TYPE_ALL,
            flags: SCHEMA_ACCEPTS_ALL,
            string: none,
            number: none,
            array: none,
            object: none,
            literals: none,
            origin: none,
            ..Schema::new_zeroed()
        };
        Sections {
            policy: vec![Policy::new_zeroed()],
            nodes: vec![node],
            schemas: vec![any, Schema { types: 0, flags: 0, ..any }],
            ..Sections::default()
        }
    }

    fn made(signed: bool, audience: &str) -> Vec<u8> {
        let identity = Identity { epoch: 3, audience: audience.into(), ..Identity::default() };
        let mut bytes = write(&sections(), &identity).unwrap();
        if signed {
            sign(&mut bytes, &[7; 32]).unwrap();
        }
        bytes
    }

    pub(in crate::cli) fn options() -> RenderEnvoy {
        RenderEnvoy {
            bundle: "policy.bundle".into(),
            wasm: "/opt/filter.wasm".to_owned(),
            out: "/tmp/gateway".into(),
            mounted_at: None,
            trusted_keys: vec![KEY.to_owned()],
            allow_unsigned: false,
            minimum_epoch: None,
            upstream: "bank.internal:9443".to_owned(),
            listen: "[::]:8081".to_owned(),
            admin: "127.0.0.1:9902".to_owned(),
            limit_service: None,
            force_monitor_until: None,
            is_static: false,
            is_text: false,
            allow_older: false,
            polling: Polling::default(),
        }
    }

    pub(in crate::cli) fn text<'a>(rendered: &'a Rendered, name: &str) -> &'a str {
        std::str::from_utf8(content(rendered, name)).unwrap()
    }

    fn content<'a>(rendered: &'a Rendered, name: &str) -> &'a [u8] {
        &rendered.files.iter().find(|(known, _)| *known == name).unwrap().1
    }

    #[test]
    fn values_stand_in_the_files() {
        let options = || RenderEnvoy { minimum_epoch: Some(3), ..options() };
        let rendered = render(&options(), bundle(true)).unwrap();
        let bootstrap = text(&rendered, "envoy.yaml");
        for expected in [
            &format!("trusted_keys: ['{KEY}']"),
            "minimum_epoch: '3'",
            "audience: 'it''s'",
            "address: '::', port_value: 8081",
            "address: '127.0.0.1', port_value: 9902",
            "address: 'bank.internal', port_value: 9443",
            "path: '/tmp/gateway/filter/portcullis.pb'",
            "watched_directory: { path: '/tmp/gateway/filter' }",
            "filename: '/opt/filter.wasm'",
            "per_connection_buffer_limit_bytes: 1048576",
        ] {
            assert!(bootstrap.contains(expected), "{expected}\n{bootstrap}");
        }
        assert!(!bootstrap.contains("/etc/portcullis"), "{bootstrap}");
        let bytes = bundle(true);
        let read = portcullis_ecds::read(content(&rendered, "filter/portcullis.pb")).unwrap();
        assert_eq!(read.configuration, portcullis_ecds::Configuration::Bundle(&bytes));
        assert_eq!((read.filter.as_str(), read.wasm.as_str()), ("portcullis", "/opt/filter.wasm"));

        let options = RenderEnvoy { is_text: true, ..options() };
        let rendered = render(&options, bundle(true)).unwrap();
        let bootstrap = text(&rendered, "envoy.yaml");
        assert!(bootstrap.contains("path: '/tmp/gateway/filter/portcullis.yaml'"), "{bootstrap}");
        let resource = text(&rendered, "filter/portcullis.yaml");
        assert!(resource.contains("value: 'UE9SVENMSV"), "{resource}");
        assert!(!resource.contains("/etc/portcullis"), "{resource}");
    }

    #[test]
    fn one_file_holds_it_all_where_asked() {
        let rendered = render(&RenderEnvoy { is_static: true, ..options() }, bundle(true)).unwrap();
        assert_eq!(rendered.files.len(), 1);
        assert!(text(&rendered, "envoy.yaml").contains("value: 'UE9SVENMSV"));
        assert!(!text(&rendered, "envoy.yaml").contains("/etc/portcullis"));
    }

    #[test]
    fn break_glass_takes_the_form_that_can_say_so() {
        let until = Some("2027-01-01T00:00:00Z".to_owned());
        let options = RenderEnvoy { force_monitor_until: until, ..options() };
        let rendered = render(&options, bundle(true)).unwrap();
        let read = portcullis_ecds::read(content(&rendered, "filter/portcullis.pb")).unwrap();
        let portcullis_ecds::Configuration::Json(json) = read.configuration else {
            panic!("{read:?}")
        };
        assert!(json.contains(r#""force_monitor_until":"2027-01-01T00:00:00Z""#), "{json}");
        assert!(rendered.notes.iter().any(|note| note.contains("does not permit")));
    }

    #[test]
    fn what_a_gateway_would_refuse_is_not_rendered() {
        let strange = RenderEnvoy { trusted_keys: vec!["00".repeat(32)], ..options() };
        let refused = |options: &RenderEnvoy, signed| render(options, bundle(signed)).unwrap_err();
        assert!(refused(&strange, true).to_string().ends_with("name the key by `--trusted-key`"));
        assert!(refused(&options(), false).to_string().contains("--allow-unsigned"));
        let short = RenderEnvoy { trusted_keys: vec!["abcd".to_owned()], ..options() };
        assert!(matches!(refused(&short, true), RenderError::Argument { .. }));
        let nowhere = RenderEnvoy { listen: "8080".to_owned(), ..options() };
        assert!(refused(&nowhere, true).to_string().contains("`--listen 8080`"));
        let lenient = RenderEnvoy { allow_unsigned: true, ..options() };
        assert!(render(&lenient, bundle(false)).is_ok());
    }

    #[test]
    fn equal_input_gives_equal_bytes() {
        assert_eq!(
            render(&options(), bundle(true)).unwrap(),
            render(&options(), bundle(true)).unwrap()
        );
    }

    #[test]
    fn what_limits_need_of_envoy_is_set_or_said() {
        struct Files;
        impl crate::source::Sources for Files {
            fn read(&self, path: &str) -> Result<Vec<u8>, String> {
                let text = match path {
                    "policy.yaml" => {
                        "version: 1\nname: p\napis: [{ name: a, documents: [a.yaml] }]\n\
                         limit_table: { trusted_hops: 2 }\ncallers:\n  \
                         c: { by: [claim.bank./sub, certificate.digest, address] }\n\
                         rate_limits: { l: { caller: c, rates: [{ requests: 1, per: second }] } }\n"
                    }
                    _ => "openapi: 3.1.0\ninfo: { title: a, version: '1' }\npaths: {}\n",
                };
                Ok(text.into())
            }
        }
        let input = crate::Input::Policy("policy.yaml".to_owned());
        let compiled = crate::compile(&Files, &input, &crate::Release::default());
        let options = RenderEnvoy { allow_unsigned: true, ..options() };
        let rendered = render(&options, compiled.bundle.unwrap()).unwrap();
        let bootstrap = text(&rendered, "envoy.yaml");
        assert!(bootstrap.contains("xff_num_trusted_hops: 2"), "{bootstrap}");
        assert!(bootstrap.contains("use_remote_address: true"), "{bootstrap}");
        for expected in [
            "`xff_num_trusted_hops` than 2",
            "`payload_in_metadata: bank`",
            "`require_client_certificate`",
        ] {
            assert!(rendered.notes.iter().any(|note| note.contains(expected)), "{expected}");
        }
    }
}
