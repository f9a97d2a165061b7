//! So many and no more: in all, of one address, in one room. Whoever is turned away hears why and when to come back.

use crate::support::{Answer, TestServer, room, unhurried};
use app::protocol::ErrorCode;
use server::config::Serve;

/// A refusal that a program understands and that holds no connection.
fn assert_turned_away(answer: &Answer, status: u16, title: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{answer:?}");
    assert_eq!(answer.json::<serde_json::Value>()["title"], title);
    assert!((1..=10).contains(&answer.header("retry-after").parse::<u64>().expect("seconds")));
    assert_eq!(answer.header("connection"), "close");
}

/// Knocks until somebody who was told to go has gone.
async fn gets_in(server: &TestServer, query: &str, headers: &[(&str, &str)]) {
    for _ in 0..1_000 {
        if server.knock(query, headers).await.status == 101 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody gets in");
}

#[tokio::test]
async fn a_server_that_is_full_says_so_and_lets_the_next_in_when_somebody_leaves() {
    let server = TestServer::start_with(&Serve { max_connections: Some(2), ..unhurried() }).await;
    let (mut one, two) = (server.enter("x").await, server.enter("y").await);
    assert_turned_away(&server.knock("room=x", &[]).await, 503, "Full");
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.text()), (503, "full\n"));
    assert_eq!(server.get("/livez").await.status, 200);
    assert_eq!(server.get("/r/x").await.status, 200, "reading needs no socket");
    one.is_alive().await;
    two.leave().await;
    gets_in(&server, "room=x", &[]).await;
}

#[tokio::test]
async fn one_address_has_so_many_sockets_and_another_ones_are_its_own() {
    let proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let config = Serve { max_connections_per_address: 2, trusted_proxies: proxies, ..unhurried() };
    let server = TestServer::start_with(&config).await;
    let from = |address: &'static str| [("x-forwarded-for", address)];
    let one = server.connect_with("room=x", &from("192.0.2.1")).await;
    let _two = server.connect_with("room=x", &from("198.51.100.9, 192.0.2.1")).await;
    assert_turned_away(&server.knock("room=x", &from("192.0.2.1")).await, 429, "Too many connections");
    let forged = server.knock("room=x", &from("192.0.2.77, 192.0.2.1")).await;
    assert_eq!(forged.status, 429, "only the proxy's own word counts");
    let _other = server.connect_with("room=x", &from("192.0.2.2")).await;
    one.leave().await;
    gets_in(&server, "room=x", &from("192.0.2.1")).await;
}

#[tokio::test]
async fn this_machine_is_not_counted_and_nobody_is_believed_who_is_not_trusted() {
    let server = TestServer::start_with(&Serve { max_connections_per_address: 1, ..unhurried() }).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(server.connect_with("room=x", &[("x-forwarded-for", "192.0.2.1")]).await);
    }
    for socket in &mut sockets {
        socket.is_alive().await;
    }
}

#[tokio::test]
async fn a_room_that_is_full_is_entered_neither_by_the_door_nor_from_another_room() {
    let server = TestServer::start_with(&Serve { max_connections_per_room: 2, ..unhurried() }).await;
    let (_one, two) = (server.enter("x").await, server.enter("x").await);
    assert_turned_away(&server.knock("room=x", &[]).await, 503, "Room full");
    let mut elsewhere = server.enter("y").await;
    elsewhere.join(&room("x"), None, None).await;
    let error = elsewhere.error().await;
    assert_eq!((error.code, error.room), (ErrorCode::RoomFull, Some(room("x"))));
    assert!(error.retry_after_ms.is_some_and(|wait| wait > 0));
    elsewhere.is_alive_in("y").await;
    two.leave().await;
    elsewhere.join(&room("x"), None, None).await;
    assert_eq!(elsewhere.status().await.room, room("x"));
    elsewhere.is_alive_in("x").await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_turned_away_leaves_no_seat_taken() {
    let server = TestServer::in_memory(&Serve { max_connections: Some(1), max_connections_per_room: 1, ..unhurried() });
    let one = server.enter("x").await;
    for _ in 0..10 {
        assert_turned_away(&server.knock("room=x", &[]).await, 503, "Full");
        assert_eq!(server.knock("room=%2F", &[]).await.status, 400);
    }
    one.leave().await;
    for _ in 0..3 {
        // It is dropped at once, without a word.
        gets_in(&server, "room=x", &[]).await;
    }
}
