//! A server that has no files left to open: health answers, who is inside stays, and the next one gets in.

use crate::support::{
    Answer, TestClient, binary,
    binary::{DEADLINE, ended, run, started},
    http, in_time,
};
use std::{net::SocketAddr, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

/// Files that the server may open.
const FILES: u32 = 128;

/// Connections that ask for nothing, or only begin to.
const HALF_OPEN: usize = 200;

/// A server that may open so many files, and no more by any means of its own.
fn with_files(files: u32, data: &TempDir, arguments: &[&str]) -> Command {
    let plain = binary::taproom(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n "$0" && exec "$@""#, &files.to_string()]);
    command.arg(plain.as_std().get_program()).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.args(arguments).env_clear().kill_on_drop(true);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

async fn dial(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the server listens")
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    http::ask(Box::new(dial(address).await), &address.to_string(), "GET", path, &[]).await
}

/// How an orchestrator asks: it does not wait for long.
async fn health(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = timeout(Duration::from_secs(1), get(address, path)).await.expect("health answers within a second");
    (answer.status, answer.text().to_owned())
}

/// Fills every seat.
async fn fill(address: SocketAddr) -> Vec<TestClient> {
    let mut inside = Vec::new();
    loop {
        let wire = Box::new(dial(address).await);
        match TestClient::try_open(wire, &address.to_string(), "room=x", DEADLINE).await {
            Ok(client) => inside.push(client),
            Err(status) => {
                assert_eq!(status, 503);
                return inside;
            }
        }
        assert!(inside.len() < FILES as usize, "there is an end to it");
    }
}

async fn half_open(address: SocketAddr, number: usize) -> TcpStream {
    let mut wire = dial(address).await;
    if number.is_multiple_of(2) {
        // The server may have hung up already.
        let _ = wire.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n").await;
    }
    wire
}

async fn stops(child: Child) -> String {
    binary::signal(&child, "-TERM").await;
    let (code, log) = ended(child).await;
    assert_eq!(code, Some(0), "{log}");
    log
}

#[tokio::test]
async fn health_answers_while_every_seat_is_taken_and_connections_are_held_open() {
    let data = tempfile::tempdir().expect("a directory");
    let (child, address) = started(with_files(FILES, &data, &[])).await;
    let mut inside = fill(address).await;
    assert!(inside.len() >= 8, "{} are let in", inside.len());
    let mut held = Vec::new();
    for number in 0..HALF_OPEN {
        held.push(half_open(address, number).await);
    }
    assert_eq!(health(address, "/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(health(address, "/readyz").await, (503, "full\n".to_owned()));
    for client in &mut inside {
        client.is_alive().await;
    }
    inside.pop().expect("somebody is inside").leave().await;
    in_time("the next one gets in", DEADLINE, async {
        loop {
            let wire = Box::new(dial(address).await);
            match TestClient::try_open(wire, &address.to_string(), "room=x", DEADLINE).await {
                Ok(mut client) => break client.is_alive().await,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    drop(held);
    let log = stops(child).await;
    assert!(!log.contains("cannot be accepted"), "the files are enough for all that: {log}");
    assert!(log.contains("few people can be connected"), "its operator is told: {log}");
}

/// Everybody has been accepted before the first one asks, as after a restart.
#[tokio::test]
async fn a_crowd_for_which_there_are_seats_does_not_push_itself_out() {
    let data = tempfile::tempdir().expect("a directory");
    let (child, address) = started(with_files(FILES, &data, &["--max-connections", "24"])).await;
    let mut wires = Vec::new();
    for _ in 0..24 {
        wires.push(dial(address).await);
    }
    assert_eq!(health(address, "/livez").await.0, 200, "those before it are accepted");
    let mut inside = Vec::new();
    for wire in wires {
        inside.push(TestClient::open(Box::new(wire), &address.to_string(), "room=x", &[], DEADLINE).await);
    }
    for client in &mut inside {
        client.is_alive().await;
    }
    stops(child).await;
}

#[tokio::test]
async fn more_connections_than_files_are_refused_at_the_start_with_what_to_change() {
    let data = tempfile::tempdir().expect("a directory");
    let (code, _, trouble) = run(with_files(FILES, &data, &["--max-connections", "1000"])).await;
    assert_eq!(code, Some(1), "{trouble}");
    for word in ["1000 connections", "128 are allowed", "--max-connections", "LimitNOFILE", "ulimit -n"] {
        assert!(trouble.contains(word), "{word} is not in: {trouble}");
    }
}

/// Somebody lowers the limit while the server runs, or the whole machine runs out of files: nothing the server reckoned
/// with.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_comes_when_no_file_can_be_opened_hears_so_and_the_server_goes_on_afterwards() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let data = tempfile::tempdir().expect("a directory");
    let (child, address) = started(with_files(FILES, &data, &[])).await;
    let pid = child.id().expect("it runs");
    let limit = |files: u64| {
        let limit = Rlimit { current: Some(files), maximum: Some(FILES.into()) };
        prlimit(Pid::from_raw(pid.cast_signed()), Resource::Nofile, limit).expect("it is ours");
    };
    let mut inside = enter_one(address).await;
    // The log is open for writing and for reading from here on.
    inside.is_alive().await;
    assert_eq!(get(address, "/r/x").await.status, 200);
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    limit(open as u64);
    let mut held = Vec::new();
    let refused = in_time("files run out", DEADLINE, async {
        loop {
            let answer = get(address, "/livez").await;
            if answer.status != 200 {
                break answer;
            }
            held.push(half_open(address, 1).await);
        }
    })
    .await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    assert_eq!(refused.header("content-type"), "application/problem+json");
    for _ in 0..20 {
        assert_eq!(health(address, "/livez").await.0, 503, "everybody hears it, and soon");
    }
    inside.is_alive().await;
    limit(FILES.into());
    // It may be about to turn somebody away still.
    in_time("health is back", DEADLINE, async { while health(address, "/livez").await.0 != 200 {} }).await;
    enter_one(address).await.is_alive().await;
    inside.is_alive().await;
    let log = stops(child).await;
    assert_eq!(log.matches("cannot be accepted").count(), 1, "it is said, once: {log}");
}

async fn enter_one(address: SocketAddr) -> TestClient {
    TestClient::open(Box::new(dial(address).await), &address.to_string(), "room=x", &[], DEADLINE).await
}
