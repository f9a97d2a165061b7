//! A disk that loses power, fails, fills up and lies on command, under the real SQLite.
//!
//! It is a VFS of SQLite that stands before the unix one: files, locks and shared memory are the real ones. It is the
//! process's default, so the server opens its database as ever; what it does goes by the directory, and files of
//! other directories are none of its business.
//!
//! It promises SQLite what the unix VFS promises on Linux, and keeps it: bytes beside what is written stay as they are,
//! even when the power fails (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`). Promising less would make SQLite more careful here
//! (it would fill up sectors of the log) than it is in production, and the proof would be one of something else.
//! Nothing more is promised: no atomic writes, no order, no safe growth.

mod directory;
mod faults;
mod platter;
mod vfs;

pub(crate) use faults::Tally;

use directory::Directory;
use faults::{Faults, Odds};
use parking_lot::{Condvar, Mutex};
use platter::{Bytes, SECTOR};
use rusqlite::ffi;
use std::{
    ffi::c_int,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long files may stay open after the power was cut: somebody has to notice first.
const CLOSING: Duration = Duration::from_secs(20);

/// The disk that a directory is on, until this is dropped.
pub(crate) struct Disk(Arc<Mounted>);

/// A disk, as the VFS sees it. Errors are SQLite's result codes.
#[derive(Debug)]
struct Mounted {
    directory: PathBuf,
    state: Mutex<State>,
    closed: Condvar,
}

#[derive(Debug)]
struct State {
    power: Power,
    files: Directory,
    faults: Faults,
    tally: Tally,
}

#[derive(Debug, Clone, Copy)]
enum Power {
    On,
    /// It fails at one of the next changes.
    Failing {
        changes: u64,
        seed: u64,
    },
    Off {
        seed: u64,
    },
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Database,
    /// The write-ahead log.
    Log,
    /// A rollback journal.
    Journal,
}

/// An open file of the unix VFS.
trait Below {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), c_int>;
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), c_int>;
    fn truncate(&mut self, size: u64) -> Result<(), c_int>;
}

impl Disk {
    /// The disk that a directory is on. It works, until it is told otherwise.
    pub(crate) fn in_directory(directory: &Path) -> Disk {
        let directory = directory.canonicalize().expect("the directory is there");
        let (power, files) = (Power::On, Directory::default());
        let state = State { power, files, faults: Faults::default(), tally: Tally::default() };
        let disk = Arc::new(Mounted { directory, state: Mutex::new(state), closed: Condvar::new() });
        vfs::mount(&disk);
        Disk(disk)
    }

    // Power

    /// From now on nothing works. What is left afterwards goes by the seed.
    pub(crate) fn cut_power(&self, seed: u64) {
        self.0.state.lock().power = Power::Off { seed };
    }

    /// Cuts the power after so many changes: writes, syncs, truncations and deletions.
    pub(crate) fn cut_power_after(&self, changes: u64, seed: u64) {
        self.0.state.lock().power = Power::Failing { changes, seed };
    }

    pub(crate) fn has_power(&self) -> bool {
        !matches!(self.0.state.lock().power, Power::Off { .. })
    }

    /// Waits until the last file is closed, then makes the files what the cut left of them, and lets everything work
    /// again. Faults stay as they were told.
    pub(crate) fn restore_power(&self) {
        let mut state = self.0.state.lock();
        while state.files.handles() > 0 {
            let waited = self.0.closed.wait_for(&mut state, CLOSING);
            assert!(!waited.timed_out(), "{} files are still open", state.files.handles());
        }
        let Power::Off { seed } = state.power else { panic!("the power is on") };
        state.files.land(seed).expect("the files can be written");
        self.remove_shared_memory();
        state.power = Power::On;
    }

    /// Memory does not survive a power cut, and what a file system kept of it is worth nothing.
    fn remove_shared_memory(&self) {
        for entry in fs::read_dir(&self.0.directory).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            if path.to_string_lossy().ends_with("-shm") {
                fs::remove_file(path).expect("nobody has it open");
            }
        }
    }

    // Faults

    /// The next syncs fail: what they should have written counts as written, and is not.
    pub(crate) fn fail_next_syncs(&self, count: u32) {
        self.0.state.lock().faults.syncs = Odds::next(count);
    }

    /// Syncs fail at this rate, from 0 to 1.
    pub(crate) fn fail_syncs(&self, rate: f64, seed: u64) {
        self.0.state.lock().faults.syncs = Odds::rate(rate, seed);
    }

    /// Writes fail at this rate, after a part of them was written.
    pub(crate) fn fail_writes(&self, rate: f64, seed: u64) {
        self.0.state.lock().faults.writes = Odds::rate(rate, seed);
    }

    /// Reads fail at this rate.
    pub(crate) fn fail_reads(&self, rate: f64, seed: u64) {
        self.0.state.lock().faults.reads = Odds::rate(rate, seed);
    }

    /// While it is full, no file grows.
    pub(crate) fn set_full(&self, full: bool) {
        self.0.state.lock().faults.full = full;
    }

    /// Each sync takes this long.
    pub(crate) fn slow_syncs(&self, pause: Duration) {
        self.0.state.lock().faults.sync_takes = pause;
    }

    /// Syncs of the write-ahead log succeed and do nothing, as if nobody had asked for them.
    pub(crate) fn lie_about_syncs(&self) {
        self.0.state.lock().faults.lies = true;
    }

    /// No more faults. The power stays as it is.
    pub(crate) fn heal(&self) {
        self.0.state.lock().faults = Faults::default();
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0.state.lock().tally
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        vfs::unmount(&self.0);
    }
}

impl Mounted {
    /// Opens a file by `open`, which answers its size.
    fn open(&self, path: &Path, open: impl FnOnce() -> Result<u64, c_int>) -> Result<(), c_int> {
        let mut state = self.state.lock();
        state.needs_power()?;
        let made = !path.exists();
        let size = open()?;
        state.files.open(path, size, made);
        Ok(())
    }

    fn close(&self, path: &Path) {
        self.state.lock().files.close(path);
        self.closed.notify_all();
    }

    fn delete(&self, path: &Path, delete: impl FnOnce() -> Result<(), c_int>) -> Result<(), c_int> {
        let mut state = self.state.lock();
        state.changes()?;
        state.files.delete(path).map_err(|_| ffi::SQLITE_IOERR_DELETE)?;
        delete()
    }

    /// Makes the directory's names durable.
    fn sync_names(&self) {
        self.state.lock().files.synced();
    }

    /// Whether anything works at all.
    fn needs_power(&self) -> Result<(), c_int> {
        self.state.lock().needs_power()
    }

    fn read(&self, offset: u64, bytes: &mut [u8], mut below: impl Below) -> Result<(), c_int> {
        let mut state = self.state.lock();
        state.needs_power()?;
        if state.faults.reads.strike() {
            state.tally.injected += 1;
            return Err(ffi::SQLITE_IOERR_READ);
        }
        drop(state);
        below.read(offset, bytes)
    }

    fn write(&self, path: &Path, offset: u64, bytes: &[u8], mut below: impl Below) -> Result<(), c_int> {
        let mut state = self.state.lock();
        let State { files, faults, tally, .. } = state.changes()?;
        let platter = files.file(path);
        tally.writes += 1;
        if faults.full && offset + bytes.len() as u64 > platter.size() {
            tally.injected += 1;
            return Err(ffi::SQLITE_FULL);
        }
        let fails = faults.writes.strike();
        let written = if fails { &bytes[..faults.writes.part_of(bytes.len())] } else { bytes };
        platter.write(offset, written, |number| sector(&mut below, number));
        below.write(offset, written)?;
        if fails {
            tally.injected += 1;
            return Err(ffi::SQLITE_IOERR_WRITE);
        }
        Ok(())
    }

    fn truncate(&self, path: &Path, size: u64, mut below: impl Below) -> Result<(), c_int> {
        let mut state = self.state.lock();
        let platter = state.changes()?.files.file(path);
        platter.truncate(size, |number| sector(&mut below, number));
        below.truncate(size)
    }

    /// Makes a file durable, which for our purpose needs no disk at all.
    fn sync(&self, path: &Path, kind: Kind) -> Result<(), c_int> {
        let pause = self.state.lock().faults.sync_takes;
        std::thread::sleep(pause);
        let mut state = self.state.lock();
        let State { files, faults, tally, .. } = state.changes()?;
        tally.syncs += 1;
        if faults.lies && kind == Kind::Log {
            return Ok(());
        }
        if faults.syncs.strike() {
            tally.injected += 1;
            files.file(path).sync_failed();
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        files.file(path).synced();
        Ok(())
    }
}

impl State {
    fn needs_power(&self) -> Result<(), c_int> {
        match self.power {
            Power::Off { .. } => Err(ffi::SQLITE_IOERR),
            Power::On | Power::Failing { .. } => Ok(()),
        }
    }

    /// The state, for a change, unless the power fails before it.
    fn changes(&mut self) -> Result<&mut State, c_int> {
        if let Power::Failing { changes, seed } = self.power {
            self.power = match changes {
                0 => Power::Off { seed },
                _ => Power::Failing { changes: changes - 1, seed },
            };
        }
        self.needs_power()?;
        Ok(self)
    }
}

/// What a sector of a file holds now.
fn sector(below: &mut impl Below, number: u64) -> Bytes {
    let mut bytes = [0; SECTOR];
    match below.read(number * SECTOR as u64, &mut bytes) {
        Ok(()) | Err(ffi::SQLITE_IOERR_SHORT_READ) => bytes,
        Err(code) => panic!("the real disk failed: SQLite's code is {code}"),
    }
}
