use super::*;
use proptest::{collection::vec, prelude::*, sample::Index};

/// A small bound, to reach it with little.
const BOUNDS: Bounds = Bounds { message_bytes: 200, binary: Binary::Accepted };
const WIDE: Bounds = Bounds { message_bytes: 1 << 20, binary: Binary::Accepted };

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

type Meant = (Vec<Heard<'static>>, Option<Broken>);

/// A frame as it comes from a client, with its length in the shortest form.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(first & !FIN, payload).to_vec();
    frame.truncate(frame.len() - payload.len());
    frame[0] = first;
    frame[1] |= MASKED;
    [frame, mask(payload)].concat()
}

/// A mask, and a payload under it.
fn mask(payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let under_it = payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key);
    MASK.into_iter().chain(under_it).collect()
}

/// All that bytes say when they come in pieces of these lengths, then the rest.
fn hear(bytes: &[u8], pieces: impl IntoIterator<Item = usize>, bounds: &Bounds) -> Meant {
    let (mut reader, mut all, mut rest) = (Reader::default(), Vec::new(), bytes);
    for piece in pieces.into_iter().chain([bytes.len()]) {
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        if let Some(broken) = hear_piece(&mut reader, piece, bounds, &mut all) {
            return (all, Some(broken));
        }
    }
    (all, None)
}

fn hear_piece(reader: &mut Reader, piece: &[u8], bounds: &Bounds, all: &mut Vec<Heard<'static>>) -> Option<Broken> {
    let mut piece = piece.to_vec();
    let mut piece = &mut piece[..];
    loop {
        match reader.read(&mut piece, bounds) {
            Ok(Some(heard)) => all.push(owned(heard)),
            Ok(None) => return None,
            Err(broken) => return Some(broken),
        }
        assert_eq!(reader.held_bytes() == 0, reader.is_between_frames());
    }
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
fn meaning(bytes: &[u8]) -> Meant {
    let whole = hear(bytes, [], &BOUNDS);
    assert_eq!(hear(bytes, vec![1; bytes.len()], &BOUNDS), whole, "byte by byte: {bytes:x?}");
    for cut in 1..bytes.len() {
        assert_eq!(hear(bytes, [cut], &BOUNDS), whole, "cut at {cut}: {bytes:x?}");
    }
    whole
}

fn says(heard: Heard<'static>) -> Meant {
    (vec![heard], None)
}

fn breaks(broken: Broken) -> Meant {
    (vec![], Some(broken))
}

/// Which byte of these, given one by one, is the one that breaks.
fn breaks_at(bytes: &[u8], bounds: &Bounds) -> Option<(usize, Broken)> {
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    let broken = |at: usize| hear_piece(&mut reader, &bytes[at..=at], bounds, &mut all).map(|broken| (at, broken));
    (0..bytes.len()).find_map(broken)
}

// What a head says

#[test]
fn every_opcode_is_heard_or_refused() {
    for opcode in 0..=0xf {
        let payload = if opcode == CLOSE { &[3, 232, b'h', b'i'][..] } else { b"hi" };
        let expected = match opcode {
            TEXT => says(Heard::Text("hi".into())),
            BINARY => says(Heard::Binary(b"hi".into())),
            CLOSE => says(Heard::Close(Some((1000, "hi".into())))),
            PING => says(Heard::Ping(b"hi".into())),
            PONG => says(Heard::Pong(b"hi".into())),
            _ => breaks(Broken::Protocol),
        };
        assert_eq!(meaning(&masked(FIN | opcode, payload)), expected, "opcode {opcode:#x}");
        for reserved in 1..8 {
            let first = FIN | reserved << 4 | opcode;
            assert_eq!(meaning(&masked(first, payload)), breaks(Broken::Protocol), "{first:#x}");
        }
    }
}

#[test]
fn a_frame_without_a_mask_is_refused() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        let frame = frame(opcode, b"");
        assert_eq!(meaning(&frame), breaks(Broken::Protocol));
        assert_eq!(breaks_at(&frame, &BOUNDS), Some((1, Broken::Protocol)));
    }
}

#[test]
fn a_control_frame_is_short_and_whole() {
    for opcode in [CLOSE, PING, PONG] {
        assert_eq!(breaks_at(&masked(opcode, b""), &BOUNDS), Some((0, Broken::Protocol)), "a fragment");
        let too_long = masked(FIN | opcode, &[b'x'; 126]);
        assert_eq!(breaks_at(&too_long, &WIDE), Some((1, Broken::Protocol)), "126 bytes");
    }
    assert_eq!(meaning(&masked(FIN | PING, &[b'x'; 125])), says(Heard::Ping(vec![b'x'; 125].into())));
    // The bound is for messages.
    let narrow = Bounds { message_bytes: 0, ..BOUNDS };
    assert_eq!(hear(&masked(FIN | PONG, b"pong"), [], &narrow), says(Heard::Pong(b"pong".into())));
}

#[test]
fn every_length_is_heard_in_its_shortest_form() {
    for length in [0, 1, 124, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 65_537, 1 << 20] {
        let payload = vec![b'x'; length];
        let frame = masked(FIN | BINARY, &payload);
        assert_eq!(
            frame.len() - length,
            if length < 126 {
                6
            } else if length < 65_536 {
                8
            } else {
                14
            }
        );
        for pieces in [vec![], vec![1; 20], vec![frame.len() - 1]] {
            assert_eq!(hear(&frame, pieces, &WIDE), says(Heard::Binary(payload.clone().into())), "{length}");
        }
    }
}

#[test]
fn a_length_in_a_longer_form_is_refused() {
    for length in [0_u16, 1, 125] {
        let head = [&[FIN | TEXT, MASKED | 126][..], &length.to_be_bytes()].concat();
        assert_eq!(breaks_at(&head, &WIDE), Some((3, Broken::Protocol)), "{length} in two bytes");
    }
    for length in [0_u64, 125, 126, 65_535, 1 << 63, u64::MAX] {
        let head = [&[FIN | TEXT, MASKED | 127][..], &length.to_be_bytes()].concat();
        assert_eq!(breaks_at(&head, &WIDE), Some((9, Broken::Protocol)), "{length} in eight bytes");
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_head() {
    for length in [65_537_u64, 1 << 32, i64::MAX as u64] {
        let head = [&[FIN | TEXT, MASKED | 127][..], &length.to_be_bytes()].concat();
        assert_eq!(hear(&head, [], &Bounds { message_bytes: 65_536, ..BOUNDS }), breaks(Broken::TooBig));
    }
    assert_eq!(meaning(&masked(FIN | TEXT, &[b'x'; 200])), says(Heard::Text("x".repeat(200).into())));
    assert_eq!(meaning(&masked(FIN | TEXT, &[b'x'; 201])), breaks(Broken::TooBig));

    let first = masked(TEXT, &[b'x'; 150]);
    let last = masked(FIN | CONTINUATION, &[b'x'; 50]);
    let one_more = masked(FIN | CONTINUATION, &[b'x'; 51]);
    assert_eq!(meaning(&[&first[..], &last].concat()), says(Heard::Text("x".repeat(200).into())));
    assert_eq!(meaning(&[&first[..], &one_more[..2]].concat()), breaks(Broken::TooBig), "before the payload");
    // The last fragment counts from where the message was, not from where a ping was.
    let ping = masked(FIN | PING, &[b'x'; 125]);
    assert_eq!(meaning(&[&first[..], &ping, &last].concat()).1, None);
}

#[test]
fn binary_is_refused_by_its_first_byte_where_only_text_is_spoken() {
    let text_only = Bounds { binary: Binary::Refused, ..BOUNDS };
    for first in [BINARY, FIN | BINARY] {
        assert_eq!(hear(&[first], [], &text_only), breaks(Broken::Binary));
    }
    // Inside a text it would be wrong in any case.
    let inside = [masked(TEXT, b"x"), masked(FIN | BINARY, b"x")].concat();
    assert_eq!(hear(&inside, [], &text_only), breaks(Broken::Protocol));
    assert_eq!(hear(&masked(FIN | TEXT, b"x"), [], &text_only), says(Heard::Text("x".into())));
}

// Fragments

#[test]
fn control_frames_come_between_fragments() {
    let stream = [
        masked(TEXT, b"one "),
        masked(FIN | PING, b"ping"),
        masked(CONTINUATION, b"two "),
        masked(FIN | PONG, b""),
        masked(CONTINUATION, b""),
        masked(FIN | CONTINUATION, b"three"),
        masked(FIN | BINARY, b"next"),
        masked(BINARY, b""),
        masked(CONTINUATION, b""),
        masked(FIN | CONTINUATION, b"last"),
        masked(TEXT, b"unfinished"),
        masked(FIN | CLOSE, b""),
    ];
    let heard = vec![
        Heard::Ping(b"ping".into()),
        Heard::Pong(b"".into()),
        Heard::Text("one two three".into()),
        Heard::Binary(b"next".into()),
        Heard::Binary(b"last".into()),
        Heard::Close(None),
    ];
    assert_eq!(meaning(&stream.concat()), (heard, None));
}

#[test]
fn a_message_is_continued_and_nothing_else() {
    for first in [CONTINUATION, FIN | CONTINUATION] {
        assert_eq!(meaning(&masked(first, b"x")), breaks(Broken::Protocol), "a continuation of nothing");
        let after = [masked(TEXT, b"x"), masked(FIN | CONTINUATION, b"y"), masked(first, b"z")].concat();
        assert_eq!(meaning(&after), (vec![Heard::Text("xy".into())], Some(Broken::Protocol)), "after the end");
    }
    for first in [TEXT, FIN | TEXT, BINARY, FIN | BINARY] {
        let inside = [masked(BINARY, b"x"), masked(first, b"y")].concat();
        assert_eq!(meaning(&inside), breaks(Broken::Protocol), "a message inside another");
    }
}

// Text

/// One character of each length at its lowest and its highest, and the neighbours of the surrogates.
const CHARACTERS: &str = "\0\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}é€😀";

#[test]
fn a_character_may_be_cut_by_fragments_and_by_reads() {
    let text = CHARACTERS.as_bytes();
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let fragments = [
                masked(TEXT, &text[..first]),
                masked(CONTINUATION, &text[first..second]),
                masked(FIN | PING, b""),
                masked(FIN | CONTINUATION, &text[second..]),
            ];
            let expected = (vec![Heard::Ping(b"".into()), Heard::Text(CHARACTERS.into())], None);
            assert_eq!(hear(&fragments.concat(), [], &BOUNDS), expected);
            assert_eq!(hear(&fragments.concat(), vec![1; 200], &BOUNDS), expected);
        }
    }
    assert_eq!(meaning(&masked(FIN | TEXT, text)), says(Heard::Text(CHARACTERS.into())));
}

/// The Unicode standard's table 3-7: whether bytes are the beginning of one character or all of it.
fn may_begin_a_character(bytes: &[u8]) -> bool {
    let (second, length) = match bytes[0] {
        0x00..=0x7f => (0..=0, 1),
        0xc2..=0xdf => (0x80..=0xbf, 2),
        0xe0 => (0xa0..=0xbf, 3),
        0xe1..=0xec | 0xee..=0xef => (0x80..=0xbf, 3),
        0xed => (0x80..=0x9f, 3),
        0xf0 => (0x90..=0xbf, 4),
        0xf1..=0xf3 => (0x80..=0xbf, 4),
        0xf4 => (0x80..=0x8f, 4),
        _ => return false,
    };
    let is_second_good = bytes.get(1).is_none_or(|byte| second.contains(byte));
    bytes.len() <= length && is_second_good && bytes.iter().skip(2).all(|byte| (0x80..=0xbf).contains(byte))
}

#[test]
fn text_fails_at_the_first_byte_that_no_character_has_there() {
    // Every first and second byte, then bytes around the limits of a continuation.
    const LATER: [u8; 5] = [0x7f, 0x80, 0x8f, 0xbf, 0xc0];
    let pairs = (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second)));
    for (first, second) in pairs.filter(|(first, second)| may_begin_a_character(&[*first, *second])) {
        for (third, fourth) in LATER.into_iter().flat_map(|third| LATER.map(|fourth| (third, fourth))) {
            let character = [first, second, third, fourth];
            // The first byte that no character has there, if one is begun; a whole character may end anywhere.
            let begun = (2..=4).find(|length| !may_begin_a_character(&character[..*length]));
            let is_whole = str::from_utf8(&character[..begun.map_or(4, |length| length - 1)]).is_ok();
            let (Some(length), false) = (begun, is_whole) else { continue };
            let frame = masked(FIN | TEXT, &[&character[..], b"and more"].concat());
            let head = frame.len() - character.len() - 8;
            assert_eq!(breaks_at(&frame, &BOUNDS), Some((head + length - 1, Broken::NotUtf8)), "{character:x?}");
        }
    }
    for first in (0..=u8::MAX).filter(|first| !may_begin_a_character(&[*first])) {
        assert_eq!(breaks_at(&masked(TEXT, &[b'x', first]), &BOUNDS), Some((7, Broken::NotUtf8)), "{first:#x}");
    }
    for (first, second) in (0xc2..=0xf4).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second))) {
        if !may_begin_a_character(&[first, second]) {
            let frame = masked(TEXT, &[first, second, b'x']);
            assert_eq!(breaks_at(&frame, &BOUNDS), Some((7, Broken::NotUtf8)), "{first:#x} {second:#x}");
        }
    }
}

#[test]
fn text_ends_with_a_whole_character() {
    for text in ["é", "€", "😀"] {
        for cut in 1..text.len() {
            let half = &text.as_bytes()[..cut];
            assert_eq!(meaning(&masked(FIN | TEXT, half)), breaks(Broken::NotUtf8));
            let fragments = [masked(TEXT, half), masked(FIN | CONTINUATION, b"")].concat();
            assert_eq!(meaning(&fragments), breaks(Broken::NotUtf8));
            // As bytes it is as good as any.
            assert_eq!(meaning(&masked(FIN | BINARY, half)).1, None);
        }
    }
}

// Goodbyes

#[test]
fn every_close_code_is_heard_or_refused() {
    for code in 0..=u16::MAX {
        let is_good = match code {
            0..=999 => false,
            1004..=1006 | 1015 => false,
            1000..=1014 => true,
            1016..=2999 => false,
            3000..=4999 => true,
            5000.. => false,
        };
        for words in ["", "why"] {
            let frame = masked(FIN | CLOSE, &[&code.to_be_bytes(), words.as_bytes()].concat());
            let expected =
                if is_good { says(Heard::Close(Some((code, words.into())))) } else { breaks(Broken::Protocol) };
            assert_eq!(hear(&frame, [], &BOUNDS), expected);
            assert_eq!(hear(&frame, vec![1; frame.len()], &BOUNDS), expected);
        }
    }
}

#[test]
fn a_goodbye_has_nothing_or_a_code_and_words() {
    assert_eq!(meaning(&masked(FIN | CLOSE, b"")), says(Heard::Close(None)));
    assert_eq!(meaning(&masked(FIN | CLOSE, &[3])), breaks(Broken::Protocol));
    let longest = "é".repeat(61) + "!";
    let payload = [&[3, 232][..], longest.as_bytes()].concat();
    assert_eq!(meaning(&masked(FIN | CLOSE, &payload)), says(Heard::Close(Some((1000, longest.into())))));
    for words in [&b"\xff"[..], b"\xed\xa0\x80", b"\xf0\x9f\x91"] {
        let payload = [&[3, 232][..], words].concat();
        assert_eq!(meaning(&masked(FIN | CLOSE, &payload)), breaks(Broken::NotUtf8));
    }
}

#[test]
fn each_refusal_has_its_code() {
    let codes = [Broken::Protocol, Broken::Binary, Broken::NotUtf8, Broken::TooBig].map(Broken::close_code);
    assert_eq!(codes, [1002, 1003, 1007, 1009]);
}

// What it costs

#[test]
fn a_reader_at_rest_holds_nothing() {
    assert_eq!(size_of::<Reader>(), 8);
    assert_eq!(Reader::default().held_bytes(), 0);
}

#[test]
fn a_whole_frame_is_heard_where_it_lies() {
    let (mut bytes, mut reader) = (masked(FIN | TEXT, b"hello"), Reader::default());
    let lies = bytes.as_ptr_range();
    let mut rest = &mut bytes[..];
    let Ok(Some(Heard::Text(Cow::Borrowed(text)))) = reader.read(&mut rest, &BOUNDS) else { panic!("a copy") };
    assert!(text == "hello" && lies.contains(&text.as_ptr()));
    assert!(reader.is_between_frames());
}

#[test]
fn what_is_held_grows_with_what_came_and_is_given_back() {
    const LENGTH: usize = 65_536;
    let bounds = Bounds { message_bytes: LENGTH, ..BOUNDS };
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    let frame = masked(FIN | TEXT, &[b'x'; LENGTH]);
    let (head, payload) = frame.split_at(14);
    assert_eq!(hear_piece(&mut reader, head, &bounds, &mut all), None);
    assert_eq!(reader.held_bytes(), size_of::<Incomplete>(), "the head announces, nothing came");
    assert!(size_of::<Incomplete>() <= 160);
    let mut came = 0;
    for piece in payload.chunks(1_000) {
        assert!(!reader.is_between_frames());
        assert_eq!(hear_piece(&mut reader, piece, &bounds, &mut all), None);
        came += piece.len();
        let most = size_of::<Incomplete>() + LENGTH.min(2 * came);
        assert!(reader.held_bytes() <= most, "{} for {came}", reader.held_bytes());
    }
    assert_eq!(all, [Heard::Text("x".repeat(LENGTH).into())]);
    assert!(reader.is_between_frames() && reader.held_bytes() == 0);

    // A control frame that came in two is given back, too, while the message around it is kept.
    let stream = [masked(TEXT, b"x"), masked(FIN | PING, &[0; 125])].concat();
    let (one, two) = stream.split_at(50);
    hear_piece(&mut reader, one, &bounds, &mut all);
    hear_piece(&mut reader, two, &bounds, &mut all);
    assert!(!reader.is_between_frames() && reader.held_bytes() < size_of::<Incomplete>() + 10);
}

#[test]
fn a_text_in_small_pieces_costs_no_more_than_its_length() {
    for (character, first, piece) in [("x", 1, 1), ("€", 1, 1), ("€", 1, 3), ("😀", 3, 4)] {
        let (mut reader, mut all) = (Reader::default(), Vec::new());
        let payload = character.repeat(100_000 / character.len());
        let frame = masked(FIN | TEXT, payload.as_bytes());
        let (head, rest) = frame.split_at(frame.len() - payload.len() + first);
        hear_piece(&mut reader, head, &WIDE, &mut all);
        let (mut held, mut moves) = (0, 0);
        for piece in rest.chunks(piece) {
            let message = &reader.incomplete.as_ref().expect("more is to come").message;
            assert!(message.bytes.len() - message.checked < 4, "what is decided is not looked at again");
            if reader.held_bytes() != held {
                (held, moves) = (reader.held_bytes(), moves + 1);
            }
            hear_piece(&mut reader, piece, &WIDE, &mut all);
        }
        assert!(moves <= 20, "moved {moves} times");
        assert_eq!(all, [Heard::Text(payload.into())]);
    }
}

// Any stream, any cut

/// What a client says: each part of it is a frame.
#[derive(Debug, Clone)]
enum Saying {
    Text(Vec<String>),
    Binary(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

impl Saying {
    fn any() -> impl Strategy<Value = Saying> {
        let bytes = |most| vec(any::<u8>(), 0..most);
        prop_oneof![
            vec(".{0,20}", 1..4).prop_map(Saying::Text),
            vec(bytes(300), 1..4).prop_map(Saying::Binary),
            bytes(126).prop_map(Saying::Ping),
            bytes(126).prop_map(Saying::Pong),
        ]
    }

    fn heard(&self) -> Heard<'static> {
        match self {
            Saying::Text(parts) => Heard::Text(parts.concat().into()),
            Saying::Binary(parts) => Heard::Binary(parts.concat().into()),
            Saying::Ping(payload) => Heard::Ping(payload.clone().into()),
            Saying::Pong(payload) => Heard::Pong(payload.clone().into()),
        }
    }

    /// Text is cut anywhere, also inside of characters.
    fn frames(&self, cut: Index) -> Vec<Vec<u8>> {
        let (opcode, parts) = match self {
            Saying::Text(parts) => {
                let whole = parts.concat().into_bytes();
                let (one, two) = whole.split_at(cut.index(whole.len() + 1));
                (TEXT, vec![one.to_vec(), two.to_vec()])
            }
            Saying::Binary(parts) => (BINARY, parts.clone()),
            Saying::Ping(payload) => (PING, vec![payload.clone()]),
            Saying::Pong(payload) => (PONG, vec![payload.clone()]),
        };
        let last = parts.len() - 1;
        let first_byte = |at| if at == 0 { opcode } else { CONTINUATION } | if at == last { FIN } else { 0 };
        parts.iter().enumerate().map(|(at, part)| masked(first_byte(at), part)).collect()
    }
}

proptest! {
    #[test]
    fn any_stream_says_the_same_however_it_is_cut(
        sayings in vec((Saying::any(), any::<Index>()), 0..12),
        pieces in vec(1..400_usize, 0..50),
    ) {
        let stream: Vec<u8> = sayings.iter().flat_map(|(saying, cut)| saying.frames(*cut)).flatten().collect();
        let expected: Vec<_> = sayings.iter().map(|(saying, _)| saying.heard()).collect();
        prop_assert_eq!(hear(&stream, pieces, &WIDE), (expected.clone(), None));
        prop_assert_eq!(hear(&stream, vec![1; stream.len()], &WIDE), (expected, None));
    }

    #[test]
    fn a_mask_is_taken_off_wherever_the_payload_is_cut(
        payload in vec(any::<u8>(), 0..100),
        key in any::<[u8; 4]>(),
        cut in any::<Index>(),
    ) {
        let mut under_it: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let cut = cut.index(payload.len() + 1);
        let mut rotated = key;
        rotated.rotate_left(cut % 4);
        unmask(&mut under_it[..cut], key);
        unmask(&mut under_it[cut..], rotated);
        prop_assert_eq!(under_it, payload);
    }
}

// What the server says

#[test]
fn a_server_writes_the_shortest_head_and_no_mask() {
    assert_eq!(&text(b"hi")[..], b"\x81\x02hi");
    assert_eq!(&binary(b"hi")[..], b"\x82\x02hi");
    assert_eq!(&ping(b"hi")[..], b"\x89\x02hi");
    assert_eq!(&pong(b"hi")[..], b"\x8a\x02hi");
    assert_eq!(&close(1000, "hi")[..], b"\x88\x04\x03\xe8hi");
    assert_eq!(&close_without_code()[..], b"\x88\x00");
    for (length, head) in [
        (0, &[0x81, 0][..]),
        (125, &[0x81, 125]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 255, 255]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let payload = vec![b'x'; length];
        assert_eq!(text(&payload), [head, &payload].concat());
    }
}

#[test]
fn a_control_frame_says_no_more_than_it_may() {
    assert_eq!(ping(&[7; 200]), ping(&[7; 125]));
    assert_eq!(pong(&[7; 200]), pong(&[7; 125]));
    assert_eq!(close(1001, &"é".repeat(100)), close(1001, &"é".repeat(61)));
    assert_eq!(close(1001, &"x".repeat(124)), close(1001, &"x".repeat(123)));
}
