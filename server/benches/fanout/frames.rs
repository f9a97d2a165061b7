//! WebSocket frames by hand (RFC 6455, section 5.2): a reader for thousands of sockets must cost less than the server.

use anyhow::{Result, bail};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Close,
    Ping,
    Pong,
}

/// The first frame that a server sent in `bytes` and its length there; `None` while it is not whole.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<(Kind, &[u8], usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let kind = match first {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8A => Kind::Pong,
        other => bail!("the server sent a frame that begins with {other:#04x}"),
    };
    let (header, length) = match (second, rest) {
        (126, [a, b, ..]) => (4, u16::from_be_bytes([*a, *b]).into()),
        (127, [0, 0, 0, 0, a, b, c, d, ..]) => (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize),
        (126 | 127, _) if rest.len() < 8 => return Ok(None),
        (length @ 0..126, _) => (2, usize::from(*length)),
        _ => bail!("the server sent a masked frame, or one beyond measure"),
    };
    Ok(bytes.get(header..header + length).map(|payload| (kind, payload, header + length)))
}

/// A text frame as a server sends it.
pub(crate) fn from_server(text: &str) -> Vec<u8> {
    frame(0x81, 0, text.as_bytes())
}

/// A text frame as a client sends it.
pub(crate) fn from_client(text: &str) -> Vec<u8> {
    frame(0x81, MASKED, text.as_bytes())
}

/// The answer to a ping.
pub(crate) fn pong(ping: &[u8]) -> Vec<u8> {
    frame(0x8A, MASKED, ping)
}

/// A client's goodbye: it is going away.
pub(crate) fn goodbye() -> Vec<u8> {
    frame(0x88, MASKED, &1_001_u16.to_be_bytes())
}

const MASKED: u8 = 0x80;

/// The mask of a client's frame is zero: between two programs on one machine there is no cache to protect, and taking
/// it off costs the server the same.
fn frame(first: u8, masked: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(masked | length as u8),
        length => {
            frame.push(masked | 126);
            frame.extend(u16::try_from(length).expect("the load's frames are below 64 KiB").to_be_bytes());
        }
    }
    if masked != 0 {
        frame.extend([0; 4]);
    }
    frame.extend(payload);
    frame
}

/// Looks up one field of a JSON object whose names and values cannot look like one another: a quote inside a JSON
/// string is escaped, so `"Name":` is found nowhere but before a value.
pub(crate) struct Field(LazyLock<Finder<'static>>);

impl Field {
    /// A field by its name as it stands in JSON, with the quotes and the colon.
    const fn named(finder: fn() -> Finder<'static>) -> Field {
        Field(LazyLock::new(finder))
    }

    fn value<'a>(&self, json: &'a [u8]) -> Option<&'a [u8]> {
        Some(&json[self.0.find(json)? + self.0.needle().len()..])
    }

    /// A number, up to the first byte that is no digit.
    pub(crate) fn number(&self, json: &[u8]) -> Option<u64> {
        let value = self.value(json)?;
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&value[..digits]).ok()?.parse().ok()
    }

    /// A string without escapes, up to its closing quote.
    pub(crate) fn string<'a>(&self, json: &'a [u8]) -> Option<&'a [u8]> {
        let value = self.value(json)?.strip_prefix(b"\"")?;
        Some(&value[..memchr::memchr(b'"', value)?])
    }
}

/// `Type` of every frame.
pub(crate) static TYPE: Field = Field::named(|| Finder::new(b"\"Type\":"));
/// `Seq` of a message.
pub(crate) static SEQ: Field = Field::named(|| Finder::new(b"\"Seq\":"));
/// `Room` of a status, a message and a gap.
pub(crate) static ROOM: Field = Field::named(|| Finder::new(b"\"Room\":"));
/// `To` of a gap.
pub(crate) static TO: Field = Field::named(|| Finder::new(b"\"To\":"));
/// `Head` of a status.
pub(crate) static HEAD: Field = Field::named(|| Finder::new(b"\"Head\":"));
/// `Message`, the text in base64.
pub(crate) static MESSAGE: Field = Field::named(|| Finder::new(b"\"Message\":"));
/// `Id` of a message and of its acknowledgement.
pub(crate) static ID: Field = Field::named(|| Finder::new(b"\"Id\":"));
