//! What is counted, in the text format that Prometheus reads
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). CONTROL.md has the table; a test compares.

use crate::current::{Current, Policy};
use crate::gateways::{State, state};
use crate::log;
use crate::store::GatewayRow;
use crate::transfers::{MOST, Transfers};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A gauge that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds, or takes away.
    pub fn change(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests without an identity that may ask so.
    pub denied: Counter,
    /// Bundles sent, by HTTP.
    pub fetched: Counter,
    /// Answers that the gateway has the bundle already.
    pub unchanged: Counter,
    /// Answers that there is none for the gateway.
    pub missing: Counter,
    /// Publications taken.
    pub published: Counter,
    /// Publications refused.
    pub refused: Counter,
    /// Calls that the database did not answer.
    pub store_errors: Counter,
    /// Streams of xDS now.
    pub streams: Gauge,
    /// Resources pushed, accepted and refused.
    pub pushes: Counter,
    /// Resources accepted.
    pub accepted: Counter,
    /// Resources refused.
    pub rejected: Counter,
    /// Connections now.
    pub connections: Gauge,
    /// Connections that were one too many.
    pub turned_away: Counter,
}

/// How many gateways of a policy stand how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet(BTreeMap<State, u64>);

impl Fleet {
    /// Counts the gateways of a policy.
    pub fn of(policy: &Policy, name: &str, rows: &[Arc<GatewayRow>], silent_before: i64) -> Fleet {
        let mut fleet = Fleet::default();
        for row in rows {
            fleet.count(state(policy, name, row, silent_before).0);
        }
        fleet
    }

    /// Counts one that stands so.
    pub fn count(&mut self, state: State) {
        *self.0.entry(state).or_default() += 1;
    }

    /// The numbers of all states.
    pub fn numbers(&self) -> [(State, u64); State::ALL.len()] {
        State::ALL.map(|state| (state, self.0.get(&state).copied().unwrap_or(0)))
    }
}

impl Metrics {
    /// The page.
    pub fn page(
        &self,
        current: &Current,
        transfers: &Transfers,
        store_up: bool,
        ready: bool,
        fleets: &[(String, Fleet)],
    ) -> String {
        let mut page = Page(String::new());
        page.one(
            "info",
            "gauge",
            "version=\"0.1.0\"".replace("0.1.0", env!("CARGO_PKG_VERSION")),
            1,
        );
        let plain = String::new;
        page.one("ready", "gauge", plain(), i64::from(ready));
        page.one("store_up", "gauge", plain(), i64::from(store_up));
        page.one("revision", "gauge", plain(), current.revision);
        page.one("store_errors_total", "counter", plain(), self.store_errors.get());
        page.one("denied_total", "counter", plain(), self.denied.get());
        page.one("log_lines_dropped_total", "counter", plain(), log::dropped());
        page.one("connections", "gauge", plain(), self.connections.get());
        page.one("connections_turned_away_total", "counter", plain(), self.turned_away.get());
        page.many(
            "bundle_requests_total",
            "counter",
            [
                ("sent", &self.fetched),
                ("unchanged", &self.unchanged),
                ("missing", &self.missing),
                ("busy", &transfers.busy),
            ]
            .map(|(result, counter)| (format!("result=\"{result}\""), counter.get())),
        );
        page.many(
            "publications_total",
            "counter",
            [("taken", &self.published), ("refused", &self.refused)]
                .map(|(result, counter)| (format!("result=\"{result}\""), counter.get())),
        );
        page.one("transfers", "gauge", plain(), MOST.saturating_sub(transfers.free()));
        page.one("transfers_waiting", "gauge", plain(), transfers.waiting.get());
        page.one("xds_streams", "gauge", plain(), self.streams.get());
        page.many(
            "xds_resources_total",
            "counter",
            [("pushed", &self.pushes), ("accepted", &self.accepted), ("refused", &self.rejected)]
                .map(|(result, counter)| (format!("result=\"{result}\""), counter.get())),
        );
        // Names of policies and channels need no escape: they hold no quote and no backslash.
        let channels = current.policies.iter().flat_map(|(name, policy)| {
            policy.channels.iter().filter_map(move |channel| {
                let epoch = policy.of_channel(&channel.name)?.epoch;
                Some((format!("policy=\"{name}\",channel=\"{}\"", channel.name), epoch))
            })
        });
        page.many("channel_epoch", "gauge", channels);
        let fleets = fleets.iter().flat_map(|(name, fleet)| {
            let label = |state| format!("policy=\"{name}\",state=\"{state}\"");
            fleet.numbers().map(|(state, count)| (label(state), count))
        });
        page.many("gateways", "gauge", fleets);
        page.0
    }
}

struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, labels: String, value: impl ToString) {
        self.many(name, kind, [(labels, value)]);
    }

    fn many<T: ToString>(
        &mut self,
        name: &str,
        kind: &str,
        samples: impl IntoIterator<Item = (String, T)>,
    ) {
        let _ = writeln!(self.0, "# TYPE portcullis_control_{name} {kind}");
        for (labels, value) in samples {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(self.0, "portcullis_control_{name}{labels} {}", value.to_string());
        }
    }
}
