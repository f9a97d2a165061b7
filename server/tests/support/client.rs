//! A typed client that waits for facts, and says what came instead.

use super::{Wire, fresh_id, in_time, say, text};
use app::protocol::{
    Ack, Chat, ClientFrame, Epoch, ErrorFrame, Kind, MessageId, NickName, RoomName, Seq, ServerFrame, Status, UserList,
};
use futures::{SinkExt, StreamExt, future::join};
use std::{collections::HashSet, time::Duration};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// Frames that are quoted when the one that was waited for did not come.
const QUOTED: usize = 20;

/// One end of a socket.
pub(crate) struct TestClient {
    socket: WebSocketStream<Wire>,
    patience: Duration,
}

enum Heard {
    Frame(String),
    /// The server closed the socket, with this code.
    Closed(Option<u16>),
    /// The wire ended without a goodbye.
    Lost,
}

impl TestClient {
    pub(crate) async fn open(
        wire: Wire,
        host: &str,
        query: &str,
        headers: &[(&str, &str)],
        patience: Duration,
    ) -> TestClient {
        let mut request = format!("ws://{host}/ws?{query}").into_client_request().expect("a good address");
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().expect("a header's name");
            request.headers_mut().insert(name, value.parse().expect("a header's value"));
        }
        let (socket, _) = in_time("the upgrade", patience, client_async(request, wire)).await.expect("the upgrade");
        TestClient { socket, patience }
    }

    /// Asks for a socket without headers; answers the status where it is refused.
    pub(crate) async fn try_open(wire: Wire, host: &str, query: &str, patience: Duration) -> Result<TestClient, u16> {
        let request = format!("ws://{host}/ws?{query}");
        match in_time("the upgrade", patience, client_async(request, wire)).await {
            Ok((socket, _)) => Ok(TestClient { socket, patience }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("the upgrade: {error}"),
        }
    }

    // Saying

    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        self.send_raw(&serde_json::to_string(frame).expect("frames are plain data")).await;
    }

    /// Sends a text frame as it is.
    pub(crate) async fn send_raw(&mut self, json: &str) {
        in_time("sending", self.patience, self.socket.send(Message::text(json))).await.expect("the server reads");
    }

    pub(crate) async fn send_binary(&mut self, bytes: &'static [u8]) {
        in_time("sending", self.patience, self.socket.send(Message::binary(bytes))).await.expect("the server reads");
    }

    /// Says something in the only room of this socket, under a fresh id.
    pub(crate) async fn say(&mut self, words: &str) -> MessageId {
        let id = fresh_id();
        self.send(&say(id, words)).await;
        id
    }

    pub(crate) async fn say_in(&mut self, room: &RoomName, words: &str) -> MessageId {
        let id = fresh_id();
        let (room, kind) = (Some(room.clone()), Kind::Speech);
        self.send(&ClientFrame::Chat { author: None, text: text(words), room, id: Some(id), kind }).await;
        id
    }

    /// Says all of it without waiting for anything, and reads meanwhile until every message has its `Ack`. Answers
    /// the acks, and the messages seen meanwhile.
    pub(crate) async fn say_all(&mut self, messages: &[ClientFrame]) -> (Vec<Ack>, Vec<Chat>) {
        let patience = self.patience;
        let mut waiting: HashSet<MessageId> = messages.iter().filter_map(id_of).collect();
        let (mut acks, mut chats) = (Vec::new(), Vec::new());
        let (mut sink, mut stream) = (&mut self.socket).split();
        let saying = async {
            for message in messages {
                let json = serde_json::to_string(message).expect("frames are plain data");
                sink.feed(Message::text(json)).await.expect("the server reads");
            }
            sink.flush().await.expect("the server reads");
        };
        let hearing = async {
            while !waiting.is_empty() {
                match frame_of(hear(&mut stream).await) {
                    ServerFrame::Ack(ack) if waiting.remove(&ack.id) => acks.push(ack),
                    ServerFrame::Chat(chat) => chats.push(chat),
                    ServerFrame::Error(error) => panic!("refused: {error:?}"),
                    _ => {}
                }
            }
        };
        in_time("an Ack for everything", patience, join(saying, hearing)).await;
        (acks, chats)
    }

    pub(crate) async fn nick(&mut self, name: &str) {
        self.send(&ClientFrame::Nick { name: NickName::parse(name).expect("a good name") }).await;
    }

    pub(crate) async fn join(&mut self, room: &RoomName, after: Option<Seq>, epoch: Option<Epoch>) {
        self.send(&ClientFrame::Join { room: room.clone(), after, epoch }).await;
    }

    // Hearing

    /// The first frame that `pick` recognises; frames before it are passed over, save an `Error`, which fails.
    pub(crate) async fn find<T>(&mut self, what: &str, mut pick: impl FnMut(&ServerFrame) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let finding = async {
            loop {
                let json = match hear(&mut self.socket).await {
                    Heard::Frame(json) => json,
                    Heard::Closed(code) => break Err(format!("the socket was closed with {code:?}")),
                    Heard::Lost => break Err("the socket was lost".to_owned()),
                };
                let frame = parse(&json);
                match (pick(&frame), frame) {
                    (Some(found), _) => break Ok(found),
                    (None, ServerFrame::Error(_)) => break Err(json),
                    (None, _) => passed.push(json),
                }
            }
        };
        let found = tokio::time::timeout(self.patience, finding).await;
        found.unwrap_or_else(|_| Err("nothing more".to_owned())).unwrap_or_else(|instead| {
            let quoted = passed[passed.len().saturating_sub(QUOTED)..].join("\n");
            panic!("waited for {what}, and got:\n{quoted}\n{instead}")
        })
    }

    /// The very next frame, as it came.
    pub(crate) async fn next_raw(&mut self) -> String {
        match in_time("a frame", self.patience, hear(&mut self.socket)).await {
            Heard::Frame(json) => json,
            Heard::Closed(code) => panic!("the socket was closed with {code:?}"),
            Heard::Lost => panic!("the socket was lost"),
        }
    }

    /// The very next frame.
    pub(crate) async fn next(&mut self) -> ServerFrame {
        parse(&self.next_raw().await)
    }

    /// The very next frame, or the code with which the server closed the socket instead.
    pub(crate) async fn next_or_close(&mut self) -> Result<ServerFrame, u16> {
        match in_time("a frame", self.patience, hear(&mut self.socket)).await {
            Heard::Frame(json) => Ok(parse(&json)),
            Heard::Closed(code) => Err(code.expect("the close frame has a code")),
            Heard::Lost => panic!("the socket was lost"),
        }
    }

    pub(crate) async fn status(&mut self) -> Status {
        self.find("a Status", |frame| match frame {
            ServerFrame::Status(status) => Some(status.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn users(&mut self) -> UserList {
        self.find("a userlist", |frame| match frame {
            ServerFrame::UserList(list) => Some(list.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until exactly these people are listed, in this order.
    pub(crate) async fn people_are(&mut self, names: &[&str]) {
        self.find(&format!("the people {names:?}"), |frame| match frame {
            ServerFrame::UserList(list) => (names_of(list) == names).then_some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn chat(&mut self) -> Chat {
        self.find("a Chat", chat_of).await
    }

    pub(crate) async fn chats(&mut self, count: usize) -> Vec<Chat> {
        let mut chats = Vec::with_capacity(count);
        while chats.len() < count {
            chats.push(self.chat().await);
        }
        chats
    }

    /// Waits for a message, and fails when another one comes first.
    pub(crate) async fn next_chat_is(&mut self, id: MessageId) -> Chat {
        let chat = self.chat().await;
        assert_eq!(chat.id, id, "another message came first: {chat:?}");
        chat
    }

    pub(crate) async fn ack(&mut self, id: MessageId) -> Ack {
        self.find(&format!("an Ack for {id}"), |frame| match frame {
            ServerFrame::Ack(ack) if ack.id == id => Some(ack.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn error(&mut self) -> ErrorFrame {
        self.find("an Error", |frame| match frame {
            ServerFrame::Error(error) => Some(ErrorFrame::clone(error)),
            _ => None,
        })
        .await
    }

    /// Says something and waits for it, which shows that the connection lives.
    pub(crate) async fn is_alive(&mut self) {
        let id = self.say("still here").await;
        self.ack(id).await;
    }

    /// The same, in one of several rooms.
    pub(crate) async fn is_alive_in(&mut self, name: &str) {
        let id = self.say_in(&super::room(name), "still here").await;
        self.ack(id).await;
    }

    /// The code with which the server closes the socket; frames before it are passed over.
    pub(crate) async fn close_code(&mut self) -> u16 {
        in_time("a close frame", self.patience, async {
            let code = loop {
                match hear(&mut self.socket).await {
                    Heard::Frame(_) => {}
                    Heard::Closed(code) => break code.expect("the close frame has a code"),
                    Heard::Lost => panic!("the socket was lost without a close frame"),
                }
            };
            // Our half of the goodbye goes out while reading on.
            while let Some(Ok(_)) = self.socket.next().await {}
            code
        })
        .await
    }

    /// Says goodbye, and waits until the server has, too.
    pub(crate) async fn leave(mut self) {
        self.socket.close(None).await.expect("the server reads");
        in_time("the goodbye", self.patience, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    /// Reads whatever comes, answering pings, for as long as `future` takes.
    pub(crate) async fn reading_while<T>(&mut self, future: impl Future<Output = T>) -> T {
        let reading = async { while !matches!(hear(&mut self.socket).await, Heard::Lost) {} };
        tokio::select! {
            done = future => done,
            () = reading => panic!("the socket was lost"),
        }
    }
}

async fn hear<S>(stream: &mut S) -> Heard
where
    S: futures::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(json))) => return Heard::Frame(json.to_string()),
            Some(Ok(Message::Close(frame))) => return Heard::Closed(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Heard::Lost,
        }
    }
}

fn frame_of(heard: Heard) -> ServerFrame {
    match heard {
        Heard::Frame(json) => parse(&json),
        Heard::Closed(code) => panic!("the socket was closed with {code:?}"),
        Heard::Lost => panic!("the socket was lost"),
    }
}

fn parse(json: &str) -> ServerFrame {
    let frame = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"));
    assert_ne!(frame, ServerFrame::Unknown, "{json}");
    frame
}

fn chat_of(frame: &ServerFrame) -> Option<Chat> {
    match frame {
        ServerFrame::Chat(chat) => Some(chat.clone()),
        _ => None,
    }
}

fn id_of(frame: &ClientFrame) -> Option<MessageId> {
    match frame {
        ClientFrame::Chat { id, .. } => *id,
        _ => None,
    }
}

/// The names of a list, in its order.
pub(crate) fn names_of(list: &UserList) -> Vec<&str> {
    list.users.iter().map(|user| user.name.as_str()).collect()
}
