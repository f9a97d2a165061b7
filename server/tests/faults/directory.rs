//! Data directories that cannot be used: a clear error, and the exit code 1.

use crate::space::SmallDisk;
use rusqlite::Connection;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long the binary may take to refuse.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves a directory with the binary, which must end by itself; answers its exit code and what it said.
pub(crate) fn served(data: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taproom"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "error", "--data"]).arg(data).env_clear();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id();
    let (sender, ended) = mpsc::channel();
    let waiting = thread::spawn(move || sender.send(child.wait_with_output().expect("it ends")));
    let output = ended.recv_timeout(PATIENCE);
    if output.is_err() {
        // It is ours, and nobody has waited for it yet. The shell's own kill is on every machine.
        let _ = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
    }
    let _ = waiting.join();
    let output = output.unwrap_or_else(|_| panic!("it serves {}", data.display()));
    (output.status.code(), String::from_utf8(output.stderr).expect("a text"))
}

/// It is refused with the exit code 1, and says these words.
fn is_refused(data: &Path, words: &[&str]) {
    let (code, stderr) = served(data);
    assert_eq!(code, Some(1), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is not in: {stderr}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let Some(small) = SmallDisk::mount("size=1m,ro") else {
        println!("skipped: mounting a file system is not permitted here");
        return;
    };
    is_refused(small.path(), &["--data", &small.path().to_string_lossy()]);
}

#[test]
fn a_database_that_cannot_be_written_is_refused() {
    // Written while it could be, then mounted again for reading only.
    let Some(small) = SmallDisk::mount("size=4m") else {
        println!("skipped: mounting a file system is not permitted here");
        return;
    };
    drop(server::store::Database::open(small.path()).expect("it can be written"));
    let read_only = Command::new("mount").args(["-o", "remount,ro"]).arg(small.path()).status();
    assert!(read_only.is_ok_and(|status| status.success()));
    is_refused(small.path(), &["--data", &small.path().to_string_lossy()]);
}

#[test]
fn a_file_in_the_directorys_place_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("data");
    fs::write(&file, "a letter").expect("it is written");
    is_refused(&file, &["--data", &file.to_string_lossy()]);
    assert_eq!(fs::read(&file).expect("it is there"), b"a letter");
}

#[test]
fn somebody_elses_file_of_that_name_is_refused_and_left_alone() {
    for content in ["a letter", &"a long letter ".repeat(1_000)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("taproom.db");
        fs::write(&file, content).expect("it is written");
        is_refused(folder.path(), &["taproom.db"]);
        assert_eq!(fs::read_to_string(&file).expect("it is there"), content);
    }
}

#[test]
fn somebody_elses_database_of_that_name_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipes = || Connection::open(folder.path().join("taproom.db")).expect("it opens");
    recipes().execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')").expect("made");
    is_refused(folder.path(), &["not Taproom's", "--data"]);
    let soup: String = recipes().query_row("SELECT name FROM recipes", [], |row| row.get(0)).expect("it is there");
    assert_eq!(soup, "soup");
}
