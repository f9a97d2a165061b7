//! Copies of the database: made while the server runs, and put back.

use super::{
    OpenError,
    check::{self, Report},
    database, migrations,
};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long to wait before a step is tried again that met a lock.
const LOCKED_PAUSE: Duration = Duration::from_millis(50);

/// How often a step is tried that meets a lock.
const LOCKED_TRIES: usize = 200;

/// Copies the database of a data directory to a file, whole and as of one moment, while a server may be writing to it.
/// The copy is one file that needs nothing beside it. It appears under its name only when it is on disk and sound.
pub fn backup(directory: &Path, to: &Path) -> Result<Report, OpenError> {
    let source = database::look_at(&database::path_in(directory))?;
    if to.exists() {
        return Err(OpenError::Exists(to.into()));
    }
    let partial = partial(to);
    write(&source, &partial)?;
    let report = check::file(&partial)?;
    if let Some(trouble) = report.troubles.first() {
        return Err(OpenError::Damaged { path: partial, what: trouble.clone() });
    }
    name(&partial, to)?;
    Ok(Report { path: to.into(), ..report })
}

/// Puts a backup into a data directory that no server uses. The log begins a new life there: browsers that have seen
/// what the backup does not have start afresh. What the directory held before is kept beside it.
pub fn restore(directory: &Path, from: &Path) -> Result<Report, OpenError> {
    let _lock = database::lock(directory)?;
    let report = check::file(from)?;
    if report.version > migrations::STEPS.len() {
        return Err(OpenError::TooNew { path: from.into(), found: report.version, known: migrations::STEPS.len() });
    }
    if let Some(trouble) = report.troubles.first() {
        return Err(OpenError::Damaged { path: from.into(), what: trouble.clone() });
    }
    let path = database::path_in(directory);
    let restored = restoring(&path);
    remove(&restored)?;
    copy(&database::look_at(from)?, &restored)?;
    begin_another_life(&restored)?;
    set_aside(directory, &path)?;
    fs::rename(&restored, &path).map_err(|source| OpenError::Write { path: path.clone(), source })?;
    sync_folder(directory)?;
    check::file(&path)
}

/// Where a restored database lies until it is whole.
pub(super) fn restoring(path: &Path) -> PathBuf {
    path.with_added_extension("restoring")
}

/// Copies a database to a file that is replaced in one step.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), OpenError> {
    let partial = partial(to);
    write(source, &partial)?;
    name(&partial, to)
}

/// Where a copy lies until it has its name.
fn partial(to: &Path) -> PathBuf {
    to.with_added_extension("partial")
}

/// Copies a database to a file; returns when that is on disk.
fn write(source: &Connection, to: &Path) -> Result<(), OpenError> {
    remove(to)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut target = Connection::open_with_flags(to, flags).map_err(|error| database::told(to, error))?;
    copy_pages(source, &mut target).map_err(|error| database::told(to, error))?;
    // One file that stands for itself: a copy in WAL mode would want to write beside itself when it is read.
    target.pragma_update(None, "journal_mode", "delete")?;
    target.close().map_err(|(_, error)| error)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|source| OpenError::Write { path: to.into(), source })
}

/// Gives a copy its name.
fn name(partial: &Path, to: &Path) -> Result<(), OpenError> {
    fs::rename(partial, to).map_err(|source| OpenError::Write { path: to.into(), source })?;
    sync_folder(to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// All pages in one step: readers of a WAL see one moment, and hold nobody up.
fn copy_pages(source: &Connection, target: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(source, target)?;
    for _ in 0..LOCKED_TRIES {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            _ => std::thread::sleep(LOCKED_PAUSE),
        }
    }
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None))
}

fn begin_another_life(path: &Path) -> Result<(), OpenError> {
    let connection = Connection::open(path)?;
    connection.execute("UPDATE log SET epoch = ?1", [database::fresh_epoch()])?;
    connection.close().map_err(|(_, error)| error)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(|source| OpenError::Write { path: path.into(), source })
}

/// Moves the database that is there, with what SQLite keeps beside it, into a folder named for the moment.
fn set_aside(directory: &Path, path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let folder = directory.join(format!("replaced-{}", crate::now().to_string().replace(':', "-")));
    let moved = |source| OpenError::Write { path: folder.clone(), source };
    fs::create_dir(&folder).map_err(moved)?;
    // The database goes last: as long as it is there, a server that starts finds it with its WAL.
    for ending in ["-shm", "-wal", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(ending);
        let from = PathBuf::from(from);
        if from.exists()
            && let Some(name) = from.file_name()
        {
            fs::rename(&from, folder.join(name)).map_err(moved)?;
        }
    }
    sync_folder(&folder)?;
    tracing::info!(folder = %folder.display(), "what was there before is kept");
    Ok(())
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// Waits until names that were given or taken in a folder are on disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| OpenError::Write { path: folder.into(), source })
}
