//! What a control service that is wrong or lies pushes by xDS: gateways verify for themselves.
//!
//! `portcullis serve` publishes nothing of the kind. So it is given a key that gateways do not trust, time to pass, or
//! a database that somebody has changed.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use super::service::Service;
use super::stage::EPOCH;
use super::time;
use crate::error::Error;

/// The channel that is for no gateway yet.
const CANARY: &str = "canary";
/// Bytes of a bundle that stands for one of 8 MB.
const LEAST_OF_LARGEST: usize = 15 << 19;

/// Publishes a bundle for no gateway.
fn prepare(it: &Service, bundle: &[u8]) -> Result<(), Error> {
    let path = it.control.dir().join("pushed.bundle");
    fs::write(&path, bundle).map_err(Error::io("write a bundle"))?;
    let path = path.display().to_string();
    run(it, &["publish", &path, "--policy", "pay", "--channel", CANARY])
}

/// Lets every gateway have it: what they run stays.
fn push(it: &Service, told_by: &[&str]) -> Result<u64, Error> {
    let before = it.count(told_by)?;
    run(it, &["promote", "--policy", "pay", "--from", CANARY])?;
    it.await_more(told_by, before)?;
    it.still(EPOCH)?;
    Ok(EPOCH)
}

fn run(it: &Service, arguments: &[&str]) -> Result<(), Error> {
    let output = it.control.run(arguments)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Case(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// Changes a published bundle in the database while the service is away.
fn tamper(it: &mut Service, epoch: i64, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
    it.control.kill();
    let failed = |error: rusqlite::Error| Error::Case(format!("change the database: {error}"));
    let database =
        rusqlite::Connection::open(it.control.dir().join("control.db")).map_err(failed)?;
    let query = "SELECT content FROM contents WHERE epoch = ?1";
    let mut content: Vec<u8> =
        database.query_row(query, [epoch], |row| row.get(0)).map_err(failed)?;
    change(&mut content);
    let statement = "UPDATE contents SET content = ?1 WHERE epoch = ?2";
    database.execute(statement, rusqlite::params![content, epoch]).map_err(failed)?;
    it.control.restart()
}

pub(super) fn corrupt(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    prepare(it, &it.releases.release(6)?)?;
    tamper(it, 6, |content| {
        let middle = content.len() / 2;
        content[middle] ^= 0x40;
    })?;
    push(it, told_by)
}

/// A bundle as large as they may be, wrong near its end: all of it is hashed before that shows. The next one, as large, is taken.
pub(super) fn largest_corrupt(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let bundle = it.releases.release(6)?;
    if !(LEAST_OF_LARGEST..=8 << 20).contains(&bundle.len()) {
        return Err(Error::Case(format!("a bundle of {} bytes", bundle.len())));
    }
    prepare(it, &bundle)?;
    tamper(it, 6, |content| {
        let last = content.len() - 1000;
        content[last] ^= 1;
    })?;
    push(it, told_by)
}

pub(super) fn truncated(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    prepare(it, &it.releases.release(6)?)?;
    tamper(it, 6, |content| content.truncate(content.len() * 2 / 3))?;
    push(it, told_by)
}

pub(super) fn of_format(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    prepare(it, &it.releases.release(6)?)?;
    tamper(it, 6, |content| content[8] = 99)?;
    push(it, told_by)
}

pub(super) fn wrongly_signed(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    prepare(it, &it.releases.signed(6, 1, &[])?)?;
    push(it, told_by)
}

pub(super) fn other_audience(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    prepare(it, &it.releases.release_with(6, &["--audience", "another"])?)?;
    push(it, told_by)
}

pub(super) fn expired(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    let soon = time(SystemTime::now() + Duration::from_secs(3));
    prepare(it, &it.releases.release_with(6, &["--not-after", &soon])?)?;
    thread::sleep(Duration::from_secs(4));
    push(it, told_by)
}

pub(super) fn older_epoch(it: &mut Service, told_by: &[&str]) -> Result<u64, Error> {
    // The service itself sends nothing below what a gateway has.
    prepare(it, &it.releases.release(6)?)?;
    let older = it.releases.release(EPOCH - 1)?;
    tamper(it, 6, |content| *content = older)?;
    push(it, told_by)
}
