//! Sending the same message again is harmless for ever: it is there once, and the answer is the first one.

use crate::support::{TestServer, fresh_id, say, unhurried, visitor};
use app::protocol::{ErrorCode, Seq};
use futures::future::{join, join_all};
use serde_json::json;

#[tokio::test]
async fn the_same_id_twice_is_one_message_with_two_equal_acks() {
    let server = TestServer::start().await;
    let (mut author, mut reader) = (server.enter("x").await, server.enter("x").await);
    let id = fresh_id();
    author.send(&say(id, "once")).await;
    let first = author.ack(id).await;
    author.say("in between").await;
    author.send(&say(id, "once")).await;
    assert_eq!(author.ack(id).await, first);

    let last = author.say("last").await;
    let seen = reader.chats(3).await;
    assert_eq!((seen[0].id, seen[2].id), (id, last), "nobody sees it twice");
    assert_eq!(server.history("x", "").await.head, Seq(3));
}

#[tokio::test]
async fn the_first_sending_counts_even_if_the_second_says_something_else() {
    let server = TestServer::start().await;
    let mut author = server.enter("x").await;
    let id = fresh_id();
    author.send(&say(id, "first")).await;
    author.send(&say(id, "second")).await;
    let (first, again) = (author.ack(id).await, author.ack(id).await);
    assert_eq!(first, again);
    let page = server.history("x", "").await;
    assert_eq!(page.events.len(), 1);
    let app::protocol::Event::Chat(chat) = &page.events[0];
    assert_eq!(chat.text.as_str(), "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_that_send_the_same_ids_at_once_make_one_row_each() {
    let server = TestServer::start_with(&unhurried()).await;
    let (mut one, mut two) = join(server.tab("room=x", &visitor(1)), server.tab("room=x", &visitor(1))).await;
    let messages: Vec<_> = (0..200).map(|number| say(fresh_id(), &format!("message {number}"))).collect();
    let ((mut first, _), (mut second, _)) = join(one.say_all(&messages), two.say_all(&messages)).await;
    first.sort_by_key(|ack| ack.seq);
    second.sort_by_key(|ack| ack.seq);
    assert_eq!(first, second, "two equal acks for each");
    assert_eq!(server.history("x", "").await.head, Seq(200), "one row for each");
}

#[tokio::test]
async fn a_browser_that_lost_its_connection_sends_again_and_gets_the_first_answer() {
    let server = TestServer::start().await;
    let mut browser = server.tab("room=x&name=ada", &visitor(1)).await;
    let id = fresh_id();
    browser.send(&say(id, "hello")).await;
    let first = browser.ack(id).await;
    drop(browser);
    let mut browser = server.tab("room=x&after=0", &visitor(1)).await;
    assert_eq!(browser.chat().await.id, id, "the replay shows it");
    browser.send(&say(id, "hello")).await;
    assert_eq!(browser.ack(id).await, first);
    assert_eq!(server.history("x", "").await.events.len(), 1);
}

#[tokio::test]
async fn a_program_without_a_cookie_is_known_by_its_name() {
    let server = TestServer::start().await;
    let id = fresh_id();
    let frame = json!({ "Author": "ada", "Message": "aGVsbG8=", "Id": id.as_str() }).to_string();
    let mut acks = Vec::new();
    for _ in 0..2 {
        let mut program = server.enter("x").await;
        program.send_raw(&frame).await;
        acks.push(program.ack(id).await);
        program.leave().await;
    }
    assert_eq!(acks[0], acks[1]);
    assert_eq!(server.history("x", "").await.events.len(), 1);
}

#[tokio::test]
async fn somebody_elses_id_is_refused() {
    let server = TestServer::start().await;
    let mut author = server.tab("room=x", &visitor(1)).await;
    let id = fresh_id();
    author.send(&say(id, "mine")).await;
    let first = author.ack(id).await;

    let mut others = vec![server.tab("room=x", &visitor(2)).await, server.enter("x").await];
    for other in &mut others {
        other.send(&say(id, "mine too")).await;
        let error = other.error().await;
        assert_eq!((error.code, error.id), (ErrorCode::NotAllowed, Some(id)));
        other.is_alive().await;
    }
    author.send(&say(id, "mine")).await;
    assert_eq!(author.ack(id).await, first, "its author still gets the first answer");
    let shown = server.history("x", "").await.events;
    assert_eq!(shown.iter().filter(|event| event.seq() == first.seq).count(), 1);
    assert_eq!(shown.len(), 1 + others.len(), "the refused messages are not there");
}

#[tokio::test]
async fn an_id_is_remembered_after_thousands_of_messages_and_a_restart() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut author = server.connect("room=x&name=ada").await;
    let id = fresh_id();
    author.send(&say(id, "early")).await;
    let first = author.ack(id).await;
    let many: Vec<_> = (0..1_500).map(|number| say(fresh_id(), &format!("{number}"))).collect();
    author.say_all(&many).await;
    author.send(&say(id, "early")).await;
    assert_eq!(author.ack(id).await, first);

    let server = server.restart().await;
    let mut author = server.connect("room=x&name=ada").await;
    author.send(&say(id, "early")).await;
    assert_eq!(author.ack(id).await, first);
    assert_eq!(server.history("x", "limit=1").await.head, Seq(1_501));
}

#[tokio::test]
async fn rooms_do_not_share_ids() {
    let server = TestServer::start().await;
    let mut authors = join_all(["x", "y"].map(|room| server.enter(room))).await;
    let id = fresh_id();
    for author in &mut authors {
        author.send(&say(id, "hello")).await;
        assert_eq!(author.ack(id).await.seq, Seq(1));
    }
}

#[tokio::test]
async fn whoever_took_another_name_meanwhile_is_still_the_author() {
    let server = TestServer::start().await;
    let mut author = server.enter("x").await;
    author.nick("nia").await;
    let id = fresh_id();
    author.send(&say(id, "hello")).await;
    let first = author.ack(id).await;
    author.nick("nib").await;
    author.send(&say(id, "hello")).await;
    assert_eq!(author.ack(id).await, first);
}
