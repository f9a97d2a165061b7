//! Files that are torn, cut short or flipped: what was committed up to there, or a refusal with advice; never garbage.

use crate::{
    disk::Disk,
    machine::{Machine, clients},
    support::{fresh_id, say},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, OpenFlags};
use server::store::{self, Database, OpenError};
use std::{fs, path::Path};
use tempfile::TempDir;

/// Messages, each committed by itself.
const MESSAGES: usize = 15;

/// Bits that are flipped, one in each copy.
const FLIPS: u64 = 150;

/// Before the first frame, and before the page in each frame, in bytes (<https://www.sqlite.org/fileformat2.html>).
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const PAGE: usize = 4_096;
const FRAME: usize = FRAME_HEADER + PAGE;

/// The files of a data directory.
#[derive(Clone)]
struct Files {
    database: Vec<u8>,
    wal: Vec<u8>,
}

/// What a start makes of files.
enum Made {
    /// So many messages, the first ones, and everything is sound.
    Prefix(usize),
    Refused(OpenError),
}

fn words(number: usize) -> String {
    format!("number {number}: {}", "and so on ".repeat(20 * number))
}

/// The files that a server leaves when its power fails: nothing of the log was moved to the database.
fn after_a_crash() -> Files {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::in_directory(folder.path());
    let machine = Machine::start(folder.path());
    clients().block_on(async {
        let mut author = machine.enter("x").await;
        for number in 1..=MESSAGES {
            let id = fresh_id();
            author.send(&say(id, &words(number))).await;
            author.ack(id).await;
        }
    });
    disk.cut_power(0);
    machine.die();
    disk.restore_power();
    Files::read(folder.path())
}

/// The files that a server leaves when it is stopped.
fn after_a_stop(crash: &Files) -> Files {
    let folder = crash.in_a_folder();
    Machine::start(folder.path()).stop();
    let files = Files::read(folder.path());
    assert!(files.wal.is_empty());
    files
}

impl Files {
    fn read(data: &Path) -> Files {
        let read = |name| fs::read(data.join(name)).unwrap_or_default();
        Files { database: read("taproom.db"), wal: read("taproom.db-wal") }
    }

    fn in_a_folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("taproom.db"), &self.database).expect("it is written");
        if !self.wal.is_empty() {
            fs::write(folder.path().join("taproom.db-wal"), &self.wal).expect("it is written");
        }
        folder
    }

    /// Opens them as a server does, and looks at everything that is there.
    fn start(&self) -> Made {
        let folder = self.in_a_folder();
        let database = match Database::open(folder.path()) {
            Ok(database) => database,
            Err(error) => return Made::Refused(error),
        };
        let bodies = bodies(database.path()).expect("what was opened can be read");
        for (number, body) in (1..).zip(&bodies) {
            assert_eq!(body, &words(number), "garbage");
        }
        let report = store::check(folder.path()).expect("it can be read");
        assert_eq!(report.troubles, Vec::<String>::new(), "{report}");
        Made::Prefix(bodies.len())
    }

    /// How many transactions are in the first bytes of the WAL: a frame that commits one says how large the database
    /// is.
    fn commits_in(&self, length: usize) -> usize {
        let frames = self.wal[..length.max(WAL_HEADER)][WAL_HEADER..].chunks_exact(FRAME);
        frames.filter(|frame| frame[4..8] != [0; 4]).count()
    }
}

/// The messages in the room, in their order.
fn bodies(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.prepare("SELECT body FROM events ORDER BY seq")?.query_map([], |row| row.get(0))?.collect()
}

/// An operator can act upon it.
fn advises(error: &OpenError) -> bool {
    let text = error.to_string();
    ["taproom check", "taproom restore", "--data"].iter().any(|advice| text.contains(advice))
}

/// Runs a check on every copy, on two threads.
fn each<T: Send + Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(2)) {
            scope.spawn(move || part.iter().for_each(check));
        }
    });
}

/// Every border of a frame, and one byte before and after it.
fn borders(wal: &[u8]) -> Vec<usize> {
    let borders = (0..).map(|frame| WAL_HEADER + frame * FRAME).take_while(|border| *border <= wal.len());
    let around = borders.flat_map(|border| [border - 1, border, border + 1]);
    around.chain([0, 1]).filter(|cut| *cut <= wal.len()).collect()
}

fn is_the_committed_prefix(files: &Files, whole: &Files, length: usize) {
    let missing = whole.commits_in(whole.wal.len()) - whole.commits_in(length);
    match files.start() {
        Made::Prefix(messages) => assert_eq!(messages, MESSAGES.saturating_sub(missing), "at {length}"),
        Made::Refused(error) => panic!("at {length}: {error}"),
    }
}

#[test]
fn a_log_that_is_cut_short_anywhere_around_a_frame_is_the_committed_prefix() {
    let whole = after_a_crash();
    assert!(whole.commits_in(whole.wal.len()) >= MESSAGES, "the log has everything");
    each(&borders(&whole.wal), |length| {
        let mut files = whole.clone();
        files.wal.truncate(*length);
        is_the_committed_prefix(&files, &whole, *length);
    });
}

#[test]
fn a_log_that_is_torn_anywhere_around_a_frame_is_the_committed_prefix() {
    let whole = after_a_crash();
    each(&borders(&whole.wal), |length| {
        let mut files = whole.clone();
        let mut luck = StdRng::seed_from_u64(*length as u64);
        files.wal[*length..].iter_mut().for_each(|byte| *byte = luck.random());
        is_the_committed_prefix(&files, &whole, *length);
    });
}

#[test]
fn a_flipped_bit_in_the_log_leaves_what_was_committed_before_it() {
    let whole = after_a_crash();
    let flips: Vec<u64> = (0..FLIPS).collect();
    each(&flips, |seed| {
        let mut luck = StdRng::seed_from_u64(*seed);
        let mut files = whole.clone();
        let at = luck.random_range(0..files.wal.len());
        files.wal[at] ^= 1 << luck.random_range(0..8);
        let before = at.saturating_sub(WAL_HEADER) / FRAME * FRAME + WAL_HEADER;
        is_the_committed_prefix(&files, &whole, if at < WAL_HEADER { 0 } else { before });
    });
}

#[test]
fn a_flipped_bit_in_the_database_is_refused_with_advice_or_hits_one_message_at_most() {
    let whole = after_a_stop(&after_a_crash());
    let flips: Vec<u64> = (0..FLIPS).collect();
    each(&flips, |seed| {
        let mut luck = StdRng::seed_from_u64(*seed);
        let mut files = whole.clone();
        let at = luck.random_range(0..files.database.len());
        files.database[at] ^= 1 << luck.random_range(0..8);
        let folder = files.in_a_folder();
        match Database::open(folder.path()) {
            Err(error) => assert!(advises(&error), "at {at}: {error}"),
            // SQLite has no sums over its pages: a letter that became another one is a letter.
            Ok(database) => {
                if let Ok(bodies) = bodies(database.path()) {
                    assert_eq!(bodies.len(), MESSAGES, "at {at}");
                    let other = (1..).zip(&bodies).filter(|(number, body)| **body != words(*number)).count();
                    assert!(other <= 1, "at {at}: {other} messages are others");
                }
            }
        }
    });
}
