//! The database's file: found, locked, brought up to date, connected to.

use super::{backup, migrations};
use app::protocol::Epoch;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};
use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// The database, in the data directory. Beside it lie SQLite's own `-wal` and `-shm`.
const FILE: &str = "taproom.db";

/// Held locked for as long as a server, or a restore, works in the directory.
const LOCK: &str = "taproom.lock";

/// Marks our databases (`PRAGMA application_id`): "Tapr".
pub(super) const APPLICATION: i32 = 0x5461_7072;

/// How long a statement waits for another process that has locked the database.
const LOCKED_PATIENCE: Duration = Duration::from_secs(2);

/// How long the look at a database that was not closed properly may take. `taproom check` looks at everything.
const QUICK_CHECK: Duration = Duration::from_secs(1);

/// The length of the shortest database, in bytes: one page of the smallest size.
const SHORTEST: u64 = 512;

/// How much of a WAL is written again at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// Instructions of SQLite's machine between two looks at the clock.
const CHECK_STRIDE: i32 = 10_000;

/// A WAL that grew beyond this is cut back once it is empty, in bytes.
const WAL_KEPT: i64 = 32 * 1024 * 1024;

/// A data directory that belongs to this process. Cloning is cheap; the lock goes with the last clone.
#[derive(Clone, Debug)]
pub struct Database {
    path: Arc<Path>,
    epoch: Epoch,
    /// Open for as long as anybody uses the database, and idle: with it SQLite's index of the WAL lives, which knows
    /// how far the log was committed. When the last connection goes and the WAL is read again from its file, a commit
    /// whose fsync failed is found there, looks whole, and is not durable.
    _index: Arc<Mutex<Connection>>,
    _lock: Arc<File>,
}

/// Why a data directory cannot be used, in words for the person who runs the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    #[error("cannot use the data directory {}: {source}; choose another with --data or TAPROOM_DATA", .path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process works in the directory.
    #[error("another Taproom uses the data directory {}; stop it first, or choose another with --data or TAPROOM_DATA", .0.display())]
    InUse(PathBuf),
    /// There is no database.
    #[error("there is no database at {}; name its directory with --data or TAPROOM_DATA", .0.display())]
    Missing(PathBuf),
    /// It is a database, and not Taproom's.
    #[error("{} is not Taproom's; move it away, or choose another directory with --data or TAPROOM_DATA", .0.display())]
    Foreign(PathBuf),
    /// A later version of Taproom wrote it.
    #[error("{} was written by a later Taproom (schema {found}, this one knows {known}); run that one, or restore a backup of this version", .path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The last version that this program knows.
        known: usize,
    },
    /// It does not hold together.
    #[error("{} is damaged: {what}; look at it with `taproom check --data DIRECTORY`, then put back a backup with `taproom restore --data DIRECTORY --from FILE`", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A restore was cut off.
    #[error("a restore into {} was interrupted; run it again", .0.display())]
    HalfRestored(PathBuf),
    /// A file is in the way.
    #[error("{} is there already; choose another name", .0.display())]
    Exists(PathBuf),
    /// The database answered with an error.
    #[error("the database says: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Database {
    /// Opens the database of a directory and makes what is missing. Fails where another process uses it, where it is
    /// damaged, foreign or too new.
    pub fn open(directory: &Path) -> Result<Database, OpenError> {
        let lock = lock(directory)?;
        let path = directory.join(FILE);
        refuse_half_restored(&path)?;
        refuse_what_is_no_database(&path)?;
        let was_closed = wal_is_empty(&path);
        if !was_closed {
            write_again(&beside(&path, "-wal"))?;
        }
        make_private(&path).map_err(|source| OpenError::Directory { path: path.clone(), source })?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE).map_err(|error| told(&path, error))?;
        identify(&connection, &path)?;
        if !was_closed {
            quick_check(&mut connection, &path)?;
        }
        migrations::migrate(&mut connection, &path, migrations::STEPS)?;
        begin(&connection)?;
        backup::sync_folder(directory)?;
        let epoch = epoch(&connection).map_err(|error| told(&path, error))?;
        Ok(Database { path: path.into(), epoch, _index: Arc::new(Mutex::new(connection)), _lock: lock.into() })
    }

    /// The life of the log.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that writes. There is one at a time.
    pub(crate) fn writer(&self) -> rusqlite::Result<Connection> {
        connect(&self.path, OpenFlags::empty())
    }

    /// A connection that only reads.
    pub(super) fn reader(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path, OpenFlags::empty())?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

/// Where the database of a directory lies.
pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Makes the directory if it is missing, and takes its lock.
pub(super) fn lock(directory: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Directory { path: directory.into(), source };
    fs::create_dir_all(directory).map_err(unusable)?;
    let lock = File::options().create(true).append(true).open(directory.join(LOCK)).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.into())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Connects to a database of ours that is there already, for reading. Nothing about it is changed, not even how it
/// journals: a copy may lie where nothing can be written.
pub(super) fn look_at(path: &Path) -> Result<Connection, OpenError> {
    if !path.is_file() {
        return Err(OpenError::Missing(path.into()));
    }
    let connection = open(path, OpenFlags::empty()).map_err(|error| told(path, error))?;
    // Whoever only looks leaves a WAL for the server that it belongs to: by it that knows that it has to look as well.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    match connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0)) {
        Ok(APPLICATION) => Ok(connection),
        Ok(_) => Err(OpenError::Foreign(path.into())),
        Err(error) => Err(told(path, error)),
    }
}

/// Opens a database that is written to.
fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = open(path, more)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Every commit waits for the disk. NORMAL loses what was acknowledged when the power goes.
    connection.pragma_update(None, "synchronous", "full")?;
    // The journal moves pages from the WAL to the database itself, between two batches.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
    Ok(connection)
}

/// Opens a database as it is.
fn open(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCKED_PATIENCE)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// The name of what SQLite keeps beside a database.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// SQLite removes the WAL, or leaves it empty, when the last connection closes. One with something in it was left
/// behind by a process that died.
fn wal_is_empty(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).map_or(true, |wal| wal.len() == 0)
}

/// Writes a file over itself and waits for the disk. The process that left it may have died of a failed fsync, after which
/// the system shows bytes that the disk does not have, and no later fsync writes them: what is about to be built on would
/// be gone with the power. Writing them again makes them real.
fn write_again(path: &Path) -> Result<(), OpenError> {
    let again = || {
        let file = File::options().read(true).write(true).open(path)?;
        // Byte by byte: a copy that the system makes may share what is there and write nothing.
        let (mut piece, mut at) = (vec![0; PIECE], 0);
        loop {
            match file.read_at(&mut piece, at)? {
                0 => return file.sync_all(),
                read => {
                    file.write_all_at(&piece[..read], at)?;
                    at += read as u64;
                }
            }
        }
    };
    match again() {
        // Somebody who looked at the database has tidied up.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(|source| OpenError::Write { path: path.into(), source }),
    }
}

/// SQLite would make a new database of an empty file, and throw away a WAL that has no database. What is too short to be
/// one belongs to somebody else.
fn refuse_what_is_no_database(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path).map_or(0, |file| file.len()) {
        0 if !wal_is_empty(path) => {
            let what = "it is missing or empty, and the WAL beside it has messages".to_owned();
            Err(OpenError::Damaged { path: path.into(), what })
        }
        1..SHORTEST => Err(OpenError::Foreign(path.into())),
        _ => Ok(()),
    }
}

/// What people say is for those who may enter their rooms, not for everybody with an account on the machine. SQLite gives
/// the WAL the rights of the database.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    match File::options().create_new(true).write(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn refuse_half_restored(path: &Path) -> Result<(), OpenError> {
    let half_restored = !path.exists() && backup::restoring(path).exists();
    if half_restored { Err(OpenError::HalfRestored(path.into())) } else { Ok(()) }
}

/// An empty file becomes ours, and one of somebody else's is left alone.
fn identify(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(|error| told(path, error))?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| told(path, error))?;
    match (application, tables) {
        (APPLICATION, _) => Ok(()),
        (0, 0) => Ok(connection.pragma_update(None, "application_id", APPLICATION)?),
        _ => Err(OpenError::Foreign(path.into())),
    }
}

/// Looks whether the file holds together, as far as a second reaches.
fn quick_check(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let began = Instant::now();
    connection.progress_handler(CHECK_STRIDE, Some(move || began.elapsed() > QUICK_CHECK))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(found) if found == "ok" => tracing::info!("the database was not closed properly, and is sound"),
        Ok(what) => return Err(OpenError::Damaged { path: path.into(), what }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!("the database was not closed properly; the part of it that was looked at is sound");
        }
        Err(error) => return Err(told(path, error)),
    }
    Ok(())
}

/// The log's first life begins, unless it has.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let now = crate::now();
    let sql = "INSERT INTO log (epoch, created) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM log)";
    connection.execute(sql, (fresh_epoch(), now.0 as i64))?;
    Ok(())
}

/// An epoch that no log has had.
pub(super) fn fresh_epoch() -> String {
    ulid::Ulid::from_parts(crate::now().0, rand::random()).to_string()
}

pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<Epoch> {
    connection.query_row("SELECT epoch FROM log", [], |row| row.get::<_, String>(0)).map(|epoch| Epoch(epoch.into()))
}

/// What an error at opening means to the person who runs the server.
pub(super) fn told(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = || path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged { path: path(), what: error.to_string() }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::DiskFull) => {
            OpenError::Directory { path: path(), source: io::Error::other(error) }
        }
        _ => OpenError::Sqlite(error),
    }
}
