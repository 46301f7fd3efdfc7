//! SQLite: one file, one process.

use super::{Database, Kind, Row, Sql, StoreError, Value, Work, schema};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};
use std::path::Path;
use std::time::Duration;

/// How long a writer waits for another process that holds the file.
const LOCKED_FOR: Duration = Duration::from_secs(2);

/// A connection.
pub struct Sqlite(Connection);

impl Sqlite {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// What SQLite says, or a schema that is newer than this program.
    pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
        let failed = |error: rusqlite::Error| {
            StoreError::Unavailable(format!("`{}`: {}", path.display(), told(&error)))
        };
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(LOCKED_FOR).map_err(failed)?;
        // A journal of its own keeps readers going; FULL keeps what was confirmed through a power cut.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed)?;
        let mut database = Sqlite(connection);
        database.transaction(Kind::Write, &mut |sql| schema::migrate(sql, "BLOB"))?;
        Ok(database)
    }
}

impl Database for Sqlite {
    fn transaction(&mut self, kind: Kind, work: Work<'_>) -> Result<(), StoreError> {
        let begin = if kind == Kind::Read { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.0.execute_batch(begin).map_err(failed)?;
        let done = work(&mut Statements(&self.0))
            .and_then(|()| self.0.execute_batch("COMMIT").map_err(failed));
        if done.is_err() && !self.0.is_autocommit() {
            // A full disk may have rolled back already; what failed first is what matters.
            let _ = self.0.execute_batch("ROLLBACK");
        }
        done
    }
}

struct Statements<'a>(&'a Connection);

impl Sql for Statements<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let mut statement = self.0.prepare(sql).map_err(failed)?;
        let changed = statement.execute(params_from_iter(values)).map_err(failed)?;
        Ok(changed as u64)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.0.prepare(sql).map_err(failed)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let value = |column| row.get_ref(column).map(owned).map_err(failed);
            found.push(Row::new((0..columns).map(value).collect::<Result<_, _>>()?));
        }
        Ok(found)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(told(&error))
}

fn told(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds it locked".to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
impl Sqlite {
    /// As if the disk had no more room than the database takes now.
    pub fn limit_pages(&mut self) {
        let pages: i64 = self.0.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        self.0.pragma_update(None, "max_page_count", pages + 2).unwrap();
    }
}
