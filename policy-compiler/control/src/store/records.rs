//! What is kept for people: history, audit log, gateways.

use super::{Row, Sql, StoreError, Value};

/// Lines of history that are kept, and as many changes of the audit log.
const LINES: i64 = if cfg!(test) { 300 } else { 100_000 };
/// Of how many lines of the audit log the refusals are kept.
const REFUSALS: i64 = if cfg!(test) { 100 } else { 10_000 };
/// Changes of each policy that stay besides, whatever is done to others: as many as an answer tells of.
const OF_POLICY: i64 = if cfg!(test) { 20 } else { 1_000 };
/// And refusals of each identity.
const OF_IDENTITY: i64 = if cfg!(test) { 10 } else { 100 };
/// How many lines are written before the oldest are looked for.
const PRUNED: i64 = if cfg!(test) { 16 } else { 256 };
/// Gateways that are kept, over all policies; those that were not heard of for longest go first.
const GATEWAYS: i64 = 20_000;
/// Columns of a gateway's row, and rows of one statement: a database elsewhere costs a round trip for each.
const COLUMNS: usize = 13;
const TOGETHER: usize = 100;

/// A change of what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The revision that it made.
    pub revision: i64,
    /// Unix seconds.
    pub at: i64,
    /// Who.
    pub identity: String,
    /// `publish`, `promote`, `rollout`, `remove`, `pin`, `unpin` or `remove-policy`.
    pub action: String,
    /// The channel, or the pin's target; empty where it is the policy.
    pub target: String,
    /// The epoch.
    pub epoch: Option<i64>,
    /// More, in JSON.
    pub detail: String,
}

/// A line of the audit log: what somebody asked for, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Counts the lines.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// Who.
    pub identity: String,
    /// As what.
    pub role: String,
    /// From where.
    pub peer: String,
    /// What.
    pub action: String,
    /// Of which policy.
    pub policy: String,
    /// The HTTP status of the answer.
    pub status: i64,
    /// More, in words.
    pub detail: String,
}

/// What is known of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayRow {
    /// The policy that it fetches.
    pub policy: String,
    /// Its id.
    pub gateway: String,
    /// Its labels.
    pub labels: String,
    /// `http` or `xds`.
    pub source: String,
    /// The channel that it asks for; empty where the service chooses.
    pub channel: String,
    /// What each worker serves, as the filter reports it: `0=7,1=7`.
    pub workers: String,
    /// The epoch that it accepted, by xDS.
    pub accepted: Option<i64>,
    /// The epoch that it refused last.
    pub refused_epoch: Option<i64>,
    /// Why.
    pub refused_reason: String,
    /// The filter's or Envoy's version.
    pub version: String,
    /// The replica of the service that heard of it.
    pub replica: String,
    /// Whether it holds a stream now.
    pub connected: bool,
    /// Unix seconds.
    pub last_contact: i64,
}

pub(super) fn history(
    sql: &mut dyn Sql,
    policy: &str,
    limit: i64,
) -> Result<Vec<History>, StoreError> {
    let rows = sql.query(
        "SELECT id, at, identity, action, target, epoch, detail FROM history
         WHERE policy = $1 ORDER BY id DESC LIMIT $2",
        &[policy.into(), limit.into()],
    )?;
    let read = |mut row: Row| History {
        revision: row.int(),
        at: row.int(),
        identity: row.text(),
        action: row.text(),
        target: row.text(),
        epoch: row.optional(),
        detail: row.text(),
    };
    Ok(rows.into_iter().map(read).collect())
}

pub(super) fn record(sql: &mut dyn Sql, it: &Audit) -> Result<(), StoreError> {
    let statement = "UPDATE meta SET value = value + 1 WHERE key = 'audit' RETURNING value";
    let id = sql.query(statement, &[])?.pop().map_or(0, |mut row| row.int());
    sql.execute(
        "INSERT INTO audit (id, at, identity, role, peer, action, policy, status, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            id.into(),
            it.at.into(),
            (&*it.identity).into(),
            (&*it.role).into(),
            (&*it.peer).into(),
            (&*it.action).into(),
            (&*it.policy).into(),
            it.status.into(),
            (&*it.detail).into(),
        ],
    )?;
    if id % PRUNED == 0 {
        prune(sql, id)?;
    }
    Ok(())
}

/// Forgets the oldest lines: changes and refusals each among themselves, so that who is refused again and again
/// displaces no change.
fn prune(sql: &mut dyn Sql, id: i64) -> Result<(), StoreError> {
    forget(sql, "audit WHERE status >= 400", ("identity", OF_IDENTITY), id - REFUSALS)?;
    let oldest = "SELECT id FROM audit WHERE status < 400 ORDER BY id DESC LIMIT 1 OFFSET $1";
    if let Some(mut row) = sql.query(oldest, &[LINES.into()])?.pop() {
        forget(sql, "audit WHERE status < 400", ("policy", OF_POLICY), row.int())?;
    }
    Ok(())
}

/// Forgets the oldest lines of the history, now and then.
pub(super) fn prune_history(sql: &mut dyn Sql, id: i64) -> Result<(), StoreError> {
    if id % PRUNED == 0 {
        forget(sql, "history", ("policy", OF_POLICY), id - LINES)?;
    }
    Ok(())
}

/// Forgets lines up to an id, but for the newest of each identity, or policy that is there: who may change one policy, and does
/// so a hundred thousand times, takes nothing from what is known of another.
fn forget(
    sql: &mut dyn Sql,
    lines: &str,
    (of, stay): (&str, i64),
    until: i64,
) -> Result<(), StoreError> {
    let table = lines.split(' ').next().unwrap_or_default();
    let places = format!(
        "SELECT id, {of}, ROW_NUMBER() OVER (PARTITION BY {of} ORDER BY id DESC) AS place FROM {lines}"
    );
    // Names of policies that are no more are without number.
    let gone = if of == "policy" { "OR policy NOT IN (SELECT name FROM policies)" } else { "" };
    let statement = format!(
        "DELETE FROM {table} WHERE id IN
             (SELECT id FROM ({places}) AS placed WHERE id <= $1 AND (place > $2 {gone}))"
    );
    sql.execute(&statement, &[until.into(), stay.into()]).map(drop)
}

pub(super) fn audit(
    sql: &mut dyn Sql,
    identity: Option<&str>,
    limit: i64,
) -> Result<Vec<Audit>, StoreError> {
    const ALL: &str =
        "SELECT id, at, identity, role, peer, action, policy, status, detail FROM audit";
    let rows = match identity {
        Some(identity) => {
            let query = format!("{ALL} WHERE identity = $1 ORDER BY id DESC LIMIT $2");
            sql.query(&query, &[identity.into(), limit.into()])?
        }
        None => sql.query(&format!("{ALL} ORDER BY id DESC LIMIT $1"), &[limit.into()])?,
    };
    let read = |mut row: Row| Audit {
        id: row.int(),
        at: row.int(),
        identity: row.text(),
        role: row.text(),
        peer: row.text(),
        action: row.text(),
        policy: row.text(),
        status: row.int(),
        detail: row.text(),
    };
    Ok(rows.into_iter().map(read).collect())
}

pub(super) fn keep_gateways(
    sql: &mut dyn Sql,
    rows: &[GatewayRow],
    forgotten: i64,
) -> Result<(), StoreError> {
    sql.execute("DELETE FROM gateways WHERE last_contact < $1", &[forgotten.into()])?;
    for rows in rows.chunks(TOGETHER) {
        let values: Vec<Value> = rows.iter().flat_map(columns).collect();
        sql.execute(&insert(rows.len()), &values)?;
    }
    let query = "SELECT last_contact FROM gateways ORDER BY last_contact DESC LIMIT 1 OFFSET $1";
    if let Some(mut row) = sql.query(query, &[GATEWAYS.into()])?.pop() {
        sql.execute("DELETE FROM gateways WHERE last_contact <= $1", &[Value::Int(row.int())])?;
    }
    Ok(())
}

fn columns(it: &GatewayRow) -> [Value; COLUMNS] {
    [
        (&*it.policy).into(),
        (&*it.gateway).into(),
        (&*it.labels).into(),
        (&*it.source).into(),
        (&*it.channel).into(),
        (&*it.workers).into(),
        it.accepted.into(),
        it.refused_epoch.into(),
        (&*it.refused_reason).into(),
        (&*it.version).into(),
        (&*it.replica).into(),
        i64::from(it.connected).into(),
        it.last_contact.into(),
    ]
}

/// The statement that keeps so many rows, each of another gateway.
fn insert(rows: usize) -> String {
    let row = |row: usize| {
        let columns: Vec<String> =
            (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", columns.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO gateways (policy, gateway, labels, source, channel, workers, accepted, refused_epoch,
             refused_reason, version, replica, connected, last_contact)
         VALUES {}
         ON CONFLICT (policy, gateway) DO UPDATE SET labels = excluded.labels, source = excluded.source,
             channel = excluded.channel, workers = excluded.workers, accepted = excluded.accepted, refused_epoch = excluded.refused_epoch,
             refused_reason = excluded.refused_reason, version = excluded.version, replica = excluded.replica,
             connected = excluded.connected, last_contact = excluded.last_contact
         WHERE gateways.last_contact <= excluded.last_contact",
        rows.join(", ")
    )
}

pub(super) fn gateways(sql: &mut dyn Sql, policy: &str) -> Result<Vec<GatewayRow>, StoreError> {
    let rows = sql.query(
        "SELECT policy, gateway, labels, source, channel, workers, accepted, refused_epoch, refused_reason,
             version, replica, connected, last_contact
         FROM gateways WHERE policy = $1 ORDER BY gateway LIMIT $2",
        &[policy.into(), GATEWAYS.into()],
    )?;
    let read = |mut row: Row| GatewayRow {
        policy: row.text(),
        gateway: row.text(),
        labels: row.text(),
        source: row.text(),
        channel: row.text(),
        workers: row.text(),
        accepted: row.optional(),
        refused_epoch: row.optional(),
        refused_reason: row.text(),
        version: row.text(),
        replica: row.text(),
        connected: row.int() != 0,
        last_contact: row.int(),
    };
    Ok(rows.into_iter().map(read).collect())
}
