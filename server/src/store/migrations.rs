//! Bringing a database up to the schema that this program knows, one numbered step after the other.

use super::{OpenError, backup};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Every step there ever was. Step *n* makes version *n* (`PRAGMA user_version`) of version *n* - 1, and is never
/// changed once it was released.
pub(super) const STEPS: &[&str] = &[include_str!("migrations/0001_log.sql")];

/// Which version a database has; zero is an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map(|version| version as usize)
}

/// Brings the database at `path` up to the last of `steps`. Before the first step a copy of it is kept beside it, if
/// there is anything in it. A step is applied whole or not at all. Answers how many were applied.
pub(super) fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<usize, OpenError> {
    let found = version(connection)?;
    if found > steps.len() {
        return Err(OpenError::TooNew { path: path.into(), found, known: steps.len() });
    }
    if found == steps.len() {
        return Ok(0);
    }
    if found > 0 {
        let copy = path.with_added_extension(format!("version-{found}"));
        backup::copy(connection, &copy)?;
        tracing::info!(copy = %copy.display(), "kept a copy of the database before it is migrated");
    }
    for (number, step) in (found + 1..).zip(&steps[found..]) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number as u32)?;
        transaction.commit()?;
    }
    Ok(steps.len() - found)
}
