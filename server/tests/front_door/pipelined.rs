//! Who does not wait for answers is understood all the same: what is said first is done first.

use crate::support::{RawSocket, TestServer, fresh_id, room, text, unhurried, written};
use app::protocol::{ClientFrame, Kind, MessageId, RoomName, Seq, ServerFrame};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{collections::VecDeque, time::Duration};

fn say_in(room: &RoomName, id: MessageId, words: &str) -> ClientFrame {
    let room = Some(room.clone());
    ClientFrame::Chat { author: None, text: text(words), room, id: Some(id), kind: Kind::Speech }
}

async fn chat(socket: &mut RawSocket) -> (Seq, String) {
    loop {
        if let ServerFrame::Chat(chat) = socket.read_frame().await {
            return (chat.seq, chat.text.as_str().to_owned());
        }
    }
}

#[tokio::test]
async fn what_came_with_the_request_is_heard_first_wherever_it_was_cut() {
    let said = ["one", "two"].map(|words| written(&crate::support::say(fresh_id(), words)));
    let (first, said) = (said[0].len(), said.concat());
    for server in [TestServer::start_with(&unhurried()).await, TestServer::in_memory(&unhurried())] {
        for cut in [1, 2, 5, 20, first - 1, first, first + 1, said.len() - 1, said.len()] {
            let mut socket =
                server.raw_saying(&format!("room=cut at {cut}&after=0").replace(' ', "%20"), &said[..cut]).await;
            socket.write(&said[cut..]).await;
            assert_eq!(chat(&mut socket).await, (Seq(1), "one".to_owned()), "cut at {cut}");
            assert_eq!(chat(&mut socket).await, (Seq(2), "two".to_owned()), "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn what_is_said_behind_a_join_waits_for_it() {
    let server = TestServer::start_with(&unhurried()).await;
    let (mut socket, y) = (server.raw("room=x").await, room("y"));
    let (heard, refused) = (fresh_id(), fresh_id());
    socket
        .say(&[
            ClientFrame::Join { room: y.clone(), after: None, epoch: None },
            say_in(&y, heard, "in"),
            ClientFrame::Leave { room: Some(y.clone()) },
            say_in(&y, refused, "out"),
        ])
        .await;
    let (mut is_in, mut is_kept, mut is_refused) = (false, false, false);
    while !is_kept || !is_refused {
        match socket.read_frame().await {
            ServerFrame::Status(status) => is_in |= status.room == y,
            ServerFrame::Ack(ack) => is_kept = is_in && ack.id == heard,
            ServerFrame::Error(error) => is_refused = is_in && error.id == Some(refused),
            _ => {}
        }
    }
    assert_eq!(server.history("y", "after=0").await.events.len(), 1);
}

#[tokio::test]
async fn questions_by_the_thousand_are_all_answered() {
    const QUESTIONS: usize = 5_000;
    let server = TestServer::start_with(&unhurried()).await;
    let mut socket = server.raw("room=x").await;
    socket.say(&vec![ClientFrame::Ping; QUESTIONS]).await;
    let mut answered = 0;
    while answered < QUESTIONS {
        answered += usize::from(matches!(socket.read_frame().await, ServerFrame::Pong(_)));
    }
    socket.say(&[say_in(&room("x"), fresh_id(), "and what comes behind them is heard")]).await;
    chat(&mut socket).await;
}

/// What a jumper said and is not answered yet.
#[derive(Debug)]
enum Asked {
    Join(u64),
    /// Whether it has left the room before.
    Ping {
        has_left: bool,
    },
}

/// Somebody who goes from place to place in a room and does not wait to be there.
struct Jumper {
    socket: RawSocket,
    random: StdRng,
    is_in: bool,
    asked: VecDeque<Asked>,
    /// The next position, while in the room.
    next: Option<u64>,
    jumps: usize,
}

impl Jumper {
    /// Says one to four things at once.
    async fn ask(&mut self, written: u64) {
        let mut frames = Vec::new();
        for _ in 0..self.random.random_range(1..=4) {
            if self.is_in && self.random.random_bool(0.3) {
                frames.extend([ClientFrame::Leave { room: Some(room("x")) }, ClientFrame::Ping]);
                self.asked.push_back(Asked::Ping { has_left: true });
                self.is_in = false;
            } else if self.random.random_bool(0.2) {
                frames.push(ClientFrame::Ping);
                self.asked.push_back(Asked::Ping { has_left: false });
            } else {
                frames.push(self.join(written));
            }
        }
        self.socket.say(&frames).await;
    }

    fn join(&mut self, written: u64) -> ClientFrame {
        let after = self.random.random_range(0..=written);
        self.asked.push_back(Asked::Join(after));
        (self.is_in, self.jumps) = (true, self.jumps + 1);
        ClientFrame::Join { room: room("x"), after: Some(Seq(after)), epoch: None }
    }

    async fn hear(&mut self) {
        match self.socket.read_frame().await {
            ServerFrame::Status(status) if status.room == room("x") => match self.asked.pop_front() {
                Some(Asked::Join(after)) => self.next = Some(after + 1),
                other => panic!("there was a Status for {other:?}"),
            },
            ServerFrame::Pong(_) => match self.asked.pop_front() {
                Some(Asked::Ping { has_left: true }) => self.next = None,
                Some(Asked::Ping { has_left: false }) => {}
                other => panic!("there was a Pong for {other:?}"),
            },
            ServerFrame::Chat(chat) => {
                assert_eq!(Some(chat.seq.0), self.next, "after {} jumps", self.jumps);
                self.next = Some(chat.seq.0 + 1);
            }
            ServerFrame::Error(error) => panic!("{error:?}"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn however_somebody_jumps_about_in_a_room_what_follows_is_dense() {
    const WRITTEN: u64 = 900;
    let server = TestServer::in_memory(&unhurried());
    let mut writer = server.enter("x").await;
    let said: Vec<ClientFrame> = (0..WRITTEN).map(|_| crate::support::say(fresh_id(), "words")).collect();
    writer.say_all(&said).await;
    writer.leave().await;
    // The room is closed when nobody is in it for a while: what is asked for has to come from the store.
    tokio::time::sleep(Duration::from_secs(150)).await;
    for seed in 0..40 {
        let (socket, random) = (server.raw("room=elsewhere").await, StdRng::seed_from_u64(seed));
        let mut jumper = Jumper { socket, random, is_in: false, asked: VecDeque::new(), next: None, jumps: 0 };
        while !matches!(jumper.socket.read_frame().await, ServerFrame::Status(_)) {}
        for _ in 0..20 {
            jumper.ask(WRITTEN).await;
            for _ in 0..jumper.random.random_range(0..40) {
                if jumper.asked.is_empty() && jumper.next.is_none_or(|next| next > WRITTEN) {
                    break;
                }
                jumper.hear().await;
            }
        }
        let last = jumper.join(WRITTEN);
        jumper.socket.say(&[last]).await;
        while !jumper.asked.is_empty() || jumper.next != Some(WRITTEN + 1) {
            jumper.hear().await;
        }
        drop(jumper);
        // And again from the store.
        tokio::time::sleep(Duration::from_secs(150)).await;
    }
}
