//! Frames and pages as JSON, read by the browser's own parser: serde's would be a sixth of all WebAssembly.
//! What is read is written down once, for anything that is like JSON, so that the tests hold it against serde.

use super::first_page::{RoomPage, Theme};
use crate::protocol::{
    Ack, Chat, ClientFrame, Epoch, ErrorCode, ErrorFrame, Event, Gap, Kind, Limits, MessageId, NickName, Page, Pong,
    RoomName, Seq, ServerFrame, SocketId, Status, Text, Timestamp, User, UserList,
};
use js_sys::{Array, JSON, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// Reads a frame of the server; none when it is of a later version or none at all.
pub(crate) fn read_frame(json: &str) -> Option<ServerFrame> {
    frame(&JSON::parse(json).ok()?)
}

/// Reads a page of history.
pub(crate) fn read_page(json: &str) -> Option<Page> {
    page(&JSON::parse(json).ok()?)
}

/// Reads what the server put into the document.
pub(crate) fn read_room_page(json: &str) -> Option<RoomPage> {
    room_page(&JSON::parse(json).ok()?)
}

/// Writes a frame for the server.
pub(crate) fn write_frame(frame: &ClientFrame) -> String {
    let mut json = Object(String::from("{"));
    match frame {
        ClientFrame::Chat { author, text, room, id, kind } => {
            json.field("Type", "Chat");
            json.optional("Author", author.as_deref());
            json.field("Message", &text.to_base64());
            json.optional("Room", room.as_ref().map(RoomName::as_str));
            json.optional("Id", id.as_ref().map(MessageId::as_str));
            json.optional("Kind", (*kind == Kind::Action).then_some("Action"));
        }
        ClientFrame::Nick { name } => {
            json.field("Type", "Nick");
            json.field("Name", name.as_str());
        }
        ClientFrame::Join { room, after, epoch } => {
            json.field("Type", "Join");
            json.field("Room", room.as_str());
            if let Some(after) = after {
                json.raw("After", &after.to_string());
            }
            json.optional("Epoch", epoch.as_ref().map(|epoch| epoch.0.as_ref()));
        }
        ClientFrame::Leave { room } => {
            json.field("Type", "Leave");
            json.optional("Room", room.as_ref().map(RoomName::as_str));
        }
        ClientFrame::Ping => json.field("Type", "Ping"),
    }
    json.0.push('}');
    json.0
}

/// A value of JSON.
trait Json: Sized {
    /// A field of an object; none when it is missing or null.
    fn get(&self, name: &str) -> Option<Self>;
    fn text(&self) -> Option<String>;
    fn number(&self) -> Option<u64>;
    fn truth(&self) -> Option<bool>;
    /// The items of a list.
    fn items(&self) -> Option<Vec<Self>>;

    fn text_of(&self, name: &str) -> Option<String> {
        self.get(name)?.text()
    }

    fn number_of(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }

    /// A list of which every item can be read.
    fn list_of<T>(&self, name: &str, read: fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        self.get(name)?.items()?.iter().map(read).collect()
    }

    fn room(&self) -> Option<RoomName> {
        RoomName::parse(&self.text_of("Room")?).ok()
    }

    fn nick(&self, name: &str) -> Option<NickName> {
        NickName::parse(&self.text_of(name)?).ok()
    }

    fn seq(&self, name: &str) -> Option<Seq> {
        self.number_of(name).map(Seq)
    }

    fn id(&self) -> Option<MessageId> {
        self.text_of("Id")?.parse().ok()
    }

    fn moment(&self, name: &str) -> Option<Timestamp> {
        humantime::parse_rfc3339(&self.text_of(name)?).ok().map(Timestamp::of)
    }

    fn socket(&self) -> Option<SocketId> {
        Some(SocketId(self.text_of("WSID")?.into()))
    }

    fn epoch(&self) -> Option<Epoch> {
        Some(Epoch(self.text_of("Epoch")?.into()))
    }
}

impl Json for JsValue {
    fn get(&self, name: &str) -> Option<JsValue> {
        let value = Reflect::get(self, &JsValue::from_str(name)).ok()?;
        (!value.is_null() && !value.is_undefined()).then_some(value)
    }

    fn text(&self) -> Option<String> {
        self.as_string()
    }

    fn number(&self) -> Option<u64> {
        self.as_f64().map(|number| number as u64)
    }

    fn truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn items(&self) -> Option<Vec<JsValue>> {
        Some(self.dyn_ref::<Array>()?.to_vec())
    }
}

fn frame(json: &impl Json) -> Option<ServerFrame> {
    Some(match json.text_of("Type")?.as_str() {
        "Status" => ServerFrame::Status(status(json)?),
        "Chat" => ServerFrame::Chat(chat(json)?),
        "userlist" => ServerFrame::UserList(user_list(json)?),
        "Ack" => ServerFrame::Ack(Ack {
            room: json.room()?,
            id: json.id()?,
            seq: json.seq("Seq")?,
            sent: json.moment("Sent")?,
        }),
        "Error" => ServerFrame::Error(Box::new(error(json)?)),
        "Gap" => ServerFrame::Gap(Gap {
            room: json.room()?,
            from: json.seq("From")?,
            to: json.seq("To")?,
            head: json.seq("Head")?,
        }),
        "Pong" => ServerFrame::Pong(Pong { time: json.moment("Time")? }),
        _ => ServerFrame::Unknown,
    })
}

fn status(json: &impl Json) -> Option<Status> {
    let limits = json.get("Limits")?;
    Some(Status {
        socket: json.socket()?,
        name: json.nick("Name")?,
        named: json.get("Named")?.truth()?,
        room: json.room()?,
        head: json.seq("Head")?,
        epoch: json.epoch()?,
        protocol: json.number_of("Protocol")? as u32,
        limits: Limits {
            text_bytes: limits.number_of("TextBytes")? as usize,
            frame_bytes: limits.number_of("FrameBytes")? as usize,
            messages_per_second: limits.number_of("MessagesPerSecond")? as u32,
            burst: limits.number_of("Burst")? as u32,
        },
        time: json.moment("Time")?,
        build: json.text_of("Build").unwrap_or_default(),
    })
}

fn chat(json: &impl Json) -> Option<Chat> {
    let is_action = json.text_of("Kind").is_some_and(|kind| kind == "Action");
    Some(Chat {
        room: json.room()?,
        socket: json.socket()?,
        author: json.nick("Author")?,
        text: Text::from_base64(&json.text_of("Message")?).ok()?,
        sent: json.moment("Sent")?,
        seq: json.seq("Seq")?,
        id: json.id()?,
        kind: if is_action { Kind::Action } else { Kind::Speech },
    })
}

fn user_list(json: &impl Json) -> Option<UserList> {
    let user = |user: &_| Some(User { name: Json::nick(user, "Name")? });
    let count = json.number_of("Count").map(|count| count as usize);
    Some(UserList { room: json.room()?, users: json.list_of("Users", user)?, count })
}

fn error(json: &impl Json) -> Option<ErrorFrame> {
    let code = match json.text_of("Code")?.as_str() {
        "BadFrame" => ErrorCode::BadFrame,
        "BadText" => ErrorCode::BadText,
        "TooLong" => ErrorCode::TooLong,
        "TooFast" => ErrorCode::TooFast,
        "Busy" => ErrorCode::Busy,
        "NameTaken" => ErrorCode::NameTaken,
        "BadName" => ErrorCode::BadName,
        "NotAllowed" => ErrorCode::NotAllowed,
        "NoSuchRoom" => ErrorCode::NoSuchRoom,
        "TooManyRooms" => ErrorCode::TooManyRooms,
        "RoomFull" => ErrorCode::RoomFull,
        _ => ErrorCode::Unknown,
    };
    Some(ErrorFrame {
        code,
        text: json.text_of("Text")?,
        id: json.id(),
        room: json.room(),
        retry_after_ms: json.number_of("RetryAfterMs"),
        suggestion: json.nick("Suggestion"),
    })
}

fn page(json: &impl Json) -> Option<Page> {
    let event = |event: &_| chat(event).map(Event::Chat);
    Some(Page {
        room: json.room()?,
        epoch: json.epoch()?,
        head: json.seq("Head")?,
        events: json.list_of("Events", event)?,
    })
}

fn room_page(json: &impl Json) -> Option<RoomPage> {
    Some(RoomPage {
        page: page(&json.get("page")?)?,
        focus: json.seq("focus"),
        users: user_list(&json.get("users")?)?,
        me: json.nick("me"),
        theme: Theme::of_cookie(json.text_of("theme").as_deref()),
        build: json.text_of("build")?,
    })
}

/// An object that is being written.
struct Object(String);

impl Object {
    fn field(&mut self, name: &str, value: &str) {
        let mut quoted = String::with_capacity(value.len() + 2);
        quoted.push('"');
        for letter in value.chars() {
            // Names hold no controls (RFC 8259, section 7, has these two and controls be escaped).
            if matches!(letter, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(letter);
        }
        quoted.push('"');
        self.raw(name, &quoted);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    fn raw(&mut self, name: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        self.0.extend([comma, "\"", name, "\":", value]);
    }
}

#[cfg(test)]
mod tests;
