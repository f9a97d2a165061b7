//! The durable facts of a room, as the socket and the HTTP API both carry them.

use super::{Epoch, MessageId, NickName, RoomName, Seq, SocketId, Text, Timestamp};
use serde::{Deserialize, Serialize};

/// One durable fact in a room, with its position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Type")]
pub enum Event {
    /// Somebody said something.
    Chat(Chat),
}

impl Event {
    /// The room it happened in.
    pub fn room(&self) -> &RoomName {
        match self {
            Event::Chat(chat) => &chat.room,
        }
    }

    /// The event's position in its room's log.
    pub fn seq(&self) -> Seq {
        match self {
            Event::Chat(chat) => chat.seq,
        }
    }
}

/// A message that is kept: the tutorial's fields, then `Seq`, `Id` and `Kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Chat {
    /// The room it was said in.
    pub room: RoomName,
    /// The socket it was said on.
    #[serde(rename = "WSID")]
    pub socket: SocketId,
    /// What its author was called at that time.
    pub author: NickName,
    /// What was said.
    #[serde(rename = "Message")]
    pub text: Text,
    /// The server's clock when it was kept.
    pub sent: Timestamp,
    /// Its position in the room.
    pub seq: Seq,
    /// The identity that its author's client chose, or that the server gave.
    pub id: MessageId,
    /// How it was said.
    #[serde(default, skip_serializing_if = "Kind::is_speech")]
    pub kind: Kind,
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Said: `ada: hello`. Not written, because it is what the tutorial knows.
    #[default]
    Speech,
    /// Done, as `/me waves` says it: `* ada waves`.
    Action,
}

impl Kind {
    fn is_speech(&self) -> bool {
        *self == Kind::Speech
    }
}

/// A stretch of a room's log, as `GET /api/v1/rooms/{room}/events` answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    /// The room.
    pub room: RoomName,
    /// The life of the log that the positions belong to.
    pub epoch: Epoch,
    /// The newest position in the room, zero when nothing was said yet.
    pub head: Seq,
    /// The events, in `Seq` order.
    pub events: Vec<Event>,
}
