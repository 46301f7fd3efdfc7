//! The counters, defined once for each VM. Names are few and fixed; OBSERVABILITY.md lists them.

use crate::host::{Host, Metric, MetricKind};
use crate::poll::answer::Failure;
use crate::refusal::Reason;
use portcullis_engine::finding::FindingCode;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing was found.
    Allow,
    /// Refused.
    Block,
    /// Would have been refused.
    Monitor,
    /// Passed unjudged, or judged in part.
    Pass,
    /// Ended before the verdict: reset by the client, or answered by Envoy.
    Undecided,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Allow, Outcome::Block, Outcome::Monitor, Outcome::Pass, Outcome::Undecided];

    /// What can become of an answer.
    const OF_ANSWERS: [Outcome; 3] = [Outcome::Allow, Outcome::Block, Outcome::Monitor];

    const fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Block => "block",
            Outcome::Monitor => "monitor",
            Outcome::Pass => "pass",
            Outcome::Undecided => "undecided",
        }
    }
}

/// Single counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// A configuration was accepted that was not known before.
    ConfigurationAccepted,
    /// A VM began to serve a configuration.
    ConfigurationActivated,
    /// A worker kept its last good bundle, or refuses everything, in place of a configuration.
    ConfigurationKept,
    /// A finding was not logged, to keep to the rate.
    LogSuppressed,
    /// A break-glass configuration that the bundle does not permit.
    BreakGlassRefused,
    /// A request that break-glass let pass.
    BreakGlassPassed,
    /// A bundle was taken from streams that still needed it: too many generations.
    GenerationRevoked,
    /// A block of counts was written by another worker in between, and was tried again.
    LimitContended,
    /// A request or an answer could not be counted.
    LimitUncounted,
    /// A count was given up for that of another caller.
    LimitEvicted,
    /// A request named no caller.
    LimitUnnamed,
    /// A client's address was not from whom the policy trusts.
    LimitAddressUntrusted,
    /// The table of counts kept its size, which the bundle wants another.
    LimitTableKept,
    /// A fetch of a bundle began.
    PollSent,
    /// A fetch brought a new bundle, which serves.
    PollUpdated,
    /// A fetch found what was fetched before.
    PollUnchanged,
    /// A service was asked about a limit.
    LimitServiceAsked,
    /// It said that a caller is beyond it.
    LimitServiceRefused,
    /// It gave no answer, or none that could be read.
    LimitServiceFailed,
    /// It was not asked, since it had given no answers.
    LimitServiceSkipped,
}

impl Event {
    const ALL: [(Event, &'static str); 20] = [
        (Event::ConfigurationAccepted, "portcullis.configuration.accepted"),
        (Event::ConfigurationActivated, "portcullis.configuration.activated"),
        (Event::ConfigurationKept, "portcullis.configuration.kept"),
        (Event::LogSuppressed, "portcullis.log.suppressed"),
        (Event::BreakGlassRefused, "portcullis.break-glass.refused"),
        (Event::BreakGlassPassed, "portcullis.break-glass.passed"),
        (Event::GenerationRevoked, "portcullis.generation.revoked"),
        (Event::LimitContended, "portcullis.limit.contended"),
        (Event::LimitUncounted, "portcullis.limit.uncounted"),
        (Event::LimitEvicted, "portcullis.limit.evicted"),
        (Event::LimitUnnamed, "portcullis.limit.unnamed"),
        (Event::LimitAddressUntrusted, "portcullis.limit.address-untrusted"),
        (Event::LimitTableKept, "portcullis.limit.table-kept"),
        (Event::PollSent, "portcullis.poll.sent"),
        (Event::PollUpdated, "portcullis.poll.updated"),
        (Event::PollUnchanged, "portcullis.poll.unchanged"),
        (Event::LimitServiceAsked, "portcullis.limit.service-asked"),
        (Event::LimitServiceRefused, "portcullis.limit.service-refused"),
        (Event::LimitServiceFailed, "portcullis.limit.service-failed"),
        (Event::LimitServiceSkipped, "portcullis.limit.service-skipped"),
    ];
}

/// The metrics of one VM.
#[derive(Debug)]
pub struct Metrics<H> {
    host: H,
    outcomes: Vec<Option<Metric>>,
    answers: Vec<Option<Metric>>,
    findings: Vec<Option<Metric>>,
    refusals: Vec<Option<Metric>>,
    failures: Vec<Option<Metric>>,
    events: Vec<Option<Metric>>,
}

impl<H: Host> Metrics<H> {
    /// Defines all metrics. Not before `on_vm_start`: hostcalls fail earlier.
    pub fn define(host: H) -> Self {
        let counter = |name: &str| host.define_metric(MetricKind::Counter, name);
        Metrics {
            outcomes: Outcome::ALL
                .iter()
                .map(|outcome| counter(&["portcullis.verdict.", outcome.name()].concat()))
                .collect(),
            answers: Outcome::OF_ANSWERS
                .iter()
                .map(|outcome| counter(&["portcullis.answer.", outcome.name()].concat()))
                .collect(),
            findings: FindingCode::ALL
                .iter()
                .map(|code| counter(&["portcullis.finding.", code.name()].concat()))
                .collect(),
            refusals: Reason::ALL
                .iter()
                .map(|reason| {
                    counter(&["portcullis.configuration.refused.", reason.name()].concat())
                })
                .collect(),
            failures: Failure::ALL
                .iter()
                .map(|(_, name)| counter(&["portcullis.poll.failed.", name].concat()))
                .collect(),
            events: Event::ALL.iter().map(|(_, name)| counter(name)).collect(),
            host,
        }
    }

    /// Counts a request.
    pub fn count(&self, outcome: Outcome) {
        self.increment(&self.outcomes, outcome as u8, 1);
    }

    /// Counts an answer that rules have judged.
    pub fn count_answer(&self, outcome: Outcome) {
        self.increment(&self.answers, outcome as u8, 1);
    }

    /// Counts a finding.
    pub fn count_finding(&self, code: FindingCode) {
        self.increment(&self.findings, code as u8, 1);
    }

    /// Counts a refused configuration.
    pub fn count_refusal(&self, reason: Reason) {
        self.increment(&self.refusals, reason as u8, 1);
    }

    /// Counts a fetch that brought no bundle.
    pub fn count_failure(&self, failure: Failure) {
        self.increment(&self.failures, failure as u8, 1);
    }

    /// Counts an event so many times.
    pub fn count_event(&self, event: Event, times: u64) {
        self.increment(&self.events, event as u8, i64::try_from(times).unwrap_or(i64::MAX));
    }

    fn increment(&self, metrics: &[Option<Metric>], index: u8, by: i64) {
        if let Some(Some(metric)) = metrics.get(usize::from(index)) {
            self.host.add_metric(*metric, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Outcome};

    #[test]
    fn places_are_the_codes() {
        assert!(Event::ALL.iter().enumerate().all(|(at, (event, _))| *event as usize == at));
        assert!(Outcome::ALL.iter().enumerate().all(|(at, outcome)| *outcome as usize == at));
    }
}
