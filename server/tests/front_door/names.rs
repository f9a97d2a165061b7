//! A name is one person's, among those who are connected.

use crate::support::{TestServer, in_url, visitor};
use app::protocol::{ErrorCode, NickName, ServerFrame};
use serde_json::json;

#[tokio::test]
async fn somebody_without_a_name_is_a_guest_with_four_characters() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.connect("room=x").await, server.connect("room=x").await);
    let (one, two) = (one.status().await, two.status().await);
    for status in [&one, &two] {
        let tail = status.name.as_str().strip_prefix("guest-").expect("a guest");
        assert!(tail.len() == 4 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{tail}");
        assert!(!status.named);
    }
    assert_ne!(one.name, two.name);
}

#[tokio::test]
async fn taking_a_name_is_answered_on_every_tab_and_seen_in_the_room() {
    let server = TestServer::start().await;
    let mut watcher = server.connect("room=x&name=watcher").await;
    let mut tabs = vec![server.tab("room=x", &visitor(1)).await, server.tab("room=y", &visitor(1)).await];
    for tab in &mut tabs {
        assert!(!tab.status().await.named);
    }
    tabs[0].nick("  ada ").await;
    for (tab, room) in tabs.iter_mut().zip(["x", "y"]) {
        let status = tab.status().await;
        assert_eq!((status.name.as_str(), status.named, status.room.as_str()), ("ada", true, room));
    }
    watcher.people_are(&["ada", "watcher"]).await;
    let id = tabs[1].say("hello").await;
    assert_eq!(tabs[1].next_chat_is(id).await.author.as_str(), "ada");

    let mut third = server.tab("room=x", &visitor(1)).await;
    let status = third.status().await;
    assert_eq!((status.name.as_str(), status.named), ("ada", true), "a new tab is called the same");
}

#[tokio::test]
async fn a_name_that_is_taken_or_looks_like_it_is_refused_with_one_that_is_free() {
    let server = TestServer::start().await;
    let mut paul = server.connect("room=x&name=paul").await;
    paul.status().await;
    // The same, another case, Cyrillic letters, a digit for a letter, a space, a joiner between.
    for wanted in ["paul", "PAUL", "Pаul", "pau1", "p aul", "pa\u{200d}ul"] {
        let mut other = server.enter("x").await;
        other.nick(wanted).await;
        let error = other.error().await;
        assert_eq!(error.code, ErrorCode::NameTaken, "{wanted}");
        let suggestion = error.suggestion.expect("a suggestion");
        assert!(error.text.contains(suggestion.as_str()), "{}", error.text);
        other.nick(suggestion.as_str()).await;
        let status = other.status().await;
        assert_eq!((status.name, status.named), (suggestion, true), "{wanted}");
    }
}

#[tokio::test]
async fn a_name_can_be_asked_for_at_the_door() {
    let server = TestServer::start().await;
    let mut ada = server.connect("room=x&name=ada").await;
    let status = ada.status().await;
    assert_eq!((status.name.as_str(), status.named), ("ada", true));

    let mut other = server.connect("room=x&name=ADA").await;
    let ServerFrame::Status(status) = other.next().await else { panic!("Status comes first") };
    assert!(status.name.as_str().starts_with("guest-") && !status.named, "{status:?}");
    let error = other.error().await;
    assert_eq!((error.code, error.suggestion), (ErrorCode::NameTaken, Some(nick("ADA2"))));
}

#[tokio::test]
async fn whoever_asks_for_something_that_is_no_name_comes_as_a_guest_and_is_told() {
    let server = TestServer::start().await;
    for name in ["%20", "%2Fnick", "a%0Ab", "%E2%80%AEx", &"a".repeat(33)] {
        let mut client = server.connect(&format!("room=x&name={name}")).await;
        let status = client.status().await;
        assert!(status.name.as_str().starts_with("guest-") && !status.named, "{name}: {status:?}");
        assert_eq!(client.error().await.code, ErrorCode::BadName, "{name}");
    }
}

#[tokio::test]
async fn a_name_is_free_again_when_the_last_tab_has_gone() {
    let server = TestServer::start().await;
    let one = server.tab("room=x&name=ada", &visitor(1)).await;
    let two = server.tab("room=y", &visitor(1)).await;
    let mut other = server.enter("x").await;
    one.leave().await;
    other.nick("ada").await;
    assert_eq!(other.error().await.code, ErrorCode::NameTaken, "the other tab is still there");
    two.leave().await;
    other.nick("ada").await;
    assert_eq!(other.status().await.name.as_str(), "ada");
}

#[tokio::test]
async fn whoever_takes_another_name_gives_the_old_one_back() {
    let server = TestServer::start().await;
    let mut one = server.connect("room=x&name=ada").await;
    one.status().await;
    one.nick("bo").await;
    assert_eq!(one.status().await.name.as_str(), "bo");
    let status = server.connect("room=x&name=ada").await.status().await;
    assert_eq!(status.name.as_str(), "ada");
}

#[tokio::test]
async fn ones_own_name_may_be_written_differently() {
    let server = TestServer::start().await;
    let mut ada = server.connect("room=x&name=ada").await;
    ada.status().await;
    for name in ["Ada", "ADA", "ada"] {
        ada.nick(name).await;
        assert_eq!(ada.status().await.name.as_str(), name);
    }
    ada.people_are(&["ada"]).await;
}

#[tokio::test]
async fn the_author_of_the_first_message_becomes_the_name_of_the_connection() {
    let server = TestServer::start().await;
    let mut client = server.connect("room=x").await;
    assert!(!client.status().await.named);
    client.send_raw(&json!({ "Author": "ada", "Message": "aGVsbG8=" }).to_string()).await;
    let status = client.status().await;
    assert_eq!((status.name.as_str(), status.named), ("ada", true));
    client.send_raw(&json!({ "Author": "bo", "Message": "aGVsbG8=" }).to_string()).await;
    let said = client.chats(2).await;
    assert!(said.iter().all(|chat| chat.author.as_str() == "ada"), "{said:?}");
}

#[tokio::test]
async fn somebody_elses_name_as_the_author_is_refused_and_the_message_with_it() {
    let server = TestServer::start().await;
    let mut ada = server.connect("room=x&name=ada").await;
    let mut other = server.enter("x").await;
    for claim in ["ada", "Ada", "аda"] {
        other.send_raw(&json!({ "Author": claim, "Message": "aGVsbG8=" }).to_string()).await;
        let error = other.error().await;
        assert_eq!(error.code, ErrorCode::NameTaken, "{claim}");
        assert!(error.suggestion.is_some());
    }
    let id = ada.say("only this").await;
    assert_eq!(other.next_chat_is(id).await.seq.0, 1);
}

#[tokio::test]
async fn a_room_heard_of_under_two_spellings_of_one_sign_is_one_room() {
    let server = TestServer::start().await;
    let mut composed = server.connect(&format!("room={}", in_url("caf\u{e9}"))).await;
    let mut decomposed = server.connect(&format!("room={}", in_url("cafe\u{301}"))).await;
    decomposed.users().await;
    let id = composed.say("hello").await;
    decomposed.next_chat_is(id).await;
}

fn nick(name: &str) -> NickName {
    NickName::parse(name).expect("a good name")
}
