//! What is served now, in memory: gateways get their bundles from here even while the database is away.
//!
//! The choice of a bundle is pure: a policy's channels and pins, and a gateway's id and labels.

use crate::names::Labels;
use bytes::Bytes;
use portcullis_ecds::{Configuration, Filter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The channel of every gateway that no other channel is for.
pub const STABLE: &str = "stable";
/// A percentage of 100, in the hundredths of a percent that channels count in.
pub const ALL: i64 = 10_000;

/// Everything that is served.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// Counts the changes, over all policies.
    pub revision: i64,
    /// The change that made it: who did what, and when.
    pub made_by: String,
    /// The policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// The policy that was published first: what a filter gets that nobody gave a policy.
    pub first: Option<String>,
}

/// A policy: where its bundles go.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The highest priority first, then by name; `stable` last.
    pub channels: Vec<Channel>,
    /// What is held, by target.
    pub pins: Vec<Pin>,
    /// The bundles that channels and pins lead to, by epoch.
    pub bundles: BTreeMap<i64, Arc<Stored>>,
    /// The highest epoch that was published.
    pub highest: i64,
}

/// Gateways, and the epoch that they get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// The newest epoch that was published or promoted to it.
    pub epoch: Option<i64>,
    /// What a gateway's labels must hold; every gateway where empty.
    pub labels: Labels,
    /// How many of those gateways, in hundredths of a percent.
    pub hundredths: i64,
    /// Where several channels are for a gateway, the highest counts.
    pub priority: i64,
}

/// A hold at an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What is held.
    pub target: Target,
    /// The epoch.
    pub epoch: i64,
    /// Why, in the words of who pinned it.
    pub reason: String,
    /// Who.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// What a pin holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// All gateways of a channel.
    Channel(String),
    /// Gateways with these labels, whatever their channel.
    Labels(Labels),
}

impl Target {
    /// As the database keeps it: `channel stable`, `labels region=eu`.
    pub fn key(&self) -> String {
        match self {
            Target::Channel(name) => format!("channel {name}"),
            Target::Labels(labels) => format!("labels {labels}"),
        }
    }

    /// The other way.
    pub fn of_key(key: &str) -> Option<Target> {
        match key.split_once(' ')? {
            ("channel", name) => Some(Target::Channel(name.to_owned())),
            ("labels", labels) => labels.parse().ok().map(Target::Labels),
            _ => None,
        }
    }
}

/// A bundle that is served.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its epoch.
    pub epoch: i64,
    /// The hash of its sections, as the bundle's header has it.
    pub content_hash: String,
    /// The strong entity tag of its bytes, quotes included.
    pub etag: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// By filter.
    hashes: Mutex<BTreeMap<String, Arc<str>>>,
}

/// A bundle as an xDS resource, a `TypedExtensionConfig`: what stands before the bundle's bytes, which all gateways and
/// filters share, the bytes, and what stands after them.
pub type Resource = [Bytes; 3];

impl Stored {
    /// A bundle.
    pub fn new(epoch: i64, content_hash: String, etag: String, bytes: Vec<u8>) -> Stored {
        let bytes = Bytes::from(bytes);
        Stored { epoch, content_hash, etag, bytes, hashes: Mutex::default() }
    }

    /// The version of the bundle as a resource, `HASH.EPOCH`, by the hash of its attempt 0. The same on every replica, and
    /// after a restart.
    pub fn version(&self, filter: &Filter) -> String {
        let mut made = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = made.entry(filter.name.clone()).or_insert_with(|| self.hash(filter));
        format!("{hash}.{}", self.epoch)
    }

    /// The bundle as a resource for a filter: another one for each attempt.
    pub fn resource(&self, filter: &Filter, attempt: u32) -> Resource {
        let bundle = Configuration::Bundle(&self.bytes);
        let [before, after] = portcullis_ecds::around(filter, bundle, attempt);
        [before.into(), self.bytes.clone(), after.into()]
    }

    fn hash(&self, filter: &Filter) -> Arc<str> {
        let mut hasher = blake3::Hasher::new();
        for piece in self.resource(filter, 0) {
            hasher.update(&piece);
        }
        hasher.finalize().to_hex()[..32].into()
    }
}

/// The entity tag of a bundle's bytes, signature included: a bundle signed anew is another representation.
pub fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(bytes).to_hex()[..40])
}

/// What a gateway gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The channel that is for it.
    pub channel: &'a str,
    /// The epoch.
    pub epoch: i64,
    /// Whether a pin holds it there.
    pub pinned: bool,
}

impl Policy {
    /// Puts channels and pins in the order that choices rely on.
    pub fn sort(&mut self) {
        self.channels.sort_by(|one, other| {
            let key = |it: &Channel| (it.name == STABLE, std::cmp::Reverse(it.priority));
            key(one).cmp(&key(other)).then_with(|| one.name.cmp(&other.name))
        });
        // Of several pins by label, the one that says most counts.
        self.pins.sort_by_key(|pin| match &pin.target {
            Target::Labels(labels) => (0, usize::MAX - labels.len(), pin.target.clone()),
            Target::Channel(_) => (1, 0, pin.target.clone()),
        });
    }

    /// What a gateway gets; none where nothing was published for it.
    ///
    /// A channel that `stable` has overtaken is for nobody, unless it is pinned: what is rolled back in `stable` must
    /// not live on in a canary that was forgotten.
    pub fn choose(&self, name: &str, gateway: &str, labels: &Labels) -> Option<Choice<'_>> {
        let stable = self.of_channel(STABLE).map(|choice| choice.epoch);
        // What stable has overtaken stays so where stable is pinned to something older.
        let overtaken = self.channels.iter().find(|it| it.name == STABLE).and_then(|it| it.epoch);
        let is_for = |channel: &&Channel| {
            channel.name == STABLE
                || channel.labels.hold_in(labels)
                    && within(channel.hundredths, name, &channel.name, gateway)
                    && self.of_channel(&channel.name).is_some_and(|choice| {
                        choice.pinned || Some(choice.epoch) > stable && channel.epoch > overtaken
                    })
        };
        let channel = self.channels.iter().filter(|channel| channel.epoch.is_some()).find(is_for);
        let by_label = self
            .pins
            .iter()
            .find(|pin| matches!(&pin.target, Target::Labels(wanted) if wanted.hold_in(labels)));
        if let Some(pin) = by_label {
            let channel = channel.map_or(STABLE, |channel| &channel.name);
            return Some(Choice { channel, epoch: pin.epoch, pinned: true });
        }
        self.of_channel(&channel?.name)
    }

    /// What a channel leads to: the epoch that it is pinned to, else the newest of its own and that of `stable`.
    pub fn of_channel(&self, name: &str) -> Option<Choice<'_>> {
        let channel = self.channels.iter().find(|channel| channel.name == name)?;
        if let Some(epoch) = self.pinned(name) {
            return Some(Choice { channel: &channel.name, epoch, pinned: true });
        }
        let own = channel.epoch?;
        let stable = self.channels.iter().find(|channel| channel.name == STABLE);
        let stable = stable.and_then(|stable| self.pinned(STABLE).or(stable.epoch));
        let epoch = stable.filter(|_| name != STABLE).map_or(own, |stable| stable.max(own));
        Some(Choice { channel: &channel.name, epoch, pinned: false })
    }

    fn pinned(&self, channel: &str) -> Option<i64> {
        let holds = |pin: &&Pin| matches!(&pin.target, Target::Channel(it) if it == channel);
        self.pins.iter().find(holds).map(|pin| pin.epoch)
    }
}

/// Whether a gateway is within a channel's percentage. One without an id cannot be told from others: it is within all.
fn within(hundredths: i64, policy: &str, channel: &str, gateway: &str) -> bool {
    hundredths >= ALL || !gateway.is_empty() && share(policy, channel, gateway) < hundredths
}

/// Where a gateway stands in a channel's roll-out, in 0..10,000. It depends on nothing that changes, so a larger
/// percentage adds gateways and takes none away.
fn share(policy: &str, channel: &str, gateway: &str) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for part in [policy, channel, gateway] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    let first = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    // 2⁶⁴ is so much larger than 10,000 that the remainder is even.
    (u64::from_le_bytes(first) % ALL as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str, epoch: i64, labels: &str, hundredths: i64, priority: i64) -> Channel {
        let labels = labels.parse().unwrap();
        Channel { name: name.to_owned(), epoch: Some(epoch), labels, hundredths, priority }
    }

    fn policy(channels: Vec<Channel>, pins: &[(&str, i64)]) -> Policy {
        let pin = |(key, epoch): &(&str, i64)| Pin {
            target: Target::of_key(key).unwrap(),
            epoch: *epoch,
            reason: String::new(),
            identity: String::new(),
            at: 0,
        };
        let pins = pins.iter().map(pin).collect();
        let mut policy = Policy { channels, pins, ..Policy::default() };
        policy.sort();
        policy
    }

    fn chosen(policy: &Policy, gateway: &str, labels: &str) -> (String, i64, bool) {
        let choice = policy.choose("p", gateway, &labels.parse().unwrap()).unwrap();
        (choice.channel.to_owned(), choice.epoch, choice.pinned)
    }

    #[test]
    fn a_growing_percentage_only_adds_gateways() {
        let names: Vec<String> = (0..4000).map(|n| format!("gateway-{n}")).collect();
        let mut before: Vec<&String> = Vec::new();
        for percent in [0, 1, 5, 10, 25, 50, 99, 100] {
            let stable = channel("stable", 1, "", ALL, 0);
            let canary = channel("canary", 2, "", percent * 100, 0);
            let policy = policy(vec![stable, canary], &[]);
            let now: Vec<&String> =
                names.iter().filter(|name| chosen(&policy, name, "").1 == 2).collect();
            assert!(before.iter().all(|name| now.contains(name)));
            let expected = 40.0 * percent as f64;
            assert!((now.len() as f64 - expected).abs() <= 100.0, "{percent}: {}", now.len());
            before = now;
        }
        assert_eq!(before.len(), names.len());
    }

    #[test]
    fn labels_and_priority_choose_the_channel() {
        let channels = vec![
            channel("stable", 1, "", ALL, 0),
            channel("canary", 2, "region=eu", ALL, 0),
            channel("early", 3, "region=eu,tier=test", ALL, 5),
        ];
        let policy = policy(channels, &[]);
        assert_eq!(chosen(&policy, "a", "").0, "stable");
        assert_eq!(chosen(&policy, "a", "region=us").0, "stable");
        assert_eq!(chosen(&policy, "a", "region=eu").0, "canary");
        assert_eq!(chosen(&policy, "a", "region=eu,tier=test").0, "early");
    }

    #[test]
    fn pins_hold_channels_and_gateways() {
        let channels =
            vec![channel("stable", 9, "", ALL, 0), channel("canary", 10, "tier=test", ALL, 0)];
        let pins =
            [("channel stable", 7), ("labels region=eu", 5), ("labels region=eu,tier=test", 6)];
        let policy = policy(channels, &pins);
        assert_eq!(chosen(&policy, "a", ""), ("stable".to_owned(), 7, true));
        assert_eq!(chosen(&policy, "a", "tier=test"), ("canary".to_owned(), 10, false));
        assert_eq!(chosen(&policy, "a", "region=eu"), ("stable".to_owned(), 5, true));
        assert_eq!(chosen(&policy, "a", "region=eu,tier=test"), ("canary".to_owned(), 6, true));
    }

    #[test]
    fn a_channel_that_stable_has_overtaken_is_for_nobody() {
        let of = |stable, canary, pins: &[(&str, i64)]| {
            let channels =
                vec![channel("stable", stable, "", ALL, 0), channel("canary", canary, "", ALL, 5)];
            policy(channels, pins)
        };
        assert_eq!(chosen(&of(1, 2, &[]), "a", ""), ("canary".to_owned(), 2, false));
        // Promoted, and then rolled back: everybody follows.
        assert_eq!(chosen(&of(2, 2, &[]), "a", ""), ("stable".to_owned(), 2, false));
        assert_eq!(chosen(&of(3, 2, &[]), "a", ""), ("stable".to_owned(), 3, false));
        assert_eq!(of(3, 2, &[]).of_channel("canary").unwrap().epoch, 3);
        // Held is held; a stable that is held at something older brings nothing back that it had overtaken.
        let held = of(3, 2, &[("channel canary", 2)]);
        assert_eq!(chosen(&held, "a", ""), ("canary".to_owned(), 2, true));
        let held = of(3, 2, &[("channel stable", 1)]);
        assert_eq!(chosen(&held, "a", ""), ("stable".to_owned(), 1, true));
    }

    #[test]
    fn a_gateway_without_an_id_is_within_all_only() {
        for (hundredths, expected) in [(ALL - 1, 1), (ALL, 2)] {
            let stable = channel("stable", 1, "", ALL, 0);
            let policy = policy(vec![stable, channel("canary", 2, "", hundredths, 0)], &[]);
            assert_eq!(chosen(&policy, "", "").1, expected);
        }
    }

    #[test]
    fn a_channel_without_a_bundle_is_for_nobody() {
        let mut canary = channel("canary", 2, "", ALL, 9);
        canary.epoch = None;
        let policy = policy(vec![canary, channel("stable", 1, "", ALL, 0)], &[]);
        assert_eq!(chosen(&policy, "a", "").0, "stable");
        assert_eq!(Policy::default().choose("p", "a", &Labels::default()), None);
    }
}
