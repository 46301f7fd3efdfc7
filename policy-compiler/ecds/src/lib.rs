//! The filter's configuration as Envoy's extension config discovery (ECDS) carries it, in binary protobuf.
//!
//! In: a bundle, and where the filter is. Out: a resource for a discovery service, or a file for
//! `path_config_source` whose name ends in `.pb`. What is said besides the bundle is what
//! `envoy-config/filter/portcullis.yaml` says; a test compares the two, field by field.
//!
//! Envoy reads 8 MB as text in seconds, in binary in a fraction of one.
#![forbid(unsafe_code)]

pub mod files;
mod wire;

use wire::Message;

/// The type of the resource, as requests of the discovery service name it.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";
const STRING: &str = "type.googleapis.com/google.protobuf.StringValue";

/// The id of the filter's VM. It never changes: counters and epochs are kept under it.
const VM_ID: &str = "portcullis";
const RUNTIME: &str = "envoy.wasm.runtime.v8";
/// `FAIL_RELOAD` of `envoy.extensions.wasm.v3.FailurePolicy`.
const FAIL_RELOAD: u64 = 1;
/// `reload_config.backoff.base_interval`, in nanoseconds.
const RELOAD_AFTER: u64 = 100_000_000;

/// The filter, as Envoy knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name among the HTTP filters, which is the resource's name too.
    pub name: String,
    /// The path of the wasm module, as Envoy is going to find it.
    pub wasm: String,
}

impl Filter {
    /// The filter `portcullis`, whose module has that path.
    pub fn new(wasm: impl Into<String>) -> Filter {
        Filter { name: "portcullis".to_owned(), wasm: wasm.into() }
    }
}

/// What the filter is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration<'a> {
    /// A bundle, as `BytesValue`.
    Bundle(&'a [u8]),
    /// JSON, as `StringValue`.
    Json(&'a str),
}

impl Configuration<'_> {
    /// Its type, and its bytes.
    fn value(&self) -> (&'static str, &[u8]) {
        match self {
            Configuration::Bundle(bundle) => (BYTES, bundle),
            Configuration::Json(text) => (STRING, text.as_bytes()),
        }
    }
}

/// One resource: the bytes of an `envoy.config.core.v3.TypedExtensionConfig`, of type [`TYPE_URL`].
/// The same input gives the same bytes.
pub fn resource(filter: &Filter, configuration: Configuration<'_>) -> Vec<u8> {
    let [before, after] = around(filter, configuration, 0);
    [&before[..], configuration.value().1, &after].concat()
}

/// What stands before and after the configuration's bytes in a resource, for a gateway that may have refused it before.
/// Envoy says yes to a resource that equals the last without a look at it, and releases before 1.40 remember what was
/// refused of one root and configuration: another number is another root, `portcullis#1`, to Envoy, and the same filter
/// to itself. 0 is [`resource`].
pub fn around(filter: &Filter, configuration: Configuration<'_>, number: u32) -> [Vec<u8>; 2] {
    // Numbers of fields: envoy/extensions/wasm/v3/wasm.proto and envoy/config/core/v3/{base,extension}.proto.
    let (value_type, value) = configuration.value();
    let value = any(value_type, Message::default().left_out(1, value.len()));
    let data_source = Message::default().text(1, &filter.wasm);
    let code = Message::default().message(1, data_source);
    let vm = Message::default().text(1, VM_ID).text(2, RUNTIME).message(3, code);
    let interval = Message::default().number(2, RELOAD_AFTER);
    let backoff = Message::default().message(1, interval);
    let root = match number {
        0 => filter.name.clone(),
        number => format!("{}#{number}", filter.name),
    };
    let plugin = Message::default()
        .text(1, &filter.name)
        .text(2, &root)
        .message(3, vm)
        .message(4, value)
        .number(7, FAIL_RELOAD)
        .message(8, Message::default().message(1, backoff))
        .message(9, Message::default().number(1, 1));
    let wasm = any(WASM, Message::default().message(1, plugin));
    Message::default().text(1, &filter.name).message(2, wasm).around()
}

/// A file that Envoy reads by `path_config_source`: an `envoy.service.discovery.v3.DiscoveryResponse` with
/// one resource. Its name must end in `.pb`.
pub fn file(version: &str, resource: Vec<u8>) -> Vec<u8> {
    let resource = any(TYPE_URL, Message::from(resource));
    Message::default().text(1, version).message(2, resource).text(4, TYPE_URL).finish()
}

/// What a file says that [`file`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    /// The version of the response.
    pub version: String,
    /// The filter's name.
    pub filter: String,
    /// The path of the wasm module.
    pub wasm: String,
    /// What the filter is configured with.
    pub configuration: Configuration<'a>,
}

/// Reads a file back, for people who want to know what is in it; `None` where it is no such file.
pub fn read(file: &[u8]) -> Option<Read<'_>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let resource = wire::at(file, &[2, 2])?;
    let plugin = wire::at(resource, &[2, 2, 1])?;
    let value = wire::at(plugin, &[4, 2, 1])?;
    let kind = wire::at(plugin, &[4, 1])?;
    Some(Read {
        version: wire::at(file, &[1]).and_then(text)?,
        filter: wire::at(resource, &[1]).and_then(text)?,
        wasm: wire::at(plugin, &[3, 3, 1, 1]).and_then(text)?,
        configuration: match kind {
            kind if kind == BYTES.as_bytes() => Configuration::Bundle(value),
            kind if kind == STRING.as_bytes() => {
                Configuration::Json(std::str::from_utf8(value).ok()?)
            }
            _ => return None,
        },
    })
}

fn any(type_url: &str, message: Message) -> Message {
    Message::default().text(1, type_url).message(2, message)
}

#[cfg(test)]
mod tests;
