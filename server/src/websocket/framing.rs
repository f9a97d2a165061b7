//! What the bytes of a WebSocket mean, and how to say something (RFC 6455, section 5).
//!
//! Nothing here reads or writes a socket. A [`Reader`] is given bytes as they come, in pieces of any size:
//!
//! ```
//! use server::websocket::framing::{Binary, Bounds, Heard, Reader};
//!
//! let bounds = Bounds { message_bytes: 64 * 1024, binary: Binary::Refused };
//! let mut reader = Reader::default();
//! let mut came = [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2, 0x89, 0x80, 1, 2];
//! let mut bytes = &mut came[..];
//! while let Some(heard) = reader.read(&mut bytes, &bounds)? {
//!     assert_eq!(heard, Heard::Text("hi".into()));
//! }
//! assert!(bytes.is_empty() && !reader.is_between_frames(), "the half of a ping is kept");
//! # Ok::<(), server::websocket::framing::Broken>(())
//! ```

use app::protocol::close as codes;
use bytes::{BufMut, Bytes, BytesMut};
use std::{borrow::Cow, mem, str};
use thiserror::Error;

/// The longest payload of a control frame, in bytes (section 5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// The longest head of a frame that a client sends: two bytes, a length of eight, a mask of four.
const MAX_HEAD_BYTES: usize = 14;

/// The first byte's highest bit: the frame is the last one of its message.
const FIN: u8 = 0x80;
/// The second byte's highest bit: the payload is masked, as every client's must be and no server's may be.
const MASKED: u8 = 0x80;

/// What a client may send.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest message in bytes, all its fragments together.
    pub message_bytes: usize,
    /// Whether messages may be binary.
    pub binary: Binary,
}

/// Whether messages may be binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// The first head of a binary message ends the connection.
    Refused,
    /// They are heard as text is.
    Accepted,
}

/// What a client said. It borrows from the bytes that came when the whole of it was among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A message in text.
    Text(Cow<'a, str>),
    /// A message in bytes.
    Binary(Cow<'a, [u8]>),
    /// Is to be answered by a pong with the same payload (section 5.5.2).
    Ping(Cow<'a, [u8]>),
    /// The answer to a ping, or a beat that nobody asked for.
    Pong(Cow<'a, [u8]>),
    /// The last thing said: a code that may be sent (section 7.4) and words. What follows means nothing.
    Close(Option<(u16, Cow<'a, str>)>),
}

/// Why a client cannot be understood any further. Its connection is to be closed with [`Broken::close_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Broken {
    /// A frame that the RFC does not allow.
    #[error("the framing was broken")]
    Protocol,
    /// Text, or the words of a goodbye, are no UTF-8.
    #[error("a text frame must be UTF-8")]
    NotUtf8,
    /// A message beyond [`Bounds::message_bytes`].
    #[error("a message was too long")]
    TooBig,
    /// A message in bytes where only text is spoken.
    #[error("binary frames are not spoken here")]
    Binary,
}

impl Broken {
    /// The code that tells the client (section 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Broken::Protocol => codes::PROTOCOL,
            Broken::NotUtf8 => codes::NOT_UTF8,
            Broken::TooBig => codes::TOO_BIG,
            Broken::Binary => codes::BINARY,
        }
    }
}

/// Reads one client's bytes. It holds nothing while no message and no frame is incomplete.
#[derive(Debug, Default)]
pub struct Reader {
    incomplete: Option<Box<Incomplete>>,
}

impl Reader {
    /// The next thing that `bytes` say. What was read is taken from their front and left unmasked in place; `None` when
    /// all was taken, and then what is incomplete is kept. However the bytes are cut, they say the same.
    ///
    /// What is kept grows with what has come, not with what a head announces, and a message never takes more than
    /// `bounds` allow: the head of a longer one is refused. After an error or [`Heard::Close`] the reader is of no more
    /// use.
    pub fn read<'a>(&mut self, bytes: &mut &'a mut [u8], bounds: &Bounds) -> Result<Option<Heard<'a>>, Broken> {
        while !bytes.is_empty() {
            let heard = match &mut self.incomplete {
                Some(incomplete) => incomplete.read(bytes, bounds)?,
                None => match read_whole(bytes, bounds)? {
                    Some(heard) => return Ok(Some(heard)),
                    None => self.incomplete.get_or_insert_default().read(bytes, bounds)?,
                },
            };
            self.incomplete.take_if(|incomplete| incomplete.is_over());
            if heard.is_some() {
                return Ok(heard);
            }
        }
        Ok(None)
    }

    /// Whether all that came was whole: no frame has begun that has not ended, and no message waits for its next
    /// fragment.
    pub fn is_between_frames(&self) -> bool {
        self.incomplete.is_none()
    }

    /// The memory that is held beside the reader itself, in bytes.
    pub fn held_bytes(&self) -> usize {
        let held = |incomplete: &Incomplete| {
            size_of::<Incomplete>() + incomplete.message.bytes.capacity() + incomplete.control.capacity()
        };
        self.incomplete.as_deref().map_or(0, held)
    }
}

/// What nearly every frame is: a message in one piece, of which nothing has come before. `None` if it is anything else.
fn read_whole<'a>(bytes: &mut &'a mut [u8], bounds: &Bounds) -> Result<Option<Heard<'a>>, Broken> {
    let Some((frame, head)) = Frame::parse(bytes, None, bounds)? else { return Ok(None) };
    if !frame.is_last || bytes.len() - head < frame.missing {
        return Ok(None);
    }
    take(bytes, head);
    let payload = take(bytes, frame.missing);
    unmask(payload, frame.mask);
    frame.meaning.of(Cow::Borrowed(payload)).map(Some)
}

/// The parts of frames and messages that came so far.
#[derive(Debug, Default)]
struct Incomplete {
    /// What came of a frame's head; the first `head_bytes` of it.
    head: [u8; MAX_HEAD_BYTES],
    head_bytes: usize,
    /// The frame whose head is complete and whose payload is not.
    frame: Option<Frame>,
    message: Message,
    /// The payload of a control frame, which may come between the fragments of a message. At most
    /// [`MAX_CONTROL_BYTES`].
    control: Vec<u8>,
}

/// A message of which there is more to come.
#[derive(Debug, Default)]
struct Message {
    /// `None` while there is no message.
    meaning: Option<Meaning>,
    /// What came of all its fragments, unmasked. At most [`Bounds::message_bytes`].
    bytes: Vec<u8>,
    /// So many of `bytes` are whole characters, if it is text. At most three more wait for the rest of theirs.
    checked: usize,
}

impl Incomplete {
    fn is_over(&self) -> bool {
        self.head_bytes == 0 && self.frame.is_none() && self.message.meaning.is_none()
    }

    /// Takes what `bytes` have of one frame.
    fn read<'a>(&mut self, bytes: &mut &'a mut [u8], bounds: &Bounds) -> Result<Option<Heard<'a>>, Broken> {
        let mut frame = match self.frame.take() {
            Some(frame) => frame,
            None => match self.read_head(bytes, bounds)? {
                Some(frame) => frame,
                None => return Ok(None),
            },
        };
        let payload = take(bytes, frame.missing.min(bytes.len()));
        unmask(payload, frame.mask);
        frame.missing -= payload.len();
        frame.mask.rotate_left(payload.len() % 4);
        let heard = if frame.meaning.is_control() {
            self.hear_control(&frame, payload)
        } else {
            self.message.hear(&frame, payload, bounds)
        };
        if frame.missing > 0 {
            self.frame = Some(frame);
        }
        heard
    }

    /// The frame that begins, once its head is complete.
    fn read_head(&mut self, bytes: &mut &mut [u8], bounds: &Bounds) -> Result<Option<Frame>, Broken> {
        let before = self.head_bytes;
        let more = bytes.len().min(MAX_HEAD_BYTES - before);
        self.head[before..before + more].copy_from_slice(&bytes[..more]);
        match Frame::parse(&self.head[..before + more], Some(&self.message), bounds)? {
            Some((frame, head)) => {
                take(bytes, head - before);
                self.head_bytes = 0;
                Ok(Some(frame))
            }
            None => {
                take(bytes, more);
                self.head_bytes = before + more;
                Ok(None)
            }
        }
    }

    fn hear_control<'a>(&mut self, frame: &Frame, payload: &'a [u8]) -> Result<Option<Heard<'a>>, Broken> {
        if frame.missing == 0 && self.control.is_empty() {
            return frame.meaning.of(Cow::Borrowed(payload)).map(Some);
        }
        self.control.extend_from_slice(payload);
        if frame.missing > 0 {
            return Ok(None);
        }
        frame.meaning.of(Cow::Owned(mem::take(&mut self.control))).map(Some)
    }
}

impl Message {
    fn hear<'a>(&mut self, frame: &Frame, payload: &'a [u8], bounds: &Bounds) -> Result<Option<Heard<'a>>, Broken> {
        let meaning = *self.meaning.get_or_insert(frame.meaning);
        let is_whole = frame.is_last && frame.missing == 0;
        if is_whole && self.bytes.is_empty() {
            *self = Message::default();
            return meaning.of(Cow::Borrowed(payload)).map(Some);
        }
        self.keep(payload, bounds);
        if is_whole {
            let whole = mem::take(self);
            return meaning.of(Cow::Owned(whole.bytes)).map(Some);
        }
        if meaning == Meaning::Text {
            self.check()?;
        }
        Ok(None)
    }

    /// Doubles what is held when it is full, so that each byte is moved twice at most, whatever pieces it comes in.
    fn keep(&mut self, payload: &[u8], bounds: &Bounds) {
        let needed = self.bytes.len() + payload.len();
        if needed > self.bytes.capacity() {
            // A frame that would pass the bound was refused by its head.
            let room = needed.max(2 * self.bytes.capacity()).min(bounds.message_bytes);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(payload);
    }

    /// Fails at the first byte that no UTF-8 can have there (section 8.1), without looking twice at what is decided.
    fn check(&mut self) -> Result<(), Broken> {
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(rest) => self.checked += rest.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Broken::NotUtf8),
        }
        Ok(())
    }
}

/// A frame whose head was read.
#[derive(Debug)]
struct Frame {
    is_last: bool,
    meaning: Meaning,
    /// How much of the payload is still to come, in bytes.
    missing: usize,
    /// For the bytes that are still to come.
    mask: [u8; 4],
}

/// What a frame's opcode says; that of a continuation is its message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Frame {
    /// The frame whose head stands at the front of `bytes`, after the fragments of `message`, and the length of that
    /// head; `None` while it is incomplete. A wrong head is refused at its first wrong byte.
    fn parse(bytes: &[u8], message: Option<&Message>, bounds: &Bounds) -> Result<Option<(Frame, usize)>, Broken> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        let is_last = first & FIN != 0;
        let meaning = Meaning::parse(first & !FIN, message.and_then(|message| message.meaning), bounds)?;
        if meaning.is_control() && !is_last {
            return Err(Broken::Protocol);
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        let short = second & !MASKED;
        if second & MASKED == 0 || (meaning.is_control() && usize::from(short) > MAX_CONTROL_BYTES) {
            return Err(Broken::Protocol);
        }
        let Some((length, rest)) = parse_length(short, rest)? else { return Ok(None) };
        let before = message.map_or(0, |message| message.bytes.len());
        let missing = usize::try_from(length).map_err(|_| Broken::TooBig)?;
        if !meaning.is_control() && missing > bounds.message_bytes.saturating_sub(before) {
            return Err(Broken::TooBig);
        }
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some((Frame { is_last, meaning, missing, mask: *mask }, bytes.len() - rest.len())))
    }
}

/// The payload's length in bytes, and what stands behind it. It must be written in as few bytes as it needs, and its
/// highest bit must be 0 (section 5.2).
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Broken> {
    let (length, rest, least) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u16::from_be_bytes(*length).into(), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 1 << 16),
            None => return Ok(None),
        },
        short => (short.into(), rest, 0),
    };
    if length < least || length > i64::MAX as u64 { Err(Broken::Protocol) } else { Ok(Some((length, rest))) }
}

impl Meaning {
    /// What a first byte says when its highest bit is taken off. The three below it are reserved and must be 0; after the
    /// first fragment of `message` only its continuations and control frames may come (sections 5.2 and 5.4).
    fn parse(first: u8, message: Option<Meaning>, bounds: &Bounds) -> Result<Meaning, Broken> {
        match (first, message) {
            (0x0, Some(message)) => Ok(message),
            (0x1, None) => Ok(Meaning::Text),
            (0x2, None) if bounds.binary == Binary::Refused => Err(Broken::Binary),
            (0x2, None) => Ok(Meaning::Binary),
            (0x8, _) => Ok(Meaning::Close),
            (0x9, _) => Ok(Meaning::Ping),
            (0xa, _) => Ok(Meaning::Pong),
            _ => Err(Broken::Protocol),
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Meaning::Close | Meaning::Ping | Meaning::Pong)
    }

    /// What a whole payload says.
    fn of(self, payload: Cow<'_, [u8]>) -> Result<Heard<'_>, Broken> {
        Ok(match self {
            Meaning::Text => Heard::Text(text_of(payload)?),
            Meaning::Binary => Heard::Binary(payload),
            Meaning::Ping => Heard::Ping(payload),
            Meaning::Pong => Heard::Pong(payload),
            Meaning::Close => Heard::Close(reason_of(payload)?),
        })
    }
}

fn text_of(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Broken> {
    match bytes {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Broken::NotUtf8),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Broken::NotUtf8),
    }
}

/// A goodbye says nothing, or a code and words (section 5.5.1).
fn reason_of(payload: Cow<'_, [u8]>) -> Result<Option<(u16, Cow<'_, str>)>, Broken> {
    let Some(code) = payload.first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Broken::Protocol) };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(Broken::Protocol);
    }
    let words = match payload {
        Cow::Borrowed(payload) => Cow::Borrowed(&payload[2..]),
        Cow::Owned(payload) => Cow::Owned(payload[2..].to_vec()),
    };
    Ok(Some((code, text_of(words)?)))
}

/// Whether a close frame may carry this code: those of the RFC and of IANA's registry that are not reserved for what
/// happens without a frame, and everybody's own (section 7.4.2).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Takes so many bytes from the front.
fn take<'a>(bytes: &mut &'a mut [u8], length: usize) -> &'a mut [u8] {
    bytes.split_off_mut(..length).expect("no more is taken than there is")
}

/// Section 5.3, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// A message in text, as one frame. The payload must be UTF-8: it is not looked at.
pub fn text(payload: &[u8]) -> Bytes {
    frame(0x1, payload)
}

/// A message in bytes, as one frame.
pub fn binary(payload: &[u8]) -> Bytes {
    frame(0x2, payload)
}

/// Asks for a pong with the same payload, of which only the first [`MAX_CONTROL_BYTES`] are sent.
pub fn ping(payload: &[u8]) -> Bytes {
    frame(0x9, &payload[..payload.len().min(MAX_CONTROL_BYTES)])
}

/// Answers a ping with its payload, of which only the first [`MAX_CONTROL_BYTES`] are sent.
pub fn pong(payload: &[u8]) -> Bytes {
    frame(0xa, &payload[..payload.len().min(MAX_CONTROL_BYTES)])
}

/// Says goodbye, with a code that may be sent and as much of `reason` as fits into 123 bytes.
pub fn close(code: u16, reason: &str) -> Bytes {
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL_BYTES - 2)];
    frame(0x8, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Says goodbye without a code: the answer to a goodbye that has none.
pub fn close_without_code() -> Bytes {
    frame(0x8, &[])
}

/// A whole frame as a server sends it: unmasked, so that it is the same for everybody.
fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(MAX_HEAD_BYTES - 4 + payload.len());
    frame.put_u8(FIN | opcode);
    match payload.len() {
        length @ 0..126 => frame.put_u8(length as u8),
        length @ 126..=0xffff => {
            frame.put_u8(126);
            frame.put_u16(length as u16);
        }
        length => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

#[cfg(test)]
mod tests;
