//! PostgreSQL: several replicas of the service share one database.

use super::{Database, Kind, Row, Sql, StoreError, Value, Work, schema};
use crate::tls;
use bytes::BytesMut;
use postgres::config::{Host, SslMode};
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls};
use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the server may take to answer a connection, and a statement.
const CONNECT_FOR: Duration = Duration::from_secs(5);
const PREPARE: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
     SET idle_in_transaction_session_timeout = '30s'";

/// `CREATE TABLE IF NOT EXISTS` fails where another session makes the table at that moment: of replicas that start at once, one
/// makes the tables and the others wait. The number is theirs alone ("portcull" in ASCII).
const MIGRATE: &str = "BEGIN; SELECT pg_advisory_xact_lock(8101820098873224300)";
/// Ends with the transaction. One above the other's number.
const GATEWAYS: &str = "BEGIN; SELECT pg_advisory_xact_lock(8101820098873224301)";

/// A connection, made anew where it broke.
pub struct Postgres {
    config: Config,
    tls: MakeRustlsConnect,
    client: Option<Client>,
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
        Ok(Postgres { config, tls: MakeRustlsConnect::new(tls), client: None })
    }

    fn client(&mut self) -> Result<&mut Client, StoreError> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            let mut client = if self.config.get_ssl_mode() == SslMode::Disable {
                self.config.connect(NoTls).map_err(failed)?
            } else {
                self.config.connect(self.tls.clone()).map_err(failed)?
            };
            client.batch_execute(PREPARE).map_err(failed)?;
            within(&mut client, MIGRATE, &mut |sql| schema::migrate(sql, "BYTEA"))?;
            self.client = Some(client);
        }
        self.client.as_mut().ok_or_else(|| StoreError::Unavailable("not connected".to_owned()))
    }
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
            Kind::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Kind::Write => "BEGIN",
            Kind::Gateways => GATEWAYS,
        };
        let client = self.client()?;
        let done = within(client, begin, work);
        if matches!(done, Err(StoreError::Unavailable(_))) {
            // Whatever state the session is in, the next transaction gets a new one.
            self.client = None;
        }
        done
    }
}

fn within(client: &mut Client, begin: &str, work: Work<'_>) -> Result<(), StoreError> {
    client.batch_execute(begin).map_err(failed)?;
    let done = work(&mut Statements(client));
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).map_err(failed);
    done.and(ended)
}

struct Statements<'a>(&'a mut Client);

impl Sql for Statements<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.0.execute(sql, &arguments(values)).map_err(failed)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = self.0.query(sql, &arguments(values)).map_err(failed)?;
        rows.iter().map(owned).collect()
    }
}

fn arguments(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn owned(row: &postgres::Row) -> Result<Row, StoreError> {
    let value = |(at, column): (usize, &postgres::Column)| match *column.type_() {
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

fn failed(error: postgres::Error) -> StoreError {
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
