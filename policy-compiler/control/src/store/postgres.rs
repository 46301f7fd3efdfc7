//! PostgreSQL: several replicas of the service share one database.

use super::{Database, Kind, Row, Sql, StoreError, Value, WITHIN, Work, schema};
use crate::tls;
use bytes::BytesMut;
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the server may take to answer a connection, and a statement. The latter two are the server's to keep: see [`wait`].
const CONNECT_FOR: Duration = Duration::from_secs(5);
const PREPARE: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '30s'";

/// `CREATE TABLE IF NOT EXISTS` fails where another session makes the table at that moment: of replicas that start at once, one
/// makes the tables and the others wait. The number is theirs alone ("portcull" in ASCII).
const MIGRATE: &str = "BEGIN; SELECT pg_advisory_xact_lock(8101820098873224300)";
/// Ends with the transaction. One above the other's number.
const GATEWAYS: &str = "BEGIN; SELECT pg_advisory_xact_lock(8101820098873224301)";
const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A connection, made anew where it broke.
pub struct Postgres {
    config: Config,
    /// In which order several servers are asked.
    order: LoadBalanceHosts,
    tls: MakeRustlsConnect,
    runtime: Runtime,
    session: Option<Session>,
}

/// A connection, and what reads and writes it while somebody waits for an answer.
struct Session {
    client: Client,
    driven: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Postgres {
    /// Reads the connection string; connects with the first transaction.
    ///
    /// # Errors
    /// A connection string that is none, or authorities that cannot be read.
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Postgres, StoreError> {
        // The string may hold a password: what is wrong with it is told without it.
        let mut config: Config = url.parse().map_err(|_| {
            StoreError::Conflict("the PostgreSQL connection string is none".to_owned())
        })?;
        config.connect_timeout(CONNECT_FOR).application_name("portcullis");
        config.tcp_user_timeout(Duration::from_secs(15)).keepalives_idle(Duration::from_secs(30));
        // Where TLS is only preferred, whoever stands between says that there is none.
        if config.get_ssl_mode() == SslMode::Prefer && (is_far(&config) || authorities.is_some()) {
            config.ssl_mode(SslMode::Require);
        }
        let tls = tls::client(authorities, None)
            .map_err(|error| StoreError::Conflict(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (order, tls) = (config.get_load_balance_hosts(), MakeRustlsConnect::new(tls));
        Ok(Postgres { config, order, tls, runtime, session: None })
    }

    /// What is said over the connection, with all tables up to date.
    fn statements(&mut self) -> Result<Statements<'_>, StoreError> {
        if self.session.is_some() {
            self.runtime.block_on(heard());
        }
        if self.session.as_ref().is_none_or(|it| it.client.is_closed()) {
            self.end();
            let connected = wait(&self.runtime, self.connect());
            // The first of several servers may be there and never answer: the next time another one is asked first, maybe.
            let order = if connected.is_ok() { self.order } else { LoadBalanceHosts::Random };
            self.config.load_balance_hosts(order);
            self.session = Some(connected?);
            let prepared = self.connected().and_then(prepare);
            if prepared.is_err() {
                self.end();
            }
            prepared?;
        }
        self.connected()
    }

    fn connected(&self) -> Result<Statements<'_>, StoreError> {
        let session = self.session.as_ref();
        let session = session.ok_or_else(|| StoreError::Unavailable("not connected".to_owned()))?;
        Ok(Statements { runtime: &self.runtime, client: &session.client })
    }

    async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = self.config.connect(NoTls).await?;
            return Ok(Session { client, driven: tokio::spawn(connection) });
        }
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        Ok(Session { client, driven: tokio::spawn(connection) })
    }

    /// Ends the connection now, so that the server undoes what was not committed over it.
    fn end(&mut self) {
        if let Some(session) = self.session.take() {
            session.driven.abort();
            let _ = self.runtime.block_on(session.driven);
        }
    }
}

fn prepare(mut statements: Statements<'_>) -> Result<(), StoreError> {
    statements.run(PREPARE)?;
    // Found by reading alone: a database that takes no writes for now is read all the same.
    let mut version = 0;
    statements.within(READ, &mut |sql| {
        let there = sql.query("SELECT to_regclass('meta')::TEXT", &[])?.pop();
        if there.is_some_and(|mut row| !row.text().is_empty()) {
            version = schema::version(sql)?;
        }
        Ok(())
    })?;
    if version == schema::VERSION {
        return Ok(());
    }
    statements.within(MIGRATE, &mut |sql| schema::migrate(sql, "BYTEA"))
}

/// Has what drives the connection read what has come since it was used last: that the server has ended it, maybe.
async fn heard() {
    // The first turn of the runtime sees that something has come, the second has it read.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// Waits for an answer, no longer than anybody waits for the store. The server ends statements before that; but a connection whose
/// other end is stopped, or is something in between that has lost the server, may stay open and silent for good.
fn wait<T>(
    runtime: &Runtime,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    let answer = runtime.block_on(async { tokio::time::timeout(WITHIN, answer).await });
    answer.map_err(|_| StoreError::Unavailable("it does not answer".to_owned()))?.map_err(failed)
}

/// Whether a server is on another machine, so that somebody may stand between. Where `hostaddr` is given, that is what is
/// connected to, whatever `host` says.
fn is_far(config: &Config) -> bool {
    let far = |host: &Host| match host {
        Host::Tcp(name) => {
            name != "localhost" && !name.parse().is_ok_and(|it: IpAddr| it.is_loopback())
        }
        Host::Unix(_) => false,
    };
    config.get_hosts().iter().any(far) || config.get_hostaddrs().iter().any(|it| !it.is_loopback())
}

impl Database for Postgres {
    fn transaction(&mut self, kind: Kind, work: Work<'_>) -> Result<(), StoreError> {
        let begin = match kind {
            Kind::Read => READ,
            Kind::Write => "BEGIN",
            Kind::Gateways => GATEWAYS,
        };
        let done = self.statements()?.within(begin, work);
        if matches!(done, Err(StoreError::Unavailable(_))) {
            // Whatever state the session is in, the next transaction gets a new one.
            self.end();
        }
        done
    }
}

struct Statements<'a> {
    runtime: &'a Runtime,
    client: &'a Client,
}

impl Statements<'_> {
    fn run(&self, sql: &str) -> Result<(), StoreError> {
        wait(self.runtime, self.client.batch_execute(sql))
    }

    fn within(&mut self, begin: &str, work: Work<'_>) -> Result<(), StoreError> {
        self.run(begin)?;
        match work(self) {
            Ok(()) => self.run("COMMIT"),
            // The connection is ended, which undoes all: over one that is silent nobody waits for a second answer.
            Err(error @ StoreError::Unavailable(_)) => Err(error),
            Err(error) => self.run("ROLLBACK").and(Err(error)),
        }
    }
}

impl Sql for Statements<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        wait(self.runtime, self.client.execute(sql, &arguments(values)))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = wait(self.runtime, self.client.query(sql, &arguments(values)))?;
        rows.iter().map(owned).collect()
    }
}

fn arguments(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn owned(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let value = |(at, column): (usize, &tokio_postgres::Column)| match *column.type_() {
        Type::INT8 => Ok(row.try_get::<_, Option<i64>>(at)?.map_or(Value::Null, Value::Int)),
        Type::BYTEA => Ok(row.try_get::<_, Option<Vec<u8>>>(at)?.map_or(Value::Null, Value::Bytes)),
        _ => Ok(row.try_get::<_, Option<String>>(at)?.map_or(Value::Null, Value::Text)),
    };
    let values = row.columns().iter().enumerate().map(value);
    values.collect::<Result<_, _>>().map(Row::new).map_err(failed)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        to: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql(kind, to),
            Value::Text(value) => value.to_sql(kind, to),
            Value::Bytes(value) => value.to_sql(kind, to),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

fn failed(error: tokio_postgres::Error) -> StoreError {
    // What the server says, or else what the connection does; neither holds values of columns.
    let told = error.as_db_error().map(|error| error.message().to_owned());
    let told = told.or_else(|| error.source().map(ToString::to_string));
    StoreError::Unavailable(told.unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_goes_by_tls() {
        let mode = |url: &str| Postgres::new(url, None).unwrap().config.get_ssl_mode();
        for far in [
            "postgres://control@db.bank.example/control",
            "postgres://control@127.0.0.1,192.0.2.7/control",
            "postgres://control@db.bank.example/control?sslmode=prefer",
            "hostaddr=192.0.2.7 user=control",
            "host=localhost hostaddr=192.0.2.7 user=control",
        ] {
            assert_eq!(mode(far), SslMode::Require, "{far}");
        }
        for near in ["postgres://control@[::1]/control", "host=/run/postgresql user=control"] {
            assert_eq!(mode(near), SslMode::Prefer, "{near}");
        }
        let without = "postgres://control@db.bank.example/control?sslmode=disable";
        assert_eq!(mode(without), SslMode::Disable);
    }
}
