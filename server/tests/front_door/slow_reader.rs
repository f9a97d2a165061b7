//! A reader that stops reading harms only itself, and loses nothing when it comes back.

use crate::support::{RawSocket, TEXT, TestClient, TestServer, fresh_id, say, unhurried};
use app::protocol::{ClientFrame, Seq, ServerFrame};
use futures::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// Longer than a pipe holds, whatever the count.
fn messages(count: usize) -> Vec<ClientFrame> {
    (0..count).map(|number| say(fresh_id(), &format!("{number} {}", "x".repeat(1_000)))).collect()
}

/// Says everything while others read everything, and checks that nobody had to wait.
async fn talk(writer: &mut TestClient, readers: &mut [TestClient], count: usize) {
    let (started, said) = (Instant::now(), messages(count));
    let reading = join_all(readers.iter_mut().map(|reader| reader.chats(count)));
    let writing = async {
        let (_, seen) = writer.say_all(&said).await;
        // What the author has not read would be in its way, too.
        writer.chats(count - seen.len()).await;
    };
    let ((), read) = futures::future::join(writing, reading).await;
    assert!(started.elapsed() < Duration::from_secs(1), "the others waited {:?}", started.elapsed());
    for chats in read {
        assert!(chats.is_sorted_by(|a, b| a.seq.next() == b.seq), "the others see everything");
    }
}

/// What a socket that was not read still holds: positions, gaps filled in, and the code that it was closed with.
async fn read_up(socket: &mut RawSocket) -> (Vec<Seq>, Option<u16>) {
    let mut seqs = Vec::new();
    while let Some((opcode, payload)) = socket.read().await {
        match opcode {
            TEXT => match serde_json::from_slice(&payload).expect("a frame") {
                ServerFrame::Chat(chat) => seqs.push(chat.seq),
                ServerFrame::Gap(gap) => panic!("a gap: {gap:?}"),
                _ => {}
            },
            _ => return (seqs, Some(u16::from_be_bytes([payload[0], payload[1]]))),
        }
    }
    (seqs, None)
}

#[tokio::test(start_paused = true)]
async fn the_others_get_everything_and_the_slow_one_is_closed_and_resumes_without_loss() {
    let server = TestServer::in_memory(&unhurried());
    let mut writer = server.connect("room=x&name=writer").await;
    let mut readers = vec![server.connect("room=x&name=reader").await, server.connect("room=x&name=second").await];
    let mut slow = server.raw("room=x&name=slow").await;
    readers[0].people_are(&["reader", "second", "slow", "writer"]).await;
    let stalled = Instant::now();
    talk(&mut writer, &mut readers, 500).await;

    readers[0].people_are(&["reader", "second", "writer"]).await;
    assert!(stalled.elapsed() < Duration::from_secs(15), "gone after {:?}", stalled.elapsed());
    let (seen, code) = read_up(&mut slow).await;
    assert_eq!(code, Some(4008), "it can still read why");
    assert!(!seen.is_empty() && seen.len() < 500, "it saw {} messages", seen.len());
    assert!(seen.iter().zip(1..).all(|(seq, expected)| *seq == Seq(expected)), "in order, from the beginning");

    let cursor = seen.len() as u64;
    let mut back = server.connect(&format!("room=x&name=slow&after={cursor}")).await;
    let rest = back.chats(500 - seen.len()).await;
    assert!(rest.iter().zip(cursor + 1..).all(|(chat, expected)| chat.seq == Seq(expected)), "the rest, once");
    back.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_reads_again_in_time_reads_on_from_the_log() {
    let server = TestServer::in_memory(&unhurried());
    let (mut writer, mut slow) = (server.enter("x").await, server.enter("x").await);
    let mut readers = vec![server.enter("x").await];
    // More than the room holds in memory for its readers, less than a gap.
    talk(&mut writer, &mut readers, 900).await;
    let seen = slow.chats(900).await;
    assert!(seen.iter().zip(1..).all(|(chat, expected)| chat.seq == Seq(expected)));
    slow.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fell_far_behind_is_told_of_the_gap() {
    let server = TestServer::in_memory(&unhurried());
    let (mut writer, mut slow) = (server.enter("x").await, server.enter("x").await);
    let mut readers = vec![server.enter("x").await];
    talk(&mut writer, &mut readers, 1_500).await;

    let mut cursor = Seq::ZERO;
    let gap = loop {
        match slow.next().await {
            ServerFrame::Chat(chat) => {
                assert_eq!(chat.seq, cursor.next());
                cursor = chat.seq;
            }
            ServerFrame::Gap(gap) => break gap,
            _ => {}
        }
    };
    assert_eq!((gap.from, gap.head), (cursor.next(), Seq(1_500)));
    let rest = slow.chats((gap.head.0 - gap.to.0) as usize).await;
    assert!(rest.iter().zip(gap.to.0 + 1..).all(|(chat, expected)| chat.seq == Seq(expected)));
    slow.is_alive().await;
}

#[tokio::test(start_paused = true)]
async fn many_slow_readers_do_not_hold_up_one_another_or_the_rest() {
    let server = TestServer::in_memory(&unhurried());
    let mut writer = server.connect("room=x&name=writer").await;
    let mut readers = vec![server.connect("room=x&name=reader").await];
    let slow = join_all((0..40).map(|_| server.raw("room=x"))).await;
    let stalled = Instant::now();
    talk(&mut writer, &mut readers, 200).await;
    readers[0].people_are(&["reader", "writer"]).await;
    assert!(stalled.elapsed() < Duration::from_secs(15), "all gone after {:?}", stalled.elapsed());
    drop(slow);
}
