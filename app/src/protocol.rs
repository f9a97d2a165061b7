//! The frames on the WebSocket. `docs/protocol.md` is the contract; this file is its types.
//!
//! Every example of the contract is read, written, and means the same:
//!
//! ```
//! use app::protocol::{ClientFrame, Page, ServerFrame};
//! use serde_json::{Value, from_str, to_value};
//!
//! let contract = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md"));
//! let examples: Vec<_> = contract.split("```json ").skip(1).collect();
//! assert!(examples.len() > 15);
//! for example in examples {
//!     let (kind, rest) = example.split_once('\n').expect("a kind");
//!     let json = rest.split("```").next().expect("a body");
//!     let mut meant: Value = from_str(json).expect(json);
//!     let written = match kind {
//!         "client" => to_value(ClientFrame::parse(json).expect(json)),
//!         "server" => to_value(from_str::<ServerFrame>(json).expect(json)),
//!         "page" => to_value(from_str::<Page>(json).expect(json)),
//!         other => panic!("an example of unknown kind {other}"),
//!     };
//!     // The tutorial's frame has no type: it is a chat message.
//!     meant.as_object_mut().expect(json).entry("Type").or_insert("Chat".into());
//!     let mut written = written.expect(json);
//!     written.as_object_mut().expect(json).entry("Type").or_insert("Chat".into());
//!     assert_eq!(written, meant);
//! }
//! ```

mod event;
mod ids;
mod name;
#[cfg(target_family = "wasm")]
#[path = "protocol/nfc_browser.rs"]
mod nfc;
#[cfg(not(target_family = "wasm"))]
#[path = "protocol/nfc_native.rs"]
mod nfc;
mod text;
mod time;
mod visible;

pub use event::{Chat, Event, Kind, Page};
pub use ids::{BadId, Epoch, MessageId, Seq, SocketId};
pub use name::{BadName, NickName, RoomName};
pub use text::{BadText, Text};
pub use time::Timestamp;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of the protocol that `Status` announces.
pub const VERSION: u32 = 1;

/// The longest frame that either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// How many rooms one socket may be in.
pub const MAX_ROOMS_PER_SOCKET: usize = 100;

/// How many names a `userlist` carries at most.
pub const MAX_LISTED_USERS: usize = 200;

/// Close codes (RFC 6455, section 7.4, and our own from 4000).
pub mod close {
    /// The server or the page is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// The framing was broken.
    pub const PROTOCOL: u16 = 1002;
    /// A binary frame: only text is spoken here.
    pub const BINARY: u16 = 1003;
    /// A text frame that is not UTF-8.
    pub const NOT_UTF8: u16 = 1007;
    /// Too many bad frames in a row.
    pub const MISUSE: u16 = 1008;
    /// A frame longer than [`MAX_FRAME_BYTES`](super::MAX_FRAME_BYTES).
    pub const TOO_BIG: u16 = 1009;
    /// A handler failed. Come back.
    pub const INTERNAL: u16 = 1011;
    /// The server restarts: come back with jitter.
    pub const RESTARTING: u16 = 1012;
    /// Signed out.
    pub const SIGNED_OUT: u16 = 4001;
    /// Removed or banned: do not come back by yourself.
    pub const REMOVED: u16 = 4003;
    /// Too slow: come back with your cursor.
    pub const TOO_SLOW: u16 = 4008;
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "Type", rename_all_fields = "PascalCase")]
pub enum ClientFrame {
    /// Say something.
    Chat {
        /// What the speaker wants to be called; heard only while the connection has no name yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        author: Option<String>,
        /// What is said.
        #[serde(rename = "Message")]
        text: Text,
        /// Where; may be missing while the socket is in one room.
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
        /// The message's identity; saying it again with the same one is harmless.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// How it is meant.
        #[serde(skip_serializing_if = "is_speech")]
        kind: Kind,
    },
    /// Take a name.
    Nick {
        /// The name.
        name: NickName,
    },
    /// Enter a room, reading on after a position.
    Join {
        /// The room.
        room: RoomName,
        /// The last position that this client has; without it only what is said from now on is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        /// The epoch that `after` belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// Leave a room.
    Leave {
        /// The room; may be missing while the socket is in one room.
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
    },
    /// Is anybody there? Answered by `Pong`. For clients that cannot see WebSocket control frames.
    Ping,
}

fn is_speech(kind: &Kind) -> bool {
    *kind == Kind::Speech
}

/// Every field of every client frame. `Type` may be missing: an object with `Message` is a chat message.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFrame<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    author: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    after: Option<Seq>,
    #[serde(borrow)]
    epoch: Option<Cow<'a, str>>,
}

impl ClientFrame {
    /// Reads a frame, or says in an `Error` frame what is wrong with it, naming its `Id` where that could be read.
    pub fn parse(json: &str) -> Result<ClientFrame, Box<ErrorFrame>> {
        let raw: RawFrame<'_> =
            serde_json::from_str(json).map_err(|error| ErrorFrame::new(ErrorCode::BadFrame, unreadable(&error)))?;
        // A broken Id is reported without it: there is nothing to refer to.
        let id = raw
            .id
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: BadId| ErrorFrame::new(ErrorCode::BadFrame, sentence(&error.to_string())))?;
        raw.into_frame(id).map_err(|mut error| {
            error.id = id;
            error
        })
    }
}

/// What is wrong with JSON, without the words of the program that reads it.
fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => format!(
            "This frame is no object, or a field of it has a type that does not fit (column {}).",
            error.column()
        ),
        _ => format!("This frame is not JSON (column {}).", error.column()),
    }
}

impl RawFrame<'_> {
    fn into_frame(self, id: Option<MessageId>) -> Result<ClientFrame, Box<ErrorFrame>> {
        let room = self.room.as_deref().map(RoomName::parse).transpose()?;
        match self.r#type.as_deref() {
            Some("Chat") => self.into_chat(room, id),
            None if self.message.is_some() => self.into_chat(room, id),
            Some("Nick") => Ok(ClientFrame::Nick { name: NickName::parse(&required(self.name, "Name")?)? }),
            Some("Join") => {
                Ok(ClientFrame::Join { room: required(room, "Room")?, after: self.after, epoch: epoch(self.epoch)? })
            }
            Some("Leave") => Ok(ClientFrame::Leave { room }),
            Some("Ping") => Ok(ClientFrame::Ping),
            Some(other) => {
                let other: String = other.chars().take(32).collect();
                Err(ErrorFrame::new(ErrorCode::BadFrame, format!("Nothing is known here of frames of Type {other:?}.")))
            }
            None => Err(ErrorFrame::new(ErrorCode::BadFrame, "A frame needs a Type, or a Message.")),
        }
    }

    fn into_chat(self, room: Option<RoomName>, id: Option<MessageId>) -> Result<ClientFrame, Box<ErrorFrame>> {
        let text = Text::from_base64(&required(self.message, "Message")?)?;
        let kind = match self.kind.as_deref() {
            None | Some("Speech") => Kind::Speech,
            Some("Action") => Kind::Action,
            Some(_) => return Err(ErrorFrame::new(ErrorCode::BadFrame, "Kind is Speech or Action.")),
        };
        Ok(ClientFrame::Chat { author: self.author.map(Cow::into_owned), text, room, id, kind })
    }
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, Box<ErrorFrame>> {
    field.ok_or_else(|| ErrorFrame::new(ErrorCode::BadFrame, format!("The field {name} is missing.")))
}

fn epoch(raw: Option<Cow<'_, str>>) -> Result<Option<Epoch>, Box<ErrorFrame>> {
    match raw {
        Some(epoch) if epoch.len() > Epoch::MAX_BYTES => {
            Err(ErrorFrame::new(ErrorCode::BadFrame, "Epoch is too long."))
        }
        Some(epoch) => Ok(Some(Epoch(epoch.into()))),
        None => Ok(None),
    }
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Type")]
pub enum ServerFrame {
    /// The first frame of every connection; again for every room joined and after a change of name.
    Status(Status),
    /// A message of a room.
    Chat(Chat),
    /// Who is in a room now.
    #[serde(rename = "userlist")]
    UserList(UserList),
    /// A message is kept.
    Ack(Ack),
    /// Something was refused. The connection stays open.
    Error(Box<ErrorFrame>),
    /// A part of the log is not replayed.
    Gap(Gap),
    /// The answer to `Ping`.
    Pong(Pong),
    /// A frame of a later version: ignored.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl From<Event> for ServerFrame {
    fn from(event: Event) -> ServerFrame {
        match event {
            Event::Chat(chat) => ServerFrame::Chat(chat),
        }
    }
}

/// Who the client is, and where a room stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Status {
    /// This socket.
    #[serde(rename = "WSID")]
    pub socket: SocketId,
    /// What this person is called now.
    pub name: NickName,
    /// Whether the person chose that name; a guest has not.
    pub named: bool,
    /// The room that this status is about.
    pub room: RoomName,
    /// The newest position in the room.
    pub head: Seq,
    /// The life of the room's log.
    pub epoch: Epoch,
    /// The version of the protocol, [`VERSION`].
    pub protocol: u32,
    /// What a client must keep to.
    pub limits: Limits,
    /// The server's clock.
    pub time: Timestamp,
    /// Which build of the server this is. A page that was made by another one should be loaded again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub build: String,
}

/// What a client must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Limits {
    /// The longest text, in bytes of UTF-8.
    pub text_bytes: usize,
    /// The longest frame, in bytes.
    pub frame_bytes: usize,
    /// Messages a second that one person may send in the long run.
    pub messages_per_second: u32,
    /// Messages that one person may send at once after a pause.
    pub burst: u32,
}

/// Who is in a room now: the whole list, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    /// The room.
    pub room: RoomName,
    /// The names in alphabetical order, the first [`MAX_LISTED_USERS`] of them.
    pub users: Vec<User>,
    /// How many there are, where `users` does not hold them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct User {
    /// What they are called.
    pub name: NickName,
}

/// A message is kept at a position; only now does anybody see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Ack {
    /// The room.
    pub room: RoomName,
    /// The message.
    pub id: MessageId,
    /// Its position.
    pub seq: Seq,
    /// The server's clock when it was kept.
    pub sent: Timestamp,
}

/// A stretch of the log that is too long to replay, or no longer kept: load it by HTTP, or go on from `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Gap {
    /// The room.
    pub room: RoomName,
    /// The first position left out.
    pub from: Seq,
    /// The last position left out; the next frame of the room is later.
    pub to: Seq,
    /// The newest position in the room.
    pub head: Seq,
}

/// The server is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Pong {
    /// The server's clock.
    pub time: Timestamp,
}

/// What was refused and why, in words that a person understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorFrame {
    /// Why, for a program.
    pub code: ErrorCode,
    /// Why, for a person.
    pub text: String,
    /// The message that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// The room it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// A name like the refused one that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<NickName>,
}

impl ErrorFrame {
    /// An error that has a code and words, and nothing else yet.
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Box<ErrorFrame> {
        Box::new(ErrorFrame { code, text: text.into(), id: None, room: None, retry_after_ms: None, suggestion: None })
    }
}

impl From<BadName> for Box<ErrorFrame> {
    fn from(error: BadName) -> Box<ErrorFrame> {
        ErrorFrame::new(ErrorCode::BadName, sentence(&error.to_string()))
    }
}

impl From<BadText> for Box<ErrorFrame> {
    fn from(error: BadText) -> Box<ErrorFrame> {
        let code = match error {
            BadText::TooLong(_) => ErrorCode::TooLong,
            BadText::NotBase64 | BadText::Empty => ErrorCode::BadText,
        };
        ErrorFrame::new(code, sentence(&error.to_string()))
    }
}

/// An error's words with a capital letter and a full stop, as people read them.
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// Why something was refused. The list is closed: a client may match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorCode {
    /// Not JSON, a wrong type, a missing field, an unknown `Type`.
    BadFrame,
    /// `Message` is not base64, or has nothing visible in it.
    BadText,
    /// The text is longer than `Limits.TextBytes`.
    TooLong,
    /// More messages than `Limits` allows, or more frames or bytes than a connection may send; try again after
    /// `RetryAfterMs`.
    TooFast,
    /// The server has more to write than it may queue; try again after `RetryAfterMs`.
    Busy,
    /// Somebody is called that, or something that looks like it; `Suggestion` is free.
    NameTaken,
    /// A name of a person or room that is empty, too long or deceptive.
    BadName,
    /// This is not yours to do: the `Id` is somebody else's.
    NotAllowed,
    /// The socket is not in that room, or no room was named where there are several.
    NoSuchRoom,
    /// The socket is in [`MAX_ROOMS_PER_SOCKET`] rooms already, or the server holds no more rooms.
    TooManyRooms,
    /// As many connections are in that room as it holds; try again after `RetryAfterMs`.
    RoomFull,
    /// A code of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

#[cfg(test)]
mod tests;
