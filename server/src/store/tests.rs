//! Cuts of a room's log, and what the start makes of what it finds.

use super::*;
use crate::journal::tests::Log;
use app::protocol::{Event, Seq};
use proptest::prelude::*;
use rusqlite::Connection;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A log with a room `x` in which so many messages were said.
fn log_with(count: u64) -> Log {
    let mut log = Log::new();
    log.say_many("x", count);
    log
}

async fn page(store: &Store, cut: Cut, limit: usize) -> Page {
    store.page(&RoomName::parse("x").expect("a good name"), cut, limit).await.expect("it can be read")
}

// Reading

#[tokio::test]
async fn a_page_has_200_events_at_most() {
    let log = log_with(300);
    for cut in [Cut::Newest, Cut::Before(Seq(301)), Cut::After(Seq::ZERO), Cut::Around(Seq(150))] {
        assert_eq!(page(&log.store, cut, usize::MAX).await.events.len(), MAX_PAGE, "{cut:?}");
    }
}

#[tokio::test]
async fn a_room_that_nobody_ever_used_is_empty_and_leaves_no_trace() {
    let log = log_with(0);
    for cut in [Cut::Newest, Cut::Before(Seq(9)), Cut::After(Seq(9)), Cut::Around(Seq(9))] {
        let page = page(&log.store, cut, 50).await;
        assert_eq!((page.head, page.events.len()), (Seq::ZERO, 0), "{cut:?}");
    }
    assert_eq!(check(log.folder.path()).expect("it can be read").rooms, 0);
}

#[tokio::test]
async fn everything_is_read_not_only_what_is_recent() {
    let log = log_with(3_000);
    let mut seen = Vec::new();
    while let page = page(&log.store, Cut::After(Seq(seen.len() as u64)), MAX_PAGE).await
        && !page.events.is_empty()
    {
        seen.extend(page.events.iter().map(|event| event.seq().0));
    }
    assert_eq!(seen, (1..=3_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn more_questions_than_readers_are_all_answered() {
    let log = log_with(10);
    let questions = (0..100).map(|_| page(&log.store, Cut::Newest, 10));
    let pages = futures::future::join_all(questions).await;
    assert!(pages.iter().all(|page| page.events.len() == 10));
}

proptest! {
    #[test]
    fn every_cut_is_dense_bounded_and_on_its_side(head in 0_u64..40, at in prop_oneof![0_u64..60, Just(u64::MAX)], limit in 0_u64..50) {
        let kept: Vec<u64> = (1..=head).collect();
        for cut in [Cut::Newest, Cut::Before(Seq(at)), Cut::After(Seq(at)), Cut::Around(Seq(at))] {
            let (first, last) = cut.positions(Seq(head), limit);
            let seqs: Vec<u64> = (first.0..=last.0).collect();
            let of_side: Vec<u64> = match cut {
                Cut::Newest | Cut::Around(_) => kept.clone(),
                Cut::Before(at) => kept.iter().copied().filter(|seq| *seq < at.0).collect(),
                Cut::After(at) => kept.iter().copied().filter(|seq| *seq > at.0).collect(),
            };
            prop_assert!(seqs.iter().all(|seq| of_side.contains(seq)), "{:?} {:?}", cut, seqs);
            prop_assert_eq!(seqs.len() as u64, (of_side.len() as u64).min(limit), "{:?} is as full as can be", cut);
            match cut {
                Cut::Newest | Cut::Before(_) => prop_assert!(of_side.ends_with(&seqs)),
                Cut::After(_) => prop_assert!(of_side.starts_with(&seqs)),
                Cut::Around(at) => prop_assert!(limit == 0 || at.0 == 0 || at.0 > head || seqs.contains(&at.0)),
            }
        }
    }
}

// Opening

fn refused(folder: &Path) -> OpenError {
    Database::open(folder).expect_err("it is refused")
}

#[test]
fn an_epoch_lives_as_long_as_the_database() {
    let (one, other) = (Log::new(), Log::new());
    let epoch = one.database.epoch().clone();
    let Log { folder, database, store, .. } = one;
    drop((database, store));
    assert_eq!(Database::open(folder.path()).expect("it is free again").epoch(), &epoch);
    assert_ne!(other.database.epoch(), &epoch);
}

#[test]
fn two_servers_do_not_share_a_directory() {
    let log = Log::new();
    assert!(matches!(refused(log.folder.path()), OpenError::InUse(_)));
}

#[test]
fn a_later_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Database::open(folder.path()).expect("an empty folder is fine"));
    let connection = Connection::open(folder.path().join("taproom.db")).expect("it opens");
    connection.pragma_update(None, "user_version", 99).expect("it is set");
    drop(connection);
    let before = fs::read(folder.path().join("taproom.db")).expect("it is there");
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("later Taproom"), "{error}");
    assert_eq!(fs::read(folder.path().join("taproom.db")).expect("it is there"), before);
}

#[test]
fn somebody_elses_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let connection = Connection::open(folder.path().join("taproom.db")).expect("it opens");
    connection.execute_batch("CREATE TABLE recipes (name TEXT)").expect("it is made");
    drop(connection);
    assert!(matches!(refused(folder.path()), OpenError::Foreign(_)));
    let connection = Connection::open(folder.path().join("taproom.db")).expect("it opens");
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("read");
    assert_eq!(tables, 1);
}

#[test]
fn garbage_is_refused_with_advice() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("taproom.db"), [0x5a; 8_192]).expect("it is written");
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    for word in ["taproom check", "taproom restore"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_database_that_was_not_closed_properly_is_looked_at() {
    let mut log = Log::new();
    log.say_many("x", 2_000);
    // As a killed process leaves it: the WAL beside the database, and pages of the database that make no sense.
    let crashed = tempfile::tempdir().expect("a folder");
    for name in ["taproom.db", "taproom.db-wal"] {
        fs::copy(log.folder.path().join(name), crashed.path().join(name)).expect("it is copied");
    }
    drop(Database::open(crashed.path()).expect("it is sound"));
    let path = crashed.path().join("taproom.db");
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[5 * 4_096..9 * 4_096].fill(0xa5);
    fs::write(&path, bytes).expect("it is written");
    fs::write(crashed.path().join("taproom.db-wal"), [0; 32]).expect("it is written");
    let error = refused(crashed.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

// Migrations

const ONE: &str = "CREATE TABLE one (a TEXT)";

fn table_names(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("it opens");
    let mut names = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").expect("it is SQL");
    names.query_map([], |row| row.get(0)).expect("it runs").collect::<Result<_, _>>().expect("they are read")
}

#[test]
fn before_a_migration_a_copy_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let mut connection = Connection::open(&path).expect("it opens");
    assert_eq!(migrations::migrate(&mut connection, &path, &[ONE]).expect("it migrates"), 1);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1, "there was nothing to keep");
    let steps = [ONE, "CREATE TABLE two (b TEXT)", "DROP TABLE one"];
    assert_eq!(migrations::migrate(&mut connection, &path, &steps).expect("it migrates"), 2);
    assert_eq!(migrations::migrate(&mut connection, &path, &steps).expect("nothing is left to do"), 0);
    assert_eq!(table_names(&path), ["two"]);
    assert_eq!(table_names(&folder.path().join("a.db.version-1")), ["one"]);
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.db");
    let mut connection = Connection::open(&path).expect("it opens");
    migrations::migrate(&mut connection, &path, &[ONE]).expect("it migrates");
    let steps = [ONE, "CREATE TABLE two (b TEXT); CREATE TABLE one (twice TEXT)"];
    assert!(migrations::migrate(&mut connection, &path, &steps).is_err());
    assert_eq!((table_names(&path), migrations::version(&connection)), (vec!["one".to_owned()], Ok(1)));
}

// Backup, restore, check

#[tokio::test]
async fn a_backup_is_of_one_moment_and_a_restore_begins_another_life() {
    let mut log = log_with(500);
    let copies = tempfile::tempdir().expect("a folder");
    let copy = copies.path().join("copy.db");
    let report = backup(log.folder.path(), &copy).expect("while it is open");
    assert_eq!((report.rooms, report.events, report.troubles.len()), (1, 500, 0));
    assert_eq!(fs::read_dir(copies.path()).expect("it is there").count(), 1, "one file, and nothing beside it");
    assert!(matches!(backup(log.folder.path(), &copy), Err(OpenError::Exists(_))));
    log.say("x", 501);

    assert!(matches!(restore(log.folder.path(), &copy), Err(OpenError::InUse(_))));
    let epoch = log.database.epoch().clone();
    let Log { folder, database, store, .. } = log;
    drop((database, store));
    let report = restore(folder.path(), &copy).expect("nobody uses it");
    assert_eq!((report.events, report.troubles.len()), (500, 0));
    let database = Database::open(folder.path()).expect("it is sound");
    assert_ne!(database.epoch(), &epoch);
    let page = page(&Store::new(database), Cut::Newest, 1).await;
    assert_eq!(page.events.first().map(Event::seq), Some(Seq(500)));
    let kept = fs::read_dir(folder.path()).expect("it is there").filter_map(Result::ok);
    let kept = kept.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("replaced-"));
    assert_eq!(check(&kept.expect("what was there is kept")).expect("it can be read").events, 501);
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let log = log_with(10);
    let folder = tempfile::tempdir().expect("a folder");
    let (missing, garbage) = (folder.path().join("missing"), folder.path().join("garbage"));
    fs::write(&garbage, "not a database at all, however long it may be").expect("it is written");
    assert!(matches!(restore(folder.path(), &missing), Err(OpenError::Missing(_))));
    assert!(matches!(restore(folder.path(), &garbage), Err(OpenError::Damaged { .. })));
    assert_eq!(check(log.folder.path()).expect("it can be read").events, 10);
}

/// A data directory as a killed server leaves it, with messages in its WAL, and a backup of another one.
fn crashed_and_backup() -> (TempDir, PathBuf) {
    let (log, other) = (log_with(60), log_with(20));
    let crashed = tempfile::tempdir().expect("a folder");
    for name in ["taproom.db", "taproom.db-wal"] {
        fs::copy(log.folder.path().join(name), crashed.path().join(name)).expect("it is copied");
    }
    let copy = crashed.path().join("backup");
    backup(other.folder.path(), &copy).expect("it is copied");
    (crashed, copy)
}

#[test]
fn a_restore_that_was_cut_off_is_no_reason_to_begin_with_nothing() {
    let (crashed, copy) = crashed_and_backup();
    // Killed after the old database had lost its name and before its WAL did.
    fs::rename(crashed.path().join("taproom.db"), crashed.path().join("kept")).expect("it is moved");
    fs::write(crashed.path().join("taproom.db.restoring"), "half").expect("it is written");
    assert!(matches!(refused(crashed.path()), OpenError::HalfRestored(_)));
    assert_eq!(restore(crashed.path(), &copy).expect("once more").events, 20);
    drop(Database::open(crashed.path()).expect("it is sound"));
    assert_eq!(check(crashed.path()).expect("it can be read").events, 20);
}

#[test]
fn what_another_database_left_behind_does_not_come_into_a_restored_one() {
    let (crashed, copy) = crashed_and_backup();
    fs::remove_file(crashed.path().join("taproom.db")).expect("as people do with a damaged one");
    fs::write(crashed.path().join("taproom.db.restoring-journal"), [0xd9; 4_096]).expect("it is written");
    assert_eq!(restore(crashed.path(), &copy).expect("it is restored").events, 20);
    drop(Database::open(crashed.path()).expect("it is sound"));
    let report = check(crashed.path()).expect("it can be read");
    assert_eq!((report.events, report.troubles.len()), (20, 0));
}

#[test]
fn messages_that_lost_their_database_are_not_thrown_away() {
    let (crashed, _) = crashed_and_backup();
    let (path, wal) = (crashed.path().join("taproom.db"), crashed.path().join("taproom.db-wal"));
    let before = fs::read(&wal).expect("it is there");
    for lose in [|path: &Path| fs::remove_file(path), |path: &Path| fs::write(path, "")] {
        lose(&path).expect("it is lost");
        let error = refused(crashed.path());
        assert!(error.to_string().contains("taproom restore"), "{error}");
        assert!(fs::read(&wal).expect("it is there") == before);
    }
    fs::remove_file(&wal).expect("it is gone");
    fs::write(&path, "x").expect("it is written");
    assert!(matches!(refused(crashed.path()), OpenError::Foreign(_)), "what is too short is somebody else's");
}

#[test]
fn whoever_only_looks_leaves_everything_as_it_is() {
    let (crashed, _) = crashed_and_backup();
    let sizes = || {
        ["taproom.db", "taproom.db-wal"].map(|name| fs::metadata(crashed.path().join(name)).map(|file| file.len()).ok())
    };
    let before = sizes();
    assert_eq!(check(crashed.path()).expect("it can be read").events, 60);
    backup(crashed.path(), &crashed.path().join("another")).expect("it is copied");
    assert_eq!(sizes(), before);
}

#[test]
fn what_is_said_is_not_for_everybody_on_the_machine() {
    let mut log = Log::new();
    log.say("x", 1);
    let copy = log.folder.path().join("copy");
    backup(log.folder.path(), &copy).expect("it is copied");
    for name in ["taproom.db", "taproom.db-wal", "copy"] {
        let rights = fs::metadata(log.folder.path().join(name)).expect("it is there").permissions().mode();
        assert_eq!(rights & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_check_tells_of_holes() {
    let log = log_with(10);
    let sound = check(log.folder.path()).expect("it can be read");
    assert_eq!((sound.events, sound.troubles.clone()), (10, vec![]));
    assert!(sound.to_string().ends_with("sound"), "{sound}");
    let connection = Connection::open(log.database.path()).expect("it opens");
    connection.execute("DELETE FROM events WHERE seq = 5", []).expect("it is deleted");
    let report = check(log.folder.path()).expect("it can be read");
    assert_eq!(report.troubles, ["room x has 9 events in positions 1 to 10"]);
    assert!(report.to_string().contains("DAMAGED"), "{report}");
}
