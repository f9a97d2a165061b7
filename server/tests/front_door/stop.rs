//! Stopping says goodbye to everybody and loses nothing that was acknowledged; starting wrongly says what to change.

use crate::support::{
    TestClient, TestServer,
    binary::{DEADLINE, ended, run, signal, started, taproom},
    fresh_id, say, unhurried,
};
use app::protocol::{MessageId, ServerFrame};
use clap::CommandFactory;
use server::config::Cli;
use std::{collections::HashSet, net::SocketAddr, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
};

// The library

#[tokio::test]
async fn every_socket_is_told_1012_and_serving_ends() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for room in ["x", "x", "y"] {
        clients.push(server.enter(room).await);
    }
    server.tell_to_stop();
    for client in &mut clients {
        assert_eq!(client.close_code().await, 1012);
    }
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_does_not_answer_does_not_hold_up_the_end() {
    let server = TestServer::in_memory(&unhurried());
    let deaf = server.raw("room=x").await;
    let started = tokio::time::Instant::now();
    server.stop().await;
    assert!(started.elapsed() <= DEADLINE / 2, "{:?}", started.elapsed());
    drop(deaf);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = TestServer::start().await;
    let idle = server.dial().await;
    server.stop().await;
    drop(idle);
}

#[tokio::test(start_paused = true)]
async fn a_half_sent_request_does_not_hold_up_the_end() {
    let server = TestServer::in_memory(&unhurried());
    let mut slow = server.dial().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: mem").await.expect("it listens");
    let started = tokio::time::Instant::now();
    server.stop().await;
    assert!(started.elapsed() <= DEADLINE / 2, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_finish_a_request_is_sent_away() {
    let server = TestServer::in_memory(&unhurried());
    let mut slow = server.dial().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: mem").await.expect("it listens");
    let started = tokio::time::Instant::now();
    slow.read_to_end(&mut Vec::new()).await.expect("it is closed");
    assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn after_the_end_nobody_is_let_in() {
    let server = TestServer::start().await;
    let host = server.host();
    server.stop().await;
    assert!(TcpStream::connect(host).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_saw_was_acknowledged_to_its_author() {
    for seen_before in [0, 1, 20, 60, 150] {
        let server = TestServer::start_with(&unhurried()).await;
        let (mut author, mut reader) = (server.enter("x").await, server.enter("x").await);
        for number in 0..200 {
            author.send(&say(fresh_id(), &format!("{number}"))).await;
        }
        let mut shown: HashSet<MessageId> = reader.chats(seen_before).await.iter().map(|chat| chat.id).collect();
        server.tell_to_stop();
        let (_, more) = until_1012(&mut reader).await;
        shown.extend(more);
        let (acknowledged, _) = until_1012(&mut author).await;
        assert!(shown.is_subset(&acknowledged), "shown, and not acknowledged: {:?}", &shown - &acknowledged);
        server.stop().await;
    }
}

/// What is acknowledged and shown to a client before it is told that the server restarts.
async fn until_1012(client: &mut TestClient) -> (HashSet<MessageId>, HashSet<MessageId>) {
    let (mut acknowledged, mut shown) = (HashSet::new(), HashSet::new());
    let code = loop {
        let frame = match client.next_or_close().await {
            Ok(frame) => frame,
            Err(code) => break code,
        };
        match frame {
            ServerFrame::Ack(ack) => _ = acknowledged.insert(ack.id),
            ServerFrame::Chat(chat) => _ = shown.insert(chat.id),
            _ => {}
        }
    };
    assert_eq!(code, 1012);
    (acknowledged, shown)
}

// The binary

async fn connect(address: SocketAddr, query: &str) -> TestClient {
    let wire = TcpStream::connect(address).await.expect("it listens");
    let mut client = TestClient::open(Box::new(wire), &address.to_string(), query, &[], DEADLINE).await;
    client.users().await;
    client
}

fn in_directory(directory: &Path) -> Command {
    let mut command = taproom(&["serve", "--listen", "127.0.0.1:0"]);
    command.current_dir(directory);
    command
}

#[tokio::test]
async fn a_signal_ends_the_binary_with_goodbyes_and_the_code_0() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["-TERM", "-INT"] {
        let (child, address) = started(in_directory(directory.path())).await;
        let mut client = connect(address, "room=x").await;
        client.is_alive().await;
        signal(&child, name).await;
        assert_eq!(client.close_code().await, 1012);
        let (code, log) = ended(child).await;
        assert_eq!(code, Some(0), "{log}");
    }
}

#[tokio::test]
async fn the_log_has_a_line_for_each_connections_end_and_never_what_was_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = in_directory(directory.path());
    command.env("TAPROOM_LOG", "debug");
    let (child, address) = started(command).await;
    for _ in 0..2 {
        let mut client = connect(address, "room=x&name=ada").await;
        client.send_raw(r#"{"Message":"c2VjcmV0LWNhbmFyeQ=="}"#).await;
        assert_eq!(client.chat().await.text.as_str(), "secret-canary");
        client.send_raw(r#"{"Message":"?secret-canary?"}"#).await;
        client.error().await;
        client.leave().await;
    }
    signal(&child, "-TERM").await;
    let (_, log) = ended(child).await;
    assert_eq!(log.lines().filter(|line| line.contains("connection ended")).count(), 2, "{log}");
    for said in ["secret-canary", "c2VjcmV0LWNhbmFyeQ"] {
        assert!(!log.contains(said), "{log}");
    }
}

#[tokio::test]
async fn the_data_directory_is_made_when_it_is_missing() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("not/yet/there");
    let mut command = in_directory(directory.path());
    command.arg("--data").arg(&data);
    let (child, _) = started(command).await;
    assert!(data.is_dir());
    signal(&child, "-TERM").await;
    assert_eq!(ended(child).await.0, Some(0));
}

#[tokio::test]
async fn without_a_word_it_serves_and_variables_are_heard() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = taproom(&[]);
    command.current_dir(directory.path()).env("TAPROOM_LISTEN", "127.0.0.1:0").env("TAPROOM_MESSAGE_BURST", "7");
    let (child, address) = started(command).await;
    let mut client = connect(address, "room=x").await;
    client.nick("ada").await;
    assert_eq!(client.status().await.limits.burst, 7);
    signal(&child, "-TERM").await;
    assert_eq!(ended(child).await.0, Some(0));
}

#[tokio::test]
async fn a_wrong_flag_ends_with_its_name() {
    for (arguments, named) in [
        (&["serve", "--bogus"][..], "--bogus"),
        (&["server"], "server"),
        (&["--messages-per-second", "0"], "--messages-per-second"),
        (&["--message-burst", "many"], "--message-burst"),
        (&["--stop-seconds", "-1"], "-1"),
        (&["--origin", "chat.example"], "--origin"),
        (&["--origin", "https://*.example"], "--origin"),
        (&["--log", "[["], "--log"),
    ] {
        let (code, _, stderr) = run(taproom(arguments)).await;
        assert!(code.is_some_and(|code| code != 0), "{arguments:?}: {code:?}");
        assert!(stderr.contains(named), "{arguments:?}: {stderr}");
    }
    let mut command = taproom(&[]);
    command.env("TAPROOM_MESSAGES_PER_SECOND", "fast");
    let (code, _, stderr) = run(command).await;
    assert!(code.is_some_and(|code| code != 0) && stderr.contains("--messages-per-second"), "{stderr}");
}

#[tokio::test]
async fn an_unusable_address_ends_with_what_to_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("it is bound");
    for address in [taken.1.as_str(), "nonsense", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:3000"] {
        let mut command = taproom(&["--listen", address]);
        command.current_dir(directory.path());
        let (code, _, stderr) = run(command).await;
        assert_eq!(code, Some(1), "{address}: {stderr}");
        for word in [address, "--listen", "TAPROOM_LISTEN"] {
            assert!(stderr.contains(word), "{address}: {stderr}");
        }
    }
}

#[tokio::test]
async fn an_unusable_data_directory_ends_with_what_to_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").expect("it is written");
    for data in [file.clone(), file.join("below")] {
        let mut command = in_directory(directory.path());
        command.arg("--data").arg(&data);
        let (code, _, stderr) = run(command).await;
        assert_eq!(code, Some(1), "{stderr}");
        for word in [data.to_str().expect("a text"), "--data", "TAPROOM_DATA"] {
            assert!(stderr.contains(word), "{stderr}");
        }
    }
}

#[tokio::test]
async fn help_lists_every_flag_with_its_variable() {
    let command = Cli::command();
    let flags: Vec<_> = command.get_arguments().filter_map(|flag| Some((flag.get_long()?, flag.get_env()))).collect();
    assert!(flags.len() >= 7, "{flags:?}");
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let (code, help, _) = run(taproom(arguments)).await;
        assert_eq!(code, Some(0));
        for (flag, variable) in flags.iter().filter(|(flag, _)| !matches!(*flag, "help" | "version")) {
            let variable =
                variable.and_then(|variable| variable.to_str()).unwrap_or_else(|| panic!("--{flag} has none"));
            assert!(variable.starts_with("TAPROOM_"), "{variable}");
            assert!(help.contains(&format!("--{flag}")) && help.contains(variable), "{flag} is not in {help}");
        }
    }
}

#[tokio::test]
async fn version_tells_the_version() {
    let (code, version, _) = run(taproom(&["--version"])).await;
    assert_eq!((code, version.trim()), (Some(0), concat!("taproom ", env!("CARGO_PKG_VERSION"))));
}
