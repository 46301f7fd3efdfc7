//! Structured log lines: one JSON object a line, no payload values, capped in rate.
//!
//! `finding.schema.json` describes them; the member `portcullis` holds its version.

mod audit;

pub use audit::log_audit;

use crate::generation::Served;
use crate::host::{Host, Level};
use crate::metrics::Event;
use crate::position::Place;
use crate::vm::Vm;
use portcullis_bundle::layout::View;
use portcullis_engine::decision::{Decision, Verdict};
use portcullis_engine::describe::{LimitNames, limit_names, rule_names};
use portcullis_engine::finding::{Finding, FindingCode};
use serde::Serialize;
use std::cell::Cell;

/// The version of the lines' form.
const VERSION: u8 = 1;
const SECOND: u64 = 1_000_000_000;

/// One line.
#[derive(Serialize)]
struct Line<'a, T: Serialize> {
    portcullis: u8,
    event: &'a str,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    verdict: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    status: u16,
    code: &'a str,
    /// Of a finding on an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(flatten)]
    operation: Option<OperationPart<'a>>,
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyword: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RulePart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitPart<'a>>,
}

/// A limit that the caller is beyond.
#[derive(Serialize)]
struct LimitPart<'a> {
    name: &'a str,
    caller: &'a str,
    line: u32,
}

#[derive(Serialize)]
struct RulePart<'a> {
    id: &'a str,
    title: &'a str,
    tags: Vec<&'a str>,
    target: &'a str,
    severity: u8,
    paranoia: u8,
    points: u16,
    score: u16,
    threshold: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    with: Vec<PointsPart<'a>>,
}

/// Another rule that fired on the message, and what it adds to the score.
#[derive(Serialize)]
struct PointsPart<'a> {
    id: &'a str,
    points: u16,
}

#[derive(Serialize)]
struct OperationPart<'a> {
    api: &'a str,
    operation: String,
    method: &'a str,
    template: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    operation_id: &'a str,
}

#[derive(Serialize)]
struct OriginPart<'a> {
    document: &'a str,
    line: u32,
    column: u32,
    pointer: String,
}

/// What a configuration event says.
#[derive(Debug, Default, Serialize)]
pub struct ConfigurationPart<'a> {
    /// `accepted`, `refused`, `kept` or `denying`.
    pub outcome: &'a str,
    /// The plugin's name.
    pub plugin: &'a str,
    /// Why it was refused, as metrics name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Why it was refused, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The epoch that serves after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Microseconds from reading the configuration to serving it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_us: Option<u64>,
    /// The content hash of the bundle that serves after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

#[derive(Serialize)]
struct SuppressedPart {
    suppressed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(status: &u16) -> bool {
    *status == 0
}

/// Caps the finding lines of one VM.
#[derive(Debug, Default)]
pub struct Limiter {
    second: Cell<u64>,
    written: Cell<u32>,
    suppressed: Cell<u64>,
}

impl Limiter {
    /// Whether one more line may be written in this second.
    fn admits(&self, now: u64, limit: u32) -> bool {
        if self.second.replace(now / SECOND) != now / SECOND {
            self.written.set(0);
        }
        let admitted = self.written.get() < limit;
        if admitted {
            self.written.set(self.written.get().saturating_add(1));
        } else {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
        }
        admitted
    }
}

/// Writes a line for each finding of a decision, and counts what the rate leaves out.
pub fn log_findings<H: Host>(
    vm: &Vm<H>,
    generation: Option<&Served>,
    view: &View<'_>,
    decision: &Decision,
    request_id: Option<&str>,
) {
    if decision.findings.is_empty() {
        return;
    }
    let now = vm.host.now();
    let default = crate::config::DEFAULT_FINDINGS_PER_SECOND;
    let limit = generation.map_or(default, |it| it.settings.findings_per_second);
    for finding in &decision.findings {
        if !vm.limiter.admits(now, limit) {
            vm.metrics().count_event(Event::LogSuppressed, 1);
            continue;
        }
        let content = finding_line(generation, view, decision, finding, request_id);
        write(&vm.host, level(finding.code), "finding", content);
    }
}

/// Says how many lines the rate left out, if any.
pub fn log_suppressed<H: Host>(vm: &Vm<H>) {
    let suppressed = vm.limiter.suppressed.take();
    if suppressed > 0 {
        write(&vm.host, Level::Warn, "suppressed", SuppressedPart { suppressed });
    }
}

/// Writes a line about a configuration.
pub fn log_configuration(host: &impl Host, level: Level, content: ConfigurationPart<'_>) {
    write(host, level, "configuration", content);
}

fn write(host: &impl Host, level: Level, event: &str, content: impl Serialize) {
    if let Ok(line) = serde_json::to_string(&Line { portcullis: VERSION, event, content }) {
        host.log(level, &line);
    }
}

/// What passes by rule is of use when looking for a fault; it is counted in any case.
fn level(code: FindingCode) -> Level {
    match code {
        FindingCode::ProbeBypass | FindingCode::Preflight => Level::Debug,
        code if code.status() == 0 => Level::Info,
        _ => Level::Warn,
    }
}

fn finding_line<'a>(
    generation: Option<&Served>,
    view: &View<'a>,
    decision: &Decision,
    finding: &'a Finding,
    request_id: Option<&'a str>,
) -> FindingLine<'a> {
    FindingLine {
        request_id,
        verdict: match decision.verdict {
            Verdict::Allow => "allow",
            Verdict::Monitor => "monitor",
            Verdict::Block => "block",
            Verdict::Pass => "pass",
        },
        status: decision.status,
        code: finding.code.name(),
        direction: finding.code.is_outbound().then_some("outbound"),
        policy: view.policy.first().map_or("", |policy| view.text(policy.name)),
        epoch: generation.map(|generation| generation.epoch),
        operation: decision.operation.and_then(|at| operation_part(view, at)),
        place: Place::of(view, &finding.position),
        keyword: finding.keyword.map(|keyword| keyword.name()),
        origin: finding.origin.and_then(|at| origin_part(view, at)),
        rule: finding.rule.and_then(|at| rule_part(view, decision, at, finding)),
        limit: finding.limit.and_then(|at| limit_part(view, at)),
    }
}

fn limit_part<'a>(view: &View<'a>, at: u32) -> Option<LimitPart<'a>> {
    let LimitNames { name, caller, line, .. } = limit_names(view, at)?;
    Some(LimitPart { name, caller, line })
}

fn rule_part<'a>(
    view: &View<'a>,
    decision: &Decision,
    at: u32,
    finding: &Finding,
) -> Option<RulePart<'a>> {
    let rule = rule_names(view, at, finding)?;
    let tags = rule.tags.split_ascii_whitespace().collect();
    let others = decision.findings.iter().filter_map(|it| it.rule).filter(|other| *other != at);
    let others = others.filter_map(|other| view.rules.get(usize::try_from(other).ok()?));
    let with = others.map(|it| PointsPart { id: view.text(it.id), points: it.score.get() });
    Some(RulePart {
        id: rule.id,
        title: rule.title,
        tags,
        target: rule.target,
        severity: rule.severity,
        paranoia: rule.paranoia,
        points: rule.points,
        score: rule.score,
        threshold: rule.threshold,
        with: with.collect(),
    })
}

fn operation_part<'a>(view: &View<'a>, at: u32) -> Option<OperationPart<'a>> {
    let operation = view.operations.get(usize::try_from(at).ok()?)?;
    let api = view.apis.get(usize::try_from(operation.api.get()).ok()?);
    Some(OperationPart {
        api: api.map_or("", |api| view.text(api.name)),
        operation: format!("{:016x}", operation.id.get()),
        method: view.text(operation.method),
        template: view.text(operation.template),
        operation_id: view.text(operation.operation_id),
    })
}

fn origin_part<'a>(view: &View<'a>, at: u32) -> Option<OriginPart<'a>> {
    let origin = view.origins.get(usize::try_from(at).ok()?)?;
    let document = view.documents.get(usize::try_from(origin.document.get()).ok()?);
    Some(OriginPart {
        document: document.map_or("", |document| view.text(document.name)),
        line: origin.line.get(),
        column: origin.column.get(),
        pointer: view.pointer(origin),
    })
}

#[cfg(test)]
mod tests {
    use super::{Limiter, SECOND};

    #[test]
    fn a_second_takes_so_many_lines() {
        let limiter = Limiter::default();
        let admitted = |at| (0..30).filter(|_| limiter.admits(at, 20)).count();
        assert_eq!(admitted(5 * SECOND), 20);
        assert_eq!(admitted(5 * SECOND + 1), 0);
        assert_eq!(admitted(6 * SECOND), 20);
        assert_eq!(limiter.suppressed.take(), 10 + 30 + 10);
    }
}
