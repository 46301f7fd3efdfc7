//! A line for each message on which rules fired, with the members of ModSecurity's audit log in JSON: all rules, the
//! scores, and never a value. CRS.md of the compiler says which member stands for what.

use super::write;
use crate::generation::Served;
use crate::host::{Host, Level};
use crate::metrics::Event;
use crate::vm::Vm;
use portcullis_bundle::layout::{Attacks, RULE_SILENT, Rule, View};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::operation_names;
use portcullis_engine::finding::Finding;
use serde::Serialize;

/// Rules that a line names, at most.
const MAX_MESSAGES: usize = 64;
/// What stands for a name that no document declares.
const UNDECLARED: &str = "*";

/// Writes the line, where the configuration asks for it and a rule fired that is told.
pub fn log_audit<H: Host>(
    vm: &Vm<H>,
    generation: Option<&Served>,
    view: &View<'_>,
    decision: &Decision,
    (fired, request_id): (impl Iterator<Item = u32>, Option<&str>),
) {
    let Some(generation) = generation.filter(|it| it.settings.audit) else { return };
    let Some(finding) = decision.findings.iter().find(|finding| finding.rule.is_some()) else {
        return;
    };
    if !vm.limiter.admits(vm.host.now(), generation.settings.findings_per_second) {
        vm.metrics().count_event(Event::LogSuppressed, 1);
        return;
    }
    let rules = fired.filter_map(|at| view.rules.get(usize::try_from(at).ok()?));
    let told = rules.filter(|rule| rule.flags & RULE_SILENT == 0);
    let operation = decision.operation.and_then(|at| operation_names(view, at));
    let transaction = Transaction {
        unique_id: request_id,
        is_interrupted: decision.verdict == Verdict::Block,
        request: Request {
            method: operation.map_or(UNDECLARED, |it| it.method),
            uri: operation.map_or(UNDECLARED, |it| it.template),
        },
        response: (decision.status != 0).then_some(Response { http_code: decision.status }),
        producer: Producer {
            policy: view.policy.first().map_or("", |policy| view.text(policy.name)),
            epoch: generation.epoch,
        },
        anomaly_scores: scores(view, finding),
        messages: told.take(MAX_MESSAGES).map(|rule| message(view, rule)).collect(),
    };
    write(&vm.host, Level::Warn, "audit", Audit { transaction });
}

#[derive(Serialize)]
struct Audit<'a> {
    transaction: Transaction<'a>,
}

/// What is told of a message.
#[derive(Serialize)]
struct Transaction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_id: Option<&'a str>,
    is_interrupted: bool,
    request: Request<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response>,
    producer: Producer<'a>,
    anomaly_scores: Scores,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Request<'a> {
    method: &'a str,
    uri: &'a str,
}

#[derive(Serialize)]
struct Response {
    http_code: u16,
}

#[derive(Serialize)]
struct Producer<'a> {
    policy: &'a str,
    epoch: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Scores {
    Inbound { inbound: u16, inbound_threshold: u16 },
    Outbound { outbound: u16, outbound_threshold: u16 },
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
    details: Details<'a>,
}

/// Of a rule that fired; numbers are texts in ModSecurity's log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    rule_id: &'a str,
    file: &'a str,
    line_number: String,
    severity: String,
    tags: Vec<&'a str>,
    points: u16,
}

fn scores(view: &View<'_>, finding: &Finding) -> Scores {
    let threshold = |of: fn(&Attacks) -> u16| view.attacks.first().map_or(0, of);
    match finding.code.is_outbound() {
        true => Scores::Outbound {
            outbound: finding.score,
            outbound_threshold: threshold(|it| it.threshold_outbound.get()),
        },
        false => Scores::Inbound {
            inbound: finding.score,
            inbound_threshold: threshold(|it| it.threshold_inbound.get()),
        },
    }
}

fn message<'a>(view: &View<'a>, rule: &Rule) -> Message<'a> {
    Message {
        message: view.text(rule.title),
        details: Details {
            rule_id: view.text(rule.id),
            file: view.text(rule.file),
            line_number: rule.line.get().to_string(),
            severity: rule.severity.to_string(),
            tags: view.text(rule.tags).split_ascii_whitespace().collect(),
            points: rule.score.get(),
        },
    }
}
