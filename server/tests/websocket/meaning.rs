//! Any bytes at all, read in every way: what they mean does not depend on how they are cut, costs no more memory than
//! it may, and is what tungstenite makes of them, save where this file says otherwise. The fuzz target runs [`check`] too.

use server::websocket::framing::{Binary, Bounds, Broken, Heard, Reader};
use std::io::{self, Read, Write};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

/// All that was heard, and how it ended if not with the bytes.
pub(crate) type Meant = (Vec<Heard<'static>>, Option<Broken>);

/// Takes bytes from anywhere. The first says how the rest is to be read: whole frames' heads are made for it, or it is
/// what comes over the wire.
pub(crate) fn check(data: &[u8]) {
    let [how, rest @ ..] = data else { return };
    let (stream, bounds) = (if how & 1 == 0 { rest.to_vec() } else { framed(rest) }, bounds(how >> 1));
    let whole = hear(&stream, stream.len().max(1), &bounds);
    for piece in [1, 2, 3, 7, usize::from(*how).max(1)] {
        assert_eq!(hear(&stream, piece, &bounds), whole, "in pieces of {piece}: {stream:x?}");
    }
    check_refusal_of_binary(&stream, &bounds, &whole);
    check_against_tungstenite(&stream, &bounds, whole);
}

/// At least a control frame, which tungstenite counts too.
fn bounds(how: u8) -> Bounds {
    Bounds { message_bytes: [125, 126, 300, 70_000][usize::from(how % 4)], binary: Binary::Accepted }
}

/// Frames with good lengths and masks from records of first byte, length, mask and payload.
pub(crate) fn framed(mut records: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [first, length, key, rest @ ..] = records {
        let (payload, after) = rest.split_at(rest.len().min((*length).into()));
        stream.extend_from_slice(&[*first, 0x80 | payload.len().min(126) as u8]);
        if payload.len() >= 126 {
            stream.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        }
        let mask = [*key, key.wrapping_mul(3), key.wrapping_mul(5), key.wrapping_mul(7)];
        stream.extend_from_slice(&mask);
        stream.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        records = after;
    }
    stream
}

/// All that `stream` says in pieces of so many bytes, up to a goodbye.
pub(crate) fn hear(stream: &[u8], piece: usize, bounds: &Bounds) -> Meant {
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    for piece in stream.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut piece = &mut piece[..];
        loop {
            match reader.read(&mut piece, bounds) {
                Ok(Some(heard)) => all.push(owned(heard)),
                Ok(None) => break,
                Err(broken) => return (all, Some(broken)),
            }
            if let Some(Heard::Close(_)) = all.last() {
                return (all, None);
            }
        }
        assert!(piece.is_empty(), "all is taken");
        assert_eq!(reader.held_bytes() == 0, reader.is_between_frames());
        assert!(reader.held_bytes() <= bounds.message_bytes + 500, "{} bytes are held", reader.held_bytes());
    }
    (all, None)
}

fn owned(heard: Heard<'_>) -> Heard<'static> {
    match heard {
        Heard::Text(text) => Heard::Text(text.into_owned().into()),
        Heard::Binary(bytes) => Heard::Binary(bytes.into_owned().into()),
        Heard::Ping(bytes) => Heard::Ping(bytes.into_owned().into()),
        Heard::Pong(bytes) => Heard::Pong(bytes.into_owned().into()),
        Heard::Close(why) => Heard::Close(why.map(|(code, words)| (code, words.into_owned().into()))),
    }
}

/// Where only text is spoken the same is heard up to the first binary message.
fn check_refusal_of_binary(stream: &[u8], bounds: &Bounds, accepted: &Meant) {
    let (heard, broken) = hear(stream, stream.len().max(1), &Bounds { binary: Binary::Refused, ..*bounds });
    assert!(accepted.0.starts_with(&heard) && !heard.iter().any(|heard| matches!(heard, Heard::Binary(_))));
    assert!(broken == Some(Broken::Binary) || (heard, broken) == *accepted);
}

/// The same is heard and the same is refused, except:
///
/// 1. A head or a character that is wrong is refused at once; tungstenite waits for the whole frame.
/// 2. Of two faults in one frame the first one counts; tungstenite looks for its length first, and for the words of a
///    goodbye before its code.
/// 3. A length in a longer form than it needs is refused (a MUST of section 5.2).
/// 4. A goodbye with a code that may not be sent is refused; tungstenite hands on 1002 in its place.
/// 5. 1014 may be sent: IANA's registry has it.
fn check_against_tungstenite(stream: &[u8], bounds: &Bounds, ours: Meant) {
    let (our_words, our_end) = (&ours.0, ours.1);
    let (mut their_words, mut their_end) = hear_as_tungstenite(stream, bounds);
    let is_replaced = their_words.last() == Some(&Heard::Close(Some((1002, "Protocol violation".into()))));
    if is_replaced && our_end == Some(Broken::Protocol) {
        (_, their_end) = (their_words.pop(), our_end);
    } else if let (true, Some(Heard::Close(Some((1014, _))))) = (is_replaced, our_words.last()) {
        *their_words.last_mut().expect("the replaced one") = our_words.last().expect("a goodbye").clone();
    }
    let goes_on = their_words.len() > our_words.len();
    assert!(their_words.starts_with(our_words), "we: {ours:?}, they: {their_words:?}, {stream:x?}");
    match (our_end, their_end) {
        (Some(Broken::Protocol), _) if has_padded_length(stream) => {}
        _ if goes_on => panic!("we stopped at {our_end:?}, they heard {their_words:?}: {stream:x?}"),
        (ours, theirs) if ours == theirs => {}
        (Some(_), None) => {}
        (Some(Broken::Protocol), Some(Broken::TooBig | Broken::NotUtf8)) => {}
        (ours, theirs) => panic!("we: {ours:?}, they: {theirs:?}, after {our_words:?}: {stream:x?}"),
    }
}

/// Whether any frame has its length in a longer form than it needs, as far as heads can be followed.
fn has_padded_length(mut stream: &[u8]) -> bool {
    loop {
        let (length, rest, is_padded) = match stream {
            [_, 0xfe, a, b, rest @ ..] => (u16::from_be_bytes([*a, *b]).into(), rest, *a == 0 && *b < 126),
            [_, 0xff, rest @ ..] if rest.len() >= 8 => {
                let length = u64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
                (length, &rest[8..], length < 65_536)
            }
            [_, short @ 0x80..=0xfd, rest @ ..] => (u64::from(short & 0x7f), rest, false),
            _ => return false,
        };
        if is_padded {
            return true;
        }
        let Some(after) = rest.get(4..).filter(|rest| rest.len() as u64 >= length) else { return false };
        stream = &after[length as usize..];
    }
}

/// What comes, and nothing that goes.
struct OneWay<'a>(&'a [u8]);

impl Read for OneWay<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite hears as `role`, up to a goodbye.
pub(crate) fn hear_from(stream: &[u8], role: Role, message_bytes: usize) -> Meant {
    let config = WebSocketConfig::default().max_message_size(Some(message_bytes)).max_frame_size(Some(message_bytes));
    let (mut socket, mut all) = (WebSocket::from_raw_socket(OneWay(stream), role, Some(config)), Vec::new());
    loop {
        all.push(match socket.read() {
            Ok(Message::Text(text)) => Heard::Text(text.to_string().into()),
            Ok(Message::Binary(payload)) => Heard::Binary(payload.to_vec().into()),
            Ok(Message::Ping(payload)) => Heard::Ping(payload.to_vec().into()),
            Ok(Message::Pong(payload)) => Heard::Pong(payload.to_vec().into()),
            Ok(Message::Close(why)) => {
                all.push(Heard::Close(why.map(|why| (why.code.into(), why.reason.to_string().into()))));
                return (all, None);
            }
            Ok(Message::Frame(_)) => unreachable!("whole messages are read"),
            Err(error) => return (all, broken(&error)),
        });
    }
}

fn hear_as_tungstenite(stream: &[u8], bounds: &Bounds) -> Meant {
    hear_from(stream, Role::Server, bounds.message_bytes)
}

/// `None` where the bytes only ended.
fn broken(error: &Error) -> Option<Broken> {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    match error {
        Error::Protocol(ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(Broken::Protocol),
        Error::Capacity(_) => Some(Broken::TooBig),
        Error::Utf8(_) => Some(Broken::NotUtf8),
        other => panic!("no fault of the bytes: {other}"),
    }
}
