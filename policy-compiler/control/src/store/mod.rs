//! What the service remembers: one logic over two databases.
//!
//! In: publications, roll-outs, pins, what gateways report. Out: the state that is served, history, audit. All work
//! runs on one thread that owns the connection, so that a slow database holds up no gateway: these are served from
//! memory ([`crate::current`]). Changes of what is served, and the looks that show them, come before all else that waits: whoever
//! reads much keeps no publisher waiting for more than what is being read. A transaction that writes begins by taking the next revision, which orders the
//! writers of all replicas; times come in as arguments.

mod policies;
mod postgres;
mod records;
mod schema;
mod sqlite;

pub use policies::{Assigned, Pinned, Publication, Published, Removed, RemovedPolicy, Rollout};
pub use records::{Audit, GatewayRow, History};

use crate::current::Current;
use crate::log;
use policies::{Kept, Look};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Work that waits for the database at most: as many changes of what is served, and as much of all else.
const WAITING: usize = 64;
/// More bundles to read than this are told, since they take their time.
const TOLD: usize = 16;
/// How long anybody waits for the database: it may hang rather than be gone.
pub(crate) const WITHIN: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 15 });

/// Where the service's memory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file; it is made where there is none.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, and the file of the authorities that its certificate is held to.
    Postgres {
        /// `postgres://…` or `host=… user=…`.
        url: String,
        /// PEM; the system's authorities where none is given.
        authorities: Option<PathBuf>,
    },
}

/// Why the store does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database cannot be used now: locked, full, away. Trying again may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What is asked contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// What is asked for is not there.
    #[error("{0}")]
    NotFound(String),
}

/// A value of a column, or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A number.
    Int(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        value.map_or(Value::Null, Value::Int)
    }
}

/// The columns of a row, taken in their order.
#[derive(Debug)]
pub struct Row(std::vec::IntoIter<Value>);

impl Row {
    fn new(values: Vec<Value>) -> Row {
        Row(values.into_iter())
    }

    fn int(&mut self) -> i64 {
        self.optional().unwrap_or_default()
    }

    fn optional(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Value::Int(value)) => Some(value),
            _ => None,
        }
    }

    fn text(&mut self) -> String {
        match self.0.next() {
            Some(Value::Text(value)) => value,
            _ => String::new(),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        match self.0.next() {
            Some(Value::Bytes(value)) => value,
            _ => Vec::new(),
        }
    }
}

/// Statements within a transaction. Arguments are `$1`, `$2`, … and appear first in that order.
pub(crate) trait Sql {
    /// Runs a statement and gives the rows that it changed.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError>;
    /// Runs a query.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError>;
}

/// Whether a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sees one state throughout.
    Read,
    /// Is kept whole, or not at all.
    Write,
    /// The same for the rows of gateways, which one replica writes after the other: it forgets some by their time and keeps
    /// others by their name, and two that took rows in these two orders would wait for each other.
    Gateways,
}

/// Work of a transaction.
pub(crate) type Work<'a> = &'a mut dyn FnMut(&mut dyn Sql) -> Result<(), StoreError>;

/// A database.
pub(crate) trait Database: Send {
    /// Runs a transaction; whatever fails in it undoes all of it.
    fn transaction(&mut self, kind: Kind, work: Work<'_>) -> Result<(), StoreError>;
}

/// Runs a transaction that gives something.
pub(crate) fn transact<T>(
    database: &mut dyn Database,
    kind: Kind,
    mut work: impl FnMut(&mut dyn Sql) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut given = None;
    database.transaction(kind, &mut |sql| {
        given = Some(work(sql)?);
        Ok(())
    })?;
    given.ok_or_else(|| StoreError::Unavailable("the transaction gave nothing".to_owned()))
}

type Job = Box<dyn FnOnce(&mut dyn Database) + Send>;

/// Whose turn comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// What changes what is served, or shows the change.
    First,
    /// All else.
    Later,
}

/// The store, for all tasks of the service.
#[derive(Clone)]
pub struct Store {
    first: Sender<Job>,
    later: Sender<Job>,
    up: Arc<AtomicBool>,
    /// Bundles that a load has read which has not come to its end.
    kept: Arc<std::sync::Mutex<Kept>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store and brings its schema up to date. A PostgreSQL server may be away still: then every call
    /// is refused until it is there.
    ///
    /// # Errors
    /// An SQLite file that cannot be opened, a schema newer than this program, a connection string that is none.
    pub fn open(place: &Place) -> Result<Store, StoreError> {
        let database: Box<dyn Database> = match place {
            Place::Sqlite(path) => Box::new(sqlite::Sqlite::open(path)?),
            Place::Postgres { url, authorities } => {
                Box::new(postgres::Postgres::new(url, authorities.as_deref())?)
            }
        };
        Store::over(database)
    }

    fn over(mut database: Box<dyn Database>) -> Result<Store, StoreError> {
        let failed = |error: std::io::Error| StoreError::Unavailable(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let (first, mut changes) = channel(WAITING);
        let (later, mut others) = channel(WAITING);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(job) = runtime.block_on(next(&mut changes, &mut others)) {
                    job(&mut *database);
                }
            })
            .map_err(failed)?;
        let up = Arc::new(AtomicBool::new(true));
        Ok(Store { first, later, up, kept: Arc::default() })
    }

    /// Whether the last call reached the database.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce(&mut dyn Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (give, given) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // What waits for the database is not begun for who was told that it is away.
            if !give.is_closed() {
                let _ = give.send(work(database));
            }
        });
        let jobs = if turn == Turn::First { &self.first } else { &self.later };
        match jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(StoreError::Unavailable("too much work waits for it".to_owned()));
            }
            Err(TrySendError::Closed(_)) => {
                return Err(StoreError::Unavailable("its thread has ended".to_owned()));
            }
        }
        let outcome = match tokio::time::timeout(WITHIN, given).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::Unavailable("its thread has ended".to_owned())),
            Err(_) => Err(StoreError::Unavailable("it does not answer".to_owned())),
        };
        self.up.store(!matches!(outcome, Err(StoreError::Unavailable(_))), Ordering::Relaxed);
        outcome
    }

    /// Stores a bundle and lets a channel lead to it. The line of the audit log is written with it, or neither.
    ///
    /// # Errors
    /// A conflict with what was published before, or the database.
    pub async fn publish(
        &self,
        publication: Publication,
        audit: Audit,
    ) -> Result<Published, StoreError> {
        let status = |published: &Published| if *published == Published::New { 201 } else { 200 };
        self.change(audit, status, move |sql| policies::publish(sql, &publication)).await
    }

    /// Lets a channel lead to a bundle that was published.
    ///
    /// # Errors
    /// An epoch that was not published or is lower than the channel's, or the database.
    pub async fn assign(&self, assigned: Assigned, audit: Audit) -> Result<(), StoreError> {
        self.change(audit, |()| 200, move |sql| policies::assign(sql, &assigned)).await
    }

    /// Says which gateways a channel is for.
    ///
    /// # Errors
    /// Too many channels, or the database.
    pub async fn roll_out(&self, rollout: Rollout, audit: Audit) -> Result<(), StoreError> {
        self.change(audit, |()| 200, move |sql| policies::roll_out(sql, &rollout)).await
    }

    /// Removes a channel that is for nobody.
    ///
    /// # Errors
    /// No such channel, one that leads gateways to something, or the database.
    pub async fn remove(&self, removed: Removed, audit: Audit) -> Result<(), StoreError> {
        self.change(audit, |()| 200, move |sql| policies::remove(sql, &removed)).await
    }

    /// Removes a policy that is for nobody.
    ///
    /// # Errors
    /// No such policy, one that gateways are led to or served by, or the database.
    pub async fn remove_policy(
        &self,
        removed: RemovedPolicy,
        audit: Audit,
    ) -> Result<(), StoreError> {
        self.change(audit, |()| 200, move |sql| policies::remove_policy(sql, &removed)).await
    }

    /// Holds a channel, or gateways by label, at an epoch; without an epoch, releases them.
    ///
    /// # Errors
    /// An epoch that was not published, nothing to release, or the database.
    pub async fn pin(&self, pinned: Pinned, audit: Audit) -> Result<(), StoreError> {
        self.change(audit, |()| 200, move |sql| policies::pin(sql, &pinned)).await
    }

    /// Changes what is served, and writes who did so: both or neither.
    async fn change<T: Send + 'static>(
        &self,
        audit: Audit,
        status: fn(&T) -> i64,
        work: impl Fn(&mut dyn Sql) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Turn::First, move |database| {
            transact(database, Kind::Write, |sql| {
                let done = work(sql)?;
                records::record(sql, &Audit { status: status(&done), ..audit.clone() })?;
                Ok(done)
            })
        })
        .await
    }

    /// The tag of a bundle that was published, and how many bytes it has.
    ///
    /// # Errors
    /// No such bundle, or the database.
    pub async fn described(
        &self,
        policy: String,
        epoch: i64,
    ) -> Result<(String, usize), StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Read, |sql| policies::described(sql, &policy, epoch))
        })
        .await
    }

    /// The bytes of a bundle that was published.
    ///
    /// # Errors
    /// No such bundle, or the database.
    pub async fn content(&self, policy: String, epoch: i64) -> Result<Vec<u8>, StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Read, |sql| policies::content(sql, &policy, epoch))
        })
        .await
    }

    /// The current state, with what the older one holds already; none where nothing has changed. All bundles at once may
    /// take the database longer than anybody waits for it: each is read by itself, and what was read is there for the next
    /// call where this one fails or is given up.
    ///
    /// # Errors
    /// The database.
    pub async fn load(&self, older: Arc<Current>) -> Result<Option<Current>, StoreError> {
        loop {
            let (older, kept) = (Arc::clone(&older), self.with_kept(|kept| kept.clone()));
            let look = move |database: &mut dyn Database| {
                transact(database, Kind::Read, |sql| policies::load(sql, &older, &kept))
            };
            let Some(Look { current, missing }) = self.run(Turn::First, look).await? else {
                return Ok(None);
            };
            if missing.is_empty() {
                self.with_kept(Kept::clear);
                return Ok(Some(current));
            }
            if missing.len() > TOLD {
                log::info("reading bundles", json!({ "missing": missing.len() }));
            }
            for (policy, epoch) in missing {
                let key = (policy.clone(), epoch);
                let read = move |database: &mut dyn Database| {
                    transact(database, Kind::Read, |sql| policies::bundle(sql, &policy, epoch))
                };
                let bundle = self.run(Turn::First, read).await?;
                self.with_kept(|kept| kept.insert(key, bundle));
            }
            // Others may have published meanwhile: what is served is of one look.
        }
    }

    fn with_kept<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was published, rolled out and pinned, the newest first.
    ///
    /// # Errors
    /// The database.
    pub async fn history(&self, policy: String, limit: i64) -> Result<Vec<History>, StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Read, |sql| records::history(sql, &policy, limit))
        })
        .await
    }

    /// Writes a line of the audit log.
    ///
    /// # Errors
    /// The database.
    pub async fn record(&self, audit: Audit) -> Result<(), StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Write, |sql| records::record(sql, &audit))
        })
        .await
    }

    /// The audit log, the newest first.
    ///
    /// # Errors
    /// The database.
    pub async fn audit(
        &self,
        identity: Option<String>,
        limit: i64,
    ) -> Result<Vec<Audit>, StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Read, |sql| records::audit(sql, identity.as_deref(), limit))
        })
        .await
    }

    /// Keeps what gateways reported, and forgets those that were not heard of since a time in Unix seconds.
    ///
    /// # Errors
    /// The database.
    pub async fn keep_gateways(
        &self,
        mut rows: Vec<GatewayRow>,
        forgotten: i64,
    ) -> Result<(), StoreError> {
        // A replica of an older version takes them in this order, and no turn.
        rows.sort_by(|one, other| {
            (&one.policy, &one.gateway).cmp(&(&other.policy, &other.gateway))
        });
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Gateways, |sql| records::keep_gateways(sql, &rows, forgotten))
        })
        .await
    }

    /// What gateways reported to any replica.
    ///
    /// # Errors
    /// The database.
    pub async fn gateways(&self, policy: String) -> Result<Vec<GatewayRow>, StoreError> {
        self.run(Turn::Later, move |database| {
            transact(database, Kind::Read, |sql| records::gateways(sql, &policy))
        })
        .await
    }
}

/// What is to be done next.
async fn next(first: &mut Receiver<Job>, later: &mut Receiver<Job>) -> Option<Job> {
    tokio::select! {
        biased;
        Some(job) = first.recv() => Some(job),
        Some(job) = later.recv() => Some(job),
        else => None,
    }
}

#[cfg(test)]
mod tests;
