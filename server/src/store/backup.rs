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
    io,
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
    let report = sound(&partial)?;
    name(&partial, to)?;
    Ok(Report { path: to.into(), ..report })
}

/// Puts a backup into a data directory that no server uses. The log begins a new life there: browsers that have seen
/// what the backup does not have start afresh. What the directory held before is kept beside it. Cut off anywhere, it can
/// be run again, and until it has been, no server starts over a half of it.
pub fn restore(directory: &Path, from: &Path) -> Result<Report, OpenError> {
    let asked = sound(from)?;
    if asked.version > migrations::STEPS.len() {
        return Err(OpenError::TooNew { path: from.into(), found: asked.version, known: migrations::STEPS.len() });
    }
    let _lock = database::lock(directory)?;
    let path = database::path_in(directory);
    let restored = restoring(&path);
    copy(&database::look_at(from)?, &restored)?;
    begin_another_life(&restored)?;
    let ready = sound(&restored)?;
    set_aside(directory, &path)?;
    fs::rename(&restored, &path).map_err(|source| OpenError::Write { path: path.clone(), source })?;
    sync_folder(directory)?;
    Ok(Report { path, ..ready })
}

/// Looks at a database that must hold together.
fn sound(path: &Path) -> Result<Report, OpenError> {
    let report = check::file(path)?;
    match report.troubles.first() {
        Some(trouble) => Err(OpenError::Damaged { path: path.into(), what: trouble.clone() }),
        None => Ok(report),
    }
}

/// Where a restored database lies until it is whole.
pub(super) fn restoring(path: &Path) -> PathBuf {
    path.with_added_extension("restoring")
}

/// Copies a database to a file that is replaced in one step.
pub(super) fn copy(source: &Connection, to: &Path) -> Result<(), OpenError> {
    let partial = partial(to);
    remove(to)?;
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
    let failed = |error: rusqlite::Error| OpenError::Write { path: to.into(), source: io::Error::other(error) };
    database::make_private(to).map_err(|source| OpenError::Write { path: to.into(), source })?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    copy_pages(source, &mut target).map_err(failed)?;
    // One file that stands for itself: a copy in WAL mode would want to write beside itself when it is read.
    target.pragma_update(None, "journal_mode", "delete").map_err(failed)?;
    target.close().map_err(|(_, error)| failed(error))?;
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

/// Keeps the database that is there, with what SQLite keeps beside it, under other names in a folder named for the moment;
/// then takes their own names away. The database's goes first: without it no server starts while a restored one waits, and
/// a WAL whose database is another one would be written into that.
fn set_aside(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let there: Vec<PathBuf> =
        SIDES.iter().map(|ending| database::beside(path, ending)).filter(|side| side.exists()).collect();
    if there.is_empty() {
        return Ok(());
    }
    let folder = directory.join(format!("replaced-{}", crate::now().to_string().replace(':', "-")));
    let kept = |source| OpenError::Write { path: folder.clone(), source };
    fs::create_dir(&folder).map_err(kept)?;
    for side in &there {
        let other = folder.join(side.file_name().expect("it lies in the directory"));
        // Some file systems have no second names.
        fs::hard_link(side, &other).or_else(|_| fs::copy(side, &other).map(drop)).map_err(kept)?;
        File::open(&other).and_then(|file| file.sync_all()).map_err(kept)?;
    }
    sync_folder(&folder)?;
    sync_folder(directory)?;
    for side in there {
        fs::remove_file(&side).map_err(kept)?;
        sync_folder(directory)?;
    }
    tracing::info!(folder = %folder.display(), "what was there before is kept");
    Ok(())
}

/// A database, and what SQLite may keep beside it.
const SIDES: [&str; 4] = ["", "-wal", "-journal", "-shm"];

/// Removes a database, with what SQLite may have left beside it: a journal of the one before would be rolled back into
/// the next.
fn remove(path: &Path) -> Result<(), OpenError> {
    for side in SIDES.map(|ending| database::beside(path, ending)) {
        match fs::remove_file(&side) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(OpenError::Write { path: side, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits until names that were given or taken in a folder are on disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| OpenError::Write { path: folder.into(), source })
}
