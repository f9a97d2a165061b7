//! A client that knows only the tutorial's frames can chat.

use crate::support::{TestClient, TestServer};
use app::protocol::{ErrorCode, ServerFrame, Timestamp};
use serde_json::Value;
use std::time::SystemTime;

async fn next(client: &mut TestClient) -> Value {
    serde_json::from_str(&client.next_raw().await).expect("a frame is JSON")
}

/// The next chat message; other frames are ignored, as the tutorial's clients do.
async fn next_chat(client: &mut TestClient) -> Value {
    loop {
        let frame = next(client).await;
        assert_ne!(frame["Type"], "Error", "{frame}");
        if frame["Type"] == "Chat" {
            return frame;
        }
    }
}

#[tokio::test]
async fn status_comes_first_then_the_userlist_then_what_is_said() {
    let server = TestServer::start().await;
    let mut client = server.connect("room=x").await;

    let status = next(&mut client).await;
    assert_eq!(status["Type"], "Status");
    let socket = status["WSID"].as_str().expect("a socket id");
    assert!(!socket.is_empty());

    let list = next(&mut client).await;
    assert_eq!((&list["Type"], &list["Room"]), (&"userlist".into(), &"x".into()));
    let users = list["Users"].as_array().expect("users");
    assert_eq!(users.len(), 1, "{list}");
    assert_eq!(users[0]["Name"], status["Name"]);

    client.send_raw(r#"{"Author":"ada","Message":"aGVsbG8="}"#).await;
    let chat = next_chat(&mut client).await;
    assert_eq!((&chat["Room"], &chat["Author"], &chat["Message"]), (&"x".into(), &"ada".into(), &"aGVsbG8=".into()));
    assert_eq!(chat["WSID"], socket);
}

#[tokio::test]
async fn sent_is_the_servers_clock_in_utc_with_milliseconds() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    let before = Timestamp::of(SystemTime::now());
    client.send_raw(r#"{"Author":"ada","Message":"aGVsbG8="}"#).await;
    let chat = next_chat(&mut client).await;
    let after = Timestamp::of(SystemTime::now());

    let sent = chat["Sent"].as_str().expect("a time");
    let shape: String = sent.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99T99:99:99.999Z");
    let sent: Timestamp = serde_json::from_value(chat["Sent"].clone()).expect("RFC 3339");
    assert!((before..=after).contains(&sent), "{sent} is not between {before} and {after}");
}

#[tokio::test]
async fn no_room_an_empty_one_and_a_blank_one_are_the_default_room() {
    let server = TestServer::start().await;
    let mut named = server.enter("default").await;
    for query in ["", "room=", "room=%20%20", "room=+"] {
        let mut client = server.connect(query).await;
        assert_eq!(client.status().await.room.as_str(), "default", "{query:?}");
        let id = client.say("hello").await;
        assert_eq!(named.next_chat_is(id).await.room.as_str(), "default", "{query:?}");
    }
}

#[tokio::test]
async fn two_clients_talk_and_each_hears_itself_too() {
    let server = TestServer::start().await;
    let (mut ada, mut bo) = (server.enter("x").await, server.enter("x").await);
    ada.send_raw(r#"{"Author":"ada","Message":"aGVsbG8="}"#).await;
    assert_eq!(next_chat(&mut bo).await["Author"], "ada");
    bo.send_raw(r#"{"Author":"bo","Message":"aGkhIQ=="}"#).await;
    assert_eq!(next_chat(&mut bo).await["Message"], "aGkhIQ==");

    let (first, second) = (next_chat(&mut ada).await, next_chat(&mut ada).await);
    assert_eq!((&first["Author"], &first["Message"]), (&"ada".into(), &"aGVsbG8=".into()));
    assert_eq!((&second["Author"], &second["Message"]), (&"bo".into(), &"aGkhIQ==".into()));
    assert_ne!(first["WSID"], second["WSID"]);
    server.connect("room=x&name=cleo").await.people_are(&["ada", "bo", "cleo"]).await;
}

#[tokio::test]
async fn a_frame_may_say_its_type() {
    let server = TestServer::start().await;
    let mut client = server.enter("x").await;
    client.send_raw(r#"{"Type":"Chat","Author":"ada","Message":"aGVsbG8=","Colour":"blue"}"#).await;
    assert_eq!(next_chat(&mut client).await["Message"], "aGVsbG8=");
}

#[tokio::test]
async fn nobody_speaks_as_somebody_else() {
    let server = TestServer::start().await;
    let (mut ada, mut mallory) = (server.enter("x").await, server.enter("x").await);
    ada.send_raw(r#"{"Author":"ada","Message":"aGVsbG8="}"#).await;
    assert_eq!(ada.chat().await.author.as_str(), "ada");

    mallory.send_raw(r#"{"Author":"ada","Message":"SSBvd2UgeW91"}"#).await;
    assert_eq!(mallory.error().await.code, ErrorCode::NameTaken);
    mallory.send_raw(r#"{"Author":"mallory","Message":"aGkhIQ=="}"#).await;
    // Whoever has a name keeps it, whatever the next frame claims.
    mallory.send_raw(r#"{"Author":"ada","Message":"SSBvd2UgeW91"}"#).await;

    let heard = ada.chats(2).await;
    assert_eq!([heard[0].author.as_str(), heard[1].author.as_str()], ["mallory", "mallory"]);
    assert_eq!([heard[0].text.as_str(), heard[1].text.as_str()], ["hi!!", "I owe you"]);
}

#[tokio::test]
async fn status_is_the_first_frame_even_for_somebody_who_speaks_at_once() {
    let server = TestServer::start().await;
    let mut client = server.connect("room=x").await;
    client.send_raw(r#"{"Author":"ada","Message":"aGVsbG8="}"#).await;
    assert!(matches!(client.next().await, ServerFrame::Status(_)));
    assert_eq!(next_chat(&mut client).await["Author"], "ada");
}
