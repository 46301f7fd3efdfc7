//! The engine with rules in SecLang, and a contract that lets everything pass.

use super::message::{Answer, Message};
use policy_compiler::diag::{self, Severity};
use policy_compiler::source::{FileSystem, Memory, Sources};
use policy_compiler::{Input, Release, compile};
use portcullis_bundle::layout::RULE_SILENT;
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead, ResponseHead};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// An API that declares next to nothing.
const DOCUMENT: &str = "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n";

/// The limits that the Core Rule Set's own test environment sets.
pub const VARIABLES: &str = "arg_name_length=100, arg_length=400, total_arg_length=64000, max_num_args=255, \
     max_file_size=64100, combined_file_sizes=65535, crs_validate_utf8_encoding=1";

/// Where requests come from.
const CLIENT: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// The policy and the document in memory, the rules where they are.
struct Files {
    own: Memory,
    rules: FileSystem,
    setup: Option<PathBuf>,
}

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match (path.strip_prefix("rules/"), &self.setup) {
            (Some(name), _) => self.rules.read(name),
            (None, Some(setup)) if path == "setup.conf" => {
                std::fs::read(setup).map_err(|error| error.to_string())
            }
            _ => self.own.read(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        match folder {
            "rules" => self.rules.list("."),
            _ => Err("no such folder".to_owned()),
        }
    }
}

fn policy(setup: bool, paranoia: u8) -> String {
    let setup = if setup { "setup: setup.conf, " } else { "" };
    format!(
        "version: 1\nname: crs\nmode: monitor\nundeclared: {{ operations: allow }}\n\
         strictness: {{ ambiguous_paths: allow }}\nlimits: {{ path: 1MiB, parameters: 4096 }}\n\
         attacks:\n  mode: monitor\n  budget: 256MiB\n  unreadable_bodies: allow\n  raw_body: 1MiB\n  \
         response_body: {{ limit: 1MiB }}\n  rules:\n  \
         - {{ crs: rules, {setup}paranoia: {paranoia}, variables: [{VARIABLES}] }}\n\
         apis: [{{ name: none, documents: [none.yaml] }}]\n"
    )
}

/// Judges messages.
pub struct Gateway {
    bundle: Bundle,
    bytes: Vec<u8>,
    exchange: RefCell<Exchange>,
    /// Rules that are not in the bundle, and why.
    missing: BTreeMap<u32, String>,
}

impl Gateway {
    /// With rules and their set-up. What is wrong with them is printed.
    pub fn open(rules: &Path, setup: Option<&Path>, paranoia: u8) -> Option<Gateway> {
        let policy = policy(setup.is_some(), paranoia);
        let own = Memory::new([("policy.yaml", policy.as_str()), ("none.yaml", DOCUMENT)]);
        let files = Files {
            own,
            rules: FileSystem { base: rules.to_owned() },
            setup: setup.map(Path::to_owned),
        };
        let started = std::time::Instant::now();
        let input = Input::Policy("policy.yaml".to_owned());
        let output = compile(&files, &input, &Release::default());
        let mut missing = BTreeMap::new();
        for said in output.diagnostics.sorted() {
            let left =
                said.title.strip_prefix("rule ").and_then(|it| it.split_once(" is left out: "));
            match left.and_then(|(id, why)| Some((id.parse().ok()?, why))) {
                Some((id, why)) => {
                    println!("not compiled: {id}: {why}");
                    missing.insert(id, why.to_owned());
                }
                None if said.severity == Severity::Error => {}
                None => {}
            }
        }
        let Some(bytes) = output.bundle else {
            eprint!("{}", diag::render_text(&output.diagnostics, &output.files, false));
            return None;
        };
        let trust = Trust { keys: Vec::new(), allow_unsigned: true };
        let bundle = Bundle::open(bytes.clone(), &trust)
            .inspect_err(|error| eprintln!("the bundle does not open: {error}"))
            .ok()?;
        println!(
            "{} rules in a bundle of {} KiB, {} left out, compiled in {:.1} s",
            bundle.view().rules.len(),
            bytes.len() >> 10,
            missing.len(),
            started.elapsed().as_secs_f64()
        );
        Some(Gateway { bundle, bytes, exchange: RefCell::new(Exchange::new()), missing })
    }

    /// The bundle.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many rules there are.
    pub fn rules(&self) -> usize {
        self.bundle.view().rules.len()
    }

    /// The numbers of the rules that are told where they fire.
    pub fn ids(&self) -> BTreeSet<u32> {
        let view = self.bundle.view();
        let told = view.rules.iter().filter(|rule| rule.flags & RULE_SILENT == 0);
        told.filter_map(|rule| view.text(rule.id).parse().ok()).collect()
    }

    /// What of a message a rule looks at: codes of targets.
    pub fn targets(&self, id: u32) -> BTreeSet<u8> {
        let view = self.bundle.view();
        let own = view.rules.iter().filter(|rule| view.text(rule.id) == id.to_string());
        own.flat_map(|rule| {
            let first = rule.matchers.get() as usize;
            view.matchers.get(first..first + usize::from(rule.matcher_count.get()))
        })
        .flatten()
        .flat_map(|matcher| {
            let first = matcher.selectors.get() as usize;
            let own = view.selectors.get(first..first + usize::from(matcher.selector_count.get()));
            own.unwrap_or_default().iter().map(|selector| selector.target)
        })
        .collect()
    }

    /// Why a rule is not in the bundle, if it is not.
    pub fn why_missing(&self, rule: u32) -> Option<&str> {
        self.missing.get(&rule).map(String::as_str)
    }

    /// The rules that fire on a request or on its answer, but for those that only serve others.
    pub fn judge(&self, message: &Message) -> BTreeSet<u32> {
        self.judge_by(message, false)
    }

    /// The same, with every rule tried on every value.
    pub fn judge_exhaustively(&self, message: &Message) -> BTreeSet<u32> {
        self.judge_by(message, true)
    }

    fn judge_by(&self, message: &Message, every: bool) -> BTreeSet<u32> {
        let view = self.bundle.view();
        let host = message.header("host");
        let pseudo = [(":method", message.method.as_bytes()), (":path", message.uri.as_bytes())];
        let pseudo = pseudo.into_iter().chain(host.map(|host| (":authority", host)));
        let fields = message.headers.iter().filter(|(name, _)| name != "host");
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let headers: Vec<(&[u8], &[u8])> =
            pseudo.map(|(name, value)| (name.as_bytes(), value)).chain(fields).collect();
        let head = RequestHead {
            method: message.method.as_bytes(),
            path: message.uri.as_bytes(),
            authority: host.unwrap_or_default(),
            headers: &headers,
            end_of_stream: message.body.is_empty(),
        };
        let mut exchange = self.exchange.borrow_mut();
        exchange.reset();
        exchange.try_every_rule(every);
        let conditions = Conditions {
            protocol: protocol(&message.version),
            client: Some(CLIENT),
            ..Conditions::default()
        };
        let mut progress = exchange.on_headers(&view, &head, conditions);
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, &message.body);
        }
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_end(&view);
        }
        let Progress::Decided(decision) = progress else { panic!("no decision") };
        let mut fired = self.fired(&exchange);
        if let (Some(answer), Some(awaited)) =
            (message.answer(), exchange.awaits(&view, Some(&decision)))
        {
            exchange.reset();
            exchange.try_every_rule(every);
            answered(&mut exchange, &view, &awaited, &answer);
            fired.extend(self.fired(&exchange));
        }
        fired
    }

    fn fired(&self, exchange: &Exchange) -> BTreeSet<u32> {
        let view = self.bundle.view();
        let rules = exchange.fired_rules().filter_map(|rule| view.rules.get(rule as usize));
        let rules = rules.filter(|rule| rule.flags & RULE_SILENT == 0);
        rules.filter_map(|rule| view.text(rule.id).parse().ok()).collect()
    }
}

fn protocol(version: &str) -> &'static str {
    const KNOWN: [&str; 6] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/0.9"];
    // A few tests have versions of their own.
    let own = || -> &'static str { Box::leak(version.to_owned().into_boxed_str()) };
    KNOWN.into_iter().find(|known| *known == version).unwrap_or_else(own)
}

fn answered(
    exchange: &mut Exchange,
    view: &portcullis_bundle::layout::View<'_>,
    awaited: &portcullis_engine::exchange::Awaited,
    answer: &Answer,
) {
    let fields = answer.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let pseudo = [(&b":status"[..], answer.status.as_bytes())];
    let headers: Vec<(&[u8], &[u8])> = pseudo.into_iter().chain(fields).collect();
    let head = ResponseHead {
        status: answer.status.as_bytes(),
        headers: &headers,
        end_of_stream: answer.body.is_empty(),
    };
    let mut progress = exchange.on_response_headers(view, awaited, &head, Conditions::default());
    if matches!(progress, Progress::Body { .. }) {
        progress = exchange.on_response_body(view, &answer.body);
    }
    if matches!(progress, Progress::Body { .. }) {
        exchange.on_response_end(view);
    }
}
