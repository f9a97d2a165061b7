//! Why something was not done, and the words for it.

use crate::{
    journal::{NotKept, Trouble},
    people::NameTaken,
    rooms::NotEntered,
};
use app::protocol::{BadName, ErrorCode, ErrorFrame, NickName};
use std::time::Duration;

/// When to come back while the writer has more than enough to do.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// When to come back to a room that is full.
const FULL_RETRY: Duration = Duration::from_secs(10);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// More messages than the limits allow.
    TooFast {
        /// When the next one is allowed.
        retry_in: Duration,
    },
    /// More is waiting to be written than the queue holds.
    Busy,
    /// The disk did not take it, as far as is known.
    Unwritable(Trouble),
    /// The room's log cannot be read now.
    Unreadable,
    /// The message's id belongs to somebody else.
    SomebodyElsesId,
    /// The name is somebody's, or looks like it.
    NameTaken(NameTaken),
    /// The name is no name.
    BadName(BadName),
    /// The socket is not in that room.
    NotInRoom,
    /// The socket is in several rooms or none, and the frame names none.
    WhichRoom,
    /// This socket, or this server, holds no more rooms.
    TooManyRooms,
    /// As many people are in the room as it holds.
    RoomFull,
}

impl From<NotKept> for Refusal {
    fn from(reason: NotKept) -> Refusal {
        match reason {
            NotKept::Busy => Refusal::Busy,
            NotKept::SomebodyElses => Refusal::SomebodyElsesId,
            NotKept::Unwritable(trouble) => Refusal::Unwritable(trouble),
        }
    }
}

impl From<NameTaken> for Refusal {
    fn from(taken: NameTaken) -> Refusal {
        Refusal::NameTaken(taken)
    }
}

impl From<BadName> for Refusal {
    fn from(bad: BadName) -> Refusal {
        Refusal::BadName(bad)
    }
}

impl From<NotEntered> for Refusal {
    fn from(reason: NotEntered) -> Refusal {
        match reason {
            NotEntered::TooManyRooms => Refusal::TooManyRooms,
            NotEntered::RoomFull => Refusal::RoomFull,
            NotEntered::Unreadable(_) => Refusal::Unreadable,
        }
    }
}

impl Refusal {
    /// The refusal as it is told: what happened, and what to do next.
    pub fn into_frame(self) -> Box<ErrorFrame> {
        match self {
            Refusal::TooFast { retry_in } => later(ErrorCode::TooFast, "You are sending too fast.", retry_in),
            Refusal::Busy => later(ErrorCode::Busy, "The server has a lot to write.", BUSY_RETRY),
            Refusal::Unwritable(trouble) => later(ErrorCode::Busy, words(trouble), BUSY_RETRY),
            Refusal::Unreadable => later(ErrorCode::Busy, "The server cannot read this room now.", BUSY_RETRY),
            Refusal::SomebodyElsesId => {
                ErrorFrame::new(ErrorCode::NotAllowed, "Another person's message has this Id. Send it with a new one.")
            }
            Refusal::NameTaken(taken) => name_taken(taken),
            Refusal::BadName(bad) => bad.into(),
            Refusal::NotInRoom => ErrorFrame::new(ErrorCode::NoSuchRoom, "You are not in that room. Join it first."),
            Refusal::WhichRoom => {
                ErrorFrame::new(ErrorCode::NoSuchRoom, "You are not in exactly one room: say which Room is meant.")
            }
            Refusal::TooManyRooms => {
                ErrorFrame::new(ErrorCode::TooManyRooms, "These are as many rooms as can be open. Leave one first.")
            }
            Refusal::RoomFull => later(ErrorCode::RoomFull, "This room is full.", FULL_RETRY),
        }
    }
}

fn words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Full => "The server's disk is full, so it cannot keep this message.",
        Trouble::Locked => "Another program on the server has locked the database, so it cannot keep this message.",
        Trouble::Failing => "The server's disk fails, so it cannot keep this message.",
    }
}

fn later(code: ErrorCode, what: &str, retry_in: Duration) -> Box<ErrorFrame> {
    // Rounded up: coming back a moment early would be refused again.
    let millis = retry_in.as_micros().div_ceil(1_000) as u64;
    let mut frame = ErrorFrame::new(code, format!("{what} Try again in {} s.", millis.div_ceil(1_000).max(1)));
    frame.retry_after_ms = Some(millis.max(1));
    frame
}

fn name_taken(NameTaken { wanted, suggestion }: NameTaken) -> Box<ErrorFrame> {
    let hint = suggestion.as_ref().map(|name: &NickName| format!(" {name} is free.")).unwrap_or_default();
    let text = format!("Somebody here is called {wanted}, or looks like it.{hint}");
    let mut frame = ErrorFrame::new(ErrorCode::NameTaken, text);
    frame.suggestion = suggestion;
    frame
}
