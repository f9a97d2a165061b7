//! Nobody speaks faster than the limits say, and whoever does is told when to try again.

use crate::support::{TestClient, TestServer, fresh_id, room, say, unhurried, visitor};
use app::protocol::{ErrorCode, ErrorFrame, Seq, ServerFrame};
use server::config::Serve;
use std::time::Duration;

/// Three at once, then two a second.
fn strict() -> TestServer {
    TestServer::in_memory(&Serve { messages_per_second: 2, message_burst: 3, ..Serve::default() })
}

/// Says something that is one too many, and answers how long to wait.
async fn one_too_many(client: &mut TestClient) -> Duration {
    let id = fresh_id();
    client.send(&say(id, "too fast")).await;
    let error = client.error().await;
    assert_eq!((error.code, error.id), (ErrorCode::TooFast, Some(id)));
    Duration::from_millis(error.retry_after_ms.expect("when to try again"))
}

#[tokio::test(start_paused = true)]
async fn after_the_burst_a_message_is_refused_and_waiting_as_told_helps() {
    let server = strict();
    let mut client = server.enter("x").await;
    for _ in 0..3 {
        client.is_alive().await;
    }
    for seq in 4..=6 {
        let wait = one_too_many(&mut client).await;
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
        // A refused message does not lengthen the wait.
        assert!(one_too_many(&mut client).await <= wait);
        tokio::time::advance(wait).await;
        let id = client.say("in time").await;
        assert_eq!(client.ack(id).await.seq, Seq(seq), "what was refused is not there");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_the_whole_burst_is_there_again() {
    let server = strict();
    let mut client = server.enter("x").await;
    for _ in 0..3 {
        client.is_alive().await;
    }
    one_too_many(&mut client).await;
    tokio::time::advance(Duration::from_millis(1_500)).await;
    for _ in 0..3 {
        client.is_alive().await;
    }
    one_too_many(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_the_persons_over_all_tabs_and_nobody_elses() {
    let server = strict();
    let (mut one, mut two) = (server.tab("room=x", &visitor(1)).await, server.tab("room=y", &visitor(1)).await);
    one.is_alive().await;
    two.is_alive().await;
    one.is_alive().await;
    one_too_many(&mut two).await;
    server.enter("x").await.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn status_tells_the_limits() {
    let server = strict();
    let limits = server.connect("room=x").await.status().await.limits;
    assert_eq!((limits.messages_per_second, limits.burst), (2, 3));
    assert_eq!((limits.text_bytes, limits.frame_bytes), (8_000, 65_536));
}

#[tokio::test(start_paused = true)]
async fn rooms_and_names_are_not_taken_faster_than_messages_are_sent() {
    let server = strict();
    let mut client = server.enter("x").await;
    for number in 0..3 {
        client.join(&room(&format!("room {number}")), None, None).await;
        client.status().await;
    }
    client.join(&room("one too many"), None, None).await;
    assert_eq!(client.error().await.code, ErrorCode::TooFast);
    client.nick("ada").await;
    assert_eq!(client.error().await.code, ErrorCode::TooFast);
}

/// A server whose people may say whatever they like, in three frames at once and then two a second.
fn few_frames() -> TestServer {
    TestServer::in_memory(&Serve { frames_per_second: Some(2), frame_burst: Some(3), ..unhurried() })
}

fn wait_of(error: &ErrorFrame) -> Duration {
    assert_eq!(error.code, ErrorCode::TooFast, "{error:?}");
    Duration::from_millis(error.retry_after_ms.expect("when to try again"))
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_more_frames_than_it_may_is_told_and_not_obeyed() {
    let server = few_frames();
    let mut client = server.enter("x").await;
    client.is_alive().await;
    client.is_alive().await;
    client.join(&room("y"), None, None).await;
    client.status().await;
    let id = client.say_in(&room("y"), "one too many").await;
    let error = client.error().await;
    assert_eq!((error.id, error.room.clone()), (Some(id), Some(room("y"))), "what was refused is named");
    let wait = wait_of(&error);
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
    for frame in [r#"{"Type":"Ping"}"#, r#"{"Type":"Leave","Room":"y"}"#, "{"] {
        client.send_raw(frame).await;
        assert!(wait_of(&client.error().await) <= wait, "what is refused does not lengthen the wait");
    }
    tokio::time::advance(wait).await;
    let id = client.say_in(&room("y"), "in time").await;
    assert_eq!(client.ack(id).await.seq, Seq(1), "it is still in the room, and what was refused is not there");
}

#[tokio::test(start_paused = true)]
async fn the_pace_of_one_connection_is_no_business_of_the_persons_other_tab() {
    let server = few_frames();
    let (mut one, mut two) = (server.tab("room=x", &visitor(1)).await, server.tab("room=x", &visitor(1)).await);
    for _ in 0..3 {
        one.is_alive().await;
    }
    one.send_raw(r#"{"Type":"Ping"}"#).await;
    wait_of(&one.error().await);
    two.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn long_frames_use_up_the_bytes_and_short_ones_still_pass() {
    let config = Serve { bytes_per_second: Some(10_000), byte_burst: Some(65_536), ..unhurried() };
    let server = TestServer::in_memory(&config);
    let mut client = server.enter("x").await;
    let long = format!(r#"{{"Type":"Ping","Filler":"{}"}}"#, "x".repeat(20_000));
    for _ in 0..3 {
        client.send_raw(&long).await;
        assert!(matches!(client.next().await, ServerFrame::Pong(_)));
    }
    client.send_raw(&long).await;
    let wait = wait_of(&client.error().await);
    assert!(wait > Duration::from_secs(1) && wait < Duration::from_secs(2), "{wait:?}");
    client.is_alive().await;
    tokio::time::advance(wait + Duration::from_millis(50)).await;
    client.send_raw(&long).await;
    client.find("a Pong", |frame| matches!(frame, ServerFrame::Pong(_)).then_some(())).await;
}
