//! A line for each message on which rules fired, with the members of ModSecurity's audit log in JSON: all rules, the
//! scores, and never a value. CRS.md of the compiler says which member stands for what.

use super::VERSION;
use super::json::Json;
use crate::generation::Generation;
use crate::host::{Host, Level};
use crate::metrics::Event;
use crate::vm::Vm;
use portcullis_bundle::layout::{RULE_SILENT, Rule, View};
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::operation_names;
use portcullis_engine::finding::Finding;

/// Rules that a line names, at most.
const MAX_MESSAGES: usize = 64;
/// What stands for a name that no document declares.
const UNDECLARED: &str = "*";

/// Writes the line, where the configuration asks for it and a rule fired that is told.
pub fn log_audit<H: Host>(
    vm: &Vm<H>,
    generation: Option<&Generation>,
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
    let mut line = Json::default();
    line.open("", '{');
    line.number("portcullis", VERSION.into());
    line.text("event", "audit");
    line.open("transaction", '{');
    if let Some(id) = request_id {
        line.text("unique_id", id);
    }
    head(&mut line, view, decision, generation.epoch);
    scores(&mut line, view, finding);
    line.open("messages", '[');
    let rules = fired.filter_map(|at| view.rules.get(usize::try_from(at).ok()?));
    let told = rules.filter(|rule| rule.flags & RULE_SILENT == 0);
    told.take(MAX_MESSAGES).for_each(|rule| message(&mut line, view, rule));
    line.close(']');
    line.close('}');
    line.close('}');
    vm.host.log(Level::Warn, &line.finish());
}

fn head(line: &mut Json, view: &View<'_>, decision: &Decision, epoch: u64) {
    line.truth("is_interrupted", decision.verdict == Verdict::Block);
    let operation = decision.operation.and_then(|at| operation_names(view, at));
    line.open("request", '{');
    line.text("method", operation.map_or(UNDECLARED, |it| it.method));
    line.text("uri", operation.map_or(UNDECLARED, |it| it.template));
    line.close('}');
    if decision.status != 0 {
        line.open("response", '{');
        line.number("http_code", decision.status.into());
        line.close('}');
    }
    line.open("producer", '{');
    line.text("policy", view.policy.first().map_or("", |policy| view.text(policy.name)));
    line.number("epoch", epoch);
    line.close('}');
}

fn scores(line: &mut Json, view: &View<'_>, finding: &Finding) {
    let outbound = finding.code.is_outbound();
    let threshold = view.attacks.first().map_or(0, |it| match outbound {
        true => it.threshold_outbound.get(),
        false => it.threshold_inbound.get(),
    });
    let (score, from) = match outbound {
        true => ("outbound", "outbound_threshold"),
        false => ("inbound", "inbound_threshold"),
    };
    line.open("anomaly_scores", '{');
    line.number(score, finding.score.into());
    line.number(from, threshold.into());
    line.close('}');
}

/// A rule that fired; numbers are texts in ModSecurity's log.
fn message(line: &mut Json, view: &View<'_>, rule: &Rule) {
    line.open("", '{');
    line.text("message", view.text(rule.title));
    line.open("details", '{');
    line.text("ruleId", view.text(rule.id));
    line.text("file", view.text(rule.file));
    line.text("lineNumber", &rule.line.get().to_string());
    line.text("severity", &rule.severity.to_string());
    line.open("tags", '[');
    view.text(rule.tags).split_ascii_whitespace().for_each(|tag| line.text("", tag));
    line.close(']');
    line.number("points", rule.score.get().into());
    line.close('}');
    line.close('}');
}
