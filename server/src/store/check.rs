//! Looking at a whole database: what is in it, and whether it holds together.

use super::{OpenError, database, migrations};
use app::protocol::Epoch;
use rusqlite::Connection;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Troubles that are told, at most; one is enough to know.
const MAX_TROUBLES: usize = 20;

/// What was found in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Where it lies.
    pub path: PathBuf,
    /// The size of its file, in bytes; what its WAL holds is not in it.
    pub bytes: u64,
    /// The version of its schema.
    pub version: usize,
    /// The life of its log.
    pub epoch: Epoch,
    /// Rooms that were ever written to.
    pub rooms: u64,
    /// Events in all of them.
    pub events: u64,
    /// What does not hold together, at most some; empty when everything does.
    pub troubles: Vec<String>,
}

/// Looks at the database of a data directory, whether or not a server runs.
pub fn check(directory: &Path) -> Result<Report, OpenError> {
    file(&database::path_in(directory))
}

/// Looks at a database.
pub(super) fn file(path: &Path) -> Result<Report, OpenError> {
    let connection = database::look_at(path)?;
    report(&connection, path).map_err(|error| database::told(path, error))
}

fn report(connection: &Connection, path: &Path) -> rusqlite::Result<Report> {
    // One moment, whatever a server writes meanwhile.
    let connection = connection.unchecked_transaction()?;
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let mut troubles = lines(&connection, &format!("PRAGMA integrity_check({MAX_TROUBLES})"))?;
    troubles.retain(|line| line != "ok");
    troubles.extend(holes(&connection)?);
    Ok(Report {
        path: path.into(),
        bytes: fs::metadata(path).map_or(0, |file| file.len()),
        version: migrations::version(&connection)?,
        epoch: database::epoch(&connection)?,
        rooms: count("SELECT count(*) FROM rooms")?,
        events: count("SELECT count(*) FROM events")?,
        troubles,
    })
}

/// Rooms whose positions are not 1, 2, 3 …, and events of no room.
fn holes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    lines(
        connection,
        &format!(
            "SELECT 'room ' || coalesce((SELECT name FROM rooms WHERE id = room), 'unknown (' || room || ')') || ' has '
                 || count(*) || ' events in positions ' || min(seq) || ' to ' || max(seq)
             FROM events GROUP BY room
             HAVING min(seq) != 1 OR max(seq) != count(*) OR room NOT IN (SELECT id FROM rooms)
             LIMIT {MAX_TROUBLES}"
        ),
    )
}

fn lines(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { path, bytes, version, epoch, rooms, events, troubles } = self;
        writeln!(f, "{}", path.display())?;
        writeln!(f, "  schema {version}, epoch {epoch}, {bytes} bytes")?;
        writeln!(f, "  {rooms} rooms, {events} events")?;
        match troubles.as_slice() {
            [] => write!(f, "  sound"),
            troubles => {
                write!(f, "  DAMAGED:")?;
                troubles.iter().try_for_each(|trouble| write!(f, "\n    {trouble}"))
            }
        }
    }
}
