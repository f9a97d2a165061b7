//! Everybody sees one order, which is the log's.

use crate::support::{TestClient, TestServer, fresh_id, say, unhurried};
use app::protocol::{Chat, ClientFrame, MessageId, Seq};
use futures::future::{join, join_all};
use std::collections::HashMap;

const WRITERS: usize = 16;
const MESSAGES: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_and_everybody_sees_the_same_dense_order() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut readers = join_all((0..3).map(|_| server.enter("x"))).await;
    let mut writers = join_all((0..WRITERS).map(|_| server.enter("x"))).await;
    let scripts: Vec<Vec<ClientFrame>> = (0..WRITERS).map(script).collect();

    let writing = join_all(writers.iter_mut().zip(&scripts).map(|(writer, script)| writer.say_all(script)));
    let reading = join_all(readers.iter_mut().map(|reader| reader.chats(WRITERS * MESSAGES)));
    let (written, read) = join(writing, reading).await;

    let log = positions(&read[0]);
    assert_eq!(log.len(), WRITERS * MESSAGES, "each message once");
    for chats in &read {
        let dense: Vec<Seq> = (1..=(WRITERS * MESSAGES) as u64).map(Seq).collect();
        assert_eq!(chats.iter().map(|chat| chat.seq).collect::<Vec<_>>(), dense);
        assert_eq!(positions(chats), log, "every reader sees the same");
    }
    for (script, (acks, seen)) in scripts.iter().zip(written) {
        assert!(acks.iter().all(|ack| log[&ack.id] == ack.seq), "an Ack tells the position that everybody sees");
        assert!(seen.iter().all(|chat| log[&chat.id] == chat.seq), "the authors see it, too");
        let own: Vec<Seq> = script.iter().map(|frame| log[&id_of(frame)]).collect();
        assert!(own.is_sorted(), "what one author says stays in the author's order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_the_socket_tell_the_same_order() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut writers = join_all((0..4).map(|_| server.enter("x"))).await;
    let mut reader: TestClient = server.enter("x").await;
    let scripts: Vec<Vec<ClientFrame>> = (0..4).map(|writer| script(writer).into_iter().take(40).collect()).collect();
    join_all(writers.iter_mut().zip(&scripts).map(|(writer, script)| writer.say_all(script))).await;
    let live: Vec<_> = reader.chats(160).await.into_iter().map(app::protocol::Event::Chat).collect();
    assert_eq!(server.history("x", "limit=200").await.events, live);
}

fn script(writer: usize) -> Vec<ClientFrame> {
    (0..MESSAGES).map(|number| say(fresh_id(), &format!("{writer}: {number}"))).collect()
}

fn id_of(frame: &ClientFrame) -> MessageId {
    match frame {
        ClientFrame::Chat { id: Some(id), .. } => *id,
        other => panic!("not a message with an id: {other:?}"),
    }
}

fn positions(chats: &[Chat]) -> HashMap<MessageId, Seq> {
    chats.iter().map(|chat| (chat.id, chat.seq)).collect()
}
