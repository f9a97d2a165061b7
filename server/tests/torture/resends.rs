//! Goal 5: whatever is sent again, from several sockets at once and after a kill, is there once, with one answer.

use crate::{
    ALONE,
    child::Taproom,
    judge::{Acked, Fault, Record, Verdict, id_of, judge, words},
    support::{TestClient, in_url, room, say, visitor},
};
use app::protocol::{Ack, ClientFrame, RoomName};
use futures::future::join_all;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

const AUTHORS: u32 = 8;
const ROOMS: u32 = 4;
/// Open at once, with one cookie.
const TABS: usize = 2;
/// How long the server may take for everything of one tab.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends everything from all tabs of everybody at once, kills the server, and sends it all again.
async fn resend(taproom: &mut Taproom, messages: u64) -> (Verdict, usize) {
    let mut records: Vec<Record> = (0..AUTHORS).map(|author| Record::new(room_of(author))).collect();
    for killed in [true, false] {
        for (author, acks) in say_everything(taproom, messages).await {
            let acknowledge = |ack: Ack| {
                let answer = Acked { seq: ack.seq, sent: ack.sent, at: Instant::now() };
                records[author as usize].acknowledge(ack.id, answer);
            };
            acks.into_iter().for_each(acknowledge);
        }
        if killed {
            taproom.kill().await;
            taproom.start_again().await;
        }
    }
    let mut logs = HashMap::new();
    for number in 0..ROOMS {
        let (_, log) = taproom.log_of(&room_of(number)).await;
        // Nobody listened here.
        records.iter_mut().filter(|record| record.room == room_of(number)).for_each(|record| {
            record.seen = log.iter().map(Into::into).collect();
        });
        logs.insert(room_of(number), log);
    }
    let rows = logs.values().map(Vec::len).sum();
    (judge(&logs, &records), rows)
}

async fn say_everything(taproom: &Taproom, messages: u64) -> Vec<(u32, Vec<Ack>)> {
    let tabs = (0..AUTHORS).flat_map(|author| (0..TABS).map(move |_| author));
    join_all(tabs.map(async |author| {
        let said: Vec<ClientFrame> =
            (1..=messages).map(|number| id_of(author, number)).map(|id| say(id, &words(id))).collect();
        let (acks, _) = open(taproom, author).await.say_all(&said).await;
        (author, acks)
    }))
    .await
}

async fn open(taproom: &Taproom, author: u32) -> TestClient {
    let (host, cookie) = (taproom.address.to_string(), visitor(author));
    let origin = format!("http://{host}");
    let wire = TcpStream::connect(taproom.address).await.expect("it listens");
    wire.set_nodelay(true).expect("a TCP socket");
    let query = format!("room={}", in_url(room_of(author).as_str()));
    let headers = [("origin", origin.as_str()), ("cookie", cookie.as_str())];
    TestClient::open(Box::new(wire), &host, &query, &headers, PATIENCE).await
}

fn room_of(number: u32) -> RoomName {
    room(&format!("room{}", number % ROOMS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_resends_make_one_row_each() {
    const MESSAGES: u64 = 850;
    let _alone = ALONE.lock().await;
    let began = Instant::now();
    let mut taproom = Taproom::start().await;
    let (verdict, rows) = resend(&mut taproom, MESSAGES).await;
    let (messages, sent) = (MESSAGES as usize * AUTHORS as usize, MESSAGES as usize * AUTHORS as usize * TABS * 2);
    println!(
        "resends: {messages} messages, each sent from {TABS} sockets at once, and again after kill -9: {} resends, \
         {rows} rows, in {:.1?}: {verdict}",
        sent - messages,
        began.elapsed(),
    );
    assert!(sent - messages >= 20_000);
    verdict.assert_sound();
    assert_eq!((rows, verdict.acked), (messages, messages));
}

/// A database that forgets an id as soon as it comes again, as one without an index of ids would.
const FORGETFUL: &str = "CREATE TRIGGER forget BEFORE INSERT ON events BEGIN
    UPDATE events SET message_id = printf('FORGOTTEN%017d', seq)
    WHERE room = NEW.room AND message_id = NEW.message_id;
END";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_that_forgets_ids_keeps_messages_twice() {
    let _alone = ALONE.lock().await;
    let mut taproom = Taproom::start().await;
    let database = rusqlite::Connection::open(taproom.database()).expect("it is there");
    database.execute_batch(FORGETFUL).expect("it is SQL");
    drop(database);
    let (verdict, rows) = resend(&mut taproom, 20).await;
    println!("resends, ids forgotten: {rows} rows for {} messages", verdict.acked);
    assert!(rows > verdict.acked);
    for fault in [Fault::TwoAnswers, Fault::Strange] {
        assert!(verdict.count(fault) > 0, "{fault:?} is not in {verdict}");
    }
}
