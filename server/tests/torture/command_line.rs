//! What the commands that look after the log say when they cannot do what they are told.

use crate::{
    child::Taproom,
    support::binary::{self, run},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Runs a command that must end with this code, and answers what it says.
async fn ends(code: i32, words: &[&str], paths: &[(&str, &Path)]) -> String {
    let mut command = binary::taproom(words);
    paths.iter().for_each(|(flag, path)| _ = command.arg(flag).arg(path));
    let (ended, found, trouble) = run(command).await;
    assert_eq!(ended, Some(code), "{words:?}: {found}{trouble}");
    assert!(!trouble.contains("panicked"), "{trouble}");
    found + &trouble
}

async fn succeeds(words: &[&str], paths: &[(&str, &Path)]) {
    let said = ends(0, words, paths).await;
    assert!(said.trim_end().ends_with("sound"), "{said}");
}

fn assert_says(said: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(said.contains(word), "{word} is not in: {said}"));
}

/// A directory with a log that nobody uses.
async fn stopped() -> (TempDir, PathBuf) {
    let taproom = Taproom::start().await;
    let data = taproom.data();
    (taproom.give_up().await, data)
}

#[tokio::test]
async fn what_is_missing_is_named() {
    assert_says(&ends(2, &["backup"], &[]).await, &["--to"]);
    assert_says(&ends(2, &["restore"], &[]).await, &["--from"]);
}

#[tokio::test]
async fn a_directory_without_a_log_is_no_log() {
    let folder = tempfile::tempdir().expect("a directory");
    let (empty, file) = (folder.path().join("empty"), folder.path().join("copy.db"));
    assert_says(&ends(1, &["check"], &[("--data", &empty)]).await, &["no database", "--data", "TAPROOM_DATA"]);
    assert_says(&ends(1, &["backup"], &[("--data", &empty), ("--to", &file)]).await, &["no database", "--data"]);
    assert!(!empty.exists() && !file.exists(), "nothing is made");
}

#[tokio::test]
async fn a_copy_never_replaces_a_file() {
    let (folder, data) = stopped().await;
    let file = folder.path().join("copy.db");
    fs::write(&file, "precious").expect("it is written");
    let said = ends(1, &["backup"], &[("--data", &data), ("--to", &file)]).await;
    assert_says(&said, &["copy.db", "there already", "another name"]);
    assert_eq!(fs::read(&file).expect("it is there"), b"precious");
    let nowhere = folder.path().join("no/such/folder/copy.db");
    assert_says(&ends(1, &["backup"], &[("--data", &data), ("--to", &nowhere)]).await, &["no/such/folder"]);
}

#[tokio::test]
async fn a_copy_is_looked_at_and_put_back_without_being_touched() {
    let (folder, data) = stopped().await;
    let (copy, elsewhere) = (folder.path().join("copy.db"), folder.path().join("elsewhere"));
    succeeds(&["backup"], &[("--data", &data), ("--to", &copy)]).await;
    let journal = |bytes: &[u8]| (bytes[18], bytes[19]);
    let before = fs::read(&copy).expect("it is there");
    assert_eq!(journal(&before), (1, 1), "it needs no WAL, so that it can be read where nothing can be written");
    succeeds(&["restore"], &[("--data", &elsewhere), ("--from", &copy)]).await;
    assert!(fs::read(&copy).expect("it is there") == before, "it is as it was");
}

#[tokio::test]
async fn a_directory_that_a_server_uses_is_left_alone() {
    let taproom = Taproom::start().await;
    let copies = tempfile::tempdir().expect("a directory");
    let copy = copies.path().join("copy.db");
    succeeds(&["backup"], &[("--data", &taproom.data()), ("--to", &copy)]).await;
    let said = ends(1, &["restore"], &[("--data", &taproom.data()), ("--from", &copy)]).await;
    assert_says(&said, &["another Taproom", "stop it first"]);
    let said = ends(1, &["serve", "--listen", "127.0.0.1:0"], &[("--data", &taproom.data())]).await;
    assert_says(&said, &["another Taproom", "--data"]);
}

#[tokio::test]
async fn damage_is_said_and_never_restored() {
    let (folder, data) = stopped().await;
    let (garbage, missing) = (folder.path().join("garbage"), folder.path().join("missing"));
    fs::write(&garbage, [0x5a; 8_192]).expect("it is written");
    let said = ends(1, &["restore"], &[("--data", &data), ("--from", &garbage)]).await;
    assert_says(&said, &["garbage", "damaged", "taproom check"]);
    let said = ends(1, &["restore"], &[("--data", &data), ("--from", &missing)]).await;
    assert_says(&said, &["missing"]);

    let database = data.join("taproom.db");
    fs::copy(&garbage, &database).expect("it is written");
    fs::remove_file(data.join("taproom.db-wal")).ok();
    assert_says(&ends(1, &["check"], &[("--data", &data)]).await, &["damaged"]);
    let said = ends(1, &["serve", "--listen", "127.0.0.1:0"], &[("--data", &data)]).await;
    assert_says(&said, &["damaged", "taproom check", "taproom restore"]);
}
