//! How a connection ends.

use app::protocol::close;

/// A goodbye without a reason (RFC 6455, section 7.4.1).
const NORMAL: u16 = 1000;

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The other side said goodbye, with this code.
    Left(Option<u16>),
    /// The other side is gone without a word.
    Lost,
    /// Nothing was heard for too long.
    Silent,
    /// It did not read what was sent.
    TooSlow,
    /// Too many bad frames in a row.
    Misuse,
    /// A frame that this protocol does not have: the code says which kind.
    BadFrame(u16),
    /// The log could not be read on.
    Unreadable,
    /// Something in the server failed.
    Failed,
    /// The server stops.
    Restarting,
}

impl Ending {
    /// Whether the other side may still hear answers to what it said before.
    pub(super) fn leaves_time_to_answer(self) -> bool {
        match self {
            // Who has closed only their own half still hears.
            Ending::Misuse
            | Ending::BadFrame(_)
            | Ending::Unreadable
            | Ending::Failed
            | Ending::Restarting
            | Ending::Lost => true,
            Ending::Left(_) | Ending::Silent | Ending::TooSlow => false,
        }
    }

    /// The code and the words of the close frame; `None` where nobody would read it.
    pub(super) fn farewell(self) -> Option<(u16, &'static str)> {
        match self {
            Ending::Lost => None,
            // The same code back (RFC 6455, section 5.5.1).
            Ending::Left(code) => Some((code.unwrap_or(NORMAL), "")),
            Ending::Silent => Some((close::GOING_AWAY, "nothing was heard for 45 s")),
            Ending::TooSlow => Some((close::TOO_SLOW, "too slow: come back with your cursor")),
            Ending::Misuse => Some((close::MISUSE, "ten bad frames in a row")),
            Ending::BadFrame(code) => Some((code, words(code))),
            Ending::Unreadable => Some((close::INTERNAL, "the log cannot be read now: come back with your cursor")),
            Ending::Failed => Some((close::INTERNAL, "something failed here: come back with your cursor")),
            Ending::Restarting => Some((close::RESTARTING, "restarting: come back in a moment")),
        }
    }
}

fn words(code: u16) -> &'static str {
    match code {
        close::BINARY => "binary frames are not spoken here",
        close::NOT_UTF8 => "a text frame must be UTF-8",
        close::TOO_BIG => "a frame has at most 64 KiB",
        _ => "the framing was broken",
    }
}
