//! The shim between SQLite and its unix VFS: each call on a file of a [disk](super::Disk) passes the disk first.
//!
//! SQLite asks for a VFS as a table of C functions over memory that it allocates itself; there is no safe way to be
//! one. The unsafe part is this file alone, and it decides nothing: it turns pointers into slices, paths and
//! references, asks the disk, and calls the unix VFS. It leans on these promises of SQLite's
//! (<https://www.sqlite.org/c3ref/vfs.html>, <https://www.sqlite.org/c3ref/io_methods.html>): a file's memory has the
//! size that the VFS asked for, is aligned to 8 bytes and stays where it is between opening and closing; two threads
//! never use one file at a time; names end with a zero byte and outlive the call; buffers are as long as is said.
#![allow(unsafe_code, reason = "SQLite's interface for file systems is one of C; see above")]

use super::{Below, Kind, Mounted};
use parking_lot::Mutex;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};
use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::{Arc, OnceLock},
};

/// Calls a method of the unix VFS's part of a file. Needs a file that is open.
macro_rules! call_below {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let below = below($file);
        (*(*below).pMethods).$method.map_or(ffi::SQLITE_IOERR, |call| call(below $(, $argument)*))
    }};
}

/// Methods that are the unix VFS's.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty),*) = $method:ident;)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: SQLite has the file open, and gave us the arguments.
            unsafe { call_below!(file, $method $(, $argument)*) }
        }
    )*};
}

/// The disks of this process.
static DISKS: Mutex<Vec<Arc<Mounted>>> = Mutex::new(Vec::new());

/// A file of a disk, as SQLite holds it. The unix VFS's own file follows in the same memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// From a [`Box`]; ours from opening to closing.
    open: *mut Open,
}

struct Open {
    disk: Arc<Mounted>,
    path: PathBuf,
    kind: Kind,
    /// As in the unix VFS: the first sync of a new log or journal makes its name durable, too.
    syncs_names: bool,
}

/// Bytes from the start of our file to the unix VFS's.
const OURS: usize = size_of::<File>().next_multiple_of(8);

/// SQLite's own VFS, which lives as long as the process.
struct Unix(*mut sqlite3_vfs);

// SAFETY: SQLite calls it from every thread itself, and nobody changes it.
unsafe impl Send for Unix {}
// SAFETY: As above.
unsafe impl Sync for Unix {}

/// The unix VFS. Whoever asks first makes ours the default.
fn unix() -> *mut sqlite3_vfs {
    static UNIX: OnceLock<Unix> = OnceLock::new();
    UNIX.get_or_init(|| {
        // SAFETY: Both calls may come from any thread; what is registered is never freed. What we do not put ourselves
        // before are the unix VFS's own functions (full names, randomness, time, sleep), which do not look at whose
        // they are.
        unsafe {
            let unix = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!unix.is_null(), "SQLite has a default VFS");
            let ours = sqlite3_vfs {
                szOsFile: OURS as c_int + (*unix).szOsFile,
                pNext: ptr::null_mut(),
                zName: c"faulty".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                ..*unix
            };
            let registered = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 1);
            assert_eq!(registered, ffi::SQLITE_OK, "a VFS can be registered");
            Unix(unix)
        }
    })
    .0
}

/// From now on files in its directory are on this disk.
pub(super) fn mount(disk: &Arc<Mounted>) {
    unix();
    let mut disks = DISKS.lock();
    assert!(disks.iter().all(|other| other.directory != disk.directory), "a directory is on one disk");
    disks.push(disk.clone());
}

pub(super) fn unmount(disk: &Arc<Mounted>) {
    DISKS.lock().retain(|other| !Arc::ptr_eq(other, disk));
}

/// The disk that a file is on, and its path; `None` for the rest of the world.
///
/// # Safety
/// `name` is null or ends with a zero byte.
unsafe fn disk_of(name: *const c_char) -> Option<(Arc<Mounted>, PathBuf)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: The caller says so.
    let name = unsafe { CStr::from_ptr(name) };
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    let disk = DISKS.lock().iter().find(|disk| path.starts_with(&disk.directory)).cloned()?;
    Some((disk, path.to_owned()))
}

fn kind_of(flags: c_int) -> Option<Kind> {
    match flags {
        _ if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => Some(Kind::Database),
        _ if flags & ffi::SQLITE_OPEN_WAL != 0 => Some(Kind::Log),
        _ if flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL) != 0 => Some(Kind::Journal),
        _ => None,
    }
}

fn code(outcome: Result<(), c_int>) -> c_int {
    outcome.err().unwrap_or(ffi::SQLITE_OK)
}

fn outcome(code: c_int) -> Result<(), c_int> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

// The VFS

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let unix = unix();
    // SAFETY: The unix VFS always has this function, and gets what SQLite gave us, with memory of its own.
    let open_below =
        |file| unsafe { (*unix).xOpen.map_or(ffi::SQLITE_CANTOPEN, |open| open(unix, name, file, flags, flags_out)) };
    // SAFETY: `name` is SQLite's.
    let (Some((disk, path)), Some(kind)) = (unsafe { disk_of(name) }, kind_of(flags)) else {
        return open_below(file);
    };
    // SAFETY: `file` has room for ours and the unix VFS's. Without methods SQLite does not close it: so it must be
    // where opening fails.
    unsafe { (*file).pMethods = ptr::null() };
    let opened = disk.open(&path, || {
        // SAFETY: As above; the size is asked of a file that was just opened.
        unsafe {
            outcome(open_below(below(file)))?;
            let mut size = 0;
            outcome(call_below!(file, xFileSize, &mut size))?;
            Ok(size as u64)
        }
    });
    if opened.is_ok() {
        let syncs_names = kind != Kind::Database && flags & ffi::SQLITE_OPEN_CREATE != 0;
        let open = Box::into_raw(Box::new(Open { disk, path, kind, syncs_names }));
        // SAFETY: `file` has room for ours.
        unsafe { file.cast::<File>().write(File { base: sqlite3_file { pMethods: &METHODS }, open }) };
    }
    code(opened)
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_names: c_int) -> c_int {
    let unix = unix();
    // SAFETY: The unix VFS always has this function, and gets what SQLite gave us.
    let delete_below =
        || unsafe { (*unix).xDelete.map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(unix, name, sync_names)) };
    // SAFETY: `name` is SQLite's.
    let Some((disk, path)) = (unsafe { disk_of(name) }) else { return delete_below() };
    let deleted = disk.delete(&path, || outcome(delete_below()));
    if deleted.is_ok() && sync_names != 0 {
        disk.sync_names();
    }
    code(deleted)
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, answer: *mut c_int) -> c_int {
    let unix = unix();
    // SAFETY: `name` is SQLite's; the unix VFS always has this function, and gets what SQLite gave us.
    unsafe {
        if let Some(Err(code)) = disk_of(name).map(|(disk, _)| disk.needs_power()) {
            return code;
        }
        (*unix).xAccess.map_or(ffi::SQLITE_IOERR_ACCESS, |access| access(unix, name, flags, answer))
    }
}

// A file's methods

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // With shared memory, without memory-mapped reads: those would pass by the disk.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The unix VFS's part of a file.
///
/// # Safety
/// `file` points to memory of the size that our VFS asks for.
unsafe fn below(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: Behind ours there is room for theirs.
    unsafe { file.byte_add(OURS) }
}

/// What we know of a file.
///
/// # Safety
/// `file` is one that `open` opened, nobody has closed it, and nobody else uses it now.
unsafe fn open_of<'a>(file: *mut sqlite3_file) -> &'a mut Open {
    // SAFETY: From `open` to `close` the pointer is that of a box, and SQLite uses a file from one thread at a time.
    unsafe { &mut *(*file.cast::<File>()).open }
}

impl Below for *mut sqlite3_file {
    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), c_int> {
        // SAFETY: The disk is given files that SQLite has open; the slice is as long as is said.
        outcome(unsafe { call_below!(*self, xRead, bytes.as_mut_ptr().cast(), bytes.len() as c_int, offset as i64) })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), c_int> {
        if bytes.is_empty() {
            return Ok(());
        }
        // SAFETY: As above.
        outcome(unsafe { call_below!(*self, xWrite, bytes.as_ptr().cast(), bytes.len() as c_int, offset as i64) })
    }

    fn truncate(&mut self, size: u64) -> Result<(), c_int> {
        // SAFETY: As above.
        outcome(unsafe { call_below!(*self, xTruncate, size as i64) })
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file that it opened, once.
    unsafe {
        let open = Box::from_raw((*file.cast::<File>()).open);
        let closed = call_below!(file, xClose);
        (*file).pMethods = ptr::null();
        open.disk.close(&open.path);
        closed
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, bytes: *mut c_void, length: c_int, offset: sqlite3_int64) -> c_int {
    // SAFETY: SQLite has the file open, and the buffer is as long as is said.
    let (open, bytes) = unsafe { (open_of(file), std::slice::from_raw_parts_mut(bytes.cast(), length as usize)) };
    code(open.disk.read(offset as u64, bytes, file))
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite has the file open, and the buffer is as long as is said.
    let (open, bytes) = unsafe { (open_of(file), std::slice::from_raw_parts(bytes.cast(), length as usize)) };
    code(open.disk.write(&open.path, offset as u64, bytes, file))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: SQLite has the file open.
    let open = unsafe { open_of(file) };
    code(open.disk.truncate(&open.path, size as u64, file))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite has the file open.
    let open = unsafe { open_of(file) };
    let synced = open.disk.sync(&open.path, open.kind);
    if synced.is_ok() && std::mem::take(&mut open.syncs_names) {
        open.disk.sync_names();
    }
    code(synced)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite has the file open, and there is room for the size.
    unsafe {
        match open_of(file).disk.needs_power() {
            Ok(()) => call_below!(file, xFileSize, size),
            Err(code) => code,
        }
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    match operation {
        // The file would grow unseen.
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE => ffi::SQLITE_NOTFOUND,
        // SAFETY: SQLite has the file open, and the argument is what the operation wants.
        _ => unsafe { call_below!(file, xFileControl, operation, argument) },
    }
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    const KEPT: c_int = ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ;
    // SAFETY: SQLite has the file open.
    KEPT & unsafe { call_below!(file, xDeviceCharacteristics) }
}

passed_on! {
    lock(level: c_int) = xLock;
    unlock(level: c_int) = xUnlock;
    check_reserved_lock(answer: *mut c_int) = xCheckReservedLock;
    sector_size() = xSectorSize;
    shm_map(region: c_int, size: c_int, extend: c_int, memory: *mut *mut c_void) = xShmMap;
    shm_lock(offset: c_int, count: c_int, flags: c_int) = xShmLock;
    shm_unmap(delete: c_int) = xShmUnmap;
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite has the file open.
    unsafe {
        let below = below(file);
        if let Some(barrier) = (*(*below).pMethods).xShmBarrier {
            barrier(below);
        }
    }
}
