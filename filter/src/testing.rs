//! A fake host, and a bundle, for native tests.

use crate::headers::serialise;
use crate::host::{Answer, Cas, Host, Level, Metric, MetricKind};
use portcullis_bundle::layout::*;
use portcullis_bundle::{Identity, sign, write};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use zerocopy::FromZeros;

/// The next call's token.
static TOKENS: AtomicU32 = AtomicU32::new(1);

/// The seed of the key that signs the tests' bundles.
pub const SEED: [u8; 32] = [7; 32];
/// Unix seconds that the fake clock starts at.
pub const NOW: i64 = 1_800_000_000;

/// What all VMs of one fake Envoy share.
#[derive(Debug, Default)]
pub struct Process {
    /// Shared data, with versions.
    pub shared: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    /// Metrics by name.
    pub metrics: RefCell<Vec<(String, i64)>>,
    /// Nanoseconds since the Unix epoch.
    pub clock: Cell<u64>,
    /// Calls sent, and not taken yet by the test.
    pub calls: RefCell<Vec<Call>>,
    /// Whether calls fail at once.
    pub is_cut_off: Cell<bool>,
    /// Whether nothing that is written is kept.
    pub is_forgetful: Cell<bool>,
    /// What another VM does once, after a value whose name begins so was written.
    pub meanwhile: RefCell<Option<Meanwhile>>,
}

/// The beginning of a name, and what happens when such a value is written.
pub struct Meanwhile(pub &'static str, pub Box<dyn FnOnce()>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meanwhile").field(&self.0).finish()
    }
}

/// A call that a VM sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// The token that the VM was given.
    pub token: u32,
    /// The cluster.
    pub cluster: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
}

impl Call {
    /// The value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One fake VM's host.
#[derive(Clone, Debug, Default)]
pub struct FakeHost {
    /// The process.
    pub process: Rc<Process>,
    /// What the VM sees and did.
    pub seen: Rc<RefCell<Seen>>,
}

/// What one VM sees and did.
#[derive(Debug, Default)]
pub struct Seen {
    /// The plugin's configuration.
    pub configuration: Vec<u8>,
    /// `xds.node.metadata.portcullis`.
    pub node: Option<Vec<u8>>,
    /// Whether the client presented a certificate, if the host knows.
    pub certificate: Option<bool>,
    /// Serialised request headers; `None` fails the call.
    pub headers: Option<Vec<u8>>,
    /// Serialised header fields of the answer; `None` fails the call.
    pub response_headers: Option<Vec<u8>>,
    /// The body of the answer that the host shows now.
    pub response_body: Vec<u8>,
    /// Header fields set on the request.
    pub set: Vec<(String, String)>,
    /// How often anything about an answer was asked.
    pub asked_of_answers: u32,
    /// The body that the host shows now.
    pub body: Vec<u8>,
    /// Log lines.
    pub log: Vec<(Level, String)>,
    /// Filter state set, in order.
    pub states: Vec<(String, String)>,
    /// Header names removed.
    pub removed: Vec<String>,
    /// Answers given.
    pub answers: Vec<Answered>,
    /// The answer to a call: serialised header fields, and the body.
    pub call: (Option<Vec<u8>>, Vec<u8>),
    /// Milliseconds between ticks, as asked for.
    pub tick: u32,
    /// Questions to a service, in order; a call's token is its place.
    pub asked: Vec<Vec<u8>>,
    /// Whether a service cannot be reached.
    pub unreachable: bool,
    /// The message of the service's answer.
    pub service_answer: Vec<u8>,
    /// How often a request was resumed.
    pub resumed: u32,
}

/// An answer that the filter gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Envoy's response code details.
    pub details: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl FakeHost {
    /// A host in a new process.
    pub fn new() -> Self {
        let host = FakeHost::default();
        host.process.clock.set(NOW as u64 * 1_000_000_000);
        host
    }

    /// Another VM's host in the same process, of the same configuration.
    pub fn sibling(&self) -> Self {
        let host = FakeHost { process: Rc::clone(&self.process), ..FakeHost::default() };
        host.seen.borrow_mut().configuration = self.seen.borrow().configuration.clone();
        host.seen.borrow_mut().node = self.seen.borrow().node.clone();
        host
    }

    /// A metric's value; `None` where it is not defined.
    pub fn metric(&self, name: &str) -> Option<i64> {
        let metrics = self.process.metrics.borrow();
        metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The filter state of a name as last set.
    pub fn state(&self, name: &str) -> Option<String> {
        let seen = self.seen.borrow();
        seen.states.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Lets time pass.
    pub fn pass_seconds(&self, seconds: i64) {
        let now = self.process.clock.get() as i64 + seconds * 1_000_000_000;
        self.process.clock.set(now as u64);
    }

    /// The log as JSON.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let seen = self.seen.borrow();
        seen.log.iter().map(|(_, line)| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Host for FakeHost {
    fn log(&self, level: Level, line: &str) {
        self.seen.borrow_mut().log.push((level, line.to_owned()));
    }

    fn now(&self) -> u64 {
        self.process.clock.get()
    }

    fn set_tick_period(&self, milliseconds: u32) {
        self.seen.borrow_mut().tick = milliseconds;
    }

    fn plugin_configuration(&self) -> Vec<u8> {
        self.seen.borrow().configuration.clone()
    }

    fn vm_configuration(&self) -> Vec<u8> {
        Vec::new()
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        match path {
            ["plugin_name" | "plugin_root_id"] => Some(b"portcullis".to_vec()),
            ["xds", "node", "metadata", "portcullis"] => self.seen.borrow().node.clone(),
            ["xds", "node", "id"] => Some(b"gate 1".to_vec()),
            ["connection", "mtls"] => {
                self.seen.borrow().certificate.map(|there| vec![there.into()])
            }
            _ => None,
        }
    }

    fn set_filter_state(&self, name: &str, value: &[u8]) {
        let value = String::from_utf8(value.to_vec()).unwrap();
        self.seen.borrow_mut().states.push((name.to_owned(), value));
    }

    fn request_headers(&self) -> Option<Vec<u8>> {
        self.seen.borrow().headers.clone()
    }

    fn remove_request_header(&self, name: &[u8]) {
        self.seen.borrow_mut().removed.push(String::from_utf8_lossy(name).into_owned());
    }

    fn set_request_header(&self, name: &str, value: &str) {
        self.seen.borrow_mut().set.push((name.to_owned(), value.to_owned()));
    }

    fn response_headers(&self) -> Option<Vec<u8>> {
        self.seen.borrow_mut().asked_of_answers += 1;
        self.seen.borrow().response_headers.clone()
    }

    fn response_body(&self, start: usize, len: usize) -> Vec<u8> {
        self.seen.borrow_mut().asked_of_answers += 1;
        let seen = self.seen.borrow();
        seen.response_body.iter().skip(start).take(len).copied().collect()
    }

    fn request_body(&self, start: usize, len: usize) -> Vec<u8> {
        let seen = self.seen.borrow();
        seen.body.iter().skip(start).take(len).copied().collect()
    }

    fn answer(&self, answer: &Answer<'_>) {
        let own = |text: &str| text.to_owned();
        self.seen.borrow_mut().answers.push(Answered {
            status: answer.status,
            details: own(answer.details),
            headers: answer.headers.iter().map(|(name, value)| (own(name), own(value))).collect(),
            body: String::from_utf8(answer.body.to_vec()).unwrap(),
        });
    }

    fn call(&self, cluster: &str, headers: &[(&str, &str)], _: u64) -> Option<u32> {
        if self.process.is_cut_off.get() {
            return None;
        }
        let own = |text: &str| text.to_owned();
        let mut calls = self.process.calls.borrow_mut();
        let token = TOKENS.fetch_add(1, Ordering::Relaxed);
        calls.push(Call {
            token,
            cluster: own(cluster),
            headers: headers.iter().map(|(name, value)| (own(name), own(value))).collect(),
        });
        Some(token)
    }

    fn call_headers(&self) -> Option<Vec<u8>> {
        self.seen.borrow().call.0.clone()
    }

    fn call_body(&self, len: usize) -> Vec<u8> {
        let seen = self.seen.borrow();
        seen.call.1.iter().take(len).copied().collect()
    }

    fn call_service(
        &self,
        target: &str,
        service: &str,
        method: &str,
        message: &[u8],
        timeout: u32,
    ) -> Option<u32> {
        assert_eq!(target, "\n\u{b}\n\tratelimit");
        assert_eq!(service, "envoy.service.ratelimit.v3.RateLimitService");
        assert_eq!((method, timeout), ("ShouldRateLimit", 20));
        let mut seen = self.seen.borrow_mut();
        if seen.unreachable {
            return None;
        }
        seen.asked.push(message.to_vec());
        u32::try_from(seen.asked.len() - 1).ok()
    }

    fn service_answer(&self, len: usize) -> Vec<u8> {
        self.seen.borrow().service_answer.iter().take(len).copied().collect()
    }

    fn resume_request(&self) {
        self.seen.borrow_mut().resumed += 1;
    }

    fn shared(&self, key: &str) -> Option<(Vec<u8>, Cas)> {
        let shared = self.process.shared.borrow();
        shared.get(key).map(|(value, version)| (value.clone(), Cas(*version)))
    }

    fn set_shared(&self, key: &str, value: &[u8], replaces: Option<Cas>) -> bool {
        assert!(key.starts_with("portcullis."), "{key}");
        if self.process.is_forgetful.get() {
            return true;
        }
        let mut shared = self.process.shared.borrow_mut();
        let known = shared.get(key).map(|(_, version)| *version);
        // As Envoy does: where nothing is there any version will do.
        if known.zip(replaces).is_some_and(|(known, replaces)| known != replaces.0) {
            return false;
        }
        let version = known.unwrap_or(0);
        shared.insert(key.to_owned(), (value.to_vec(), version + 1));
        drop(shared);
        let meanwhile = self.process.meanwhile.borrow_mut().take_if(|it| key.starts_with(it.0));
        if let Some(Meanwhile(_, happens)) = meanwhile {
            happens();
        }
        true
    }

    fn define_metric(&self, _: MetricKind, name: &str) -> Option<Metric> {
        let mut metrics = self.process.metrics.borrow_mut();
        let known = metrics.iter().position(|(known, _)| known == name);
        let at = known.unwrap_or_else(|| {
            metrics.push((name.to_owned(), 0));
            metrics.len() - 1
        });
        Some(Metric(at as u32))
    }

    fn add_metric(&self, metric: Metric, by: i64) {
        self.process.metrics.borrow_mut()[metric.0 as usize].1 += by;
    }

    fn set_metric(&self, metric: Metric, value: u64) {
        self.process.metrics.borrow_mut()[metric.0 as usize].1 = value as i64;
    }
}

/// Serialises header fields with values that need not be text.
pub fn fields(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let count = serialise(&[]).len();
    let mut bytes = (fields.len() as u32).to_le_bytes()[..count].to_vec();
    for (name, value) in fields {
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in fields {
        bytes.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
    }
    bytes
}

/// Sections of a policy with `GET /ping` and `POST /pay`, whose body is any JSON of 64 KiB at most.
pub fn sections(mode: Mode) -> Sections {
    let mut strings = Vec::new();
    let mut text = |value: &str| {
        let offset = strings.len() as u32;
        strings.extend_from_slice(value.as_bytes());
        Text { offset: offset.into(), len: (value.len() as u32).into() }
    };
    let any = Schema {
        types: TYPE_ALL,
        flags: SCHEMA_ACCEPTS_ALL,
        string: NONE.into(),
        number: NONE.into(),
        array: NONE.into(),
        object: NONE.into(),
        literals: NONE.into(),
        origin: NONE.into(),
        ..Schema::new_zeroed()
    };
    let node = |operations: u32, operation_count: u32| Node {
        wildcard: NONE.into(),
        api: NONE.into(),
        operations: operations.into(),
        operation_count: operation_count.into(),
        ..Node::new_zeroed()
    };
    let limits = BodyLimits {
        max_bytes: 65_536.into(),
        max_string: 65_536.into(),
        max_properties: 1024.into(),
        max_items: 1024.into(),
        max_depth: 32.into(),
        max_digits: 64.into(),
    };
    let operation = |method: Text, template: Text| Operation {
        id: 0xAB.into(),
        method,
        template,
        body_origin: NONE.into(),
        limits,
        mode: mode.code(),
        undeclared_query: Action::Block.code(),
        undeclared_media_types: Action::Block.code(),
        ..Operation::new_zeroed()
    };
    let (ping, pay) = (text("ping"), text("pay"));
    let operations = vec![
        operation(text("GET"), text("/ping")),
        Operation {
            media_type_count: 1.into(),
            flags: OPERATION_BODY_REQUIRED.into(),
            ..operation(text("POST"), text("/pay"))
        },
    ];
    let mut root = node(0, 0);
    root.edge_count = 2.into();
    Sections {
        policy: vec![Policy {
            name: text("bank"),
            mode: mode.code(),
            undeclared_operations: Action::Block.code(),
            undeclared_methods: Action::Block.code(),
            ambiguous_paths: Action::Block.code(),
            break_glass: 1,
            max_path: 8192.into(),
            max_parameters: 128.into(),
            ..Policy::new_zeroed()
        }],
        documents: vec![Document { name: text("bank.yaml"), ..Document::new_zeroed() }],
        origins: vec![Origin { line: 3.into(), column: 1.into(), ..Origin::new_zeroed() }],
        pointers: vec![Pointer { parent: NONE.into(), token: text("paths") }],
        apis: vec![Api {
            name: text("pay"),
            mode: mode.code(),
            undeclared_operations: Action::Block.code(),
            undeclared_methods: Action::Block.code(),
            ..Api::new_zeroed()
        }],
        nodes: vec![root, node(0, 1), node(1, 1)],
        edges: vec![Edge { segment: pay, node: 2.into() }, Edge { segment: ping, node: 1.into() }],
        operations,
        media_types: vec![MediaType {
            name: text("application/json"),
            parameters: text(""),
            origin: NONE.into(),
            value: NONE.into(),
            kind: BodyKind::Json.code(),
            ..MediaType::new_zeroed()
        }],
        schemas: vec![any, Schema { types: 0, flags: 0, ..any }],
        strings,
        ..Sections::default()
    }
}

/// A signed bundle.
pub fn bundle(mode: Mode, identity: &Identity) -> Vec<u8> {
    signed(&sections(mode), identity)
}

/// The sections of a bundle whose GET asks for a credential of a kind.
pub fn secured(kind: SchemeKind) -> Sections {
    let mut sections = sections(Mode::Enforce);
    let mut text = |text: &str| {
        let offset = sections.strings.len() as u32;
        sections.strings.extend_from_slice(text.as_bytes());
        Text { offset: offset.into(), len: (text.len() as u32).into() }
    };
    let (name, challenge) = (text("bearer"), text("Bearer realm=\"bank\""));
    sections.security_schemes.push(SecurityScheme {
        name,
        origin: 0.into(),
        schema: NONE.into(),
        kind: kind.code(),
        location: Location::Header.code(),
        reserved: 0.into(),
    });
    let requirement = SecurityRequirement { schemes: 1.into(), origin: 0.into() };
    sections.security_requirements.push(requirement);
    sections.securities.push(Security {
        scheme_count: 1.into(),
        requirement_count: 1.into(),
        challenge,
        action: Action::Block.code(),
        ..Security::new_zeroed()
    });
    sections
}

/// The sections of a policy of another name.
pub fn named(name: &str) -> Sections {
    let mut sections = sections(Mode::Enforce);
    let offset = sections.strings.len() as u32;
    sections.strings.extend_from_slice(name.as_bytes());
    sections.policy[0].name = Text { offset: offset.into(), len: (name.len() as u32).into() };
    sections
}

/// A signed bundle of other sections.
pub fn signed(sections: &Sections, identity: &Identity) -> Vec<u8> {
    let mut bytes = write(sections, identity).unwrap();
    sign(&mut bytes, &SEED).unwrap();
    bytes
}

/// The public key of [`SEED`] in hexadecimal.
pub fn public_key() -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&SEED).verifying_key();
    data_encoding::HEXLOWER.encode(key.as_bytes())
}

/// A plugin configuration for a bundle, with further members.
pub fn configuration(bundle: &[u8], more: &str) -> Vec<u8> {
    let key = public_key();
    let bundle = data_encoding::BASE64.encode(bundle);
    format!(r#"{{"bundle":"{bundle}","trusted_keys":["{key}"],"hold_headers":true{more}}}"#)
        .into_bytes()
}
