//! Short words for the things that tests say often.

use app::protocol::{ClientFrame, Kind, MessageId, RoomName, Text, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

/// A room's name.
pub(crate) fn room(name: &str) -> RoomName {
    RoomName::parse(name).expect("a good room name")
}

/// A message's text.
pub(crate) fn text(words: &str) -> Text {
    Text::parse(words).expect("a good text")
}

/// An id that nothing has yet.
pub(crate) fn fresh_id() -> MessageId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    MessageId::new(Timestamp::of(SystemTime::now()).0, NEXT.fetch_add(1, Ordering::Relaxed).into())
}

/// A message with an id, for the only room of its socket.
pub(crate) fn say(id: MessageId, words: &str) -> ClientFrame {
    ClientFrame::Chat { author: None, text: text(words), room: None, id: Some(id), kind: Kind::Speech }
}

/// The cookie of a browser: the same number, the same browser.
pub(crate) fn visitor(number: u32) -> String {
    format!("taproom_visitor={number:032x}")
}

/// A value as it is written into a URL.
pub(crate) fn in_url(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}
