//! The tables, and how they come to be: migrations by version, each run once.
//!
//! CONTROL.md documents every table. `BLOB` is `BYTEA` in PostgreSQL; all else is common to both.

use super::{Sql, StoreError};

/// The schema of this program.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Statement lists; the n-th leads from version n to n + 1.
const MIGRATIONS: [&[&str]; 2] = [&[
    "CREATE TABLE bundles (
        policy TEXT NOT NULL, epoch BIGINT NOT NULL, content_hash TEXT NOT NULL, etag TEXT NOT NULL,
        name TEXT NOT NULL, key_id TEXT NOT NULL, audience TEXT NOT NULL, not_before BIGINT, not_after BIGINT,
        size BIGINT NOT NULL, identity TEXT NOT NULL, published_at BIGINT NOT NULL,
        PRIMARY KEY (policy, epoch))",
    "CREATE TABLE contents (
        policy TEXT NOT NULL, epoch BIGINT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (policy, epoch))",
    "CREATE TABLE channels (
        policy TEXT NOT NULL, name TEXT NOT NULL, epoch BIGINT, labels TEXT NOT NULL,
        hundredths BIGINT NOT NULL, priority BIGINT NOT NULL, updated_at BIGINT NOT NULL,
        PRIMARY KEY (policy, name))",
    "CREATE TABLE pins (
        policy TEXT NOT NULL, target TEXT NOT NULL, epoch BIGINT NOT NULL, reason TEXT NOT NULL,
        identity TEXT NOT NULL, pinned_at BIGINT NOT NULL, PRIMARY KEY (policy, target))",
    "CREATE TABLE history (
        id BIGINT PRIMARY KEY, at BIGINT NOT NULL, policy TEXT NOT NULL, identity TEXT NOT NULL,
        action TEXT NOT NULL, target TEXT NOT NULL, epoch BIGINT, detail TEXT NOT NULL)",
    "CREATE TABLE audit (
        id BIGINT PRIMARY KEY, at BIGINT NOT NULL, identity TEXT NOT NULL, role TEXT NOT NULL,
        peer TEXT NOT NULL, action TEXT NOT NULL, policy TEXT NOT NULL, status BIGINT NOT NULL,
        detail TEXT NOT NULL)",
    "CREATE TABLE gateways (
        policy TEXT NOT NULL, gateway TEXT NOT NULL, labels TEXT NOT NULL, source TEXT NOT NULL,
        channel TEXT NOT NULL, workers TEXT NOT NULL, accepted BIGINT, refused_epoch BIGINT, refused_reason TEXT NOT NULL,
        version TEXT NOT NULL, replica TEXT NOT NULL, connected BIGINT NOT NULL, last_contact BIGINT NOT NULL,
        PRIMARY KEY (policy, gateway))",
    "CREATE INDEX history_policy ON history (policy, id)",
    "CREATE INDEX gateways_contact ON gateways (last_contact)",
    "INSERT INTO meta (key, value) VALUES ('revision', 1), ('audit', 0)",
], &[
    "CREATE TABLE policies (name TEXT PRIMARY KEY, since BIGINT NOT NULL)",
    "INSERT INTO policies (name, since) SELECT policy, MIN(published_at) FROM bundles GROUP BY policy",
]];

/// Brings the tables up to date.
///
/// # Errors
/// A schema that is newer than this program, or the database.
pub fn migrate(sql: &mut dyn Sql, bytes_type: &str) -> Result<(), StoreError> {
    sql.execute(
        "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL)",
        &[],
    )?;
    sql.execute(
        "INSERT INTO meta (key, value) VALUES ('schema', 0) ON CONFLICT (key) DO NOTHING",
        &[],
    )?;
    if version(sql)? == VERSION {
        return Ok(());
    }
    // The update locks the row: whoever comes while it is brought up to date waits, and then finds it done.
    sql.execute("UPDATE meta SET value = value WHERE key = 'schema'", &[])?;
    let found = version(sql)?;
    if found > VERSION {
        return Err(StoreError::Conflict(format!(
            "the database has schema {found}, this program knows {VERSION}: update it first"
        )));
    }
    for statements in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        for statement in *statements {
            sql.execute(&statement.replace("BLOB", bytes_type), &[])?;
        }
    }
    sql.execute("UPDATE meta SET value = $1 WHERE key = 'schema'", &[VERSION.into()])?;
    Ok(())
}

/// The schema of the tables.
///
/// # Errors
/// The database.
pub fn version(sql: &mut dyn Sql) -> Result<i64, StoreError> {
    let found = sql.query("SELECT value FROM meta WHERE key = 'schema'", &[])?.pop();
    Ok(found.map_or(0, |mut row| row.int()))
}
