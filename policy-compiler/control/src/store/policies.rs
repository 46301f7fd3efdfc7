//! Publishing, roll-outs and pins: what the database holds of policies.

use super::{Sql, StoreError, Value, records};
use crate::current::{ALL, Channel, Current, Pin, Policy, STABLE, Stored, Target};
use crate::log;
use crate::names::Labels;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Policies, and channels and pins of each: all of what they lead to is kept in memory.
const POLICIES: i64 = 256;
const CHANNELS: i64 = 16;
const PINS: i64 = 64;
/// Bundles of a policy that are kept although nothing leads to them any more.
const KEPT: i64 = 200;
/// What the history calls the end of a policy.
const REMOVE_POLICY: &str = "remove-policy";

/// A bundle to publish: verified already.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Whose bundle it is.
    pub policy: String,
    /// Where it goes.
    pub channel: String,
    /// Which gateways the channel is for from now on; what is none stays as it is.
    pub labels: Option<Labels>,
    /// How many of them, in hundredths of a percent.
    pub hundredths: Option<i64>,
    /// Its epoch.
    pub epoch: i64,
    /// The name of the policy inside it.
    pub name: String,
    /// The hash of its sections.
    pub content_hash: String,
    /// The tag of its bytes.
    pub etag: String,
    /// Who signed it; empty where nobody did.
    pub key_id: String,
    /// For whom it is; empty for gateways without an audience.
    pub audience: String,
    /// From when on it may be activated, in Unix seconds.
    pub not_before: Option<i64>,
    /// Until when.
    pub not_after: Option<i64>,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Who publishes it.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// What publishing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The bundle was not there before.
    New,
    /// The channel leads to it already: nothing changed.
    Known,
    /// The bundle was there; its signature or the channel is new.
    Changed,
}

/// A channel to lead to a bundle that is there.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The policy.
    pub policy: String,
    /// The channel.
    pub channel: String,
    /// The epoch.
    pub epoch: i64,
    /// Who asks.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// Which gateways a channel is for. What is none stays as it is.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The policy.
    pub policy: String,
    /// The channel.
    pub channel: String,
    /// What gateways' labels must hold.
    pub labels: Option<Labels>,
    /// How many of them, in hundredths of a percent.
    pub hundredths: Option<i64>,
    /// Which channel counts where several are for a gateway.
    pub priority: Option<i64>,
    /// Who asks.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// A channel to remove.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The policy.
    pub policy: String,
    /// The channel.
    pub channel: String,
    /// Who asks.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// A policy to remove.
#[derive(Clone, Debug)]
pub struct RemovedPolicy {
    /// The policy.
    pub policy: String,
    /// A gateway that this replica has heard of, if there is one.
    pub heard_of: Option<String>,
    /// Gateways that were not heard of since are forgotten, in Unix seconds. One that is silent may be served still.
    pub since: i64,
    /// Who asks.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// A pin, or its end.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// The policy.
    pub policy: String,
    /// What is held or released.
    pub target: Target,
    /// The epoch; none releases.
    pub epoch: Option<i64>,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub identity: String,
    /// When, in Unix seconds.
    pub at: i64,
}

pub(super) fn publish(sql: &mut dyn Sql, it: &Publication) -> Result<Published, StoreError> {
    let outcome = keep(sql, it)?;
    // Before the channel leads to the bundle: no gateway beyond the percentage may see it even for a moment.
    let rolled_out = it.labels.is_some() || it.hundredths.is_some();
    if rolled_out {
        roll_out(
            sql,
            &Rollout {
                policy: it.policy.clone(),
                channel: it.channel.clone(),
                labels: it.labels.clone(),
                hundredths: it.hundredths,
                priority: None,
                identity: it.identity.clone(),
                at: it.at,
            },
        )?;
    }
    let before = channel_epoch(sql, &it.policy, &it.channel)?;
    if outcome == Published::Known && before == Some(it.epoch) {
        return Ok(if rolled_out { Published::Changed } else { Published::Known });
    }
    let revision = next_revision(sql)?;
    lead(sql, &it.policy, &it.channel, before, it.epoch, it.at)?;
    prune(sql, &it.policy)?;
    let detail = json!({
        "content_hash": it.content_hash, "key_id": it.key_id, "audience": it.audience,
        "not_before": it.not_before, "not_after": it.not_after, "before": before,
    });
    let entry = Entry { action: "publish", target: &it.channel, epoch: Some(it.epoch), detail };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)?;
    Ok(if outcome == Published::Known { Published::Changed } else { outcome })
}

/// Stores the bundle, unless it is there.
fn keep(sql: &mut dyn Sql, it: &Publication) -> Result<Published, StoreError> {
    lock(sql)?;
    let (policy, epoch) = (Value::from(&*it.policy), Value::from(it.epoch));
    let known = sql.query(
        "SELECT content_hash, etag FROM bundles WHERE policy = $1 AND epoch = $2",
        &[policy.clone(), epoch.clone()],
    )?;
    if let Some(mut row) = known.into_iter().next() {
        let (content_hash, etag) = (row.text(), row.text());
        if content_hash != it.content_hash {
            return Err(StoreError::Conflict(format!(
                "epoch {} was published with other content: compile it with a higher one",
                it.epoch
            )));
        }
        if etag == it.etag {
            return Ok(Published::Known);
        }
        // The same content, signed by another key, which gateways that change keys wait for; or for another audience or
        // time, of which the content's hash says nothing. Its bytes are those of all that leads to the epoch.
        if let Some(other) = also_leads(sql, it)? {
            return Err(StoreError::Conflict(format!(
                "{other} leads to epoch {} too, and would change: publish what is signed anew, or for another audience \
                 or time, to `{STABLE}` where nothing is pinned to that epoch, or under a higher one",
                it.epoch
            )));
        }
        sql.execute(
            "UPDATE bundles SET etag = $1, key_id = $2, audience = $3, not_before = $4, not_after = $5, size = $6
             WHERE policy = $7 AND epoch = $8",
            &[
                (&*it.etag).into(),
                (&*it.key_id).into(),
                (&*it.audience).into(),
                it.not_before.into(),
                it.not_after.into(),
                (it.content.len() as i64).into(),
                policy.clone(),
                epoch.clone(),
            ],
        )?;
        sql.execute(
            "UPDATE contents SET content = $1 WHERE policy = $2 AND epoch = $3",
            &[Value::Bytes(it.content.clone()), policy, epoch],
        )?;
        return Ok(Published::Changed);
    }
    let highest = match highest(sql, &it.policy)? {
        Some(highest) => Some(highest),
        None => {
            let count = "SELECT COUNT(*) FROM policies WHERE name <> $1";
            bounded(sql, count, std::slice::from_ref(&policy), POLICIES, "policies")?;
            // Counted, not timed: the clocks of replicas may differ.
            sql.execute(
                "INSERT INTO policies (name, since)
                 SELECT $1, COALESCE(MAX(since), 0) + 1 FROM policies WHERE 1 = 1 ON CONFLICT (name) DO NOTHING",
                std::slice::from_ref(&policy),
            )?;
            highest_removed(sql, &it.policy)?
        }
    };
    if let Some(highest) = highest.filter(|highest| *highest >= it.epoch) {
        return Err(StoreError::Conflict(format!(
            "epoch {} is not above {highest}, the highest that was published",
            it.epoch
        )));
    }
    sql.execute(
        "INSERT INTO bundles (policy, epoch, content_hash, etag, name, key_id, audience, not_before, not_after,
             size, identity, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            policy.clone(),
            epoch.clone(),
            (&*it.content_hash).into(),
            (&*it.etag).into(),
            (&*it.name).into(),
            (&*it.key_id).into(),
            (&*it.audience).into(),
            it.not_before.into(),
            it.not_after.into(),
            (it.content.len() as i64).into(),
            (&*it.identity).into(),
            it.at.into(),
        ],
    )?;
    sql.execute(
        "INSERT INTO contents (policy, epoch, content) VALUES ($1, $2, $3)",
        &[policy, epoch, Value::Bytes(it.content.clone())],
    )?;
    Ok(Published::New)
}

/// What leads to a publication's epoch besides its channel. What is published to `stable` is for the gateways of every
/// channel that does not lead to more, so there only a pin counts.
fn also_leads(sql: &mut dyn Sql, it: &Publication) -> Result<Option<String>, StoreError> {
    let (policy, epoch) = (Value::from(&*it.policy), Value::from(it.epoch));
    let pins = "SELECT target FROM pins WHERE policy = $1 AND epoch = $2 ORDER BY target LIMIT 1";
    if let Some(mut row) = sql.query(pins, &[policy.clone(), epoch.clone()])?.pop() {
        return Ok(Some(format!("the pin of {}", row.text())));
    }
    if it.channel == STABLE {
        return Ok(None);
    }
    let channels = "SELECT name FROM channels WHERE policy = $1 AND epoch = $2 AND name <> $3
                    ORDER BY name LIMIT 1";
    let row = sql.query(channels, &[policy, epoch, (&*it.channel).into()])?.pop();
    Ok(row.map(|mut row| format!("`{}`", row.text())))
}

pub(super) fn assign(sql: &mut dyn Sql, it: &Assigned) -> Result<(), StoreError> {
    lock(sql)?;
    must_exist(sql, &it.policy, it.epoch)?;
    let before = channel_epoch(sql, &it.policy, &it.channel)?;
    if before == Some(it.epoch) {
        return Ok(());
    }
    let revision = next_revision(sql)?;
    lead(sql, &it.policy, &it.channel, before, it.epoch, it.at)?;
    let detail = json!({ "before": before });
    let entry = Entry { action: "promote", target: &it.channel, epoch: Some(it.epoch), detail };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)
}

pub(super) fn roll_out(sql: &mut dyn Sql, it: &Rollout) -> Result<(), StoreError> {
    let revision = next_revision(sql)?;
    if it.channel == STABLE {
        return Err(StoreError::Conflict(format!(
            "`{STABLE}` is for every gateway that no other channel is for: a part of them needs a channel of its own"
        )));
    }
    if highest(sql, &it.policy)?.is_none() {
        let told = format!("no policy is called `{}`: publish its first bundle", it.policy);
        return Err(StoreError::NotFound(told));
    }
    make_channel(sql, &it.policy, &it.channel, it.at)?;
    let (policy, channel) = (Value::from(&*it.policy), Value::from(&*it.channel));
    let mut change = |column: &str, value: Value| {
        let statement = format!(
            "UPDATE channels SET {column} = $1, updated_at = $2 WHERE policy = $3 AND name = $4"
        );
        sql.execute(&statement, &[value, it.at.into(), policy.clone(), channel.clone()])
    };
    if let Some(labels) = &it.labels {
        change("labels", Value::Text(labels.to_string()))?;
    }
    if let Some(hundredths) = it.hundredths {
        change("hundredths", hundredths.clamp(0, ALL).into())?;
    }
    if let Some(priority) = it.priority {
        change("priority", priority.into())?;
    }
    let detail = json!({
        "labels": it.labels.as_ref().map(ToString::to_string),
        "percentage": it.hundredths.map(|it| it as f64 / 100.0),
        "priority": it.priority,
    });
    let entry = Entry { action: "rollout", target: &it.channel, epoch: None, detail };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)
}

/// Removes a channel that is for nobody: no gateway may be led back by it.
pub(super) fn remove(sql: &mut dyn Sql, it: &Removed) -> Result<(), StoreError> {
    let revision = next_revision(sql)?;
    if it.channel == STABLE {
        return Err(StoreError::Conflict(format!("`{STABLE}` is for every gateway: it stays")));
    }
    let (policy, name) = (Value::from(&*it.policy), Value::from(&*it.channel));
    let query = "SELECT epoch, hundredths FROM channels WHERE policy = $1 AND name = $2";
    let row = sql.query(query, &[policy.clone(), name.clone()])?.pop();
    let Some(mut row) = row else { return Err(no_channel(sql, &it.policy, &it.channel)?) };
    let (epoch, hundredths) = (row.optional(), row.int());
    if pinned_at(sql, &it.policy, &Target::Channel(it.channel.clone()))?.is_some() {
        return Err(StoreError::Conflict(format!("`{}` is pinned: release it first", it.channel)));
    }
    let stable = channel_epoch(sql, &it.policy, STABLE)?;
    if let Some(epoch) = epoch.filter(|epoch| hundredths > 0 && Some(*epoch) > stable) {
        return Err(StoreError::Conflict(format!(
            "gateways of `{}` are led to epoch {epoch}, which `{STABLE}` has not come to, and take no lower one: promote it, \
             or roll the channel out to 0 % first",
            it.channel
        )));
    }
    sql.execute("DELETE FROM channels WHERE policy = $1 AND name = $2", &[policy, name])?;
    prune(sql, &it.policy)?;
    let detail = json!({ "before": epoch });
    let entry = Entry { action: "remove", target: &it.channel, epoch: None, detail };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)
}

/// Removes a policy that is for nobody: no gateway that is there may lose what it is served by.
pub(super) fn remove_policy(sql: &mut dyn Sql, it: &RemovedPolicy) -> Result<(), StoreError> {
    let revision = next_revision(sql)?;
    let Some(highest) = highest(sql, &it.policy)? else {
        return Err(StoreError::NotFound(format!("no policy is called `{}`", it.policy)));
    };
    let policy = Value::from(&*it.policy);
    let pins = "SELECT target FROM pins WHERE policy = $1 ORDER BY target LIMIT 1";
    if let Some(pin) = first(sql, pins, std::slice::from_ref(&policy))? {
        let told = format!("`{}` has a pin of {pin}: release it first", it.policy);
        return Err(StoreError::Conflict(told));
    }
    let channels =
        "SELECT name FROM channels WHERE policy = $1 AND name <> $2 ORDER BY name LIMIT 1";
    if let Some(channel) = first(sql, channels, &[policy.clone(), STABLE.into()])? {
        let told = format!("`{}` has the channel `{channel}`: remove it first", it.policy);
        return Err(StoreError::Conflict(told));
    }
    let gateways = "SELECT gateway FROM gateways WHERE policy = $1 AND last_contact >= $2
                    ORDER BY gateway LIMIT 1";
    let heard_of = match &it.heard_of {
        Some(gateway) => Some(gateway.clone()),
        None => first(sql, gateways, &[policy.clone(), it.since.into()])?,
    };
    if let Some(gateway) = heard_of {
        return Err(StoreError::Conflict(format!(
            "`{gateway}` was heard of, and may be served by `{}`: that counts until `serve --forget-after`",
            it.policy
        )));
    }
    for (table, column) in [
        ("contents", "policy"),
        ("bundles", "policy"),
        ("channels", "policy"),
        ("policies", "name"),
    ] {
        let statement = format!("DELETE FROM {table} WHERE {column} = $1");
        sql.execute(&statement, std::slice::from_ref(&policy))?;
    }
    let entry =
        Entry { action: REMOVE_POLICY, target: "", epoch: Some(highest), detail: json!({}) };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)
}

/// The highest epoch of policies of this name that were removed: gateways may have it.
fn highest_removed(sql: &mut dyn Sql, policy: &str) -> Result<Option<i64>, StoreError> {
    let query = "SELECT MAX(epoch) FROM history WHERE policy = $1 AND action = $2";
    let row = sql.query(query, &[policy.into(), REMOVE_POLICY.into()])?.pop();
    Ok(row.and_then(|mut row| row.optional()))
}

/// The text that comes first, if there is any.
fn first(sql: &mut dyn Sql, query: &str, values: &[Value]) -> Result<Option<String>, StoreError> {
    Ok(sql.query(query, values)?.into_iter().next().map(|mut row| row.text()))
}

/// That a channel is not there, and which are.
fn no_channel(sql: &mut dyn Sql, policy: &str, channel: &str) -> Result<StoreError, StoreError> {
    let query = "SELECT name FROM channels WHERE policy = $1 ORDER BY name";
    let rows = sql.query(query, &[policy.into()])?;
    let names: Vec<String> = rows.into_iter().map(|mut row| format!("`{}`", row.text())).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Ok(StoreError::NotFound(format!("`{policy}` has no channel `{channel}`; it has {known}")))
}

pub(super) fn pin(sql: &mut dyn Sql, it: &Pinned) -> Result<(), StoreError> {
    let revision = next_revision(sql)?;
    let key = it.target.key();
    let (policy, target) = (Value::from(&*it.policy), Value::from(&*key));
    let action = if let Some(epoch) = it.epoch {
        must_exist(sql, &it.policy, epoch)?;
        // What would be served without the pin: released, nobody must go back.
        let own = match &it.target {
            Target::Channel(name) if !has_channel(sql, &it.policy, name)? => {
                return Err(no_channel(sql, &it.policy, name)?);
            }
            Target::Channel(name) => channel_epoch(sql, &it.policy, name)?,
            // Whatever the channels of these gateways, `stable` is what all of them have at least.
            Target::Labels(_) => None,
        };
        let held = Target::Channel(STABLE.to_owned());
        let stable = match pinned_at(sql, &it.policy, &held)? {
            Some(pinned) if it.target != held => Some(pinned),
            _ => channel_epoch(sql, &it.policy, STABLE)?,
        };
        if own.max(stable) < Some(epoch) {
            let what = match &it.target {
                Target::Channel(name) => name,
                Target::Labels(_) => STABLE,
            };
            return Err(StoreError::Conflict(format!(
                "`{what}` has not come to epoch {epoch}: publish or promote it there first, or gateways would be led back \
                 when the pin is released"
            )));
        }
        // One that is there already is changed.
        let others = "SELECT COUNT(*) FROM pins WHERE policy = $1 AND target <> $2";
        bounded(sql, others, &[policy.clone(), target.clone()], PINS, "pins")?;
        sql.execute(
            "INSERT INTO pins (policy, target, epoch, reason, identity, pinned_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (policy, target) DO UPDATE SET epoch = excluded.epoch, reason = excluded.reason,
                 identity = excluded.identity, pinned_at = excluded.pinned_at",
            &[policy, target, epoch.into(), (&*it.reason).into(), (&*it.identity).into(), it.at.into()],
        )?;
        "pin"
    } else {
        let released =
            sql.execute("DELETE FROM pins WHERE policy = $1 AND target = $2", &[policy, target])?;
        if released == 0 {
            return Err(StoreError::NotFound(format!("{key} is not pinned")));
        }
        "unpin"
    };
    let detail = json!({ "reason": it.reason });
    let entry = Entry { action, target: &key, epoch: it.epoch, detail };
    write_history(sql, revision, &it.policy, (&it.identity, it.at), entry)
}

/// The tag of a bundle, and its length.
pub(super) fn described(
    sql: &mut dyn Sql,
    policy: &str,
    epoch: i64,
) -> Result<(String, usize), StoreError> {
    let query = "SELECT etag, size FROM bundles WHERE policy = $1 AND epoch = $2";
    let row = sql.query(query, &[policy.into(), epoch.into()])?.pop();
    let mut row = row.ok_or_else(|| missing(policy, epoch))?;
    Ok((row.text(), usize::try_from(row.int()).unwrap_or_default()))
}

pub(super) fn content(sql: &mut dyn Sql, policy: &str, epoch: i64) -> Result<Vec<u8>, StoreError> {
    let query = "SELECT content FROM contents WHERE policy = $1 AND epoch = $2";
    let row = sql.query(query, &[policy.into(), epoch.into()])?.pop();
    Ok(row.ok_or_else(|| missing(policy, epoch))?.bytes())
}

fn missing(policy: &str, epoch: i64) -> StoreError {
    StoreError::NotFound(format!("`{policy}` has no bundle of epoch {epoch}"))
}

/// Bundles by policy and epoch; none where the database has lost one.
pub(super) type Kept = BTreeMap<(String, i64), Option<Arc<Stored>>>;

/// What one look at the database gives.
pub(super) struct Look {
    /// The state, as far as its bundles are in the older one or among those kept.
    pub current: Current,
    /// Policies and epochs of the other bundles.
    pub missing: Vec<(String, i64)>,
}

/// What is served now; none where nothing has changed.
pub(super) fn load(
    sql: &mut dyn Sql,
    older: &Current,
    kept: &Kept,
) -> Result<Option<Look>, StoreError> {
    let (revision, made_by) = revision(sql)?;
    if revision == older.revision && made_by == older.made_by {
        return Ok(None);
    }
    let mut current = Current { revision, made_by, ..Current::default() };
    for mut row in sql.query("SELECT policy, MAX(epoch) FROM bundles GROUP BY policy", &[])? {
        let name = row.text();
        current.policies.insert(name, Policy { highest: row.int(), ..Policy::default() });
    }
    let first = sql.query("SELECT name FROM policies ORDER BY since, name LIMIT 1", &[])?.pop();
    current.first = first.map(|mut row| row.text());
    let channels = "SELECT policy, name, epoch, labels, hundredths, priority FROM channels";
    for mut row in sql.query(channels, &[])? {
        let policy = current.policies.entry(row.text()).or_default();
        policy.channels.push(Channel {
            name: row.text(),
            epoch: row.optional(),
            labels: row.text().parse().unwrap_or_default(),
            hundredths: row.int(),
            priority: row.int(),
        });
    }
    let pins = "SELECT policy, target, epoch, reason, identity, pinned_at FROM pins";
    for mut row in sql.query(pins, &[])? {
        let policy = current.policies.entry(row.text()).or_default();
        let Some(target) = Target::of_key(&row.text()) else { continue };
        let (epoch, reason, identity) = (row.int(), row.text(), row.text());
        policy.pins.push(Pin { target, epoch, reason, identity, at: row.int() });
    }
    let mut missing = Vec::new();
    for (name, policy) in &mut current.policies {
        policy.sort();
        let epochs = take_bundles(sql, name, policy, older.policies.get(name), kept)?;
        missing.extend(epochs.into_iter().map(|epoch| (name.clone(), epoch)));
    }
    Ok(Some(Look { current, missing }))
}

/// The revision, and the change that made it: a database that was restored, or that lost its last changes when another server
/// took over, comes to the same number by another change.
fn revision(sql: &mut dyn Sql) -> Result<(i64, String), StoreError> {
    let query = "SELECT m.value, h.at, h.policy, h.identity, h.action, h.target, h.epoch, h.detail
                 FROM meta m LEFT JOIN history h ON h.id = m.value WHERE m.key = 'revision'";
    let Some(mut row) = sql.query(query, &[])?.pop() else { return Ok((0, String::new())) };
    let (revision, at) = (row.int(), row.int());
    let [policy, identity, action, target] = [(); 4].map(|()| row.text());
    let (epoch, detail) = (row.int(), row.text());
    Ok((revision, format!("{at} {policy} {identity} {action} {target} {epoch} {detail}")))
}

/// Takes the bundles that channels and pins lead to, and gives the epochs of those that are neither in the older state nor kept.
fn take_bundles(
    sql: &mut dyn Sql,
    name: &str,
    policy: &mut Policy,
    older: Option<&Policy>,
    kept: &Kept,
) -> Result<Vec<i64>, StoreError> {
    let mut epochs: Vec<i64> = policy.channels.iter().filter_map(|it| it.epoch).collect();
    epochs.extend(policy.pins.iter().map(|pin| pin.epoch));
    epochs.sort_unstable();
    epochs.dedup();
    let mut missing = Vec::new();
    for epoch in epochs {
        let query = "SELECT etag FROM bundles WHERE policy = $1 AND epoch = $2";
        let Some(mut row) = sql.query(query, &[name.into(), epoch.into()])?.pop() else { continue };
        let etag = row.text();
        let kept = kept.get(&(name.to_owned(), epoch));
        let known = kept.and_then(Option::as_ref);
        let known = known.or_else(|| older.and_then(|older| older.bundles.get(&epoch)));
        if let Some(known) = known.filter(|known| known.etag == etag) {
            policy.bundles.insert(epoch, Arc::clone(known));
        } else if let Some(None) = kept {
            // Half a restored backup: nobody gets this one, and everything else goes on.
            let fields = json!({ "policy": name, "epoch": epoch });
            log::warn("a bundle is not in the database", fields);
        } else {
            missing.push(epoch);
        }
    }
    Ok(missing)
}

/// A bundle to serve; none where the database has lost it.
pub(super) fn bundle(
    sql: &mut dyn Sql,
    policy: &str,
    epoch: i64,
) -> Result<Option<Arc<Stored>>, StoreError> {
    let query = "SELECT b.content_hash, b.etag, c.content FROM bundles b, contents c
                 WHERE b.policy = $1 AND b.epoch = $2 AND c.policy = b.policy AND c.epoch = b.epoch";
    let row = sql.query(query, &[policy.into(), epoch.into()])?.pop();
    Ok(row.map(|mut row| {
        let (content_hash, etag) = (row.text(), row.text());
        Arc::new(Stored::new(epoch, content_hash, etag, row.bytes()))
    }))
}

/// Takes the right to write until the transaction ends.
fn lock(sql: &mut dyn Sql) -> Result<(), StoreError> {
    sql.execute("UPDATE meta SET value = value WHERE key = 'revision'", &[]).map(drop)
}

/// Takes the next revision, and with it the right to write until the transaction ends.
fn next_revision(sql: &mut dyn Sql) -> Result<i64, StoreError> {
    let statement = "UPDATE meta SET value = value + 1 WHERE key = 'revision' RETURNING value";
    let row = sql.query(statement, &[])?.pop();
    row.map(|mut row| row.int())
        .ok_or_else(|| StoreError::Unavailable("the table `meta` has no revision".to_owned()))
}

fn highest(sql: &mut dyn Sql, policy: &str) -> Result<Option<i64>, StoreError> {
    let row = sql.query("SELECT MAX(epoch) FROM bundles WHERE policy = $1", &[policy.into()])?;
    Ok(row.into_iter().next().and_then(|mut row| row.optional()))
}

fn must_exist(sql: &mut dyn Sql, policy: &str, epoch: i64) -> Result<(), StoreError> {
    let query = "SELECT epoch FROM bundles WHERE policy = $1 AND epoch = $2";
    if sql.query(query, &[policy.into(), epoch.into()])?.is_empty() {
        return Err(missing(policy, epoch));
    }
    Ok(())
}

/// The epoch that something is held at.
fn pinned_at(sql: &mut dyn Sql, policy: &str, target: &Target) -> Result<Option<i64>, StoreError> {
    let query = "SELECT epoch FROM pins WHERE policy = $1 AND target = $2";
    let row = sql.query(query, &[policy.into(), (&*target.key()).into()])?.pop();
    Ok(row.map(|mut row| row.int()))
}

fn channel_epoch(
    sql: &mut dyn Sql,
    policy: &str,
    channel: &str,
) -> Result<Option<i64>, StoreError> {
    let query = "SELECT epoch FROM channels WHERE policy = $1 AND name = $2";
    let row = sql.query(query, &[policy.into(), channel.into()])?.pop();
    Ok(row.and_then(|mut row| row.optional()))
}

fn has_channel(sql: &mut dyn Sql, policy: &str, channel: &str) -> Result<bool, StoreError> {
    let query = "SELECT name FROM channels WHERE policy = $1 AND name = $2";
    Ok(!sql.query(query, &[policy.into(), channel.into()])?.is_empty())
}

/// Makes a channel: `stable` is for all, any other for none until it is rolled out.
fn make_channel(sql: &mut dyn Sql, policy: &str, channel: &str, at: i64) -> Result<(), StoreError> {
    if has_channel(sql, policy, channel)? {
        return Ok(());
    }
    let count = "SELECT COUNT(*) FROM channels WHERE policy = $1";
    bounded(sql, count, &[policy.into()], CHANNELS, "channels")?;
    let hundredths = if channel == STABLE { ALL } else { 0 };
    sql.execute(
        "INSERT INTO channels (policy, name, epoch, labels, hundredths, priority, updated_at)
         VALUES ($1, $2, NULL, '', $3, 0, $4)",
        &[policy.into(), channel.into(), hundredths.into(), at.into()],
    )?;
    Ok(())
}

/// Lets a channel lead to an epoch, which may not be lower than the one before.
fn lead(
    sql: &mut dyn Sql,
    policy: &str,
    channel: &str,
    before: Option<i64>,
    epoch: i64,
    at: i64,
) -> Result<(), StoreError> {
    if let Some(before) = before.filter(|before| *before > epoch) {
        return Err(StoreError::Conflict(format!(
            "`{channel}` has epoch {before}, and gateways take no lower one: `portcullis rollback` signs the older \
             policy under a higher epoch"
        )));
    }
    make_channel(sql, policy, channel, at)?;
    sql.execute(
        "UPDATE channels SET epoch = $1, updated_at = $2 WHERE policy = $3 AND name = $4",
        &[epoch.into(), at.into(), policy.into(), channel.into()],
    )?;
    Ok(())
}

fn bounded(
    sql: &mut dyn Sql,
    count: &str,
    values: &[Value],
    most: i64,
    of_what: &str,
) -> Result<(), StoreError> {
    let row = sql.query(count, values)?.pop();
    if row.map_or(0, |mut row| row.int()) >= most {
        return Err(StoreError::Conflict(format!("there are {most} {of_what} already, the most")));
    }
    Ok(())
}

/// Forgets the oldest bundles that nothing leads to.
fn prune(sql: &mut dyn Sql, policy: &str) -> Result<(), StoreError> {
    let query = "SELECT epoch FROM bundles WHERE policy = $1 ORDER BY epoch DESC LIMIT 1 OFFSET $2";
    let Some(mut row) = sql.query(query, &[policy.into(), KEPT.into()])?.pop() else {
        return Ok(());
    };
    let newest_to_go = row.int();
    for table in ["contents", "bundles"] {
        let statement = format!(
            "DELETE FROM {table} WHERE policy = $1 AND epoch <= $2
                 AND epoch NOT IN (SELECT epoch FROM channels WHERE policy = $1 AND epoch IS NOT NULL)
                 AND epoch NOT IN (SELECT epoch FROM pins WHERE policy = $1)"
        );
        sql.execute(&statement, &[policy.into(), newest_to_go.into()])?;
    }
    Ok(())
}

struct Entry<'a> {
    action: &'a str,
    target: &'a str,
    epoch: Option<i64>,
    detail: serde_json::Value,
}

fn write_history(
    sql: &mut dyn Sql,
    id: i64,
    policy: &str,
    (identity, at): (&str, i64),
    entry: Entry<'_>,
) -> Result<(), StoreError> {
    sql.execute(
        "INSERT INTO history (id, at, policy, identity, action, target, epoch, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            id.into(),
            at.into(),
            policy.into(),
            identity.into(),
            entry.action.into(),
            entry.target.into(),
            entry.epoch.into(),
            Value::Text(entry.detail.to_string()),
        ],
    )?;
    records::prune_history(sql, id)
}
