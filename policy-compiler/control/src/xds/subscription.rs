//! One stream's state: who is there, what it asked for, what it was sent and what it made of it.
//!
//! It does no input and output, so that its tests need no network.

use super::proto::{DiscoveryRequest, Node, Push};
use crate::current::Stored;
use crate::log;
use crate::names::{GATEWAY, Labels, bounded};
use crate::service::{Service, now};
use crate::store::GatewayRow;
use portcullis_ecds::{Filter, TYPE_URL};
use prost_types::value::Kind;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Filters of one stream.
const FILTERS: usize = 16;

/// What a message of the gateway was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It accepts what was sent last.
    Accepted,
    /// It refuses what was sent last.
    Refused,
    /// It subscribes, or says nothing new.
    Other,
}

/// A stream.
#[derive(Debug, Default)]
pub struct Subscription {
    gateway: Option<Gateway>,
    filters: BTreeSet<String>,
    /// The version that the gateway has, was sent last, or refused, of whatever attempt: it is not sent again.
    version: String,
    nonce: u64,
    /// The version of what was sent last, attempt included, until that is answered.
    unanswered: Option<String>,
    /// Whether what was sent last was refused.
    refused: bool,
    /// What was sent last: policies and epochs.
    sent: Vec<(String, i64)>,
    seen: BTreeSet<String>,
    has_answered: bool,
    /// The highest epoch of each policy that the gateway has accepted. It is sent none below: Envoy says yes to what it has
    /// tried once, and the filter serves on by what it has.
    accepted: BTreeMap<String, i64>,
    /// What it is not sent for that reason, as it was told last.
    held: Vec<Held>,
    /// Which encoding of the resources it gets: another one after each refusal.
    attempt: u32,
}

/// An epoch of a policy that a gateway should have, and the higher one that it accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    policy: String,
    epoch: i64,
    accepted: i64,
}

/// What a gateway should have.
struct Wanted {
    /// `HASH.EPOCH` of each bundle, with `+` between them.
    version: String,
    /// Policies and epochs.
    sent: Vec<(String, i64)>,
    bundles: Vec<(Arc<Stored>, Filter)>,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Gateway {
    id: String,
    labels: Labels,
    version: String,
}

impl Subscription {
    /// A stream, and the number of its first attempt. That must be another one than streams before it have come to: one that
    /// ended, here or elsewhere, may have ended with a refusal.
    pub fn new(attempt: u32) -> Subscription {
        Subscription { attempt, ..Subscription::default() }
    }

    /// Who is there, once that was told; empty where the gateway has no name.
    pub fn gateway(&self) -> Option<&str> {
        self.gateway.as_ref().map(|gateway| gateway.id.as_str())
    }

    /// Whether it has answered anything that it was sent.
    pub fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Takes a message.
    pub fn take(&mut self, service: &Service, request: DiscoveryRequest) -> Reply {
        // Only the first message of a stream is sure to say who is there, whatever it asks for.
        if let Some(node) = request.node.filter(|_| self.gateway.is_none()) {
            self.gateway = Some(gateway(&node));
        }
        // Over ADS gateways ask for other kinds too, which nobody here has.
        if !request.type_url.is_empty() && request.type_url != TYPE_URL {
            return Reply::Other;
        }
        let first = self.filters.is_empty();
        let filters = request.resource_names.into_iter().filter(|name| name.len() <= GATEWAY);
        let filters: BTreeSet<String> = filters.take(FILTERS).collect();
        if filters != self.filters {
            self.filters = filters;
            self.version.clear();
        }
        if request.response_nonce.is_empty() {
            if first && !request.version_info.is_empty() {
                self.connected_anew(service, &request.version_info);
            }
            self.report(service, |_, _| {});
            return Reply::Other;
        }
        if request.response_nonce != self.nonce.to_string() {
            return Reply::Other;
        }
        let refusal = request.error_detail.map(|error| error.message);
        // Who subscribes to more or less repeats the last nonce and the version it has: that is no second answer.
        let is_yes = self.unanswered.as_ref().is_some_and(|sent| *sent == request.version_info);
        if self.unanswered.is_none() || refusal.is_none() && !is_yes {
            return Reply::Other;
        }
        self.unanswered = None;
        (self.has_answered, self.refused) = (true, refusal.is_some());
        let reply = if refusal.is_some() { Reply::Refused } else { Reply::Accepted };
        // Who connects anew and was sent nothing is not counted.
        if reply == Reply::Accepted {
            service.metrics.accepted.add();
        }
        self.answered(service, refusal);
        reply
    }

    /// Lets what was refused be sent again: the gateway's clock may have come to the bundle's time since, or its
    /// configuration to the key.
    pub fn try_again(&mut self) {
        self.refused = false;
        self.version.clear();
        self.attempt = self.attempt.wrapping_add(1);
    }

    /// A gateway that was here before names what it has: if that is what it should have, nothing is sent.
    fn connected_anew(&mut self, service: &Service, version: &str) {
        self.accepted = self.named(service, version);
        if let Some(wanted) = self.wanted(service)
            && wanted.version == without_attempts(version)
        {
            (self.version, self.sent) = (wanted.version, wanted.sent);
            self.answered(service, None);
        }
    }

    /// The epochs that a version of this service names, one for each policy that the gateway should have.
    fn named(&self, service: &Service, version: &str) -> BTreeMap<String, i64> {
        let Some(wanted) = self.wanted(service) else { return BTreeMap::new() };
        let epochs: Option<Vec<i64>> = version.split('+').map(epoch_of).collect();
        let epochs = epochs.filter(|epochs| epochs.len() == wanted.sent.len());
        let policies = wanted.sent.into_iter().map(|(policy, _)| policy);
        policies.zip(epochs.unwrap_or_default()).collect()
    }

    fn answered(&mut self, service: &Service, refusal: Option<String>) {
        let sent = self.sent.clone();
        let epoch =
            |policy: &str| sent.iter().find(|(of, _)| of == policy).map(|(_, epoch)| *epoch);
        match refusal {
            None => {
                for (policy, epoch) in &sent {
                    let highest = self.accepted.entry(policy.clone()).or_insert(*epoch);
                    *highest = (*highest).max(*epoch);
                }
                self.held.clear();
                self.report(service, |policy, row| {
                    row.accepted = epoch(policy).or(row.accepted);
                    (row.refused_epoch, row.refused_reason) = (None, String::new());
                });
            }
            Some(why) => {
                service.metrics.rejected.add();
                let why = bounded(&why, 300);
                log::of_strangers(
                    "warn",
                    "a gateway refuses a bundle",
                    json!({ "gateway": self.gateway(), "sent": sent, "why": why }),
                );
                self.report(service, |policy, row| {
                    (row.refused_epoch, row.refused_reason) = (epoch(policy), why.clone());
                });
            }
        }
    }

    /// Whether there is something to send.
    pub fn wants(&self, service: &Service) -> bool {
        let is_new = |it: &Wanted| !it.bundles.is_empty() && it.version != self.version;
        self.wanted(service).is_some_and(|it| is_new(&it) || it.held != self.held)
    }

    /// What to send now; none where the gateway has it, or there is nothing for it yet.
    pub fn next(&mut self, service: &Service) -> Option<Push> {
        // All is sent again to who subscribes to more or less, and Envoy says yes to what equals what it refused.
        if self.refused && self.version.is_empty() {
            self.try_again();
        }
        let Wanted { version, sent, bundles, held } = self.wanted(service)?;
        self.hold(service, held);
        if bundles.is_empty() || version == self.version {
            return None;
        }
        self.nonce += 1;
        self.version.clone_from(&version);
        let version = with_attempts(&version, self.attempt);
        let encode =
            |(stored, filter): &(Arc<Stored>, Filter)| stored.resource(filter, self.attempt);
        let resources = bundles.iter().map(encode).collect();
        self.sent = sent;
        (self.unanswered, self.refused) = (Some(version.clone()), false);
        Some(Push { version, nonce: self.nonce.to_string(), resources })
    }

    /// Notes what the gateway is not sent, as if it had refused it.
    fn hold(&mut self, service: &Service, held: Vec<Held>) {
        if held == self.held {
            return;
        }
        self.report(service, |policy, row| {
            if let Some(held) = held.iter().find(|it| it.policy == policy) {
                let why = format!("it has epoch {}, and takes none below", held.accepted);
                (row.refused_epoch, row.refused_reason) = (Some(held.epoch), why);
            }
        });
        self.held = held;
    }

    /// Notes that the gateway is still there.
    pub fn alive(&self, service: &Service) {
        let Some(gateway) = &self.gateway else { return };
        for policy in &self.seen {
            service.gateways.change(policy, &gateway.id, |row| {
                (row.connected, row.last_contact) = (true, now());
            });
        }
    }

    /// Notes that the gateway is gone.
    pub fn end(&self, service: &Service) {
        let Some(gateway) = &self.gateway else { return };
        for policy in &self.seen {
            service.gateways.change(policy, &gateway.id, |row| {
                (row.connected, row.last_contact) = (false, now());
            });
        }
    }

    /// What the gateway should have.
    fn wanted(&self, service: &Service) -> Option<Wanted> {
        let gateway = self.gateway.as_ref()?;
        let current = service.current();
        let (mut bundles, mut versions, mut sent, mut held) = (vec![], vec![], vec![], vec![]);
        for name in &self.filters {
            let Some((filter, policy)) = service.policy_of(name, gateway.labels.get("policy"))
            else {
                continue;
            };
            let Some(of) = current.policies.get(&policy) else { continue };
            let Some(choice) = of.choose(&policy, &gateway.id, &gateway.labels) else { continue };
            let accepted = self.accepted.get(&policy).copied().unwrap_or(choice.epoch);
            let epoch = choice.epoch.max(accepted);
            if choice.epoch < accepted {
                held.push(Held { policy: policy.clone(), epoch: choice.epoch, accepted });
            }
            let Some(stored) = of.bundles.get(&epoch) else { continue };
            versions.push(stored.version(&filter));
            bundles.push((Arc::clone(stored), filter));
            sent.push((policy, epoch));
        }
        Some(Wanted { version: versions.join("+"), sent, bundles, held })
    }

    /// Keeps what is known of it, if the gateway has a name: those that have none would be one to whoever reads the status.
    fn report(&mut self, service: &Service, change: impl Fn(&str, &mut GatewayRow)) {
        let Some(gateway) = self.gateway.as_ref().filter(|it| !it.id.is_empty()) else { return };
        let current = service.current();
        for name in &self.filters {
            let Some((_, policy)) = service.policy_of(name, gateway.labels.get("policy")) else {
                continue;
            };
            if !current.policies.contains_key(&policy) {
                continue;
            }
            let mut row = service.row(&policy, &gateway.id, "xds");
            row.labels = gateway.labels.to_string();
            row.version = gateway.version.clone();
            row.connected = true;
            (row.workers, row.channel) = (String::new(), String::new());
            change(&policy, &mut row);
            service.gateways.report(row);
            self.seen.insert(policy);
        }
    }
}

/// A version as it is sent: `HASH.EPOCH.ATTEMPT` of each bundle.
fn with_attempts(version: &str, attempt: u32) -> String {
    let parts = version.split('+').map(|part| format!("{part}.{attempt}"));
    parts.collect::<Vec<_>>().join("+")
}

/// The other way.
fn without_attempts(version: &str) -> String {
    let parts = version.split('+').map(|part| part.rsplit_once('.').map_or(part, |(it, _)| it));
    parts.collect::<Vec<_>>().join("+")
}

/// The epoch of one part of a version, `HASH.EPOCH.ATTEMPT`; another service's versions have none.
fn epoch_of(version: &str) -> Option<i64> {
    let parts: Vec<&str> = version.split('.').collect();
    let [hash, epoch, _] = parts[..] else { return None };
    let is_hash = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    epoch.parse().ok().filter(|_| is_hash)
}

fn gateway(node: &Node) -> Gateway {
    let number = node.user_agent_build_version.as_ref().and_then(|it| it.version.as_ref());
    let number = number
        .map(|it| format!("/{}.{}.{}", it.major_number, it.minor_number, it.patch))
        .unwrap_or_default();
    let version = bounded(&format!("{}{number}", node.user_agent_name), 64);
    Gateway { id: bounded(&node.id, GATEWAY), labels: labels(node).unwrap_or_default(), version }
}

/// `metadata.portcullis.labels`: a map, or text as on the command line. A pair that is wrong is left out.
fn labels(node: &Node) -> Option<Labels> {
    let portcullis = node.metadata.as_ref()?.fields.get("portcullis")?;
    let Some(Kind::StructValue(portcullis)) = &portcullis.kind else { return None };
    let mut labels = Labels::default();
    match portcullis.fields.get("labels")?.kind.as_ref()? {
        Kind::StructValue(pairs) => {
            for (key, value) in &pairs.fields {
                let value = match &value.kind {
                    Some(Kind::StringValue(text)) => text.clone(),
                    Some(Kind::NumberValue(number)) => number.to_string(),
                    Some(Kind::BoolValue(value)) => value.to_string(),
                    _ => continue,
                };
                // A label that no selector can name selects nothing.
                let _ = labels.add(key, &value);
            }
        }
        Kind::StringValue(text) => labels = text.parse().unwrap_or_default(),
        _ => {}
    }
    Some(labels)
}

#[cfg(test)]
mod tests;
