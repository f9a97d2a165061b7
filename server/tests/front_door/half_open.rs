//! A peer that is gone without a word is noticed; one that only listens is left in peace.

use crate::support::{CLOSE, PING, RawSocket, TestServer, unhurried};
use app::protocol::ServerFrame;
use std::time::Duration;
use tokio::time::Instant;

/// Waits for a frame of this kind; others are passed over.
async fn frame(socket: &mut RawSocket, opcode: u8) -> Vec<u8> {
    loop {
        match socket.read().await {
            Some((found, payload)) if found == opcode => return payload,
            Some(_) => {}
            None => panic!("the server hung up"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_socket_is_pinged_after_25_s_and_closed_after_45() {
    let server = TestServer::in_memory(&unhurried());
    let mut silent = server.raw("room=x").await;
    let opened = Instant::now();
    frame(&mut silent, PING).await;
    assert_eq!(opened.elapsed().as_secs(), 25);
    let code = frame(&mut silent, CLOSE).await;
    assert_eq!(opened.elapsed().as_secs(), 45);
    assert_eq!(code[..2], 1001_u16.to_be_bytes());
    assert!(silent.read().await.is_none(), "then the server hangs up");
}

#[tokio::test(start_paused = true)]
async fn a_half_open_socket_is_gone_from_the_list_after_45_s() {
    let server = TestServer::in_memory(&unhurried());
    let mut watcher = server.connect("room=x&name=watcher").await;
    // It is held, so that no end of the stream tells, and it is never read.
    let half_open = server.raw("room=x&name=ada").await;
    let opened = Instant::now();
    watcher.people_are(&["ada", "watcher"]).await;
    watcher.people_are(&["watcher"]).await;
    let after = opened.elapsed();
    assert!((45..=46).contains(&after.as_secs()), "{after:?}");
    server.connect("room=x&name=ada").await.people_are(&["ada", "watcher"]).await;
    drop(half_open);
}

#[tokio::test(start_paused = true)]
async fn half_open_sockets_by_the_hundred_are_gone_after_45_s() {
    let server = TestServer::in_memory(&unhurried());
    let mut watcher = server.connect("room=x&name=watcher").await;
    watcher.people_are(&["watcher"]).await;
    let half_open = futures::future::join_all((0..100).map(|_| server.raw("room=x"))).await;
    let opened = Instant::now();
    while watcher.users().await.users.len() < 101 {}
    watcher.people_are(&["watcher"]).await;
    assert!(opened.elapsed() <= Duration::from_secs(46), "{:?}", opened.elapsed());
    drop(half_open);
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_the_pings_lives() {
    let server = TestServer::in_memory(&unhurried());
    let mut listener = server.enter("x").await;
    listener.reading_while(tokio::time::sleep(Duration::from_secs(60 * 60))).await;
    listener.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_see_pings_may_ask_by_itself() {
    let server = TestServer::in_memory(&unhurried());
    let mut client = server.enter("x").await;
    client.send_raw(r#"{"Type":"Ping"}"#).await;
    assert!(matches!(client.next().await, ServerFrame::Pong(_)));
}
