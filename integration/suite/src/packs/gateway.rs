//! The engine with `api-core` and no contract: every operation is let pass, so that attacks alone are judged.

use super::message::Message;
use policy_compiler::ir::Rule;
use policy_compiler::source::Memory;
use policy_compiler::{Input, Release, compile, diag, load};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::cell::RefCell;

/// An API that declares next to nothing.
const DOCUMENT: &str = "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n";

/// The files of packs that are judged in place of `api-core`, by name and text; none means `api-core`.
pub type Packs = [(String, String)];

fn sources(paranoia: u8, packs: &Packs) -> Memory {
    let names: Vec<&str> = packs.iter().map(|(name, _)| name.as_str()).collect();
    let policy = format!(
        "version: 1\nname: packs\nundeclared: {{ operations: allow }}\nstrictness: {{ ambiguous_paths: allow }}\n\
         limits: {{ path: 1MiB }}\nattacks: {{ paranoia: {paranoia}, packs: [{}] }}\napis: [{{ name: none, documents: [none.yaml] }}]\n",
        if names.is_empty() { "api-core".to_owned() } else { names.join(", ") }
    );
    let files = packs.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Memory::new(
        [("policy.yaml", policy.as_str()), ("none.yaml", DOCUMENT)].into_iter().chain(files),
    )
}

/// The rules of the packs, of every level.
pub fn rules(packs: &Packs) -> Vec<Rule> {
    let loaded = load::load_policy(&sources(4, packs), "policy.yaml");
    loaded.model.attacks.map(|attacks| attacks.rules).unwrap_or_default()
}

/// Judges messages at one level.
pub struct Gateway {
    bundle: Bundle,
    exchange: RefCell<Exchange>,
}

/// What came of a message.
#[derive(Debug)]
pub struct Judged {
    pub decision: Decision,
    /// The names of the rules that fired.
    pub rules: Vec<String>,
}

impl Judged {
    /// Whether the message would be refused as an attack.
    pub fn alarms(&self) -> bool {
        self.decision.verdict == Verdict::Block
    }
}

impl Gateway {
    /// At a paranoia level.
    ///
    /// # Panics
    /// Where the pack does not compile: the diagnostics are printed.
    pub fn at(paranoia: u8, packs: &Packs) -> Gateway {
        let input = Input::Policy("policy.yaml".to_owned());
        let output = compile(&sources(paranoia, packs), &input, &Release::default());
        let Some(bytes) = output.bundle else {
            eprint!("{}", diag::render_text(&output.diagnostics, &output.files, false));
            panic!("the pack does not compile");
        };
        let trust = Trust { keys: Vec::new(), allow_unsigned: true };
        let bundle = Bundle::open(bytes, &trust).unwrap_or_else(|error| panic!("{error}"));
        Gateway { bundle, exchange: RefCell::new(Exchange::new()) }
    }

    /// Judges a message.
    ///
    /// # Panics
    /// Where trying every rule in turn comes to another verdict.
    pub fn judge(&self, message: &Message) -> Judged {
        let proposed = self.judge_by(message, false);
        let tried = self.judge_by(message, true);
        assert!(
            proposed.decision == tried.decision,
            "{message:?}: {:?} {:?}",
            proposed.rules,
            tried.rules
        );
        proposed
    }

    fn judge_by(&self, message: &Message, every: bool) -> Judged {
        let view = self.bundle.view();
        let pseudo = [(":method", &message.method), (":path", &message.path)];
        let pseudo = pseudo.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let fields =
            message.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers: Vec<(&[u8], &[u8])> = pseudo.chain(fields).collect();
        let head = RequestHead {
            method: message.method.as_bytes(),
            path: message.path.as_bytes(),
            authority: b"api.bank.example",
            headers: &headers,
            end_of_stream: message.body.is_empty(),
        };
        let mut exchange = self.exchange.borrow_mut();
        exchange.reset();
        exchange.try_every_rule(every);
        let mut progress = exchange.on_headers(&view, &head, Conditions::default());
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_body(&view, &message.body);
        }
        if matches!(progress, Progress::Body { .. }) {
            progress = exchange.on_end(&view);
        }
        let Progress::Decided(mut decision) = progress else { panic!("no decision") };
        if let (Some(answer), true) = (&message.answer, decision.verdict != Verdict::Block)
            && let Some(of_answer) = answer.judge(&mut exchange, &view, &decision)
        {
            decision.verdict = of_answer.verdict;
            decision.findings.extend(of_answer.findings);
        }
        let names =
            decision.findings.iter().filter_map(|finding| view.rules.get(finding.rule? as usize));
        let rules = names.map(|rule| view.text(rule.id).to_owned()).collect();
        Judged { decision, rules }
    }
}
