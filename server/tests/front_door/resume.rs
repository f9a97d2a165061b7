//! Whoever comes back with a cursor gets everything after it, once and in order, or is told what is left out.

use crate::support::{TestClient, TestServer, fresh_id, room, say, unhurried};
use app::protocol::{ClientFrame, Epoch, Event, Gap, Seq, ServerFrame};
use futures::future::{join, join_all};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

fn messages(count: usize) -> Vec<ClientFrame> {
    (1..=count).map(|number| say(fresh_id(), &format!("message {number}"))).collect()
}

/// A room in which so many messages were said.
async fn room_with(server: &TestServer, name: &str, count: usize) -> TestClient {
    let mut writer = server.enter(name).await;
    writer.say_all(&messages(count)).await;
    writer
}

async fn seqs(client: &mut TestClient, count: usize) -> Vec<u64> {
    client.chats(count).await.into_iter().map(|chat| chat.seq.0).collect()
}

/// Says something more, and checks that it is the next thing that the reader hears.
async fn hears_only_what_comes(writer: &mut TestClient, reader: &mut TestClient) {
    let id = writer.say("live").await;
    reader.next_chat_is(id).await;
}

// Cuts

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_cut_at_random_sees_every_message_once_and_in_order() {
    const MESSAGES: u64 = 300;
    let server = TestServer::start_with(&unhurried()).await;
    for seed in 0..12 {
        let name = format!("room{seed}");
        let (mut writer, mut random) = (server.enter(&name).await, StdRng::seed_from_u64(seed));
        let said = messages(MESSAGES as usize);
        let pieces: Vec<_> = said.chunks(random.random_range(1..60)).collect();
        let writing = async {
            for piece in pieces {
                writer.say_all(piece).await;
            }
        };
        let reading = async {
            let (mut cursor, mut epoch) = (0, String::new());
            while cursor < MESSAGES {
                let mut reader = server.connect(&format!("room={name}&after={cursor}{epoch}")).await;
                epoch = format!("&epoch={}", reader.status().await.epoch);
                // Dropped without a goodbye, often in the middle of what the server is writing.
                let until = MESSAGES.min(cursor + random.random_range(0..60));
                while cursor < until {
                    cursor += 1;
                    assert_eq!(reader.chat().await.seq, Seq(cursor), "seed {seed}");
                }
            }
        };
        join(writing, reading).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_page_and_the_socket_nothing_is_lost() {
    const MESSAGES: usize = 40;
    let server = TestServer::start_with(&unhurried()).await;
    for round in 0..30 {
        let name = format!("room{round}");
        let mut writer = server.enter(&name).await;
        let said = messages(MESSAGES);
        let reading = async {
            let page = server.history(&name, "limit=200").await;
            let query = format!("room={name}&after={}&epoch={}", page.head, page.epoch);
            let mut reader = server.connect(&query).await;
            let mut seen: Vec<u64> = page.events.iter().map(|event| event.seq().0).collect();
            seen.extend(seqs(&mut reader, MESSAGES - seen.len()).await);
            seen
        };
        let (_, seen) = join(writer.say_all(&said), reading).await;
        assert_eq!(seen, (1..=MESSAGES as u64).collect::<Vec<_>>(), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_head_of_the_status_and_the_live_messages_nothing_is_lost() {
    const MESSAGES: u64 = 40;
    let server = TestServer::start_with(&unhurried()).await;
    for round in 0..30 {
        let name = format!("room{round}");
        let mut writer = server.enter(&name).await;
        let said = messages(MESSAGES as usize);
        let reading = async {
            let mut reader = server.connect(&format!("room={name}")).await;
            let head = reader.status().await.head.0;
            (head, seqs(&mut reader, (MESSAGES - head) as usize).await)
        };
        let (_, (head, seen)) = join(writer.say_all(&said), reading).await;
        assert_eq!(seen, (head + 1..=MESSAGES).collect::<Vec<_>>(), "round {round}");
    }
}

// Cursors

#[tokio::test]
async fn with_a_cursor_everything_after_it_is_replayed_before_live_messages() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "x", 10).await;
    let mut reader = server.connect("room=x&after=7").await;
    let status = reader.status().await;
    assert_eq!(status.head, Seq(10));
    assert!(matches!(reader.next().await, ServerFrame::UserList(_)));
    assert_eq!(seqs(&mut reader, 3).await, [8, 9, 10]);
    hears_only_what_comes(&mut writer, &mut reader).await;
}

#[tokio::test]
async fn without_a_cursor_only_live_messages_come() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "x", 10).await;
    let mut reader = server.enter("x").await;
    hears_only_what_comes(&mut writer, &mut reader).await;
}

#[tokio::test]
async fn a_cursor_beyond_the_head_means_live_messages_only() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "x", 10).await;
    for after in [10, 11, u64::MAX] {
        let mut reader = server.connect(&format!("room=x&after={after}")).await;
        reader.users().await;
        hears_only_what_comes(&mut writer, &mut reader).await;
    }
}

#[tokio::test]
async fn a_cursor_of_another_epoch_means_nothing_and_the_log_is_replayed_from_its_beginning() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "x", 10).await;
    let mut reader = server.connect("room=x&after=7&epoch=before-the-restart").await;
    let epoch = reader.status().await.epoch;
    assert_eq!(seqs(&mut reader, 10).await, (1..=10).collect::<Vec<_>>());
    hears_only_what_comes(&mut writer, &mut reader).await;

    let mut reader = server.connect(&format!("room=x&after=9&epoch={epoch}")).await;
    assert_eq!(seqs(&mut reader, 2).await, [10, 11], "this epoch's cursor is followed");
}

#[tokio::test]
async fn an_epoch_lives_as_long_as_the_log_whatever_restarts() {
    let (one, two) = (TestServer::start().await, TestServer::start().await);
    let first = one.connect("room=x").await.status().await.epoch;
    assert_eq!(one.connect("room=y").await.status().await.epoch, first);
    assert_eq!(one.history("x", "").await.epoch, first);
    assert_ne!(two.connect("room=x").await.status().await.epoch, first);
    let one = one.restart().await;
    assert_eq!(one.connect("room=x").await.status().await.epoch, first);
}

#[tokio::test]
async fn joining_a_second_room_replays_after_its_own_cursor() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "y", 10).await;
    let mut reader = server.enter("x").await;
    reader.join(&room("y"), Some(Seq(8)), None).await;
    let status = reader.status().await;
    assert_eq!((status.room, status.head), (room("y"), Seq(10)));
    assert!(matches!(reader.next().await, ServerFrame::UserList(list) if list.room == room("y")));
    assert_eq!(seqs(&mut reader, 2).await, [9, 10]);
    hears_only_what_comes(&mut writer, &mut reader).await;

    reader.join(&room("y"), Some(Seq(10)), Some(Epoch("another".into()))).await;
    assert_eq!(seqs(&mut reader, 11).await, (1..=11).collect::<Vec<_>>(), "a foreign epoch here, too");
}

#[tokio::test]
async fn joining_a_room_again_reads_on_from_the_new_cursor() {
    let server = TestServer::start().await;
    let mut writer = room_with(&server, "x", 10).await;
    let mut reader = server.enter("x").await;
    reader.join(&room("x"), Some(Seq(6)), None).await;
    assert_eq!(reader.status().await.room, room("x"));
    assert_eq!(reader.users().await.users.len(), 2, "it is one connection still");
    assert_eq!(seqs(&mut reader, 4).await, [7, 8, 9, 10]);
    hears_only_what_comes(&mut writer, &mut reader).await;
}

#[tokio::test]
async fn whoever_left_a_room_hears_nothing_more_of_it() {
    let server = TestServer::start().await;
    let (mut writer, mut reader) = (server.enter("x").await, server.enter("y").await);
    reader.join(&room("x"), None, None).await;
    reader.status().await;
    let id = writer.say("heard").await;
    reader.next_chat_is(id).await;
    reader.send(&ClientFrame::Leave { room: Some(room("x")) }).await;
    // Answered in order: the server has read the farewell when it acknowledges this.
    let id = reader.say("in y").await;
    reader.ack(id).await;
    writer.is_alive().await;
    let id = reader.say("in y again").await;
    let next = reader.find("a Chat", |frame| match frame {
        ServerFrame::Chat(chat) if chat.text.as_str() != "in y" => Some(chat.clone()),
        _ => None,
    });
    assert_eq!(next.await.id, id);
}

// Gaps

#[tokio::test]
async fn a_thousand_messages_are_replayed_and_one_more_is_a_gap() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut writer = room_with(&server, "x", 1_001).await;

    let mut reader = server.connect("room=x&after=1").await;
    assert_eq!(seqs(&mut reader, 1_000).await, (2..=1_001).collect::<Vec<_>>());
    hears_only_what_comes(&mut writer, &mut reader).await;

    let mut reader = server.connect("room=x&after=1").await;
    reader.users().await;
    let ServerFrame::Gap(Gap { room: of, from, to, head }) = reader.next().await else { panic!("no Gap came first") };
    assert_eq!((of, from, head), (room("x"), Seq(2), Seq(1_002)));
    assert!(to < head, "a screen full is left to read");
    let rest = (head.0 - to.0) as usize;
    assert_eq!(seqs(&mut reader, rest).await, (to.0 + 1..=head.0).collect::<Vec<_>>(), "what follows is later");
    hears_only_what_comes(&mut writer, &mut reader).await;

    // What the gap left out is read over HTTP, as far as it is kept.
    let page = server.history("x", &format!("before={}&limit=200", to.next())).await;
    assert_eq!(page.events.last().map(Event::seq), Some(to));
    assert_eq!(page.events.len(), 200);
}

// Restarts, and rooms that nobody is in

#[tokio::test]
async fn after_a_restart_a_cursor_is_followed_in_a_room_that_nobody_had_open() {
    let server = TestServer::start_with(&unhurried()).await;
    room_with(&server, "x", 600).await;
    let server = server.restart().await;
    let mut reader = server.connect("room=x&after=10").await;
    assert_eq!(reader.status().await.head, Seq(600));
    assert_eq!(seqs(&mut reader, 590).await, (11..=600).collect::<Vec<_>>());
    let id = reader.say("and on").await;
    assert_eq!(reader.next_chat_is(id).await.seq, Seq(601));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_comes_back_after_a_restart_gets_everything_once_while_others_talk() {
    const READERS: u64 = 40;
    let server = TestServer::start_with(&unhurried()).await;
    room_with(&server, "x", 500).await;
    let server = server.restart().await;
    let mut writer = server.enter("x").await;
    let said = messages(200);
    let reading = join_all((0..READERS).map(async |reader| {
        let mut client = server.connect(&format!("room=x&after={reader}")).await;
        assert_eq!(seqs(&mut client, (700 - reader) as usize).await, (reader + 1..=700).collect::<Vec<_>>());
    }));
    join(writer.say_all(&said), reading).await;
}

#[tokio::test(start_paused = true)]
async fn a_room_that_everybody_left_is_replayed_whenever_somebody_comes_back() {
    let server = TestServer::in_memory(&unhurried());
    room_with(&server, "x", 600).await.leave().await;
    tokio::time::sleep(Duration::from_secs(7 * 24 * 60 * 60)).await;
    let mut reader = server.connect("room=x&after=10").await;
    assert_eq!(reader.status().await.head, Seq(600));
    assert_eq!(seqs(&mut reader, 590).await, (11..=600).collect::<Vec<_>>());
    let id = reader.say("back").await;
    assert_eq!(reader.next_chat_is(id).await.seq, Seq(601));
}

#[tokio::test(start_paused = true)]
async fn a_room_that_was_quiet_for_hours_is_replayed_from_the_store() {
    let server = TestServer::in_memory(&unhurried());
    let mut silent = room_with(&server, "x", 10).await;
    silent.reading_while(tokio::time::sleep(Duration::from_secs(3 * 60 * 60))).await;
    let mut reader = server.connect("room=x&after=0").await;
    assert_eq!(seqs(&mut reader, 10).await, (1..=10).collect::<Vec<_>>());
    hears_only_what_comes(&mut silent, &mut reader).await;
}
