//! The disk itself, held to bare SQLite: it does to a database what a disk would do, and the controls lose.

use crate::disk::{Disk, Tally};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rusqlite::{Connection, Error, ErrorCode, Result, config::DbConfig, ffi};
use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Power cuts that a promise has to survive.
const CUTS: u64 = 50;

/// Power cuts within which a control has to lose something.
const CUTS_OF_A_CONTROL: u64 = 20;

/// Changes to a disk before its power fails, at most: some 60 transactions.
const CHANGES: u64 = 300;

/// A database on a disk of its own.
struct Database {
    folder: TempDir,
    disk: Disk,
}

/// What became of numbers that were written one by one.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    /// The last one that was committed.
    committed: i64,
    /// Those that were there after the cut.
    there: Vec<i64>,
}

impl Database {
    fn new() -> Database {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Database { disk: Disk::in_directory(folder.path()), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("numbers.db")
    }

    fn open(&self, synchronous: &str) -> Result<Connection> {
        let connection = Connection::open(self.path())?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA synchronous = {synchronous};
             CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, text TEXT NOT NULL);"
        ))?;
        Ok(connection)
    }

    /// Cuts the power now, and lets it come back.
    fn cut(&self, seed: u64) {
        self.disk.cut_power(seed);
        self.disk.restore_power();
    }

    /// What is there, in a database that is whole.
    fn numbers(&self) -> Vec<i64> {
        let connection = self.open("FULL").expect("it can be opened");
        let health: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(health, "ok");
        numbers(&connection).expect("it can be read")
    }

    /// Writes numbers until the power fails, with checkpoints of each kind between them, and tells what came of it.
    fn write_until_the_power_fails(&self, synchronous: &str, seed: u64) -> Fate {
        let mut luck = StdRng::seed_from_u64(seed);
        let changes = luck.random_range(0..CHANGES);
        // Half of them begin with the making of the database, which takes some 20 changes of its own.
        let from_the_start = luck.random();
        let mut committed = 0;
        let mut write = || -> Result<()> {
            if from_the_start {
                self.disk.cut_power_after(changes, seed);
            }
            let connection = self.open(synchronous)?;
            if !from_the_start {
                self.disk.cut_power_after(changes, seed);
            }
            for number in 1.. {
                insert(&connection, number, luck.random_range(1..6_000))?;
                committed = number;
                if let Some(mode) = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"].get(luck.random_range(0..20)) {
                    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))?;
                }
            }
            Ok(())
        };
        write().expect_err("the power fails");
        assert!(!self.disk.has_power());
        self.disk.restore_power();
        Fate { committed, there: self.numbers() }
    }
}

impl Fate {
    fn has_lost(&self) -> bool {
        self.there.len() < self.committed as usize
    }
}

fn insert(connection: &Connection, number: i64, length: usize) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO numbers VALUES (?, ?)")?;
    insert.execute((number, "x".repeat(length))).map(drop)
}

fn numbers(connection: &Connection) -> Result<Vec<i64>> {
    connection.prepare_cached("SELECT number FROM numbers ORDER BY number")?.query_map([], |row| row.get(0))?.collect()
}

/// SQLite's code for an error, the long one.
fn code(error: &Error) -> i32 {
    error.sqlite_error().map_or(ffi::SQLITE_OK, |error| error.extended_code)
}

// Power

#[test]
fn what_was_committed_with_full_survives_every_power_cut() {
    let mut committed = 0;
    for seed in 0..CUTS {
        let fate = Database::new().write_until_the_power_fails("FULL", seed);
        let there = fate.there.len() as i64;
        assert_eq!(fate.there, (1..=there).collect::<Vec<_>>(), "seed {seed}");
        assert!(there == fate.committed || there == fate.committed + 1, "seed {seed}: {fate:?}");
        committed += fate.committed;
    }
    assert!(committed > CUTS as i64 * 10, "{committed} transactions prove little");
}

#[test]
fn the_control_with_normal_loses_committed_transactions() {
    let fates: Vec<Fate> =
        (0..CUTS_OF_A_CONTROL).map(|seed| Database::new().write_until_the_power_fails("NORMAL", seed)).collect();
    assert!(fates.iter().filter(|fate| fate.has_lost()).count() >= 3, "{fates:?}");
}

#[test]
fn the_control_on_a_disk_that_lies_loses_committed_transactions() {
    let loses = |seed: u64| {
        let database = Database::new();
        let connection = database.open("FULL").expect("it can be opened");
        database.disk.lie_about_syncs();
        (1..=20).for_each(|number| insert(&connection, number, 500).expect("the disk says so"));
        database.disk.cut_power(seed);
        drop(connection);
        database.disk.restore_power();
        database.numbers().len() < 20
    };
    assert!((0..CUTS_OF_A_CONTROL).filter(|seed| loses(*seed)).count() >= 3);
}

#[test]
fn without_power_nothing_can_be_read_written_opened_or_deleted() {
    let database = Database::new();
    let connection = database.open("FULL").expect("it can be opened");
    insert(&connection, 1, 5_000).expect("it works");
    database.disk.cut_power(0);
    assert_eq!(insert(&connection, 2, 1).expect_err("no power").sqlite_error_code(), Some(ErrorCode::SystemIoFailure));
    connection.execute_batch("PRAGMA wal_checkpoint").expect_err("no power");
    database.open("FULL").expect_err("no power");
    drop(connection);
    assert!(database.folder.path().join("numbers.db-wal").exists(), "closing would have deleted it");
    database.disk.restore_power();
    assert_eq!(database.numbers(), [1]);
}

#[test]
fn the_same_seed_leaves_the_same() {
    for seed in 0..5 {
        let fate = || Database::new().write_until_the_power_fails("NORMAL", seed);
        assert_eq!(fate(), fate(), "seed {seed}");
    }
}

// Syncs that fail

#[test]
fn a_commit_whose_sync_fails_is_an_error() {
    let database = Database::new();
    let connection = database.open("FULL").expect("it can be opened");
    database.disk.fail_next_syncs(1);
    let error = insert(&connection, 1, 1).expect_err("the sync fails");
    assert_eq!(code(&error), ffi::SQLITE_IOERR_FSYNC);
    assert_eq!(database.disk.tally().injected, 1);
    insert(&connection, 2, 1).expect("the next one does not");
}

/// Commits 1, fails to commit 2, and lets the log be read again from the file, as after the death of the process.
fn after_a_failed_sync(database: &Database) -> Connection {
    let connection = database.open("FULL").expect("it can be opened");
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("it can be set");
    insert(&connection, 1, 1).expect("it works");
    database.disk.fail_next_syncs(1);
    insert(&connection, 2, 1).expect_err("the sync fails");
    drop(connection);
    let connection = database.open("FULL").expect("it can be opened");
    assert_eq!(numbers(&connection).expect("it can be read"), [1, 2], "what failed is there all the same");
    connection
}

#[test]
fn a_commit_behind_one_whose_sync_failed_is_lost_with_it_although_it_succeeded() {
    let loses = |seed: u64| {
        let database = Database::new();
        let connection = after_a_failed_sync(&database);
        insert(&connection, 3, 1).expect("it works");
        database.disk.cut_power(seed);
        drop(connection);
        database.disk.restore_power();
        !database.numbers().contains(&3)
    };
    assert!((0..CUTS_OF_A_CONTROL).any(loses), "this is why a failed sync must not be passed over");
}

#[test]
fn a_log_whose_index_stays_open_overwrites_what_a_failed_sync_lost() {
    for seed in 0..CUTS {
        let database = Database::new();
        let reader = database.open("FULL").expect("it can be opened");
        let writer = database.open("FULL").expect("it can be opened");
        insert(&writer, 1, 1).expect("it works");
        database.disk.fail_next_syncs(1);
        insert(&writer, 2, 1).expect_err("the sync fails");
        drop(writer);
        let writer = database.open("FULL").expect("it can be opened");
        insert(&writer, 3, 1).expect("it works");
        database.disk.cut_power(seed);
        drop((reader, writer));
        database.disk.restore_power();
        assert_eq!(database.numbers(), [1, 3], "seed {seed}");
    }
}

/// Writes 200 numbers while syncs and writes fail, then cuts the power. Answers those that a writer acknowledged, which
/// judges by what each commit answered, and those that are there.
fn after_errors(seed: u64, acknowledges: impl Fn(&Result<()>) -> bool) -> (BTreeSet<i64>, BTreeSet<i64>) {
    let database = Database::new();
    let connection = database.open("FULL").expect("it can be opened");
    database.disk.fail_syncs(0.2, seed);
    database.disk.fail_writes(0.05, seed);
    let acknowledged = (1..=200).filter(|number| acknowledges(&insert(&connection, *number, 3_000))).collect();
    database.disk.heal();
    database.disk.cut_power(seed);
    drop(connection);
    database.disk.restore_power();
    (acknowledged, database.numbers().into_iter().collect())
}

#[test]
fn whatever_errors_there_were_what_was_committed_is_there() {
    for seed in 0..10 {
        let (committed, there) = after_errors(seed, Result::is_ok);
        assert!(committed.is_subset(&there), "seed {seed}: {:?} are lost", committed.difference(&there));
        assert!(committed.len() < 200 && !committed.is_empty(), "seed {seed}: {} of 200", committed.len());
    }
}

#[test]
fn the_control_that_ignores_the_errors_of_commits_loses_what_it_acknowledged() {
    for seed in 0..10 {
        let (acknowledged, there) = after_errors(seed, |_| true);
        assert!(!acknowledged.is_subset(&there), "seed {seed}: the disk was too kind");
    }
}

// Other faults

#[test]
fn a_full_disk_refuses_to_grow_and_takes_more_when_there_is_space() {
    let database = Database::new();
    let connection = database.open("FULL").expect("it can be opened");
    insert(&connection, 1, 10_000).expect("there is space");
    database.disk.set_full(true);
    let error = insert(&connection, 2, 10_000).expect_err("there is no space");
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull));
    assert_eq!(numbers(&connection).expect("reads go on"), [1]);
    database.disk.set_full(false);
    insert(&connection, 3, 10_000).expect("there is space again");
    drop(connection);
    database.cut(0);
    assert_eq!(database.numbers(), [1, 3]);
}

#[test]
fn a_read_that_fails_is_an_error_and_not_garbage() {
    let database = Database::new();
    insert(&database.open("FULL").expect("it can be opened"), 1, 100_000).expect("it works");
    let connection = database.open("FULL").expect("it can be opened");
    database.disk.fail_reads(1.0, 0);
    let length = || connection.query_row("SELECT length(text) FROM numbers", [], |row| row.get::<_, i64>(0));
    assert_eq!(length().expect_err("no read works").sqlite_error_code(), Some(ErrorCode::SystemIoFailure));
    database.disk.heal();
    assert_eq!(length().expect("reads work"), 100_000);
}

#[test]
fn a_slow_disk_takes_its_time_for_each_sync() {
    const PAUSE: Duration = Duration::from_millis(30);
    let database = Database::new();
    let connection = database.open("FULL").expect("it can be opened");
    insert(&connection, 1, 1).expect("it works");
    let (before, started) = (database.disk.tally().syncs, Instant::now());
    database.disk.slow_syncs(PAUSE);
    (2..=5).for_each(|number| insert(&connection, number, 1).expect("it works"));
    let (syncs, took) = (database.disk.tally().syncs - before, started.elapsed());
    assert_eq!(syncs, 4, "one for each commit");
    assert!(took >= 4 * PAUSE, "{took:?}");
}

#[test]
fn other_directories_are_none_of_its_business() {
    let (broken, other) = (Database::new(), tempfile::tempdir().expect("a temporary folder"));
    broken.disk.cut_power(0);
    let connection = Connection::open(other.path().join("other.db")).expect("it can be opened");
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER)").expect("it works");
    assert_eq!(broken.disk.tally(), Tally::default());
}
