use super::*;

/// A small bound, to reach it with little.
const BOUNDS: Bounds = Bounds { message_bytes: 200, binary: Binary::Accepted };

/// As frames come from a client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = frame(first & !FIN, payload).to_vec();
    let head = frame.len() - payload.len();
    frame[0] = first;
    frame[1] |= MASKED;
    unmask(&mut frame[head..], mask);
    frame.splice(head..head, mask);
    frame
}

/// All that bytes say when they come in pieces of these lengths.
fn hear(bytes: &[u8], pieces: impl IntoIterator<Item = usize>) -> (Vec<Heard<'static>>, Option<Broken>) {
    let (mut reader, mut all, mut rest) = (Reader::default(), Vec::new(), bytes);
    for piece in pieces.into_iter().chain([bytes.len()]) {
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        let mut piece = piece.to_vec();
        let mut piece = &mut piece[..];
        loop {
            match reader.read(&mut piece, &BOUNDS) {
                Ok(Some(heard)) => all.push(owned(heard)),
                Ok(None) => break,
                Err(broken) => return (all, Some(broken)),
            }
        }
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

/// What bytes say, however they are cut.
fn meaning(bytes: &[u8]) -> (Vec<Heard<'static>>, Option<Broken>) {
    let whole = hear(bytes, []);
    assert_eq!(hear(bytes, vec![1; bytes.len()]), whole, "byte by byte: {bytes:x?}");
    for cut in 1..bytes.len() {
        assert_eq!(hear(bytes, [cut]), whole, "cut at {cut}: {bytes:x?}");
    }
    whole
}

#[test]
fn every_opcode_is_heard_or_refused() {
    for opcode in 0..=0xf {
        let payload = if opcode == 0x8 { &[3, 232, b'h', b'i'][..] } else { b"hi" };
        let expected = match opcode {
            0x1 => Ok(Heard::Text("hi".into())),
            0x2 => Ok(Heard::Binary(b"hi".into())),
            0x8 => Ok(Heard::Close(Some((1000, "hi".into())))),
            0x9 => Ok(Heard::Ping(b"hi".into())),
            0xa => Ok(Heard::Pong(b"hi".into())),
            _ => Err(Broken::Protocol),
        };
        let expected = expected.map_or_else(|broken| (vec![], Some(broken)), |heard| (vec![heard], None));
        assert_eq!(meaning(&masked(FIN | opcode, payload)), expected, "opcode {opcode:#x}");
    }
}

#[test]
fn control_frames_come_between_fragments() {
    let stream = [
        masked(0x1, b"one "),
        masked(FIN | 0x9, b"ping"),
        masked(0x0, b"two "),
        masked(FIN | 0xa, b""),
        masked(0x0, b""),
        masked(FIN, b"three"),
        masked(FIN | 0x2, b"next"),
    ];
    let heard = vec![
        Heard::Ping(b"ping".into()),
        Heard::Pong(b"".into()),
        Heard::Text("one two three".into()),
        Heard::Binary(b"next".into()),
    ];
    assert_eq!(meaning(&stream.concat()), (heard, None));
}
